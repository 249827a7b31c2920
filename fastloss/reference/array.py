"""What the reference losses share: the type of an array, and the product in which 0 * inf = 0."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def multiply(coefficient: Array, term: Array) -> Array:
    """coefficient * term, where a coefficient of 0 wins over an infinite term."""
    infinite = np.isinf(term)
    if not infinite.any():
        return np.asarray(coefficient * term)
    return np.asarray(coefficient * np.where(infinite & (coefficient == 0), 0, term))
