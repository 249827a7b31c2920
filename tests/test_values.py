"""Values, gradients and Hessians are right: against mpmath, the reference and differences."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf  # type: ignore[import-untyped]

import fastloss as fl
from accuracy import AGREEMENT, DIFFERENCES, ULPS, assert_true
from cases import (
    DTYPES,
    REDUCTIONS,
    Array,
    Case,
    cases,
    default_cases,
    exact,
    extreme_values,
    few_extremes,
    fields,
    grid,
    hessians,
    is_refused,
    rows,
    sample,
    sample_weight,
)
from fastloss import kernels
from fastloss.reference import evaluate
from mpmath_truth import Sum, Truth, truth_of

CASES = {case.id: case for case in cases()}
NUMBERS = [name for name, case in CASES.items() if not case.of_rows]
ROWS = [name for name, case in CASES.items() if case.of_rows]
HYPER_PARAMETERS = {
    f"{case.id}-{field.name}": (case, field.name)
    for case in default_cases()
    for field in case.loss_class._fields
    if field.number
}
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def test_every_loss_has_a_truth() -> None:
    assert all(truth_of(cls) for cls in fl.losses())


def truth(case: Case, dtype: Any, prediction: Any, target: Any) -> Truth:
    parameters = {**fields(case.loss_class), **case.parameters}
    del parameters["reduction"]
    if case.loss()._computes_in_double():
        dtype = np.float64
    if "clamp" in parameters:
        eps = case.loss()._kernel_parameters(np.dtype(dtype))["eps"]
        ends = [mpf(float(np.dtype(dtype).type(end))) for end in (eps, 1 - eps)]
        torch = parameters["clamp"] == "torch" and parameters["eps"] is None
        parameters["eps"] = None if torch else ends
    return truth_of(case.loss_class)(prediction, target, **parameters)


def numbers(case: Case, prediction: Array, target: Array) -> Iterator[tuple[Any, Any]]:
    """Predictions and targets, or rows of them, as mpmath's numbers."""
    for z, t in zip(prediction.tolist(), target.tolist(), strict=True):
        point = [mpf(x) for x in z] if isinstance(z, list) else mpf(z)
        if isinstance(t, list):
            yield point, [mpf(q) for q in t]
        else:
            yield point, t if case.kind == "labels" else mpf(t)


def flat(sums: list[list[Sum]]) -> list[Sum]:
    return [item for row in sums for item in row]


def check_every_level(
    case: Case, dtype: Any, prediction: Array, target: Array, where: list[Any]
) -> None:
    """Value and derivatives of each level against truths, which take longer than all the rest."""
    truths = [truth(case, dtype, *pair) for pair in numbers(case, prediction, target)]
    values = [one.value for one in truths]
    gradients = flat([one.gradient for one in truths])
    hessians = flat([one.hessian for one in truths])
    each = where if len(where) == len(values) else [f"row {i}" for i in range(len(values))]
    ulps = ULPS[dtype]
    for level in kernels.levels():
        with kernels.use_level(level):
            loss = case.loss(reduction="none")
        value, gradient, hessian = loss.value_grad_hess(prediction, target)
        assert_true(value, values, ulps.value, dtype, [(level, w) for w in each])
        places = [(level, w) for w in where]
        assert_true(gradient, gradients, ulps.gradient, dtype, places)
        assert_true(hessian, hessians, ulps.hessian, dtype, places)


def check_grid(case: Case, dtype: Any) -> None:
    """The same of a loss of numbers, at all pairs of ordinary and extreme ones."""
    prediction, target = grid(case, dtype)
    where = list(zip(prediction.tolist(), target.tolist(), strict=True))
    check_every_level(case, dtype, prediction, target, where)


@all_dtypes
@pytest.mark.parametrize("name", NUMBERS, ids=NUMBERS)
def test_grid_of_extremes(name: str, dtype: Any) -> None:
    check_grid(CASES[name], dtype)


@all_dtypes
@pytest.mark.parametrize("key", HYPER_PARAMETERS)
def test_extremes_of_hyper_parameters(key: str, dtype: Any) -> None:
    """Right wherever the result is representable, or refused by the loss."""
    default, name = HYPER_PARAMETERS[key]
    field = next(field for field in default.loss_class._fields if field.name == name)
    for chosen in hessians(default.loss_class):
        for value in extreme_values(field):
            case = Case(default.loss_class, {**chosen, name: value}, default.kind)
            if is_refused(case):
                continue
            prediction, target = few_extremes(case, dtype)
            each = range(prediction.shape[-1]) if case.of_rows else [0]
            pairs = zip(prediction.tolist(), target.tolist(), strict=True)
            where = [(chosen, value, *pair, k) for pair in pairs for k in each]
            check_every_level(case, dtype, prediction, target, where)


