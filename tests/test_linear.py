"""Linear cross-entropy: what CrossEntropy makes of the logits, without the logits.

Every way through the memory plan has to give the same: logits kept in the weight's gradient, in
`memory`, computed twice, and rows in stages.
"""

import copy
import dataclasses
import pickle
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest
from ml_dtypes import bfloat16

import fastloss as fl
from cases import DTYPES, Array
from fastloss import kernels
from fastloss.kernels import linear

pytestmark = pytest.mark.usefixtures("level")
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
INF, NAN = np.inf, np.nan

# Relative to the largest number of a result.
ROOM = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 2e-14}


def layer(
    n: int = 40, features: int = 16, classes: int = 300, dtype: Any = np.float64, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Hidden, weight, labels and bias."""
    random = np.random.default_rng([seed, n, features, classes])
    hidden = random.normal(size=(n, features))
    weight = 0.5 * random.normal(size=(classes, features))
    labels = random.integers(0, classes, n)
    # The edges of tiles, and what is left over after them.
    edges = [0, 63, 64, 127, 128, 767, 768, 1023, 1024, classes - 1]
    edges = [edge for edge in edges if edge < classes][:n]
    labels[: len(edges)] = edges
    return (
        hidden.astype(dtype),
        weight.astype(dtype),
        labels,
        random.normal(size=classes).astype(dtype),
    )


def plain(
    loss: fl.LinearCrossEntropy,
    hidden: Array,
    weight: Array,
    labels: Array,
    bias: Array | None = None,
    sample_weight: Array | None = None,
    reduction: str = "mean",
) -> tuple[Any, tuple[Array, Array, Array]]:
    """Value and gradients in float64, with the logits as one array."""
    hidden, weight = hidden.astype(np.float64), weight.astype(np.float64)
    raw = hidden @ weight.T + (0 if bias is None else bias.astype(np.float64))
    logits, slope = raw, np.ones_like(raw)
    if loss.soft_cap is not None:
        logits = loss.soft_cap * np.tanh(raw / loss.soft_cap)
        slope = 1 / np.cosh(raw / loss.soft_cap) ** 2
    entropy = fl.CrossEntropy(
        class_weight=loss.class_weight,
        ignore_index=loss.ignore_index,
        label_smoothing=loss.label_smoothing,
        reduction="none",
    )
    value, gradient = entropy.value_and_grad(logits, labels)
    kept = labels != loss.ignore_index
    mass = np.ones(len(weight)) if loss.class_weight is None else np.array(loss.class_weight)
    mass = np.where(kept, mass[np.where(kept, labels, 0)], 0)
    total = np.logaddexp.reduce(logits, axis=1)
    value = value + loss.z_loss * mass * total**2
    chances = np.exp(logits - total[:, None])
    gradient += (2 * loss.z_loss * mass * total)[:, None] * chances
    gradient *= slope
    rows = np.ones(len(labels)) if sample_weight is None else sample_weight
    value, gradient = value * rows, gradient * rows[:, None]
    if reduction != "none":
        divisor = (mass * rows).sum() if reduction == "mean" else 1
        value, gradient = value.sum() / divisor, gradient / divisor
    return value, (gradient @ weight, gradient.T @ hidden, gradient.sum(0))


def close(found: Any, truth: Any, room: float) -> None:
    assert np.shape(found) == np.shape(truth)
    room *= max(np.max(abs(np.asarray(truth)), initial=0), 1e-3)
    np.testing.assert_allclose(np.asarray(found, np.float64), truth, rtol=0, atol=room)


def agree(
    loss: fl.LinearCrossEntropy, *data: Any, room: float | None = None, **options: Any
) -> None:
    value, gradients = plain(loss, *data, **options)
    room = ROOM[data[0].dtype] if room is None else room
    close(loss(*data, **options), value, room)
    found, found_gradients = loss.value_and_grad(*data, **options)
    close(found, value, room)
    for gradient, truth in zip(found_gradients, gradients, strict=True):
        if gradient is not None:
            close(gradient, truth, room)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"class_weight": "some"},
    {"label_smoothing": 0.1},
    {"label_smoothing": 1.0},
    {"z_loss": 0.01},
    {"soft_cap": 2.0},
    {"class_weight": "some", "label_smoothing": 0.2, "z_loss": 0.1, "soft_cap": 5.0},
]


def make(options: dict[str, Any], classes: int, **more: Any) -> fl.LinearCrossEntropy:
    if options.get("class_weight"):
        random = np.random.default_rng(5)
        options = {**options, "class_weight": random.uniform(0, 2, classes).round(3)}
    return fl.LinearCrossEntropy(**options, **more)


def least_memory(loss: fl.LinearCrossEntropy, *data: Any) -> int:
    """What the error says that a call needs."""
    with pytest.raises(ValueError, match="memory must be at least") as error:
        dataclasses.replace(loss, memory=1).value_and_grad(*data)
    return int(str(error.value).split()[5])


@all_dtypes
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(5, 7, 3), (70, 16, 1100), (150, 8, 513)], ids=str)
def test_against_the_logits(shape: tuple[int, int, int], options: Any, dtype: Any) -> None:
    hidden, weight, labels, bias = layer(*shape, dtype)
    labels[2::5] = -100
    rows = np.random.default_rng(1).uniform(0.5, 2, shape[0])
    least = least_memory(make(options, shape[2]), hidden, weight, labels, bias)
    for memory in (None, least, 2 * least, 10**8):
        loss = make(options, shape[2], memory=memory)
        agree(loss, hidden, weight, labels, bias)
        agree(loss, hidden, weight, labels, bias, sample_weight=rows)
        agree(loss, hidden, weight, labels, reduction="sum")
        agree(loss, hidden, weight, labels, bias, sample_weight=rows, reduction="none")


@all_dtypes
@pytest.mark.parametrize("features", [4, 64])
def test_every_way_through_the_memory(features: int, dtype: Any) -> None:
    """Fewer and more rows than features, with all plans that there are between little and much."""
    data = layer(200, features, 777, dtype)
    least = least_memory(fl.LinearCrossEntropy(), *data)
    plans = set()
    for memory in np.geomspace(least, 4 * 200 * 777 * dtype.itemsize, 12).astype(int):
        agree(fl.LinearCrossEntropy(memory=int(memory)), *data)
        agree(fl.LinearCrossEntropy(memory=int(memory)), *data[:3])
        needs = linear.Needs(
            rows=200, classes=777, features=features, size=dtype.itemsize, fixed=0, gradients=True,
            grad_hidden=True, grad_weight=True, grad_weight_direct=True, spare_rows=features,
            one_stage=False, hidden_buffer=False, grad_buffer=False, weight_buffer=False,
        )  # fmt: skip
        plans.add(linear.plan(needs, int(memory) + 10_000))
    assert len(plans) > 3


@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize("kept", [0, 3, 100])
@pytest.mark.parametrize("width", [64, 128, 192])
def test_any_plan(width: int, kept: int, stages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = layer(50, 8, 500)
    for arrange in (np.asarray, np.asfortranarray):
        for labels in (data[2], np.where(np.arange(50) % 3, data[2], -100)):
            n = int((labels >= 0).sum())
            # The first stage is the largest.
            bounds = [0, *range(n - (stages - 1) * (n // stages), n, n // stages), n]
            planned = linear.Plan(width, tuple(bounds), kept)
            monkeypatch.setattr(linear, "plan", lambda *_, planned=planned: planned)
            agree(fl.LinearCrossEntropy(), data[0], arrange(data[1]), labels, data[3])


@all_dtypes
def test_which_gradients(dtype: Any) -> None:
    data = layer(60, 8, 200, dtype)
    loss = fl.LinearCrossEntropy(memory=60_000)
    _, everything = loss.value_and_grad(*data)
    names = everything._fields
    for mask in range(8):
        wrt = [name for i, name in enumerate(names) if mask >> i & 1]
        value, gradients = loss.value_and_grad(*data, wrt=wrt)
        close(value, loss(*data), ROOM[dtype])
        for name in names:
            if name in wrt:
                close(getattr(gradients, name), getattr(everything, name), ROOM[dtype])
            else:
                assert getattr(gradients, name) is None
    assert loss.value_and_grad(*data[:3])[1].bias is None
    assert loss.value_and_grad(*data, wrt="bias")[1].bias is not None


@all_dtypes
def test_finite_differences(dtype: Any) -> None:
    hidden, weight, labels, bias = layer(6, 5, 9)
    loss = make(OPTIONS[-1], 9)
    _, gradients = loss.value_and_grad(hidden, weight, labels, bias)
    step = 1e-5
    for at, array in enumerate((hidden, weight, bias)):
        gradient = gradients[at]
        assert gradient is not None
        for index in np.ndindex(*array.shape):
            values = []
            for sign in (-1, 1):
                moved = [hidden, weight, bias]
                moved[at] = array.copy()
                moved[at][index] += sign * step
                values.append(loss(moved[0], moved[1], labels, moved[2]))
            assert gradient[index] == pytest.approx(
                (values[1] - values[0]) / (2 * step), rel=1e-6, abs=1e-9
            )


@all_dtypes
def test_statistics(dtype: Any) -> None:
    hidden, weight, labels, bias = layer(90, 16, 1300, dtype)
    labels[::4] = -100
    kept = labels >= 0
    logits = (hidden @ weight.T + bias).astype(np.float64)
    labels[1::8] = logits[1::8].argmax(1)
    total = np.logaddexp.reduce(logits, axis=1)
    chances = np.exp(logits - total[:, None])
    loss = fl.LinearCrossEntropy()
    names = ("log_sum_exp", "argmax", "accuracy", "entropy")
    for memory in (None, 200_000):
        loss = fl.LinearCrossEntropy(memory=memory)
        value, _, found = loss.value_and_grad(hidden, weight, labels, bias, statistics=names)
        assert value == pytest.approx(loss(hidden, weight, labels, bias))
        room = ROOM[dtype]
        close(found.log_sum_exp[kept], total[kept], room)
        close(found.entropy[kept], -(chances * np.log(chances)).sum(1)[kept], 10 * room)
        np.testing.assert_array_equal(found.argmax, np.where(kept, logits.argmax(1), -1))
        assert found.accuracy == (logits.argmax(1) == labels)[kept].mean() > 0
        assert np.isnan(found.log_sum_exp[~kept]).all()
        assert np.isnan(found.entropy[~kept]).all()
    for name in names:
        _, gradients, one = loss.value_and_grad(
            hidden, weight, labels, bias, statistics=[name], wrt=()
        )
        assert gradients == (None, None, None)
        assert [n for n in names if getattr(one, n) is not None] == [name]
        np.testing.assert_allclose(getattr(one, name), getattr(found, name), rtol=1e-5)


@all_dtypes
@pytest.mark.parametrize("n", [0, 1, 7])
def test_all_ignored(n: int, dtype: Any) -> None:
    hidden, weight, _, bias = layer(n, 4, 70, dtype)
    hidden[:] = NAN
    labels = np.full(n, -100)
    empty: Any
    for empty, mean in (("nan", NAN), ("zero", 0.0)):
        loss = fl.LinearCrossEntropy(empty=empty)
        value, gradients, found = loss.value_and_grad(
            hidden, weight, labels, bias, statistics=["accuracy", "argmax"]
        )
        np.testing.assert_equal(value, mean)
        for gradient, of in zip(gradients, (hidden, weight, bias), strict=True):
            np.testing.assert_array_equal(gradient, np.zeros_like(of))
        assert np.isnan(found.accuracy)
        np.testing.assert_array_equal(found.argmax, -1)
        assert loss(hidden, weight, labels, reduction="sum") == 0
        np.testing.assert_array_equal(loss(hidden, weight, labels, reduction="none"), 0)


@all_dtypes
def test_an_ignored_row_is_never_read(dtype: Any) -> None:
    hidden, weight, labels, bias = layer(30, 8, 100, dtype)
    labels[::3] = -100
    expected = fl.LinearCrossEntropy().value_and_grad(hidden, weight, labels, bias)
    for poison in (NAN, INF):
        hidden[::3] = poison
        found = fl.LinearCrossEntropy().value_and_grad(hidden, weight, labels, bias)
        assert found[0] == expected[0]
        for one, other in zip(found[1], expected[1], strict=True):
            np.testing.assert_array_equal(one, other)
        assert not np.any(found[1].hidden[::3])


@all_dtypes
def test_a_confident_row_keeps_its_digits(dtype: Any) -> None:
    """The label's logit is ahead by 30: its gradient is near exp(-30), not near rounding of 1."""
    weight = np.zeros((200, 2), dtype)
    weight[150, 0] = 1
    hidden = np.array([[30, 0], [60, 0]], dtype)
    loss = fl.LinearCrossEntropy(reduction="none")
    value, gradients = loss.value_and_grad(hidden, weight, [150, 150], np.zeros(200, dtype))
    rest = 199 * np.exp([-30.0, -60.0])
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, np.log1p(rest), rtol=rtol)
    np.testing.assert_allclose(gradients.hidden[:, 0], -rest / (1 + rest), rtol=rtol)
    np.testing.assert_allclose(gradients.bias[150], -(rest / (1 + rest)).sum(), rtol=rtol)


