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
    value[0] = rate - product(target, prediction)
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


cdef inline void exp_factors(real z, real* near, real* far) noexcept nogil:
    # near far = exp(z). Beyond what one number can hold far is not 1: a number times both may be
    # ordinary.
    cdef real reach = 80.0 if sizeof(real) == sizeof(float) else 700.0
    cdef bint whole = fabs(z) < reach
    near[0] = exp(z if whole else 0.5 * z)
    far[0] = 1.0 if whole else near[0]


cdef inline void gamma(real prediction, real target,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real near, far
    exp_factors(-prediction, &near, &far)
    cdef real ratio = target * near * far
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


cdef inline void power_factors(double base, double power, real log_x, real log_x_low,
                               real* near, real* far) noexcept nogil:
    # near far = x^(base - power), as in exp_factors. The exponent is in two parts.
    cdef real reach = 80.0 if sizeof(real) == sizeof(float) else 700.0
    cdef double exponent = base - power
    cdef real high = exponent
    cdef real low = (exponent - high) + lost(base, -power)
    cdef bint whole = fabs(high * log_x) < reach
    cdef real share = 1.0 if whole else 0.5
    near[0] = exp_product(share * high, share * low, log_x, log_x_low)
    far[0] = 1.0 if whole else near[0]


cdef inline void tweedie(real prediction, real target, double power,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    # For 1 < p < 2: two terms that are never large both. Beyond the clip powers are 0 and infinite,
    # however near p is to 1 or 2.
    cdef real z = clip(prediction, -1.0e19, 1.0e19)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real near, far, mean_near, mean_far
    power_factors(1.0, power, z, 0.0, &near, &far)
    power_factors(2.0, power, z, 0.0, &mean_near, &mean_far)
    cdef real mean = mean_near * mean_far
    cdef real observed = product(product(target, near), far)
    value[0] = mean_near / second * mean_far - observed / first
    gradient[0] = mean - observed
    hessian[0] = second * mean - first * observed


cdef inline void tweedie_outer(real prediction, real target, double power, double base,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    # For p < 1 and p > 2, where both terms grow on one side. Of their powers of exp(z) the lesser one,
    # exp((base - p) z), is a factor of both: base = 1 below and 2 above.
    cdef real z = clip(prediction, -1.0e19, 1.0e19)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real near, far, observed_near, observed_far
    power_factors(base, power, z, 0.0, &near, &far)
    exp_factors(<real>(1.0 - base) * z, &observed_near, &observed_far)
    cdef real mean = exp(<real>(2.0 - base) * z)
    cdef real observed = product(product(target, observed_near), observed_far)
    value[0] = product(product(mean / second - observed / first, near), far)
    gradient[0] = product(product(mean - observed, near), far)
    hessian[0] = product(product(second * mean - first * observed, near), far)


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
    cdef real near, far, steep_near, steep_far, curved_near, curved_far
    power_factors(1.0, power, log_x, log_x_low, &near, &far)
    power_factors(0.0, power, log_x, log_x_low, &steep_near, &steep_far)
    power_factors(-1.0, power, log_x, log_x_low, &curved_near, &curved_far)
    cdef real lift = up if (prediction < small) & (fabs(target) < 1.0e-20) else 1.0
    cdef real mean = lift * prediction * lift
    cdef real observed = lift * target * lift
    cdef real sum = multiply_add(-ratio, observed, mean)
    cdef real bend = multiply_add(first, mean, <real>power * observed)
    value[0] = product(product(sum, near) / lift / lift / second, far)
    gradient[0] = product(product(prediction - target, steep_near), steep_far)
    hessian[0] = product(product(bend, curved_near) / lift / lift, curved_far)


cdef inline void negative_binomial(real prediction, real target, double alpha, double log_alpha,
                                   real* value, real* gradient, real* hessian) noexcept nogil:
    # The value is y (L - z) + L / alpha with L = log(1 + t), t = alpha e^z. Beyond `most` L is
    # z + log alpha to the last digit, while e^z is about to overflow. With e = exp(-|z|) = near far,
    # fractions of e^z are expanded by e where z > 0. A small t is lost in float32 before t / alpha
    # is, so L / alpha is then e^z (1 - t / 2).
    cdef real most = 87.0 if sizeof(real) == sizeof(float) else 700.0
    cdef real dispersion = alpha
    cdef bint rising = prediction > 0.0
    cdef bint steep = prediction > most
    cdef real near, far
    exp_factors(-fabs(prediction), &near, &far)
    cdef real e = near * far
    cdef real scaled_rate = 1.0 if rising else e
    cdef real scaled_one = e if rising else 1.0
    cdef real rate = scaled_rate / scaled_one
    cdef real t = dispersion * scaled_rate / scaled_one
    cdef bint flat = t < 1.0e-8
    cdef real log_one_plus_t = log1p(t)
    cdef real total = prediction + <real>log_alpha if steep else log_one_plus_t
    cdef real lead = <real>log_alpha if steep else log_one_plus_t - prediction
    cdef real denominator = multiply_add(dispersion, scaled_rate, scaled_one)
    cdef real scaled_target = target * (near if rising else 1.0) * (far if rising else 1.0)
    value[0] = product(target, lead) + (
        rate * multiply_add(-0.5, t, 1.0) if flat else total / dispersion)
    gradient[0] = (scaled_rate - scaled_target) / denominator
    hessian[0] = near / denominator * (multiply_add(dispersion, target, 1.0) / denominator) * far


cdef inline void inverse_gaussian(real prediction, real target,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real near, far
    exp_factors(-prediction, &near, &far)
    cdef real inverse = near * far
    cdef real ratio = target * near * far
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
    hessian[0] = near * far
