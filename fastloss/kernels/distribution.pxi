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


cdef inline void gaussian_nll(real mean, real log_scale, real target, real factor, double constant,
                              real* value, real* mean_gradient, real* log_scale_gradient,
                              real* mean_hessian, real* log_scale_hessian,
                              real* cross_hessian) noexcept nogil:
    # factor log_scale is the logarithm of the standard deviation.
    cdef real s = factor * log_scale
    cdef real near, far
    exp_factors(-s, &near, &far)
    cdef real z = times_exp(mean - target, near, far)
    cdef real energy = 0.5 * z * z
    cdef real double_factor = factor + factor
    value[0] = s + energy + <real>constant
    mean_gradient[0] = times_exp(z, near, far)
    log_scale_gradient[0] = factor - double_factor * energy
    mean_hessian[0] = times_exp(times_exp(1.0, near, far), near, far)
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
    exp_factors(-log_scale, &near, &far)
    cdef real size = times_exp(fabs(residual), near, far)
    value[0] = log_scale + size + 0.6931471805599453
    location_gradient[0] = times_exp(sign_of(residual), near, far)
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
    exp_factors(-log_scale, &near, &far)
    location_hessian[0] = times_exp(times_exp(1.0, near, far), near, far)
    log_scale_hessian[0] = 1.0
    cross_hessian[0] = 0.0


cdef inline void logistic_nll(real location, real log_scale, real target,
                              real* value, real* location_gradient, real* log_scale_gradient,
                              real* location_hessian, real* log_scale_hessian,
                              real* cross_hessian) noexcept nogil:
    # slope and bend are the derivatives of |z| + 2 log(1 + exp(-|z|)).
    cdef real near, far
    exp_factors(-log_scale, &near, &far)
    cdef real z = times_exp(location - target, near, far)
    cdef real size = fabs(z)
    cdef real e = exp_nonpositive(-size)
    cdef real slope = flip_sign(-expm1_nonpositive(-size) / (1.0 + e), z)
    cdef real bend = 2.0 * e / ((1.0 + e) * (1.0 + e))
    cdef real rise = slope + product(bend, z)
    value[0] = log_scale + size + 2.0 * log1p_unit(e)
    location_gradient[0] = times_exp(slope, near, far)
    log_scale_gradient[0] = 1.0 - z * slope
    location_hessian[0] = times_exp(times_exp(bend, near, far), near, far)
    log_scale_hessian[0] = z * rise
    cross_hessian[0] = -times_exp(rise, near, far)


cdef inline void logistic_nll_fisher(real location, real log_scale, real target,
                                     real* value, real* location_gradient,
                                     real* log_scale_gradient, real* location_hessian,
                                     real* log_scale_hessian, real* cross_hessian) noexcept nogil:
    # 1 / 3 and (3 + pi^2) / 9
    cdef real near, far
    logistic_nll(location, log_scale, target, value, location_gradient, log_scale_gradient,
                 location_hessian, log_scale_hessian, cross_hessian)
    exp_factors(-log_scale, &near, &far)
    location_hessian[0] = times_exp(times_exp(0.3333333333333333, near, far), near, far)
    log_scale_hessian[0] = 1.4299560445654842
    cross_hessian[0] = 0.0


cdef inline void gumbel_nll(real location, real log_scale, real target,
                            real* value, real* location_gradient, real* log_scale_gradient,
                            real* location_hessian, real* log_scale_hessian,
                            real* cross_hessian) noexcept nogil:
    cdef real near, far
    exp_factors(-log_scale, &near, &far)
    cdef real z = times_exp(location - target, near, far)
    cdef real e, slope
    exp_and_expm1(z, &e, &slope)
    cdef real rise = slope + product(e, z)
    # Far out the exponential is infinite, and so may z be. Beside 1 - z its last digits do not count.
    value[0] = log_scale + (slope + (1.0 - (z if z < 1000.0 else 1000.0)))
    location_gradient[0] = times_exp(slope, near, far)
    log_scale_gradient[0] = 1.0 - z * slope
    location_hessian[0] = times_exp(times_exp(e, near, far), near, far)
    log_scale_hessian[0] = z * rise
    cross_hessian[0] = -times_exp(rise, near, far)


