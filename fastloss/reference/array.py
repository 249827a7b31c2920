"""What the reference losses share: the type of an array, and the product in which 0 * inf = 0."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def multiply(coefficient: Array, term: Array) -> Array:
    """coefficient * term, and 0 where the coefficient is 0 whatever the term."""
    shape = np.broadcast_shapes(coefficient.shape, term.shape)
    product = np.zeros(shape, np.result_type(coefficient, term))
    return np.multiply(coefficient, term, out=product, where=coefficient != 0)
