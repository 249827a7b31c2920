"""Losses of the logits of several classes."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastloss.reference.array import Array, multiply, one_hot

__all__ = [
    "bi_tempered_logistic",
    "cross_entropy",
    "generalized_cross_entropy",
    "negative_log_likelihood",
    "poly1",
    "softmax_absolute_error",
    "softmax_focal",
    "symmetric_cross_entropy",
    "taylor_cross_entropy",
]


def cross_entropy(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    prior: npt.ArrayLike | None = None,
    z_loss: float = 0.0,
    soft_cap: float | None = None,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """-sum_k w_k q_k log softmax(z)_k, as PyTorch's cross_entropy.

    q is the target, smoothed to (1 - e) q + e r with the prior r (1 / C over C classes); a label
    stands for its one-hot q. 0 * log 0 = 0, and a row whose label is `ignore_index` costs 0.
    `z_loss` times the target's weight and the squared log-sum-exp are added. With a soft cap c the
    softmax is that of c tanh(z / c). `empty` concerns the mean alone: see `evaluate`.
    """
    axis = axis if prediction.ndim > 1 else 0
    classes = prediction.shape[axis]
    weight = np.ones(classes) if class_weight is None else np.asarray(class_weight)
    share = label_smoothing * weight * (1 / classes if prior is None else np.asarray(prior))
    weight, share = weight.astype(prediction.dtype), share.astype(prediction.dtype)
    logits = prediction if soft_cap is None else soft_cap * np.tanh(prediction / soft_cap)
    if target.ndim < prediction.ndim:
        steps = _of_labels(logits, target, weight, share, ignore_index, label_smoothing, axis)
    else:
        steps = _of_probabilities(logits, target, weight, share, label_smoothing, axis)
    if not z_loss and soft_cap is None:
        yield from steps
        return

    if target.ndim < prediction.ndim:
        own = np.expand_dims(label_weight(target, target != ignore_index, weight), axis)
    else:
        own = (_along(axis, logits.ndim, weight) * target).sum(axis, keepdims=True)
    factor = (z_loss * own).astype(prediction.dtype)
    _, exponential, total = _softmax(logits, axis)
    log_total = logits.max(axis, keepdims=True) + np.log(total)
    p = exponential / total
    yield next(steps) + multiply(factor, log_total**2).squeeze(axis)
    pull = 2 * multiply(factor, log_total)
    gradient = next(steps) + multiply(pull, p)
    if soft_cap is None:
        yield gradient
        yield next(steps) + multiply(pull, p * (1 - p)) + 2 * multiply(factor, p**2)
        return
    slope = 1 / np.cosh(prediction / soft_cap) ** 2
    yield gradient * slope
    hessian = next(steps) + multiply(pull, p * (1 - p)) + 2 * multiply(factor, p**2)
    yield hessian * slope**2 - 2 * gradient * slope * np.tanh(prediction / soft_cap) / soft_cap


def softmax_focal(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    gamma: float = 2.0,
    alpha: float | tuple[float, ...] | None = None,
) -> Iterator[Array]:
    """-alpha_y (1 - p)^gamma log p of the probability p that the softmax gives to the label y."""

    def formula(p: Array, log_p: Array, u: Array) -> tuple[Array, Array, Array]:
        below = gamma * u ** (gamma - 1) if gamma else 0 * u
        slope = below * p * ((gamma - 1) * multiply(p, log_p) / u - log_p - 2)
        return multiply(u**gamma, -log_p), u**gamma - below * multiply(p, log_p), slope

    factor = 1.0 if alpha is None else alpha
    yield from _of_label_probability(
        prediction, target, class_weight, ignore_index, axis, formula, factor
    )


def poly1(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    epsilon: float = 2.0,
) -> Iterator[Array]:
    """-log p + epsilon (1 - p) of the probability p that the softmax gives to the label."""

    def formula(p: Array, log_p: Array, u: Array) -> tuple[Array, Array, Array]:
        return epsilon * u - log_p, 1 + epsilon * p, epsilon * p

    yield from _of_label_probability(prediction, target, class_weight, ignore_index, axis, formula)


def generalized_cross_entropy(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    q: float = 0.7,
) -> Iterator[Array]:
    """(1 - p^q) / q of the probability p that the softmax gives to the label."""

    def formula(p: Array, log_p: Array, u: Array) -> tuple[Array, Array, Array]:
        return -np.expm1(q * log_p) / q, p**q, q * p**q

    yield from _of_label_probability(prediction, target, class_weight, ignore_index, axis, formula)


def softmax_absolute_error(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """sum_k |P_k - [k = y]| of the softmax P and the label y."""

    def formula(p: Array, log_p: Array, u: Array) -> tuple[Array, Array, Array]:
        return 2 * u, 2 * p, 2 * p

    yield from _of_label_probability(prediction, target, class_weight, ignore_index, axis, formula)


def taylor_cross_entropy(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    order: int = 2,
) -> Iterator[Array]:
    """sum_i (1 - p)^i / i up to the order, of the probability p of the label."""

    def formula(p: Array, log_p: Array, u: Array) -> tuple[Array, Array, Array]:
        terms = [u**i for i in range(order + 1)]
        value = sum((terms[i] / i for i in range(1, order + 1)), start=0 * u)
        return value, p * sum(terms[:-1], start=0 * u), order * p * terms[-2]

    yield from _of_label_probability(prediction, target, class_weight, ignore_index, axis, formula)


def symmetric_cross_entropy(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
) -> Iterator[Array]:
    """-alpha log p - beta sum_k P_k log [k = y] with `log_zero` for the logarithm of 0."""

    reverse = -beta * log_zero

    def formula(p: Array, log_p: Array, u: Array) -> tuple[Array, Array, Array]:
        return reverse * u - alpha * log_p, alpha + reverse * p, reverse * p

    yield from _of_label_probability(prediction, target, class_weight, ignore_index, axis, formula)


def bi_tempered_logistic(
    prediction: Array,
    target: Array,
    *,
    t1: float = 0.8,
    t2: float = 1.2,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """sum_k y_k (log_t1 y_k - log_t1 P_k) - (y_k^(2 - t1) - P_k^(2 - t1)) / (2 - t1).

    y is the target, smoothed, and P = exp_t2(z - lambda) with the lambda that makes it sum to 1.
    """
    axis = axis if prediction.ndim > 1 else 0
    goal, kept = one_hot(prediction, target, ignore_index, axis)
    goal = (1 - label_smoothing) * goal + label_smoothing / prediction.shape[axis]
    p = _tempered_softmax(prediction, t2, axis)
    with np.errstate(divide="ignore"):
        logarithms = _tempered_log(goal, t1) - _tempered_log(p, t1)
    terms = multiply(goal, logarithms) - (goal ** (2 - t1) - p ** (2 - t1)) / (2 - t1)
    yield np.where(kept, terms, 0).sum(axis)

    pull, spread = (p - goal) * p ** (t2 - t1), p**t2
    pulls, spreads = pull.sum(axis, keepdims=True), spread.sum(axis, keepdims=True)
    share = spread / spreads
    yield np.where(kept, pull - share * pulls, 0)

    bend = (1 + t2 - t1) * p ** (2 * t2 - t1) - (t2 - t1) * goal * p ** (2 * t2 - t1 - 1)
    bend = bend - t2 * p ** (2 * t2 - 1) * pulls / spreads
    others = bend.sum(axis, keepdims=True) - bend
    yield np.where(kept, bend * (1 - share) ** 2 + share**2 * others, 0)


def negative_log_likelihood(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """-w_y x_y of the log-probabilities x and the label y."""
    axis = axis if prediction.ndim > 1 else 0
    kept = target != ignore_index
    label = _label(target, kept, axis)
    weight = label_weight(target, kept, class_weight).astype(prediction.dtype)
    yield -multiply(weight, np.take_along_axis(prediction, label, axis).squeeze(axis))
    gradient = np.zeros_like(prediction)
    np.put_along_axis(gradient, label, -np.expand_dims(weight, axis), axis)
    yield gradient
    yield np.zeros_like(prediction)


def _tempered_log(x: Array, t: float) -> Array:
    return np.asarray(np.log(x) if t == 1 else (x ** (1 - t) - 1) / (1 - t))


def _tempered_softmax(logits: Array, t: float, axis: int) -> Array:
    """By Newton's method: on the logarithm of the sum for t = 1, on its power 1 - t above."""
    fall = logits.max(axis, keepdims=True) - logits
    shift = np.zeros_like(fall.max(axis, keepdims=True))
    small = np.sqrt(np.finfo(logits.dtype).eps) / 16
    last = False
    for _ in range(100):
        base = 1 + (t - 1) * (shift + fall)
        p = np.exp(-shift - fall) if t == 1 else base ** (1 / (1 - t))
        if last:
            break
        total = p.sum(axis, keepdims=True)
        growth = np.log(total) if t == 1 else (total ** (t - 1) - 1) / (t - 1)
        step = total * growth / (p**t).sum(axis, keepdims=True)
        last = not (abs(step) > small * base.min(axis, keepdims=True)).any()
        shift = shift + step
    return np.asarray(p)