cdef inline void gumbel_nll_fisher(real location, real log_scale, real target,
                                   real* value, real* location_gradient, real* log_scale_gradient,
                                   real* location_hessian, real* log_scale_hessian,
                                   real* cross_hessian) noexcept nogil:
    # pi^2 / 6 + (1 - gamma)^2 and 1 - gamma, with Euler's gamma
    cdef real near, far
    gumbel_nll(location, log_scale, target, value, location_gradient, log_scale_gradient,
               location_hessian, log_scale_hessian, cross_hessian)
    exp_factors(-log_scale, &near, &far)
    location_hessian[0] = times_exp(times_exp(1.0, near, far), near, far)
    log_scale_hessian[0] = 1.8236806608528794
    cross_hessian[0] = times_exp(-0.42278433509846714, near, far)


cdef inline void weibull_nll(real log_scale, real log_shape, real target,
                             real* value, real* log_scale_gradient, real* log_shape_gradient,
                             real* log_scale_hessian, real* log_shape_hessian,
                             real* cross_hessian) noexcept nogil:
    # The logarithm of a Weibull variable is one of Gumbel's, reflected, of scale 1 / shape.
    cdef real log_target = log_nonnegative(target)
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
    exp_factors(log_shape, &near, &far)
    log_scale_hessian[0] = times_exp(times_exp(1.0, near, far), near, far)
    log_shape_hessian[0] = 1.8236806608528794
    cross_hessian[0] = times_exp(-0.42278433509846714, near, far)


cdef inline void student_nll(real location, real log_scale, real target, double df,
                             real per_root_df, real log_root_df, double constant,
                             real* value, real* location_gradient, real* log_scale_gradient,
                             real* location_hessian, real* log_scale_hessian,
                             real* cross_hessian) noexcept nogil:
    # x = z / sqrt(df). Far out, where |x| > 1, everything is a function of k = 1 / x, which cannot
    # overflow, and of the residual, not of the scale: 1 / (1 + x^2) is k^2 d with d = 1 / (1 + k^2).
    # The sign of 1 - |x| chooses: a condition GCC would make two ways of, each with its divisions.
    cdef real weight = df + 1.0
    cdef real half_weight = 0.5 * df + 0.5
    cdef real residual = location - target
    cdef real near, far
    exp_factors(-log_scale, &near, &far)
    cdef real x = times_exp(residual, near, far) * per_root_df
    cdef real size = fabs(x)
    cdef real within = 1.0 - size
    cdef real k = by_sign(within, size, 1.0) / by_sign(within, 1.0, size)
    cdef real d = 1.0 / (1.0 + k * k)
    cdef real share = by_sign(within, k * k, 1.0) * d
    cdef real overflowing = 1.0e30 if sizeof(real) == sizeof(float) else 1.0e300
    cdef bint lost = size > overflowing
    cdef real log_size = log_nonnegative(
        by_sign(within, 1.0, fabs(residual) if lost else size)) - (
        log_scale + log_root_df if lost else 0.0)
    # What derivatives by the location come with: over the residual, or over the scale.
    cdef real length = by_sign(within, 1.0, residual)
    cdef real slope = d * by_sign(within, times_exp(x, near, far) * per_root_df, 1.0)
    cdef real by_near = by_sign(within, near, 1.0)
    cdef real by_far = by_sign(within, far, 1.0)
    cdef real root = by_sign(within, per_root_df, 1.0)
    cdef real bend = by_sign(within, 1.0, -1.0) * ((1.0 - k) * (1.0 + k) * d * d)
    value[0] = (log_scale + half_weight * (log1p_unit(k * k) + 2.0 * log_size)) + <real>constant
    location_gradient[0] = weight * slope / length
    log_scale_gradient[0] = 1.0 - weight * share
    location_hessian[0] = weight * times_exp(
        times_exp(bend, by_near, by_far) * root / length, by_near, by_far) * root / length
    log_scale_hessian[0] = 2.0 * weight * (k * d) * (k * d)
    cross_hessian[0] = -2.0 * weight * d * (by_sign(within, 1.0, k * k) * slope) / length