@all_dtypes
def test_a_soft_cap_that_is_reached(dtype: Any) -> None:
    """1 - tanh^2 keeps its digits where tanh is near 1."""
    hidden, weight = np.array([[20.0]], dtype), np.array([[1.0], [0.0]], dtype)
    _, gradients = fl.LinearCrossEntropy(soft_cap=2.0).value_and_grad(hidden, weight, [1])
    chance = 1 / (1 + np.exp(-2 * np.tanh(10.0)))
    truth = chance / np.cosh(10.0) ** 2
    np.testing.assert_allclose(gradients.hidden, [[truth]], rtol=40 * np.finfo(dtype).eps)


@all_dtypes
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_that_are_masked(smoothing: float, dtype: Any) -> None:
    """-inf in whole tiles, as padding of a vocabulary; the classes there have no weight."""
    hidden, weight, labels, bias = layer(20, 8, 700, dtype)
    labels %= 100
    labels += 400
    masked = np.r_[0:300, 550:700]
    bias[masked] = -INF
    class_weight = np.ones(700)
    class_weight[masked] = 0
    left = np.setdiff1d(np.arange(700), masked)
    loss = fl.LinearCrossEntropy(
        label_smoothing=smoothing, class_weight=class_weight, memory=250_000
    )
    value, gradients = loss.value_and_grad(hidden, weight, labels, bias)
    if smoothing:
        # Shared among all classes, so there is nothing without the masked ones to compare it with.
        assert np.isfinite(value)
        assert all(np.isfinite(g).all() for g in gradients)
        return
    expected, truth = fl.LinearCrossEntropy().value_and_grad(
        hidden, weight[left], np.searchsorted(left, labels), bias[left]
    )
    close(value, expected, ROOM[dtype])
    close(gradients.hidden, truth.hidden, ROOM[dtype])
    close(gradients.weight[left], truth.weight, ROOM[dtype])
    np.testing.assert_array_equal(gradients.weight[masked], 0)
    np.testing.assert_array_equal(gradients.bias[masked], 0)


