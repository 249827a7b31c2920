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
    value[0] = 0.5 * (log(v) + size * size) + <real>constant
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


cdef inline real standardised(real residual, real root) noexcept nogil:
    # residual root^2, where root = exp(-log_scale / 2) is infinite or zero only when the scale's
    # reciprocal is so beyond remedy. A residual of 0 wins.
    return residual * root * root if residual != 0.0 else 0.0


cdef inline void gaussian_nll(real mean, real log_scale, real target, real factor, double constant,
                              real* value, real* mean_gradient, real* log_scale_gradient,
                              real* mean_hessian, real* log_scale_hessian,
                              real* cross_hessian) noexcept nogil:
    # factor log_scale is the logarithm of the standard deviation.
    cdef real residual = mean - target
    cdef real s = factor * log_scale
    cdef real root = exp(-0.5 * s)
    cdef real z = standardised(residual, root)
    cdef real square = z * z
    value[0] = s + 0.5 * square + <real>constant
    mean_gradient[0] = standardised(z, root)
    log_scale_gradient[0] = factor * (1.0 - square)
    mean_hessian[0] = root * root * (root * root)
    log_scale_hessian[0] = 2.0 * factor * factor * square
    cross_hessian[0] = -2.0 * factor * mean_gradient[0]


cdef inline void gaussian_nll_fisher(real mean, real log_scale, real target, real factor,
                                     double constant, real* value, real* mean_gradient,
                                     real* log_scale_gradient, real* mean_hessian,
                                     real* log_scale_hessian, real* cross_hessian) noexcept nogil:
    gaussian_nll(mean, log_scale, target, factor, constant, value, mean_gradient,
                 log_scale_gradient, mean_hessian, log_scale_hessian, cross_hessian)
    log_scale_hessian[0] = 2.0 * factor * factor
    cross_hessian[0] = 0.0
