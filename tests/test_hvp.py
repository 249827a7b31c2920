"""The product of the Hessian and a vector: right, symmetric, linear, and the diagonal's kin."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf  # type: ignore[import-untyped]

import fastloss as fl
from accuracy import LEVEL_ULPS, ULPS, assert_true, ulp_distance
from cases import (
    DTYPES,
    REDUCTIONS,
    Array,
    Case,
    cases,
    default_cases,
    exact,
    rows,
    sample,
    sample_weight,
)
from fastloss import kernels, reference
from mpmath_truth import Sum, Truth
from test_values import numbers, truth

CASES = {case.id: case for case in cases()}
EXACT = [name for name, case in CASES.items() if case.exact_hessian]
ROWS = [
    name
    for name, case in CASES.items()
    if case.of_rows and case.kind != "parameters" and not case.parameters
]
every_case = pytest.mark.parametrize("name", CASES, ids=list(CASES))
every_loss = pytest.mark.parametrize("case", default_cases(), ids=lambda case: case.id)
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def vector(shape: tuple[int, ...], dtype: Any, seed: int = 5) -> Array:
    return exact(np.random.default_rng(seed).normal(size=shape), dtype)


def scales(known: list[Truth]) -> Array:
    """The sizes of the terms that each entry of the diagonal is made of."""
    return np.array([[float(one.scale) for one in row.hessian] for row in known])


def terms_of(case: Case, dtype: Any, prediction: Array, target: Array) -> Callable[[Array], Array]:
    """A function of rows: the sizes of the terms that each entry of their diagonal is made of."""

    def terms(chosen: Array) -> Array:
        pairs = numbers(case, prediction[chosen], target[chosen])
        return scales([truth(case, dtype, *pair) for pair in pairs])

    return terms


def assert_within(
    found: Array, expected: Array, scale: Array, ulps: float, terms: Callable[[Array], Array]
) -> None:
    """What is not close by itself is, beside the terms that it is made of, which take long."""
    scale = np.broadcast_to(scale, found.shape)
    far = np.unique(np.nonzero(ulp_distance(found, expected, scale) > ulps)[0])
    if far.size:
        scale = np.maximum(scale[far], terms(far))
        assert ulp_distance(found[far], expected[far], scale).max() <= ulps


@cache
def truths(name: str, dtype: Any) -> tuple[Array, Array, Array, list[Sum]]:
    """Predictions, targets, v, and differences of the truth's gradient."""
    case = CASES[name]
    prediction, target = sample(case, dtype, 4 if case.of_rows else 12)
    v = vector(prediction.shape, dtype)
    products = []
    step = mpf(10) ** -10
    for (point, goal), direction in zip(numbers(case, prediction, target), v.tolist(), strict=True):
        if not case.of_rows:
            hessian = truth(case, dtype, point, goal).hessian[0]
            factor = mpf(direction)
            products.append(Sum(hessian.exact * factor, hessian.scale * abs(factor), hessian.floor))
            continue
        columns = []
        for j in range(len(point)):
            slope = [mpf(0)] * len(point)
            for steps, coefficient in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
                moved = [*point[:j], point[j] + steps * step, *point[j + 1 :]]
                for k, one in enumerate(truth(case, dtype, moved, goal).gradient):
                    slope[k] += coefficient * one.exact / (12 * step)
            columns.append(slope)
        # The rounding of z - max(z) reaches every probability as an error of |z - max(z)| ulp.
        noise = 1 + max(point) - min(point)
        # A row of the Hessian is made of the terms of its diagonal, which may cancel.
        sizes = [one.scale * max(map(abs, direction)) for one in truth(case, dtype, point, goal)[2]]
        for k in range(len(point)):
            terms = [columns[j][k] * mpf(direction[j]) for j in range(len(point))]
            # Differences of fifty digits with such a step have some thirty after the point.
            scale = noise * mp.fsum(abs(x) for x in terms) + mpf(10) ** -23
            scale = max(scale, sizes[k])
            products.append(Sum(mp.fsum(terms), scale))
    return prediction, target, v, products


@all_dtypes
@pytest.mark.parametrize("name", EXACT, ids=EXACT)
def test_truth(name: str, dtype: Any, level: str) -> None:
    prediction, target, v, products = truths(name, dtype)
    found = CASES[name].loss(reduction="none").hvp(prediction, target, v)
    assert found.dtype == dtype
    assert_true(found, products, ULPS[dtype].hessian, dtype, range(found.size))


