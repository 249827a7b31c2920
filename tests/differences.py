"""Where losses are known to differ from other libraries' of the same name, and why.

    python tests/differences.py > docs/differences.md

Each row of the page is a difference that a test observes on both sides.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastloss as fl

INF, NAN = np.inf, np.nan


class Difference(NamedTuple):
    """One row: of a loss and a case, what the peer does, what we do, and why."""

    loss: str
    case: str
    peer: str
    theirs: str
    ours: str
    why: str
    check: Callable[[], None]
    packages: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.loss}-{self.peer}-{self.case}".replace(" ", "_")


DIFFERENCES: list[Difference] = []


def differs(
    loss: str, case: str, peer: str, theirs: str, ours: str, why: str, *packages: str
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Put a row into the table; what is decorated observes it."""

    def note(check: Callable[[], None]) -> Callable[[], None]:
        DIFFERENCES.append(Difference(loss, case, peer, theirs, ours, why, check, packages))
        return check

    return note


def page() -> str:
    lines = [
        "<!-- Made by tests/differences.py; do not edit. -->",
        "",
        "# Differences from other libraries",
        "",
        "Values and gradients agree with PyTorch 2.13, Keras 3, optax 0.2 and scikit-learn 1.9",
        "within their own rounding, for all their losses that have a counterpart: a test compares",
        "them, and another observes every difference below on both sides.",
        "",
        "| loss | case | who | what they give | what fastloss gives | why |",
        "|---|---|---|---|---|---|",
    ]
    for d in sorted(DIFFERENCES, key=lambda d: (d.loss, d.case, d.peer)):
        loss = f"[{d.loss}](losses.md#{d.loss.lower()})"
        lines.append(f"| {loss} | {d.case} | {d.peer} | {d.theirs} | {d.ours} | {d.why} |")
    return "\n".join([*lines, ""])


# --- PyTorch --------------------------------------------------------------------------------------


def torch(
    name: str, prediction: Any, target: Any, dtype: str = "float64", **options: Any
) -> tuple[float, list[Any]]:
    """Value and gradient of a function of PyTorch."""
    import torch as library

    kind = getattr(library, dtype)
    options = {
        key: library.tensor(v, dtype=kind) if isinstance(v, list) else v
        for key, v in options.items()
    }
    x = library.tensor(prediction, dtype=kind, requires_grad=True)
    whole = np.asarray(target).dtype.kind == "i" and np.ndim(target) < x.ndim
    t = library.tensor(target, dtype=library.int64 if whole else kind)
    value = getattr(library.nn.functional, name)(x, t, **options)
    value.sum().backward()
    assert x.grad is not None
    return value.item(), x.grad.tolist()


