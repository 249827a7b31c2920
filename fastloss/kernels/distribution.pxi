# Formulas of fastloss.losses.distribution: negative log-likelihoods of a target under a distribution
# whose two parameters are predicted. `cross_hessian` is the mixed second derivative.
#
# A formula named _fisher has for Hessian the expectation of the exact one over targets that the
# predicted distribution draws: Fisher's information, which is positive.


cdef inline void gaussian_variance(real mean, real variance, real target, real eps, double constant,
                                   real* value, real* mean_gradient, real* variance_gradient,
                                   real* mean_hessian, real* variance_hessian,
                                   real* cross_hessian) noexcept nogil:
    # a = |r| / sqrt(v) neither overflows nor vanishes before its square does; 1 - a^2 and a^2 - 1/2
    # are taken as products, whose factors share out the divisions by v.
    cdef real residual = mean - target
    cdef real v = eps if variance < eps else variance
    cdef real size = fabs(residual) / sqrt(v)
    value[0] = 0.5 * log(v) + 0.5 * size * size + <real>constant
    mean_gradient[0] = residual / v
    variance_gradient[0] = 0.5 * ((1.0 - size) / v) * (1.0 + size)
    mean_hessian[0] = 1.0 / v
    variance_hessian[0] = (size - 0.7071067811865476) / v * ((size + 0.7071067811865476) / v)
    cross_hessian[0] = -mean_gradient[0] / v


cdef inline void gaussian_variance_fisher(real mean, real variance, real target, real eps,
                                          double constant, real* value, real* mean_gradient,
                                          real* variance_gradient, real* mean_hessian,
                                          real* variance_hessian,
                                          real* cross_hessian) noexcept nogil:
    gaussian_variance(mean, variance, target, eps, constant, value, mean_gradient,
                      variance_gradient, mean_hessian, variance_hessian, cross_hessian)
    variance_hessian[0] = 0.5 * mean_hessian[0] * mean_hessian[0]
    cross_hessian[0] = 0.0


cdef inline void reciprocal_scale(real log_scale, real* near, real* far) noexcept nogil:
    # near far = exp(-log_scale) = 1 / scale. Beyond what one number can hold, far is not 1: a residual
    # times both may still be an ordinary number.
    cdef real reach = 80.0 if sizeof(real) == sizeof(float) else 700.0
    cdef real factor = 1.8048513878454153e-35 if sizeof(real) == sizeof(float) else (
        9.8596765437597708e-305)
    cdef real inverse = 5.5406223843935101e34 if sizeof(real) == sizeof(float) else (
        1.0142320547350045e304)
    cdef bint wide = log_scale > reach
    cdef bint narrow = log_scale < -reach
    near[0] = exp(-log_scale + (reach if wide else (-reach if narrow else 0.0)))
    far[0] = factor if wide else (inverse if narrow else 1.0)


cdef inline real over_scale(real x, real near, real far) noexcept nogil:
    # x / scale: 0 wins over a reciprocal that is infinite.
    return x * near * far if x != 0.0 else 0.0


cdef inline void gaussian_nll(real mean, real log_scale, real target, real factor, double constant,
                              real* value, real* mean_gradient, real* log_scale_gradient,
                              real* mean_hessian, real* log_scale_hessian,
                              real* cross_hessian) noexcept nogil:
    # factor log_scale is the logarithm of the standard deviation.
    cdef real s = factor * log_scale
    cdef real near, far
    reciprocal_scale(s, &near, &far)
    cdef real z = over_scale(mean - target, near, far)
    cdef real energy = 0.5 * z * z
    cdef real double_factor = factor + factor
    value[0] = s + energy + <real>constant
    mean_gradient[0] = over_scale(z, near, far)
    log_scale_gradient[0] = factor - double_factor * energy
    mean_hessian[0] = near * far * (near * far)
    log_scale_hessian[0] = double_factor * double_factor * energy
    cross_hessian[0] = -double_factor * mean_gradient[0]


cdef inline void gaussian_nll_fisher(real mean, real log_scale, real target, real factor,
                                     double constant, real* value, real* mean_gradient,
                                     real* log_scale_gradient, real* mean_hessian,
                                     real* log_scale_hessian, real* cross_hessian) noexcept nogil:
    gaussian_nll(mean, log_scale, target, factor, constant, value, mean_gradient,
                 log_scale_gradient, mean_hessian, log_scale_hessian, cross_hessian)
    log_scale_hessian[0] = 2.0 * factor * factor
    cross_hessian[0] = 0.0
