"""Losses of the user's own: formulas, functions on arrays, compiled loops."""

import dataclasses
import importlib
import inspect
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import fastloss as fl
from cases import DTYPES, MODES, REDUCTIONS
from fastloss import kernels
from fastloss.losses.custom import FunctionLoss
from test_examples import run_page

Array = npt.NDArray[Any]

DOCS = Path(__file__).parent.parent / "docs" / "custom.md"

needs_compiler = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("sympy", "llvmlite")),
    reason="needs fastloss[custom]",
)

HUBER = "where(abs(p - y) <= delta, (p - y)**2 / 2, delta * (abs(p - y) - delta / 2))"
# Formulas of losses that are built in.
TWINS: list[tuple[str, dict[str, float], Any, str]] = [
    ("log(cosh(p - y))", {}, fl.LogCosh(), "numbers"),
    (HUBER, {"delta": 1.5}, fl.Huber(delta=1.5), "numbers"),
    ("square(p - y)", {}, fl.SquaredError(), "numbers"),
    ("abs(p - y)", {}, fl.AbsoluteError(), "numbers"),
    ("max(q * (y - p), (q - 1) * (y - p))", {"q": 0.25}, fl.Pinball(quantile=0.25), "numbers"),
    ("log(1 + exp(p)) - y * p", {}, fl.BinaryCrossEntropy(), "labels"),
    ("softplus(p) - y * p", {}, fl.BinaryCrossEntropy(), "labels"),
    ("-y * log(sigmoid(p)) - (1 - y) * log(1 - sigmoid(p))", {}, fl.BinaryCrossEntropy(), "labels"),
    ("exp(p) - y * p", {}, fl.Poisson(), "counts"),
]


def twin_data(kind: str, dtype: npt.DTypeLike, n: int) -> tuple[Array, Array]:
    random = np.random.default_rng(n)
    prediction = (3 * random.normal(size=n)).astype(np.float32).astype(dtype)
    target = {
        "numbers": 3 * random.normal(size=n),
        "labels": random.integers(0, 2, n),
        "counts": random.poisson(2, n),
    }[kind]
    return prediction, target.astype(np.float32).astype(dtype)


@needs_compiler
@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("text", "parameters", "builtin", "kind"), TWINS)
def test_formulas_of_builtin_losses(
    text: str, parameters: dict[str, float], builtin: fl.Loss, kind: str, dtype: npt.DTypeLike
) -> None:
    loss = fl.custom(text, **parameters)
    builtin = dataclasses.replace(builtin)  # of this level
    prediction, target = twin_data(kind, dtype, 1000)
    weight = np.random.default_rng(1).uniform(0.5, 2, 1000).astype(np.float32)
    bound = 16 * np.finfo(dtype).eps
    for reduction in REDUCTIONS:
        for name, mode in MODES.items():
            for weights in ((), (weight,)):
                got = mode(loss, prediction, target, *weights, reduction=reduction)
                want = mode(builtin, prediction, target, *weights, reduction=reduction)
                for ours, theirs in zip(got, want, strict=True):
                    if theirs is None:
                        assert ours is None
                        continue
                    assert np.asarray(ours).dtype == np.asarray(theirs).dtype
                    scale = np.abs(prediction).max() if kind == "labels" else 1.0
                    np.testing.assert_allclose(
                        ours, theirs, bound, bound * scale, err_msg=f"{name} {reduction}"
                    )


