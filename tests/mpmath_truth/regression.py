"""Truths of fastloss.losses.regression."""

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sigmoid, sign, sum_of


def squared_error(prediction: Number, target: Number, *, half: bool) -> Truth:
    residual = prediction - target
    factor = mpf(1) / 2 if half else mpf(1)
    return Truth(
        sum_of(factor * residual**2),
        [sum_of(2 * factor * residual)],
        [sum_of(2 * factor)],
    )


def unit(hessian: str) -> Sum:
    return sum_of(mpf(hessian == "unit"))


def absolute_error(prediction: Number, target: Number, *, hessian: str) -> Truth:
    residual = prediction - target
    return Truth(sum_of(abs(residual)), [sum_of(mpf(sign(residual)))], [unit(hessian)])


def huber(prediction: Number, target: Number, *, delta: float, hessian: str) -> Truth:
    residual = prediction - target
    if abs(residual) <= delta:
        return Truth(sum_of(residual**2 / 2), [sum_of(residual)], [sum_of(mpf(1))])
    value = delta * (abs(residual) - mpf(delta) / 2)
    beyond = {"exact": mpf(0), "unit": mpf(1), "majorizer": delta / abs(residual)}[hessian]
    return Truth(sum_of(value), [sum_of(mpf(delta * sign(residual)))], [sum_of(beyond)])


def smooth_l1(prediction: Number, target: Number, *, beta: float) -> Truth:
    residual = prediction - target
    if beta and abs(residual) <= beta:
        value, slope = residual**2 / (2 * mpf(beta)), residual / beta
        return Truth(sum_of(value), [sum_of(slope)], [sum_of(1 / mpf(beta))])
    value = abs(residual) - mpf(beta) / 2
    return Truth(sum_of(value), [sum_of(mpf(sign(residual)))], [sum_of(mpf(0))])


def pseudo_huber(prediction: Number, target: Number, *, delta: float, hessian: str) -> Truth:
    residual = prediction - target
    ratio = (residual / delta) ** 2
    root = mp.sqrt(1 + ratio)
    bend = 1 / root if hessian == "majorizer" else root**-3
    return Truth(
        sum_of(mpf(delta) ** 2 * ratio / (root + 1)), [sum_of(residual / root)], [sum_of(bend)]
    )


def log_cosh(prediction: Number, target: Number) -> Truth:
    residual = prediction - target
    value = mp.log1p(2 * mp.sinh(residual / 2) ** 2)
    return Truth(
        sum_of(value),
        [sum_of(mp.tanh(residual))],
        [sum_of(mp.sech(residual) ** 2)],
    )


def pinball(prediction: Number, target: Number, *, quantile: float, hessian: str) -> Truth:
    residual = prediction - target
    slope = {-1: -mpf(quantile), 0: mpf(0), 1: 1 - mpf(quantile)}[sign(residual)]
    return Truth(sum_of(slope * residual), [sum_of(slope)], [unit(hessian)])


def smooth_pinball(
    prediction: Number, target: Number, *, quantile: float, bandwidth: float, hessian: str
) -> Truth:
    residual = prediction - target
    x = residual / bandwidth
    pull = pinball(prediction, target, quantile=quantile, hessian="exact").value.exact
    value = sum_of(pull, bandwidth * mp.log1p(mp.exp(-abs(x))))
    gradient = sum_of(sigmoid(x) * (1 - mpf(quantile)), -sigmoid(-x) * mpf(quantile))
    spread = sigmoid(x) * sigmoid(-x)
    if hessian == "majorizer":
        spread = mp.tanh(x / 2) / (2 * x) if x else mpf(1) / 4
        return Truth(value, [gradient], [sum_of(spread / bandwidth)])
    # The rounding of x changes exp(-x) by x ulp; bandwidth divides the error of one that is
    # subnormal.
    bend = sum_of(spread / bandwidth, condition=abs(x), floor=1 / mpf(bandwidth))
    return Truth(value, [gradient], [bend])


def expectile(prediction: Number, target: Number, *, level: float, half: bool) -> Truth:
    residual = prediction - target
    share = (1 - mpf(level) if residual >= 0 else mpf(level)) / (2 if half else 1)
    return Truth(sum_of(share * residual**2), [sum_of(2 * share * residual)], [sum_of(2 * share)])


def fair(prediction: Number, target: Number, *, c: float, hessian: str) -> Truth:
    residual = prediction - target
    x = abs(residual) / c
    # x - log(1 + x) of a small x is below the last of fifty digits.
    gap = x - mp.log1p(x) if x > mpf(10) ** -15 else x**2 / 2 - x**3 / 3 + x**4 / 4
    weight = 1 / (1 + x)
    return Truth(
        sum_of(mpf(c) ** 2 * gap),
        [sum_of(residual * weight)],
        [sum_of(weight if hessian == "majorizer" else weight**2)],
    )


