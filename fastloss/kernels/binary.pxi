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
    # The floor is for eps = 0, and the logarithm of q = 0 is not infinite, but below all others.
    cdef real lower = eps
    cdef real upper = 1.0 - eps
    # Adding zero makes +0 of -0, whose reciprocal would have the wrong sign.
    cdef real p = clip(prediction, lower, upper) + 0.0
    cdef real q = 1.0 - p
    cdef real rest = 1.0 - target
    cdef bint flat = (prediction < lower) | (prediction > upper)
    cdef bint floored = p * q < variance_floor
    cdef real log_p = log_unit(p)
    cdef real log_q = log1p_nonpositive(-p)
    cdef real slope = (p - target) / (variance_floor if floored else p * q)
    cdef real bend = (0.0 if target == 0.0 else target / p / p) + (
        0.0 if rest == 0.0 else rest / q / q)
    value[0] = -target * (log_floor if log_p < log_floor else log_p) - rest * (
        log_floor if log_q < -80.0 else log_q)
    gradient[0] = 0.0 if flat else slope
    hessian[0] = 0.0 if flat else (1.0 / variance_floor if floored else bend)


cdef inline void log_loss_open(real prediction, real target, double eps, real log_floor,
                               real variance_floor,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    # Where 1 - eps is 1: 0 log 0 is 0, and (p - t) / (p (1 - p)) is 1 at p = t = 0 and -1 at
    # p = t = 1.
    log_loss(prediction, target, eps, log_floor, variance_floor, value, gradient, hessian)
    cdef real p = clip(prediction, <real>eps, <real>(1.0 - eps)) + 0.0
    cdef real q = 1.0 - p
    cdef bint certain = (p == target) & (p * q == 0.0)
    value[0] = -product(target, minus_infinity() if p == 0.0 else log_unit(p)) - product(
        1.0 - target, minus_infinity() if q == 0.0 else log1p_nonpositive(-p))
    gradient[0] = q - p if certain else gradient[0]


cdef inline void cross_entropy_lambda(real prediction, real target, varying exposure,
                                      real* value, real* gradient, real* hessian) noexcept nogil:
    # With H = log(1 + e^z), a = w H and 1 - p = exp(-a) the loss is (1 - t) a - t log p.
    # r = w s (1 - p) / p, the slope of log p, goes to 1 on the left, where numerator and denominator
    # underflow: there both are taken at z = -60, and the logarithm goes on as a straight line.
    cdef bint low = prediction < -60.0
    cdef real e = exp_nonpositive(-fabs(prediction))
    cdef real one_plus_e = 1.0 + e
    cdef real intensity = log1p_unit(e) + by_sign(prediction, prediction, 0.0)
    cdef real s = by_sign(prediction, 1.0, e) / one_plus_e
    cdef real opposite = by_sign(prediction, e, 1.0) / one_plus_e
    cdef real a = exposure * intensity
    cdef real near = exposure * (8.7565107626965203e-27 if low else intensity)
    cdef real p = -expm1_nonpositive(-near)
    cdef real ratio = exposure * (8.7565107626965203e-27 if low else s) * (
        exp_nonpositive(-near) / p)
    cdef real rest = 1.0 - target
    cdef real line = -60.0 - prediction if low else 0.0
    value[0] = product(rest, a) + product(target, line - log1mexp(-near))
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


# The focal loss is f = a u^gamma c with c the cross-entropy and u = 1 - p_t = t s(-z) + (1 - t) s(z).
# With e = exp(-|z|): u = (near e + far) / (1 + e), where far is the share of the label that the sign
# of z gets wrong. Where far = 0, u is e / (1 + e): e in place of near e + far, which is 1 there, is left
# to who makes the power. Selects are made before the logarithm and the division, not between their
# results: GCC then vectorises the loop.


cdef inline void focal_shares(real prediction, real target, real positive, real negative,
                              double label_smoothing, real* balance, real* far, real* near,
                              real* e, real* mixed) noexcept nogil:
    cdef real keep = 1.0 - label_smoothing
    cdef real floor = 0.5 * label_smoothing
    cdef real t = multiply_add(target, keep, floor)
    cdef real rest = multiply_add(1.0 - target, keep, floor)
    balance[0] = multiply_add(positive, t, negative * rest)
    far[0] = by_sign(prediction, rest, t)
    near[0] = by_sign(prediction, t, rest)
    e[0] = exp_nonpositive(-fabs(prediction))
    mixed[0] = 1.0 if far[0] == 0.0 else multiply_add(near[0], e[0], far[0])


cdef inline void focused(real prediction, real far, real near, real e, real mixed, real weight,
                         real gamma, real* loss, real* slope, real* curvature) noexcept nogil:
    # For the weight a u^gamma; gamma u^gamma u'/u needs no power gamma - 1, infinite at u = 0.
    cdef bint right = far == 0.0
    cdef real one_plus_e = 1.0 + e
    cdef real cross_entropy = log1p_unit(e) + product(far, fabs(prediction))
    # Derivatives with respect to |z|: of u over u, of c, and the variance s (1 - s).
    cdef real ratio = (-1.0 if right else (far - near) * e) / (one_plus_e * mixed)
    cdef real pull = multiply_add(-near, e, far) / one_plus_e
    cdef real variance = e / (one_plus_e * one_plus_e)
    cdef real bend = ratio * ((e - 1.0) / one_plus_e) + (gamma - 1.0) * (ratio * ratio)
    # `product` because a vanishing ratio meets an infinite cross-entropy at z = +-inf.
    loss[0] = weight * cross_entropy
    slope[0] = flip_sign(
        weight * (product(gamma * ratio, cross_entropy) + pull), prediction)
    curvature[0] = weight * (
        product(gamma * bend, cross_entropy) + 2.0 * gamma * ratio * pull + variance)


cdef inline void focal(real prediction, real target, real gamma, real positive, real negative,
                       double label_smoothing,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    # u^gamma is exp(gamma log u), and e enters as its logarithm, because u underflows long before
    # u^gamma does.
    cdef real balance, far, near, e, mixed
    focal_shares(prediction, target, positive, negative, label_smoothing, &balance, &far, &near, &e,
                 &mixed)
    cdef real reach = fabs(prediction) if far == 0.0 else 0.0
    cdef real log_u = log_unit(mixed) - reach - log1p_unit(e)
    focused(prediction, far, near, e, mixed, balance * exp_nonpositive(gamma * log_u), gamma,
            value, gradient, hessian)


cdef inline void focal_whole(real prediction, real target, real gamma, double once, double twice,
                             real positive, real negative, double label_smoothing,
                             real* value, real* gradient, real* hessian) noexcept nogil:
    # gamma = once + 2 twice, each of them 0 or 1: u^gamma is a product.
    cdef real balance, far, near, e, mixed
    focal_shares(prediction, target, positive, negative, label_smoothing, &balance, &far, &near, &e,
                 &mixed)
    cdef real u = (e if far == 0.0 else mixed) / (1.0 + e)
    cdef real first = multiply_add(<real>once, u, <real>(1.0 - once))
    cdef real second = multiply_add(<real>twice, u * u, <real>(1.0 - twice))
    focused(prediction, far, near, e, mixed, balance * (first * second), gamma,
            value, gradient, hessian)


cdef inline void focal_halves(real prediction, real target, real gamma, double once, double twice,
                              real positive, real negative, double label_smoothing,
                              real* value, real* gradient, real* hessian) noexcept nogil:
    # gamma = 1/2 + once + 2 twice: a root is one more factor.
    cdef real balance, far, near, e, mixed
    focal_shares(prediction, target, positive, negative, label_smoothing, &balance, &far, &near, &e,
                 &mixed)
    cdef real u = (e if far == 0.0 else mixed) / (1.0 + e)
    cdef real first = multiply_add(<real>once, u, <real>(1.0 - once))
    cdef real second = multiply_add(<real>twice, u * u, <real>(1.0 - twice))
    focused(prediction, far, near, e, mixed, balance * (sqrt(u) * (first * second)), gamma,
            value, gradient, hessian)


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
