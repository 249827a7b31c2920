# Gradients in float16 and bfloat16 leave a float tile; expanded for float only.

cdef void half_out(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    floats_to_halves(<const real*>x_, n, <uint16_t*>y_)


cdef void bfloat_out(in_array x_, Py_ssize_t n, out_array y_) noexcept nogil:
    cdef const real* x = <const real*>x_
    cdef uint16_t* y = <uint16_t*>y_
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = float_to_bfloat(<float>x[i])
