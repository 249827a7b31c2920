# The pass around a formula of a whole row, expanded for each (formula, dtype). The formula writes
# value, gradient, and where its gradient follows a probability vector P(z) the spread s and the bend d.
# With the shares q = s / sum s, dP = s (dz - q.dz), the Hessian is
#   (1 - q 1^T) diag d (1 - 1 q^T),  its diagonal  d (1 - q)^2 + q^2 sum_{j != k} d_j
#   its product with v, where u = v - q.v:  d (1 - q) u - q sum_{j != k} d_j u_j
# and with d = s simply  diag s - s s^T / sum s.  It finds both at 0.

cdef void $loop_row(const ClassTile* tile) noexcept nogil:
    cdef real* slope = <real*>tile.exponentials
    cdef real* spread = scratch_row(tile, 0)
    cdef real* bend = scratch_row(tile, 1)
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real weight = (<const real*>tile.label_weight)[0]
    cdef real step = weight * (<const real*>tile.step)[0]
    cdef real value, spread_top, bend_top
    cdef const real* tangent = <const real*>tile.tangent
    cdef double share, others, inverse, u, whole, spread_rest, bend_rest
    cdef double mean = 0, error = 0
    cdef real origin
    cdef Py_ssize_t k, top = 0
    $declarations
    memset(spread, 0, tile.classes * sizeof(real))
    memset(bend, 0, tile.classes * sizeof(real))
    $formula(tile$arguments, &value, slope, spread, bend)
    (<real*>tile.value)[0] = product(weight, value)
    if gradient == NULL:
        return
    # A NaN anywhere is one of the whole row.
    value = 0.0 if value == value else value
    if tangent == NULL:
        for k in range(tile.classes):
            gradient[k] = slope[k] * step + value
        if hessian == NULL:
            return
    # 1 - q of the class with the largest share is the sum of the others.
    for k in range(tile.classes):
        if spread[k] > spread[top]:
            top = k
    spread_top = spread[top]
    bend_top = bend[top]
    spread[top] = 0.0
    bend[top] = 0.0
    spread_rest = row_sum(spread, tile.classes)
    bend_rest = row_sum(bend, tile.classes)
    inverse = 1 / (spread_rest + spread_top) if spread_rest + spread_top > 0 else 0
    if tangent == NULL:
        for k in range(tile.classes):
            share = spread[k] * inverse
            others = (bend_rest - bend[k]) + bend_top
            hessian[k] = <real>(bend[k] * (1 - share) * (1 - share) + share * share * others) * step + (
                value)
        share = spread_top * inverse
        others = spread_rest * inverse
        hessian[top] = <real>(bend_top * others * others + share * share * bend_rest) * step + value
        return
    # It does not change with what is added to all of the vector.
    origin = tangent[top]
    for k in range(tile.classes):
        add_exactly(&mean, &error, spread[k] * (tangent[k] - origin))
    mean = (mean + error) * inverse
    whole = 0
    error = 0
    for k in range(tile.classes):
        add_exactly(&whole, &error, bend[k] * ((tangent[k] - origin) - mean))
    whole += error
    for k in range(tile.classes):
        share = spread[k] * inverse
        u = bend[k] * ((tangent[k] - origin) - mean)
        gradient[k] = <real>(u * (1 - share) - share * ((whole - u) - bend_top * mean)) * step + value
    gradient[top] = <real>(-bend_top * mean * (spread_rest * inverse)
                           - spread_top * inverse * whole) * step + value
