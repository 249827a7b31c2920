# Cross-entropy of a softmax with targets that are probabilities, expanded once per dtype. It is
# linear in the target: with mass_k = w_k ((1 - s) q_k + s / K) and M their sum
#   value     M log(sum exp(z - m)) + sum_k mass_k (m - z_k)
#   gradient  M P_k - mass_k, for a class with most of the probability (M - mass_k) - M (1 - P_k)
#   Hessian   M P_k (1 - P_k)


cdef inline void soft_derivatives(real e, real mass, real mass_sum, real rest, real inverse,
                                  real* gradient, real* hessian) noexcept nogil:
    cdef real p = e * inverse
    cdef real complement = (rest if e == 1.0 else 1.0 + rest - e) * inverse
    gradient[0] = (mass_sum - mass) - mass_sum * complement if p > 0.5 else mass_sum * p - mass
    hessian[0] = mass_sum * p * complement


cdef void soft_targets_block(const ClassTile* tile) noexcept nogil:
    cdef const real* z = <const real*>tile.logits
    cdef const real* target = <const real*>tile.probabilities
    cdef const real* step = <const real*>tile.step
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef real* value = <real*>tile.value
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef Py_ssize_t n = tile.rows & ~<Py_ssize_t>(LANES - 1)
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef real m[ROWS]
    cdef real rest[ROWS]
    cdef double masses[ROWS]
    cdef double spread[ROWS]
    cdef real w, mass, g, h
    cdef Py_ssize_t k, r
    softmax_block(tile, m, rest)
    for r in range(n):
        masses[r] = 0
        spread[r] = 0
    for k in range(tile.classes):
        w = 1.0 if class_weight == NULL else class_weight[k]
        for r in range(n):
            mass = w * (keep * target[k * tile.probabilities_stride + r] + share)
            masses[r] += mass
            spread[r] += product(mass, m[r] - z[k * tile.logits_stride + r])
    for r in range(n):
        value[r] = product(<real>masses[r], log1p(rest[r])) + <real>spread[r]
    if gradient == NULL:
        return
    for k in range(tile.classes):
        w = 1.0 if class_weight == NULL else class_weight[k]
        for r in range(n):
            mass = w * (keep * target[k * tile.probabilities_stride + r] + share)
            soft_derivatives(gradient[k * tile.gradient_stride + r], mass, <real>masses[r], rest[r],
                             1.0 / (1.0 + rest[r]), &g, &h)
            gradient[k * tile.gradient_stride + r] = g * step[r]
            if hessian != NULL:
                hessian[k * tile.hessian_stride + r] = h * step[r]


cdef void soft_targets_row(const ClassTile* tile) noexcept nogil:
    cdef const real* z = <const real*>tile.logits
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
    softmax_row(z, tile.classes, gradient, &m, &rest)
    spread = row_spread(z, target, tile.classes, m, keep, share, class_weight, &masses)
    (<real*>tile.value)[0] = product(<real>masses, log1p(rest)) + <real>spread
    if gradient == NULL:
        return
    inverse = 1.0 / (1.0 + rest)
    for k in range(tile.classes):
        soft_derivatives(gradient[k], label_mass(target, keep, share, class_weight, k),
                         <real>masses, rest, inverse, &g, &h)
        gradient[k] = g * step
        if hessian != NULL:
            hessian[k] = h * step