@every_case
def test_reference(name: str, level: str) -> None:
    case = CASES[name]
    prediction, target = sample(case, np.float64, 60)
    v, weight = vector(prediction.shape, np.float64), sample_weight(60, np.float64)
    for reduction in REDUCTIONS:
        loss = case.loss(reduction=reduction)
        found = loss.hvp(prediction, target, v, weight)
        expected = reference.hvp(loss, prediction, target, v, weight)
        room = {"rtol": 1e-11, "atol": 1e-12 * abs(expected).max()}
        if case.of_rows:
            # Differences across a kink, which are not the same with another step, say nothing.
            near = reference.hvp(loss, prediction, target, v, weight, step=2.0**-12)
            smooth = np.isclose(expected, near, **room).all(-1)
            assert smooth.mean() > 0.75
            found, expected = found[smooth], expected[smooth]
        np.testing.assert_allclose(found, expected, **room, err_msg=reduction)


@every_case
def test_symmetric_and_linear(name: str, level: str) -> None:
    case = CASES[name]
    prediction, target = sample(case, np.float64, 50)
    loss = case.loss(reduction="none")
    u, v = (vector(prediction.shape, np.float64, seed) for seed in (1, 2))
    by_u, by_v = loss.hvp(prediction, target, u), loss.hvp(prediction, target, v)
    room = 1e-13 * (1 + abs(by_u).max() + abs(by_v).max())
    assert np.sum(u * by_v) == pytest.approx(np.sum(v * by_u), abs=50 * room)
    both = loss.hvp(prediction, target, 2 * u - 3 * v)
    np.testing.assert_allclose(both, 2 * by_u - 3 * by_v, rtol=0, atol=50 * room)
    np.testing.assert_array_equal(loss.hvp(prediction, target, 0 * v), 0)


@all_dtypes
@every_case
def test_a_unit_vector_gives_the_diagonal(name: str, dtype: Any, level: str) -> None:
    case = CASES[name]
    prediction, target = sample(case, dtype, 70)
    loss = case.loss(reduction="none")
    hessian = loss.grad_and_hess(prediction, target)[1]
    if not case.of_rows:
        product = loss.hvp(prediction, target, np.ones_like(prediction))
        np.testing.assert_array_equal(product, hessian)
        return
    found = np.empty_like(hessian)
    for k in range(prediction.shape[-1]):
        unit = np.zeros_like(prediction)
        unit[:, k] = 1
        found[:, k] = loss.hvp(prediction, target, unit)[:, k]
    scale = abs(hessian) + np.median(abs(hessian), axis=-1, keepdims=True)
    terms = terms_of(case, dtype, prediction, target)
    assert_within(found, hessian, scale, ULPS[dtype].hessian, terms)


@all_dtypes
@pytest.mark.parametrize("name", ROWS, ids=ROWS)
def test_rows_of_any_length(name: str, dtype: Any, level: str) -> None:
    """Extreme rows, along them and across them."""
    case = CASES[name]
    loss = case.loss(reduction="none")
    ulps = ULPS[dtype].hessian
    for prediction, target in rows(case, dtype):
        terms = terms_of(case, dtype, prediction, target)
        hessian = loss.grad_and_hess(prediction, target)[1]
        for k in {0, prediction.shape[1] - 1}:
            unit = np.zeros_like(prediction)
            unit[:, k] = 1
            along = loss.hvp(prediction, target, unit)
            scale = abs(hessian) + np.median(abs(hessian), axis=1, keepdims=True)
            diagonal = np.where(unit == 1, along, hessian)
            assert_within(diagonal, hessian, scale, ulps, terms)
            across = loss.hvp(np.asfortranarray(prediction), target, np.asfortranarray(unit))
            scale = abs(along) + abs(along).max(1, keepdims=True)
            assert_within(across, along, scale, ulps, terms)


