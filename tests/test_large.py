"""Sizes: none, one, around a tile and a chunk, primes, and more than 2^31."""

import math
import mmap
import sys
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, Array, Case, default_cases, sample, sample_weight

CASES = default_cases()
every_loss = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])

SIZES = (0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 511, 512, 513, 1023, 1025, 4099, 8191, 8193)
LARGEST = 16_411


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_loss
def test_every_size(case: Case, dtype: Any, level: str) -> None:
    """An element's bits do not depend on where it stands or on what follows it."""
    prediction, target = sample(case, dtype, LARGEST)
    weight = sample_weight(LARGEST, dtype)
    loss = case.loss()
    whole = loss.value_grad_hess(prediction, target, weight, reduction="none")
    for n in SIZES:
        data = prediction[:n], target[:n], weight[:n]
        rows = loss.value_grad_hess(*data, reduction="none")
        for part, everything in zip(rows, whole, strict=True):
            np.testing.assert_array_equal(part, everything[:n])
        total, weight_sum, _ = loss.partial(*data)
        size = float(abs(rows[0]).sum(dtype=np.float64))
        expected = math.fsum(rows[0].tolist())
        # The rows were rounded to the dtype on their way out, the sum was not.
        assert total == pytest.approx(expected, rel=1e-12, abs=size * float(np.finfo(dtype).eps))
        plain = loss.value(prediction[:n], target[:n], reduction="none")
        expected = math.fsum(plain.tolist())
        size = float(abs(plain).sum(dtype=np.float64))
        room = size * float(np.finfo(dtype).eps)
        total = loss.value(prediction[:n], target[:n], reduction="sum")
        assert total == pytest.approx(expected, rel=1e-12, abs=room)
        if case.kind != "labels":
            assert weight_sum == pytest.approx(math.fsum(weight[:n].tolist()), rel=1e-12)
    # ... nor on where it starts.
    for start in (1, 7, 31, 33):
        data = prediction[start:], target[start:], weight[start:]
        rows = loss.value_grad_hess(*data, reduction="none")
        for part, everything in zip(rows, whole, strict=True):
            np.testing.assert_array_equal(part, everything[start:])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_long_sum_keeps_its_digits(dtype: Any, level: str) -> None:
    """In float64 whatever the dtype: a float32 sum would stand still at 2^24."""
    n = 20_000_003
    ones = np.ones(n, dtype)
    total, weight, count = fl.AbsoluteError().partial(ones, np.zeros(n, np.int8))
    assert (total, weight, count) == (n, n, n)
    tenth = np.full(n, 0.1, dtype)
    value = fl.AbsoluteError()(tenth, np.zeros(n, np.int8))
    assert value == pytest.approx(float(tenth[0]), rel=1e-14)


# More than 2^31 elements without the memory: pages of a private map that nobody has written to
# are all the one page of zeros.

N = 2**31 + 11
linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or sys.maxsize < 2**40, reason="needs 64-bit Linux"
)


def zeros(n: int, dtype: Any) -> Array:
    no_reserve = 0x4000
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
    size = n * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size, flags, mmap.PROT_READ | mmap.PROT_WRITE), dtype)


@linux
def test_more_elements_than_an_int_counts() -> None:
    prediction = zeros(N, np.float32)
    target = zeros(N, np.int8)
    prediction[-1] = 3
    target[2**31] = -4
    partial = fl.SquaredError().partial(prediction, target)
    assert tuple(partial) == (9.0 + 16.0, N, N)


@linux
def test_more_bytes_than_an_int_counts() -> None:
    """Strided, converted, and weighted."""
    n = 2**28 + 11
    wide = zeros(2 * n, np.int64)
    prediction = wide[::-2]  # 4 GiB from end to end, and backwards
    prediction[-1] = 3
    prediction[2**28 + 1] = 2
    weight = zeros(n, np.int8)
    weight[-1] = 5
    weight[2**28 + 1] = 7
    total, weight_sum, count = fl.AbsoluteError().partial(prediction, zeros(n, np.int8), weight)
    assert (total, weight_sum, count) == (5 * 3 + 7 * 2, 12, n)


@linux
def test_labels_beyond_an_int() -> None:
    """Checked before anything else, and looked for without a copy of all of them."""
    labels = zeros(N, np.int8)
    labels[-2] = 2
    logits = zeros(2 * N, np.int8).reshape(N, 2)
    with pytest.raises(IndexError, match=rf"\b2\b.*{N - 2}"):
        fl.CrossEntropy()(logits, labels)


@linux
def test_rows_beyond_an_int() -> None:
    rows, classes = 2**27 + 5, 17
    logits = zeros(rows * classes, np.float32).reshape(rows, classes)
    labels = zeros(rows, np.int8)
    logits[-1, 3] = 1
    labels[-1] = 3
    logits[-2] = -np.inf
    labels[-2] = -100
    total, weight, count = fl.CrossEntropy().partial(logits, labels)
    assert (weight, count) == (rows - 1, rows - 1)
    last = math.log(classes - 1 + math.e) - 1
    single = np.float32(math.log(classes))
    # Each row's value is a float32, within the table's ulp of log 17; their sum is exact enough
    # to tell one row more from one row less.
    one = fl.CrossEntropy()(logits[:1], labels[:1])
    assert one == pytest.approx(single, rel=1e-6)
    assert total == pytest.approx(one * (rows - 2) + last, rel=1e-11)


@linux
def test_a_row_beyond_an_int() -> None:
    """2^31 bytes in one row of classes that lie far apart."""
    logits = zeros(2**31 + 2**20, np.float32)[:: 2**15][None]
    logits[0, -1] = 1
    n = logits.shape[1]
    value = fl.CrossEntropy()(logits, [n - 1])
    assert value == pytest.approx(math.log(n - 1 + math.e) - 1, rel=1e-6)