@all_dtypes
def test_infinities_and_nan(dtype: Any) -> None:
    hidden, weight, labels, _ = layer(6, 4, 150, dtype)
    bias = np.zeros(150, dtype)
    labels[:] = [0, 1, 2, 3, 4, 149]
    hidden[2] = NAN
    value, gradients = fl.LinearCrossEntropy(reduction="none").value_and_grad(
        hidden, weight, labels, bias
    )
    assert np.isnan(value).tolist() == [i == 2 for i in range(6)]
    assert np.isnan(gradients.hidden).all(1).tolist() == [i == 2 for i in range(6)]
    bias[149] = -INF
    hidden[2] = 0
    value, gradients = fl.LinearCrossEntropy(reduction="none").value_and_grad(
        hidden, weight, labels, bias, wrt=["bias"]
    )
    assert np.isinf(value).tolist() == [i == 5 for i in range(6)]
    assert gradients.bias[149] == -1
    smooth = fl.LinearCrossEntropy(reduction="none", label_smoothing=0.1)
    assert (smooth(hidden, weight, labels, bias) == INF).all()
    bias[:] = -INF
    assert np.isnan(smooth(hidden, weight, labels, bias)).all()
    bias[:] = 0
    bias[70] = INF
    assert np.isnan(smooth(hidden, weight, labels, bias)).all()


