"""Cross entropy: labels, class weights, smoothing, the class axis, and the contract of its edges.

The edge cases are PyTorch's where it has an answer, and mended where it has none: an ignored row
is never read, 0 * log 0 = 0, and a mean of nothing leaves a gradient of exact zeros.
"""

from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import DTYPES, Array
from fastloss.reference import evaluate

pytestmark = pytest.mark.usefixtures("level")
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
INF, NAN = np.inf, np.nan


def logits_and_labels(
    n: int = 70, classes: int = 7, dtype: Any = np.float32, seed: int = 0
) -> tuple[Array, Array]:
    random = np.random.default_rng([seed, classes])
    return (3 * random.normal(size=(n, classes))).astype(dtype), random.integers(0, classes, n)


def agree(loss: Any, logits: Array, target: Any, weight: Any = None, **options: Any) -> None:
    precise = np.float64 if logits.dtype == np.float32 else np.longdouble
    rtol = 3e-6 if logits.dtype == np.float32 else 1e-14
    expected = evaluate(loss, logits, target, weight, dtype=precise, **options)
    actual = loss.value_grad_hess(logits, target, weight, **options)
    for found, truth in zip(actual, expected, strict=True):
        assert np.shape(found) == np.shape(truth)
        room = rtol * max(np.max(abs(truth), initial=0), 1e-3)
        np.testing.assert_allclose(found, truth, rtol=rtol, atol=room)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "float16", "float32", "float64", ">i4"])
@pytest.mark.parametrize("loss_class", [fl.CrossEntropy, fl.LogLoss])
def test_labels_of_every_dtype(loss_class: Any, dtype: str) -> None:
    logits, labels = logits_and_labels()
    prediction = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = labels % 2 if dtype == "bool" else labels
    expected = loss_class().value_grad_hess(prediction, labels)
    actual = loss_class().value_grad_hess(prediction, labels.astype(dtype))
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_ignore_index_in_every_dtype(dtype: str) -> None:
    """-100 has no place in an unsigned label, and then nothing is ignored."""
    logits, labels = logits_and_labels()
    labels[::3] = 5
    agree(fl.CrossEntropy(ignore_index=5), logits, labels.astype(dtype))
    agree(fl.CrossEntropy(), logits, labels.astype(dtype))
    if np.dtype(dtype).kind == "i":
        labels[::4] = -100
        agree(fl.CrossEntropy(), logits, labels.astype(dtype))


@pytest.mark.parametrize("ignore_index", [-(2**53), 2**53, 2**32, 2**31, -1, 255])
def test_any_ignore_index(ignore_index: int) -> None:
    logits, labels = logits_and_labels()
    labels[::3] = ignore_index
    value, gradient = fl.CrossEntropy(ignore_index=ignore_index).value_and_grad(logits, labels)
    labels[::3] = -100
    expected = fl.CrossEntropy().value_and_grad(logits, labels)
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])


@pytest.mark.parametrize("wrong", [0.5, NAN, INF, -0.25])
@pytest.mark.parametrize("loss_class", [fl.CrossEntropy, fl.LogLoss])
def test_labels_that_are_not_whole(loss_class: Any, wrong: float) -> None:
    labels = np.array([0.0, 1.0, wrong])
    with pytest.raises((ValueError, IndexError), match="2"):
        loss_class()(np.full((3, 2), 0.5), labels)