@needs_compiler
@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_far_away(dtype: npt.DTypeLike) -> None:
    """Where the textbook's form overflows or cancels, the formula does not."""
    far = 1e300 if dtype == np.float64 else 1e30
    eps = float(np.finfo(dtype).eps)
    x = np.array([-far, -1e4, -100, -1e-4, 0.0, 1e-4, 100, 1e4, far], dtype)
    zero = np.zeros_like(x)
    for text, builtin in (
        ("log(cosh(p - y))", fl.LogCosh()),
        ("log(1 + exp(p)) - y * p", fl.BinaryCrossEntropy()),
        (HUBER, fl.Huber()),
    ):
        loss = fl.custom(text, **({"delta": 1.0} if text == HUBER else {}))
        builtin = dataclasses.replace(builtin)
        for ours, theirs in zip(
            loss.value_grad_hess(x, zero, reduction="none"),
            builtin.value_grad_hess(x, zero, reduction="none"),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, 8 * eps, np.finfo(dtype).tiny)
    pseudo_huber = fl.custom("sqrt(1 + (p - y)**2) - 1")
    r = np.array([1e-5, 1e-3, 1.0, 1e6], dtype)
    value, gradient, hessian = pseudo_huber.value_grad_hess(r, 0 * r, reduction="none")
    exact = r.astype(np.longdouble)
    root = np.sqrt(1 + exact**2)
    np.testing.assert_allclose(value, exact**2 / (1 + root), 8 * eps)
    np.testing.assert_allclose(gradient, exact / root, 8 * eps)
    np.testing.assert_allclose(hessian, root**-3, 16 * eps)


# Every function that a formula may call, and the rest of the grammar.
GRAMMAR = {
    **{
        name: f"{name}({', '.join(['0.3 * p + y / 7', '0.25', '0.5'][:count])}) + p * y"
        for name, count in {
            "abs": 1, "sign": 1, "exp": 1, "expm1": 1, "sigmoid": 1, "softplus": 1,
            "log_sigmoid": 1, "relu": 1, "sinh": 1, "cosh": 1, "tanh": 1, "log_cosh": 1, "sin": 1,
            "cos": 1, "atan": 1, "erf": 1, "square": 1, "min": 2, "minimum": 2, "max": 3,
            "maximum": 2, "clip": 3,
        }.items()
    },
    "log": "log(p**2 + 0.5 + y**2)",
    "log1p": "log1p(p**2 + y**2)",
    "sqrt": "sqrt(p**2 + 2 + y)",
    "lgamma": "lgamma(p**2 + 0.5 + y**2) - a * lgamma(a)",
    "digamma": "digamma(y**2 + 0.5) * p + digamma(a) * p**2",
    "trigamma": "trigamma(y**2 + 0.25) * p + trigamma(a) * p**2",
    "xlogy": "xlogy(y, p**2 + 1) + xlogy(p**2, y**2 + 1)",
    "where": "where((p < y) & ~(p == 1) | (y >= 3), p**3, a * p)",
    "Piecewise": "Piecewise((p, p < -1), (p**2, p < 1 and y != 2), (2 * p, True))",
    "conditions of numbers": "where(a < 1, p, where(0 < 1 and p < y, p**3, a * p + 1))",
    "if": "p**2 if -1 < p <= y or not y > 2 else a * p + 1",
    "power": "abs(p - y + 20)**a + (p**2 + 1)**-1.5 + 2**p + (p - y)**3 / (1 + y**2)",
    "names": "prediction * target / pi + a",
    "lines": "r = p - y\ns = r / a\nr * s",
}  # fmt: skip


@needs_compiler
@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("name", GRAMMAR)
def test_grammar(name: str) -> None:
    """Compiled as NumPy evaluates SymPy's expressions, and differentiated as differences say."""
    from fastloss.kernels import expressions

    text = GRAMMAR[name]
    parameters = {"a": 1.75} if re.search(r"\ba\b", text) else {}
    loss = fl.custom(text, **parameters)
    formula = expressions.read(text, tuple(parameters))
    prediction, target = twin_data("numbers", np.float64, 300)
    symbols: dict[Any, Any] = {expressions.PREDICTION: prediction, expressions.TARGET: target}
    symbols |= {expressions.parameter(key): value for key, value in parameters.items()}
    for dtype in DTYPES:
        eps = float(np.finfo(dtype).eps)
        got = loss.value_grad_hess(prediction.astype(dtype), target.astype(dtype), reduction="none")
        for ours, expression in zip(got, formula[:3], strict=True):
            want = np.broadcast_to(expressions.evaluate(expression, symbols), prediction.shape)
            np.testing.assert_allclose(ours, want, 300 * eps, 300 * eps)