cdef inline void student_nll_fisher(real location, real log_scale, real target, double df,
                                    real per_root_df, real log_root_df, double constant,
                                    real* value, real* location_gradient, real* log_scale_gradient,
                                    real* location_hessian, real* log_scale_hessian,
                                    real* cross_hessian) noexcept nogil:
    cdef real near, far
    student_nll(location, log_scale, target, df, per_root_df, log_root_df, constant, value,
                location_gradient, log_scale_gradient, location_hessian, log_scale_hessian,
                cross_hessian)
    exp_factors(-log_scale, &near, &far)
    location_hessian[0] = times_exp(times_exp((df + 1.0) / (df + 3.0), near, far), near, far)
    log_scale_hessian[0] = 2.0 * df / (df + 3.0)
    cross_hessian[0] = 0.0


cdef inline real largest() noexcept nogil:
    return 3.4e38 if sizeof(real) == sizeof(float) else 1.79e308


cdef inline void logistic(real z, real* p, real* q, real* rest) noexcept nogil:
    # p = sigmoid(z), q = sigmoid(-z) and rest = softplus(-|z|), of one exponential.
    cdef real e = exp_nonpositive(-fabs(z))
    cdef real larger = 1.0 / (1.0 + e)
    p[0] = by_sign(z, larger, e * larger)
    q[0] = by_sign(z, e * larger, larger)
    rest[0] = log1p_unit(e)


cdef inline void gamma_function(real x, real per_x, real log_x,
                                real* value, real* slope, real* bend) noexcept nogil:
    # What Stirling's leading terms leave of log Gamma and of its derivatives, for x = exp(log_x):
    #   value  log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2
    #   slope  x (psi(x) - log x)
    #   bend   x^2 psi'(x) - x
    # so that the likelihood of a large shape is no difference of large numbers, and nothing is
    # infinite at 0.
    value[0] = stirling_rest(x, per_x, log_x)
    slope[0] = stirling_slope(x, per_x, log_x)
    bend[0] = stirling_bend(x, per_x)


cdef inline void gamma_nll(real log_mean, real log_shape, real target,
                           real* value, real* log_mean_gradient, real* log_shape_gradient,
                           real* log_mean_hessian, real* log_shape_hessian,
                           real* cross_hessian) noexcept nogil:
    # With u = log(y / mean) the likelihood is one of shape (exp(u) - 1 - u). Far out the shape goes
    # into the exponent: by itself it may vanish where the product does not.
    cdef real shape = exp(log_shape)
    cdef real log_target = log_nonnegative(target)
    cdef real u = log_target - log_mean
    cdef bint lost = (u > 30.0) & (log_shape < 0.0)
    cdef real exponent = u + log_shape if lost else u
    cdef real above = exp(exponent)
    cdef real rise = above - 1.0 if u > 30.0 else expm1_beside_exp(exponent)
    cdef bint far = fabs(u) > 30.0
    cdef real ratio = exp(u + log_shape if far else u)
    cdef real rest, slope, bend
    gamma_function(shape, 1.0 / shape, log_shape, &rest, &slope, &bend)
    cdef real excess = above - shape if lost else product(rise, shape)
    cdef real distance = above - shape * (1.0 + u) if lost else product(rise - u, shape)
    value[0] = rest - 0.5 * log_shape + 0.9189385332046727 + distance + log_target
    log_mean_gradient[0] = -excess
    log_shape_gradient[0] = slope + distance
    log_mean_hessian[0] = ratio if far else ratio * shape
    log_shape_hessian[0] = slope + distance + bend
    cross_hessian[0] = -excess


