"""Negative log-likelihoods of distributions whose two parameters are predicted.

Each yields the mixed second derivative after the Hessian diagonal.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from fastloss.reference.array import Array

__all__ = ["gaussian_nll"]

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