@pytest.mark.parametrize("mode", ["value", "grad", "value_grad_hess", "partial"])
@pytest.mark.parametrize("label", [7, -1, -99, 100, 2**31, 2**32, 2**40, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("loss_class", [fl.CrossEntropy, fl.LogLoss])
def test_a_label_out_of_range(loss_class: Any, label: int, mode: str) -> None:
    """Named with its position and the number of classes; 2^32 must not become 0."""
    logits, labels = logits_and_labels()
    labels[41] = label
    words = rf"{label}\b.*\b41\b.*\b7\b|{label}\b.*\b7\b.*\b41\b"
    with pytest.raises(IndexError, match=words):
        getattr(loss_class(), mode)(np.full_like(logits, 0.5), labels)


@pytest.mark.parametrize("label", [255, 128, 7])
def test_an_unsigned_label_out_of_range(label: int) -> None:
    logits, labels = logits_and_labels()
    labels = labels.astype(np.uint8)
    labels[3] = label
    with pytest.raises(IndexError, match=str(label)):
        fl.CrossEntropy()(logits, labels)
    for large in (2**64 - 1, 2**64 - 100, 2**63):
        with pytest.raises(IndexError, match=str(large)):
            fl.CrossEntropy()(logits, np.full(70, large, np.uint64))


def test_a_neighbour_of_a_large_ignore_index() -> None:
    """As doubles the two would be the same."""
    logits, labels = logits_and_labels()
    labels[41] = 2**53 + 1
    with pytest.raises(IndexError, match=str(2**53 + 1)):
        fl.CrossEntropy(ignore_index=2**53)(logits, labels)


def test_a_position_of_several_axes() -> None:
    logits = np.zeros((4, 3, 5, 6), np.float32)
    labels = np.zeros((4, 5, 6), np.int64)
    labels[2, 3, 1] = 3
    with pytest.raises(IndexError, match=r"2, 3, 1"):
        fl.CrossEntropy()(logits, labels)


@pytest.mark.parametrize("loss_class", [fl.CrossEntropy, fl.LogLoss])
def test_a_single_label_out_of_range(loss_class: Any) -> None:
    with pytest.raises(IndexError, match=r"\b3\b"):
        loss_class()(np.full(3, 0.5), 3)
    with pytest.raises(IndexError, match=r"-1\b"):
        loss_class()(np.full((1, 3), 0.5), np.array([-1]))


def test_labels_are_checked_before_anything_is_written() -> None:
    logits, labels = logits_and_labels(n=5000)
    labels[4999] = 7
    out = np.full_like(logits, 5)
    with pytest.raises(IndexError):
        fl.CrossEntropy().grad(logits, labels, out=out)
    np.testing.assert_array_equal(out, 5)


@all_dtypes
@pytest.mark.parametrize("classes", [*range(1, 41), 63, 64, 65, 100, 511, 512, 513, 1000, 4099])
def test_any_number_of_classes(classes: int, dtype: Any) -> None:
    for n in (1, 31, 64, 67):
        logits, labels = logits_and_labels(n, classes, dtype)
        agree(fl.CrossEntropy(), logits, labels, reduction="none")
        agree(fl.CrossEntropy(), np.asfortranarray(logits), labels)
    one_hot = np.eye(classes, dtype=dtype)[labels]
    agree(fl.CrossEntropy(), logits, one_hot)
    agree(fl.CrossEntropy(label_smoothing=0.1), logits, labels)


@all_dtypes
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("classes", [3, 50])
def test_weights_and_smoothing(
    classes: int, kind: str, weighted: bool, smoothing: float, dtype: Any
) -> None:
    logits, target = logits_and_labels(90, classes, dtype)
    random = np.random.default_rng(0)
    if kind == "labels":
        target[::7] = -100
    else:
        target = random.dirichlet(np.ones(classes), 90).astype(dtype)
    class_weight = random.uniform(0, 2, classes) if weighted else None
    loss = fl.CrossEntropy(class_weight=class_weight, label_smoothing=smoothing)
    for reduction in ("mean", "sum", "none"):
        agree(loss, logits, target, reduction=reduction)
        agree(loss, logits, target, random.random(90), reduction=reduction)


def test_worked_by_hand() -> None:
    """Two rows of equal logits: log 2 each, whatever the formula."""
    logits = np.zeros((2, 2))
    assert fl.CrossEntropy()(logits, [0, 1]) == np.log(2)
    assert fl.CrossEntropy(class_weight=[1, 3])(logits, [0, 1]) == pytest.approx(np.log(2))
    gradient = fl.CrossEntropy(class_weight=[1, 3]).grad(logits, [0, 1])
    np.testing.assert_allclose(gradient, [[-0.125, 0.125], [0.375, -0.375]])
    smooth = fl.CrossEntropy(label_smoothing=0.5, reduction="sum")
    np.testing.assert_allclose(smooth.grad(logits, [0, 1]), [[-0.25, 0.25], [0.25, -0.25]])
    # softmax([log 3, 0]) = [3/4, 1/4]
    np.testing.assert_allclose(
        fl.CrossEntropy(reduction="none")([[np.log(3), 0]] * 2, [0, 1]), np.log([4 / 3, 4])
    )


@all_dtypes
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4), (3, 5, 4, 7), (2, 40, 9), (2, 3, 130)])
def test_the_class_axis_anywhere(shape: tuple[int, ...], kind: str, dtype: Any) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=shape).astype(dtype)
    classes = shape[1]
    target: Array
    if kind == "labels":
        target = random.integers(0, classes, (shape[0], *shape[2:]))
    else:
        target = np.moveaxis(random.dirichlet(np.ones(classes), (shape[0], *shape[2:])), -1, 1)
        target = target.astype(dtype)
    weight = random.random(shape[0])
    agree(fl.CrossEntropy(), logits, target, weight)
    expected = fl.CrossEntropy().value_grad_hess(logits, target)
    for axis in (*range(len(shape)), *range(-len(shape), 0)):
        moved = np.moveaxis(logits, 1, axis)
        goal = target if kind == "labels" else np.moveaxis(target, 1, axis)
        for arrange in (np.asarray, np.ascontiguousarray, np.asfortranarray):
            loss = fl.CrossEntropy(axis=axis)
            value, gradient, hessian = loss.value_grad_hess(arrange(moved), arrange(goal))
            assert value == pytest.approx(expected[0], rel=10 * float(np.finfo(dtype).eps))
            for found, truth in [(gradient, expected[1]), (hessian, expected[2])]:
                assert found.shape == moved.shape
                np.testing.assert_allclose(
                    np.moveaxis(found, axis, 1),
                    truth,
                    rtol=40 * np.finfo(dtype).eps,
                    atol=4 * np.finfo(dtype).eps * abs(truth).max(),
                )


