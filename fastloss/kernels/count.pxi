# Formulas of fastloss.losses.count.


cdef inline void poisson(real prediction, real target,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real rate = exp(prediction)
    value[0] = rate - product(target, prediction)
    gradient[0] = rate - target
    hessian[0] = rate