@pytest.mark.parametrize("half", [np.float16, bfloat16])
@pytest.mark.parametrize("options", [{}, OPTIONS[-1]], ids=str)
def test_short_types(half: Any, options: Any) -> None:
    """Read exactly, summed in float32, and rounded once."""
    hidden, weight, labels, bias = layer(60, 32, 900, half)
    labels[::7] = -100
    eps = 2.0**-8 if half is bfloat16 else 2.0**-11
    least = least_memory(make(options, 900), hidden, weight, labels, bias)
    for memory in (None, least, 10**8):
        loss = make(options, 900, memory=memory, reduction="sum")
        wide = (hidden.astype(np.float32), weight.astype(np.float32), labels)
        expected, truth = loss.value_and_grad(*wide, bias.astype(np.float32))
        value, gradients = loss.value_and_grad(hidden, weight, labels, bias)
        assert value == pytest.approx(expected, rel=1e-6)
        for gradient, of in zip(gradients, truth, strict=True):
            assert gradient.dtype == half
            room = 1e-5 * np.max(abs(of)) + 2.0**-24 * (half is np.float16)
            np.testing.assert_allclose(gradient.astype(np.float32), of, rtol=eps, atol=room)


def test_types_in_any_mix() -> None:
    hidden, weight, labels, bias = layer(40, 8, 200, np.float32)
    expected = fl.LinearCrossEntropy().value_and_grad(hidden, weight, labels, bias)
    types = (np.float16, bfloat16, np.float32, np.float64, ">f4", np.int8)
    for first in types:
        for second in types:
            given = (10 * hidden).astype(first), weight.astype(second)
            if second is np.int8:
                given = given[0], (10 * weight).astype(second)
            value, gradients = fl.LinearCrossEntropy(memory=200_000).value_and_grad(
                *given, labels, bias.astype(np.float64)
            )
            for gradient, array in zip(gradients, given, strict=False):
                own = np.float64 if array.dtype.kind == "i" else array.dtype.newbyteorder("=")
                assert gradient.dtype == own
            wide = [array.astype(np.float64) for array in given]
            truth, true_gradients = plain(fl.LinearCrossEntropy(), *wide, labels, bias)
            assert value == pytest.approx(truth, rel=1e-5)
            for gradient, of in zip(gradients, true_gradients, strict=True):
                close(gradient, of, 0.01 if gradient.itemsize == 2 else 1e-4)
    assert expected[1].hidden.dtype == np.float32


