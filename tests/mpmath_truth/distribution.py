"""Truths of fastloss.losses.distribution.

Where z = (location - y) / scale is subnormal, its error of one is divided by the scale on its way
into the location's gradient: the floor of that.
"""

from collections.abc import Sequence

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sigmoid, sign, softplus, sum_of


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
    value = sum_of(s, square / 2, constant)
    return Truth(
        # In a square the error of the exponential counts twice.
        Sum(value.exact, value.scale + square / 4),
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
        # Where the exponential is subnormal, the other factors multiply its error.
        first = sum_of(bend * inverse**2, condition=condition, floor=2 * inverse**2)
        return Truth(value, gradient, [first, second])
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
            Sum(e * inverse**2, (e + stir) * inverse**2, inverse**2),
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
    # The roundings of z^2 count in full where log(1 + u) is all but u.
    spread = (n + 1) / 2 * mp.log1p(u)
    value = sum_of(s, spread, constant)
    value = Sum(value.exact, value.scale + spread * u / (1 + u) / (mp.log1p(u) or 1))
    gradient = [
        sum_of(weight * z * near * inverse, floor=2 * weight * inverse),
        sum_of(mpf(1), -(n + 1) * u * near),
    ]
    if hessian == "exact":
        bend = weight * (near * inverse) ** 2
        second = 2 * (n + 1) * u * near**2
        return Truth(value, gradient, [sum_of(bend, -bend * u), sum_of(second)])
    return Truth(value, gradient, [sum_of((n + 1) / (n + 3) * inverse**2), sum_of(2 * n / (n + 3))])


def cauchy_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    return student_nll(prediction, target, df=1.0, hessian=hessian, axis=axis)


class _Gamma:
    """What Stirling's leading terms leave of log Gamma and its derivatives, as in the formulas."""

    def __init__(self, x: Number, log_x: Number) -> None:
        # Far out by the series, where the differences would need more digits than there are.
        if x > mpf(10) ** 15:
            self.value, self.slope, self.bend = 1 / (12 * x), -mpf(1) / 2, mpf(1) / 2
        elif x < mpf(10) ** -30:
            self.value = -log_x / 2 + x - mp.log(2 * mp.pi) / 2
            self.slope, self.bend = -1 - x * log_x, 1 - x
        else:
            self.value = mp.loggamma(x) - (x - 0.5) * log_x + x - mp.log(2 * mp.pi) / 2
            self.slope = x * (mp.psi(0, x) - log_x)
            self.bend = x**2 * mp.psi(1, x) - x
        # Below 6 they are differences of these.
        near = x if x < 6 else mpf(0)
        self.noise = 2 + 4 * near + (1 + near) * (abs(log_x) if x < 6 else 0)


def gamma_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    log_mean, log_shape = prediction
    shape, log = mp.exp(log_shape), mp.log(target)
    u = log - log_mean
    ratio, rise = mp.exp(min(u, mpf(10) ** 5)), mp.expm1(min(u, mpf(10) ** 5))
    part = _Gamma(shape, log_shape)
    # The rounding of the logarithm, and of what goes into an exponent, are errors of u.
    noise = abs(log) + abs(log_mean) + (abs(log_shape) if abs(u) > 30 else 0)
    stir = shape * ratio * (1 + noise)
    size = shape * (abs(rise) + abs(u)) + shape * abs(rise) * noise + stir * (abs(u) > 30)
    distance = shape * (rise - u)
    value = Sum(
        part.value - log_shape / 2 + mp.log(2 * mp.pi) / 2 + distance + log,
        part.noise + abs(log_shape) + size + abs(log),
    )
    slope = Sum(part.slope + distance, part.noise + size)
    gradient = [Sum(-shape * rise, shape * abs(rise) + stir), slope]
    if hessian != "exact":
        return Truth(value, gradient, [sum_of(shape), Sum(part.bend, part.noise)])
    second = Sum(slope.exact + part.bend, slope.scale + part.noise)
    return Truth(value, gradient, [Sum(shape * ratio, stir), second])


def beta_nll(prediction: Sequence[Number], target: Number, *, hessian: str, axis: int) -> Truth:
    log_a, log_b = prediction
    a, b = mp.exp(log_a), mp.exp(log_b)
    p, q = sigmoid(log_a - log_b), sigmoid(log_b - log_a)
    minus_p, minus_q = softplus(log_b - log_a), softplus(log_a - log_b)
    total = a + b
    log_total = log_a + minus_p if log_a > log_b else log_b + minus_q
    one, two, both = _Gamma(a, log_a), _Gamma(b, log_b), _Gamma(total, log_total)
    log, log_rest = mp.log(target), mp.log1p(-target)
    x, w = minus_p + log, minus_q + log_rest
    # log_a - log_b is rounded before anything is made of it.
    far = abs(log_a) + abs(log_b)
    noise_x, noise_w = minus_p + abs(log) + q * far, minus_q + abs(log_rest) + p * far
    noise = one.noise + two.noise + 2 * both.noise * (1 + min(far, mpf(10) ** 3))
    value = Sum(
        one.value + two.value - both.value + mp.log(2 * mp.pi) / 2
        - (log_a + log_b - log_total) / 2 - a * x - b * w + log + log_rest,
        noise + far + a * noise_x + b * noise_w + abs(log) + abs(log_rest),
    )  # fmt: skip
    slope_a = Sum(one.slope - p * both.slope - a * x, noise + a * noise_x)
    slope_b = Sum(two.slope - q * both.slope - b * w, noise + b * noise_w)
    shared = a * q
    bend_a = Sum(one.bend - p**2 * both.bend + shared, noise + shared * (1 + far))
    bend_b = Sum(two.bend - q**2 * both.bend + shared, noise + shared * (1 + far))
    if hessian == "exact":
        bend_a = Sum(bend_a.exact + slope_a.exact, bend_a.scale + slope_a.scale)
        bend_b = Sum(bend_b.exact + slope_b.exact, bend_b.scale + slope_b.scale)
    return Truth(value, [slope_a, slope_b], [bend_a, bend_b])


def negative_binomial_nll(prediction: Sequence[Number], target: Number, *, axis: int) -> Truth:
    f, d = prediction
    n, y = mp.exp(-d), target
    z = f + d
    p, q, over = sigmoid(z), sigmoid(-z), softplus(z)
    y_over = mp.log1p(y / n)
    y_q = n / (n + y)
    one, two = _Gamma(n, -d), _Gamma(n + y, y_over - d)
    # The rounding of z, and of log y + d.
    log_y = abs(mp.log(y)) if y else mpf(0)
    far, y_far = abs(f) + abs(d), log_y + abs(d)
    variance = n * p
    n_over, n_y_over = n * over, n * y_over
    noise = one.noise + two.noise * (1 + min(abs(d), mpf(10) ** 3))
    noise += (variance + y * q) * (1 + far) + y * y_q * (1 + y_far) + n_over + n_y_over
    between = y_q * two.slope - one.slope
    value = Sum(
        # log Gamma(n) - log Gamma(n + y) by Stirling's terms: the digits last for any n.
        one.value
        - two.value
        + y_over / 2
        - n_y_over
        + y
        - y * (y_over - d)
        + mp.loggamma(y + 1)
        + n_over
        + y * softplus(-z),
        noise + abs(mp.loggamma(y + 1)) + y * (1 + min(far, abs(f) + over) + y_over) + y_over,
    )
    slope = variance - y * q
    return Truth(
        value,
        [
            Sum(slope, (variance + y * q) * (1 + far)),
            Sum(n_y_over - n_over + between + slope, noise),
        ],
        [
            Sum(q * (variance + y * p), q * (variance + y * p) * (1 + 2 * far)),
            Sum(
                n_over - n_y_over - between + one.bend - y_q**2 * two.bend + y * y_q
                - variance * (1 + p) + y * p * q,
                noise + variance * (1 + far),
            ),
        ],
    )  # fmt: skip


def zero_inflated_poisson_nll(
    prediction: Sequence[Number], target: Number, *, hessian: str, axis: int
) -> Truth:
    f, logit = prediction
    rate = mp.exp(f)
    p, q = sigmoid(logit), sigmoid(-logit)
    seen, chance = sigmoid(logit + rate), sigmoid(-logit - rate)
    some = -mp.expm1(-rate)
    # The rate is rounded before it meets the logit.
    condition = abs(logit) + rate if abs(logit + rate) < 10**4 else mpf(0)
    if target == 0:
        exact = -mp.log1p(-q * some) if q * some < 0.5 else -mp.log(p + q * mp.exp(-rate))
        value = Sum(exact, exact * (1 + chance * condition))
        gradient = [
            sum_of(rate * chance, condition=condition),
            Sum(-q * some * seen, q * some * seen * (1 + chance * condition)),
        ]
    else:
        value = sum_of(softplus(logit), rate, -target * f, mp.loggamma(target + 1))
        gradient = [sum_of(rate, -target), sum_of(p)]
    if hessian != "exact":
        thin = rate * mp.exp(-rate) * seen
        return Truth(
            value,
            gradient,
            [
                Sum(q * rate * (1 - thin), q * rate * (1 + thin * (1 + chance * condition))),
                Sum(p * q * seen * some, p * q * seen * some * (1 + chance * condition)),
            ],
        )
    if target == 0:
        hessians = [
            Sum(
                rate * chance * (1 - rate * seen),
                rate * chance * (1 + rate * seen) * (1 + condition),
            ),
            Sum(p * q - seen * chance, p * q + seen * chance * (1 + condition)),
        ]
    else:
        hessians = [sum_of(rate), sum_of(p * q)]
    return Truth(value, gradient, hessians)
