# Cross-entropy of a softmax with targets that are probabilities, expanded once per dtype. It is
# linear in the target: with mass_k = w_k ((1 - s) q_k + s / K) and M their sum
#   value     M log(sum exp(z - m)) + sum_k mass_k (m - z_k)
#   gradient  M P_k - mass_k, for a class with most of the probability (M - mass_k) - M (1 - P_k)
#   Hessian   M P_k (1 - P_k), in whole M (diag P - P P^T)
# A z-loss adds zeta W lse^2 with W = sum_k w_k q_k.


cdef inline void soft_derivatives(real e, real mass, real mass_sum, real lift, real tilt, real rest,
                                  real inverse, real* gradient, real* hessian) noexcept nogil:
    cdef real p = e * inverse
    cdef real complement = (rest if e == 1.0 else 1.0 + rest - e) * inverse
    gradient[0] = lift * p + (
        (mass_sum - mass) - mass_sum * complement if p > 0.5 else mass_sum * p - mass)
    hessian[0] = (mass_sum + lift) * p * complement + tilt * p * p


cdef void soft_targets_block(const ClassTile* tile) noexcept nogil:
    cdef real* z
    cdef const real* target
    cdef const real* step
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef const real* share_weight = <const real*>tile.share_weight
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
    cdef double own[LANES]
    cdef real lift[LANES]
    cdef real tilt[LANES]
    cdef real z_loss = tile.z_loss
    cdef real w, s, mass, g, h
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
            w = keep if class_weight == NULL else keep * class_weight[k]
            s = share if share_weight == NULL else share * share_weight[k]
            for r in range(LANES):
                mass = w * target[k * stride + r] + s
                masses[r] += mass
                spread[r] += product(mass, m[r] - z[k * stride + r])
        lanes_softmax(tile, start, m, rest)
        for r in range(LANES):
            value[r] = product(<real>masses[r], log1p(rest[r])) + <real>spread[r]
            lift[r] = 0.0
            tilt[r] = 0.0
        if z_loss != 0:
            for r in range(LANES):
                own[r] = 0
            for k in range(tile.classes):
                w = 1.0 if class_weight == NULL else class_weight[k]
                for r in range(LANES):
                    own[r] += w * target[k * stride + r]
            for r in range(LANES):
                mass = z_loss * <real>own[r]
                w = m[r] + log1p(rest[r])
                value[r] += mass * w * w
                lift[r] = 2.0 * mass * w
                tilt[r] = 2.0 * mass
        if tile.gradient == NULL:
            continue
        if tile.tangent != NULL:
            for r in range(LANES):
                inverse[r] = 1.0 / (1.0 + rest[r])
                mass_step[r] = (<real>masses[r] + lift[r]) * step[r]
                tilt[r] *= step[r]
            lanes_hessian_product(tile, start, rest, inverse, mass_step, NULL,
                                  NULL if z_loss == 0 else tilt)
            continue
        for k in range(tile.classes):
            w = keep if class_weight == NULL else keep * class_weight[k]
            s = share if share_weight == NULL else share * share_weight[k]
            for r in range(LANES):
                mass = w * target[k * stride + r] + s
                soft_derivatives(z[k * stride + r], mass, <real>masses[r], lift[r], tilt[r], rest[r],
                                 1.0 / (1.0 + rest[r]), &g, &h)
                z[k * stride + r] = g * step[r]
                if hessian != NULL:
                    hessian[k * stride + start + r] = h * step[r]


cdef void soft_targets_row(const ClassTile* tile) noexcept nogil:
    cdef const real* z = <const real*>tile.logits
    cdef const real* e = <const real*>tile.exponentials
    cdef const real* target = <const real*>tile.probabilities
    cdef const real* class_weight = <const real*>tile.class_weight
    cdef const real* share_weight = <const real*>tile.share_weight
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real step = (<const real*>tile.step)[0]
    cdef real keep = 1 - tile.smoothing
    cdef real share = tile.smoothing / tile.classes
    cdef double masses, spread
    cdef double own = 0
    cdef real m, rest, inverse, g, h, lse
    cdef real lift = 0.0
    cdef real tilt = 0.0
    cdef Py_ssize_t k
    softmax_row(tile, &m, &rest)
    spread = row_spread(z, target, tile.classes, m, keep, share, class_weight, share_weight, &masses)
    (<real*>tile.value)[0] = product(<real>masses, log1p(rest)) + <real>spread
    if tile.z_loss != 0:
        for k in range(tile.classes):
            own += target[k] if class_weight == NULL else target[k] * class_weight[k]
        own *= tile.z_loss
        lse = m + log1p(rest)
        (<real*>tile.value)[0] += <real>own * lse * lse
        lift = 2.0 * <real>own * lse
        tilt = 2.0 * <real>own
    if gradient == NULL:
        return
    if tile.tangent != NULL:
        row_hessian_product(tile, -1, rest, (<real>masses + lift) * step, 0.0, tilt * step)
        return
    if tile.packed != NULL:
        row_packed_hessian(tile, -1, rest, (<real>masses + lift) * step, 0.0, tilt * step)
    inverse = 1.0 / (1.0 + rest)
    for k in range(tile.classes):
        soft_derivatives(e[k], label_mass(target, keep, share, class_weight, share_weight, k),
                         <real>masses, lift, tilt, rest, inverse, &g, &h)
        gradient[k] = g * step
        if hessian != NULL:
            hessian[k] = h * step
