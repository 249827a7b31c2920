"""Negative log-likelihoods of one predicted mean."""

import math
from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array, multiply

__all__ = [
    "gamma",
    "inverse_gaussian",
    "negative_binomial",
    "poisson",
    "tweedie",
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
        # Beside an infinite mean the other term must not be infinite too.
        yield mean - multiply(target, np.minimum(prediction, 1000)) + rest
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
        first, second = 1 - power, 2 - power
        yield prediction**first * (prediction / second - target / first)
        yield prediction**-power * (prediction - target)
        yield prediction ** (-power - 1) * (first * prediction + power * target)


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
