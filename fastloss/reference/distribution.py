"""Negative log-likelihoods of distributions whose two parameters are predicted.

Each yields the mixed second derivative after the Hessian diagonal.
"""

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from fastloss.reference.array import Array, multiply
from fastloss.reference.gamma_function import digamma, lgamma, trigamma

__all__ = [
    "beta_nll",
    "cauchy_nll",
    "gamma_nll",
    "gaussian_nll",
    "gumbel_nll",
    "laplace_nll",
    "log_normal_nll",
    "logistic_nll",
    "negative_binomial_nll",
    "student_nll",
    "weibull_nll",
    "zero_inflated_poisson_nll",
]

Hessian = Literal["exact", "fisher"]


def split(prediction: Array, axis: int) -> tuple[Array, Array]:
    """The two predictions, each of the target's shape."""
    axis = axis if prediction.ndim > 1 else 0
    first, second = np.moveaxis(prediction, axis, 0)
    return first, second


def joined(first: Array, second: Array, axis: int) -> Array:
    """The derivatives by the two predictions, where those stand."""
    return np.stack(np.broadcast_arrays(first, second), axis if first.ndim else 0)


def gaussian_nll(
    prediction: Array,
    target: Array,
    *,
    parametrisation: Literal["log_scale", "log_variance", "variance"] = "log_scale",
    full: bool = False,
    eps: float = 1e-6,
    hessian: Hessian = "exact",
    axis: int = -1,
) -> Iterator[Array]:
    """log(v) / 2 + r^2 / (2 v) of the mean and of v, log v or log(v) / 2."""
    mean, spread = split(prediction, axis)
    residual = mean - target
    constant = residual.dtype.type(np.log(2 * np.pi) / 2 if full else 0)
    if parametrisation == "variance":
        variance = np.maximum(spread, np.asarray(eps, spread.dtype))
        yield (np.log(variance) + residual**2 / variance) / 2 + constant
        slope = (1 - residual**2 / variance) / variance / 2
        yield joined(residual / variance, slope, axis)
        bend = residual**2 / variance - 0.5 if hessian == "exact" else 0.5
        yield joined(1 / variance, bend / variance**2, axis)
        mixed = -residual / variance**2 if hessian == "exact" else np.zeros_like(residual)
        yield joined(mixed, mixed, axis)
        return
    factor = 0.5 if parametrisation == "log_variance" else 1
    z = residual * np.exp(-factor * spread)
    yield factor * spread + z**2 / 2 + constant
    yield joined(z * np.exp(-factor * spread), factor * (1 - z**2), axis)
    bend = z**2 if hessian == "exact" else np.ones_like(z)
    yield joined(np.exp(-2 * factor * spread), 2 * factor**2 * bend, axis)
    mixed = -2 * factor * z * np.exp(-factor * spread) * (hessian == "exact")
    yield joined(mixed, mixed, axis)


def log_normal_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """The Gaussian's of log y, and log y."""
    value, *derivatives = gaussian_nll(
        prediction, np.log(target), full=True, hessian=hessian, axis=axis
    )
    yield value + np.log(target)
    yield from derivatives


def _location_scale(
    prediction: Array,
    target: Array,
    axis: int,
    pieces: Callable[[Array], tuple[Array, Array, Array]],
    information: tuple[float, float, float] | None,
) -> Iterator[Array]:
    """log(scale) + f(z), z = (location - y) / scale, from the pieces f, f' and f''.

    `information`, where given, is Fisher's at scale 1, instead of the Hessian.
    """
    location, log_scale = split(prediction, axis)
    inverse = np.exp(-log_scale)
    z = (location - target) * inverse
    value, slope, bend = pieces(z)
    yield log_scale + value
    yield joined(slope * inverse, 1 - z * slope, axis)
    if information is None:
        rise = slope + z * bend
        yield joined(bend * inverse**2, z * rise, axis)
        mixed = -rise * inverse
    else:
        first, second, both = (np.full_like(z, x) for x in information)
        yield joined(first * inverse**2, second, axis)
        mixed = both * inverse
    yield joined(mixed, mixed, axis)


def laplace_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """log(2 scale) + |z|, with sub-gradient 0 at z = 0."""

    def pieces(z: Array) -> tuple[Array, Array, Array]:
        return abs(z) + np.log(2).astype(z.dtype), np.sign(z), np.zeros_like(z)

    information = None if hessian == "exact" else (1.0, 1.0, 0.0)
    yield from _location_scale(prediction, target, axis, pieces, information)


def logistic_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """log(scale) + |z| + 2 log(1 + exp(-|z|))."""

    def pieces(z: Array) -> tuple[Array, Array, Array]:
        decay = np.exp(-abs(z))
        return abs(z) + 2 * np.log1p(decay), np.tanh(z / 2), 2 * decay / (1 + decay) ** 2

    information = None if hessian == "exact" else (1 / 3, (3 + np.pi**2) / 9, 0.0)
    yield from _location_scale(prediction, target, axis, pieces, information)


def _extreme(z: Array) -> tuple[Array, Array, Array]:
    return np.exp(z) - z, np.expm1(z), np.exp(z)


def _extreme_information(hessian: Hessian) -> tuple[float, float, float] | None:
    away = 1 - np.euler_gamma
    return None if hessian == "exact" else (1.0, np.pi**2 / 6 + away**2, -away)


def gumbel_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """log(scale) + exp(z) - z with z = (location - y) / scale: of maxima."""
    information = _extreme_information(hessian)
    yield from _location_scale(prediction, target, axis, _extreme, information)