@all_dtypes
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("dimensions", [(3, 5000), (19, 3001), (130, 700), (200, 33)])
def test_rows_that_lie_nearer_than_classes(
    dimensions: tuple[int, int], kind: str, dtype: Any
) -> None:
    """Long runs of one class, of any stride, type and byte order, in inputs and outputs."""
    classes, n = dimensions
    random = np.random.default_rng(0)
    logits = random.normal(size=(n, classes)).astype(dtype)
    target: Array = random.integers(0, classes, n)
    if kind == "probabilities":
        target = random.dirichlet(np.ones(classes), n).astype(dtype)
    loss = fl.CrossEntropy()
    expected = loss.value_grad_hess(np.asfortranarray(logits), target)
    agree(loss, np.asfortranarray(logits), target)
    wide = np.zeros((classes, 2 * n), dtype).T
    wide[::2] = logits
    reverse = np.asfortranarray(logits[::-1])[::-1]
    swapped = np.asfortranarray(logits.astype(logits.dtype.newbyteorder(">")))
    for arranged in (wide[::2], reverse, swapped):
        for one, other in zip(loss.value_grad_hess(arranged, target), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5 if dtype == np.float32 else 1e-13)
    outs = np.zeros((n, classes), dtype), wide[::2]
    value, gradient, hessian = loss.value_grad_hess(np.asfortranarray(logits), target, out=outs)
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])
    np.testing.assert_array_equal(hessian, expected[2])
    np.testing.assert_array_equal(wide[1::2], 0)