def narrowed(array: Array, dtype: Any) -> Array:
    """In float32, and what is narrower made of that."""
    return array.astype(np.float32).astype(dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("key", HYPER_PARAMETERS)
def test_where_float32_has_no_room(key: str, dtype: Any) -> None:
    """All is computed in float64 and rounded, whatever the call and its arrays."""
    default, name = HYPER_PARAMETERS[key]
    field = next(field for field in default.loss_class._fields if field.name == name)
    values = [value for value in extreme_values(field) if field.is_extreme(value)]
    made = [Case(default.loss_class, {name: value}, default.kind) for value in values]
    for case in [case for case in made if not is_refused(case)][:1]:
        loss = case.loss(reduction="none")
        prediction, target = sample(case, np.float32, 300)
        prediction = np.asarray(prediction.astype(dtype), order="F")
        wide = prediction.astype(np.float64)
        expected = [narrowed(part, dtype) for part in loss.value_grad_hess(wide, target)]
        for found, part in zip(loss.value_grad_hess(prediction, target), expected, strict=True):
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, part)
        partials = [loss.partial(side, target) for side in (prediction, wide)]
        np.testing.assert_equal(tuple(partials[0]), tuple(partials[1]))
        product = loss.hvp(prediction[::2], target[::2], prediction[::2])
        again = narrowed(loss.hvp(wide[::2], target[::2], wide[::2]), dtype)
        np.testing.assert_array_equal(product, again)
        swept = fl.sweep(default.loss_class, prediction, target, **{name: [case.parameters[name]]})
        np.testing.assert_equal(swept.values[0], case.loss()(prediction, target))
        if case.loss_class.class_axis == "always" and not case.loss_class.classwise:
            _, packed = loss.grad_and_packed_hess(prediction, target)
            _, again = loss.grad_and_packed_hess(wide, target)
            np.testing.assert_array_equal(packed, again.astype(dtype))
        assert loss.grad(prediction, target, out=prediction) is prediction
        np.testing.assert_array_equal(prediction, expected[1])


@all_dtypes
@pytest.mark.parametrize("name", ROWS, ids=ROWS)
def test_rows_of_extremes(name: str, dtype: Any) -> None:
    for prediction, target in rows(CASES[name], dtype):
        n, classes = prediction.shape
        where = [f"row {i}, class {k} of {classes}" for i in range(n) for k in range(classes)]
        check_every_level(CASES[name], dtype, prediction, target, where)


@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_truths_are_derivatives_of_each_other(name: str) -> None:
    case = CASES[name]
    number = case.kind in ("numbers", "parameters")
    prediction, target = sample(case, np.float64, 2)
    for p, t in zip(prediction.tolist(), target.tolist(), strict=True):
        point = [mpf(z) for z in p] if case.of_rows else [mpf(p)]
        goal = [mpf(q) for q in t] if isinstance(t, list) else (mpf(t) if number else t)

        def at(z: Any, k: int, point: Any = point, goal: Any = goal) -> Truth:
            moved = [*point[:k], z, *point[k + 1 :]]
            return truth(case, np.float64, moved if case.of_rows else moved[0], goal)

        for k, z in enumerate(point):
            here = at(z, k)
            slope = mp.diff(lambda z, k=k: at(z, k).value.exact, z)
            bend = mp.diff(lambda z, k=k: at(z, k).gradient[k].exact, z)
            assert abs(slope - here.gradient[k].exact) < mpf(10) ** -12
            if case.exact_hessian:
                assert abs(bend - here.hessian[k].exact) < mpf(10) ** -12


