"""Losses of many classes that compare logits: margins, sums of binary losses, sparse maps."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fastloss.losses.base import snake_case
from fastloss.reference import binary as binary_losses
from fastloss.reference.array import Array
from fastloss.reference.distribution import joined, split
from fastloss.reference.multiclass import cross_entropy, label_weight

__all__ = [
    "categorical_hinge",
    "crammer_singer",
    "entmax15",
    "margin_ranking",
    "multi_margin",
    "multiclass_perceptron",
    "multiclass_sparsemax",
    "multilabel_margin",
    "noise_contrastive",
    "one_versus_all",
    "ordinal",
    "sampled_softmax",
]


def one_versus_all(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    binary: Any = "binary_cross_entropy",
) -> Iterator[Array]:
    """w_y sum_k f(z_k, [k = y]), f a binary loss or its name."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    classes = np.arange(rows.shape[-1])
    hot = classes == target[..., None]
    yield from _weighted(_binary(binary, rows, hot), weight, prediction, axis)


def ordinal(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    binary: Any = "binary_cross_entropy",
) -> Iterator[Array]:
    """w_y sum_k f(z_k, [y > k]), f a binary loss or its name."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    above = target[..., None] > np.arange(rows.shape[-1])
    yield from _weighted(_binary(binary, rows, above), weight, prediction, axis)


def crammer_singer(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    margin: float = 1.0,
) -> Iterator[Array]:
    """w_y max(0, margin + max_{k != y} z_k - z_y)."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    yield from _weighted(_rival(rows, target, weight, margin, -np.inf), weight, prediction, axis)


def categorical_hinge(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    margin: float = 1.0,
) -> Iterator[Array]:
    """w_y max(0, margin + max(0, max_{k != y} z_k) - z_y)."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    yield from _weighted(_rival(rows, target, weight, margin, 0), weight, prediction, axis)


def multiclass_perceptron(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """w_y (max_k z_k - z_y)."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    yield from _weighted(_rival(rows, target, weight, 0.0, -np.inf), weight, prediction, axis)


def multi_margin(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
    p: int = 1,
    margin: float = 1.0,
) -> Iterator[Array]:
    """w_y / K sum_{k != y} max(0, margin - (z_y - z_k))^p."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    label = _at_label(target, weight)
    slack = np.maximum(margin - (np.take_along_axis(rows, label, -1) - rows), 0)
    np.put_along_axis(slack, label, 0, -1)
    classes = rows.shape[-1]
    active = (slack > 0).astype(rows.dtype)
    gradient, hessian = (active, 0 * active) if p == 1 else (2 * slack, 2 * active)
    np.put_along_axis(gradient, label, -gradient.sum(-1, keepdims=True), -1)
    np.put_along_axis(hessian, label, hessian.sum(-1, keepdims=True), -1)
    steps = [(slack**p).sum(-1) / classes, gradient / classes, hessian / classes]
    yield from _weighted(iter(steps), weight, prediction, axis)


def multilabel_margin(prediction: Array, target: Array, *, axis: int = 1) -> Iterator[Array]:
    """1/K sum of max(0, 1 - (z_j - z_i)) over listed classes j and all others i."""
    axis = axis if prediction.ndim > 1 else 0
    rows, lists = np.moveaxis(prediction, axis, -1), np.moveaxis(target, axis, -1).astype(np.intp)
    classes = rows.shape[-1]
    listed = np.cumsum(lists < 0, -1) == 0
    times = np.zeros(rows.shape, rows.dtype)
    for column in range(classes):
        hit = np.arange(classes) == lists[..., column, None]
        times += hit & listed[..., column, None]
    pairs = times[..., :, None] * (times == 0)[..., None, :]
    with np.errstate(invalid="ignore"):
        lack = 1 - (rows[..., :, None] - rows[..., None, :])
    lost = np.where(pairs > 0, np.maximum(lack, 0), 0)
    yield (pairs * lost).sum((-1, -2)) / classes
    counted = pairs * (lost > 0)
    gradient = counted.sum(-2) - counted.sum(-1)
    yield np.moveaxis(gradient, -1, axis) / classes
    yield np.zeros_like(prediction)


def multiclass_sparsemax(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """w_y (P.(z - z_y) + (1 - P.P) / 2), P the point of the simplex that is nearest to z."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    yield from _weighted(_fenchel_young(rows, target, weight, 2), weight, prediction, axis)