@all_dtypes
def test_any_layout(dtype: Any) -> None:
    hidden, weight, labels, bias = layer(48, 10, 330, dtype)
    loss = fl.LinearCrossEntropy(memory=150_000)
    expected = loss.value_and_grad(hidden, weight, labels, bias)
    apart = np.zeros((96, 30), dtype)[::2, ::3]
    apart[...] = hidden
    strided = np.zeros((330, 25), dtype)[:, 3:13]
    strided[...] = weight
    backwards = np.ascontiguousarray(weight[::-1])[::-1]
    for h in (hidden, np.asfortranarray(hidden), apart, apart.view()):
        for w in (weight, np.asfortranarray(weight), strided, backwards):
            for array in (h, w):
                array.flags.writeable = False
            value, gradients = loss.value_and_grad(h, w, labels.astype(np.int16), bias[::1])
            close(value, expected[0], ROOM[dtype])
            for one, other in zip(gradients, expected[1], strict=True):
                close(one, other, ROOM[dtype])
            for array in (h, w):
                if array.base is None:
                    array.flags.writeable = True


@all_dtypes
def test_leading_axes(dtype: Any) -> None:
    hidden, weight, labels, bias = layer(24, 6, 90, dtype)
    labels[5] = -100
    loss = fl.LinearCrossEntropy()
    expected = loss.value_and_grad(hidden, weight, labels, bias)
    cube, goal = hidden.reshape(4, 6, 6), labels.reshape(4, 6)
    swapped = np.ascontiguousarray(cube.transpose(1, 0, 2)).transpose(1, 0, 2)
    for given in (cube, swapped):
        value, gradients, found = loss.value_and_grad(
            given, weight, goal, bias, statistics=["argmax"]
        )
        assert value == expected[0]
        np.testing.assert_array_equal(gradients.hidden, expected[1].hidden.reshape(4, 6, 6))
        assert found.argmax.shape == goal.shape
        out = np.full_like(swapped, 7)
        _, gradients = loss.value_and_grad(
            given, weight, goal, wrt=["hidden"], out=(out, None, None)
        )
        assert gradients.hidden is out
        close(out, loss.value_and_grad(hidden, weight, labels)[1].hidden.reshape(4, 6, 6), 1e-6)
    assert loss(cube, weight, goal, reduction="none").shape == goal.shape
    rows = np.arange(1.0, 5)
    assert loss(cube, weight, goal, sample_weight=rows) == pytest.approx(
        loss(hidden, weight, labels, sample_weight=np.repeat(rows, 6)), rel=1e-6
    )
    assert loss(hidden[0], weight, labels[0]) == pytest.approx(
        loss(hidden[:1], weight, labels[:1]), rel=1e-6
    )


