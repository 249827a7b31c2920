"""How far a result may be from the truth: one table, and the comparison that reads it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth import Sum

Array = npt.NDArray[Any]


class Ulps(NamedTuple):
    value: float
    gradient: float
    hessian: float


# In units in the last place of the dtype, of the scale that a truth names.
ULPS = {
    np.dtype(np.float32): Ulps(value=4, gradient=8, hessian=8),
    np.dtype(np.float64): Ulps(value=4, gradient=8, hessian=8),
}

# Relative, against the reference in a wider dtype on ordinary inputs, where the sums of a formula
# may cancel down to the size of the largest result.
AGREEMENT = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 4e-15}

# Fourth-order differences in float64 with a step of 2^-10.
DIFFERENCES: dict[str, Any] = {"rtol": 1e-7, "atol": 1e-8}

# Of one instruction-set level against another: each is within the table of the truth.
LEVEL_ULPS = {dtype: Ulps(*(2 * ulps for ulps in row)) for dtype, row in ULPS.items()}


def ulp(scale: float, dtype: npt.DTypeLike) -> float:
    """The distance to the next number of the dtype at a size of `scale`."""
    info = np.finfo(dtype)
    clipped = min(max(float(scale), float(info.tiny)), float(info.max) / 2)
    return float(np.spacing(np.asarray(clipped, dtype)))


def assert_true(
    actual: npt.ArrayLike,
    truth: Sequence[Sum],
    ulps: float,
    dtype: npt.DTypeLike,
    where: Sequence[object],
) -> None:
    """Every element within `ulps` of its truth; the message names the worst by `where`."""
    largest = mpf(float(np.finfo(dtype).max))
    smallest = mpf(float(np.finfo(dtype).smallest_subnormal))
    worst, message = mpf(0), ""
    numbers = np.asarray(actual).ravel().tolist()
    close = clearly_close(numbers, truth, ulps, dtype)
    for number, (exact, scale, floor), place, done in zip(
        numbers, truth, where, close, strict=True
    ):
        if done:
            continue
        overflow = abs(exact) + ulps * mpf(ulp(largest, dtype)) >= largest
        if np.isinf(number) and overflow and (number > 0) == (exact > 0):
            continue
        if mp.isinf(exact) or not np.isfinite(number):
            error = mp.inf
        else:
            unit = ulp(float(min(scale, largest)), dtype) * max(scale / largest, 1)
            error = max(abs(mpf(number) - exact) - floor * smallest, 0) / unit
        if error > worst:
            worst = error
            message = f"{number!r} for {mp.nstr(exact, 20)} at {place}: {mp.nstr(error, 4)} ulp"
    assert worst <= ulps, message


def clearly_close(
    numbers: Sequence[float], truth: Sequence[Sum], ulps: float, dtype: npt.DTypeLike
) -> list[bool]:
    """Which elements doubles suffice to approve of: fifty digits are slow, and rarely needed."""
    info = np.finfo(dtype)
    exact = np.array([float(one.exact) for one in truth])
    scale = np.array([float(one.scale) for one in truth])
    with np.errstate(all="ignore"):
        unit = np.spacing(np.clip(scale, info.tiny, info.max / 2).astype(dtype)).astype(float)
        # A double of the exact number is half a unit away, and so is the difference.
        near = abs(np.asarray(numbers) - exact) <= (ulps - 1) * unit
    found: list[bool] = (near & np.isfinite(exact) & (scale < info.max / 2)).tolist()
    return found


def ulp_distance(actual: Array, expected: Array, scale: npt.ArrayLike | None = None) -> Array:
    """|actual - expected| in ulp of `actual`'s dtype at the size of the expected."""
    info = np.finfo(actual.dtype)
    scale = abs(expected) if scale is None else np.asarray(scale)
    unit = np.spacing(np.clip(scale, info.tiny, info.max / 2).astype(actual.dtype))
    return np.asarray(abs(actual.astype(np.longdouble) - expected) / unit)