cdef inline void gamma_nll_fisher(real log_mean, real log_shape, real target,
                                  real* value, real* log_mean_gradient, real* log_shape_gradient,
                                  real* log_mean_hessian, real* log_shape_hessian,
                                  real* cross_hessian) noexcept nogil:
    cdef real shape = exp(log_shape)
    cdef real rest, slope, bend
    gamma_nll(log_mean, log_shape, target, value, log_mean_gradient, log_shape_gradient,
              log_mean_hessian, log_shape_hessian, cross_hessian)
    gamma_function(shape, 1.0 / shape, log_shape, &rest, &slope, &bend)
    log_mean_hessian[0] = shape
    log_shape_hessian[0] = bend
    cross_hessian[0] = 0.0


cdef inline void beta_nll(real log_alpha, real log_beta, real target,
                          real* value, real* log_alpha_gradient, real* log_beta_gradient,
                          real* log_alpha_hessian, real* log_beta_hessian,
                          real* cross_hessian) noexcept nogil:
    # p = alpha / total and q = beta / total; x and w are log(y / p) and log((1 - y) / q), which all
    # cancellation is left to.
    cdef real alpha = exp(log_alpha)
    cdef real beta = exp(log_beta)
    cdef real total = alpha + beta
    cdef real log_ratio = log_alpha - log_beta
    cdef real p, q, over
    logistic(log_ratio, &p, &q, &over)
    cdef real log_target = log_unit(target)
    cdef real log_rest = log1p_nonpositive(-target)
    cdef real x = positive_part(-log_ratio) + over + log_target
    cdef real w = positive_part(log_ratio) + over + log_rest
    cdef bint endless = total > largest()
    cdef real a_rest, a_slope, a_bend, b_rest, b_slope, b_bend, rest, slope, bend
    gamma_function(alpha, 1.0 / alpha, log_alpha, &a_rest, &a_slope, &a_bend)
    gamma_function(beta, 1.0 / beta, log_beta, &b_rest, &b_slope, &b_bend)
    gamma_function(total, 1.0 / total, by_sign(log_ratio, log_alpha, log_beta) + over,
                   &rest, &slope, &bend)
    value[0] = (a_rest + b_rest - rest
                + (0.9189385332046727 - 0.5 * (by_sign(log_ratio, log_beta, log_alpha) - over))
                - product((p if endless else alpha) * x + (q if endless else beta) * w,
                          total if endless else 1.0) + (log_target + log_rest))
    log_alpha_gradient[0] = a_slope - p * slope - product(x, alpha)
    log_beta_gradient[0] = b_slope - q * slope - product(w, beta)
    log_alpha_hessian[0] = a_slope - p * slope + (a_bend - p * p * bend) + product(q - x, alpha)
    log_beta_hessian[0] = b_slope - q * slope + (b_bend - q * q * bend) + product(p - w, beta)
    cross_hessian[0] = -p * q * bend - (q * alpha if log_ratio < 0.0 else p * beta)


