"""Losses of the logits of several classes."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastloss.reference.array import Array, multiply

__all__ = ["cross_entropy"]


def cross_entropy(
    prediction: Array,
    target: Array,
    *,
    class_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """-sum_k w_k q_k log softmax(z)_k, as PyTorch's cross_entropy.

    q is the target, smoothed to (1 - e) q + e / C over C classes; a label stands for its one-hot
    q. 0 * log 0 = 0, and a row whose label is `ignore_index` costs 0. `empty` concerns the mean
    alone: see `evaluate`.
    """
    axis = axis if prediction.ndim > 1 else 0
    classes = prediction.shape[axis]
    weight = np.ones(classes) if class_weight is None else np.asarray(class_weight)
    weight = weight.astype(prediction.dtype)
    if target.ndim < prediction.ndim:
        yield from _of_labels(prediction, target, weight, ignore_index, label_smoothing, axis)
    else:
        yield from _of_probabilities(prediction, target, weight, label_smoothing, axis)


def label_weight(target: Array, kept: Array, class_weight: npt.ArrayLike | None) -> Array:
    """The class weight of each row's label, 0 for a row that is not kept."""
    if class_weight is None:
        return kept.astype(np.float64)
    label = np.where(kept, target, 0).astype(np.intp)
    return np.where(kept, np.asarray(class_weight)[label], 0)


def _of_labels(
    logits: Array, target: Array, weight: Array, ignore_index: int, smoothing: float, axis: int
) -> Iterator[Array]:
    kept = target != ignore_index
    label = np.expand_dims(np.where(kept, target, 0).astype(np.intp), axis)
    hard = (1 - smoothing) * np.expand_dims(label_weight(target, kept, weight), axis)
    soft = _along(axis, logits.ndim, smoothing / len(weight) * weight)
    ignored = np.expand_dims(~kept, axis)

    shifted = logits - logits.max(axis, keepdims=True)
    exponential = np.exp(shifted)
    total = exponential.sum(axis, keepdims=True)
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


def _of_probabilities(
    logits: Array, target: Array, weight: Array, smoothing: float, axis: int
) -> Iterator[Array]:
    smooth = target * (1 - smoothing) + smoothing / len(weight)
    coefficient = _along(axis, logits.ndim, weight) * smooth

    shifted = logits - logits.max(axis, keepdims=True)
    exponential = np.exp(shifted)
    total = exponential.sum(axis, keepdims=True)
    yield multiply(coefficient, np.log(total) - shifted).sum(axis)
    mass = coefficient.sum(axis, keepdims=True)
    gradient = exponential * (mass / total)
    yield gradient - coefficient
    yield gradient * (1 - exponential / total)


def _along(axis: int, ndim: int, vector: Array) -> Array:
    """The vector shaped to broadcast along one axis of an array."""
    shape = [1] * ndim
    shape[axis] = len(vector)
    return vector.reshape(shape)
