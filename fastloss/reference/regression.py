"""Regression losses of the residual, prediction - target."""

from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array

__all__ = ["absolute_error", "huber", "log_cosh", "pinball", "squared_error"]


def squared_error(prediction: Array, target: Array, *, half: bool = False) -> Iterator[Array]:
    """r^2, or r^2 / 2 with `half`."""
    residual = prediction - target
    square = residual * residual
    yield square / 2 if half else square
    yield residual if half else 2 * residual
    yield np.full_like(residual, 1 if half else 2)


def absolute_error(prediction: Array, target: Array) -> Iterator[Array]:
    """|r|, with sub-gradient 0 at r = 0."""
    residual = prediction - target
    yield abs(residual)
    yield np.sign(residual)
    yield np.zeros_like(residual)


def huber(prediction: Array, target: Array, *, delta: float = 1.0) -> Iterator[Array]:
    """r^2 / 2 where |r| <= delta, delta (|r| - delta / 2) beyond (Huber 1964)."""
    residual = prediction - target
    clipped = np.clip(residual, -delta, delta)
    yield clipped * (residual - clipped / 2)
    yield clipped
    yield (abs(residual) <= delta).astype(residual.dtype)


def log_cosh(prediction: Array, target: Array) -> Iterator[Array]:
    """log(cosh(r)).

    For |r| < 1 the usual |r| + log1p(exp(-2|r|)) - log 2 would cancel to nothing;
    cosh(r) = 1 + 2 sinh^2(r / 2) does not. The Hessian 1 - tanh^2(r) is 4e / (1 + e)^2 with
    e = exp(-2|r|), which keeps its digits as it vanishes.
    """
    residual = prediction - target
    magnitude = abs(residual)
    decay = np.exp(-2 * magnitude)
    near = np.log1p(2 * np.sinh(np.minimum(magnitude, 1) / 2) ** 2)
    far = magnitude + np.log1p(decay) - np.log(2).astype(residual.dtype)
    yield np.where(magnitude < 1, near, far)
    yield np.tanh(residual)
    yield 4 * decay / (1 + decay) ** 2


def pinball(prediction: Array, target: Array, *, quantile: float = 0.5) -> Iterator[Array]:
    """max(-q r, (1 - q) r), with sub-gradient 0 at r = 0 (Koenker and Bassett 1978)."""
    residual = prediction - target
    yield np.maximum(-quantile * residual, (1 - quantile) * residual)
    side = np.sign(residual)
    yield side * (0.5 + side * (0.5 - quantile))
    yield np.zeros_like(residual)
