"""Large results take over the memory of dead ones, and nobody notices but the clock."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from fastloss.kernels import driver

N = 1_000_003
LOSS = fl.SquaredError()


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    before = fl.set_cache_limit(0)
    fl.set_cache_limit(before)
    yield
    fl.set_cache_limit(before)


def arrays(seed: int = 0, n: int = N) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.normal(size=n), random.normal(size=n)


def test_a_dead_result_makes_room() -> None:
    data = arrays()
    expected = LOSS.grad(*data, out=np.empty(N))
    gradient = LOSS.grad(*data)
    address = gradient.ctypes.data
    assert gradient.flags.owndata
    assert address % 64 == 0
    assert driver.cache_use()[0] == 0
    other = LOSS.grad(*data)
    assert other.ctypes.data != address
    del gradient
    assert driver.cache_use()[0] == 8 * N
    again = LOSS.grad(*data)
    assert again.ctypes.data == address
    assert driver.cache_use()[0] == 0
    for result in (other, again):
        np.testing.assert_array_equal(result, expected)


def test_every_kind_of_result() -> None:
    data = arrays()
    for _ in range(3):
        results = LOSS.value_grad_hess(*data, reduction="none")
        for found, truth in zip(
            results,
            LOSS.value_grad_hess(*data, reduction="none", out=tuple(np.empty((3, N)))),
            strict=True,
        ):
            np.testing.assert_array_equal(found, truth)
        del results, found
        assert driver.cache_use()[0] == 3 * 8 * N
    fortran = np.asfortranarray(data[0][:-3].reshape(1000, 1000))
    gradient = LOSS.grad(fortran, fortran)
    assert gradient.flags.f_contiguous


def test_a_block_of_another_size_is_left_alone() -> None:
    del_me = LOSS.grad(*arrays())
    address = del_me.ctypes.data
    del del_me
    small = LOSS.grad(*arrays(n=N // 2))
    assert small.ctypes.data != address
    assert driver.cache_use()[0] == 8 * N
    # A little smaller is near enough.
    assert LOSS.grad(*arrays(n=N - 1000)).ctypes.data == address


def test_the_limit_holds() -> None:
    fl.set_cache_limit(20 * N)
    held = [LOSS.grad(*arrays()) for _ in range(4)]
    held.clear()
    assert driver.cache_use() == (16 * N, 20 * N)
    assert fl.set_cache_limit(8 * N - 1) == 20 * N
    assert driver.cache_use()[0] == 0
    held = [LOSS.grad(*arrays()) for _ in range(2)]
    held.clear()
    assert driver.cache_use()[0] == 0


def test_more_blocks_than_are_kept() -> None:
    data = arrays(n=200_000)
    held = [LOSS.grad(*data) for _ in range(40)]
    held.clear()
    assert 0 < driver.cache_use()[0] <= 40 * 8 * 200_000
    np.testing.assert_array_equal(LOSS.grad(*data), LOSS.grad(*data, out=np.empty(200_000)))


def test_arrays_may_be_resized() -> None:
    data = arrays()
    expected = LOSS.grad(*data, out=np.empty(N))
    gradient = LOSS.grad(*data)
    gradient.resize(2 * N, refcheck=False)
    np.testing.assert_array_equal(gradient[:N], expected)
    assert not gradient[N:].any()
    gradient.resize(10, refcheck=False)
    np.testing.assert_array_equal(gradient, expected[:10])
    gradient.resize(N, refcheck=False)
    del gradient
    np.testing.assert_array_equal(LOSS.grad(*data), expected)


def test_small_results_are_numpys() -> None:
    data = arrays(n=1000)
    gradient = LOSS.grad(*data)
    del gradient
    assert driver.cache_use()[0] == 0


def test_many_threads() -> None:
    data = [arrays(seed, 150_000 + 1000 * seed) for seed in range(4)]
    expected = [LOSS.grad(*d, out=np.empty(d[0].size)) for d in data]
    wrong = []

    def work(i: int) -> None:
        for k in range(50):
            j = (i + k) % 4
            if not np.array_equal(LOSS.grad(*data[j]), expected[j]):
                wrong.append(j)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("wrong", "error"), [(-1, ValueError), (1.5, TypeError), ("2", TypeError), (True, TypeError)]
)
def test_wrong_limits(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="limit"):
        fl.set_cache_limit(wrong)


def environment(limit: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", "import fastloss as fl; print(fl.set_cache_limit(0))"],
        env={**os.environ, "FASTLOSS_CACHE_LIMIT": limit},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_environment_sets_the_limit() -> None:
    assert environment("12345").stdout.split() == ["12345"]
    assert environment("0").stdout.split() == ["0"]
    wrong = environment("much")
    assert wrong.returncode != 0
    assert "FASTLOSS_CACHE_LIMIT" in wrong.stderr
