# The loop around a word of the vocabulary, for the tests and the accuracy scripts.

cdef void $loop(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const real* x = <const real*>x_
    cdef real* y = <real*>y_
    cdef Py_ssize_t i
    n &= ~<Py_ssize_t>(LANES - 1)
    for i in range(n):
        y[i] = $formula(x[i])
