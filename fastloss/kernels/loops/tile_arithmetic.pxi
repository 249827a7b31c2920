# What a tile needs besides its formula, expanded once per dtype. n is a multiple of LANES where it
# is masked.

cdef extern from "data_movement.h" nogil:
    void transpose_square(const real* x, Py_ssize_t x_stride, real* y, Py_ssize_t y_stride)


cdef void sum_tile(in_array value_, Py_ssize_t n, double* lanes) noexcept nogil:
    # LANES running sums in float64: the same order of additions at every vector width, and enough
    # of them in flight to hide the latency of an addition.
    cdef const real* value = <const real*>value_
    cdef double total[LANES]
    cdef Py_ssize_t i, lane
    n &= ~<Py_ssize_t>(LANES - 1)
    for lane in range(LANES):
        total[lane] = lanes[lane]
    for i in range(0, n, LANES):
        for lane in range(LANES):
            total[lane] += <double>value[i + lane]
    for lane in range(LANES):
        lanes[lane] = total[lane]


cdef void sum_weighted_tile(in_array value_, in_array weight_, Py_ssize_t n,
                            double* lanes) noexcept nogil:
    cdef const real* value = <const real*>value_
    cdef const real* weight = <const real*>weight_
    cdef double total[LANES]
    cdef Py_ssize_t i, lane
    n &= ~<Py_ssize_t>(LANES - 1)
    for lane in range(LANES):
        total[lane] = lanes[lane]
    for i in range(0, n, LANES):
        for lane in range(LANES):
            total[lane] += <double>value[i + lane] * <double>weight[i + lane]
    for lane in range(LANES):
        lanes[lane] = total[lane]


cdef void scale_tile(in_array x_, double factor_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const real* x = <const real*>x_
    cdef real* y = <real*>y_
    cdef real factor = <real>factor_
    cdef Py_ssize_t i
    n &= ~<Py_ssize_t>(LANES - 1)
    for i in range(n):
        y[i] = x[i] * factor


cdef void multiply_tile(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const real* x = <const real*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    n &= ~<Py_ssize_t>(LANES - 1)
    for i in range(n):
        y[i] *= x[i]


cdef Py_ssize_t outside_tile(in_array x_, Py_ssize_t n, double lower_, double upper_) noexcept nogil:
    # How many of x lie outside [lower, upper]; NaN is not outside. Counted in integers of their own
    # size: to widen what is compared costs more than to compare.
    cdef const real* x = <const real*>x_
    cdef real lower = <real>lower_
    cdef real upper = <real>upper_
    cdef Py_ssize_t i
    cdef uint32_t few = 0
    cdef uint64_t many = 0
    if sizeof(real) == sizeof(float):
        for i in range(n):
            few += (x[i] < lower) | (x[i] > upper)
        return few
    for i in range(n):
        many += (x[i] < lower) | (x[i] > upper)
    return many


cdef void half_in(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const uint16_t* x = <const uint16_t*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    if sizeof(real) == sizeof(float):
        halves_to_floats(x, n, <float*>y)
        return
    for i in range(n):
        y[i] = <real>half_to_float(x[i])


cdef void bfloat_in(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const uint16_t* x = <const uint16_t*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = <real>bfloat_to_float(x[i])


cdef void look_up_tile(in_array label_, in_array table_, Py_ssize_t n,
                       out_array y_) noexcept nogil:
    cdef const int64_t* label = <const int64_t*>label_
    cdef const real* table = <const real*>table_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = table[label[i] if label[i] >= 0 else 0]


cdef void transpose_in(in_array x_, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t stride,
                       out_array y_) noexcept nogil:
    # Rows of `columns` classes become classes of `stride` rows, in squares, of which a row's last one
    # overlaps the one before it.
    cdef const real* x = <const real*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t main = rows - rows % 4 if columns >= 4 else 0
    cdef Py_ssize_t r, k
    for k in range(0, columns if main > 0 else 0, 4):
        k = min(k, columns - 4)
        for r in range(0, main, 4):
            transpose_square(x + r * columns + k, columns, y + k * stride + r, stride)
    if columns == 2:
        # Known distances make vector code.
        for r in range(rows):
            y[r] = x[2 * r]
            y[stride + r] = x[2 * r + 1]
    elif columns == 3:
        for r in range(rows):
            y[r] = x[3 * r]
            y[stride + r] = x[3 * r + 1]
            y[2 * stride + r] = x[3 * r + 2]
    else:
        for r in range(main, rows):
            for k in range(columns):
                y[k * stride + r] = x[r * columns + k]


cdef void transpose_out(in_array x_, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t stride,
                        out_array y_) noexcept nogil:
    cdef const real* x = <const real*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t main = rows - rows % 4 if columns >= 4 else 0
    cdef Py_ssize_t r, k
    for k in range(0, columns if main > 0 else 0, 4):
        k = min(k, columns - 4)
        for r in range(0, main, 4):
            transpose_square(x + k * stride + r, stride, y + r * columns + k, columns)
    if columns == 2:
        for r in range(rows):
            y[2 * r] = x[r]
            y[2 * r + 1] = x[stride + r]
    elif columns == 3:
        for r in range(rows):
            y[3 * r] = x[r]
            y[3 * r + 1] = x[stride + r]
            y[3 * r + 2] = x[2 * stride + r]
    else:
        for r in range(main, rows):
            for k in range(columns):
                y[r * columns + k] = x[k * stride + r]


cdef void stream_tile(out_array target, in_array source, Py_ssize_t bytes_) noexcept nogil:
    # Past the caches, without the order that other stores have: the driver sees to that.
    stream_out(target, source, bytes_)


cdef void stream_run_tile(out_array home, in_array run, Py_ssize_t bytes_) noexcept nogil:
    # The same of a run of a tile, for loops that are compiled elsewhere.
    stream_run(run, 0, bytes_, 1, home)
