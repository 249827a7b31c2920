# The loop around an elementwise formula, expanded for each (formula, dtype, mode).
#
# n is a multiple of LANES: said to the compiler by the mask, it leaves no scalar remainder loop
# behind, so the bits of an element do not depend on where it stands in its array. `step` is the
# element's weight over the reduction's divisor. The pointers are restrict: the driver loads a
# prediction that shares memory with an output through a buffer of its own.

cdef void $loop(in_array prediction_, in_array target_, in_array step_, const in_array* varying_,
                const double* parameters, Py_ssize_t n,
                out_array value_, out_array gradient_, out_array hessian_) noexcept nogil:
    cdef const real* prediction = <const real*>prediction_
    cdef const real* target = <const real*>target_
    cdef const real* step = <const real*>step_
    cdef real* value = <real*>value_
    cdef real* gradient = <real*>gradient_
    cdef real* hessian = <real*>hessian_
    cdef real v, g, h
    cdef Py_ssize_t i
    $declarations
    n &= ~<Py_ssize_t>(LANES - 1)
    for i in range(n):
        $formula($arguments, &v, &g, &h)
        $stores
