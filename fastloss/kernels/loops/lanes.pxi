cdef inline double lane_total(const double* lanes) noexcept nogil:
    # The one tree in which LANES running sums are put together.
    cdef double total[LANES]
    cdef Py_ssize_t lane, width
    for lane in range(LANES):
        total[lane] = lanes[lane]
    width = LANES // 2
    while width > 0:
        for lane in range(width):
            total[lane] += total[lane + width]
        width //= 2
    return total[0]
