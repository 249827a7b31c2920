# The passes around a softmax formula, expanded for each (formula, dtype): value, gradient and
# Hessian diagonal of f(p), p = softmax(z)[label], for labels. With g = -p f'(p) the pull:
#   gradient  g (P - one_hot)
#   Hessian   g P (1 - P) - p g'(p) (P - one_hot)^2
# Label smoothing spreads the share s of a label over all classes by adding
# (s / K) sum_k w_k (lse - z_k) to (1 - s) f.

cdef void $loop_block(const ClassTile* tile) noexcept nogil:
    cdef const real* z = <const real*>tile.logits
    cdef const real* label = <const real*>tile.label
    cdef const real* label_weight = <const real*>tile.label_weight
    cdef const real* step = <const real*>tile.step
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef real* value = <real*>tile.value
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef Py_ssize_t n = tile.rows & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t stride = tile.gradient_stride
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef real share_sum = share * <real>tile.class_weight_sum
    cdef real m[ROWS]
    cdef real rest[ROWS]
    cdef real at_label[ROWS]
    cdef double spread[ROWS]
    cdef real hit[ROWS]
    cdef real at_hessian[ROWS]
    cdef real mass[ROWS]
    cdef real mass_hessian[ROWS]
    cdef real bend[ROWS]
    cdef real inverse[ROWS]
    cdef real complement[ROWS]
    cdef real v, pull, pull_slope, d, x, p, w, total, log_total, hard, kept
    cdef Py_ssize_t k, r
    $declarations
    softmax_block(tile, m, rest)
    for r in range(n):
        # One by one: as a select in a loop over classes GCC makes it a branch.
        k = <Py_ssize_t>label[r]
        at_label[r] = z[(k if k >= 0 else 0) * tile.logits_stride + r]
        spread[r] = 0
    for k in range(tile.classes if share != 0 else 0):
        w = share if class_weight == NULL else share * class_weight[k]
        if w != 0:
            # A class without weight may be at -inf.
            for r in range(n):
                spread[r] += w * (m[r] - z[k * tile.logits_stride + r])
    for r in range(n):
        d = at_label[r] - m[r]
        total = 1.0 + rest[r]
        log_total = log1p(rest[r])
        x = exp_nonpositive(d)
        p = x / total
        complement[r] = (rest[r] if d == 0.0 else total - x) / total
        $formula(p, d - log_total, complement[r]$arguments, &v, &pull, &pull_slope)
        hard = keep * label_weight[r]
        x = product(hard, v) + (share_sum * log_total + <real>spread[r])
        value[r] = x if label[r] >= 0.0 else 0.0
        kept = step[r] if label[r] >= 0.0 else 0.0
        inverse[r] = 1.0 / total
        x = hard * pull
        mass_hessian[r] = (x + share_sum) * kept
        mass[r] = mass_hessian[r] * inverse[r]
        bend[r] = hard * pull_slope * kept
        hit[r] = (share_sum * p - x * complement[r]) * kept
        at_hessian[r] = (mass_hessian[r] * p * complement[r]
                         - bend[r] * (complement[r] * complement[r]))
    if gradient == NULL:
        return
    for k in range(tile.classes):
        if hessian != NULL:
            for r in range(n):
                x = gradient[k * stride + r]
                p = x * inverse[r]
                v = (rest[r] if x == 1.0 else (1.0 + rest[r]) - x) * inverse[r]
                hessian[k * tile.hessian_stride + r] = mass_hessian[r] * p * v - bend[r] * (p * p)
        if share == 0:
            for r in range(n):
                gradient[k * stride + r] *= mass[r]
        else:
            w = share if class_weight == NULL else share * class_weight[k]
            for r in range(n):
                gradient[k * stride + r] = mass[r] * gradient[k * stride + r] - w * step[r]
    for r in range(n):
        k = <Py_ssize_t>label[r]
        if k >= 0:
            w = share if class_weight == NULL else share * class_weight[k]
            gradient[k * stride + r] = hit[r] - w * step[r]
            if hessian != NULL:
                hessian[k * tile.hessian_stride + r] = at_hessian[r]
        else:
            # An exact zero, whatever the logits of an ignored row are.
            for k in range(tile.classes):
                gradient[k * stride + r] = 0.0
                if hessian != NULL:
                    hessian[k * tile.hessian_stride + r] = 0.0


cdef void $loop_row(const ClassTile* tile) noexcept nogil:
    # One row with its classes side by side: maximum, exponentials, and when a gradient is wanted
    # they are kept where it will stand and scaled there, so memory is read once and written once.
    cdef const real* z = <const real*>tile.logits
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real step = (<const real*>tile.step)[0]
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef real share_sum = share * <real>tile.class_weight_sum
    cdef real hard = keep * (<const real*>tile.label_weight)[0]
    cdef Py_ssize_t label = tile.row_label
    cdef real v, pull, pull_slope, d, x, p, m, rest, total, inverse, complement, log_total, mass
    cdef double share_total
    cdef Py_ssize_t k
    $declarations
    softmax_row(z, tile.classes, gradient, &m, &rest)
    total = 1.0 + rest
    inverse = 1.0 / total
    d = z[label] - m
    x = exp_nonpositive(d)
    p = x * inverse
    complement = (rest if d == 0.0 else total - x) * inverse
    log_total = log1p(rest)
    $formula(p, d - log_total, complement$arguments, &v, &pull, &pull_slope)
    x = product(hard, v)
    if share != 0:
        x += share_sum * log_total + <real>row_spread(
            z, NULL, tile.classes, m, keep, share, class_weight, &share_total)
    (<real*>tile.value)[0] = x
    if gradient == NULL:
        return
    pull = hard * pull
    mass = (pull + share_sum) * step
    if hessian != NULL:
        x = hard * pull_slope * step
        row_hessian(gradient, tile.classes, inverse, total, rest, mass, x, hessian)
        hessian[label] = mass * p * complement - x * (complement * complement)
    mass *= inverse
    if share == 0:
        for k in range(tile.classes):
            gradient[k] = mass * gradient[k]
    elif class_weight == NULL:
        for k in range(tile.classes):
            gradient[k] = mass * gradient[k] - share * step
    else:
        for k in range(tile.classes):
            gradient[k] = mass * gradient[k] - share * class_weight[k] * step
    x = share if class_weight == NULL else share * class_weight[label]
    gradient[label] = (share_sum * p - pull * complement - x) * step
