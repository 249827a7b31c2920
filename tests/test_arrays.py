"""Every dtype, layout, shape and overlap of the arrays, and clear words for the wrong ones."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastloss as fl
from accuracy import AGREEMENT
from cases import (
    DTYPES,
    Array,
    Case,
    cases,
    default_cases,
    sample,
    sample_weight,
    two_targets,
    types_of,
)
from fastloss import kernels
from fastloss.reference import evaluate

DEFAULT_CASES = default_cases()
every_loss = pytest.mark.parametrize("case", DEFAULT_CASES, ids=[case.id for case in DEFAULT_CASES])
numbers = pytest.mark.parametrize(
    "case",
    [case for case in DEFAULT_CASES if not case.of_rows],
    ids=[case.id for case in DEFAULT_CASES if not case.of_rows],
)
rows = pytest.mark.parametrize(
    "case",
    [case for case in DEFAULT_CASES if case.of_rows],
    ids=[case.id for case in DEFAULT_CASES if case.of_rows],
)
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
REALS = ["bool", *INTEGERS, "float16", "float32", "float64"]
N = 1100


def same(actual: Any, expected: Any) -> None:
    """Bit for bit, except that a NaN is a NaN."""
    for one, other in zip(actual, expected, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


def layouts(array: Array) -> Iterator[tuple[str, Array]]:
    """The same numbers in every kind of memory."""
    yield "C", np.array(array, order="C")
    yield "Fortran", np.array(array, order="F")
    wide = np.zeros([3 * size for size in array.shape], array.dtype)
    strided = wide[tuple(np.s_[1::3] for _ in array.shape)]
    strided[...] = array
    yield "strided", strided
    flip = tuple(np.s_[::-1] for _ in array.shape)
    yield "negative strides", np.ascontiguousarray(array[flip])[flip]
    yield "byte-swapped", array.astype(array.dtype.newbyteorder())
    raw = np.zeros(array.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(array.dtype).reshape(array.shape)
    misaligned[...] = array
    assert misaligned.itemsize == 1 or not misaligned.flags.aligned or array.size == 0
    yield "misaligned", misaligned
    record = np.zeros(array.shape, [("pad", np.uint8), ("number", array.dtype)])
    record["number"] = array
    yield "field of a record", record["number"]
    frozen = array.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    spaced = np.zeros((*array.shape, 2), array.dtype.newbyteorder())[..., 1]
    spaced[...] = array
    yield "strided and byte-swapped", spaced


@all_dtypes
@every_loss
def test_layouts(case: Case, dtype: Any, level: str) -> None:
    prediction, target = sample(case, dtype, N)
    weight = sample_weight(N, dtype)
    loss = case.loss()
    expected = loss.value_grad_hess(prediction, target, weight)
    for data, place in [(prediction, 0), (target, 1), (weight, 2)]:
        for name, layout in layouts(data):
            arguments = [prediction, target, weight]
            arguments[place] = layout
            before = layout.tobytes()
            found = loss.value_grad_hess(*arguments)
            assert layout.tobytes() == before, f"{name} {place} was written to"
            same(found, expected)
    combined = zip(layouts(prediction), layouts(target), layouts(weight), strict=True)
    for (_, one), (_, two), (_, three) in combined:
        same(loss.value_grad_hess(one, two, three), expected)


@all_dtypes
@every_loss
def test_layouts_of_out(case: Case, dtype: Any, level: str) -> None:
    prediction, target = sample(case, dtype, N)
    loss = case.loss(reduction="none")
    expected = loss.value_grad_hess(prediction, target)
    for name, _ in layouts(prediction):
        if "swapped" in name:
            continue  # a gradient has the prediction's dtype, in native order
        out = []
        for array in expected:
            # A record's or a strided array's gaps must stay as they are.
            layout = dict(layouts(np.full(array.shape, 7, dtype)))[name]
            if name == "read-only":
                layout = layout.copy()
            out.append(layout)
        found = loss.value_grad_hess(prediction, target, out=tuple(out))
        for given_, returned, truth in zip(out, found, expected, strict=True):
            assert returned is given_
            np.testing.assert_array_equal(returned, truth)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_loss
def test_streamed_outputs(case: Case, dtype: Any, level: str) -> None:
    n = 2 * 8192 + 512 + 32 + 5  # chunks, tiles, lanes, and a rest
    loss = case.loss()
    prediction, target = sample(case, dtype, n)
    for name, count in (("grad", 1), ("value_and_grad", 1), ("grad_and_hess", 2)):
        call = getattr(loss, name)
        expected = call(prediction, target)
        for skip in (0, 1, 3, 4, 16):
            # Lines of the cache, halves of them, and addresses that no wide store takes.
            space = [np.full(prediction.size + 32, 7, prediction.dtype) for _ in range(count)]
            outs = [s[skip : skip + prediction.size].reshape(prediction.shape) for s in space]
            with kernels.force_streaming():
                call(prediction, target, out=tuple(outs))
            for out, array in zip(outs, (expected if count == 2 else [expected]), strict=True):
                array = array[1] if isinstance(array, tuple) else array
                assert out.tobytes() == array.tobytes()
            for s in space:
                assert (s[:skip] == 7).all()
                assert (s[skip + prediction.size :] == 7).all()


def test_out_leaves_its_gaps_alone() -> None:
    prediction, target = np.linspace(-3, 3, 700), np.zeros(700)
    wide = np.full(2100, 7.0)
    fl.SquaredError().grad(prediction, target, out=wide[1::3])
    np.testing.assert_array_equal(wide[0::3], 7)
    np.testing.assert_array_equal(wide[2::3], 7)
    np.testing.assert_allclose(wide[1::3], 2 * prediction / 700)


@every_loss
def test_stride_zero(case: Case, level: str) -> None:
    prediction, target = sample(case, np.float32, 3)
    if case.kind == "labels":
        target[:] = 1
    for one in range(3):
        wide = [
            np.broadcast_to(array[one], (N, *array.shape[1:])) for array in (prediction, target)
        ]
        weight = np.broadcast_to(np.float32(2), (N,))
        expected = case.loss().value_grad_hess(*map(np.ascontiguousarray, (*wide, weight)))
        same(case.loss().value_grad_hess(*wide, weight), expected)


@all_dtypes
@every_loss
def test_dtypes_of_targets_and_weights(case: Case, dtype: Any, level: str) -> None:
    """0 and 1 exist in every dtype; whatever brings them, the bits are the same."""
    prediction, target = sample(case, dtype, N)
    pair = two_targets(case)
    whole = (
        np.where(np.arange(N) % 2 == 0, *pair[::-1]) if not case.target_has_axis else target > 0.3
    )
    weight = np.arange(N) % 3 == 0
    loss = case.loss()
    target_dtypes = types_of(
        pair, [*REALS, *(f">{name[0]}{np.dtype(name).itemsize}" for name in REALS[2:])]
    )
    if case.target_has_axis:  # else an integer target of the logits' shape is a mistake
        whole_type = case.kind == "label_lists"
        target_dtypes = [t for t in target_dtypes if (np.dtype(t).kind in "biu") == whole_type]
    expected = loss.value_grad_hess(prediction, whole.astype(target_dtypes[-1]), weight)
    for target_dtype in target_dtypes:
        given_ = whole.astype(target_dtype)
        same(loss.value_grad_hess(prediction, given_, weight), expected)
    for weight_dtype in REALS:
        given_ = weight.astype(weight_dtype)
        same(loss.value_grad_hess(prediction, whole.astype(target_dtypes[-1]), given_), expected)


@numbers
def test_every_mix_of_dtypes(case: Case, level: str) -> None:
    pair = two_targets(case)
    target = np.where(np.arange(70) % 2 == 0, *pair)
    weight = (np.arange(70) % 3 == 0) + 1
    for prediction_dtype in REALS:
        prediction = (np.arange(70) % 5 % 2).astype(prediction_dtype)
        wide = prediction if prediction.dtype.kind == "f" else prediction.astype(np.float64)
        loss = case.loss()
        expected = loss.value_grad_hess(wide, target.astype(wide.dtype), weight.astype(wide.dtype))
        for target_dtype in types_of(pair, REALS):
            for weight_dtype in ("bool", "int8", "uint64", "float16", "float32", "float64"):
                cast = weight.astype(weight_dtype)
                if weight_dtype == "bool":
                    cast, plain = weight > 0, np.ones(70)
                    expected_ = loss.value_grad_hess(wide, target, plain)
                    same(loss.value_grad_hess(prediction, target, cast), expected_)
                    continue
                found = loss.value_grad_hess(prediction, target.astype(target_dtype), cast)
                same(found, expected)


@numbers
def test_integer_predictions_have_float64_gradients(case: Case) -> None:
    for dtype in ["bool", *INTEGERS]:
        prediction = (np.arange(20) % 2).astype(dtype)
        value, gradient = case.loss().value_and_grad(prediction, np.ones(20, np.int8))
        assert gradient.dtype == np.float64
        wide = case.loss().value_and_grad(prediction.astype(np.float64), np.ones(20))
        same((value, gradient), wide)


def test_large_integers_arrive_whole() -> None:
    """Through float64, not through int32 or float32."""
    target = np.array([2**52 + 1, -(2**52) - 1], np.int64)
    np.testing.assert_array_equal(
        fl.AbsoluteError(reduction="none").value(np.zeros(2), target), [2.0**52 + 1] * 2
    )
    largest = np.array([2**64 - 1], np.uint64)
    assert fl.AbsoluteError()(np.zeros(1), largest) == 2.0**64


@numbers
def test_lists_and_scalars_are_arrays(case: Case) -> None:
    loss, pair = case.loss(), two_targets(case)
    same(
        loss.value_grad_hess([0.25, 0.5], list(pair), [1, 2]),
        loss.value_grad_hess(np.array([0.25, 0.5]), np.array(pair), np.array([1, 2])),
    )
    for n in (5_000, 70_000):  # and live for as long as they are needed
        arrays = [
            array.astype(np.float64) for array in (*sample(case, np.float32, n), sample_weight(n))
        ]
        expected = loss.value_grad_hess(*arrays, reduction="none")
        same(loss.value_grad_hess(*(a.tolist() for a in arrays), reduction="none"), expected)
    value, gradient = loss.value_and_grad(0.25, 1)
    assert np.shape(gradient) == ()
    one_value, one_gradient = loss.value_and_grad(np.array([0.25]), np.array([1]))
    assert value == one_value
    assert np.asarray(gradient).item() == one_gradient.item()


@all_dtypes
@numbers
def test_zero_dimensions(case: Case, dtype: Any) -> None:
    loss = case.loss()
    single = [np.array(number, dtype) for number in (0.25, 1, 2)]
    out = np.empty((), dtype)
    value, gradient = loss.value_and_grad(*single, out=out)
    assert gradient is out
    line = [array.reshape(1) for array in single]
    assert value == loss(*line)
    assert out == loss.grad(*line)[0]
    for result in loss.value_grad_hess(*single, reduction="none"):
        assert np.shape(result) == ()


@all_dtypes
@every_loss
def test_empty(case: Case, dtype: Any) -> None:
    target_dtype = np.int64 if "label" in case.kind else dtype
    for shape in [(0,), (0, 3)]:
        target_ = np.zeros(shape, target_dtype)
        prediction_ = np.zeros(shape, dtype)
        if case.of_rows:
            prediction_ = np.moveaxis(np.zeros((*shape, case.columns), dtype), -1, case.axis)
        if case.target_has_axis:
            target_ = prediction_.astype(target_dtype)
        loss = case.loss()
        value, gradient, hessian = loss.value_grad_hess(prediction_, target_)
        assert np.isnan(value)
        assert gradient.shape == hessian.shape == prediction_.shape
        assert gradient.dtype == dtype
        assert loss(prediction_, target_, reduction="sum") == 0.0
        assert loss(prediction_, target_, denominator=2) == 0.0
        assert loss(prediction_, target_, reduction="none").shape == shape
        assert tuple(loss.partial(prediction_, target_)) == (0.0, 0.0, 0)


@all_dtypes
@numbers
def test_shapes_do_not_matter(case: Case, dtype: Any, level: str) -> None:
    data = (*sample(case, dtype, 720), sample_weight(720, dtype))
    loss = case.loss()
    expected = loss.value_grad_hess(*data)
    for shape in [(720, 1), (1, 720), (8, 90), (2, 3, 4, 5, 6), (720, 1, 1)]:
        shaped = [array.reshape(shape) for array in data]
        found = loss.value_grad_hess(*shaped)
        assert found[1].shape == shape
        same((found[0], *(array.ravel() for array in found[1:])), expected)


@all_dtypes
@every_loss
def test_the_gradient_in_place_of_the_prediction(case: Case, dtype: Any, level: str) -> None:
    prediction, target = sample(case, dtype, N)
    weight = sample_weight(N, dtype)
    expected = case.loss().value_grad_hess(prediction, target, weight)
    for name, layout in layouts(prediction):
        if "swapped" in name:
            continue
        place = layout if layout.flags.writeable else layout.copy()
        found = case.loss().value_and_grad(place, target, weight, out=place)
        assert found[1] is place
        assert found[0] == expected[0]
        np.testing.assert_array_equal(place, expected[1])
    place, hessian = prediction.copy(), np.empty_like(prediction)
    case.loss().value_grad_hess(place, target, weight, out=(place[:], hessian))
    np.testing.assert_array_equal(place, expected[1])
    np.testing.assert_array_equal(hessian, expected[2])


@numbers
def test_every_other_overlap_is_an_error(case: Case) -> None:
    loss = case.loss()
    memory = np.full(64, 0.5)
    first, second, third = memory[:20], memory[20:40], memory[40:60]
    pair = np.empty((2, 20))
    wrong: list[tuple[Any, ...]] = [
        (first, second, None, memory[1:21]),  # the prediction shifted
        (first, second, None, first[::-1]),  # the prediction backwards
        (memory[:40:2], memory[40:60], None, memory[:20]),  # the prediction's stride
        (first, second, None, second),
        (first, second, None, memory[30:50]),
        (first, second, third, third),
        (first, second, third, memory[35:55]),
    ]
    for prediction, target, weight, out in wrong:
        before = memory.copy()
        with pytest.raises(ValueError, match=r"(?i)out.*(overlap|memory)"):
            loss.grad(prediction, target, weight, out=out)
        np.testing.assert_array_equal(memory, before)
    for out in [(pair[0], pair[0]), (memory[:20], memory[10:30]), (pair[0], second)]:
        with pytest.raises(ValueError, match=r"(?i)out.*(overlap|memory)"):
            loss.grad_and_hess(first, second, out=out)
    # The same first byte, but not the same elements.
    square = np.full((5, 5), 0.5)
    with pytest.raises(ValueError, match=r"(?i)out.*(overlap|memory)"):
        loss.grad(square, np.ones((5, 5)), out=square.T)
    same_bytes = np.full(20, 0.5)
    with pytest.raises((ValueError, TypeError), match="out"):
        loss.grad(same_bytes, np.ones(20), out=same_bytes.view(np.int64))


def test_interleaved_memory_does_not_overlap() -> None:
    memory = np.linspace(0, 1, 40)
    expected = fl.SquaredError().grad(memory[::2], np.zeros(20))
    fl.SquaredError().grad(memory[::2], np.zeros(20), out=memory[1::2])
    np.testing.assert_array_equal(memory[1::2], expected)


@numbers
def test_wrong_shapes_are_named(case: Case) -> None:
    loss, good = case.loss(), np.full((4, 3), 0.5)
    for wrong in [np.ones(4), np.ones((4, 1)), np.ones((3, 4)), np.ones((4, 3, 1)), np.ones(())]:
        if wrong.ndim == 1 and case.loss_class.class_axis != "none":
            continue  # labels
        with pytest.raises(ValueError, match=r"target.*\(4, 3\)"):
            loss(good, wrong)
    for wrong in [np.ones(3), np.ones((4, 1)), np.ones((1, 3)), np.ones(()), np.ones((4, 3, 1))]:
        with pytest.raises(ValueError, match="weight"):
            loss(good, np.ones((4, 3)), wrong)
    for wrong in [np.ones(12), np.ones((4, 3, 1)), np.ones((3, 4))]:
        with pytest.raises(ValueError, match=r"out.*\(4, 3\)"):
            loss.grad(good, np.ones((4, 3)), out=wrong)


@rows
def test_wrong_shapes_of_rows_are_named(case: Case) -> None:
    prediction, target = sample(case, np.float64, 6)
    for wrong in [target[:5], target[..., None], target[None]]:
        with pytest.raises(ValueError, match="target"):
            case.loss()(prediction, wrong)
    for wrong in [np.ones(5), np.ones((6, 1)), np.ones((6, case.columns)), np.ones(())]:
        with pytest.raises(ValueError, match="weight"):
            case.loss()(prediction, target, wrong)
    with pytest.raises(ValueError, match="out"):
        case.loss().grad(prediction, target, out=np.ones(6))
    with pytest.raises(ValueError, match="out"):
        case.loss(reduction="none").value(prediction, target, out=np.ones((6, case.columns)))


@pytest.mark.parametrize(
    "case",
    [case for case in cases() if case.kind == "parameters"],
    ids=[case.id for case in cases() if case.kind == "parameters"],
)
def test_several_predictions_are_named(case: Case) -> None:
    loss, names = case.loss(), case.predictions
    for shape in [(6, 3), (6, 1), (6, 0)]:
        with pytest.raises(ValueError, match=rf"length {len(names)}.*{' and '.join(names)}"):
            loss(np.ones(shape), np.ones(6))
    with pytest.raises(ValueError, match=names[0]):
        loss(1.0, 1.0)
    single, row = np.full(len(names), 0.5), np.full((1, len(names)), 0.5)
    _, goal = two_targets(case)
    for one, other in zip(
        loss.value_grad_hess(single, goal), loss.value_grad_hess(row, [goal]), strict=True
    ):
        np.testing.assert_array_equal(one, np.squeeze(other))
    for k, name in enumerate(names):
        if name in case.loss_class.domains:
            wrong = np.full((7, 3, len(names)), 0.5)
            wrong[4, 2, k] = case.loss_class.domains[name][0] - 1
            moved = np.moveaxis(wrong, -1, case.axis)
            at = tuple(np.argwhere(moved < 0)[0].tolist())
            with pytest.raises(
                ValueError, match=rf"{name}.*got -1.* at position {re.escape(str(at))}"
            ):
                loss(moved, np.full((7, 3), goal))


WRONG_ARRAYS = {
    "complex": np.ones(4, np.complex128),
    "string": np.array(["1"] * 4),
    "bytes": np.array([b"1"] * 4),
    "object": np.array([1.0] * 4, object),
    "datetime": np.zeros(4, "M8[s]"),
    "timedelta": np.zeros(4, "m8[s]"),
    "record": np.zeros(4, [("x", "f8")]),
    "ragged": [[1.0], [1.0, 2.0], [1.0], [1.0]],
    "nothing": None,
    "set": {1.0, 2.0},
}


@pytest.mark.parametrize("kind", WRONG_ARRAYS)
@numbers
def test_wrong_dtypes_are_named(case: Case, kind: str) -> None:
    wrong, good, loss = WRONG_ARRAYS[kind], np.full(4, 0.5), case.loss()
    with pytest.raises((TypeError, ValueError), match="prediction"):
        loss(wrong, good)
    with pytest.raises((TypeError, ValueError), match="target"):
        loss(good, wrong)
    if wrong is not None:
        with pytest.raises((TypeError, ValueError), match="weight"):
            loss(good, good, wrong)
        with pytest.raises((TypeError, ValueError), match="out"):
            loss.grad(good, good, out=wrong)


@numbers
def test_masked_arrays_are_refused(case: Case) -> None:
    """Their masked elements would be counted in silence."""
    good = np.full(4, 0.5)
    masked = np.ma.masked_array(good, [False, True, False, False])
    for arguments, name in [
        ((masked, good), "prediction"),
        ((good, masked), "target"),
        ((good, good, masked), "weight"),
    ]:
        with pytest.raises(TypeError, match=f"{name}.*mask"):
            case.loss()(*arguments)


@numbers
def test_wrong_outs_are_named(case: Case) -> None:
    data, loss = (np.full(4, 0.5), np.ones(4)), case.loss()
    frozen = np.empty(4)
    frozen.flags.writeable = False
    folded = np.lib.stride_tricks.as_strided(np.empty(1), (4,), (0,))
    crossed = np.lib.stride_tricks.as_strided(np.empty(7), (4,), (4,))
    out: Any
    for out in (np.empty(4, np.float32), frozen, [0.0] * 4, np.empty(5), "out", folded, crossed):
        with pytest.raises((TypeError, ValueError), match="out"):
            loss.grad(*data, out=out)
    for out in (np.empty(4), (np.empty(4),), (np.empty(4),) * 3, (np.empty(4), np.empty(3))):
        with pytest.raises((TypeError, ValueError), match="out"):
            loss.grad_and_hess(*data, out=out)
    with pytest.raises((TypeError, ValueError), match="out"):
        loss.value(*data, out=np.empty(4))  # a reduced value has nothing to write
    with pytest.raises(TypeError):
        loss.grad(*data, None, np.empty(4))  # by keyword alone


@every_loss
def test_the_wrong_number_of_arguments(case: Case) -> None:
    data = sample(case, np.float64, 4)
    with pytest.raises(TypeError):
        case.loss()()
    with pytest.raises(TypeError):
        case.loss()(data[0])
    with pytest.raises(TypeError, match="surprise"):
        case.loss()(*data, surprise=1)


@every_loss
def test_arguments_by_name(case: Case) -> None:
    prediction, target = sample(case, np.float64, 9)
    weight = sample_weight(9, np.float64)
    by_name = case.loss().value_grad_hess(weight=weight, target=target, prediction=prediction)
    same(by_name, case.loss().value_grad_hess(prediction, target, weight))


class Foreign:
    """What a library's array looks like to those who do not know it."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.array.copy()  # which nobody else keeps alive


