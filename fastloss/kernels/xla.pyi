from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES: dict[int, np.dtype[Any]]

def target(
    run: Callable[[bytes, list[NDArray[Any]], list[NDArray[Any]]], None], bfloat16: np.dtype[Any]
) -> Any: ...
