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


cdef inline void log_normal_nll(real mean, real log_scale, real target,
                                real* value, real* mean_gradient, real* log_scale_gradient,
                                real* mean_hessian, real* log_scale_hessian,
                                real* cross_hessian) noexcept nogil:
    cdef real log_target = log(target)
    gaussian_nll(mean, log_scale, log_target, 1.0, 0.9189385332046727, value, mean_gradient,
                 log_scale_gradient, mean_hessian, log_scale_hessian, cross_hessian)
    value[0] += log_target


cdef inline void log_normal_nll_fisher(real mean, real log_scale, real target,
                                       real* value, real* mean_gradient, real* log_scale_gradient,
                                       real* mean_hessian, real* log_scale_hessian,
                                       real* cross_hessian) noexcept nogil:
    log_normal_nll(mean, log_scale, target, value, mean_gradient, log_scale_gradient, mean_hessian,
                   log_scale_hessian, cross_hessian)
    log_scale_hessian[0] = 2.0
    cross_hessian[0] = 0.0


cdef inline void laplace_nll(real location, real log_scale, real target,
                             real* value, real* location_gradient, real* log_scale_gradient,
                             real* location_hessian, real* log_scale_hessian,
                             real* cross_hessian) noexcept nogil:
    cdef real residual = location - target
    cdef real near, far
    reciprocal_scale(log_scale, &near, &far)
    cdef real size = over_scale(fabs(residual), near, far)
    value[0] = log_scale + size + 0.6931471805599453
    location_gradient[0] = over_scale(sign_of(residual), near, far)
    log_scale_gradient[0] = 1.0 - size
    location_hessian[0] = 0.0
    log_scale_hessian[0] = size
    cross_hessian[0] = -location_gradient[0]


cdef inline void laplace_nll_fisher(real location, real log_scale, real target,
                                    real* value, real* location_gradient, real* log_scale_gradient,
                                    real* location_hessian, real* log_scale_hessian,
                                    real* cross_hessian) noexcept nogil:
    cdef real near, far
    laplace_nll(location, log_scale, target, value, location_gradient, log_scale_gradient,
                location_hessian, log_scale_hessian, cross_hessian)
    reciprocal_scale(log_scale, &near, &far)
    location_hessian[0] = near * far * (near * far)
    log_scale_hessian[0] = 1.0
    cross_hessian[0] = 0.0


cdef inline void logistic_nll(real location, real log_scale, real target,
                              real* value, real* location_gradient, real* log_scale_gradient,
                              real* location_hessian, real* log_scale_hessian,
                              real* cross_hessian) noexcept nogil:
    # slope and bend are the derivatives of |z| + 2 log(1 + exp(-|z|)).
    cdef real near, far
    reciprocal_scale(log_scale, &near, &far)
    cdef real z = over_scale(location - target, near, far)
    cdef real size = fabs(z)
    cdef real e = exp_nonpositive(-size)
    cdef real slope = tanh(0.5 * z)
    cdef real bend = 2.0 * e / ((1.0 + e) * (1.0 + e))
    cdef real rise = slope + product(bend, z)
    value[0] = log_scale + size + 2.0 * log1p_unit(e)
    location_gradient[0] = over_scale(slope, near, far)
    log_scale_gradient[0] = 1.0 - z * slope
    location_hessian[0] = over_scale(over_scale(bend, near, far), near, far)
    log_scale_hessian[0] = z * rise
    cross_hessian[0] = -over_scale(rise, near, far)


cdef inline void logistic_nll_fisher(real location, real log_scale, real target,
                                     real* value, real* location_gradient,
                                     real* log_scale_gradient, real* location_hessian,
                                     real* log_scale_hessian, real* cross_hessian) noexcept nogil:
    # 1 / 3 and (3 + pi^2) / 9
    cdef real near, far
    logistic_nll(location, log_scale, target, value, location_gradient, log_scale_gradient,
                 location_hessian, log_scale_hessian, cross_hessian)
    reciprocal_scale(log_scale, &near, &far)
    location_hessian[0] = 0.3333333333333333 * (near * far) * (near * far)
    log_scale_hessian[0] = 1.4299560445654842
    cross_hessian[0] = 0.0


cdef inline void gumbel_nll(real location, real log_scale, real target,
                            real* value, real* location_gradient, real* log_scale_gradient,
                            real* location_hessian, real* log_scale_hessian,
                            real* cross_hessian) noexcept nogil:
    cdef real near, far
    reciprocal_scale(log_scale, &near, &far)
    cdef real z = over_scale(location - target, near, far)
    cdef real e = exp(z)
    cdef real slope = expm1(z)
    cdef real rise = slope + product(e, z)
    # Far out the exponential is infinite, and so may z be.
    value[0] = log_scale + (e - (z if z < 1000.0 else 1000.0))
    location_gradient[0] = over_scale(slope, near, far)
    log_scale_gradient[0] = 1.0 - z * slope
    location_hessian[0] = over_scale(over_scale(e, near, far), near, far)
    log_scale_hessian[0] = z * rise
    cross_hessian[0] = -over_scale(rise, near, far)