@all_dtypes
@pytest.mark.parametrize("shape", [(700_000, 7), (9_000, 600), (7, 700_000)])
def test_outputs_beyond_the_caches(shape: tuple[int, int], dtype: Any) -> None:
    """They are written another way, at any alignment, with the same bits."""
    random = np.random.default_rng(0)
    axis = int(shape[0] > shape[1])
    logits = random.standard_normal(shape, np.float32).astype(dtype)
    labels = random.integers(0, shape[axis], shape[1 - axis])
    loss = fl.CrossEntropy(axis=axis, reduction="sum")
    half = [np.s_[:1000], np.s_[1000:2000]] if axis else [np.s_[:, :1000], np.s_[:, 1000:2000]]
    space = np.zeros(2 * logits.size + 3, dtype)
    outs = tuple(space[1 + i : 1 + i + logits.size].reshape(shape) for i in (0, logits.size + 1))
    _, gradient, hessian = loss.value_grad_hess(logits, labels, out=outs)
    for part, rows in zip(half, (np.s_[:1000], np.s_[1000:2000]), strict=True):
        some = loss.value_grad_hess(logits[part], labels[rows])
        np.testing.assert_array_equal(gradient[part], some[1])
        np.testing.assert_array_equal(hessian[part], some[2])
    assert space[0] == space[1 + logits.size] == space[-1] == 0


@pytest.mark.parametrize("loss_class", [fl.CrossEntropy, fl.LogLoss])
def test_the_class_axis_of_log_loss_and_one_row(loss_class: Any) -> None:
    random = np.random.default_rng(0)
    rows = random.dirichlet(np.ones(5), 6)
    labels = random.integers(0, 5, 6)
    expected = loss_class().grad(rows, labels)
    np.testing.assert_array_equal(loss_class(axis=0).grad(rows.T, labels), expected.T)
    np.testing.assert_array_equal(loss_class(axis=-1).grad(rows, labels), expected)
    one = loss_class().value_grad_hess(rows[0], labels[0])
    many = loss_class().value_grad_hess(rows[:1], labels[:1])
    assert one[0] == many[0]
    np.testing.assert_array_equal(one[1], many[1][0])
    np.testing.assert_array_equal(one[2], many[2][0])


@pytest.mark.parametrize("axis", [2, -3, 7])
@pytest.mark.parametrize("loss_class", [fl.CrossEntropy, fl.LogLoss])
def test_an_axis_that_is_not_there(loss_class: Any, axis: int) -> None:
    with pytest.raises((ValueError, IndexError), match="axis"):
        loss_class(axis=axis)(np.full((3, 4), 0.25), np.zeros(3, int))


def test_wrong_targets_are_named() -> None:
    logits = np.zeros((4, 3))
    with pytest.raises(TypeError, match=r"target.*(float|probabilit)"):
        fl.CrossEntropy()(logits, np.ones((4, 3), np.int64))
    for target in (np.zeros((4, 1), int), np.zeros(3, int), np.zeros((3, 4)), np.zeros((4, 3, 1))):
        with pytest.raises((ValueError, TypeError), match="target"):
            fl.CrossEntropy()(logits, target)
    for weight in ([1.0, 2.0], [1.0] * 4):
        with pytest.raises(ValueError, match=r"class_weight.*3"):
            fl.CrossEntropy(class_weight=weight)(logits, np.zeros(4, int))


# The table of edge cases. Rows of three classes.


def rows_of(*logits: list[float], dtype: Any) -> Array:
    return np.array(logits, dtype)


@all_dtypes
@pytest.mark.parametrize("n", [0, 1, 40])
@pytest.mark.parametrize("classes", [3, 50])
def test_all_ignored(classes: int, n: int, dtype: Any) -> None:
    logits, labels = np.full((n, classes), NAN, dtype), np.full(n, -100)
    empty: Any
    for empty, mean in [("nan", NAN), ("zero", 0.0)]:
        loss = fl.CrossEntropy(empty=empty)
        value, gradient, hessian = loss.value_grad_hess(logits, labels)
        np.testing.assert_equal(value, mean)
        np.testing.assert_array_equal(gradient, np.zeros((n, classes)))
        np.testing.assert_array_equal(hessian, np.zeros((n, classes)))
        assert loss(logits, labels, reduction="sum") == 0.0
        assert loss(logits, labels, denominator=3) == 0.0
        np.testing.assert_array_equal(loss(logits, labels, reduction="none"), np.zeros(n))
        assert tuple(loss.partial(logits, labels)) == (0.0, 0.0, 0)