class DLPack:
    def __init__(self, array: Array) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("wrapper", [Foreign, DLPack, memoryview])
@numbers
def test_foreign_arrays(case: Case, wrapper: Any) -> None:
    data = (*sample(case, np.float32, 5000), sample_weight(5000))
    expected = case.loss().value_grad_hess(*data)
    same(case.loss().value_grad_hess(*map(wrapper, data)), expected)


SETTINGS = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)

# From views of any strides over numbers that all dtypes know.
wholes = {
    "prediction": ["float32", "float64", ">f4", ">f8", "int8", "uint16", "int64", "bool"],
    "other": [*REALS, ">f4", ">f8", ">i2", ">u8"],
}


@st.composite
def views(
    draw: st.DrawFn,
    shape: tuple[int, ...],
    dtypes: list[str],
    numbers: tuple[float, float] = (0, 1),
) -> Array:
    """Two numbers in an array of the shape, cut out of a larger one in steps of either sign."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    cuts, sizes = [], []
    for size in shape:
        step = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        start = draw(st.integers(0, 2))
        room = abs(step) * max(size - 1, 0) + 1
        low, high = start, start + room
        cuts.append(np.s_[low:high:step] if step > 0 else np.s_[high - 1 :: step])
        sizes.append(high + draw(st.integers(0, 1)))
    seed = draw(st.integers(0, 2**16))
    order: Any = draw(st.sampled_from("CF"))
    wide = np.where(np.random.default_rng(seed).random(sizes) < 0.5, *numbers)
    wide = np.asarray(wide, order=order).astype(dtype)
    view: Array = wide[tuple(cuts)]
    return view[tuple(slice(size) for size in shape)]


def targets(case: Case, shape: tuple[int, ...]) -> Any:
    """Views of two targets that the loss takes."""
    pair = two_targets(case)
    return views(shape, types_of(pair, wholes["other"]), pair)


@SETTINGS
@given(data=st.data())
@pytest.mark.parametrize(
    "case",
    [case for case in cases() if not case.of_rows],
    ids=[case.id for case in cases() if not case.of_rows],
)
def test_any_arrays(case: Case, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40))
    shape = shape if math.prod(shape) < 20_000 else shape[:2]
    prediction = data.draw(views(shape, wholes["prediction"]))
    target = data.draw(targets(case, shape))
    weight_shape = data.draw(st.sampled_from([None, shape, shape[:1]]))
    weight = None if weight_shape is None else data.draw(views(weight_shape, wholes["other"]))
    reduction = data.draw(st.sampled_from(["mean", "sum", "none"]))
    check_against_reference(case, prediction, target, weight, reduction)


@SETTINGS
@given(data=st.data())
@pytest.mark.parametrize(
    "case",
    [case for case in cases() if case.kind in ("labels", "parameters")],
    ids=[case.id for case in cases() if case.kind in ("labels", "parameters")],
)
def test_any_rows(case: Case, data: st.DataObject) -> None:
    classes = case.columns
    per_class = any(isinstance(value, tuple) for value in case.parameters.values())
    if case.kind == "labels" and not per_class:
        classes = data.draw(st.integers(2, 40))
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=12))
    prediction = data.draw(views((shape[0], classes, *shape[1:]), wholes["prediction"]))
    target = data.draw(targets(case, shape))
    weight_shape = data.draw(st.sampled_from([None, shape, shape[:1]]))
    weight = None if weight_shape is None else data.draw(views(weight_shape, wholes["other"]))
    reduction = data.draw(st.sampled_from(["mean", "sum", "none"]))
    prediction = np.moveaxis(prediction, 1, case.axis)
    check_against_reference(case, prediction, target, weight, reduction)


def check_against_reference(
    case: Case, prediction: Array, target: Array, weight: Array | None, reduction: str
) -> None:
    copies = [np.array(array) for array in (prediction, target)]
    with np.errstate(all="ignore"):
        unweighted = evaluate(case.loss(), prediction, target, reduction="none")
        assume(all(np.isfinite(step).all() for step in unweighted))  # an infinite loss times 0
        expected = evaluate(case.loss(), prediction, target, weight, reduction=reduction)
    actual = case.loss().value_grad_hess(prediction, target, weight, reduction=reduction)
    wide = prediction.dtype.kind == "f" and prediction.dtype.itemsize == 4
    dtype = np.dtype(np.float32 if wide else np.float64)
    # A likelihood's terms cancel where it is 0.
    heaviest = 1 if weight is None else float(np.max(abs(weight), initial=0))
    least = target.size * heaviest if case.kind == "parameters" else 0
    for found, truth in zip(actual, expected, strict=True):
        assert np.shape(found) == np.shape(truth)
        finite = np.asarray(truth)[np.isfinite(truth)]
        room = AGREEMENT[dtype] * 4 * float(np.max(abs(finite), initial=least))
        np.testing.assert_allclose(found, truth, rtol=4 * AGREEMENT[dtype], atol=room)
    for array, copy in zip((prediction, target), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