@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_differences(name: str) -> None:
    """Fourth-order central differences of the compiled loss itself."""
    case = CASES[name]
    prediction, target = sample(case, np.float64, 100)
    loss = case.loss(reduction="none")
    columns = range(prediction.shape[1]) if case.of_rows else [...]
    _, gradient, hessian = loss.value_grad_hess(prediction, target)
    step = 2.0**-14 if case.loss().prediction_domain == (0, 1) else 2.0**-10
    for column in columns:
        index = np.s_[..., column] if case.of_rows else np.s_[...]
        values, gradients = [], []
        for offset in (-2, -1, 1, 2):
            moved = prediction.copy()
            moved[index] += offset * step
            value, slope = loss.value_and_grad(moved, target)
            values.append(value)
            gradients.append(slope[index])
        # A kink of the loss or of its gradient between the outer points has no derivative.
        ends = loss.grad_and_hess(moved, target)[1][index], hessian[index]
        smooth = (abs(gradients[3] - gradients[0]) < 0.5 * (1 + abs(gradients[0]))) & (
            abs(ends[0] - ends[1]) < 0.5 * (1 + abs(ends[1]))
        )
        if case.exact_hessian:
            jump = gradients[3] - gradients[0] - 4 * step * hessian[index]
            smooth &= abs(jump) < 0.004 * (1 + abs(gradients[0]))
        assert smooth.mean() > 0.9
        pairs = [(values, gradient[index]), (gradients, hessian[index])]
        for found, derivative in pairs if case.exact_hessian else pairs[:1]:
            quotient = (8 * (found[2] - found[1]) - (found[3] - found[0])) / (12 * step)
            np.testing.assert_allclose(quotient[smooth], derivative[smooth], **DIFFERENCES)


@all_dtypes
@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_reference(name: str, dtype: Any) -> None:
    case = CASES[name]
    prediction, target = sample(case, dtype, 700)
    precise = np.float64 if dtype == np.float32 else np.longdouble
    for weight, reduction in itertools.product((None, sample_weight(700, dtype)), REDUCTIONS):
        options: dict[str, Any] = {"reduction": reduction}
        expected = evaluate(case.loss(), prediction, target, weight, **options, dtype=precise)
        for level in kernels.levels():
            words = f"{level}, {reduction=}" + ("" if weight is None else ", weighted")
            with kernels.use_level(level):
                actual = case.loss().value_grad_hess(prediction, target, weight, **options)
            for found, truth_ in zip(actual, expected, strict=True):
                assert np.shape(found) == np.shape(truth_), words
                room = AGREEMENT[dtype] * np.max(abs(truth_), initial=0)
                np.testing.assert_allclose(found, truth_, AGREEMENT[dtype], room, err_msg=words)


@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_reference_keeps_the_dtype(name: str) -> None:
    case = CASES[name]
    for dtype in (np.float32, np.float64, np.longdouble):
        prediction, target = sample(case, dtype, 20)
        results = evaluate(case.loss(), prediction, target, reduction="none", dtype=None)
        assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@all_dtypes
@pytest.mark.parametrize("name", NUMBERS, ids=NUMBERS)
def test_infinity_and_nan(name: str, dtype: Any) -> None:
    case = CASES[name]
    low, high = case.loss().prediction_domain
    predictions = [x for x in (-np.inf, 0.0, 0.5, 1.0, np.inf) if low <= x <= high]
    low, high = case.loss().target_domain
    targets = [x for x in (-np.inf, -1.0, 0.0, 0.5, 1.0, np.inf) if low <= x <= high]
    pairs = [(p, t) for p in [*predictions, np.nan] for t in targets]
    pairs += [(p, np.nan) for p in predictions]
    prediction, target = np.array(pairs, dtype).T
    expected = evaluate(case.loss(reduction="none"), prediction, target, dtype=None)
    room = AGREEMENT[dtype]  # what cancels is as good as its terms, of size 1 here
    for level in kernels.levels():
        with kernels.use_level(level):
            actual = case.loss(reduction="none").value_grad_hess(prediction, target)
        triples = zip(("value", "gradient", "hessian"), actual, expected, strict=True)
        for word, found, truth_ in triples:
            for i in np.flatnonzero(~np.isclose(found, truth_, room, room, equal_nan=True)):
                pytest.fail(f"{level}: {word} at {pairs[i]}: {found[i]} for {truth_[i]}")


@all_dtypes
@pytest.mark.parametrize(
    "loss", [fl.Poisson(), fl.Poisson(full=True), fl.Tweedie(power=1.0)], ids=repr
)
def test_a_rate_that_overflows_is_infinite(loss: Any, dtype: Any) -> None:
    far = np.finfo(dtype).max / 2
    prediction = np.array([far, far**0.75, 1e5], dtype)
    target = np.array([far**0.5, far**0.5, 0.0], dtype)
    for level in kernels.levels():
        with kernels.use_level(level):
            value, gradient, _ = loss.value_grad_hess(prediction, target, reduction="none")
        assert (value == np.inf).all()
        assert (gradient == np.inf).all()