@all_dtypes
def test_out(dtype: Any) -> None:
    data = layer(30, 8, 120, dtype)
    loss = fl.LinearCrossEntropy()
    _, expected = loss.value_and_grad(*data)
    for order in "CF":
        out = tuple(np.full(a.shape, 7, dtype, order=order) for a in (data[0], data[1], data[3]))
        _, gradients = loss.value_and_grad(*data, out=out)
        for given, found, truth in zip(out, gradients, expected, strict=True):
            assert found is given
            close(found, truth, ROOM[dtype])
    wide = np.full((120, 20), 7, dtype)
    _, gradients = loss.value_and_grad(*data, out=(None, wide[:, 4:12], None))
    close(gradients.weight, expected.weight, ROOM[dtype])
    np.testing.assert_array_equal(wide[:, :4], 7)
    np.testing.assert_array_equal(wide[:, 12:], 7)
    every = np.full((240, 16), 7, dtype)[::2, ::2]
    _, gradients = loss.value_and_grad(*data, out=(None, every, None))
    close(every, expected.weight, ROOM[dtype])


def test_inputs_are_not_touched() -> None:
    data = layer(50, 8, 300, np.float32)
    data[2][::4] = -100
    before = copy.deepcopy(data)
    fl.LinearCrossEntropy(memory=100_000).value_and_grad(*data)
    for one, other in zip(data, before, strict=True):
        np.testing.assert_array_equal(one, other)


@all_dtypes
def test_any_number_of_threads(dtype: Any) -> None:
    data = layer(70, 8, 900, dtype)
    loss = make(OPTIONS[-1], 900, memory=200_000)
    names = ["log_sum_exp", "entropy", "argmax", "accuracy"]

    def bits(n_threads: int | None) -> list[bytes]:
        value, gradients, found = loss.value_and_grad(*data, statistics=names, n_threads=n_threads)
        return [np.asarray(x).tobytes() for x in (value, *gradients, *found)]

    expected = bits(1)
    with kernels.force_threads():
        for n_threads in (2, 3, 16):
            assert bits(n_threads) == expected
    assert bits(None) == expected


