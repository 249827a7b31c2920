# The loop around a formula of two predictions for one target, expanded for each (formula, dtype, what
# is stored). A block has its rows side by side, the first predictions of all of them and then the
# second; the gradient takes their place. LANES rows at a time, whose results wait beside the registers
# until all of them are read.

cdef void $loop(const ClassTile* tile) noexcept nogil:
    cdef real* first
    cdef real* second
    cdef const real* target
    cdef const real* step
    cdef const real* along
    cdef const real* across
    cdef real value[LANES]
    cdef real first_slope[LANES]
    cdef real second_slope[LANES]
    cdef real first_bend[LANES]
    cdef real second_bend[LANES]
    cdef real v, g, slope, h, bend, cross
    cdef Py_ssize_t n = tile.rows & ~<Py_ssize_t>(LANES - 1)
    cdef Py_ssize_t start, r
    $declarations
    for start in range(0, n, LANES):
        first = <real*>tile.logits + start
        second = first + tile.stride
        target = <const real*>tile.label + start
        step = <const real*>tile.step + start
        along = <const real*>tile.$tangent + start
        across = along + tile.stride
        for r in range(LANES):
            $formula(first[r], second[r], target[r]$arguments, &v, &g, &slope, &h, &bend, &cross)
            $element
        $stores