@all_dtypes
@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_nan_stays_in_its_row(name: str, dtype: Any) -> None:
    case = CASES[name]
    prediction, target = sample(case, dtype, 100)
    if case.kind == "labels":
        target[41] = 0
    others = np.arange(100) != 41
    spoilt = prediction.copy()
    spoilt[41] = np.nan
    for level in kernels.levels():
        with kernels.use_level(level):
            loss = case.loss(reduction="none")
            mean = case.loss().value(spoilt, target)
        clean = loss.value_grad_hess(prediction, target)
        for before, after in zip(clean, loss.value_grad_hess(spoilt, target), strict=True):
            np.testing.assert_array_equal(before[others], after[others], err_msg=level)
        assert np.isnan(loss.value(spoilt, target)[41]), level
        if case.kind == "numbers":
            assert np.isnan(loss.grad(spoilt, target)[41]), level
        assert np.isnan(mean), level


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_half_precision(name: str, dtype: str) -> None:
    """Computed in float32, and rounded once."""
    half = np.dtype(pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype)
    case = CASES[name]
    prediction, target = sample(case, np.float32, 300)
    prediction = prediction.astype(half)
    for level in kernels.levels():
        with kernels.use_level(level):
            loss = case.loss()
        value, *derivatives = loss.value_grad_hess(prediction, target)
        wide_value, *wide = loss.value_grad_hess(prediction.astype(np.float32), target)
        assert value == wide_value, level
        for found, expected in zip(derivatives, wide, strict=True):
            assert found.dtype == half
            with np.errstate(over="ignore"):
                expected = expected.astype(half)
            np.testing.assert_array_equal(found.astype(np.float32), expected, err_msg=level)


@pytest.mark.parametrize("pos_weight", [np.array([0.5, 1, 2.5]), np.array([[2.0], [0.25]])])
def test_pos_weight_broadcasts_against_the_target(pos_weight: Any, level: str) -> None:
    random = np.random.default_rng(0)
    logits, target = random.normal(size=(2, 3)), random.random((2, 3))
    loss = fl.BinaryCrossEntropy(pos_weight=pos_weight, reduction="none")
    expected = evaluate(loss, logits, target)
    for found, truth_ in zip(loss.value_grad_hess(logits, target), expected, strict=True):
        np.testing.assert_allclose(found, truth_, rtol=1e-14)


@all_dtypes
@pytest.mark.parametrize(
    "alpha",
    [
        *(0.0, 1e-300, -1e-17, 1e-9, 2 - 2.0**-52, 2 + 1e-9, 1.3, 1.9, 7.3, 8.1, 12.3, 60.7, 1e3),
        *(1e5, 1e20, 1e150, -7.3, -12.7, -60.1, -1e3, -1e5, -1e20),
    ],
)
def test_barron_is_continuous_in_alpha(alpha: float, dtype: Any) -> None:
    """Its limits, and what is next to them, against their own closed forms; up to where it ends."""
    case = Case(fl.Barron, {"alpha": alpha}, "numbers")
    check_grid(case, dtype)
    if 1 < alpha < 100:
        gap, largest = abs(alpha - 2), float(np.finfo(dtype).max)
        shares = np.array([1e-3, 0.2, 0.5, 0.9, 0.99]) * (alpha / gap)
        size = np.exp(np.log(largest) / alpha + np.log(shares) / alpha) * gap**0.5
        prediction = size[np.isfinite(size)].astype(dtype)
        where = prediction.tolist()
        check_every_level(case, dtype, prediction, np.zeros_like(prediction), where)


@all_dtypes
@pytest.mark.parametrize(
    "beta", [1e-300, 1e-38, 1e-20, 1e-10, 1e-4, 1 - 1e-4, 1 - 2.0**-24, 1 - 2.0**-53]
)
def test_jensen_shannon_at_any_weight(beta: float, dtype: Any) -> None:
    case = Case(fl.JensenShannon, {"beta": beta}, "probabilities")
    for prediction, target in rows(case, dtype):
        n, classes = prediction.shape
        where = [f"row {i}, class {k} of {classes}" for i in range(n) for k in range(classes)]
        check_every_level(case, dtype, prediction, target, where)