MEMORY = """
    import sys
    import numpy as np
    import fastloss as fl
    n, features, classes, memory, dtype = (*map(int, sys.argv[1:5]), sys.argv[5])
    if dtype == "bfloat16":
        import ml_dtypes
    def peak():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    loss = fl.LinearCrossEntropy(memory=memory or None)
    random = np.random.default_rng(0)
    hidden = random.normal(size=(n, features)).astype(np.float32).astype(dtype)
    weight = np.empty((classes, features), dtype)
    for start in range(0, classes, 1000):
        weight[start : start + 1000] = 0.1 * random.normal(size=weight[start : start + 1000].shape)
    labels = random.integers(0, classes, n)
    labels[: n // 8] = -100
    out = np.zeros_like(hidden), np.zeros_like(weight), np.zeros(classes, dtype)
    for wide in (np.float32, np.float64):  # the BLAS's own buffers
        np.matmul(np.ones((1600, 1600), wide), np.ones((1600, 1600), wide))
    loss.value_and_grad(hidden[:2], weight[:200], [0, 1])
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before = peak()
    loss.value_and_grad(hidden, weight, labels, np.zeros(classes, dtype), out=out)
    print(peak() - before)
"""


def test_out_without_a_bias_needs_no_place_for_it() -> None:
    hidden, weight, labels = layer(30, 8, 200)[:3]
    loss = fl.LinearCrossEntropy()
    out = np.empty_like(hidden), np.empty_like(weight)
    value, gradients = loss.value_and_grad(hidden, weight, labels, out=out)
    expected_value, expected = loss.value_and_grad(hidden, weight, labels)
    assert value == expected_value
    assert gradients.hidden is out[0]
    assert gradients.weight is out[1]
    np.testing.assert_array_equal(out[0], expected.hidden)
    np.testing.assert_array_equal(out[1], expected.weight)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("memory", "dtype"),
    [(4_000_000, "float32"), (12_000_000, "float32"), (12_000_000, "float64"),
     (8_000_000, "bfloat16")],
)  # fmt: skip
def test_the_bound_on_memory_holds(memory: int, dtype: str) -> None:
    sizes = [1000, 96, 20_000, memory, dtype]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEMORY), *map(str, sizes)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Threads' stacks and the interpreter's own take a little.
    assert int(done.stdout) <= memory + 1_000_000


def test_too_little_memory() -> None:
    data = layer(30, 8, 200)
    least = least_memory(fl.LinearCrossEntropy(), *data)
    assert 10_000 < least < 400_000
    agree(fl.LinearCrossEntropy(memory=least), *data)
    with pytest.raises(ValueError, match=f"memory must be at least {least} bytes.*{least - 1}"):
        fl.LinearCrossEntropy(memory=least - 1).value_and_grad(*data)


def test_an_object_like_every_loss() -> None:
    loss = fl.LinearCrossEntropy(soft_cap=30.0, z_loss=1e-4, reduction="sum")
    assert eval(repr(loss), {"LinearCrossEntropy": fl.LinearCrossEntropy}) == loss
    for twin in (pickle.loads(pickle.dumps(loss)), copy.copy(loss), copy.deepcopy(loss)):
        assert twin == loss
        assert hash(twin) == hash(loss)
    assert loss != fl.LinearCrossEntropy(soft_cap=30.0, z_loss=1e-4)
    assert fl.get("linear_cross_entropy", soft_cap=30.0) == fl.LinearCrossEntropy(soft_cap=30.0)
    assert fl.LinearCrossEntropy not in fl.losses()
    with pytest.raises(AttributeError):
        loss.z_loss = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [("class_weight", [-1.0]), ("class_weight", []), ("ignore_index", 0.5), ("ignore_index", 2**60),
     ("label_smoothing", 1.5), ("z_loss", -1), ("soft_cap", 0), ("soft_cap", INF), ("memory", 0),
     ("memory", 1.5), ("empty", "one"), ("reduction", "median"), ("z_loss", NAN)],
)  # fmt: skip
def test_wrong_parameters(parameter: str, wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=parameter):
        fl.LinearCrossEntropy(**{parameter: wrong})


