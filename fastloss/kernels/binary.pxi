# Formulas of fastloss.losses.binary.


cdef inline void binary_cross_entropy(real prediction, real target, varying pos_weight,
                                      double label_smoothing,
                                      real* value, real* gradient, real* hessian) noexcept nogil:
    # One exponential, e = exp(-|z|), serves both halves of the line, so nothing overflows. The
    # gradient (1 - t) s(z) - w t s(-z) is put over the common denominator 1 + e instead of being
    # formed as s(z) - t, which loses every digit when s(z) is near t.
    cdef real keep = 1.0 - label_smoothing
    cdef real floor = 0.5 * label_smoothing
    cdef real t = multiply_add(target, keep, floor)
    cdef real negative = 1.0 - t
    cdef real positive = pos_weight * t
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


cdef inline void log_loss(real prediction, real target, double eps,
                          real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real lower = eps
    cdef real upper = 1.0 - eps
    # Adding zero makes +0 of -0, whose reciprocal would have the wrong sign.
    cdef real p = clip(prediction, lower, upper) + 0.0
    cdef real q = 1.0 - p
    cdef real rest = 1.0 - target
    cdef bint flat = (prediction < lower) | (prediction > upper)
    # At t = 0 and t = 1 one term of the gradient vanishes and (p - t) / (p (1 - p)) may be 0 / 0.
    cdef real numerator = -1.0 if rest == 0.0 else (1.0 if target == 0.0 else p - target)
    cdef real denominator = p if rest == 0.0 else (q if target == 0.0 else p * q)
    value[0] = -product(target, log(p)) - product(rest, log1p(-p))
    gradient[0] = 0.0 if flat else numerator / denominator
    hessian[0] = 0.0 if flat else (
        (0.0 if target == 0.0 else target / p / p) + (0.0 if rest == 0.0 else rest / q / q))


cdef inline void focal(real prediction, real target, real gamma, real positive, real negative,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    # f = a u^gamma c with c the cross-entropy and u = 1 - p_t = t s(-z) + (1 - t) s(z).
    # With e = exp(-|z|): u = (near e + far) / (1 + e), where far is the share of the label that
    # the sign of z gets wrong. u^gamma is exp(gamma log u), and where far = 0 the factor e enters as
    # its logarithm, because u underflows long before u^gamma does. gamma u^gamma u'/u needs no power
    # gamma - 1, which would be infinite at u = 0. Selects are made before the logarithm and the
    # division, not between their results: GCC then vectorises the loop.
    cdef bint rising = prediction >= 0.0
    cdef real size = fabs(prediction)
    cdef real e = exp_nonpositive(-size)
    cdef real one_plus_e = 1.0 + e
    cdef real log_one_plus_e = log1p_unit(e)
    cdef real far = 1.0 - target if rising else target
    cdef real near = target if rising else 1.0 - target
    cdef bint right = far == 0.0
    cdef real mixed = 1.0 if right else near * e + far
    # Finite, so that gamma = 0 times it is 0.
    cdef real reach = size if size < 1e30 else 1e30
    cdef real log_u = log(mixed) - (reach if right else 0.0) - log_one_plus_e
    cdef real focus = exp(gamma * log_u)
    cdef real cross_entropy = log_one_plus_e + product(far, size)
    cdef real a = positive * target + negative * (1.0 - target)
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
