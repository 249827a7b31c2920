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


cdef inline void tweedie(real prediction, real target, real first, real second,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    # For 1 < p < 2, with first = 1 - p < 0 and second = 2 - p > 0: two terms that are never large
    # both. Powers by way of their square roots, which do not overflow before the terms do.
    cdef real near = exp_product(0.5 * first, prediction)
    cdef real far = exp_product(0.5 * second, prediction)
    cdef real observed = product(product(target, near), near)
    value[0] = far / second * far - observed / first
    gradient[0] = far * far - observed
    hessian[0] = second * far * far - first * observed


cdef inline void tweedie_outer(real prediction, real target, real first, real second, real common,
                               real first_rest, real second_rest,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    # For p < 1 and p > 2, where both powers grow on one side: the lesser exponent is a common factor.
    # Finite, so that an exponent of 0 times it is 0.
    cdef real z = clip(prediction, -1e30, 1e30)
    cdef real root = exp_product(0.5 * common, z)
    cdef real near = exp_product(0.5 * first_rest, z)
    cdef real far = exp_product(second_rest, z)
    cdef real observed = product(product(target, near), near)
    value[0] = root * (far / second - observed / first) * root
    gradient[0] = root * (far - observed) * root
    hessian[0] = root * (second * far - first * observed) * root


cdef inline void to_identity(real prediction, real* gradient, real* hessian) noexcept nogil:
    # Derivatives by the logarithm of a prediction become derivatives by itself.
    hessian[0] = (hessian[0] - gradient[0]) / prediction / prediction
    gradient[0] = gradient[0] / prediction


cdef inline void tweedie_identity(real prediction, real target, real first, real second,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    tweedie(log(prediction), target, first, second, value, gradient, hessian)
    to_identity(prediction, gradient, hessian)


cdef inline void tweedie_outer_identity(real prediction, real target, real first, real second,
                                        real common, real first_rest, real second_rest,
                                        real* value, real* gradient, real* hessian) noexcept nogil:
    tweedie_outer(log(prediction), target, first, second, common, first_rest, second_rest, value,
                  gradient, hessian)
    to_identity(prediction, gradient, hessian)


cdef inline void negative_binomial(real prediction, real target, real alpha, real log_alpha,
                                   real most,
                                   real* value, real* gradient, real* hessian) noexcept nogil:
    # The value is y (L - z) + L / alpha with L = log(1 + alpha e^z). Beyond `most` L is
    # z + log alpha to the last digit, while e^z is about to overflow. With e = exp(-|z|), fractions
    # of e^z are expanded by e where z > 0.
    cdef bint rising = prediction > 0.0
    cdef bint steep = prediction > most
    cdef real e = exp_nonpositive(-fabs(prediction))
    cdef real t = (alpha if rising else alpha * e) / (e if rising else 1.0)
    cdef real log_one_plus_t = log1p(t)
    cdef real total = prediction + log_alpha if steep else log_one_plus_t
    cdef real lead = log_alpha if steep else log_one_plus_t - prediction
    cdef real denominator = (e if rising else 1.0) + (alpha if rising else alpha * e)
    cdef real scaled_rate = 1.0 if rising else e
    cdef real scaled_target = target * e if rising else target
    value[0] = product(target, lead) + total / alpha
    gradient[0] = (scaled_rate - scaled_target) / denominator
    hessian[0] = e / denominator * (multiply_add(alpha, target, 1.0) / denominator)


cdef inline void inverse_gaussian(real prediction, real target,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real root = exp(-0.5 * prediction)
    cdef real inverse = root * root
    cdef real ratio = target * root * root
    cdef real excess = ratio - 1.0
    value[0] = 0.5 * excess / target * excess
    gradient[0] = -(inverse * excess)
    hessian[0] = inverse * (2.0 * ratio - 1.0)


cdef inline void inverse_gaussian_fisher(real prediction, real target,
                                         real* value, real* gradient,
                                         real* hessian) noexcept nogil:
    cdef real root = exp(-0.5 * prediction)
    inverse_gaussian(prediction, target, value, gradient, hessian)
    hessian[0] = root * root


cdef inline void student_t(real prediction, real target, double width, double half, double slope,
                           double bend, double constant,
                           real* value, real* gradient, real* hessian) noexcept nogil:
    # With q = r / width and t = q or 1 / q, whichever is the smaller: nothing overflows, and
    # q / (1 + q^2) is the same of both.
    cdef real q = <real>(1.0 / width) * (prediction - target)
    cdef real size = fabs(q)
    cdef bint large = size > 1.0
    cdef real t = (1.0 if large else q) / (q if large else 1.0)
    cdef real least = fabs(t)
    cdef real square = t * t
    cdef real one_plus = 1.0 + square
    cdef real side = -square if large else 1.0
    cdef real growth = log1p_unit(square) + 2.0 * log(size if large else 1.0)
    value[0] = multiply_add(<real>half, growth, <real>constant)
    gradient[0] = <real>slope * t / one_plus
    hessian[0] = <real>bend * side * ((1.0 - least) * (1.0 + least)) / (one_plus * one_plus)


cdef inline void laplace(real prediction, real target, double scale, double constant,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real inverse = 1.0 / scale
    value[0] = multiply_add(inverse, fabs(residual), <real>constant)
    gradient[0] = inverse * sign_of(residual)
    hessian[0] = 0.0


cdef inline void log_normal(real prediction, real target, double precision,
                            real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - log(target)
    value[0] = <real>(0.5 * precision) * (residual * residual)
    gradient[0] = <real>precision * residual
    hessian[0] = precision


cdef inline void log_normal_full(real prediction, real target, double precision, double constant,
                                 real* value, real* gradient, real* hessian) noexcept nogil:
    log_normal(prediction, target, precision, value, gradient, hessian)
    value[0] = value[0] + (log(target) + <real>constant)


cdef inline void weibull(real prediction, real target, real shape,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real distance = log(target) - prediction
    cdef real power = exp_product(shape, distance)
    value[0] = power - shape * distance
    gradient[0] = shape - shape * power
    hessian[0] = shape * shape * power


cdef inline void weibull_full(real prediction, real target, real shape, double constant,
                              real* value, real* gradient, real* hessian) noexcept nogil:
    weibull(prediction, target, shape, value, gradient, hessian)
    value[0] = value[0] + (log(target) + <real>constant)
