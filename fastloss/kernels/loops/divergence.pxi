# The passes around a divergence, expanded for each (formula, dtype): a sum over classes of phi(P, q)
# with P = softmax(z / T) and q the target's probabilities. A formula gives phi, the pull a = P phi' and
# the bend b = P a', of derivatives with respect to P. With c = 1 - P, and sums over j
#   gradient  c a - P sum_{j != k} a_j
#   Hessian   c (c b - P sum a_j) + P^2 sum_{j != k} b_j
#   its product with v, where u = v - P.v:  c b u - P (u sum a_j + sum_{j != k} b_j u_j)
# in which nothing cancels but what does so by nature: for the class with most of the probability c and
# the sums over others are just that. The value is multiplied by T^2, so that the gradient keeps its scale;
# the gradient is then T times the above, and the Hessian itself.

cdef void $loop_row(const ClassTile* tile) noexcept nogil:
    cdef const real* z = <const real*>tile.logits
    cdef real* e = <real*>tile.exponentials
    cdef real* fall = scratch_row(tile, 0)
    cdef real* terms = scratch_row(tile, 1)
    cdef real* pull = scratch_row(tile, 2)
    cdef real* bend = scratch_row(tile, 3)
    cdef real* target_fall = scratch_row(tile, 4)
    cdef real* target_e = scratch_row(tile, 5)
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real goal[TILE]
    cdef real log_goal[TILE]
    cdef real rest, total, inverse, log_total, p, complement, a, b, g, step, weight
    cdef real target_rest = 0
    cdef real pull_sum, bend_sum
    cdef double pull_rest, bend_rest
    cdef const real* tangent = <const real*>tile.tangent
    cdef Py_ssize_t classes = tile.classes
    cdef Py_ssize_t start, n, i, k, top = 0
    $declarations
    row_fall(z, classes, <real>temperature, fall)
    softmax_of_fall(fall, classes, e, &rest)
    if form == 2 and tile.probabilities != NULL:
        row_fall(<const real*>tile.probabilities, classes, <real>temperature, target_fall)
        softmax_of_fall(target_fall, classes, target_e, &target_rest)
    total = 1.0 + rest
    inverse = 1.0 / total
    log_total = log1p(rest)
    for start in range(0, classes, TILE):
        n = min(<Py_ssize_t>TILE, classes - start)
        target_terms(tile, form, <real>temperature, target_fall, target_e, target_rest, start, n, goal,
                     log_goal)
        if tile.class_weight != NULL:
            for i in range(n):
                goal[i] *= (<const real*>tile.class_weight)[start + i]
        for i in range(n):
            k = start + i
            p = e[k] * inverse
            complement = (rest if e[k] == 1.0 else total - e[k]) * inverse
            $formula(p, complement, goal[i], fall[k] - log_total, log_goal[i]$arguments,
                     &terms[k], &pull[k], &bend[k])
    weight = (<const real*>tile.label_weight)[0]
    (<real*>tile.value)[0] = <real>(temperature * temperature * weight * row_sum(terms, classes))
    if gradient == NULL:
        return
    while top < classes - 1 and e[top] != 1.0:
        top += 1
    if inverse > 0.5:
        # A multiple of P added to pull and bend changes nothing; this one leaves the class that has
        # most of the probability without a pull, which the others' would otherwise cancel.
        a = pull[top] / inverse
        b = bend[top] - pull[top]
        for k in range(classes):
            pull[k] -= e[k] * inverse * a
            bend[k] -= e[k] * inverse * a
        pull[top] = 0.0
        bend[top] = b
    a = pull[top]
    b = bend[top]
    pull[top] = 0.0
    bend[top] = 0.0
    pull_rest = row_sum(pull, classes)
    bend_rest = row_sum(bend, classes)
    pull[top] = a
    bend[top] = b
    pull_sum = <real>(pull_rest + a)
    bend_sum = <real>(bend_rest + b)
    weight = weight * (<const real*>tile.step)[0]
    step = <real>temperature * weight
    for k in range(classes):
        p = e[k] * inverse
        complement = (rest if e[k] == 1.0 else total - e[k]) * inverse
        terms[k] = complement * pull[k] - p * (pull_sum - pull[k])
    p = inverse
    complement = rest * inverse
    g = complement * a - p * <real>pull_rest
    terms[top] = g
    if tangent != NULL:
        # Less v of the most probable class, so that P.v has no term there.
        for k in range(classes):
            gradient[k] = (e[k] * inverse) * (tangent[k] - tangent[top])
        a = <real>row_sum(gradient, classes)
        for k in range(classes):
            gradient[k] = (tangent[k] - tangent[top]) - a
            fall[k] = bend[k] * gradient[k]
        b = fall[top]
        fall[top] = 0.0
        bend_rest = row_sum(fall, classes)
        fall[top] = b
        b = <real>(bend_rest + b)
        for k in range(classes):
            p = e[k] * inverse
            complement = (rest if e[k] == 1.0 else total - e[k]) * inverse
            g = <real>bend_rest if k == top else b - fall[k]
            gradient[k] = weight * (complement * fall[k] - p * (pull_sum * gradient[k] + g))
        return
    if hessian != NULL:
        for k in range(classes):
            p = e[k] * inverse
            complement = (rest if e[k] == 1.0 else total - e[k]) * inverse
            hessian[k] = weight * (complement * (complement * bend[k] - p * pull_sum)
                                   + p * (p * (bend_sum - bend[k])))
        p = inverse
        complement = rest * inverse
        hessian[top] = weight * (complement * (complement * b - p * pull_sum)
                                 + p * (p * <real>bend_rest))
    for k in range(classes):
        gradient[k] = step * terms[k]
