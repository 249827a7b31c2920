"""Every instruction-set level gives the same results within a few ulp, and can be forced."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from accuracy import LEVEL_ULPS, ulp_distance
from cases import DTYPES, Case, cases, sample, sample_weight
from fastloss import kernels
from mpmath_truth import Sum
from test_values import numbers, truth

CASES = cases()
LEVELS = kernels.levels()


def test_there_are_levels() -> None:
    assert LEVELS
    assert len(set(LEVELS)) == len(LEVELS)


@pytest.mark.skipif(len(LEVELS) < 2, reason="one level")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_levels_agree(case: Case, dtype: Any) -> None:
    n = 3001
    data = (*sample(case, dtype, n), sample_weight(n, dtype))
    results = []
    for level in LEVELS:
        with kernels.use_level(level):
            results.append(case.loss(reduction="none").value_grad_hess(*data))
    for other in results[1:]:
        for order, (ulps, one, two) in enumerate(
            zip(LEVEL_ULPS[dtype], results[0], other, strict=True)
        ):
            # Sums that cancel are as good as the larger results beside them.
            scale = abs(one) + np.mean(abs(one))
            distance = ulp_distance(two, one, scale)
            if not case.of_rows:
                assert distance.max() <= ulps
                continue
            # So are they beside the terms that they are made of.
            for row in np.unique(np.nonzero(distance > ulps)[0]):
                point, goal = next(numbers(case, data[0][row, None], data[1][row, None]))
                sums = truth(case, dtype, point, goal)[order]
                terms = [float(x.scale) for x in ([sums] if isinstance(sums, Sum) else sums)]
                known = np.reshape(terms, one[row].shape) * data[2][row]
                assert (ulp_distance(two[row], one[row], known) <= ulps).all()


@pytest.mark.parametrize("level", LEVELS)
def test_a_loss_keeps_its_level(level: str) -> None:
    """A loss made under a level uses it later on, and a new one does not."""
    x = np.linspace(-5, 5, 4099, dtype=np.float32)
    with kernels.use_level(level):
        inside = fl.BinaryCrossEntropy()
        expected = inside.grad(x, np.ones_like(x))
    np.testing.assert_array_equal(inside.grad(x, np.ones_like(x)), expected)
    default = fl.BinaryCrossEntropy().grad(x, np.ones_like(x))
    with kernels.use_level(LEVELS[-1]):
        np.testing.assert_array_equal(fl.BinaryCrossEntropy().grad(x, np.ones_like(x)), default)


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ValueError, match=LEVELS[0]), kernels.use_level("v9"):
        pass


SCRIPT = """
import numpy as np
import fastloss as fl
x = np.linspace(-5, 5, 4099, dtype=np.float32)
print(fl.BinaryCrossEntropy().grad(x, np.ones_like(x)).tobytes().hex())
"""


def run(level: str | None, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "FASTLOSS_ISA"}
    if level is not None:
        environment["FASTLOSS_ISA"] = level
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("level", LEVELS)
def test_a_forced_level(level: str) -> None:
    x = np.linspace(-5, 5, 4099, dtype=np.float32)
    with kernels.use_level(level):
        expected = fl.BinaryCrossEntropy().grad(x, np.ones_like(x)).tobytes().hex()
    forced = run(level)
    assert forced.returncode == 0, forced.stderr
    assert forced.stdout.strip() == expected
    shown = run(level, "import fastloss; fastloss.show_config()")
    assert shown.returncode == 0, shown.stderr
    assert level in shown.stdout


def test_the_best_level_is_the_default() -> None:
    assert run(None).stdout == run(LEVELS[-1]).stdout


@pytest.mark.parametrize("wrong", ["v9", "avx2", "V3", "3"])
def test_a_wrong_level_raises(wrong: str) -> None:
    result = run(wrong)
    assert result.returncode != 0
    assert "FASTLOSS_ISA" in result.stderr
    assert wrong in result.stderr