@needs_compiler
@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_likelihoods_with_gamma_functions(dtype: npt.DTypeLike) -> None:
    """Of a shape that is predicted, and with terms that no prediction is in."""
    bound = 64 * float(np.finfo(dtype).eps)
    log_shape, counts = twin_data("counts", dtype, 500)
    target = (counts + 0.25).astype(dtype)
    gamma = fl.custom("k = exp(p)\nlgamma(k) - k * p + k * y - (k - 1) * log(y)")
    both = np.stack([0 * log_shape, log_shape], -1)
    want = fl.GammaNLL().value_grad_hess(both, target, reduction="none")
    got = gamma.value_grad_hess(log_shape, target, reduction="none")
    size = 1 + np.exp(log_shape) * (target + abs(log_shape))
    for ours, theirs in zip(got, (want[0], want[1][:, 1], want[2][:, 1]), strict=True):
        assert (abs(ours - theirs) <= bound * size).all()

    r, logit = 1 / 0.75, log_shape
    counted = fl.custom(
        "r = 1 / a\nc = lgamma(r) + lgamma(y + 1) - lgamma(y + r)\n"
        "c + (y + r) * log(1 + a * exp(p)) - y * p",
        a=0.75,
    )
    want = fl.NegativeBinomial(alpha=0.75).value_grad_hess(logit, counts, reduction="none")
    got = counted.value_grad_hess(logit, counts, reduction="none")
    terms = [math.lgamma(r) + math.lgamma(y + 1) - math.lgamma(y + r) for y in counts.tolist()]
    for ours, theirs in zip(got, (want[0] + terms, *want[1:]), strict=True):
        np.testing.assert_allclose(ours, theirs, bound, 10 * bound)


@needs_compiler
def test_the_grammar_is_tested() -> None:
    from fastloss.kernels import expressions

    assert {*expressions.FUNCTIONS} <= {*GRAMMAR}


@needs_compiler
def test_bits_do_not_depend_on_threads_or_place() -> None:
    for text in ("log(cosh(p - y))", HUBER):
        loss = fl.custom(text, **({"delta": 1.0} if text == HUBER else {}))
        for dtype in DTYPES:
            prediction, target = twin_data("numbers", dtype, 50_003)
            alone = loss.value_grad_hess(prediction, target, n_threads=1)
            with kernels.force_threads():
                many = loss.value_grad_hess(prediction, target, n_threads=5)
            with kernels.force_streaming():
                streamed = loss.value_grad_hess(prediction, target)
            for other in (many, streamed):
                assert other[0] == alone[0]
                np.testing.assert_array_equal(other[1], alone[1])
                np.testing.assert_array_equal(other[2], alone[2])
            for n in (1, 31, 32, 33, 127, 513):
                part = loss.grad(prediction[1 : n + 1], target[1 : n + 1], reduction="sum")
                whole = loss.grad(prediction, target, reduction="sum")
                np.testing.assert_array_equal(part, whole[1 : n + 1])


def made() -> list[Any]:
    """One custom loss of each kind that there is without a C compiler, and its built-in twin."""
    found = [pytest.param(lambda: fl.custom(_squared), fl.SquaredError(), id="function")]
    formula = pytest.param(
        lambda: fl.custom("(p - y)**2"), fl.SquaredError(), id="formula", marks=needs_compiler
    )
    return [*found, formula]


def _squared(p: Array, y: Array) -> tuple[Array, Array, Any]:
    return (p - y) ** 2, 2 * (p - y), 2.0


