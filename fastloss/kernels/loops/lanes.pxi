cdef inline double lane_total(const double* lanes) noexcept nogil:
    # The one tree in which LANES running sums are put together.
    cdef double total[LANES]
    cdef Py_ssize_t lane
    for lane in range(LANES // 2):
        total[lane] = lanes[lane] + lanes[lane + LANES // 2]
    for lane in range(LANES // 4):
        total[lane] += total[lane + LANES // 4]
    for lane in range(LANES // 8):
        total[lane] += total[lane + LANES // 8]
    return (total[0] + total[2]) + (total[1] + total[3])
