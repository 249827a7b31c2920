"""What lies outside of a loss's domain is an error and never a plausible number."""

import re
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import Array, Case, cases, sample

NAMES = ("prediction", "target")
# Each loss and side once, by what its domain is.
SIDES = {
    f"{case.id}-{NAMES[side]}": (case, side)
    for case in cases()
    if case.kind == "numbers"
    for side in (0, 1)
    if np.isfinite(case.loss()._checked_domains()[side]).any()
}
each_side = pytest.mark.parametrize("key", SIDES)


def wrong_numbers(case: Case, side: int, dtype: Any) -> list[float]:
    """The numbers next to the ends of the domain, and far away from them."""
    low, high = case.loss()._checked_domains()[side]
    below, above = (
        np.nextafter(dtype(low), dtype(-np.inf)),
        np.nextafter(dtype(high), dtype(np.inf)),
    )
    if low > float(dtype(low)):
        below = dtype(low)
    wrong = [float(below), -1e30, -np.inf] if np.isfinite(low) else []
    return wrong + ([float(above), 1e30, np.inf] if np.isfinite(high) else [])


def spoiled(case: Case, side: int, dtype: Any, n: int, at: int, number: float) -> list[Array]:
    data = list(sample(case, dtype, n))
    data[side][at] = number
    return data


@each_side
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_outside_is_named(key: str, dtype: Any, level: str) -> None:
    case, side = SIDES[key]
    loss = case.loss()
    for number in wrong_numbers(case, side, dtype):
        data = spoiled(case, side, dtype, 70, 41, number)
        said = re.escape(f"got {float(data[side][41])} at position 41") + "$"
        said = f"^{NAMES[side]} must hold (numbers|probabilities) in .*{said}"
        for call in (loss, loss.value_and_grad, loss.grad_and_hess, loss.partial):
            with pytest.raises(ValueError, match=said):
                call(*data)
        with pytest.raises(ValueError, match=said):
            loss.hvp(*data, np.ones(70))
    data[side][41] = np.nan
    assert np.isnan(loss(*data))


@each_side
def test_wherever_it_is(key: str, level: str) -> None:
    """At any place of tiles, chunks and layouts, with any number of threads."""
    case, side = SIDES[key]
    loss = case.loss()
    number = wrong_numbers(case, side, np.float64)[1]
    for n, at in [(1, 0), (31, 30), (512, 511), (513, 512), (70_000, 0), (70_000, 69_999)]:
        data = spoiled(case, side, np.float64, n, at, number)
        for threads in (1, 3):
            with pytest.raises(ValueError, match=rf"{NAMES[side]}.* position {at}$"):
                loss.value_and_grad(*data, n_threads=threads)
    data = spoiled(case, side, np.float64, 60, 37, number)
    folded = [array.reshape(6, 10, order="F")[:, ::2] for array in data]
    with pytest.raises(ValueError, match=rf"{NAMES[side]}.* position \(1, 3\)$"):
        loss(*folded)
    with pytest.raises(ValueError, match=rf"{NAMES[side]}.* position 37$"):
        loss(data[0].astype(np.float32), data[1])


@each_side
def test_nothing_is_written_in_place(key: str) -> None:
    case, side = SIDES[key]
    number = wrong_numbers(case, side, np.float64)[0]
    prediction, target = spoiled(case, side, np.float64, 70, 41, number)
    before = prediction.copy()
    with pytest.raises(ValueError, match=NAMES[side]):
        case.loss().value_and_grad(prediction, target, out=prediction)
    np.testing.assert_array_equal(prediction, before)


def test_intervals_say_whether_an_end_belongs_to_them() -> None:
    with pytest.raises(ValueError, match=r"^prediction must hold probabilities in \[0, 1\], got 2"):
        fl.LogLoss()(2.0, 1)
    with pytest.raises(ValueError, match=r"^target must hold numbers in \[0, inf\], got -1 at"):
        fl.Poisson()([0.0], [-1])