@pytest.mark.parametrize(("make", "builtin"), made())
def test_arguments(make: Callable[[], Any], builtin: fl.Loss) -> None:
    """All that the driver does for a loss: types, layouts, weights, outputs, and errors."""
    loss = make()
    random = np.random.default_rng(0)
    prediction = random.normal(size=(40, 60)).astype(np.float32)
    target = random.integers(-3, 3, (60, 40)).T
    weight = random.uniform(size=40)
    calls: list[tuple[Any, ...]] = [
        (prediction, target),
        (prediction[::2, ::-3], target[::2, ::-3].astype(np.float64)),
        (prediction.astype(np.float16), target),
        (prediction.astype(">f8"), target.astype(bool)),
        (prediction, target, weight),
        ([1.0, 2.0], [1, 2], [3, 4]),
        (2.0, 1.0),
        (prediction[:0], target[:0]),
    ]
    for call in calls:
        for mode in MODES.values():
            for ours, theirs in zip(mode(loss, *call), mode(builtin, *call), strict=True):
                if theirs is not None:
                    assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)
                    np.testing.assert_allclose(ours, theirs, 1e-6, 1e-12)
    assert loss.partial(prediction, target).count == prediction.size
    v = random.normal(size=prediction.shape).astype(np.float32)
    np.testing.assert_allclose(loss.hvp(prediction, target, v, reduction="sum"), 2 * v)
    changed = prediction.copy()
    _, gradient = loss.value_and_grad(changed, target, out=changed)
    assert gradient is changed
    np.testing.assert_allclose(changed, builtin.grad(prediction, target), 1e-6)
    with pytest.raises(ValueError, match="target must have the prediction's shape"):
        loss(prediction, target[1:])
    with pytest.raises(ValueError, match="reduction must be"):
        loss(prediction, target, reduction="median")


@needs_compiler
def test_nan_stays_where_it_is() -> None:
    for text in (
        HUBER.replace("delta", "1"),
        "max(p, y)",
        "min(0, p) * y",
        "abs(p - y)",
        "p**2 + y",
    ):
        loss = fl.custom(text)
        prediction, target = twin_data("numbers", np.float32, 100)
        clean = loss.value_and_grad(prediction, target, reduction="none")
        prediction[7], target[50] = np.nan, np.nan
        hurt = loss.value_and_grad(prediction, target, reduction="none")
        for before, after in zip(clean, hurt, strict=True):
            same = np.arange(100) != 7
            same[50] = False
            np.testing.assert_array_equal(before[same], after[same])
            assert np.isnan(after[7])
        assert np.isnan(hurt[0][50])
    # 0 log 0 is 0, and nothing else is.
    logarithm = fl.custom("xlogy(y, p)")
    found = logarithm([0.0, np.nan, 3.0], [0.0, 0.0, 0.0], reduction="none")
    np.testing.assert_array_equal(found, [0, np.nan, 0])


@needs_compiler
def test_hyperbolic_functions_overflow_where_they_must() -> None:
    for text in ("sinh(p)", "cosh(p)"):
        for dtype, below, above in ((np.float32, 89.0, 90.0), (np.float64, 710.0, 711.0)):
            points = np.array([below, above, 1e4, 1e30], dtype)
            found = fl.custom(text)(points, np.zeros_like(points), reduction="none")
            assert np.isfinite(found).tolist() == [True, False, False, False]
            assert (found[1:] == np.inf).all()


@needs_compiler
def test_ties() -> None:
    zero = np.zeros(3)
    for text in ("abs(p - y)", "max(p, y) - min(p, y)", "max(0, p - y)", "abs(p - y)**1.5"):
        assert fl.custom(text).grad(zero, zero).tolist() == [0, 0, 0]
    assert fl.custom("abs(p - y)**1.5").value_grad_hess(zero, zero)[2].tolist() == [0, 0, 0]
    assert fl.custom("where(p >= y, p, -p)").grad(zero, zero, reduction="sum").tolist() == [1] * 3