@all_dtypes
@every_loss
def test_levels_agree(case: Case, dtype: Any) -> None:
    prediction, target = sample(case, dtype, 1301)
    v = vector(prediction.shape, dtype)
    results = []
    for level in kernels.levels():
        with kernels.use_level(level):
            results.append(case.loss(reduction="none").hvp(prediction, target, v))
    for other in results[1:]:
        scale = abs(results[0]) + np.median(abs(results[0]))
        ulps = 4 * LEVEL_ULPS[dtype].hessian
        if case.of_rows:
            terms = terms_of(case, dtype, prediction, target)
            assert_within(other, results[0], scale, ulps, terms)
        else:
            assert ulp_distance(other, results[0], scale).max() <= ulps


@all_dtypes
@every_loss
def test_threads_types_and_layouts(case: Case, dtype: Any) -> None:
    n = 20_011
    prediction, target = sample(case, dtype, n)
    weight, v = sample_weight(n), vector(prediction.shape, dtype)
    loss = case.loss()
    expected = loss.hvp(prediction, target, v, weight)
    assert expected.flags.c_contiguous
    with kernels.force_threads(True):
        for n_threads in (1, 2, 7):
            found = loss.hvp(prediction, target, v, weight, n_threads=n_threads)
            np.testing.assert_array_equal(found, expected)
    layouts = (np.asfortranarray, lambda x: np.repeat(x, 2, -1)[..., ::2], lambda x: x[::-1])
    for layout in layouts:
        moved = layout(v)[::-1] if layout is layouts[-1] else layout(v)
        np.testing.assert_array_equal(loss.hvp(prediction, target, moved, weight), expected)
    for other in (np.float64, np.dtype(np.float64).newbyteorder()):
        found = loss.hvp(prediction, target, v.astype(other), weight)
        np.testing.assert_array_equal(found, expected)
    whole = np.round(4 * v)
    found = loss.hvp(prediction, target, whole.astype(np.int8), weight)
    np.testing.assert_array_equal(found, loss.hvp(prediction, target, whole, weight))
    if case.loss().prediction_domain == (-np.inf, np.inf):
        half = loss.hvp(prediction.astype(np.float16), target, v, weight)
        assert half.dtype == np.float16


@every_loss
def test_out_and_reductions(case: Case) -> None:
    prediction, target = sample(case, np.float64, 1300)
    v, weight = vector(prediction.shape, np.float64), sample_weight(1300, np.float64)
    loss = case.loss()
    one_by_one = loss.hvp(prediction, target, v, weight, reduction="none")
    np.testing.assert_array_equal(
        loss.hvp(prediction, target, v, weight, reduction="sum"), one_by_one
    )
    np.testing.assert_array_equal(
        loss.hvp(prediction, target, v, weight, denominator=64), one_by_one / 64
    )
    mean = loss.hvp(prediction, target, v, weight)
    divisor = loss.partial(prediction, target, weight).weight
    size = abs(one_by_one / divisor).max()
    np.testing.assert_allclose(mean, one_by_one / divisor, rtol=1e-14, atol=1e-15 * size)
    out = np.empty_like(prediction)
    assert loss.hvp(prediction, target, v, weight, out=out) is out
    np.testing.assert_array_equal(out, mean)
    place = prediction.copy()
    loss.hvp(place, target, v, weight, out=place)
    np.testing.assert_array_equal(place, mean)


@every_loss
def test_errors(case: Case) -> None:
    prediction, target = sample(case, np.float64, 8)
    loss = case.loss()
    with pytest.raises(ValueError, match="v must have the prediction's shape"):
        loss.hvp(prediction, target, np.ones(3))
    with pytest.raises(TypeError, match="v must"):
        loss.hvp(prediction, target, None)
    v = np.ones_like(prediction)
    with pytest.raises(ValueError, match="out must not share memory with v"):
        loss.hvp(prediction, target, v, out=v)


def test_ignored_rows_are_exact_zeros(level: str) -> None:
    loss = fl.CrossEntropy()
    for classes in (3, 200):
        prediction, v = np.full((4, classes), np.nan), np.full((4, classes), np.nan)
        prediction[:2], v[:2] = 1, 2
        product = loss.hvp(prediction, [0, 1, -100, -100], v)
        np.testing.assert_array_equal(product, 0)


# The whole Hessian of a row, packed.

PACKED = [
    case
    for case in cases()
    if case.of_rows and not case.loss_class.classwise and case.kind != "parameters"
    and case.loss_class.class_axis == "always"
    and case.loss_class.kernel != "negative_log_likelihood"
]  # fmt: skip


