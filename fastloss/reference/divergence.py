"""Divergences between a softmax's probabilities and those of the target, and the Brier score."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from fastloss.reference.array import Array, multiply, one_hot

__all__ = [
    "distillation",
    "jensen_shannon",
    "kl_divergence",
    "multiclass_brier",
    "reverse_kl_divergence",
    "total_variation",
]

Form = Literal["probabilities", "log_probabilities", "logits"]


def kl_divergence(
    prediction: Array, target: Array, *, log_target: bool = False, axis: int = 1
) -> Iterator[Array]:
    """sum_k q_k (log q_k - x_k) with x the logarithms of probabilities; 0 log 0 = 0."""
    axis = axis if prediction.ndim > 1 else 0
    if log_target:
        target, log = np.exp(target), target
    else:
        log = _log(target)
    yield multiply(target, log - prediction).sum(axis)
    yield -target
    yield np.zeros_like(prediction)


def distillation(
    prediction: Array,
    target: Array,
    *,
    temperature: float = 1.0,
    target_form: Form = "probabilities",
    axis: int = 1,
) -> Iterator[Array]:
    """T^2 KL(q || softmax(z / T))."""
    p, log_p, q, log_q, axis = _sides(prediction, target, temperature, target_form, axis)
    yield temperature**2 * multiply(q, log_q - log_p).sum(axis)
    yield from _derivatives(p, -q, q, temperature, axis)


def reverse_kl_divergence(
    prediction: Array,
    target: Array,
    *,
    temperature: float = 1.0,
    target_form: Form = "probabilities",
    axis: int = 1,
) -> Iterator[Array]:
    """T^2 KL(softmax(z / T) || q)."""
    p, log_p, _, log_q, axis = _sides(prediction, target, temperature, target_form, axis)
    terms = multiply(p, log_p - log_q)
    yield temperature**2 * terms.sum(axis)
    yield from _derivatives(p, terms, p, temperature, axis)


def jensen_shannon(
    prediction: Array,
    target: Array,
    *,
    beta: float = 0.5,
    temperature: float = 1.0,
    target_form: Form = "probabilities",
    axis: int = 1,
) -> Iterator[Array]:
    """T^2 (b KL(q || M) + (1 - b) KL(P || M)) with P = softmax(z / T) and M = b q + (1 - b) P.

    At b = 0 and 1 its limits divided by b (1 - b), which are those of the two directions.
    """
    if beta in (0, 1):
        direction = reverse_kl_divergence if beta else distillation
        yield from direction(
            prediction, target, temperature=temperature, target_form=target_form, axis=axis
        )
        return
    p, log_p, q, log_q, axis = _sides(prediction, target, temperature, target_form, axis)
    mixture = beta * q + (1 - beta) * p
    log_mixture = np.logaddexp(math.log(beta) + log_q, math.log(1 - beta) + log_p)
    pull = (1 - beta) * multiply(p, log_p - log_mixture)
    yield temperature**2 * (beta * multiply(q, log_q - log_mixture) + pull).sum(axis)
    some = mixture > 0
    curve = np.where(some, beta * (1 - beta) * p * q / np.where(some, mixture, 1), 0)
    yield from _derivatives(p, pull, curve, temperature, axis)


def total_variation(
    prediction: Array,
    target: Array,
    *,
    temperature: float = 1.0,
    target_form: Form = "probabilities",
    axis: int = 1,
) -> Iterator[Array]:
    """T^2 / 2 sum_k |P_k - q_k| with P = softmax(z / T)."""
    p, _, q, _, axis = _sides(prediction, target, temperature, target_form, axis)
    yield temperature**2 / 2 * abs(p - q).sum(axis)
    yield from _derivatives(p, p * np.sign(p - q) / 2, np.zeros_like(p), temperature, axis)


def multiclass_brier(
    prediction: Array,
    target: Array,
    *,
    half: bool = False,
    ignore_index: int = -100,
    empty: Literal["nan", "zero"] = "nan",
    axis: int = 1,
) -> Iterator[Array]:
    """sum_k (softmax(z)_k - q_k)^2; a label stands for its one-hot q."""
    axis = axis if prediction.ndim > 1 else 0
    target, kept = one_hot(prediction, target, ignore_index, axis)
    p, _, q, _, axis = _sides(prediction, target, 1.0, "probabilities", axis)
    factor = 0.5 if half else 1
    yield factor * np.where(kept, (p - q) ** 2, 0).sum(axis)
    for step in _derivatives(p, 2 * factor * p * (p - q), 2 * factor * p**2, 1.0, axis):
        yield np.where(kept, step, 0)


def _log(x: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(x))


def _softmax(logits: Array, temperature: float, axis: int) -> tuple[Array, Array]:
    """The softmax of logits / T and its logarithm."""
    fall = (logits - logits.max(axis, keepdims=True)) / temperature
    log_p = fall - np.log(np.exp(fall).sum(axis, keepdims=True))
    return np.exp(log_p), log_p


def _sides(
    prediction: Array, target: Array, temperature: float, form: Form, axis: int
) -> tuple[Array, Array, Array, Array, int]:
    """P, log P, q, log q, and the class axis."""
    axis = axis if prediction.ndim > 1 else 0
    p, log_p = _softmax(prediction, temperature, axis)
    if form == "logits":
        return p, log_p, *_softmax(target, temperature, axis), axis
    if form == "log_probabilities":
        return p, log_p, np.exp(target), target, axis
    return p, log_p, target, _log(target), axis


def _derivatives(
    p: Array, pull: Array, curve: Array, temperature: float, axis: int
) -> Iterator[Array]:
    """Gradient and Hessian diagonal of T^2 sum phi(P): pull = P phi', curve = P^2 phi''."""
    slope = pull - p * pull.sum(axis, keepdims=True)
    yield temperature * slope
    yield (1 - 2 * p) * (slope + curve) + p**2 * curve.sum(axis, keepdims=True)