def weibull_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """log y - log k + exp(w) - w with w = k (log y - log scale), of log scale and log k.

    The smallest of many log y: Gumbel's with the signs of the first prediction, of the logarithm of
    the scale, 1 / k, and of the target changed.
    """
    value, gradient, bend, mixed = gumbel_nll(
        -prediction, -np.log(target), hessian=hessian, axis=axis
    )
    yield value + np.log(target)
    yield -gradient
    yield bend
    yield mixed


def student_nll(
    prediction: Array,
    target: Array,
    *,
    df: float = 5.0,
    hessian: Hessian = "exact",
    axis: int = -1,
) -> Iterator[Array]:
    """log(scale) + (n + 1) / 2 log(1 + z^2 / n) and the constant of Student's t."""
    n = df
    constant = math.lgamma(n / 2) - math.lgamma((n + 1) / 2) + math.log(n * math.pi) / 2

    def pieces(z: Array) -> tuple[Array, Array, Array]:
        u = z**2 / n
        value = (n + 1) / 2 * np.log1p(u) + z.dtype.type(constant)
        return value, (n + 1) / n * z / (1 + u), (n + 1) / n * (1 - u) / (1 + u) ** 2

    information = None if hessian == "exact" else ((n + 1) / (n + 3), 2 * n / (n + 3), 0.0)
    yield from _location_scale(prediction, target, axis, pieces, information)


def cauchy_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """Student's t with one degree of freedom."""
    yield from student_nll(prediction, target, df=1.0, hessian=hessian, axis=axis)


def gamma_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """lgamma(k) - k log k + k log(mean) - (k - 1) log y + k y / mean, of log mean and log k."""
    log_mean, log_shape = split(prediction, axis)
    shape, u = np.exp(log_shape), np.log(target) - log_mean
    rise = np.expm1(u)
    yield lgamma(shape) - shape * log_shape + shape * (np.exp(u) - u) + np.log(target)
    slope = shape * (digamma(shape) - log_shape + rise - u)
    yield joined(-shape * rise, slope, axis)
    bend = shape**2 * trigamma(shape) - shape
    exact = hessian == "exact"
    yield joined(shape * np.exp(u) if exact else shape, slope + bend if exact else bend, axis)
    mixed = -shape * rise * exact
    yield joined(mixed, mixed, axis)


def beta_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """log B(a, b) - (a - 1) log y - (b - 1) log(1 - y), of log a and log b."""
    a, b = np.exp(split(prediction, axis)[0]), np.exp(split(prediction, axis)[1])
    log, log_rest = np.log(target), np.log1p(-target)
    yield lgamma(a) + lgamma(b) - lgamma(a + b) - (a - 1) * log - (b - 1) * log_rest
    slope_a = a * (digamma(a) - digamma(a + b) - log)
    slope_b = b * (digamma(b) - digamma(a + b) - log_rest)
    yield joined(slope_a, slope_b, axis)
    bend_a = a**2 * (trigamma(a) - trigamma(a + b))
    bend_b = b**2 * (trigamma(b) - trigamma(a + b))
    exact = hessian == "exact"
    yield joined(bend_a + slope_a * exact, bend_b + slope_b * exact, axis)
    mixed = -a * b * trigamma(a + b)
    yield joined(mixed, mixed, axis)


def negative_binomial_nll(prediction: Array, target: Array, *, axis: int = -1) -> Iterator[Array]:
    """lgamma(n) + log y! - lgamma(n + y) + n log(1 + m / n) + y log(1 + n / m), 1 / n predicted."""
    log_mean, log_dispersion = split(prediction, axis)
    mean, n = np.exp(log_mean), np.exp(-log_dispersion)
    y, p, q = target, mean / (mean + n), n / (mean + n)
    yield (
        lgamma(n) + lgamma(y + 1) - lgamma(n + y) + n * np.log1p(mean / n) + y * np.log1p(n / mean)
    )
    slope = q * (mean - y)
    inner = n * (digamma(n + y) - digamma(n) - np.log1p(mean / n))
    yield joined(slope, inner + slope, axis)
    bend = n**2 * (trigamma(n) - trigamma(n + y)) - inner - q * mean * (1 + p) + y * p * q
    yield joined(q * p * (n + y), bend, axis)
    yield joined(-p * slope, -p * slope, axis)


def zero_inflated_poisson_nll(
    prediction: Array, target: Array, *, hessian: Hessian = "exact", axis: int = -1
) -> Iterator[Array]:
    """-log(p + q exp(-rate)) of a zero, Poisson's and -log q of another; p = sigmoid(logit)."""
    log_rate, logit = split(prediction, axis)
    rate, zero = np.exp(log_rate), target == 0
    p, q = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))
    seen = 1 / (1 + np.exp(-logit - rate))
    other = rate - multiply(target, log_rate) + lgamma(target + 1) - np.log(q)
    yield np.where(zero, -np.log1p(q * np.expm1(-rate)), other)
    chance = rate / (1 + np.exp(logit + rate))
    rising = np.where(zero, q * seen * np.expm1(-rate), p)
    yield joined(np.where(zero, chance, rate - target), rising, axis)
    if hessian == "exact":
        bend = np.where(zero, seen * (1 - seen), 0)
        yield joined(np.where(zero, chance * (1 - rate * seen), rate), p * q - bend, axis)
        mixed = np.where(zero, -chance * seen, 0)
    else:
        information = p * q * seen * -np.expm1(-rate)
        yield joined(q * rate * (1 - rate * np.exp(-rate) * seen), information, axis)
        mixed = -p * chance
    yield joined(mixed, mixed, axis)