@all_dtypes
@pytest.mark.parametrize("case", PACKED, ids=lambda case: case.id)
def test_packed_hessian(case: Case, dtype: Any, level: str) -> None:
    prediction, target = sample(case, dtype, 40)
    weight = sample_weight(40, dtype)
    loss = case.loss()
    gradient, packed = loss.grad_and_packed_hess(prediction, target, weight)
    # Along rows, whatever shape a gradient alone would be computed in.
    room = 16 * float(np.finfo(dtype).eps)
    alone = loss.grad(prediction, target, weight)
    np.testing.assert_allclose(gradient, alone, rtol=room, atol=room * abs(alone).max())
    classes = prediction.shape[1]
    rows, columns = np.tril_indices(classes)
    assert packed.dtype == dtype
    assert packed.shape == (40, len(rows))
    whole = np.zeros((40, classes, classes), dtype)
    whole[:, rows, columns] = whole[:, columns, rows] = packed
    size = abs(whole).max(axis=(1, 2))[:, None]
    terms = terms_of(case, dtype, prediction, target)

    def weighted(chosen: Array) -> Array:
        return terms(chosen).max(-1, keepdims=True) * weight[chosen, None]

    for k in range(classes):
        unit = np.zeros_like(prediction)
        unit[:, k] = 1
        product = loss.hvp(prediction, target, unit, weight)
        assert_within(product, whole[..., k], size, 2 * ULPS[dtype].hessian, weighted)


@pytest.mark.parametrize("case", [c for c in PACKED if not c.parameters], ids=lambda case: case.id)
def test_packed_types_layouts_and_threads(case: Case) -> None:
    prediction, target = sample(case, np.float64, 3011)
    loss = case.loss(reduction="sum")
    gradient, packed = loss.grad_and_packed_hess(prediction, target)
    out = (np.empty_like(gradient), np.empty(packed.shape, order="F"))
    found = loss.grad_and_packed_hess(prediction, target, out=out)
    assert found[0] is out[0]
    assert found[1] is out[1]
    np.testing.assert_array_equal(found[1], packed)
    with kernels.force_threads(True):
        found = loss.grad_and_packed_hess(np.asfortranarray(prediction), target, n_threads=3)
    np.testing.assert_array_equal(found[0], gradient)
    np.testing.assert_array_equal(found[1], packed)
    half = loss.grad_and_packed_hess(prediction.astype(np.float16), target)
    single = loss.grad_and_packed_hess(prediction.astype(np.float16).astype(np.float32), target)
    np.testing.assert_array_equal(half[1], single[1].astype(np.float16))
    inner = case.loss_class(axis=1)
    images = prediction[:3000].reshape(1000, 3, -1).swapaxes(1, 2)
    goals = target[:3000].reshape(1000, 3, *target.shape[1:])
    goals = goals if target.ndim == 1 else goals.swapaxes(1, 2)
    found = inner.grad_and_packed_hess(images, goals, reduction="sum")
    np.testing.assert_array_equal(found[1].reshape(3000, -1), packed[:3000])


def test_packed_errors() -> None:
    loss = fl.CrossEntropy()
    prediction = np.zeros((4, 3))
    with pytest.raises(TypeError, match=r"Huber has no Hessian over classes.*hvp"):
        fl.Huber().grad_and_packed_hess(prediction, prediction)
    with pytest.raises(ValueError, match=r"out must be a tuple of two"):
        loss.grad_and_packed_hess(prediction, [0, 1, 2, 0], out=prediction)
    with pytest.raises(ValueError, match=r"out\[1\] must have shape \(4, 6\)"):
        loss.grad_and_packed_hess(prediction, [0, 1, 2, 0], out=(prediction, prediction))
    packed = np.zeros((4, 6))
    with pytest.raises(ValueError, match=r"out\[1\] must not share memory with prediction"):
        loss.grad_and_packed_hess(packed[:, :3], [0, 1, 2, 0], out=(prediction, packed))
    packed[...] = np.nan
    prediction[1] = np.nan
    _, packed = loss.grad_and_packed_hess(prediction, [0, -100, 2, 0], out=(prediction, packed))
    np.testing.assert_array_equal(packed[1], 0)
    assert np.isfinite(packed).all()
