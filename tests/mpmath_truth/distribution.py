"""Truths of fastloss.losses.distribution.

Where z = (location - y) / scale is subnormal, its error of one is divided by the scale on its way
into the location's gradient: the floor of that.
"""

from collections.abc import Sequence

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sign, sum_of


def gaussian_nll(
    prediction: Sequence[Number],
    target: Number,
    *,
    parametrisation: str,
    full: bool,
    eps: float,
    hessian: str,
    axis: int,
) -> Truth:
    mean, spread = prediction
    residual = mean - target
    constant = mp.log(2 * mp.pi) / 2 if full else mpf(0)
    exact = hessian == "exact"
    if parametrisation == "variance":
        v = max(spread, mpf(eps))
        bend = sum_of(residual**2 / v**3, -1 / v**2 / 2) if exact else sum_of(1 / v**2 / 2)
        return Truth(
            sum_of(mp.log(v) / 2, residual**2 / v / 2, constant),
            [sum_of(residual / v), sum_of(1 / v / 2, -(residual**2) / v**2 / 2)],
            [sum_of(1 / v), bend],
        )
    factor = mpf(1) / 2 if parametrisation == "log_variance" else mpf(1)
    s = factor * spread
    square = (residual * mp.exp(-s)) ** 2
    return Truth(
        sum_of(s, square / 2, constant),
        [sum_of(residual * mp.exp(-2 * s), floor=mp.exp(-s)), sum_of(factor, -factor * square)],
        [sum_of(mp.exp(-2 * s)), sum_of(2 * factor**2 * (square if exact else 1))],
    )


def log_normal_nll(
    prediction: Sequence[Number], target: Number, *, hessian: str, axis: int
) -> Truth:
    mean, s = prediction
    log = mp.log(target)
    residual = mean - log
    # The logarithm is rounded before it meets the mean: that is an error of the residual.
    size = (abs(mean) + abs(log)) * mp.exp(-s)
    z = residual * mp.exp(-s)
    constant = mp.log(2 * mp.pi) / 2
    value = sum_of(log, s, z**2 / 2, constant)
    return Truth(
        Sum(value.exact, value.scale + abs(z) * size),
        [
            Sum(z * mp.exp(-s), size * mp.exp(-s), mp.exp(-s)),
            Sum(1 - z**2, 1 + z**2 + 2 * abs(z) * size),
        ],
        [
            sum_of(mp.exp(-2 * s)),
            Sum(2 * z**2, 2 * z**2 + 2 * abs(z) * size) if hessian == "exact" else sum_of(mpf(2)),
        ],
    )


def laplace_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    location, s = prediction
    size = abs(location - target) * mp.exp(-s)
    slope = sign(location - target) * mp.exp(-s)
    exact = hessian == "exact"
    return Truth(
        sum_of(s, size, mp.log(2)),
        [sum_of(slope), sum_of(mpf(1), -size)],
        [
            sum_of(mpf(0) if exact else mp.exp(-2 * s)),
            sum_of(size if exact else mpf(1)),
        ],
    )


def logistic_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    location, s = prediction
    inverse = mp.exp(-s)
    z = (location - target) * inverse
    slope, bend = mp.tanh(z / 2), mp.sech(z / 2) ** 2 / 2
    # An exponential of z is z times as far off as z itself is.
    condition = abs(z) if bend else 0
    value = sum_of(s, abs(z), 2 * mp.log1p(mp.exp(-abs(z))))
    gradient = [sum_of(slope * inverse, floor=inverse), sum_of(mpf(1), -z * slope)]
    if hessian == "exact":
        second = Sum(z * (slope + bend * z), z * slope + z**2 * bend * (1 + condition))
        return Truth(value, gradient, [sum_of(bend * inverse**2, condition=condition), second])
    return Truth(value, gradient, [sum_of(inverse**2 / 3), sum_of((3 + mp.pi**2) / 9)])


def gumbel_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    location, s = prediction
    z = (location - target) * mp.exp(-s)
    return _extreme(z, abs(z), s, hessian)


def weibull_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    log_scale, log_shape = prediction
    shape, log = mp.exp(log_shape), mp.log(target)
    # The logarithm is rounded before it meets that of the scale.
    noise = shape * (abs(log) + abs(log_scale))
    truth = _extreme(shape * (log - log_scale), noise, -log_shape, hessian)
    value = Sum(truth.value.exact + log, truth.value.scale + abs(log))
    gradient = [Sum(-one.exact, one.scale, one.floor) for one in truth.gradient]
    return Truth(value, gradient, truth.hessian)


def _extreme(z: Number, noise: Number, s: Number, hessian: str) -> Truth:
    """What Gumbel's and Weibull's share: z is known to an ulp of `noise`."""
    # Beyond 1e4 either way the exponential is 0 or infinite, and its error none.
    condition = noise if abs(z) < 1e4 else 0
    inverse, e, slope = mp.exp(-s), mp.exp(min(z, mpf(10) ** 5)), mp.expm1(min(z, mpf(10) ** 5))
    rise, size = slope + z * e, abs(slope) + abs(z) * e
    value = Sum(s + e - z, abs(s) + e + abs(z) + abs(slope) * noise)
    stir = e * condition
    gradient = [
        Sum(slope * inverse, (abs(slope) + stir) * inverse, inverse),
        Sum(1 - z * slope, 1 + abs(z * slope) + noise * abs(slope) + abs(z) * stir),
    ]
    if hessian != "exact":
        information = mp.pi**2 / 6 + (1 - mp.euler) ** 2
        return Truth(value, gradient, [sum_of(inverse**2), sum_of(information)])
    return Truth(
        value,
        gradient,
        [
            Sum(e * inverse**2, (e + stir) * inverse**2),
            Sum(z * rise, abs(z) * (size + (2 + abs(z)) * stir) + noise * size),
        ],
    )


def student_nll(
    prediction: Sequence[Number], target: Number, *, df: float, hessian: str, axis: int
) -> Truth:
    location, s = prediction
    n = mpf(df)
    inverse = mp.exp(-s)
    z = (location - target) * inverse
    u = z**2 / n
    weight, near = (n + 1) / n, 1 / (1 + u)
    constant = mp.loggamma(n / 2) - mp.loggamma((n + 1) / 2) + mp.log(n * mp.pi) / 2
    value = sum_of(s, (n + 1) / 2 * mp.log1p(u), constant)
    gradient = [
        sum_of(weight * z * near * inverse, floor=weight * inverse),
        sum_of(mpf(1), -(n + 1) * u * near),
    ]
    if hessian == "exact":
        bend = weight * (near * inverse) ** 2
        second = 2 * (n + 1) * u * near**2
        return Truth(value, gradient, [sum_of(bend, -bend * u), sum_of(second)])
    return Truth(value, gradient, [sum_of((n + 1) / (n + 3) * inverse**2), sum_of(2 * n / (n + 3))])


def cauchy_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    return student_nll(prediction, target, df=1.0, hessian=hessian, axis=axis)
