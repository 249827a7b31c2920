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


cdef inline void gamma(real prediction, real target,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    # exp(-z) may overflow where y exp(-z) does not, but not its square root.
    cdef real root = exp(-0.5 * prediction)
    cdef real ratio = target * root * root
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


cdef inline real half_power(double base, double power, real log_x, real log_x_low) noexcept nogil:
    # x^((base - power) / 2), with the exponent in two parts. Roots of powers, because these do not
    # overflow before the terms do that they are multiplied into.
    cdef double exponent = 0.5 * base - 0.5 * power
    cdef real high = exponent
    cdef real low = (exponent - high) + lost(0.5 * base, -0.5 * power)
    return exp_product(high, low, log_x, log_x_low, 0.0)


cdef inline void tweedie(real prediction, real target, double power,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    # For 1 < p < 2: two terms that are never large both. Beyond the clip powers are 0 and infinite,
    # however near p is to 1 or 2.
    cdef real z = clip(prediction, -1e19, 1e19)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real near = half_power(1.0, power, z, 0.0)
    cdef real far = half_power(2.0, power, z, 0.0)
    cdef real observed = product(product(target, near), near)
    value[0] = far / second * far - observed / first
    gradient[0] = far * far - observed
    hessian[0] = second * far * far - first * observed


cdef inline void tweedie_outer(real prediction, real target, double power, double base,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    # For p < 1 and p > 2, where both terms grow on one side. Of their powers of exp(z) the lesser one,
    # exp((base - p) z), is a factor of both: base = 1 below and 2 above.
    cdef real z = clip(prediction, -1e19, 1e19)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real root = half_power(base, power, z, 0.0)
    cdef real near = exp(<real>(0.5 * (1.0 - base)) * z)
    cdef real far = exp(<real>(2.0 - base) * z)
    cdef real observed = product(product(target, near), near)
    value[0] = product(product(far / second - observed / first, root), root)
    gradient[0] = product(product(far - observed, root), root)
    hessian[0] = product(product(second * far - first * observed, root), root)


cdef inline void tweedie_identity(real prediction, real target, double power,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    # Each is a sum times a power of the mean; a sum of 0 wins over a power that is infinite.
    cdef real log_x = log_high(prediction)
    cdef real log_x_low = log_low(prediction)
    cdef real first = 1.0 - power
    cdef real second = 2.0 - power
    cdef real root = half_power(1.0, power, log_x, log_x_low)
    cdef real steep = half_power(0.0, power, log_x, log_x_low)
    cdef real curved = half_power(-1.0, power, log_x, log_x_low)
    cdef real bend = multiply_add(first, prediction, <real>power * target)
    value[0] = product(product(prediction / second - target / first, root), root)
    gradient[0] = product(product(prediction - target, steep), steep)
    hessian[0] = product(product(bend, curved), curved)


cdef inline void negative_binomial(real prediction, real target, double alpha, double log_alpha,
                                   real* value, real* gradient, real* hessian) noexcept nogil:
    # The value is y (L - z) + L / alpha with L = log(1 + t), t = alpha e^z. Beyond `most` L is
    # z + log alpha to the last digit, while e^z is about to overflow. With e = exp(-|z|), fractions
    # of e^z are expanded by e where z > 0. A small t is lost in float32 before t / alpha is, so L /
    # alpha is then e^z (1 - t / 2).
    cdef real most = 87.0 if sizeof(real) == sizeof(float) else 700.0
    cdef real dispersion = alpha
    cdef bint rising = prediction > 0.0
    cdef bint steep = prediction > most
    cdef real e = exp_nonpositive(-fabs(prediction))
    cdef real scaled_rate = 1.0 if rising else e
    cdef real scaled_one = e if rising else 1.0
    cdef real rate = scaled_rate / scaled_one
    cdef real t = dispersion * scaled_rate / scaled_one
    cdef bint flat = t < 1e-8
    cdef real log_one_plus_t = log1p(t)
    cdef real total = prediction + <real>log_alpha if steep else log_one_plus_t
    cdef real lead = <real>log_alpha if steep else log_one_plus_t - prediction
    cdef real denominator = multiply_add(dispersion, scaled_rate, scaled_one)
    cdef real scaled_target = target * scaled_one
    value[0] = product(target, lead) + (
        rate * multiply_add(-0.5, t, 1.0) if flat else total / dispersion)
    gradient[0] = (scaled_rate - scaled_target) / denominator
    hessian[0] = e / denominator * (multiply_add(dispersion, target, 1.0) / denominator)


cdef inline void inverse_gaussian(real prediction, real target,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real root = exp(-0.5 * prediction)
    cdef real inverse = root * root
    cdef real ratio = target * root * root
    cdef real excess = ratio - 1.0
    value[0] = 0.5 * excess / target * excess
    gradient[0] = -product(excess, inverse)
    hessian[0] = inverse * (2.0 * ratio - 1.0)


cdef inline void inverse_gaussian_fisher(real prediction, real target,
                                         real* value, real* gradient,
                                         real* hessian) noexcept nogil:
    cdef real root = exp(-0.5 * prediction)
    inverse_gaussian(prediction, target, value, gradient, hessian)
    hessian[0] = root * root
