# Formulas of fastloss.losses.regression.


cdef inline void squared_error(real prediction, real target, double factor,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real slope = 2.0 * factor
    value[0] = <real>factor * (residual * residual)
    gradient[0] = slope * residual
    hessian[0] = slope


cdef inline void absolute_error(real prediction, real target,
                                real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    value[0] = fabs(residual)
    gradient[0] = sign_of(residual)
    hessian[0] = 0.0


cdef inline void huber(real prediction, real target, real delta,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real clipped = clip(residual, -delta, delta)
    value[0] = clipped * (residual - 0.5 * clipped)
    gradient[0] = clipped
    hessian[0] = 1.0 if fabs(residual) <= delta else 0.0


cdef inline void log_cosh(real prediction, real target,
                          real* value, real* gradient, real* hessian) noexcept nogil:
    # Nothing here cancels:
    #   near zero  log cosh r = log1p(2 sinh^2(r/2)) and 2 sinh^2(r/2) = d^2 / (2 (1 + d)) with
    #              d = exp(-|r|) - 1,
    #   beyond 1   log cosh r = |r| - log 2 + log1p(e) with e = exp(-2|r|),
    #   tanh |r| = (1 - e) / (1 + e), where near zero 1 - e = -d (d + 2),
    #   1 - tanh^2 r = 4 e / (1 + e)^2.
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real e = exp_nonpositive(-2.0 * size)
    cdef real d = expm1(-size)
    cdef bint near = size < 1.0
    cdef real small = d * d / (2.0 * (1.0 + d))
    cdef real offset = 0.0 if near else size - 0.6931471805599453
    cdef real slope = (-d * (d + 2.0) if near else 1.0 - e) / (1.0 + e)
    value[0] = log1p_unit(small if near else e) + offset
    gradient[0] = -slope if residual < 0.0 else slope
    hessian[0] = 4.0 * e / ((1.0 + e) * (1.0 + e))


cdef inline void pinball(real prediction, real target, double quantile,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    # 1 - quantile in double: 1 - 0.9f would be two ulp away from 0.1f.
    cdef real over = 1.0 - quantile
    cdef real under = -quantile
    value[0] = over * residual if residual > 0.0 else under * residual
    gradient[0] = over if residual > 0.0 else (under if residual < 0.0 else residual)
    hessian[0] = 0.0