def test_wrong_arguments() -> None:
    hidden, weight, labels, bias = layer(12, 4, 30)
    good = {"hidden": hidden, "weight": weight, "target": labels, "bias": bias}
    wrong: list[tuple[str, Any, str]] = [
        ("hidden", hidden[:, :3], "hidden.*4 features"),
        ("hidden", np.float64(1), "hidden"),
        ("hidden", hidden.astype(complex), "hidden.*complex"),
        ("hidden", hidden.astype(np.longdouble), "hidden must be float16"),
        ("weight", weight[0], r"weight.*\(classes, features\)"),
        ("weight", weight[:0], "weight.*at least one"),
        ("weight", weight.astype(np.longdouble), "weight must be float16"),
        ("target", labels[:5], r"target must have shape \(12,\)"),
        ("target", labels[:, None], "target must have shape"),
        ("bias", bias[:5], r"bias must have shape \(30,\)"),
        ("sample_weight", np.ones(5), r"sample_weight must have shape \(12,\)"),
        ("wrt", ["logits"], "wrt must be of 'hidden', 'weight', 'bias'"),
        ("statistics", ["perplexity"], "statistics must be of 'log_sum_exp'"),
        ("reduction", "median", "reduction"),
        ("denominator", -1, "denominator"),
        ("n_threads", 0, "n_threads"),
        ("out", (None,), "out must hold"),
        ("out", (np.empty((12, 4), np.float32), None, None), r"out\.hidden.*float64"),
        ("out", (None, np.empty((4, 30)), None), r"out\.weight must have shape"),
        ("out", (None, weight, None), r"out\.weight must not share memory with weight"),
        ("out", (hidden, None, None), r"out\.hidden must not share memory with hidden"),
    ]
    for name, value, words in wrong:
        with pytest.raises((ValueError, TypeError), match=words):
            fl.LinearCrossEntropy().value_and_grad(**{**good, name: value})
    both = np.empty((42, 4))
    with pytest.raises(ValueError, match=r"out\.weight must not share memory with out\.hidden"):
        fl.LinearCrossEntropy().value_and_grad(**good, out=(both[:12], both[8:38], None))
    with pytest.raises(ValueError, match="wrt names 'bias'"):
        fl.LinearCrossEntropy().value_and_grad(hidden, weight, labels, wrt=["bias"])
    with pytest.raises(ValueError, match="not in wrt"):
        fl.LinearCrossEntropy().value_and_grad(
            **good, wrt=["hidden"], out=(None, np.empty_like(weight), None)
        )
    with pytest.raises(ValueError, match=r"class_weight.*30.*got 2"):
        fl.LinearCrossEntropy(class_weight=[1.0, 1.0])(hidden, weight, labels)


@pytest.mark.parametrize("label", [30, -1, 2**40, 0.5])
def test_a_label_out_of_range(label: float) -> None:
    hidden, weight, labels, _ = layer(12, 4, 30)
    labels = labels.astype(type(label))
    labels[7] = label
    out = (np.full_like(hidden, 5), np.full_like(weight, 5), None)
    with pytest.raises(IndexError, match=rf"target holds the label {label}.* position 7\b.*30"):
        fl.LinearCrossEntropy().value_and_grad(hidden, weight, labels, out=out)
    assert all((array == 5).all() for array in out if array is not None)
    labels[7] = -100
    labels[9] = 200
    with pytest.raises(IndexError, match=r"200.*position \(4, 1\).*ignore_index=-100"):
        fl.LinearCrossEntropy()(hidden.reshape(6, 2, 4), weight, labels.reshape(6, 2))
    with pytest.raises(IndexError, match=r"-100(\.0)? at position 7, .*classes 0 to 29$"):
        fl.LinearCrossEntropy(ignore_index=None)(hidden, weight, labels)


def test_denominator() -> None:
    data = layer(20, 4, 60)
    loss = fl.LinearCrossEntropy()
    value, gradients = loss.value_and_grad(*data, denominator=40.0)
    expected, truth = loss.value_and_grad(*data)
    assert value == pytest.approx(expected / 2, rel=1e-14)
    for one, other in zip(gradients, truth, strict=True):
        np.testing.assert_allclose(one, other / 2, rtol=1e-12, atol=1e-15)
