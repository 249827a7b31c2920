"""Beside other runtimes in one process nothing hangs, and nothing gets much slower than alone."""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastloss as fl
from fastloss.kernels import driver

# How each starts its threads.
STARTS = {
    "fastloss": "import fastloss; fastloss.LogCosh()(X, Y)",
    "torch": "import torch; torch.mm(torch.ones(600, 600), torch.ones(600, 600))",
    "jax": "import jax, jax.numpy as jnp; (jnp.ones((600, 600)) @ jnp.ones((600, 600))).sum()",
    "lightgbm": "import lightgbm; lightgbm.train(dict(verbose=-1, num_leaves=4), "
    "lightgbm.Dataset(X[:9000].reshape(-1, 3), Y[:3000]), 3)",
}
HEAD = """
import time
import numpy as np
random = np.random.default_rng(0)
X, Y = (random.normal(size=400_000).astype(np.float32) for _ in range(2))
"""
MEASURE = """
import fastloss as fl
jobs = [
    (fl.LogCosh(), X, Y),
    (fl.CrossEntropy(), X.reshape(-1, 10), np.arange(40_000) % 10),
]
best = []
for loss, *data in jobs:
    times = []
    for _ in range(30):
        start = time.perf_counter()
        loss.value_and_grad(*data)
        times.append(time.perf_counter() - start)
    best.append(min(times))
print(*best)
"""
FRAMEWORKS = [name for name in STARTS if name == "fastloss" or importlib.util.find_spec(name)]
ORDERS = [list(order) for order in itertools.permutations(FRAMEWORKS, 2) if "fastloss" in order]


def run(program: str, **environment: str) -> list[float]:
    result = subprocess.run(
        [sys.executable, "-c", HEAD + program],
        env={**os.environ, "PYTHONPATH": str(Path(fl.__file__).parent.parent), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [float(word) for word in result.stdout.split()]


@pytest.mark.skipif(len(FRAMEWORKS) == 1, reason="framework missing: torch, jax or lightgbm")
@pytest.mark.parametrize("order", [*ORDERS, FRAMEWORKS, FRAMEWORKS[::-1]], ids="-".join)
def test_beside(order: list[str]) -> None:
    """Whoever starts first, and with the others' threads awake between our calls."""
    alone = run(MEASURE)
    starts = "\n".join(STARTS[name] for name in order)
    beside = run(f"{starts}\n{starts}\n{MEASURE}")
    for a, b in zip(alone, beside, strict=True):
        assert b < 10 * a


LIMITED = """
import os
from threadpoolctl import threadpool_limits
import fastloss as fl
from fastloss.kernels import driver

def running():
    return len(os.listdir("/proc/self/task"))

before = running()
with threadpool_limits(1):
    limited = driver.max_threads()
    value = fl.LogCosh()(X, Y)
    within = running() - before
same = value == fl.LogCosh()(X, Y)
print(limited, within, driver.max_threads(), int(same))
"""


@pytest.mark.skipif(not driver.openmp(), reason="no OpenMP")
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no /proc")
def test_threadpoolctl() -> None:
    """Its limit is fastloss's while it lasts; the value does not notice."""
    pytest.importorskip("threadpoolctl")
    assert run(LIMITED, OMP_NUM_THREADS="3", FASTLOSS_NUM_THREADS="3") == [1, 0, 3, 1]