def label_weight(target: Array, kept: Array, class_weight: npt.ArrayLike | None) -> Array:
    """The class weight of each row's label, 0 for a row that is not kept."""
    if class_weight is None:
        return kept.astype(np.float64)
    label = np.where(kept, target, 0).astype(np.intp)
    return np.where(kept, np.asarray(class_weight)[label], 0)


def _of_labels(
    logits: Array,
    target: Array,
    weight: Array,
    share: Array,
    ignore_index: int,
    smoothing: float,
    axis: int,
) -> Iterator[Array]:
    kept = target != ignore_index
    label = _label(target, kept, axis)
    hard = (1 - smoothing) * np.expand_dims(label_weight(target, kept, weight), axis)
    soft = _along(axis, logits.ndim, share)
    ignored = np.expand_dims(~kept, axis)

    shifted, exponential, total = _softmax(logits, axis)
    log_total = np.log(total)
    value = multiply(hard, log_total - np.take_along_axis(shifted, label, axis))
    if smoothing:
        value += multiply(soft, log_total - shifted).sum(axis, keepdims=True)
    yield np.where(ignored, 0, value).squeeze(axis)

    mass = hard + soft.sum()
    gradient = exponential * (mass / total)
    chosen = np.take_along_axis(gradient, label, axis)
    np.put_along_axis(gradient, label, chosen - hard, axis)
    if smoothing:
        gradient -= soft
    np.copyto(gradient, 0, where=ignored)
    yield gradient

    hessian = exponential * (mass / total) * (1 - exponential / total)
    np.copyto(hessian, 0, where=ignored)
    yield hessian