def absolute_percentage_error(
    prediction: Number, target: Number, *, eps: float, scale: float, hessian: str
) -> Truth:
    residual = prediction - target
    slope = scale / max(mpf(eps), abs(target))
    return Truth(sum_of(slope * abs(residual)), [sum_of(slope * sign(residual))], [unit(hessian)])


def symmetric_absolute_percentage_error(
    prediction: Number, target: Number, *, scale: float
) -> Truth:
    residual = prediction - target
    whole = abs(prediction) + abs(target)
    if whole == 0:
        return Truth(sum_of(mpf(0)), [sum_of(mpf(0))], [sum_of(mpf(0))])
    side, factor = sign(residual), 2 * mpf(scale)
    gradient = factor * (side / whole - abs(residual) * sign(prediction) / whole**2)
    return Truth(
        sum_of(factor * abs(residual) / whole),
        [sum_of(gradient)],
        [sum_of(-2 * gradient * sign(prediction) / whole)],
    )


def squared_log_error(
    prediction: Number, target: Number, *, half: bool, lower: float | None
) -> Truth:
    bound = mpf(-1 if lower is None else lower)
    p, y = max(prediction, bound), max(target, bound)
    factor = mpf(1) / 2 if half else mpf(1)
    if p == -1:
        endless = Sum(mp.inf, mp.inf)
        return Truth(endless, [Sum(-mp.inf, mp.inf)], [endless])
    ratio = mp.log1p((p - y) / (1 + y))
    if prediction < bound:
        return Truth(sum_of(factor * ratio**2), [sum_of(mpf(0))], [sum_of(mpf(0))])
    return Truth(
        sum_of(factor * ratio**2),
        [sum_of(2 * factor * ratio / (1 + p))],
        [sum_of(2 * factor / (1 + p) ** 2, -2 * factor * ratio / (1 + p) ** 2)],
    )


def epsilon_insensitive(
    prediction: Number, target: Number, *, epsilon: float, hessian: str
) -> Truth:
    residual = prediction - target
    excess = abs(residual) - mpf(epsilon)
    # Where the residual is epsilon but for the rounding of that, it may be on either side.
    floor = mp.inf if abs(excess) < mpf(2) ** -24 * epsilon else 0
    slope = sum_of(mpf(sign(residual) if excess > 0 else 0), floor=floor)
    value = Sum(max(excess, mpf(0)), abs(residual) + epsilon)
    return Truth(value, [slope], [unit(hessian)])


def squared_epsilon_insensitive(
    prediction: Number, target: Number, *, epsilon: float, half: bool
) -> Truth:
    residual = prediction - target
    excess = abs(residual) - mpf(epsilon)
    factor = mpf(1) / 2 if half else mpf(1)
    # Where the residual is epsilon but for the rounding of that, it may be on either side.
    floor = mp.inf if abs(excess) < mpf(2) ** -24 * epsilon else 0
    bend = sum_of(2 * factor if excess > 0 else mpf(0), floor=floor)
    excess = max(excess, mpf(0))
    # The excess is a difference, and what is made of it has its error.
    terms = abs(residual) + epsilon
    value = Sum(factor * excess**2, excess * terms, floor)
    return Truth(value, [Sum(2 * factor * excess * sign(residual), 2 * factor * terms)], [bend])


def cauchy(prediction: Number, target: Number, *, c: float, hessian: str) -> Truth:
    residual = prediction - target
    u = (residual / c) ** 2
    weight = 1 / (1 + u)
    bend = sum_of(weight) if hessian == "majorizer" else sum_of(weight**2, -u * weight**2)
    return Truth(sum_of(mpf(c) ** 2 / 2 * mp.log1p(u)), [sum_of(residual * weight)], [bend])


def geman_mc_clure(prediction: Number, target: Number, *, c: float, hessian: str) -> Truth:
    residual = prediction - target
    u = (residual / c) ** 2
    weight = 1 / (1 + u)
    bend = sum_of(weight**3, -3 * u * weight**3)
    if hessian == "majorizer":
        bend = sum_of(weight**2)
    return Truth(sum_of(residual**2 / 2 * weight), [sum_of(residual * weight**2)], [bend])


def welsch(prediction: Number, target: Number, *, c: float, hessian: str) -> Truth:
    residual = prediction - target
    u = (residual / c) ** 2
    weight = mp.exp(-u)
    # The rounding of u changes exp(-u) by u ulp; one that is subnormal is multiplied.
    value = sum_of(-(mpf(c) ** 2) / 2 * mp.expm1(-u))
    gradient = sum_of(residual * weight, condition=u, floor=abs(residual))
    bend = sum_of(weight, condition=u, floor=1)
    if hessian == "exact":
        bend = sum_of(weight, -2 * u * weight, condition=u, floor=1 + 2 * u)
    return Truth(value, [gradient], [bend])