def entmax15(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """w_y (P.(z - z_y) + 4/3 (1 - sum P^1.5)), P = max(0, z / 2 - tau)^2 a probability vector."""
    rows, weight = _rows(prediction, target, class_weight, ignore_index, axis)
    yield from _weighted(_fenchel_young(rows, target, weight, 1.5), weight, prediction, axis)


def sampled_softmax(prediction: Array, target: Array, *, axis: int = 1) -> Iterator[Array]:
    """Cross-entropy of z - target with the label 0."""
    axis = axis if prediction.ndim > 1 else 0
    logits = prediction - target
    yield from cross_entropy(logits, np.zeros(logits.take(0, axis).shape, np.intp), axis=axis)


def noise_contrastive(prediction: Array, target: Array, *, axis: int = 1) -> Iterator[Array]:
    """Binary cross-entropies of z - target, of which the first is the positive one, summed."""
    axis = axis if prediction.ndim > 1 else 0
    logits = prediction - target
    yield from one_versus_all(logits, np.zeros(logits.take(0, axis).shape, np.intp), axis=axis)


def _rows(
    prediction: Array, target: Array, class_weight: npt.ArrayLike | None, ignore: int, axis: int
) -> tuple[Array, Array]:
    """Logits with the classes last, and the weight of each row: 0 where it is ignored."""
    rows = np.moveaxis(prediction, axis if prediction.ndim > 1 else 0, -1)
    weight = label_weight(target, target != ignore, class_weight)
    return rows, weight.astype(prediction.dtype)


def _weighted(
    steps: Iterator[Array], weight: Array, prediction: Array, axis: int
) -> Iterator[Array]:
    """The steps times the rows' weights, where 0 wins over anything, with the class axis back."""
    for step in steps:
        columns = weight.reshape(weight.shape + (1,) * (step.ndim - weight.ndim))
        result = np.where(columns == 0, 0, step * columns)
        if step.ndim == prediction.ndim:
            result = np.moveaxis(result, -1, axis if prediction.ndim > 1 else 0)
        yield result


def _binary(binary: Any, rows: Array, positive: Array) -> Iterator[Array]:
    name, parameters, low = binary, {}, 0.0
    if not isinstance(binary, str):
        name = snake_case(type(binary).__name__)
        parameters = {f.name: getattr(binary, f.name) for f in dataclasses.fields(binary)}
        del parameters["reduction"]
        low = max(binary.target_domain[0], -1.0)
    target = np.where(positive, 1, low).astype(rows.dtype)
    value, *derivatives = getattr(binary_losses, name)(rows, target, **parameters)
    yield value.sum(-1)
    yield from derivatives


def _at_label(target: Array, weight: Array) -> Array:
    return np.where(weight == 0, 0, target).astype(np.intp)[..., None]


def _rival(
    rows: Array, target: Array, weight: Array, margin: float, floor: float
) -> Iterator[Array]:
    label = _at_label(target, weight)
    others = rows.copy()
    np.put_along_axis(others, label, -np.inf, -1)
    best = others.argmax(-1)[..., None]
    rival = np.take_along_axis(others, best, -1)
    lack = margin + (np.maximum(rival, floor) - np.take_along_axis(rows, label, -1))
    yield np.maximum(lack, 0)[..., 0].astype(rows.dtype)
    gradient = np.zeros_like(rows)
    np.put_along_axis(gradient, best, ((lack > 0) & (rival > floor)).astype(rows.dtype), -1)
    np.put_along_axis(gradient, label, -(lack > 0).astype(rows.dtype), -1)
    yield gradient
    yield np.zeros_like(rows)


def _fenchel_young(rows: Array, target: Array, weight: Array, alpha: float) -> Iterator[Array]:
    """The threshold comes from the sorted logits: for each size of the support one equation."""
    label = _at_label(target, weight)
    x = (alpha - 1) * (rows - rows.max(-1, keepdims=True))
    falling = -np.sort(-x, -1)
    size = np.arange(1, rows.shape[-1] + 1).astype(rows.dtype)
    mean = falling.cumsum(-1) / size
    if alpha == 2:
        thresholds = mean - 1 / size
    else:
        spread = (falling**2).cumsum(-1) / size - mean**2
        thresholds = mean - np.sqrt(np.maximum(1 / size - spread, 0))
    support = (thresholds <= falling).sum(-1, keepdims=True)
    threshold = np.take_along_axis(thresholds, support - 1, -1)
    root = np.maximum(x - threshold, 0)
    p = root if alpha == 2 else root**2
    lead = rows - np.take_along_axis(rows, label, -1)
    entropy = (1 - (p * root).sum(-1)) * (1 / 2 if alpha == 2 else 4 / 3)
    yield np.where(p > 0, p * lead, 0).sum(-1) + entropy
    gradient = p.copy()
    chosen = np.take_along_axis(p, label, -1)
    np.put_along_axis(gradient, label, chosen - 1, -1)
    yield gradient
    bend = (root > 0).astype(rows.dtype) if alpha == 2 else root
    yield bend * (1 - bend / bend.sum(-1, keepdims=True))


def margin_ranking(
    prediction: Array, target: Array, *, margin: float = 0.0, labels: str = "01", axis: int = -1
) -> Iterator[Array]:
    """max(0, margin - y (a - b)) of two scores."""
    first, second = split(prediction, axis)
    y = binary_losses.signs(target, labels)
    slack = np.maximum(margin - y * (first - second), 0)
    yield slack
    pull = np.where(slack > 0, y, slack)
    yield joined(-pull, pull, axis)
    yield np.zeros_like(prediction)
    yield np.zeros_like(prediction)
