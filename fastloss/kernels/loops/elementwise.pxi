# The loop around an elementwise formula, expanded for each (formula, dtype, what is stored).
#
# n is a multiple of LANES, so that no scalar remainder is left behind and the bits of an element do
# not depend on where it stands in its array. `step` is the element's weight over the reduction's
# divisor. The pointers are restrict: the driver loads a prediction that shares memory with an output
# through a buffer of its own. Values are stored and summed too, in the lanes of sum_tile: a pass of its
# own over them, while nothing is read from memory, cost a quarter of the bandwidth, and a store that
# nobody reads is free beside that. In cache it is not: of the cheapest formulas it is half of the stores,
# and it would take a second inner loop to be without it.

cdef void $loop(in_array prediction_, in_array target_, in_array step_, const in_array* varying_,
                const double* parameters, Py_ssize_t n,
                out_array value_, out_array gradient_, out_array hessian_,
                double* lanes, void* gradient_home, void* hessian_home) noexcept nogil:
    cdef const real* prediction = <const real*>prediction_
    cdef const real* target = <const real*>target_
    cdef const real* step = <const real*>step_
    cdef real* value = <real*>value_
    cdef real* gradient = <real*>gradient_
    cdef real* hessian = <real*>hessian_
    cdef real v, g, h
    cdef double total[LANES]
    cdef Py_ssize_t i, run, start, stop, lane
    # Sums stay in registers for a run: a third of the time of a cheap formula in float64.
    cdef Py_ssize_t length = n if gradient_home == NULL and hessian_home == NULL else RUN
    $declarations
    $before
    run = 0
    while run < n:
        stop = min(n, run + length)
        for start in range(run, stop, LANES):
            for lane in range(LANES):
                i = start + lane
                $formula($arguments, &v, &g, &h)
                $element
        $run
        run = stop
    $after