@all_dtypes
def test_empty_batch_of_probabilities(dtype: Any) -> None:
    nothing = np.zeros((0, 3), dtype)
    assert np.isnan(fl.CrossEntropy()(nothing, nothing))
    assert fl.CrossEntropy(empty="zero")(nothing, nothing) == 0.0
    assert fl.CrossEntropy()(nothing, nothing, reduction="sum") == 0.0


@all_dtypes
@pytest.mark.parametrize("empty", ["nan", "zero"])
def test_kept_rows_of_no_weight(empty: Any, dtype: Any) -> None:
    logits = np.ones((2, 3), dtype)
    loss = fl.CrossEntropy(class_weight=[0.0, 1.0, 1.0], empty=empty)
    value, gradient = loss.value_and_grad(logits, [0, 0])
    assert np.isnan(value)
    np.testing.assert_array_equal(gradient, 0)


@all_dtypes
@pytest.mark.parametrize("classes", [3, 50])
def test_an_ignored_row_is_never_read(classes: int, dtype: Any) -> None:
    for poison in (NAN, INF, -INF):
        logits, labels = logits_and_labels(40, classes, dtype)
        labels[5] = -100
        expected = fl.CrossEntropy(label_smoothing=0.1).value_grad_hess(logits, labels)
        logits[5] = poison
        actual = fl.CrossEntropy(label_smoothing=0.1).value_grad_hess(logits, labels)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(one, other)
        assert not actual[1][5].any()
        assert not actual[2][5].any()


@all_dtypes
def test_minus_infinity_that_is_not_the_target(dtype: Any) -> None:
    logits = rows_of([-INF, 1, 2], dtype=dtype)
    value, gradient, hessian = fl.CrossEntropy().value_grad_hess(logits, [1])
    pair = fl.CrossEntropy().value_grad_hess(logits[:, 1:], [0])
    assert value == pytest.approx(pair[0], rel=4 * float(np.finfo(dtype).eps))
    assert gradient[0, 0] == hessian[0, 0] == 0
    np.testing.assert_allclose(gradient[0, 1:], pair[1][0], rtol=8 * np.finfo(dtype).eps)


@all_dtypes
def test_minus_infinity_at_the_target(dtype: Any) -> None:
    logits = rows_of([-INF, 1, 2], dtype=dtype)
    value, gradient, hessian = fl.CrossEntropy().value_grad_hess(logits, [0])
    assert value == INF
    assert gradient[0, 0] == -1
    assert hessian[0, 0] == 0
    assert np.isfinite(gradient).all()


@all_dtypes
def test_minus_infinity_with_smoothing(dtype: Any) -> None:
    logits = rows_of([-INF, 1, 2], dtype=dtype)
    value, gradient = fl.CrossEntropy(label_smoothing=0.1).value_and_grad(logits, [1])
    assert value == INF
    assert np.isfinite(gradient).all()


@all_dtypes
def test_a_row_of_minus_infinity(dtype: Any) -> None:
    logits = rows_of([-INF] * 3, [0, 1, 2], dtype=dtype)
    value, gradient = fl.CrossEntropy(reduction="none").value_and_grad(logits, [0, 1])
    assert np.isnan(value[0])
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(value[1])
    assert np.isfinite(gradient[1]).all()


@all_dtypes
@pytest.mark.parametrize("label", [0, 1])
def test_plus_infinity_is_nan(label: int, dtype: Any) -> None:
    assert np.isnan(fl.CrossEntropy()(rows_of([INF, 1, 2], dtype=dtype), [label]))


