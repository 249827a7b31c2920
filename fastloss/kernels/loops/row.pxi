# The pass around a formula of a whole row, expanded for each (formula, dtype). The formula writes
# value, gradient, and where its gradient is that of a probability vector P(z) the spread s, which
# stands for P's derivatives: the Hessian is  diag s - s s^T / sum s.  It finds the spread at 0.

cdef void $loop_row(const ClassTile* tile) noexcept nogil:
    cdef real* slope = <real*>tile.exponentials
    cdef real* spread = scratch_row(tile, 0)
    cdef real* gradient = <real*>tile.gradient
    cdef real* hessian = <real*>tile.hessian
    cdef real weight = (<const real*>tile.label_weight)[0]
    cdef real step = weight * (<const real*>tile.step)[0]
    cdef real value
    cdef const real* tangent = <const real*>tile.tangent
    cdef double total
    cdef double mean = 0, error = 0
    cdef real origin
    cdef Py_ssize_t k
    $declarations
    memset(spread, 0, tile.classes * sizeof(real))
    $formula(tile$arguments, &value, slope, spread)
    (<real*>tile.value)[0] = product(weight, value)
    if gradient == NULL:
        return
    # A NaN anywhere is one of the whole row.
    value = 0.0 if value == value else value
    total = row_sum(spread, tile.classes)
    if tangent != NULL:
        # It does not change with what is added to all of the vector.
        origin = tangent[0]
        for k in range(tile.classes):
            add_exactly(&mean, &error, spread[k] * (tangent[k] - origin))
        mean = (mean + error) / total if total > 0 else 0
        for k in range(tile.classes):
            gradient[k] = <real>(spread[k] * ((tangent[k] - origin) - mean)) * step + value
        return
    for k in range(tile.classes):
        gradient[k] = slope[k] * step + value
    if hessian == NULL:
        return
    for k in range(tile.classes):
        hessian[k] = <real>(spread[k] * (total - spread[k]) / total) * step + value if total > 0 else value