cdef inline void gumbel_nll_fisher(real location, real log_scale, real target,
                                   real* value, real* location_gradient, real* log_scale_gradient,
                                   real* location_hessian, real* log_scale_hessian,
                                   real* cross_hessian) noexcept nogil:
    # pi^2 / 6 + (1 - gamma)^2 and 1 - gamma, with Euler's gamma
    cdef real near, far
    gumbel_nll(location, log_scale, target, value, location_gradient, log_scale_gradient,
               location_hessian, log_scale_hessian, cross_hessian)
    reciprocal_scale(log_scale, &near, &far)
    location_hessian[0] = near * far * (near * far)
    log_scale_hessian[0] = 1.8236806608528794
    cross_hessian[0] = -0.42278433509846714 * near * far


cdef inline void weibull_nll(real log_scale, real log_shape, real target,
                             real* value, real* log_scale_gradient, real* log_shape_gradient,
                             real* log_scale_hessian, real* log_shape_hessian,
                             real* cross_hessian) noexcept nogil:
    # The logarithm of a Weibull variable is one of Gumbel's, reflected, of scale 1 / shape.
    cdef real log_target = log(target)
    gumbel_nll(log_target, -log_shape, log_scale, value, log_scale_gradient, log_shape_gradient,
               log_scale_hessian, log_shape_hessian, cross_hessian)
    value[0] += log_target
    log_scale_gradient[0] = -log_scale_gradient[0]
    log_shape_gradient[0] = -log_shape_gradient[0]


cdef inline void weibull_nll_fisher(real log_scale, real log_shape, real target,
                                    real* value, real* log_scale_gradient,
                                    real* log_shape_gradient, real* log_scale_hessian,
                                    real* log_shape_hessian, real* cross_hessian) noexcept nogil:
    cdef real near, far
    weibull_nll(log_scale, log_shape, target, value, log_scale_gradient, log_shape_gradient,
                log_scale_hessian, log_shape_hessian, cross_hessian)
    reciprocal_scale(-log_shape, &near, &far)
    log_scale_hessian[0] = near * far * (near * far)
    log_shape_hessian[0] = 1.8236806608528794
    cross_hessian[0] = -0.42278433509846714 * near * far


cdef inline void student_nll(real location, real log_scale, real target, double df, real root_df,
                             real log_root_df, double constant,
                             real* value, real* location_gradient, real* log_scale_gradient,
                             real* location_hessian, real* log_scale_hessian,
                             real* cross_hessian) noexcept nogil:
    # x = z / sqrt(df). Far out, where |x| > 1, everything is a function of k = 1 / x, which cannot
    # overflow, and of the residual, not of the scale: 1 / (1 + x^2) is k^2 d with d = 1 / (1 + k^2).
    cdef real weight = df + 1.0
    cdef real half_weight = 0.5 * df + 0.5
    cdef real residual = location - target
    cdef real near, far
    reciprocal_scale(log_scale, &near, &far)
    cdef real x = over_scale(residual, near, far) / root_df
    cdef real size = fabs(x)
    cdef real overflowing = 1.0e30 if sizeof(real) == sizeof(float) else 1.0e300
    cdef bint out = size > 1.0
    cdef bint lost = size > overflowing
    cdef real k = (1.0 if out else size) / (size if out else 1.0)
    cdef real d = 1.0 / (1.0 + k * k)
    cdef real share = d if out else k * k * d
    cdef real log_size = log((fabs(residual) if lost else size) if out else 1.0) - (
        log_scale + log_root_df if lost else 0.0)
    # The reciprocal of the length that derivatives by the location come with.
    cdef real length = residual if out else root_df
    cdef real by_near = 1.0 if out else near
    cdef real by_far = 1.0 if out else far
    cdef real bend = (1.0 - k) * (1.0 + k) * d * d
    value[0] = (log_scale + half_weight * (log1p_unit(k * k) + 2.0 * log_size)) + <real>constant
    location_gradient[0] = weight * over_scale(d if out else x * d, by_near, by_far) / length
    log_scale_gradient[0] = 1.0 - weight * share
    location_hessian[0] = weight * over_scale(
        over_scale(-bend if out else bend, by_near, by_far) / length, by_near, by_far) / length
    log_scale_hessian[0] = 2.0 * weight * (k * d) * (k * d)
    cross_hessian[0] = -2.0 * weight * d * over_scale(
        k * k * d if out else x * d, by_near, by_far) / length


cdef inline void student_nll_fisher(real location, real log_scale, real target, double df,
                                    real root_df, real log_root_df, double constant,
                                    real* value, real* location_gradient, real* log_scale_gradient,
                                    real* location_hessian, real* log_scale_hessian,
                                    real* cross_hessian) noexcept nogil:
    cdef real near, far
    student_nll(location, log_scale, target, df, root_df, log_root_df, constant, value,
                location_gradient, log_scale_gradient, location_hessian, log_scale_hessian,
                cross_hessian)
    reciprocal_scale(log_scale, &near, &far)
    location_hessian[0] = <real>((df + 1.0) / (df + 3.0)) * (near * far) * (near * far)
    log_scale_hessian[0] = 2.0 * df / (df + 3.0)
    cross_hessian[0] = 0.0
