"""Negative log-likelihoods of one predicted number."""

import math
from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array, multiply

__all__ = [
    "gamma",
    "inverse_gaussian",
    "laplace",
    "log_normal",
    "negative_binomial",
    "poisson",
    "student_t",
    "tweedie",
    "weibull",
]


def _stirling(target: Array) -> Array:
    y = np.maximum(target, 1)
    sum_ = y * (np.log(y) - 1) + (0.5 * np.log(y) + 0.5 * math.log(2 * math.pi))
    return np.where(target > 1, sum_, 0).astype(y.dtype)


def poisson(
    prediction: Array,
    target: Array,
    *,
    link: str = "log",
    eps: float = 0.0,
    full: bool = False,
    hessian: str = "exact",
) -> Iterator[Array]:
    """exp(z) - y z, or with the identity link c - y log(c + eps), where 0 / 0 = 0 * inf = 0.

    In full log(y!) after Stirling more, for y > 1. A boosting library's Hessian is exp(0.7) times
    the exact one.
    """
    rest = _stirling(target) if full else 0
    stretch = 1 if hessian == "exact" else math.exp(0.7)
    if link == "log":
        mean = np.exp(prediction)
        yield mean - multiply(target, prediction) + rest
        yield mean - target
        yield mean * stretch
    else:
        mean = prediction + eps
        safe = np.where(target == 0, 1, mean).astype(mean.dtype)
        yield prediction - multiply(target, np.log(mean)) + rest
        yield 1 - target / safe
        yield target / safe / safe * stretch


def gamma(prediction: Array, target: Array, *, link: str = "log") -> Iterator[Array]:
    """log m + y / m with the mean m = exp(z), or m = z."""
    if link == "log":
        ratio = target * np.exp(-prediction)
        yield prediction + ratio
        yield 1 - ratio
        yield ratio
    else:
        ratio = target / prediction
        yield np.log(prediction) + ratio
        yield (1 - ratio) / prediction
        yield (2 * ratio - 1) / prediction / prediction


def _tweedie(z: Array, target: Array, power: float) -> Iterator[Array]:
    first, second = 1 - power, 2 - power
    common, mean, observed = (
        np.ones_like(z),
        np.exp(second * z),
        multiply(target, np.exp(first * z)),
    )
    # Outside of [1, 2] both powers are infinite on one side; a common factor is not part of them.
    if power < 1:
        common, mean, observed = np.exp(first * z), np.exp(z), target
    elif power > 2:
        common, mean, observed = np.exp(second * z), np.ones_like(z), target * np.exp(-z)
    yield common * (mean / second - observed / first)
    yield common * (mean - observed)
    yield common * (second * mean - first * observed)


def tweedie(
    prediction: Array, target: Array, *, power: float = 1.5, link: str = "log"
) -> Iterator[Array]:
    """m^(2 - p) / (2 - p) - y m^(1 - p) / (1 - p) with the mean m = exp(z), or m = z.

    With power 1 and 2 what `poisson` and `gamma` are, with 0 and m = z half the squared error.
    """
    if power == 1:
        yield from poisson(prediction, target, link=link)
    elif power == 2:
        yield from gamma(prediction, target, link=link)
    elif link == "log":
        yield from _tweedie(prediction, target, power)
    elif power == 0:
        yield (prediction - target) ** 2 / 2
        yield prediction - target
        yield np.ones_like(prediction)
    else:
        steps = _tweedie(np.log(prediction), target, power)
        yield next(steps)
        slope = next(steps)
        yield slope / prediction
        yield (next(steps) - slope) / prediction / prediction


def negative_binomial(prediction: Array, target: Array, *, alpha: float = 1.0) -> Iterator[Array]:
    """(y + 1 / alpha) log(1 + alpha exp(z)) - y z; its limit `poisson` for an alpha below 1e-30."""
    if alpha < 1e-30:
        yield from poisson(prediction, target)
        return
    log_alpha = np.log(prediction.dtype.type(alpha))
    lead = np.logaddexp(-prediction, log_alpha)
    yield multiply(target, lead) + np.logaddexp(0, prediction + log_alpha) / alpha
    rising, falling = 1 + alpha * np.exp(prediction), np.exp(-prediction) + alpha
    yield 1 / falling - target / rising
    yield (1 + alpha * target) / falling / rising


def inverse_gaussian(
    prediction: Array, target: Array, *, hessian: str = "exact"
) -> Iterator[Array]:
    """(y - m)^2 / (2 y m^2) with m = exp(z); the Hessian's expectation is 1 / m."""
    inverse = np.exp(-prediction)
    ratio = target * inverse
    yield (ratio - 1) / (2 * target) * (ratio - 1)
    yield -inverse * (ratio - 1)
    yield inverse * (2 * ratio - 1) if hessian == "exact" else inverse


def student_t(
    prediction: Array, target: Array, *, df: float = 3.0, scale: float = 1.0, full: bool = False
) -> Iterator[Array]:
    """(df + 1) / 2 log(1 + q^2) with q = r / (scale sqrt(df)); in full log(1 / density)."""
    width = scale * math.sqrt(df)
    constant = (
        math.lgamma(df / 2) - math.lgamma((df + 1) / 2) + math.log(width * math.sqrt(math.pi))
    )
    q = (prediction - target) / width
    yield (df + 1) / 2 * np.log1p(q**2) + (constant if full else 0)
    share = 1 / (1 + q**2)
    yield (df + 1) / width * multiply(share, q)
    yield (df + 1) / width**2 * share * (2 * share - 1)


def laplace(
    prediction: Array, target: Array, *, scale: float = 1.0, full: bool = False
) -> Iterator[Array]:
    """|r| / scale, and log(2 scale) in full."""
    residual = prediction - target
    yield abs(residual) / scale + (math.log(2 * scale) if full else 0)
    yield np.sign(residual) / scale
    yield np.zeros_like(residual)


def log_normal(
    prediction: Array, target: Array, *, sigma: float = 1.0, full: bool = False
) -> Iterator[Array]:
    """(z - log y)^2 / (2 sigma^2), and log(y sigma sqrt(2 pi)) in full."""
    residual = prediction - np.log(target)
    rest = np.log(target) + math.log(sigma * math.sqrt(2 * math.pi)) if full else 0
    yield residual**2 / (2 * sigma**2) + rest
    yield residual / sigma**2
    yield np.ones_like(residual) / sigma**2


def weibull(
    prediction: Array, target: Array, *, shape: float = 1.0, full: bool = False
) -> Iterator[Array]:
    """u - log u with u = (y exp(-z))^shape, and log(y / shape) in full."""
    distance = np.log(target) - prediction
    power = np.exp(shape * distance)
    yield power - shape * distance + (np.log(target) - math.log(shape) if full else 0)
    yield shape * (1 - power)
    yield shape**2 * power
