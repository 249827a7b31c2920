# Formulas of fastloss.losses.binary.


cdef inline void binary_cross_entropy(real prediction, real target, varying pos_weight,
                                      double label_smoothing,
                                      real* value, real* gradient, real* hessian) noexcept nogil:
    # One exponential, e = exp(-|z|), serves both halves of the line, so nothing overflows. The
    # gradient (1 - t) s(z) - w t s(-z) is put over the common denominator 1 + e instead of being
    # formed as s(z) - t, which loses every digit when s(z) is near t.
    cdef real keep = 1.0 - label_smoothing
    cdef real floor = 0.5 * label_smoothing
    # Not 1 - t, of which smoothing may leave few digits.
    cdef real negative = multiply_add(1.0 - target, keep, floor)
    cdef real positive = pos_weight * multiply_add(target, keep, floor)
    cdef real total = negative + positive
    cdef real wrong = by_sign(prediction, negative, positive)
    cdef real agree = by_sign(prediction, positive, negative)
    cdef real size = fabs(prediction)
    cdef real e = exp_nonpositive(-size)
    cdef real one_plus_e = 1.0 + e
    cdef real slope = multiply_add(-agree, e, wrong) / one_plus_e
    value[0] = multiply_add(total, log1p_unit(e), product(wrong, size))
    gradient[0] = flip_sign(slope, prediction)
    hessian[0] = total * e / (one_plus_e * one_plus_e)


