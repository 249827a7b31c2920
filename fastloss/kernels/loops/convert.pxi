# A contiguous, native run of another type becomes real.

cdef void $loop(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const $source* x = <const $source*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = <real>x[i]
