# Cross-entropy of a softmax with targets that are probabilities, expanded once per dtype. It is
# linear in the target: with mass_k = w_k ((1 - s) q_k + s / K) and M their sum
#   value     M log(sum exp(z - m)) + sum_k mass_k (m - z_k)
#   gradient  M P_k - mass_k, for a class with most of the probability (M - mass_k) - M (1 - P_k)
#   Hessian   M P_k (1 - P_k), in whole M (diag P - P P^T)


cdef inline void soft_derivatives(real e, real mass, real mass_sum, real rest, real inverse,
                                  real* gradient, real* hessian) noexcept nogil:
    cdef real p = e * inverse
    cdef real complement = (rest if e == 1.0 else 1.0 + rest - e) * inverse
    gradient[0] = (mass_sum - mass) - mass_sum * complement if p > 0.5 else mass_sum * p - mass
    hessian[0] = mass_sum * p * complement


cdef void soft_targets_block(const ClassTile* tile) noexcept nogil:
    cdef real* z
    cdef const real* target
    cdef const real* step
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef real* value
    cdef real* hessian = <real*>tile.hessian
    cdef Py_ssize_t n = tile.rows & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t stride = tile.stride
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef real m[LANES]
    cdef real at_label[LANES]
    cdef real rest[LANES]
    cdef double masses[LANES]
    cdef double spread[LANES]
    cdef real inverse[LANES]
    cdef real mass_step[LANES]
    cdef real w, mass, g, h
    cdef Py_ssize_t start, k, r
    for start in range(0, n, LANES):
        z = <real*>tile.logits + start
        target = <const real*>tile.probabilities + start
        step = <const real*>tile.step + start
        value = <real*>tile.value + start
        for r in range(LANES):
            masses[r] = 0
            spread[r] = 0
        lanes_maximum(z, stride, tile.classes, m, step, at_label)
        for k in range(tile.classes):
            w = 1.0 if class_weight == NULL else class_weight[k]
            for r in range(LANES):
                mass = w * (keep * target[k * stride + r] + share)
                masses[r] += mass
                spread[r] += product(mass, m[r] - z[k * stride + r])
        lanes_softmax(tile, start, m, rest)
        for r in range(LANES):
            value[r] = product(<real>masses[r], log1p(rest[r])) + <real>spread[r]
        if tile.gradient == NULL:
            continue
        if tile.tangent != NULL:
            for r in range(LANES):
                inverse[r] = 1.0 / (1.0 + rest[r])
                mass_step[r] = <real>masses[r] * step[r]
            lanes_hessian_product(tile, start, rest, inverse, mass_step, NULL)
            continue
        for k in range(tile.classes):
            w = 1.0 if class_weight == NULL else class_weight[k]
            for r in range(LANES):
                mass = w * (keep * target[k * stride + r] + share)
                soft_derivatives(z[k * stride + r], mass, <real>masses[r], rest[r],
                                 1.0 / (1.0 + rest[r]), &g, &h)
                z[k * stride + r] = g * step[r]
                if hessian != NULL:
                    hessian[k * stride + start + r] = h * step[r]


cdef void soft_targets_row(const ClassTile* tile) noexcept nogil:
    cdef const real* z = <const real*>tile.logits
    cdef const real* e = <const real*>tile.exponentials
    cdef const real* target = <const real*>tile.probabilities
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real step = (<const real*>tile.step)[0]
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef double masses, spread
    cdef real m, rest, inverse, g, h
    cdef Py_ssize_t k
    softmax_row(tile, &m, &rest)
    spread = row_spread(z, target, tile.classes, m, keep, share, class_weight, &masses)
    (<real*>tile.value)[0] = product(<real>masses, log1p(rest)) + <real>spread
    if gradient == NULL:
        return
    if tile.tangent != NULL:
        row_hessian_product(tile, -1, rest, <real>masses * step, 0.0)
        return
    inverse = 1.0 / (1.0 + rest)
    for k in range(tile.classes):
        soft_derivatives(e[k], label_mass(target, keep, share, class_weight, k),
                         <real>masses, rest, inverse, &g, &h)
        gradient[k] = g * step
        if hessian != NULL:
            hessian[k] = h * step
