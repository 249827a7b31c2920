"""The vector maths keeps its bounds: the sampled version of benchmarks/exhaustive_math.py."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastloss import kernels


def _exhaustive_math() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "exhaustive_math.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


exhaustive_math = _exhaustive_math()

SAMPLE = 300_000
each_function = pytest.mark.parametrize("name", exhaustive_math.FUNCTIONS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_level = pytest.mark.parametrize("level", kernels.levels())


def inputs(name: str, dtype: type[np.floating[Any]], size: int = SAMPLE) -> Any:
    return exhaustive_math.directed_inputs(name, dtype, size, seed=zlib.crc32(name.encode()))


def test_every_function_is_judged() -> None:
    assert set(exhaustive_math.FUNCTIONS) == set(kernels.vocabulary())
    assert set(SPECIAL_VALUES) == set(kernels.vocabulary())


@each_function
@pytest.mark.parametrize("dtype", list(exhaustive_math.WIDER))
def test_ulps(name: str, dtype: np.dtype[Any]) -> None:
    x = inputs(name, dtype.type)
    truth = exhaustive_math.true_values(name, x)
    for level in kernels.levels():
        errors = exhaustive_math.ulp_errors(kernels.vector_math(name, x, level=level), truth)
        worst, bound = int(np.argmax(errors)), exhaustive_math.bound(name, level)
        assert errors[worst] <= bound, f"{level}: {errors[worst]} ulp at {float(x[worst]).hex()}"


@each_function
@each_level
def test_ulps_of_mpmath(name: str, level: str) -> None:
    x = inputs(name, np.float64, 500)
    result = kernels.vector_math(name, x, level=level)
    bound = exhaustive_math.bound(name, level)
    for a, b in zip(x.tolist(), result.tolist(), strict=True):
        if np.isfinite([a, b]).all() and abs(b) < 1e308:
            assert exhaustive_math.mpmath_ulp_error(name, a, b) <= bound, a.hex()


INF, NAN = float("inf"), float("nan")
SPECIAL_VALUES = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1e5, INF), (-1e5, 0.0)],
    "exp_nonpositive": [(0.0, 1.0), (-0.0, 1.0), (-INF, 0.0), (-1e5, 0.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (1e5, INF), (-1e5, -1.0)],
    "expm1_nonpositive": [(-INF, -1.0), (-1e5, -1.0)],
    "log_nonnegative": [(0.0, -INF), (1.0, 0.0), (INF, INF)],
    "log_unit": [(1.0, 0.0)],
    "log1mexp": [],
    "log1p_nonnegative": [(0.0, 0.0), (INF, INF)],
    "log1p_nonpositive": [],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-1.5, NAN), (-INF, NAN)],
    "log1p_unit": [(0.0, 0.0)],
    "log1p_unit_deficit": [(0.0, 0.0)],
    "log_cosh_unit": [(0.0, 0.0)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e30, 1.0), (-1e30, -1.0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e30, 1.0), (-1e30, 0.0)],
    "softplus": [(INF, INF), (-INF, 0.0), (1e30, 1e30), (-1e30, 0.0)],
    "log_sigmoid": [(INF, -0.0), (-INF, -INF), (1e30, -0.0), (-1e30, -1e30)],
    "lgamma": [(0.0, INF), (1.0, 0.0), (2.0, 0.0), (INF, INF), (-1.5, NAN), (-INF, NAN)],
    "digamma": [(0.0, -INF), (INF, INF), (-1.5, NAN), (-INF, NAN)],
    "trigamma": [(0.0, INF), (INF, 0.0), (-1.5, NAN), (-INF, NAN)],
}


@each_function
@each_dtype
@each_level
def test_special_values(name: str, dtype: type[np.floating[Any]], level: str) -> None:
    x, expected = np.array([*SPECIAL_VALUES[name], (NAN, NAN)], dtype=dtype).T
    result = kernels.vector_math(name, x.copy(), level=level)
    np.testing.assert_array_equal(result, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("name", ["expm1", "log1p", "log1p_unit", "tanh"])
@each_dtype
@each_level
def test_a_tiny_input_is_its_own_answer(
    name: str, dtype: type[np.floating[Any]], level: str
) -> None:
    info = np.finfo(dtype)
    x = np.array([1, 3, 1001]) * info.smallest_subnormal
    x = np.concatenate([x, [info.tiny, 3 * info.tiny]]).astype(dtype)
    np.testing.assert_array_equal(kernels.vector_math(name, x, level=level), x)
    if name != "log1p_unit":
        np.testing.assert_array_equal(kernels.vector_math(name, -x, level=level), -x)


@each_function
@each_dtype
@each_level
def test_position_does_not_matter(name: str, dtype: type[np.floating[Any]], level: str) -> None:
    """The remainder of a loop, scalar or in narrower vectors, gives the bits of its body."""
    x = inputs(name, dtype, 800)[-64:]
    bits = np.dtype(f"u{x.itemsize}")
    whole = kernels.vector_math(name, x, level=level).view(bits)
    for start in range(len(x)):
        part = kernels.vector_math(name, x[start:].copy(), level=level).view(bits)
        np.testing.assert_array_equal(part, whole[start:])


@pytest.mark.skipif(not {"v3", "v4"} <= set(kernels.levels()), reason="needs two levels with FMA")
@each_function
@each_dtype
def test_levels_with_fma_agree_to_the_bit(name: str, dtype: type[np.floating[Any]]) -> None:
    x = inputs(name, dtype)
    v3, v4 = (kernels.vector_math(name, x, level=level) for level in ("v3", "v4"))
    same = (v3 == v4) & (np.signbit(v3) == np.signbit(v4))
    assert (same | (np.isnan(v3) & np.isnan(v4))).all()
