# Formulas of fastloss.losses.regression.


cdef inline void squared_error(real prediction, real target, double factor,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real slope = 2.0 * factor
    value[0] = (<real>factor * residual) * residual
    gradient[0] = slope * residual
    hessian[0] = slope


cdef inline void absolute_error(real prediction, real target, double curvature,
                                real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    value[0] = fabs(residual)
    gradient[0] = sign_of(residual)
    hessian[0] = <real>curvature


# Where a Hessian can be chosen, `majorize` is 1 for psi(r) / r, the weight of iteratively reweighted
# least squares, and 0 for the second derivative: blended, because a condition that is the same for
# all elements would keep the loop scalar.
#
# Several losses fade as r / c grows. What they are made of is then taken from m = min(r / c, c / r),
# which neither overflows nor loses what is far below c: 1 / (1 + x^2) is m^2 / (1 + m^2) for
# m = 1 / x, for one. The two ends of m are chosen before its division, and agree where they meet.


cdef inline void huber(real prediction, real target, real delta, double unit, double majorize,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real clipped = delta if size > delta else size
    cdef bint near = size <= delta
    cdef real weight = delta / (delta if near else size)
    value[0] = clipped * multiply_add(clipped, -0.5, size)
    gradient[0] = flip_sign(clipped, residual)
    hessian[0] = 1.0 if near else multiply_add(<real>majorize, weight, <real>unit)


cdef inline void smooth_l1(real prediction, real target, real beta,
                           real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real clipped = beta if size > beta else size
    cdef real slope = clipped / beta
    value[0] = slope * multiply_add(clipped, -0.5, size)
    gradient[0] = flip_sign(slope, residual)
    hessian[0] = 1.0 / beta if size <= beta else 0.0


cdef inline void pseudo_huber(real prediction, real target, real delta, double majorize,
                              real* value, real* gradient, real* hessian) noexcept nogil:
    # delta^2 (sqrt(1 + x^2) - 1) = |r| x / (1 / x + sqrt(1 + 1 / x^2)) delta / x for x = |r| / delta.
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real exact = 1.0 - majorize
    cdef bint near = size < delta
    cdef real small = size if near else delta
    cdef real m = small / (delta if near else size)
    cdef real one = 1.0 if near else m
    cdef real root = sqrt(multiply_add(m, m, 1.0))
    cdef real weight = one / root
    value[0] = size * (small / (one + root))
    gradient[0] = flip_sign(small / root, residual)
    hessian[0] = weight * multiply_add(exact, weight * weight, <real>majorize)


cdef inline void log_cosh(real prediction, real target,
                          real* value, real* gradient, real* hessian) noexcept nogil:
    # Nothing here cancels:
    #   beyond 1   log cosh r = |r| - log 2 + log1p(e) with e = exp(-|r|)^2,
    #   tanh |r| = (1 - e) / (1 + e), where near zero 1 - e = -d (d + 2) with d = exp(-|r|) - 1,
    #   1 - tanh^2 r = 4 e / (1 + e)^2.
    # The exponential and its distance from 1 share most of their arithmetic.
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real root = exp_nonpositive(-size)
    cdef real e = root * root
    cdef real d = expm1_nonpositive(-size)
    cdef bint near = size < 1.0
    cdef real slope = (0.0 - d * (d + 2.0) if near else 1.0 - e) / (1.0 + e)
    cdef real beyond = size - 0.6931471805599453 + log1p_unit(e)
    value[0] = log_cosh_unit(size) if near else beyond
    gradient[0] = -slope if residual < 0.0 else slope
    hessian[0] = 4.0 * e / ((1.0 + e) * (1.0 + e))


cdef inline void pinball(real prediction, real target, varying over, varying under,
                         double curvature,
                         real* value, real* gradient, real* hessian) noexcept nogil:
    # The slopes are 1 - quantile and -quantile.
    cdef real residual = prediction - target
    cdef real slope = by_side(residual, over, under)
    value[0] = slope * residual
    gradient[0] = slope
    hessian[0] = <real>curvature


cdef inline void smooth_pinball(real prediction, real target, double quantile, real bandwidth,
                                double majorize,
                                real* value, real* gradient, real* hessian) noexcept nogil:
    # With x = |r| / bandwidth and e = exp(-x), softplus(r / bandwidth) is log1p(e), and above 0 also
    # x. The gradient is put over the common denominator 1 + e: s(x) - q loses digits where it is
    # small. The weight is tanh(x / 2) / (2 x bandwidth), and 1 / (4 bandwidth) at 0.
    cdef real residual = prediction - target
    cdef real over = 1.0 - quantile
    cdef real under = quantile
    cdef real exact = 1.0 - majorize
    cdef bint above = residual > 0.0
    cdef real size = fabs(residual)
    cdef real x = size / bandwidth
    cdef real e = exp_nonpositive(-x)
    cdef real one_plus_e = 1.0 + e
    cdef real near = over if above else under
    cdef real far = under if above else over
    cdef real slope = multiply_add(-far, e, near) / one_plus_e
    # From where e is 0 on, 1 / (x bandwidth) is 1 / |r|, whatever x is.
    cdef bint inside = x < 1.0e9
    cdef real divisor = x if inside else 1.0
    cdef real fall = (-expm1_nonpositive(-x) if x > 0.0 else 1.0) / (divisor if x > 0.0 else 1.0)
    cdef real width = one_plus_e * (bandwidth if inside else size)
    value[0] = multiply_add(bandwidth, log1p_unit(e), near * size)
    gradient[0] = slope if above else -slope
    hessian[0] = (exact * (e / one_plus_e) + <real>(0.5 * majorize) * fall) / width


cdef inline void expectile(real prediction, real target, varying over, varying under,
                           double factor,
                           real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real share = <real>factor * (over if residual >= 0.0 else under)
    cdef real pull = share * residual
    value[0] = pull * residual
    gradient[0] = 2.0 * pull
    hessian[0] = 2.0 * share


# A value c^2 f(r / c) that is r^2 / 2 near zero is just that where r / c is tiny: f underflows there,
# and the result need not. A gradient that is r f(r / c) is made of the smaller one of r and c.


cdef inline void fair(real prediction, real target, double c, double majorize,
                      real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real scale = c
    cdef real exact = 1.0 - majorize
    cdef bint near = size < scale
    cdef real small = size if near else scale
    cdef real m = small / (scale if near else size)
    cdef real one_plus_m = 1.0 + m
    cdef real weight = (1.0 if near else m) / one_plus_m
    cdef real x = size / scale
    cdef bint tiny = x < 1.0e-17
    value[0] = (size if tiny else scale) * (0.5 * size if tiny else log1p_gap(size, scale, x))
    gradient[0] = flip_sign(small / one_plus_m, residual)
    hessian[0] = weight * multiply_add(exact, weight, <real>majorize)


cdef inline void absolute_percentage_error(real prediction, real target, double eps, double scale,
                                           double curvature,
                                           real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real lower = eps
    cdef real factor = scale
    cdef real whole = fabs(target)
    cdef real base = lower if whole < lower else whole
    value[0] = factor * (fabs(residual) / base)
    gradient[0] = sign_of(residual) * (factor / base)
    hessian[0] = <real>curvature


cdef inline void symmetric_absolute_percentage_error(
        real prediction, real target, double scale,
        real* value, real* gradient, real* hessian) noexcept nogil:
    # The quotient rule leaves |y| (1 + sign p sign y) in the numerators: nothing cancels.
    cdef real residual = prediction - target
    cdef real factor = 2.0 * scale
    cdef real whole = fabs(prediction) + fabs(target)
    cdef real base = 1.0 if whole == 0.0 else whole
    cdef real sign = sign_of(prediction)
    cdef real share = (1.0 + sign * sign_of(target)) * fabs(target) / base
    cdef real side = factor * sign_of(residual)
    value[0] = factor * (fabs(residual) / base)
    gradient[0] = side * share / base
    hessian[0] = -2.0 * side * sign * share / base / base


cdef inline void squared_log_error(real prediction, real target, double lower, double factor,
                                   real* value, real* gradient, real* hessian) noexcept nogil:
    # log(1 + p) - log(1 + y) = log1p((p - y) / (1 + y)), and where p < y the same with both changed
    # round, so that the logarithm's argument is never next to -1.
    cdef real bound = lower
    cdef real slope = 2.0 * factor
    cdef bint flat = prediction < bound
    cdef real p = bound if flat else prediction
    cdef real y = bound if target < bound else target
    cdef real residual = p - y
    cdef real smaller = p if residual < 0.0 else y
    cdef real ratio = flip_sign(log1p_nonnegative(fabs(residual) / (1.0 + smaller)), residual)
    cdef real base = 1.0 + p
    value[0] = <real>factor * (ratio * ratio)
    gradient[0] = 0.0 if flat else slope * ratio / base
    hessian[0] = 0.0 if flat else slope * (1.0 - ratio) / base / base


cdef inline void epsilon_insensitive(real prediction, real target, real epsilon, double curvature,
                                     real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef bint inside = size <= epsilon
    value[0] = 0.0 if inside else size - epsilon
    gradient[0] = 0.0 if inside else sign_of(residual)
    hessian[0] = <real>curvature


cdef inline void squared_epsilon_insensitive(real prediction, real target, real epsilon,
                                             double factor,
                                             real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real slope = 2.0 * factor
    cdef real size = fabs(residual)
    cdef bint inside = size <= epsilon
    cdef real excess = 0.0 if inside else size - epsilon
    value[0] = (<real>factor * excess) * excess
    gradient[0] = flip_sign(slope * excess, residual)
    hessian[0] = 0.0 if inside else slope


cdef inline void cauchy(real prediction, real target, double c, double majorize,
                        real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real scale = c
    cdef real exact = 1.0 - majorize
    cdef real within = multiply_add(size, -9.313225746154785e-10, scale)
    cdef real x = scaled_down(size, within) / scale
    cdef real logarithm = log1p_square_high(x, within) + log1p_square_low(x, within)
    cdef bint tiny = logarithm < 1.0e-17
    cdef real loss = (size if tiny else scale) * (0.5 * (size if tiny else scale * logarithm))
    # 1 / (1 + u), and far out c / |r|.
    cdef real share = scaled_down(1.0, within) / by_sign(within, multiply_add(x, x, 1.0), x)
    cdef real weight = by_sign(within, share, share * share)
    cdef real bend = by_sign(within, (1.0 - x) * (1.0 + x) * share, -1.0)
    value[0] = size if size == infinity() else loss
    gradient[0] = flip_sign(by_sign(within, size, scale) * share, residual)
    hessian[0] = weight * multiply_add(exact, bend, <real>majorize)


cdef inline void geman_mc_clure(real prediction, real target, double c, double majorize,
                               real* value, real* gradient, real* hessian) noexcept nogil:
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real scale = c
    cdef real exact = 1.0 - majorize
    cdef bint near = size < scale
    cdef real small = size if near else scale
    cdef real m = small / (scale if near else size)
    cdef real square = m * m
    cdef real one_plus = 1.0 + square
    cdef real root = (1.0 if near else square) / one_plus
    cdef real bend = multiply_add(
        -3.0, square if near else 1.0, 1.0 if near else square) / one_plus
    value[0] = 0.5 * small * (small / one_plus)
    gradient[0] = product(root, residual) * root
    hessian[0] = root * root * multiply_add(exact, bend, <real>majorize)


cdef inline void welsch(real prediction, real target, double rate, double factor, double majorize,
                        real* value, real* gradient, real* hessian) noexcept nogil:
    # factor (1 - exp(-u)) with u = rate r^2. `product` because exp(-u) = 0 meets infinities.
    cdef real residual = prediction - target
    cdef real slope = 2.0 * (rate * factor)
    cdef real exact = 1.0 - majorize
    cdef real pull = <real>rate * residual
    cdef real u = pull * residual
    cdef real e = exp_nonpositive(-u)
    value[0] = <real>factor * residual * pull if u < 1.0e-17 else -<real>factor * expm1_nonpositive(-u)
    gradient[0] = product(e, slope * residual)
    hessian[0] = product(e, slope * multiply_add(exact, 1.0 - 2.0 * u, <real>majorize))


cdef inline void tukey(real prediction, real target, double c, double majorize,
                       real* value, real* gradient, real* hessian) noexcept nogil:
    # 1 - u for u = r^2 / c^2 is (c - |r|) (c + |r|) / c^2, which keeps its digits near the edge, from
    # which on it is 0.
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real scale = c
    cdef real inverse = 1.0 / (c * c)
    cdef real exact = 1.0 - majorize
    cdef real inner = scale if size > scale else size
    cdef real u = inner * inverse * inner
    cdef real rest = (scale - inner) * (scale + inner) * inverse
    cdef real half = multiply_add(-u, multiply_add(u, -0.16666666666666666, 0.5), 0.5)
    value[0] = inner * (inner * half)
    gradient[0] = product(rest * rest, residual)
    hessian[0] = rest * multiply_add(-4.0 * exact, u, rest)


cdef inline void lq(real prediction, real target, double exponent, double coefficient,
                    double curvature,
                    real* value, real* gradient, real* hessian) noexcept nogil:
    # |r|^q = |r| |r|^(q - 1), and the Hessian is coefficient |r|^curvature. Exponents are in two parts.
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real high = log_high(size)
    cdef real low = log_low(size)
    cdef real q = exponent
    cdef real slope = exponent - 1.0
    cdef real slope_low = (exponent - 1.0) - slope
    cdef real bend = curvature
    cdef real bend_low = curvature - bend
    cdef real power = exp_product(slope, slope_low, high, low)
    value[0] = size * power
    gradient[0] = flip_sign(q * power, residual)
    hessian[0] = <real>coefficient * exp_product(bend, bend_low, high, low)


cdef inline void barron(real prediction, real target, double alpha, double inverse, double factor,
                        double slope, double largest_value, double largest_gradient,
                        double majorize,
                        real* value, real* gradient, real* hessian) noexcept nogil:
    # With b = |alpha - 2|, x = |r| inverse = |r| / (c sqrt(b)), L = log(1 + x^2) and E = alpha / 2 L the
    # loss is factor (exp(E) - 1) for factor = b / alpha. The gradient is slope r exp(E) / (1 + x^2) for
    # slope = 1 / c^2, where far out 1 / (x inverse) takes the place of r / (1 + x^2): no square
    # overflows, nor does x, which is lowered there. L and alpha / 2 are in two parts, for their errors
    # count as often as E is large. What an infinite r has is given. The Hessian is
    # slope (1 + x^2)^(alpha / 2 - 1), times (1 + (alpha - 1) x^2) / (1 + x^2).
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef real half = 0.5 * alpha
    cdef real half_low = 0.5 * alpha - half
    cdef real fall = 0.5 * alpha - 1.0
    cdef real fall_low = ((0.5 * alpha - 1.0) - fall) + (
        0.5 * alpha - ((0.5 * alpha - 1.0) + 1.0))
    cdef real pull = alpha - 1.0
    cdef real scale = slope
    cdef real unit = 1.0 / inverse
    cdef real far_unit = scaled_down(unit, -1.0)
    cdef real exact = 1.0 - majorize
    cdef real within = multiply_add(size, -9.313225746154785e-10, unit)
    cdef real x = <real>inverse * scaled_down(size, within)
    cdef bint endless = size == infinity()
    cdef real high = log1p_square_high(x, within)
    cdef real low = log1p_square_low(x, within)
    cdef real loss = expm1_product(factor, half, half_low, high, low)
    cdef real drawn = quotient_exp_product(
        scale * by_sign(within, size, far_unit), by_sign(within, multiply_add(x, x, 1.0), x), half,
        half_low, high, low)
    # min(x, 1 / x), squared.
    cdef bint near = by_sign(within, x, 2.0) < 1.0
    cdef real n = (x if near else scaled_down(1.0, within)) / (1.0 if near else x)
    cdef real m = n * n
    cdef real bend = multiply_add(pull, m if near else 1.0, 1.0 if near else m) / (1.0 + m)
    cdef real weight = quotient_exp_product(
        scale, 1.0, fall, fall_low, 1.0e30 if endless else high, 0.0 if endless else low)
    value[0] = <real>largest_value if endless else loss
    gradient[0] = flip_sign(<real>largest_gradient if endless else drawn, residual)
    hessian[0] = weight * multiply_add(exact, bend, <real>majorize)


cdef inline void barron_near_zero(real prediction, real target, double alpha, double inverse,
                                  double factor, double slope, double largest_value,
                                  double largest_gradient, double majorize,
                                  real* value, real* gradient, real* hessian) noexcept nogil:
    # For a small alpha, or alpha = 0, where factor is infinite: a tiny E leaves b / 2 L.
    barron(prediction, target, alpha, inverse, factor, slope, largest_value, largest_gradient,
           majorize, value, gradient, hessian)
    cdef real half = 0.5 * alpha
    cdef real half_gap = 1.0 - 0.5 * alpha
    cdef real unit = 1.0 / inverse
    cdef real size = fabs(prediction - target)
    cdef real within = multiply_add(size, -9.313225746154785e-10, unit)
    cdef real x = <real>inverse * scaled_down(size, within)
    cdef real logarithm = log1p_square_high(x, within) + log1p_square_low(x, within)
    value[0] = half_gap * logarithm if fabs(half * logarithm) < 1.0e-17 else value[0]


cdef inline void barron_steep(real prediction, real target, double alpha, double inverse,
                              double inverse_low, double factor, double slope, double majorize,
                              real* value, real* gradient, real* hessian) noexcept nogil:
    # For a large |alpha|, by which every error of L is multiplied: x, too, is in two parts. What is
    # beyond the bound is infinite or 0, as it is for an infinite r.
    cdef real residual = prediction - target
    cdef real bound = (1.0e15 if sizeof(real) == sizeof(float) else 1.0e90) / inverse
    cdef real size = clip(fabs(residual), 0.0, bound)
    cdef real half = 0.5 * alpha
    cdef real half_low = 0.5 * alpha - half
    cdef real fall = 0.5 * alpha - 1.0
    cdef real fall_low = ((0.5 * alpha - 1.0) - fall) + (
        0.5 * alpha - ((0.5 * alpha - 1.0) + 1.0))
    cdef real half_gap = 0.5 * fabs(alpha - 2.0)
    cdef real pull = alpha - 1.0
    cdef real scale = slope
    cdef real exact = 1.0 - majorize
    cdef real factor_high = inverse
    cdef real factor_low = (inverse - factor_high) + inverse_low
    cdef real x = factor_high * size
    cdef real square = x * x
    cdef real high = log1p_square_of_product_high(size, factor_high, factor_low)
    cdef real low = log1p_square_of_product_low(size, factor_high, factor_low)
    cdef bint tiny = half_gap * high < 1.0e-17
    cdef bint near = square < 1.0
    cdef real m = (square if near else 1.0) / (1.0 if near else square)
    cdef real bend = multiply_add(pull, m if near else 1.0, 1.0 if near else m) / (1.0 + m)
    cdef real weight = quotient_exp_product(scale, 1.0, fall, fall_low, high, low)
    value[0] = half_gap * x * x if tiny else expm1_product(factor, half, half_low, high, low)
    gradient[0] = flip_sign(
        quotient_exp_product(scale * size, 1.0 + square, half, half_low, high, low), residual)
    hessian[0] = weight * multiply_add(exact, bend, <real>majorize)


cdef inline void wing(real prediction, real target, real width, real curvature,
                      real* value, real* gradient, real* hessian) noexcept nogil:
    # Beyond the width the loss goes on by size - width: no constant is subtracted.
    cdef real residual = prediction - target
    cdef real size = fabs(residual)
    cdef bint far = size >= width
    cdef real inner = width if far else size
    cdef real base = curvature + inner
    value[0] = multiply_add(width, log1p(inner / curvature), size - inner)
    gradient[0] = sign_of(residual) * (1.0 if far else width / base)
    hessian[0] = 0.0 if far else -width / base / base


cdef inline void log_linear_quantile(real prediction, real target, double quantile,
                                     real* value, real* gradient, real* hessian) noexcept nogil:
    # The exponential as a square: its product with a slope below 1 may be finite where it is not.
    cdef real root = exp(0.5 * prediction)
    cdef real residual = root * root - target
    cdef real over = 1.0 - quantile
    cdef real under = -quantile
    cdef real slope = by_side(residual, over, under)
    cdef real pull = slope * root * root
    value[0] = pull - slope * target
    gradient[0] = pull
    hessian[0] = pull