cdef inline void beta_nll_fisher(real log_alpha, real log_beta, real target,
                                 real* value, real* log_alpha_gradient, real* log_beta_gradient,
                                 real* log_alpha_hessian, real* log_beta_hessian,
                                 real* cross_hessian) noexcept nogil:
    cdef real alpha = exp(log_alpha)
    cdef real beta = exp(log_beta)
    cdef real log_ratio = log_alpha - log_beta
    cdef real total = alpha + beta
    cdef real p, q, over
    logistic(log_ratio, &p, &q, &over)
    cdef real both = q * alpha if log_ratio < 0.0 else p * beta
    cdef real a_rest, a_slope, a_bend, b_rest, b_slope, b_bend, rest, slope, bend
    beta_nll(log_alpha, log_beta, target, value, log_alpha_gradient, log_beta_gradient,
             log_alpha_hessian, log_beta_hessian, cross_hessian)
    gamma_function(alpha, 1.0 / alpha, log_alpha, &a_rest, &a_slope, &a_bend)
    gamma_function(beta, 1.0 / beta, log_beta, &b_rest, &b_slope, &b_bend)
    gamma_function(total, 1.0 / total, by_sign(log_ratio, log_alpha, log_beta) + over,
                   &rest, &slope, &bend)
    log_alpha_hessian[0] = a_bend - p * p * bend + both
    log_beta_hessian[0] = b_bend - q * q * bend + both


cdef inline void negative_binomial_nll(real log_mean, real log_dispersion, real target,
                                       real* value, real* log_mean_gradient,
                                       real* log_dispersion_gradient, real* log_mean_hessian,
                                       real* log_dispersion_hessian,
                                       real* cross_hessian) noexcept nogil:
    # With n = 1 / dispersion the differences of Gamma functions of n and n + y are taken of their
    # Stirling's terms by hand, which leaves Poisson's likelihood as n grows.
    # exp(-log_dispersion) as near times a factor that is known without error, and far the inverse
    # of that: target / n may be an ordinary number where n is none. Where that quotient is large,
    # the logarithm is taken of the target.
    cdef bint single = sizeof(real) == sizeof(float)
    cdef real reach = 80.0 if single else 700.0
    cdef real shrink = 1.8048513878454153e-35 if single else 9.8596765437597708e-305
    cdef real stretch = 5.5406223843935101e34 if single else 1.0142320547350045e304
    cdef real large = 1.0e9 if single else 1.0e18
    cdef real small = 2.9e-8 if single else 5.5e-17
    cdef bint wide = log_dispersion > reach
    cdef real shift = reach if wide else 0.0
    cdef real near = exp(shift - log_dispersion if shift - log_dispersion > -reach else -reach)
    cdef real per_near = 1.0 / near
    cdef real far = stretch if wide else 1.0
    cdef real n = near * (shrink if wide else 1.0)
    cdef real ratio = target * far * per_near
    cdef bint most = ratio > large
    cdef real y_q = 1.0 / (1.0 + ratio)
    cdef real log_sum = log_of_sum(0.0 if most else 1.0, target if most else ratio)
    cdef real y_over = log_sum + (log_dispersion if most else 0.0)
    cdef real mean = exp(log_mean)
    cdef real z = log_mean + log_dispersion
    cdef real p, q, logit_rest
    logistic(z, &p, &q, &logit_rest)
    cdef real over = positive_part(z) + logit_rest
    # mean / (1 + dispersion mean)
    cdef real variance = n * p if z > 0.0 else mean * q
    # n log(1 + ratio), where n may be infinite while the ratio is small.
    cdef real n_over = mean if p < small else n * over
    cdef real n_y_over = target if ratio < small else n * y_over
    cdef real rest, slope, bend, y_rest, y_slope, y_bend
    gamma_function(n, per_near * far, -log_dispersion, &rest, &slope, &bend)
    gamma_function(n + target, 1.0 / (n + target), log_sum - (0.0 if most else log_dispersion),
                   &y_rest, &y_slope, &y_bend)
    # log(1 + dispersion mean) - log(mean), without the two where both are large.
    cdef real minus_log_odds = logit_rest + (log_dispersion if z > 0.0 else -log_mean)
    cdef real between = y_q * y_slope - slope
    # What is infinite alike is not subtracted.
    cdef bint endless = n_over > largest()
    value[0] = (log_factorial(target, log_nonnegative(target)) + target + (n_over - n_y_over)
                + product(target, minus_log_odds - y_over) + 0.5 * y_over + (rest - y_rest))
    log_mean_gradient[0] = variance - target * q
    log_dispersion_gradient[0] = n_y_over + between + (
        product(p - over, n) if endless else variance - n_over) - target * q
    log_mean_hessian[0] = product(q, variance + target * p)
    log_dispersion_hessian[0] = (
        product(over - p * (1.0 + p), n) if endless else n_over - variance * (1.0 + p)) + (
        (bend - y_q * y_q * y_bend) - n_y_over - between + target * y_q + target * p * q)
    cross_hessian[0] = -p * log_mean_gradient[0]


