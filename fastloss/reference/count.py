"""Losses of counts and other non-negative targets."""

from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array, multiply

__all__ = ["poisson"]


def poisson(prediction: Array, target: Array) -> Iterator[Array]:
    """exp(z) - y z: Poisson's negative log-likelihood, log link, without the constant log(y!).

    0 * inf = 0.
    """
    mean = np.exp(prediction)
    yield mean - multiply(target, prediction)
    yield mean - target
    yield mean