def _of_label_probability(
    logits: Array,
    target: Array,
    class_weight: npt.ArrayLike | None,
    ignore_index: int,
    axis: int,
    formula: Callable[[Array, Array, Array], tuple[Array, Array, Array]],
    factor: npt.ArrayLike = 1.0,
) -> Iterator[Array]:
    """f(p), given with its pull -p f'(p) and p times the pull's derivative as `formula`.

    Of probabilities q as target it is the expectation, sum_k q_k f(P_k).
    """
    axis = axis if logits.ndim > 1 else 0
    if target.ndim == logits.ndim:
        yield from _of_expected_label(logits, target, class_weight, axis, formula, factor)
        return
    kept = target != ignore_index
    label = _label(target, kept, axis)
    weight = np.expand_dims(label_weight(target, kept, class_weight), axis).astype(logits.dtype)
    factor = np.broadcast_to(np.asarray(factor, logits.dtype), logits.shape[axis])
    weight = weight * factor[label]
    ignored = np.expand_dims(~kept, axis)

    shifted, exponential, total = _softmax(logits, axis)
    others = exponential.copy()
    np.put_along_axis(others, label, 0, axis)
    p = np.take_along_axis(exponential, label, axis) / total
    u = others.sum(axis, keepdims=True) / total
    value, pull, slope = formula(p, np.take_along_axis(shifted, label, axis) - np.log(total), u)
    yield np.where(ignored, 0, multiply(weight, value)).squeeze(axis)

    lean = exponential / total
    np.put_along_axis(lean, label, -u, axis)
    yield np.where(ignored, 0, weight * pull * lean)

    spread = exponential / total * (1 - exponential / total)
    yield np.where(ignored, 0, weight * (pull * spread - slope * lean**2))


def _of_expected_label(
    logits: Array,
    target: Array,
    class_weight: npt.ArrayLike | None,
    axis: int,
    formula: Callable[[Array, Array, Array], tuple[Array, Array, Array]],
    factor: npt.ArrayLike,
) -> Iterator[Array]:
    weight = np.broadcast_to(np.asarray(factor, logits.dtype), logits.shape[axis])
    if class_weight is not None:
        weight = weight * np.asarray(class_weight, logits.dtype)
    mass = _along(axis, logits.ndim, weight) * target
    shifted, exponential, total = _softmax(logits, axis)
    p, rest = exponential / total, (total - exponential) / total
    value, pull, slope = formula(p, shifted - np.log(total), rest)
    yield multiply(mass, value).sum(axis)
    pull, slope = mass * pull, mass * slope
    pulls, slopes = pull.sum(axis, keepdims=True), slope.sum(axis, keepdims=True)
    yield p * (pulls - pull) - rest * pull
    yield p * rest * pulls - p**2 * (slopes - slope) - rest**2 * slope


def _of_probabilities(
    logits: Array, target: Array, weight: Array, share: Array, smoothing: float, axis: int
) -> Iterator[Array]:
    coefficient = (1 - smoothing) * _along(axis, logits.ndim, weight) * target
    coefficient = coefficient + _along(axis, logits.ndim, share)

    shifted, exponential, total = _softmax(logits, axis)
    yield multiply(coefficient, np.log(total) - shifted).sum(axis)
    mass = coefficient.sum(axis, keepdims=True)
    gradient = exponential * (mass / total)
    yield gradient - coefficient
    yield gradient * (1 - exponential / total)


def _softmax(logits: Array, axis: int) -> tuple[Array, Array, Array]:
    """Logits below the largest, their exponentials, and the sum of these."""
    shifted = logits - logits.max(axis, keepdims=True)
    exponential = np.exp(shifted)
    return shifted, exponential, exponential.sum(axis, keepdims=True)


def _label(target: Array, kept: Array, axis: int) -> Array:
    """Where the labels are along the axis; 0 in a row that is not kept."""
    return np.expand_dims(np.where(kept, target, 0).astype(np.intp), axis)


def _along(axis: int, ndim: int, vector: Array) -> Array:
    """The vector shaped to broadcast along one axis of an array."""
    shape = [1] * ndim
    shape[axis] = len(vector)
    return vector.reshape(shape)
