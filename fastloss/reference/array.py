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


def one_hot(
    prediction: Array, target: Array, ignore_index: int | None, axis: int
) -> tuple[Array, Array]:
    """Probabilities of the target, which may be labels, and which rows are kept."""
    if target.ndim == prediction.ndim:
        return target, np.ones((), bool)
    kept = np.expand_dims(target != ignore_index, axis)
    label = np.where(kept, np.expand_dims(target, axis), 0).astype(np.intp)
    hot = np.zeros_like(prediction)
    np.put_along_axis(hot, label, 1, axis)
    return hot, kept
