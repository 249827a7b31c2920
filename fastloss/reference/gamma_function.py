"""log Gamma and its first two derivatives in plain NumPy, in the dtype of the argument.

Gamma(x + 1) = x Gamma(x) leads to x >= 20, where Stirling's series ends soon.
"""

import numpy as np

from fastloss.reference.array import Array

__all__ = ["digamma", "lgamma", "trigamma"]

BERNOULLI = ((1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510))


def _raised(x: Array, step: str) -> tuple[Array, Array]:
    """x or the x + k from 20 on, and the sum of what the steps there are worth."""
    total = np.zeros_like(x)
    for _ in range(20):
        low = x < 20
        worth = {"lgamma": np.log(x), "digamma": 1 / x, "trigamma": 1 / x**2}[step]
        total = total + np.where(low, worth, 0)
        x = np.where(low, x + 1, x)
    return x, total


def lgamma(x: Array) -> Array:
    """log Gamma(x), for x >= 0."""
    x, total = _raised(x, "lgamma")
    quarter_pi = np.arctan(np.ones((), x.dtype))
    series = sum(b / (2 * k * (2 * k - 1) * x ** (2 * k - 1)) for k, b in _numbered(x))
    return np.asarray((x - 0.5) * np.log(x) - x + np.log(8 * quarter_pi) / 2 + series - total)


def digamma(x: Array) -> Array:
    """The derivative of log Gamma."""
    x, total = _raised(x, "digamma")
    series = sum(b / (2 * k * x ** (2 * k)) for k, b in _numbered(x))
    return np.asarray(np.log(x) - 1 / (2 * x) - series - total)


def trigamma(x: Array) -> Array:
    """The second derivative of log Gamma."""
    x, total = _raised(x, "trigamma")
    series = sum(b / x ** (2 * k + 1) for k, b in _numbered(x))
    return np.asarray(1 / x + 1 / (2 * x**2) + series + total)


def _numbered(x: Array) -> list[tuple[int, Array]]:
    numbers = (x.dtype.type(top) / x.dtype.type(bottom) for top, bottom in BERNOULLI)
    return list(enumerate(numbers, 1))
