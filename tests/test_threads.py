"""The same bits for any number of threads, from any number of callers, and after a fork."""

import contextlib
import ctypes
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, Case, default_cases, sample, sample_weight
from fastloss import kernels
from fastloss.kernels import driver

CASES = default_cases()
every_loss = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
N = 100_003  # several chunks, and a prime


def bits(results: tuple[Any, ...]) -> tuple[bytes, ...]:
    return tuple(np.asarray(result).tobytes() for result in results)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "none"])
@every_loss
def test_any_number_of_threads(case: Case, reduction: str, dtype: Any, level: str) -> None:
    n = N if not case.of_rows else N // 10
    data = (*sample(case, dtype, n), sample_weight(n))
    loss = case.loss(reduction=reduction)
    expected = bits(loss.value_grad_hess(*data, n_threads=1))
    with kernels.force_threads(True):
        for n_threads in (1, 2, 3, 7, 64, 7, 2):
            assert bits(loss.value_grad_hess(*data, n_threads=n_threads)) == expected
        partial = loss.partial(*data, n_threads=1)
        assert loss.partial(*data, n_threads=5) == partial
    assert bits(loss.value_grad_hess(*data)) == expected
    assert bits(loss.value_grad_hess(*data, n_threads=2)) == expected


@every_loss
def test_more_threads_than_elements(case: Case) -> None:
    for n in (0, 1, 2, 63):
        data = sample(case, np.float32, n)
        expected = bits(case.loss().value_grad_hess(*data, n_threads=1))
        with kernels.force_threads(True):
            assert bits(case.loss().value_grad_hess(*data, n_threads=64)) == expected


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2"])
@every_loss
def test_wrong_numbers_of_threads(case: Case, wrong: Any) -> None:
    data = sample(case, np.float32, 4)
    with pytest.raises((ValueError, TypeError), match="n_threads"):
        case.loss()(*data, n_threads=wrong)


def test_many_python_threads_at_once() -> None:
    jobs = []
    for case in CASES:
        data = sample(case, np.float32, 20_011)
        loss = case.loss()
        jobs.append((loss, data, bits(loss.value_grad_hess(*data))))
    wrong: list[str] = []
    start = threading.Barrier(8)

    def work(first: int) -> None:
        start.wait()
        for turn in range(3 * len(jobs)):
            loss, data, expected = jobs[(first + turn) % len(jobs)]
            try:
                if bits(loss.value_grad_hess(*data, n_threads=1 + turn % 3)) != expected:
                    wrong.append(repr(loss))
            except Exception as error:
                wrong.append(repr(error))

    callers = [threading.Thread(target=work, args=(first,)) for first in range(8)]
    with kernels.force_threads(True):
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert not wrong


