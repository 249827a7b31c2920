# Formulas of fastloss.losses.count.


cdef inline real stirling(real target) noexcept nogil:
    # log(y!) for y > 1, else 0, by Stirling's formula.
    cdef real y = target if target > 1.0 else 1.0
    cdef real log_y = log(y)
    cdef real sum = y * (log_y - 1.0) + (0.5 * log_y + 0.9189385332046727)
    return sum if target > 1.0 else 0.0


cdef inline void poisson(real prediction, real target, double stretch,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real rate = exp(prediction)
    # Beside an infinite rate the other term must not be infinite too.
    value[0] = rate - product(target, prediction if prediction < 1000.0 else 1000.0)
    gradient[0] = rate - target
    hessian[0] = <real>stretch * rate


cdef inline void poisson_full(real prediction, real target, double stretch,
                              real* value, real* gradient, real* hessian) noexcept nogil:
    poisson(prediction, target, stretch, value, gradient, hessian)
    value[0] = value[0] + stirling(target)


cdef inline void poisson_identity(real prediction, real target, real eps, double stretch,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real rate = prediction + eps
    # Where nothing was counted a rate of 0 is no error: 0 / 0 = 0.
    cdef real safe = rate if target != 0.0 else 1.0
    cdef real ratio = target / safe
    value[0] = prediction - product(target, log(rate))
    gradient[0] = 1.0 - ratio
    hessian[0] = <real>stretch * ratio / safe


cdef inline void poisson_identity_full(real prediction, real target, real eps, double stretch,
                                       real* value, real* gradient, real* hessian) noexcept nogil:
    poisson_identity(prediction, target, eps, stretch, value, gradient, hessian)
    value[0] = value[0] + stirling(target)


cdef inline void gamma(real prediction, real target,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real near, far
    exp_factors(-prediction, &near, &far)
    cdef real ratio = times_exp(target, near, far)
    value[0] = prediction + ratio
    gradient[0] = 1.0 - ratio
    hessian[0] = ratio


cdef inline void gamma_identity(real prediction, real target,
                                real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real ratio = target / prediction
    value[0] = log(prediction) + ratio
    gradient[0] = (1.0 - ratio) / prediction
    hessian[0] = (2.0 * ratio - 1.0) / prediction / prediction


cdef inline double lost(double x, double y) noexcept nogil:
    # What the rounding of x + y dropped.
    cdef double sum = x + y
    cdef double part = sum - x
    return (x - (sum - part)) + (y - part)


cdef inline void exponent_parts(double base, double power, real* high, real* low) noexcept nogil:
    # base - power
    cdef double exponent = base - power
    high[0] = exponent
    low[0] = (exponent - high[0]) + lost(base, -power)


cdef inline void tweedie(real prediction, real target, double power,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    # For 1 < p < 2: two terms that are never large both.
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real per_first = 1.0 / (1.0 - power)
    cdef real per_second = 1.0 / (2.0 - power)
    cdef real high, low, near, far, mean_near, mean_far
    exponent_parts(1.0, power, &high, &low)
    power_factors(high, low, prediction, 0.0, &near, &far)
    exponent_parts(2.0, power, &high, &low)
    power_factors(high, low, prediction, 0.0, &mean_near, &mean_far)
    cdef real mean = times_exp(1.0, mean_near, mean_far)
    cdef real observed = times_exp(target, near, far)
    value[0] = times_exp(per_second, mean_near, mean_far) - observed * per_first
    gradient[0] = mean - observed
    hessian[0] = second * mean - first * observed


cdef inline void tweedie_outer(real prediction, real target, double power, double base,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    # For p < 1 and p > 2, where both terms grow on one side. Of their powers of exp(z) the lesser one,
    # exp((base - p) z), is a factor of both: base = 1 below and 2 above.
    cdef real z = clip(prediction, -1.0e19, 1.0e19)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real high, low, near, far, observed_near, observed_far
    exponent_parts(base, power, &high, &low)
    power_factors(high, low, z, 0.0, &near, &far)
    exp_factors(<real>(1.0 - base) * z, &observed_near, &observed_far)
    cdef real mean = exp(<real>(2.0 - base) * z)
    cdef real observed = times_exp(target, observed_near, observed_far)
    value[0] = times_exp(mean / second - observed / first, near, far)
    gradient[0] = times_exp(mean - observed, near, far)
    hessian[0] = times_exp(second * mean - first * observed, near, far)


cdef inline void tweedie_identity(real prediction, real target, double power,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    # Each is a sum times a power of the mean; a sum of 0 wins over a power that is infinite.
    # Subnormal numbers are lifted, lest they vanish before their factor is met.
    cdef real small = 1.0e-36 if sizeof(real) == sizeof(float) else 1.0e-290
    cdef real up = 262144.0 if sizeof(real) == sizeof(float) else 1073741824.0
    cdef real log_x = log_high(prediction)
    cdef real log_x_low = log_low(prediction)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real ratio = (2.0 - power) / (1.0 - power)
    cdef real high, low, near, far, steep_near, steep_far, curved_near, curved_far
    exponent_parts(1.0, power, &high, &low)
    power_factors(high, low, log_x, log_x_low, &near, &far)
    exponent_parts(0.0, power, &high, &low)
    power_factors(high, low, log_x, log_x_low, &steep_near, &steep_far)
    exponent_parts(-1.0, power, &high, &low)
    power_factors(high, low, log_x, log_x_low, &curved_near, &curved_far)
    cdef real lift = up if (prediction < small) & (fabs(target) < 1.0e-20) else 1.0
    cdef real mean = lift * prediction * lift
    cdef real observed = lift * target * lift
    cdef real sum = multiply_add(-ratio, observed, mean)
    cdef real bend = multiply_add(first, mean, <real>power * observed)
    value[0] = sum * far * near / lift / second * (far / lift)
    gradient[0] = times_exp(prediction - target, steep_near, steep_far)
    hessian[0] = bend * curved_far * curved_near / lift * (curved_far / lift)


cdef inline void negative_binomial(real prediction, real target, double alpha, double log_alpha,
                                   real* value, real* gradient, real* hessian) noexcept nogil:
    # The value is y (L - z) + L / alpha with L = log(1 + t), t = alpha e^z. With e^z as a fraction of
    # numerator / one nothing overflows: 1 + t is denominator / one, and L - z is log(denominator) less
    # what is left of z, `rest`. Of L / alpha the part that is no multiple of log 2 is (f + f bend) /
    # alpha, and f / alpha is made of e^z itself: a small t is lost in float32 before t / alpha is.
    # Beyond `most`, where second is 0, L is z + log(alpha).
    cdef real most = 175.4 if sizeof(real) == sizeof(float) else 1417.5
    cdef bint steep = prediction > most
    cdef real dispersion = alpha
    cdef real inverse = 1.0 / alpha
    cdef real log_2_over = 0.6931471805599453 / alpha
    cdef real bounded = most if steep else prediction
    cdef real beyond = prediction - most if steep else 0.0
    cdef real numerator, first, second, count, rest, k, power, f, bend
    exp_fraction(bounded, &numerator, &first, &second, &count, &rest)
    cdef real one = first * second
    cdef real t = dispersion * numerator
    split_log(one, t, &k, &power, &f, &bend)
    cdef real per_denominator = 1.0 / (one + t)
    cdef real f_over = multiply_add(multiply_add(one, power, -1.0), inverse, numerator * power)
    cdef real near_lead = multiply_add(k, 0.6931471805599453, multiply_add(f, bend, f)) - rest
    cdef real lead = <real>log_alpha if steep else near_lead
    cdef real total = multiply_add(beyond, inverse, multiply_add(
        k + count, log_2_over, multiply_add(f_over, bend, f_over)))
    value[0] = product(target, lead) + total
    gradient[0] = multiply_add(-target, one, numerator) * per_denominator
    hessian[0] = numerator * per_denominator * (
        multiply_add(dispersion, target, 1.0) * per_denominator * first) * second


cdef inline void inverse_gaussian(real prediction, real target,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real near, far
    exp_factors(-prediction, &near, &far)
    cdef real inverse = times_exp(1.0, near, far)
    cdef real ratio = times_exp(target, near, far)
    cdef real excess = ratio - 1.0
    value[0] = 0.5 * excess / target * excess
    gradient[0] = -product(excess, inverse)
    hessian[0] = inverse * (2.0 * ratio - 1.0)


cdef inline void inverse_gaussian_fisher(real prediction, real target,
                                         real* value, real* gradient,
                                         real* hessian) noexcept nogil:
    cdef real near, far
    exp_factors(-prediction, &near, &far)
    inverse_gaussian(prediction, target, value, gradient, hessian)
    hessian[0] = times_exp(1.0, near, far)