cdef inline void log_loss(real prediction, real target, double eps, real log_floor,
                          real variance_floor,
                          real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real lower = eps
    cdef real upper = 1.0 - eps
    # Adding zero makes +0 of -0, whose reciprocal would have the wrong sign.
    cdef real p = clip(prediction, lower, upper) + 0.0
    cdef real q = 1.0 - p
    cdef real rest = 1.0 - target
    cdef bint flat = (prediction < lower) | (prediction > upper)
    cdef bint floored = p * q < variance_floor
    cdef real log_p = log(p)
    cdef real log_q = log1p(-p)
    # At t = 0 and t = 1 one term of the gradient vanishes and (p - t) / (p (1 - p)) may be 0 / 0.
    cdef real numerator = -1.0 if rest == 0.0 else (1.0 if target == 0.0 else p - target)
    cdef real denominator = p if rest == 0.0 else (q if target == 0.0 else p * q)
    numerator = p - target if floored else numerator
    denominator = variance_floor if floored else denominator
    cdef real bend = (0.0 if target == 0.0 else target / p / p) + (
        0.0 if rest == 0.0 else rest / q / q)
    value[0] = -product(target, log_floor if log_p < log_floor else log_p) - product(
        rest, log_floor if log_q < log_floor else log_q)
    gradient[0] = 0.0 if flat else numerator / denominator
    hessian[0] = 0.0 if flat else (1.0 / variance_floor if floored else bend)


cdef inline void cross_entropy_lambda(real prediction, real target, varying exposure,
                                      real* value, real* gradient, real* hessian) noexcept nogil:
    # With H = log(1 + e^z), a = w H and 1 - p = exp(-a) the loss is (1 - t) a - t log p, and
    # -log p = log(1 + (1 - p) / p) is exact at both ends. r = w s (1 - p) / p, the slope of log p,
    # goes to 1 on the left, where numerator and denominator underflow: there both are taken at
    # z = -60, and the logarithm goes on as a straight line.
    cdef bint low = prediction < -60.0
    cdef real e = exp_nonpositive(-fabs(prediction))
    cdef real one_plus_e = 1.0 + e
    cdef real intensity = log1p_unit(e) + positive_part(prediction)
    cdef real s = by_sign(prediction, 1.0, e) / one_plus_e
    cdef real opposite = by_sign(prediction, e, 1.0) / one_plus_e
    cdef real a = exposure * intensity
    cdef real near = exposure * (8.7565107626965203e-27 if low else intensity)
    cdef real p = -expm1(-near)
    cdef real odds = exp_nonpositive(-near) / p
    cdef real ratio = exposure * (8.7565107626965203e-27 if low else s) * odds
    cdef real rest = 1.0 - target
    value[0] = product(rest, a) + product(target, log1p(odds) + positive_part(-60.0 - prediction))
    gradient[0] = rest * (exposure * s) - target * ratio
    # The second derivative of -log p is r (w s / p - (1 - s)), whose two terms are next to 1 on the
    # left. It is also r (w s (1/p - 1/a) + s / H - (1 - s)): 1/p - 1/a has a series, and so has
    # e^z - H, of which the rest is made where z < 0.
    cdef real size = a if a < 1.0e30 else 1.0e30
    cdef bint small = a < 1.0
    cdef real square = a * a
    cdef real series = -2.174868698558061873e-16
    series = multiply_add(series, square, 8.5860620562778445641e-15)
    series = multiply_add(series, square, -3.3896802963225828668e-13)
    series = multiply_add(series, square, 1.3382536530684678833e-11)
    series = multiply_add(series, square, -5.2841901386874931848e-10)
    series = multiply_add(series, square, 2.0876756987868098979e-8)
    series = multiply_add(series, square, -8.2671957671957671958e-7)
    series = multiply_add(series, square, 3.3068783068783068783e-5)
    series = multiply_add(series, square, -1.3888888888888888889e-3)
    series = multiply_add(series, square, 0.083333333333333333333)
    cdef real excess = multiply_add(series, a, 0.5) if small else size - p
    excess = excess / (1.0 if small else size * p)
    # e - log(1 + e) is e^2 / 2, which would underflow: e times what has a limit.
    cdef real base = 1.0e-17 if e < 1.0e-17 else e
    cdef real log_base = 1.0e-17 if e < 1.0e-17 else log1p_unit(e)
    cdef real bounded = intensity if intensity < 1.0e30 else 1.0e30
    cdef real upper = s - bounded * opposite
    cdef real lower = log1p_unit_deficit(base) / (base * one_plus_e)
    cdef real other = by_sign(prediction, 1.0, e) * (
        by_sign(prediction, upper, lower) / by_sign(prediction, bounded, log_base))
    hessian[0] = rest * (exposure * s * opposite) + target * ratio * (exposure * s * excess + other)


cdef inline void focal(real prediction, real target, real gamma, real positive, real negative,
                       double label_smoothing,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    # f = a u^gamma c with c the cross-entropy and u = 1 - p_t = t s(-z) + (1 - t) s(z).
    # With e = exp(-|z|): u = (near e + far) / (1 + e), where far is the share of the label that
    # the sign of z gets wrong. u^gamma is exp(gamma log u), and where far = 0 the factor e enters as
    # its logarithm, because u underflows long before u^gamma does. gamma u^gamma u'/u needs no power
    # gamma - 1, which would be infinite at u = 0. Selects are made before the logarithm and the
    # division, not between their results: GCC then vectorises the loop.
    cdef real keep = 1.0 - label_smoothing
    cdef real floor = 0.5 * label_smoothing
    cdef real t = multiply_add(target, keep, floor)
    cdef real rest = multiply_add(1.0 - target, keep, floor)
    cdef bint rising = prediction >= 0.0
    cdef real size = fabs(prediction)
    cdef real e = exp_nonpositive(-size)
    cdef real one_plus_e = 1.0 + e
    cdef real log_one_plus_e = log1p_unit(e)
    cdef real far = rest if rising else t
    cdef real near = t if rising else rest
    cdef bint right = far == 0.0
    cdef real mixed = 1.0 if right else near * e + far
    # Finite, so that gamma = 0 times it is 0.
    cdef real reach = size if size < 1.0e30 else 1.0e30
    cdef real log_u = log(mixed) - (reach if right else 0.0) - log_one_plus_e
    cdef real focus = exp(gamma * log_u)
    cdef real cross_entropy = log_one_plus_e + product(far, size)
    cdef real a = positive * t + negative * rest
    # Derivatives with respect to |z|: of u over u, of c, and the variance s (1 - s).
    cdef real ratio = (-1.0 if right else (far - near) * e) / (one_plus_e * mixed)
    cdef real slope = (far - near * e) / one_plus_e
    cdef real variance = e / (one_plus_e * one_plus_e)
    cdef real bend = ratio * ((e - 1.0) / one_plus_e) + (gamma - 1.0) * (ratio * ratio)
    cdef real weight = a * focus
    # `product` because a vanishing ratio meets an infinite cross-entropy at z = +-inf.
    cdef real inner = weight * (product(gamma * ratio, cross_entropy) + slope)
    value[0] = weight * cross_entropy
    gradient[0] = inner if rising else -inner
    hessian[0] = weight * (
        product(gamma * bend, cross_entropy) + 2.0 * gamma * ratio * slope + variance)


# Losses of the margin y z. Labels -1 and 1 are scale * target + shift; their shares t = (1 + y) / 2
# and 1 - t are each made of the target, because of a small 1 - t the other keeps no digits.


cdef inline real margin_of(real y, real prediction) noexcept nogil:
    # y z, where y = 0 wins over an infinite z, but not over NaN.
    return y * (prediction if y != 0.0 else clip(prediction, -1.0, 1.0))


cdef inline void hinge(real prediction, real target, real margin, real scale, real shift,
                       real curvature,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real y = multiply_add(target, scale, shift)
    cdef real slack = positive_part(margin - margin_of(y, prediction))
    value[0] = slack
    gradient[0] = -y if slack > 0.0 else slack
    # XGBoost has the least normal float32 where there is no slack.
    hessian[0] = curvature * (1.0 if slack > 0.0 else 1.1754943508222875e-38)


cdef inline void squared_hinge(real prediction, real target, real margin, real scale, real shift,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real y = multiply_add(target, scale, shift)
    cdef real slack = positive_part(margin - margin_of(y, prediction))
    value[0] = slack * slack
    gradient[0] = 0.0 - 2.0 * y * slack
    hessian[0] = 2.0 * y * y if slack > 0.0 else 0.0


cdef inline void modified_huber(real prediction, real target, real scale, real shift,
                                real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real y = multiply_add(target, scale, shift)
    cdef real slack = positive_part(1.0 - margin_of(y, prediction))
    cdef real capped = 2.0 if slack > 2.0 else slack
    value[0] = capped * (2.0 * slack - capped)
    gradient[0] = 0.0 - 2.0 * y * capped
    cdef real bend = 2.0 * y * y if slack > 0.0 else 0.0
    hessian[0] = 0.0 if slack > 2.0 else bend


cdef inline void soft_margin(real prediction, real target, real scale, real shift,
                             real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real y = multiply_add(target, scale, shift)
    cdef real agreement = margin_of(y, prediction)
    cdef real e = exp_nonpositive(-fabs(agreement))
    cdef real one_plus_e = 1.0 + e
    value[0] = log1p_unit(e) + positive_part(-agreement)
    gradient[0] = -y * (by_sign(agreement, e, 1.0) / one_plus_e)
    hessian[0] = y * y * e / (one_plus_e * one_plus_e)


cdef inline void exponential(real prediction, real target, real scale, real shift,
                             real* value, real* gradient, real* hessian) noexcept nogil:
    # A small share times an exponential that overflows may be finite: its root comes twice.
    cdef real root_down = exp(-0.5 * prediction)
    cdef real root_up = exp(0.5 * prediction)
    cdef real t = multiply_add(target, scale, shift)
    cdef real rest = multiply_add(target, -scale, 1.0 - shift)
    cdef real falling = product(product(t, root_down), root_down)
    cdef real rising = product(product(rest, root_up), root_up)
    value[0] = rising + falling
    gradient[0] = rising - falling
    hessian[0] = rising + falling


cdef inline void brier(real prediction, real target,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    # s - t as in binary_cross_entropy, here as a function of |z|, and with v = s (1 - s).
    cdef real rest = 1.0 - target
    cdef real wrong = by_sign(prediction, rest, target)
    cdef real agree = by_sign(prediction, target, rest)
    cdef real e = exp_nonpositive(-fabs(prediction))
    cdef real one_plus_e = 1.0 + e
    cdef real distance = multiply_add(-agree, e, wrong) / one_plus_e
    cdef real v = e / (one_plus_e * one_plus_e)
    value[0] = distance * distance
    gradient[0] = flip_sign(2.0 * v * distance, prediction)
    hessian[0] = 2.0 * v * (v - distance * ((1.0 - e) / one_plus_e))


cdef inline void binary_sparsemax(real prediction, real target,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    # The sum of max(z, 0) and a function of |z|, as softplus is.
    cdef real wrong = by_sign(prediction, 1.0 - target, target)
    cdef real size = fabs(prediction)
    cdef real half = 0.5 * positive_part(1.0 - size)
    value[0] = multiply_add(half, half, product(wrong, size))
    gradient[0] = flip_sign(wrong - half, prediction)
    hessian[0] = 0.5 if size < 1.0 else 0.0


cdef inline void hinge_embedding(real prediction, real target, real margin, real scale, real shift,
                                 real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real t = multiply_add(target, scale, shift)
    cdef real rest = multiply_add(target, -scale, 1.0 - shift)
    cdef real slack = positive_part(margin - prediction)
    value[0] = product(t, prediction) + product(rest, slack)
    gradient[0] = t - (rest if slack > 0.0 else slack)
    hessian[0] = 0.0