@all_dtypes
@pytest.mark.parametrize("link", ["log", "identity"])
@pytest.mark.parametrize(
    "power",
    [
        *(-1000.3, -20.3, -2.7, -1e-17, 1 + 2.0**-20, 1.1, 1.9, 2 - 2.0**-20, 2 + 2.0**-20),
        *(3.7, 20.3, 1000.3),
    ],
)
def test_tweedie_at_any_power(power: float, link: str, dtype: Any) -> None:
    check_grid(Case(fl.Tweedie, {"power": power, "link": link}, "numbers"), dtype)


MANY = {
    "pinball": (fl.Pinball, "quantile", {"hessian": "unit"}),
    "expectile": (fl.Expectile, "level", {"half": True}),
}


@all_dtypes
@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_many_outputs(
    name: str, order: Any, k: int, weighted: bool, dtype: Any, level: str
) -> None:
    """Each output has the bits of a loss of its own, and the mean is over all of them."""
    loss_class, parameter, others = MANY[name]
    random = np.random.default_rng(3)
    shape = (7, 90, k)
    prediction = exact(random.normal(size=shape), dtype).copy(order)
    target = exact(random.normal(size=shape[:2]), np.float64)
    weight = sample_weight(630).reshape(shape[:2]) if weighted else None
    many = np.linspace(0, 1, k + 2)[1:-1]
    loss = loss_class(**{parameter: many}, **others)
    found = loss.value_grad_hess(prediction, target, weight, reduction="none")
    for j, one in enumerate(many.tolist()):
        alone = loss_class(**{parameter: one}, **others)
        column = np.ascontiguousarray(prediction[..., j])
        expected = alone.value_grad_hess(column, target, weight, reduction="none")
        for part, column_part in zip(found, expected, strict=True):
            np.testing.assert_array_equal(part[..., j], column_part)
    actual = loss.value_grad_hess(prediction, target, weight)
    expected = evaluate(loss, prediction, target, weight)
    for part, truth_ in zip(actual, expected, strict=True):
        np.testing.assert_allclose(part, truth_, rtol=4 * AGREEMENT[dtype], atol=1e-9)
    leading = sample_weight(7)
    by_axis = loss.value_and_grad(prediction, target, leading)
    in_full = loss.value_and_grad(prediction, target, np.repeat(leading, 90).reshape(7, 90))
    assert by_axis[0] == in_full[0]
    np.testing.assert_array_equal(by_axis[1], in_full[1])
    assert loss.partial(prediction, target).count == prediction.size


def test_many_outputs_are_named_when_they_do_not_fit() -> None:
    loss = fl.Pinball(quantile=[0.1, 0.9])
    for shape in [(), (3,), (4, 3)]:
        with pytest.raises(ValueError, match=r"prediction .*length 2.*quantile"):
            loss(np.zeros(shape), np.zeros(shape[:-1]))
    for shape in [(4, 2), (3,), (4, 1), ()]:
        with pytest.raises(ValueError, match=r"target must have shape \(4,\)"):
            loss(np.zeros((4, 2)), np.zeros(shape))
    for shape in [(4, 2), (3,)]:
        with pytest.raises(ValueError, match=r"weight must have shape \(4,\)"):
            loss(np.zeros((4, 2)), np.zeros(4), np.zeros(shape))
    assert fl.Pinball(quantile=[0.5])(np.ones((2, 1)), np.zeros(2)) == 0.5
    assert loss(np.ones(2), 0.0) == 0.5
    assert loss.hvp(np.ones((1, 2)), [0], np.ones((1, 2))).shape == (1, 2)


@all_dtypes
@pytest.mark.parametrize(("t1", "t2"), [(1.0, 1.0), (0.8, 1.2)])
def test_infinite_logits_of_a_tempered_softmax(t1: float, t2: float, dtype: Any) -> None:
    loss = fl.BiTemperedLogistic(t1=t1, t2=t2, reduction="none")
    low = np.array([[0.0, -np.inf, 1.0]], dtype)
    value, gradient, hessian = loss.value_grad_hess(low, [0])
    pair = loss.value_grad_hess(low[:, ::2], [0])
    assert value == pair[0]
    np.testing.assert_array_equal(gradient, np.insert(pair[1], 1, 0, axis=1))
    np.testing.assert_array_equal(hessian, np.insert(pair[2], 1, 0, axis=1))
    for row in ([0.0, np.inf, 1.0], [-np.inf] * 3):
        for part in loss.value_grad_hess(np.array([row], dtype), [0]):
            assert np.isnan(part).all()
