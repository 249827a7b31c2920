"""Every way to ask gives the same bits; reductions, weights, denominators and partial sums."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import (
    CLASSES,
    DTYPES,
    MODES,
    REDUCTIONS,
    Array,
    Case,
    cases,
    default_cases,
    sample,
    sample_weight,
)

pytestmark = pytest.mark.usefixtures("level")

CASES = cases()
all_cases = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
every_loss = pytest.mark.parametrize(
    "case", default_cases(), ids=[case.id for case in default_cases()]
)
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
all_reductions = pytest.mark.parametrize("reduction", REDUCTIONS)

N = 1300  # more than one tile, and not a whole number of them


def same_bits(one: Any, other: Any) -> None:
    if one is not None and other is not None:
        assert np.asarray(one).dtype == np.asarray(other).dtype
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@all_dtypes
@all_cases
def test_modes_agree(case: Case, dtype: Any) -> None:
    data = sample(case, dtype, N)
    weights = (None, sample_weight(N, dtype))
    for weight, reduction in itertools.product(weights, REDUCTIONS):
        options = {"weight": weight, "reduction": reduction}
        everything = MODES["value_grad_hess"](case.loss(), *data, **options)
        for mode in MODES.values():
            found = mode(case.loss(), *data, **options)
            for one, other in zip(found, everything, strict=True):
                same_bits(one, other)
                if one is not None and np.ndim(one):
                    assert one.dtype == dtype
                    assert one.flags.c_contiguous
                    assert one.flags.writeable


@all_reductions
@every_loss
def test_a_reduction_of_the_object_is_one_of_the_call(case: Case, reduction: str) -> None:
    data = sample(case, np.float32, 50)
    by_object = case.loss(reduction=reduction).value_grad_hess(*data)
    by_call = case.loss().value_grad_hess(*data, reduction=reduction)
    for one, other in zip(by_object, by_call, strict=True):
        same_bits(one, other)


@every_loss
def test_a_reduced_value_is_a_float(case: Case) -> None:
    data = sample(case, np.float32, 50)
    loss = case.loss()
    assert type(loss(*data)) is float
    assert type(loss.value_and_grad(*data)[0]) is float
    assert type(loss.value_grad_hess(*data, reduction="sum")[0]) is float
    rows = loss(*data, reduction="none")
    assert rows.shape == (50,)
    assert rows.dtype == np.float32


@all_dtypes
@all_reductions
@every_loss
def test_out_is_what_would_be_allocated(case: Case, reduction: str, dtype: Any) -> None:
    prediction, target = sample(case, dtype, N)
    data = (prediction, target, sample_weight(N, dtype))
    loss = case.loss(reduction=reduction)

    def new(*shapes: tuple[int, ...]) -> list[Array]:
        return [np.full(shape, np.nan, dtype) for shape in shapes]

    (rows,) = new((N,))
    gradient, hessian = new(prediction.shape, prediction.shape)
    expected = loss.value_grad_hess(*data)
    same_bits(loss.grad(*data, out=gradient), expected[1])
    same_bits(gradient, expected[1])
    gradient, hessian = new(prediction.shape, prediction.shape)
    found = loss.grad_and_hess(*data, out=(gradient, hessian))
    assert found[0] is gradient
    assert found[1] is hessian
    same_bits(gradient, expected[1])
    same_bits(hessian, expected[2])

    gradient, hessian = new(prediction.shape, prediction.shape)
    if reduction == "none":
        assert loss.value(*data, out=rows) is rows
        same_bits(rows, expected[0])
        (rows,) = new((N,))
        value, slope = loss.value_and_grad(*data, out=(rows, gradient))
        assert value is rows
    else:
        value, slope = loss.value_and_grad(*data, out=gradient)
    assert slope is gradient
    same_bits(value, expected[0])
    same_bits(gradient, expected[1])

    gradient, hessian = new(prediction.shape, prediction.shape)
    (rows,) = new((N,))
    out = (rows, gradient, hessian) if reduction == "none" else (gradient, hessian)
    value, slope, bend = loss.value_grad_hess(*data, out=out)
    assert slope is gradient
    assert bend is hessian
    same_bits(value, expected[0])
    same_bits(gradient, expected[1])
    same_bits(hessian, expected[2])


@all_dtypes
@every_loss
def test_reductions_are_sums_of_the_rows(case: Case, dtype: Any) -> None:
    data = (*sample(case, dtype, N), sample_weight(N, dtype))
    loss = case.loss()
    rows, gradient, hessian = loss.value_grad_hess(*data, reduction="none")
    total, summed_gradient, summed_hessian = loss.value_grad_hess(*data, reduction="sum")
    # A row is rounded to the dtype before it leaves, the sum is not: each row is half an ulp off.
    room = 2 * float(np.finfo(dtype).eps * abs(rows).sum(dtype=np.float64))
    assert total == pytest.approx(rows.sum(dtype=np.float64), abs=room)
    same_bits(summed_gradient, gradient)
    same_bits(summed_hessian, hessian)
    partial = loss.partial(*data)
    assert partial.total == total
    mean, mean_gradient, mean_hessian = loss.value_grad_hess(*data)
    assert mean == pytest.approx(partial.mean, rel=1e-15)
    for one, other in [(mean_gradient, gradient), (mean_hessian, hessian)]:
        # What cancels is as good as the larger numbers beside it.
        expected, eps = other / partial.weight, np.finfo(dtype).eps
        np.testing.assert_allclose(one, expected, 4 * eps, 4 * eps * abs(expected).max())


@all_dtypes
@every_loss
def test_denominator(case: Case, dtype: Any) -> None:
    data = (*sample(case, dtype, N), sample_weight(N, dtype))
    loss = case.loss()
    total, gradient, hessian = loss.value_grad_hess(*data, reduction="sum")
    value, slope, bend = loss.value_grad_hess(*data, denominator=64)
    assert value == total / 64
    # A power of two changes no digit but those of a subnormal, which is rounded once more.
    room = 2 * float(np.finfo(dtype).smallest_subnormal)
    for one, other in [(slope, gradient), (bend, hessian)]:
        np.testing.assert_allclose(one, other / dtype.type(64), rtol=0, atol=room)
    for denominator in (0.7, np.float32(3), np.int64(7)):
        value, slope = loss.value_and_grad(*data, denominator=denominator)
        assert value == pytest.approx(total / float(denominator), rel=1e-15)
        expected = gradient / float(denominator)
        np.testing.assert_allclose(slope, expected, rtol=4 * np.finfo(dtype).eps, atol=room)
    for wrong in (0, -1.0, np.nan, 10**400, True):
        with pytest.raises((ValueError, TypeError), match="denominator"):
            loss(*data, denominator=wrong)
    for reduction in ("sum", "none"):  # which do not divide
        with pytest.raises(ValueError, match="denominator"):
            loss(*data, denominator=2, reduction=reduction)
    with pytest.raises(TypeError, match="denominator"):
        loss(*data, denominator="7")


@every_loss
def test_weight_multiplies(case: Case) -> None:
    """A power of two as weight changes the exponent alone; 0 leaves nothing."""
    data = sample(case, np.float32, N)
    weight = np.exp2(np.arange(N) % 7 - 3).astype(np.float32)
    weight[::10] = 0
    loss = case.loss(reduction="none")
    for plain, weighted in zip(
        loss.value_grad_hess(*data), loss.value_grad_hess(*data, weight), strict=True
    ):
        columns = weight.reshape(N, *[1] * (plain.ndim - 1))
        np.testing.assert_array_equal(weighted, plain * columns)


@every_loss
def test_a_weight_counts_as_often_as_it_says(case: Case) -> None:
    prediction, target = sample(case, np.float64, 40)
    weight = np.arange(40) % 4
    repeated = np.repeat(prediction, weight, 0), np.repeat(target, weight, 0)
    loss = case.loss()
    assert loss(prediction, target, weight) == pytest.approx(loss(*repeated), rel=1e-14)


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3)])
@every_loss
def test_a_weight_of_the_leading_axis(case: Case, shape: tuple[int, ...]) -> None:
    n = int(np.prod(shape))
    prediction, target = sample(case, np.float64, n)
    target = target.reshape(shape + target.shape[1:])
    prediction = prediction.reshape(shape + prediction.shape[1:])
    if case.of_rows:
        prediction = np.moveaxis(prediction, -1, case.axis)
        target = np.moveaxis(target, -1, case.axis) if target.ndim == prediction.ndim else target
    weight = sample_weight(6, np.float64)
    full = np.broadcast_to(weight.reshape(6, *[1] * (len(shape) - 1)), shape)
    loss = case.loss()
    by_axis = loss.value_grad_hess(prediction, target, weight)
    in_full = loss.value_grad_hess(prediction, target, full)
    for one, other in zip(by_axis, in_full, strict=True):
        same_bits(one, other)
    assert by_axis[1].shape == prediction.shape


@every_loss
def test_weights_that_sum_to_nothing(case: Case) -> None:
    data = sample(case, np.float64, 40)
    value, gradient, hessian = case.loss().value_grad_hess(*data, np.zeros(40))
    assert np.isnan(value)
    np.testing.assert_array_equal(gradient, 0)
    np.testing.assert_array_equal(hessian, 0)
    assert case.loss()(*data, np.zeros(40), reduction="sum") == 0


@all_dtypes
@every_loss
def test_partial_sums_merge(case: Case, dtype: Any) -> None:
    prediction, target = sample(case, dtype, N)
    weight = sample_weight(N, dtype)
    loss = case.loss()
    whole = loss.partial(prediction, target, weight)
    edges = [0, 1, 300, 811, 812, N]
    parts = [
        loss.partial(prediction[a:b], target[a:b], weight[a:b])
        for a, b in itertools.pairwise(edges)
    ]
    merged = sum(parts[1:], start=parts[0])
    for partial in (merged, sum(parts), sum(parts, start=fl.Partial(0.0, 0.0, 0))):
        assert partial.total == pytest.approx(whole.total, rel=1e-13)
        assert partial.weight == pytest.approx(whole.weight, rel=1e-13)
        assert partial.count == whole.count
        assert partial.mean == pytest.approx(loss(prediction, target, weight), rel=1e-13)
    total, weight_sum, count = whole
    assert (total, weight_sum, count) == (whole.total, whole.weight, whole.count)
    assert [type(number) for number in whole] == [float, float, int]
    assert whole.mean == loss(prediction, target, weight)
    assert pickle.loads(pickle.dumps(whole)) == whole
    assert np.isnan(fl.Partial(0.0, 0.0, 0).mean)


@every_loss
def test_partial_ignores_the_reduction(case: Case) -> None:
    data = sample(case, np.float64, 40)
    assert case.loss(reduction="none").partial(*data) == case.loss().partial(*data)


@every_loss
def test_partial_counts_rows(case: Case) -> None:
    prediction, target = sample(case, np.float64, 40)
    kept = 40
    if "ignore_index" in {**case.loss_class.__dataclass_fields__} and case.kind == "labels":
        kept = int((target != -100).sum())
    partial = case.loss().partial(prediction, target)
    assert partial.count == kept
    assert partial.weight == kept


def test_class_weights_are_in_the_divisor() -> None:
    """As PyTorch: the mean of labels is divided by the weights of the labels."""
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(9, CLASSES)), random.integers(0, CLASSES, 9)
    weight = np.arange(1.0, CLASSES + 1)
    loss = fl.CrossEntropy(class_weight=weight, label_smoothing=0.25)
    partial = loss.partial(logits, labels)
    assert partial.weight == weight[labels].sum()
    assert loss(logits, labels) == pytest.approx(partial.total / weight[labels].sum())
    probabilities = np.eye(CLASSES)[labels]
    assert loss.partial(logits, probabilities).weight == 9


@pytest.mark.parametrize("wrong", ["average", "", "MEAN", 3, b"mean"])
@every_loss
def test_a_wrong_reduction_is_named(case: Case, wrong: Any) -> None:
    data = sample(case, np.float64, 4)
    with pytest.raises((ValueError, TypeError), match="reduction"):
        case.loss()(*data, reduction=wrong)
    with pytest.raises((ValueError, TypeError), match="reduction"):
        case.loss_class(reduction=wrong)