def tukey(prediction: Number, target: Number, *, c: float, hessian: str) -> Truth:
    residual = prediction - target
    u = min((residual / c) ** 2, mpf(1))
    rest = 1 - u
    value = mpf(c) ** 2 / 6 * u * (3 - 3 * u + u**2)
    # The rounding of c changes 1 - u by 2 u ulp of 1.
    room = rest * (rest + 4 * u)
    gradient = Sum(residual * rest**2, abs(residual) * room)
    bend = Sum(rest**2 if hessian == "majorizer" else rest * (1 - 5 * u), room + 5 * u * rest)
    return Truth(sum_of(value), [gradient], [bend])


def lq(prediction: Number, target: Number, *, q: float, hessian: str) -> Truth:
    residual = prediction - target
    size, q = abs(residual), mpf(q)
    if hessian == "unit" or q == 1:
        bend = unit(hessian)
    elif size == 0 and q < 2:
        bend = Sum(mp.inf, mp.inf)
    else:
        bend = sum_of(q * (q - 1) * size ** (q - 2))
    # The error of the logarithm, a tenth of an ulp of 1 where it is not next to 0, counts q times.
    condition = q / 32 if q > 50 and abs(size - 1) > mpf(1) / 4 else mpf(0)
    slope = q * size ** (q - 1) * sign(residual)
    return Truth(
        sum_of(size**q, condition=condition),
        [sum_of(slope, condition=condition)],
        [Sum(bend.exact, bend.scale * (1 + condition))],
    )


def barron(
    prediction: Number, target: Number, *, alpha: float, scale: float, hessian: str
) -> Truth:
    residual = prediction - target
    square = (residual / mpf(scale)) ** 2
    if alpha == 2:
        constant = sum_of(1 / mpf(scale) ** 2)
        return Truth(sum_of(square / 2), [sum_of(residual / mpf(scale) ** 2)], [constant])
    if mp.isinf(alpha):
        parts = welsch(prediction, target, c=mp.sqrt(2) * scale, hessian=hessian)
        factor = 1 / mpf(scale) ** 2
        value, gradient, bend = (
            Sum(part.exact * factor, part.scale * factor, part.floor * factor)
            for part in (parts.value, *parts.gradient, *parts.hessian)
        )
        return Truth(value, [gradient], [bend])
    shape = mpf(alpha)
    gap = abs(shape - 2)
    s = square / gap
    log = mp.log1p(s)
    value = gap / 2 * log if alpha == 0 else gap / shape * mp.expm1(shape / 2 * log)
    weight = mp.exp((shape / 2 - 1) * log) / mpf(scale) ** 2
    # Beyond s = 1 the logarithm is known to more digits; what is before that, or left of it, is
    # multiplied by the exponent, and so is its rounding. A steep loss knows all of it as a pair,
    # whose error, a tenth of an ulp of 1 from s = 1/16 on, counts alpha / 2 times.
    noise = abs(shape / 2 - 1) * mp.log1p(min(s, 1 / s) if s else s)
    if abs(alpha) > 4:
        noise = abs(shape) / 32 if abs(alpha) > 50 and s > mpf(1) / 16 else mpf(0)
    gradient = sum_of(residual * weight, condition=noise, floor=abs(residual))
    bend = sum_of(weight, condition=noise)
    if hessian == "exact":
        weight /= 1 + s
        # A subnormal power is multiplied.
        floor = (1 + abs(shape - 1) * s) / (1 + s)
        bend = sum_of(weight, (shape - 1) * s * weight, condition=noise, floor=floor)
    # The rounding of r / (c sqrt b), which counts alpha times.
    condition = max(mpf(1), abs(shape)) / 2 if abs(alpha) <= 4 else noise
    return Truth(sum_of(value, condition=condition), [gradient], [bend])


def wing(prediction: Number, target: Number, *, width: float, curvature: float) -> Truth:
    residual = prediction - target
    size, base = abs(residual), curvature + abs(residual)
    if size >= width:
        constant = width * mp.log1p(mpf(width) / curvature)
        value = sum_of(size - width, constant)
        return Truth(value, [sum_of(mpf(sign(residual)))], [sum_of(mpf(0))])
    return Truth(
        sum_of(width * mp.log1p(size / curvature)),
        [sum_of(width / base * sign(residual))],
        [sum_of(-width / base**2)],
    )


def log_linear_quantile(prediction: Number, target: Number, *, quantile: float) -> Truth:
    rate = mp.exp(prediction)
    loss = pinball(rate, target, quantile=quantile, hessian="exact")
    slope = loss.gradient[0].exact * rate
    # The exponential is rounded before the target is subtracted; where that leaves nothing, the
    # sub-gradient is 0 instead of that of one side.
    value = Sum(loss.value.exact, rate + abs(target))
    tie = abs(rate - target) < mpf(2) ** -22 * rate
    gradient = sum_of(slope, floor=mp.inf if tie else 0)
    return Truth(value, [gradient], [gradient])