def test_one_out_per_thread_of_one_loss() -> None:
    """The object holds no scratch memory that two callers could share."""
    loss, errors = fl.BinaryCrossEntropy(), []
    logits = np.linspace(-5, 5, 5000, dtype=np.float32)

    def work(label: int) -> None:
        target = np.full(5000, label % 2, np.float32)
        out, expected = np.empty_like(logits), loss.grad(logits, target)
        for _ in range(200):
            loss.grad(logits, target, out=out)
            if not np.array_equal(out, expected):
                errors.append(label)

    callers = [threading.Thread(target=work, args=(label,)) for label in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not errors


def _in_child(queue: Any, data: Any) -> None:
    with kernels.force_threads(True):
        queue.put(bits(fl.BinaryCrossEntropy().value_grad_hess(*data, n_threads=4)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_threads() -> None:
    """libgomp hangs in a forked child of a process that has used it."""
    case = next(case for case in CASES if case.loss_class is fl.BinaryCrossEntropy)
    data = sample(case, np.float32, N)
    with kernels.force_threads(True):
        expected = bits(fl.BinaryCrossEntropy().value_grad_hess(*data, n_threads=4))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_in_child, args=(queue, data)) for _ in range(2)]
    for child in children:
        child.start()
    try:
        for _ in children:
            assert queue.get(timeout=30) == expected
    finally:
        for child in children:
            child.join(timeout=5)
            child.kill()
    with kernels.force_threads(True):  # and the parent goes on with threads
        assert bits(fl.BinaryCrossEntropy().value_grad_hess(*data, n_threads=4)) == expected


SCRIPT = """
import numpy as np, os, threading
import fastloss as fl
def running():
    return len(os.listdir("/proc/self/task"))
before = running()
x = np.linspace(-3, 3, 3_000_000, dtype=np.float32)
print(repr(fl.BinaryCrossEntropy()(x, np.ones_like(x))), running() - before)
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_NUM_THREADS", "FASTLOSS_NUM_THREADS")
    }
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


FOREIGN_TEAM = """
#include <omp.h>
int run(void (*call)(int), int threads)
{
    int members = 0;
    #pragma omp parallel num_threads(threads) reduction(+:members)
    {
        call(omp_get_thread_num());
        members = 1;
    }
    return members;
}
"""


@pytest.mark.parametrize("levels", ["1", "2"])
def test_callers_in_a_team_of_their_own(tmp_path: Path, levels: str) -> None:
    """Members of somebody else's OpenMP team may call, whether or not teams may nest."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not driver.openmp() or compiler is None:
        pytest.skip("no OpenMP, or no compiler to make a team with")
    (tmp_path / "team.c").write_text(FOREIGN_TEAM)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-fopenmp", "team.c", "-o", "team.so"],
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    program = """
import ctypes, sys
import numpy as np
import fastloss as fl
from fastloss import kernels

team = ctypes.CDLL(sys.argv[1])
random = np.random.default_rng(0)
jobs = [
    (fl.BinaryCrossEntropy(), random.normal(size=50_000), np.ones(50_000)),
    (fl.CrossEntropy(), random.normal(size=(9_000, 10)), random.integers(0, 10, 9_000)),
    (fl.CrossEntropy(), random.normal(size=(60, 1_500)), random.integers(0, 1_500, 60)),
]
alone = [loss.value_and_grad(*data, n_threads=1) for loss, *data in jobs]
wrong, calls = [], []

@ctypes.CFUNCTYPE(None, ctypes.c_int)
def call(member):
    for (loss, *data), (value, gradient) in zip(jobs, alone):
        found = loss.value_and_grad(*data, n_threads=2)
        calls.append(member)
        if found[0] != value or found[1].tobytes() != gradient.tobytes():
            wrong.append((type(loss).__name__, member))

with kernels.force_threads(True):
    for _ in range(5):
        assert team.run(call, 3) == 3
assert len(calls) == 45 and set(calls) == {0, 1, 2}, calls
assert not wrong, wrong
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "team.so")],
        env={**os.environ, "OMP_MAX_ACTIVE_LEVELS": levels},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no /proc")
def test_environment() -> None:
    """OMP_NUM_THREADS and FASTLOSS_NUM_THREADS bound the threads; the value does not notice."""
    parallel = run(OMP_NUM_THREADS="3")
    assert parallel.returncode == 0, parallel.stderr
    value, extra = parallel.stdout.split()
    for environment in [
        {"OMP_NUM_THREADS": "1"},
        {"FASTLOSS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "3", "FASTLOSS_NUM_THREADS": "1"},
    ]:
        serial = run(**environment)
        assert serial.returncode == 0, serial.stderr
        assert serial.stdout.split() == [value, "0"], environment
    if driver.openmp():
        assert int(extra) == 2
        bounded = run(OMP_NUM_THREADS="3", FASTLOSS_NUM_THREADS="2")
        assert bounded.stdout.split() == [value, "1"]


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5"])
def test_a_wrong_environment_is_named(wrong: str) -> None:
    result = run(FASTLOSS_NUM_THREADS=wrong)
    assert result.returncode != 0
    assert "FASTLOSS_NUM_THREADS" in result.stderr


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="sets x86's MXCSR")
@pytest.mark.skipif(sys.platform == "win32", reason="finds the functions in the C library")
def test_the_floating_point_state_of_others(level: str) -> None:
    """Another library flushes subnormal numbers to zero: the same bits, and its state is kept."""
    loss = fl.SquaredError(reduction="none")
    small = np.float32(2.0**-140)
    for n in (5, 100_000):
        prediction, target = np.full(n, small), np.zeros(n, np.float32)
        with flushed_to_zero():
            assert small * np.ones(1, np.float32) == 0
            flushed = [loss.grad(prediction, target, n_threads=k) for k in (1, 2)]
            assert small * np.ones(1, np.float32) == 0
        for gradient in flushed:
            assert (gradient == 2 * small).all()


@contextlib.contextmanager
def flushed_to_zero() -> Iterator[None]:
    library = ctypes.CDLL(None)
    before, flushing = (ctypes.c_ubyte * 32)(), (ctypes.c_ubyte * 32)()
    library.fegetenv(before)
    # The last of the eight words of an x86-64 fenv_t is MXCSR; bits 15 and 6 are FTZ and DAZ.
    ctypes.memmove(flushing, before, 32)
    words = ctypes.cast(flushing, ctypes.POINTER(ctypes.c_uint32))
    words[7] |= 0x8040
    library.fesetenv(flushing)
    try:
        yield
    finally:
        library.fesetenv(before)