cdef inline void zero_inflated_poisson_nll(real log_rate, real logit, real target,
                                           real* value, real* log_rate_gradient,
                                           real* logit_gradient, real* log_rate_hessian,
                                           real* logit_hessian, real* cross_hessian) noexcept nogil:
    # Of a zero: `structural` is the probability that it is one by inflation, `chance` by the Poisson.
    cdef bint zero = target == 0.0
    cdef real rate = exp(log_rate)
    cdef real p, q, rest, structural, chance, both_rest
    logistic(logit, &p, &q, &rest)
    logistic(logit + rate, &structural, &chance, &both_rest)
    cdef real positive = -expm1_nonpositive(-rate)
    cdef real over = positive_part(logit) + rest
    cdef real by_chance = product(chance, rate)
    # -log(p + q exp(-rate)): where that is near 1 by its distance, else by the larger of the two.
    # The count's logarithm takes its turn.
    cdef real missing = q * positive
    cdef bint likely = missing < 0.5
    cdef real least = -logit if -logit < rate else rate
    cdef real beside_one = -missing if likely else exp_nonpositive(-fabs(logit + rate))
    cdef real log_sum = log_of_sum(1.0 if zero else 0.0, beside_one if zero else target)
    cdef real of_zero = (0.0 if likely else over + least) - log_sum
    cdef real of_count = over + (rate - product(target, log_rate)) + log_factorial(target, log_sum)
    value[0] = of_zero if zero else of_count
    log_rate_gradient[0] = by_chance if zero else rate - target
    logit_gradient[0] = -missing * structural if zero else p
    log_rate_hessian[0] = by_chance - product(by_chance, structural * rate) if zero else rate
    logit_hessian[0] = p * q - (structural * chance if zero else 0.0)
    cross_hessian[0] = -by_chance * structural if zero else 0.0


cdef inline void zero_inflated_poisson_nll_fisher(real log_rate, real logit, real target,
                                                  real* value, real* log_rate_gradient,
                                                  real* logit_gradient, real* log_rate_hessian,
                                                  real* logit_hessian,
                                                  real* cross_hessian) noexcept nogil:
    cdef real rate = exp(log_rate)
    cdef real p, q, rest, structural, chance, both_rest
    logistic(logit, &p, &q, &rest)
    logistic(logit + rate, &structural, &chance, &both_rest)
    zero_inflated_poisson_nll(log_rate, logit, target, value, log_rate_gradient, logit_gradient,
                              log_rate_hessian, logit_hessian, cross_hessian)
    # q rate, where q may vanish and the rate be infinite: by their roots, and far out, where it is
    # exact or does not count, by the difference of the exponents.
    cdef real reach = 170.0 if sizeof(real) == sizeof(float) else 1400.0
    cdef real over = positive_part(logit)
    cdef bint beyond = (log_rate if log_rate > logit else logit) > reach
    cdef real root = (exp(0.5 * (log_rate - over if beyond else log_rate))
                      * exp_nonpositive(-0.5 * (0.0 if beyond else over)))
    cdef real thinned = by_sign(logit, p, q) * root * root
    log_rate_hessian[0] = thinned * (1.0 - product(exp(-rate), rate) * structural)
    logit_hessian[0] = p * q * structural * -expm1(-rate)
    cross_hessian[0] = -p * product(chance, rate)
