"""Truths of fastloss.losses.count."""

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sum_of


def with_terms(truth: Truth, *terms: Number) -> Truth:
    """The same with more terms in its value."""
    value = sum_of(*terms)
    return truth._replace(
        value=Sum(truth.value.exact + value.exact, truth.value.scale + value.scale)
    )


def stirling(y: Number) -> list[Number]:
    return [y * mp.log(y), -y, mp.log(2 * mp.pi * y) / 2] if y > 1 else []


def poisson(
    prediction: Number,
    target: Number,
    *,
    link: str = "log",
    eps: float = 0.0,
    full: bool = False,
    hessian: str = "exact",
) -> Truth:
    stretch = mpf(1) if hessian == "exact" else mp.exp(mpf(0.7))
    if link == "log":
        rate = mp.exp(prediction)
        value = sum_of(rate, -target * prediction)
        slope, bend = sum_of(rate, -target), sum_of(stretch * rate)
    elif target == 0:
        value, slope, bend = sum_of(prediction), sum_of(mpf(1)), sum_of(mpf(0))
    elif prediction + eps == 0:
        value, slope, bend = (Sum(s * mp.inf, mp.inf) for s in (1, -1, 1))
    else:
        rate = prediction + eps
        value = sum_of(prediction, -target * mp.log(rate))
        slope, bend = sum_of(mpf(1), -target / rate), sum_of(stretch * target / rate**2)
    truth = Truth(value, [slope], [bend])
    return with_terms(truth, *stirling(target)) if full else truth


def gamma(prediction: Number, target: Number, *, link: str = "log") -> Truth:
    if link == "log":
        ratio = target * mp.exp(-prediction)
        return Truth(sum_of(prediction, ratio), [sum_of(mpf(1), -ratio)], [sum_of(ratio)])
    mean = prediction
    return Truth(
        sum_of(mp.log(mean), target / mean),
        [sum_of(1 / mean, -target / mean**2)],
        [sum_of(2 * target / mean**3, -1 / mean**2)],
    )


def tweedie(prediction: Number, target: Number, *, power: float, link: str) -> Truth:
    if power == 1:
        return poisson(prediction, target, link=link)
    if power == 2:
        return gamma(prediction, target, link=link)
    if power == 0 and link == "identity":
        residual = prediction - target
        return Truth(sum_of(residual**2 / 2), [sum_of(residual)], [sum_of(mpf(1))])
    z = prediction if link == "log" else mp.log(prediction)
    first, second = 1 - mpf(power), 2 - mpf(power)
    mean, observed = mp.exp(second * z), target * mp.exp(first * z)
    level, slope = [mean / second, -observed / first], [mean, -observed]
    if link == "log":
        bend = [second * mean, -first * observed]
        return Truth(sum_of(*level), [sum_of(*slope)], [sum_of(*bend)])
    # The error of the prediction's logarithm, a tenth of an ulp of 1 at most, counts p times.
    condition = abs(mpf(power)) / 32 if abs(power) > 50 else mpf(0)
    slope = [term / prediction for term in slope]
    bend = [first * mean / prediction**2, power * observed / prediction**2]
    value, gradient, hessian = (
        sum_of(*terms, condition=condition) for terms in (level, slope, bend)
    )
    return Truth(value, [gradient], [hessian])


def negative_binomial(prediction: Number, target: Number, *, alpha: float) -> Truth:
    if alpha == 0:
        return poisson(prediction, target)
    mean = mp.exp(prediction)
    total = mp.log1p(alpha * mean) if prediction < 1e4 else prediction + mp.log(alpha)
    spread = 1 + alpha * mean
    return Truth(
        sum_of(total / alpha, target * total, -target * prediction),
        [sum_of(mean / spread, -target / spread)],
        [sum_of(mean * (1 + alpha * target) / spread**2)],
    )


def inverse_gaussian(prediction: Number, target: Number, *, hessian: str) -> Truth:
    inverse = mp.exp(-prediction)
    bend = [2 * target * inverse**2, -inverse] if hessian == "exact" else [inverse]
    return Truth(
        sum_of(target * inverse**2 / 2, -inverse, 1 / (2 * target)),
        [sum_of(inverse, -target * inverse**2)],
        [sum_of(*bend)],
    )