@all_dtypes
@pytest.mark.parametrize("classes", [3, 50])
def test_nan_in_a_kept_row(classes: int, dtype: Any) -> None:
    logits, labels = logits_and_labels(4, classes, dtype)
    for column in (0, classes - 1):
        logits[2, column] = NAN
        value, gradient = fl.CrossEntropy(reduction="none").value_and_grad(logits, labels)
        assert np.isnan(value).tolist() == [False, False, True, False]
        assert np.isnan(gradient[2]).all()
        assert np.isfinite(gradient[[0, 1, 3]]).all()


@all_dtypes
def test_probability_zero_of_minus_infinity(dtype: Any) -> None:
    logits = rows_of([-INF, 1, 2], dtype=dtype)
    target = np.array([[0, 0.25, 0.75]], dtype)
    value, gradient = fl.CrossEntropy().value_and_grad(logits, target)
    expected = fl.CrossEntropy().value_and_grad(logits[:, 1:], target[:, 1:])
    assert value == pytest.approx(expected[0], rel=4 * float(np.finfo(dtype).eps))
    assert gradient[0, 0] == 0
    assert fl.CrossEntropy()(logits, np.array([[0.5, 0.5, 0]], dtype)) == INF


@all_dtypes
def test_a_confident_row_keeps_its_digits(dtype: Any) -> None:
    """-log P is near exp(-30), far below the rounding of P itself."""
    logits = rows_of([30, 0, 0], [0, 40, 0], dtype=dtype)
    rest = 2 * np.exp([-30.0, -40.0])
    value, gradient = fl.CrossEntropy(reduction="none").value_and_grad(logits, [0, 1])
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, np.log1p(rest), rtol=rtol)
    np.testing.assert_allclose(gradient[[0, 1], [0, 1]], -rest / (1 + rest), rtol=rtol)


@all_dtypes
def test_logits_at_the_end_of_the_range(dtype: Any) -> None:
    far = np.finfo(dtype).max
    logits = rows_of([far, far, far], [far, -far, 0], dtype=dtype)
    value, gradient = fl.CrossEntropy(reduction="none").value_and_grad(logits, [0, 0])
    np.testing.assert_allclose(value, [np.log(3), 0], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(gradient[0], [-2 / 3, 1 / 3, 1 / 3], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(gradient[1], 0)


def test_half_precision_does_not_saturate() -> None:
    """A mean of many rows is as good as that of one."""
    logits = np.zeros((100_000, 2), np.float16)
    value = fl.CrossEntropy()(logits, np.zeros(100_000, np.int8))
    assert value == pytest.approx(np.log(2), rel=1e-7)


def test_labels_have_precedence_by_dimension() -> None:
    """Floats with an axis less are labels, as long as they are whole."""
    logits, labels = logits_and_labels()
    assert fl.CrossEntropy()(logits, labels.astype(float)) == fl.CrossEntropy()(logits, labels)


def test_log_loss_outside_of_its_domain() -> None:
    good = np.full(70, 0.5)
    for wrong in (-1e-9, 1.0000001, INF, -INF, 2.0):
        bad = good.copy()
        bad[41] = wrong
        with pytest.raises(ValueError, match=r"prediction.*41"):
            fl.LogLoss()(bad, np.ones(70))
        with pytest.raises(ValueError, match=r"target.*41"):
            fl.LogLoss()(good, bad)
        rows = np.full((70, 3), 0.5)
        rows[41, 2] = wrong
        with pytest.raises(ValueError, match=r"prediction.*41, 2"):
            fl.LogLoss()(rows, np.zeros(70, int))
    with pytest.raises(ValueError, match="prediction"):
        fl.LogLoss()(2.0, 1)
    with pytest.raises(ValueError, match="target"):
        fl.LogLoss()(0.5, -1)
    bad[41] = NAN
    assert np.isnan(fl.LogLoss()(bad, np.ones(70)))
    assert np.isnan(fl.LogLoss()(good, bad))