@needs_compiler
@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("p +", {}, "cannot be read"),
        ("", {}, "must end with an expression"),
        ("p = 3", {}, "must end with an expression"),
        ("import os\np", {}, "lines before the last must read"),
        ("p = y\np", {}, "has a meaning already"),
        ("__import__('os').system('true') + p", {}, "not arithmetic"),
        ("p.real", {}, "not arithmetic"),
        ("p[0]", {}, "not arithmetic"),
        ("[p for p in y]", {}, "not arithmetic"),
        ("lambda: p", {}, "not arithmetic"),
        ("(z := p)", {}, "not arithmetic"),
        ("p @ y", {}, "not arithmetic"),
        ("p % 2", {}, "not arithmetic"),
        ("f'{p}'", {}, "not arithmetic"),
        ("'p'", {}, "no number"),
        ("True * p", {}, "no number"),
        ("1j * p", {}, "no number"),
        ("q * p", {}, "unknown name .*'q'"),
        ("eval(p)", {}, "unknown function eval"),
        ("exp(p, y)", {}, "exp takes 1 argument"),
        ("exp(x=p)", {}, "not arithmetic"),
        ("max(p)", {}, "max takes 2 or more arguments"),
        ("where(p, 1, 2)", {}, "a condition is needed"),
        ("p < y", {}, "a number is needed"),
        ("p is y", {}, "no comparison of numbers"),
        ("Piecewise((p, p < y))", {}, "last condition of Piecewise must be True"),
        ("Piecewise(p, y)", {}, "Piecewise takes pairs"),
        ("y**2", {}, "does not depend on the prediction"),
        ("p", {"a": 1.0}, "does not contain the parameter 'a'"),
        ("exp * p", {"exp": 1.0}, "has a meaning in formulas already"),
        ("9**9**9**9 * p", {}, "exponent .* too large"),
        ("p**100000", {}, "exponent .* too large"),
        ("sqrt(-1) * p", {}, "no finite real value"),
        ("p / 0", {}, "no finite real value"),
        ("p + 1 / 0", {}, "no finite real value"),
        ("(-1)**p", {}, "no finite real gradient"),
        ("log(-1 - p**2)", {}, "finite at none"),
        (f"{'9' * 400} * p", {}, "finite at none"),
        (" + ".join(["p"] * 2000), {}, "too long or too deep"),
        ("digamma(p**2 + 1)", {}, "a loss needs two"),
    ],
)
def test_bad_formulas(text: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fl.custom(text, **parameters)


def test_bad_arguments() -> None:
    with pytest.raises(TypeError, match="must be a formula, a function on arrays, or a pair"):
        fl.custom(3)
    with pytest.raises(TypeError, match="a function has no parameters"):
        fl.custom(_squared, a=1.0)
    with pytest.raises(TypeError, match="gradient and hessian are for"):
        fl.custom("p * y", gradient=_squared)
    with pytest.raises(TypeError, match="a must be a number"):
        fl.custom("a * p", a="1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reduction must be"):
        fl.custom(_squared, reduction="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a capsule"):
        fl.custom(("f", "g"))
    with pytest.raises(TypeError, match="must be a capsule"):
        fl.custom((0, 0))


@needs_compiler
def test_as_an_object() -> None:
    loss = fl.custom("a * (p - y)**2", a=2.0, name="scaled", reduction="sum")
    assert repr(loss) == "custom('a * (p - y)**2', a=2.0, name='scaled', reduction='sum')"
    again = fl.custom("a * (p - y)**2", a=2, name="scaled", reduction="sum")
    assert loss == again
    assert hash(loss) == hash(again)
    assert loss != fl.custom("a * (p - y)**2", a=3.0, name="scaled", reduction="sum")
    copy = pickle.loads(pickle.dumps(loss))
    assert copy == loss
    assert copy([3.0], [1.0]) == loss([3.0], [1.0]) == 8.0
    assert dataclasses.replace(loss, reduction="none")([3.0], [1.0]).tolist() == [8.0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.name = "other"  # type: ignore[attr-defined]
    assert isinstance(loss, fl.Loss)
    assert type(loss) not in fl.losses()


@needs_compiler
def test_float32_stays_float32() -> None:
    """All arithmetic is on vectors, and of a float32 loop only the sums are in double."""
    from fastloss.kernels import compiler

    level = kernels.active()
    text = "0.1 * log(1 + a * (p - y)**2 / 3) + where(p < 0.7, 2.5 * p, exp(-p)) + sqrt(1 + p**2)"
    source = compiler.source(text, ("a",), level)
    singles = source.split("define void @value_f64")[0]
    assert not re.findall(r"= f(?:add|sub|mul|div|neg|cmp \w+) (?:float|double)", source)
    body = singles[singles.index("define void @value_f32") :]
    doubles = [line for line in body.split("\n") if "x double>" in line]
    assert all(re.search(r"%sum\d|%lanes|fpext|declare|= load|store", line) for line in doubles)
    assert "fmul fast" not in source


def test_functions_find_their_derivatives() -> None:
    def value(p: Array, y: Array) -> Array:
        return np.asarray(np.exp(p) - y * p)

    def gradient(p: Array, y: Array) -> Array:
        return np.asarray(np.exp(p) - y)

    def hessian(p: Array, y: Array) -> Array:
        return np.asarray(np.exp(p))

    prediction, target = twin_data("counts", np.float64, 2000)
    want = fl.Poisson().value_grad_hess(prediction, target, reduction="none")
    for loss, digits in (
        (fl.custom(value), 1e-9),
        (fl.custom(lambda p, y: (value(p, y), gradient(p, y))), 1e-14),
        (fl.custom(value, gradient=gradient), 1e-14),
        (fl.custom(value, hessian=hessian), 1e-14),
        (fl.custom(value, gradient=gradient, hessian=hessian), 1e-14),
        (fl.custom(lambda p, y: (value(p, y), gradient(p, y), hessian(p, y))), 1e-14),
    ):
        got = loss.value_grad_hess(prediction, target, reduction="none")
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(ours, theirs, digits, digits)
        single = loss.grad(prediction.astype(np.float32), target, reduction="none")
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, want[1], 1e-5, 1e-5)


def test_wrong_derivatives_are_found() -> None:
    with pytest.raises(ValueError, match=r"gradient of custom.* disagrees with finite differences"):
        fl.custom(lambda p, y: ((p - y) ** 2, p - y))
    with pytest.raises(ValueError, match=r"Hessian of custom.* disagrees with finite differences"):
        fl.custom(lambda p, y: ((p - y) ** 2, 2 * (p - y), 1.0))
    with pytest.raises(ValueError, match="gradient"):
        fl.custom(lambda p, y: np.abs(p - y))
    with pytest.raises(ValueError, match="must be one number for each element"):
        fl.custom(lambda p, y: (p - y).sum(keepdims=True))
    with pytest.raises(TypeError, match="must return the value, or a tuple"):
        fl.custom(lambda p, y: (p, p, p, p))
    unchecked = fl.custom(lambda p, y: ((p - y) ** 2, p - y), check=False)
    assert unchecked.grad([1.0], [0.0]).tolist() == [1.0]


def test_kinks_are_no_wrong_derivatives() -> None:
    for delta in np.linspace(0.01, 5, 200):

        def huber(p: Array, y: Array, delta: float = delta) -> tuple[Array, Array, Array]:
            clipped = np.clip(p - y, -delta, delta)
            return clipped * (p - y - clipped / 2), clipped, np.abs(p - y) <= delta

        fl.custom(huber)


def test_errors_in_functions_are_raised() -> None:
    def picky(p: Array, y: Array) -> tuple[Array, Array, float]:
        if (p == 7).any():
            raise ArithmeticError("seven")
        return _squared(p, y)

    loss = fl.custom(picky, check=False)
    prediction = np.zeros(100_000)
    assert loss(prediction, prediction) == 0
    prediction[77_777] = 7
    for _ in range(2):
        with pytest.raises(ArithmeticError, match="seven"):
            loss(prediction, prediction)
    assert loss(prediction[:1000], prediction[:1000]) == 0


def test_no_exception_is_lost_between_two_calls_of_a_function() -> None:
    """Here one that comes before a function's first line; an interrupt may come there as well."""
    loss = fl.custom(_squared)
    points = np.full(2000, 3.0)

    def call(depth: int) -> Any:
        return call(depth - 1) if depth else loss(points, np.zeros(2000))

    used = len(inspect.stack(0))
    raised = 0
    for depth in range(sys.getrecursionlimit() - used - 30, sys.getrecursionlimit() - used + 5):
        try:
            assert call(depth) == 9
        except RecursionError:
            raised += 1
    assert 0 < raised < 35


def test_functions_can_neither_change_nor_keep_the_callers_numbers() -> None:
    kept: list[Array] = []

    def greedy(p: Array, y: Array) -> tuple[Array, Array, float]:
        kept.append(p)
        return _squared(p, y)

    def rude(p: Array, y: Array) -> Array:
        p -= y
        return p**2

    with pytest.raises(ValueError, match="read-only"):
        fl.custom(rude)
    prediction = np.arange(512.0)
    fl.custom(greedy, check=False)(prediction, prediction)
    prediction[:] = -1
    np.testing.assert_array_equal(kept[0], np.arange(512.0))


def test_functions_are_called_with_what_is_there() -> None:
    """No padding reaches them, and several threads may call at once."""
    seen: list[int] = []

    def counted(p: Array, y: Array) -> tuple[Array, Array, float]:
        assert (p > 0).all()
        seen.append(len(p))
        return _squared(p, y)

    loss = fl.custom(counted, check=False)
    loss.value_and_grad(np.ones(1000 + 7), np.ones(1007))
    assert sum(seen) == 1007
    results: list[float] = []
    threads = [
        threading.Thread(target=lambda: results.append(loss(np.full(20_000, 2.0), np.ones(20_000))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1.0] * 4


def test_function_losses_as_objects() -> None:
    loss = fl.custom(_squared, name="squared")
    assert isinstance(loss, FunctionLoss)
    assert repr(loss) == "custom(_squared, name='squared')"
    assert loss == fl.custom(_squared, name="squared")
    assert pickle.loads(pickle.dumps(loss)) == loss
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(fl.custom(lambda p, y: (p - y) ** 2))


@needs_compiler
def test_documentation() -> None:
    run_page("docs/custom.md")


@pytest.fixture(scope="module")
def compiled_example(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The documentation's module, compiled with Cython as a user would."""
    pytest.importorskip("Cython")
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("example")
    blocks = re.findall(r"^```cython\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    (folder / "my_losses.pyx").write_text("\n".join(blocks))
    root = str(Path(fl.__file__).parent.parent)
    subprocess.run(
        [sys.executable, "-m", "Cython.Build.Cythonize", "-i", "my_losses.pyx"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        check=True,
        capture_output=True,
    )
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("my_losses")
    finally:
        sys.path.remove(str(folder))


def test_compiled_loops(compiled_example: Any) -> None:
    pair = (compiled_example.float32, compiled_example.float64)
    loss = fl.custom(pair, scale=2.0, name="geman_mcclure")
    for dtype in DTYPES:
        prediction, target = twin_data("numbers", dtype, 30_011)
        residual = (prediction - target).astype(np.float64) / 2
        below = 1 / (1 + residual**2)
        want = (residual**2 * below, residual * below**2, (0.5 - 1.5 * residual**2) * below**3)
        eps = 16 * np.finfo(dtype).eps
        for got in (
            loss.value_grad_hess(prediction, target, reduction="none"),
            loss.value_grad_hess(prediction[:33], target[:33], reduction="none"),
        ):
            for ours, theirs in zip(got, want, strict=True):
                np.testing.assert_allclose(ours, theirs[: len(ours)], eps, eps)
        alone = loss.value_and_grad(prediction, target, n_threads=1)
        with kernels.force_threads(), kernels.force_streaming():
            many = loss.value_and_grad(prediction, target, n_threads=5)
        assert alone[0] == many[0]
        np.testing.assert_array_equal(alone[1], many[1])
        np.testing.assert_allclose(alone[0], want[0].mean(), 1e-5)
    assert loss == fl.custom(pair, scale=2.0, name="geman_mcclure")
    assert loss != fl.custom(pair, scale=1.0, name="geman_mcclure")
    assert re.fullmatch(r"custom\(\(0x\w+, 0x\w+\), scale=2.0, name='geman_mcclure'\)", repr(loss))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(loss)
    with pytest.raises(ValueError, match=r"custom\(\(0x"):
        fl.custom(pair[::-1], scale=2.0)