def same(found: Any, expected: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


ZERO_TIMES_INFINITY = "0 times infinity is 0 where it is a weight or a probability that is 0"


@differs(
    "CrossEntropy",
    "target probability 0 at a logit of -inf",
    "PyTorch",
    "NaN",
    "0 for that class",
    ZERO_TIMES_INFINITY,
    "torch",
)
def _() -> None:
    logits, target = [[0.0, 0.0, -INF]], [[0.5, 0.5, 0.0]]
    assert np.isnan(torch("cross_entropy", logits, target)[0])
    value, gradient = fl.CrossEntropy().value_and_grad(logits, target)
    same(value, np.log(2))
    same(gradient, np.zeros((1, 3)))


@differs(
    "CrossEntropy",
    "NaN in an ignored row",
    "PyTorch",
    "gradient NaN in that row",
    "gradient 0 in that row",
    "an ignored row is never read",
    "torch",
)
def _() -> None:
    logits, target = [[NAN, NAN], [0.0, 0.0]], [-100, 0]
    value, gradient = torch("cross_entropy", logits, target)
    same(value, np.log(2))
    assert np.isnan(gradient[0]).all()
    value, found = fl.CrossEntropy().value_and_grad(logits, target)
    same(value, np.log(2))
    same(found[0], [0, 0])


@differs(
    "CrossEntropy",
    "the mean of rows that all have a class weight of 0",
    "PyTorch",
    "NaN, gradient NaN",
    "NaN, gradient 0",
    "nothing that counts can be improved; a NaN would destroy the parameters",
    "torch",
)
def _() -> None:
    logits, target = [[1.0, 2.0]], [0]
    value, gradient = torch("cross_entropy", logits, target, weight=[0.0, 1.0])
    assert np.isnan(value)
    assert np.isnan(gradient).all()
    found = fl.CrossEntropy(class_weight=[0, 1]).value_and_grad(logits, target)
    assert np.isnan(found[0])
    same(found[1], [[0, 0]])


@differs(
    "CrossEntropy",
    "labels of type int32, int16 or uint16",
    "PyTorch",
    "RuntimeError",
    "the loss",
    "every integer type holds labels",
    "torch",
)
def _() -> None:
    import torch as library

    logits = library.zeros(1, 2)
    with pytest.raises(RuntimeError):
        library.nn.functional.cross_entropy(logits, library.zeros(1, dtype=library.int32))
    same(fl.CrossEntropy()(np.zeros((1, 2)), np.zeros(1, np.int32)), np.log(2))


@differs(
    "BinaryCrossEntropy",
    "logit of ±inf with the right label",
    "PyTorch",
    "NaN",
    "0",
    ZERO_TIMES_INFINITY,
    "torch",
)
def _() -> None:
    assert np.isnan(torch("binary_cross_entropy_with_logits", [INF], [1.0])[0])
    value, gradient = fl.BinaryCrossEntropy().value_and_grad([INF, -INF], [1.0, 0.0])
    same([value, *gradient], 0)


@differs(
    "SoftMargin",
    "score of -200 at label 1, in float32",
    "PyTorch",
    "infinite, gradient NaN",
    "200, gradient -1",
    "log(1 + exp x) does not overflow where it is x",
    "torch",
)
def _() -> None:
    value, gradient = torch("soft_margin_loss", [-200.0], [1.0], "float32")
    assert np.isinf(value)
    assert np.isnan(gradient[0])
    loss = fl.SoftMargin(labels="pm1")
    value, found = loss.value_and_grad(np.array([-200.0], np.float32), [1.0])
    same([value, *found], [200, -1])


@differs(
    "KLDivergence",
    "target 0 at log-probability -inf",
    "PyTorch",
    "NaN",
    "0 for that class",
    ZERO_TIMES_INFINITY,
    "torch",
)
def _() -> None:
    prediction, target = [[0.0, -INF]], [[1.0, 0.0]]
    assert np.isnan(torch("kl_div", prediction, target, reduction="sum")[0])
    same(fl.KLDivergence(reduction="sum")(prediction, target), 0)


@differs(
    "KLDivergence",
    "the mean",
    "PyTorch",
    "divided by all elements; its `batchmean` by the rows",
    "divided by the rows",
    "a divergence is of a row; `denominator=prediction.size` gives the other",
    "torch",
)
def _() -> None:
    prediction, target = np.log([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    theirs = torch("kl_div", prediction.tolist(), target.tolist())[0]
    same(theirs, fl.KLDivergence()(prediction, target) / 2)
    same(theirs, fl.KLDivergence()(prediction, target, denominator=2))


@differs(
    "GaussianNLL",
    "variance below eps",
    "PyTorch",
    "the value at eps, the derivative of the variance too",
    "the same",
    "listed because the clamp is not differentiated on either side",
    "torch",
)
def _() -> None:
    import torch as library

    variance = library.zeros(1, dtype=library.float64, requires_grad=True)
    mean, target = library.ones(1, dtype=library.float64), library.zeros(1, dtype=library.float64)
    library.nn.functional.gaussian_nll_loss(mean, target, variance).backward()
    loss = fl.GaussianNLL(parametrisation="variance")
    gradient = loss.grad([[1.0, 0.0]], [0.0])
    assert variance.grad is not None
    same(gradient[0, 1], variance.grad.item())


@differs(
    "MultiMargin",
    "the mean with class weights",
    "PyTorch",
    "divided by the rows",
    "divided by the sum of the labels' weights",
    "as cross-entropy in both; `denominator=len(target)` gives the other",
    "torch",
)
def _() -> None:
    scores, target, weight = [[0.0, 0.5]], [0], [0.5, 1.0]
    theirs = torch("multi_margin_loss", scores, target, weight=weight)[0]
    loss = fl.MultiMargin(class_weight=weight)
    same(theirs, loss(scores, target) / 2)
    same(theirs, loss(scores, target, denominator=1))


@differs(
    "HingeEmbedding",
    "targets between the labels",
    "PyTorch",
    "both terms are added where the target is neither -1 nor 1",
    "the terms are shared out: a target is a share of the two labels",
    "soft labels mean the same for every binary loss",
    "torch",
)
def _() -> None:
    theirs = torch("hinge_embedding_loss", [0.25], [0.0])[0]
    same(theirs, 0.25 + 0.75)
    same(fl.HingeEmbedding(labels="pm1")([0.25], [0.0]), (0.25 + 0.75) / 2)


# --- Keras ----------------------------------------------------------------------------------------


@differs(
    "LogCosh",
    "residual of 1e-4 in float32",
    "Keras",
    "0, or noise of 1e-8",
    "5e-9",
    "a polynomial in r² where |r| < 1, which cancels nothing",
    "keras",
)
def _() -> None:
    import keras

    small = np.array([[1e-4]], np.float32)
    theirs = float(keras.losses.LogCosh()(np.zeros((1, 1), np.float32), small))
    assert abs(theirs - 5e-9) > 1e-9
    same(fl.LogCosh()(small, [[0.0]]) / 5e-9, 1, 1e-5)


@differs(
    "CategoricalHinge",
    "every other class's score is negative",
    "Keras",
    "compares with 0, a product of the mask",
    "the same; `CrammerSinger` compares with the greatest score",
    "the name is Keras's; optax's and scikit-learn's hinge is the other",
    "keras",
)
def _() -> None:
    import keras

    scores = np.array([[0.5, -3.0]])
    theirs = float(keras.losses.CategoricalHinge(dtype="float64")(np.array([[1.0, 0.0]]), scores))
    same(theirs, fl.CategoricalHinge()(scores, [0]))
    same(fl.CrammerSinger()(scores, [0]), 0)


@differs(
    "LogLoss",
    "p = 1 at target 0",
    "Keras",
    "15.94 in float32, 16.12 in float64: p is clipped to 1 - 1e-7 and rounded",
    '`clamp="keras"`: the same clip',
    "the rounding of 1 - 1e-7 to float32 is the peer's",
    "keras",
)
def _() -> None:
    import keras

    one = np.ones((1, 1), np.float32)
    theirs = float(keras.losses.BinaryCrossentropy()(0 * one, one))
    same(theirs, 15.942385, 1e-3)
    same(fl.LogLoss(clamp="keras")(one.astype(np.float64), 0 * one), -np.log(1e-7), 1e-6)


# --- scikit-learn ---------------------------------------------------------------------------------


@differs(
    "AbsoluteError",
    "gradient at a tie",
    "scikit-learn",
    "-1",
    "0",
    "0 is the sub-gradient of least size: what is right is not moved",
    "sklearn",
)
def _() -> None:
    import sklearn._loss

    zero = np.zeros(1)
    same(sklearn._loss.AbsoluteError().gradient(zero, zero), [-1])
    same(fl.AbsoluteError().grad(zero, zero), [0])


@differs(
    "Pinball",
    "gradient at a tie",
    "scikit-learn",
    "-q",
    "0",
    "0 is the sub-gradient of least size: what is right is not moved",
    "sklearn",
)
def _() -> None:
    import sklearn._loss

    zero = np.zeros(1)
    same(sklearn._loss.PinballLoss(quantile=0.25).gradient(zero, zero), [-0.25])
    same(fl.Pinball(quantile=0.25).grad(zero, zero), [0])


@differs(
    "AbsoluteError",
    "Hessian",
    "scikit-learn",
    "1",
    '0; `hessian="unit"` is 1',
    "exact unless asked otherwise",
    "sklearn",
)
def _() -> None:
    import sklearn._loss

    one, zero = np.ones(1), np.zeros(1)
    same(sklearn._loss.AbsoluteError().gradient_hessian(zero, one)[1], [1])
    same(fl.AbsoluteError().grad_and_hess(one, zero)[1], [0])
    same(fl.AbsoluteError(hessian="unit").grad_and_hess(one, zero)[1], [1])


@differs(
    "CrossEntropy",
    "a label that is no class",
    "scikit-learn (`HalfMultinomialLoss`)",
    "not checked: memory beside the row is read",
    "IndexError, with the label and its position",
    "a wrong label is found before anything is read with it",
)
def _() -> None:
    with pytest.raises(IndexError, match="label 7 at position 0"):
        fl.CrossEntropy()([[0.0, 0.0]], [7])


# --- optax ----------------------------------------------------------------------------------------


@differs(
    "LogCosh",
    "residual of 1e-3 in float32",
    "optax",
    "several percent off",
    "5e-7, to the last digits",
    "a polynomial in r² where |r| < 1, which cancels nothing",
    "optax",
)
def _() -> None:
    import optax

    small = np.array([1e-3], np.float32)
    theirs = float(optax.losses.log_cosh(small, 0 * small)[0])
    assert abs(theirs / 5e-7 - 1) > 0.01
    same(fl.LogCosh()(small, [0.0]) / 5e-7, 1, 1e-5)


if __name__ == "__main__":
    print(page(), end="")
