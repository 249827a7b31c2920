"""Negative log-likelihoods of distributions whose two parameters are predicted.

Each yields the mixed second derivative after the Hessian diagonal.
"""

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from fastloss.reference.array import Array

__all__ = [
    "cauchy_nll",
    "gaussian_nll",
    "gumbel_nll",
    "laplace_nll",
    "log_normal_nll",
    "logistic_nll",
    "student_nll",
    "weibull_nll",
]

Hessian = Literal["exact", "fisher"]


def _split(prediction: Array, axis: int) -> tuple[Array, Array]:
    """The two predictions, each of the target's shape."""
    axis = axis if prediction.ndim > 1 else 0
    first, second = np.moveaxis(prediction, axis, 0)
    return first, second


def _joined(first: Array, second: Array, axis: int) -> Array:
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
    mean, spread = _split(prediction, axis)
    residual = mean - target
    constant = residual.dtype.type(np.log(2 * np.pi) / 2 if full else 0)
    if parametrisation == "variance":
        variance = np.maximum(spread, np.asarray(eps, spread.dtype))
        yield (np.log(variance) + residual**2 / variance) / 2 + constant
        slope = (1 - residual**2 / variance) / variance / 2
        yield _joined(residual / variance, slope, axis)
        bend = residual**2 / variance - 0.5 if hessian == "exact" else 0.5
        yield _joined(1 / variance, bend / variance**2, axis)
        mixed = -residual / variance**2 if hessian == "exact" else np.zeros_like(residual)
        yield _joined(mixed, mixed, axis)
        return
    factor = 0.5 if parametrisation == "log_variance" else 1
    z = residual * np.exp(-factor * spread)
    yield factor * spread + z**2 / 2 + constant
    yield _joined(z * np.exp(-factor * spread), factor * (1 - z**2), axis)
    bend = z**2 if hessian == "exact" else np.ones_like(z)
    yield _joined(np.exp(-2 * factor * spread), 2 * factor**2 * bend, axis)
    mixed = -2 * factor * z * np.exp(-factor * spread) * (hessian == "exact")
    yield _joined(mixed, mixed, axis)


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
    location, log_scale = _split(prediction, axis)
    inverse = np.exp(-log_scale)
    z = (location - target) * inverse
    value, slope, bend = pieces(z)
    yield log_scale + value
    yield _joined(slope * inverse, 1 - z * slope, axis)
    if information is None:
        rise = slope + z * bend
        yield _joined(bend * inverse**2, z * rise, axis)
        mixed = -rise * inverse
    else:
        first, second, both = (np.full_like(z, x) for x in information)
        yield _joined(first * inverse**2, second, axis)
        mixed = both * inverse
    yield _joined(mixed, mixed, axis)


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
