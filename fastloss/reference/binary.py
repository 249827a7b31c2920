"""Losses of two classes: logits, or probabilities of the positive class."""

from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array, multiply

__all__ = ["binary_cross_entropy", "focal", "log_loss"]


def binary_cross_entropy(
    prediction: Array,
    target: Array,
    *,
    pos_weight: float | Array = 1.0,
    label_smoothing: float = 0.0,
) -> Iterator[Array]:
    """(1 - t) softplus(z) + pos_weight t softplus(-z), with t smoothed to t (1 - e) + e / 2.

    The gradient is (1 - t) s(z) - pos_weight t s(-z), not s(z) - t, which would lose the digits
    of a logit that is already right. 0 * inf = 0: an infinite logit with the right label costs 0.
    """
    positive = target
    if label_smoothing:
        positive = target * (1 - label_smoothing) + label_smoothing / 2
    negative = 1 - positive
    positive = pos_weight * positive
    total = negative + positive
    # softplus(z) = log1p(exp(-|z|)) + max(z, 0), and of the two maxima one is always 0.
    worse = np.maximum(multiply(negative, prediction), -multiply(positive, prediction))
    yield total * np.log1p(np.exp(-abs(prediction))) + worse
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    yield negative * upper - positive * lower
    yield total * upper * lower


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); an exponential that overflows is right to give 0."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def log_loss(
    prediction: Array, target: Array, *, eps: float | None = None, axis: int = 1
) -> Iterator[Array]:
    """-(t log p + (1 - t) log(1 - p)), or -log p_y with a class axis in the prediction.

    p is clipped to [eps, 1 - eps]; None is the prediction's finfo.eps, as in scikit-learn. The
    derivatives are those of the clipped function, so 0 outside. 0 * log 0 = 0.
    """
    if eps is None:
        eps = float(np.finfo(prediction.dtype).eps)
    if target.ndim < prediction.ndim:
        yield from _multiclass_log_loss(prediction, target, eps, axis if prediction.ndim > 1 else 0)
        return
    clipped = np.clip(prediction, eps, 1 - eps) + 0.0  # 1 / -0.0 would have the wrong sign
    outside = (prediction < eps) | (prediction > 1 - eps)
    with np.errstate(divide="ignore"):
        log, log_rest = np.log(clipped), np.log1p(-clipped)
        inverse, inverse_rest = 1 / clipped, 1 / (1 - clipped)
    yield -multiply(target, log) - multiply(1 - target, log_rest)
    gradient = multiply(1 - target, inverse_rest) - multiply(target, inverse)
    yield np.where(outside, 0, gradient)
    hessian = multiply(1 - target, inverse_rest**2) + multiply(target, inverse**2)
    yield np.where(outside, 0, hessian)


def _multiclass_log_loss(
    prediction: Array, target: Array, eps: float, axis: int
) -> Iterator[Array]:
    label = np.expand_dims(target, axis).astype(np.intp)
    chosen = np.take_along_axis(prediction, label, axis)
    clipped = np.clip(chosen, eps, 1 - eps) + 0.0
    outside = (chosen < eps) | (chosen > 1 - eps)
    yield -np.log(clipped).squeeze(axis)
    gradient = np.zeros_like(prediction)
    np.put_along_axis(gradient, label, np.where(outside, 0, -1 / clipped), axis)
    yield gradient
    hessian = np.zeros_like(prediction)
    np.put_along_axis(hessian, label, np.where(outside, 0, 1 / clipped**2), axis)
    yield hessian


def focal(
    prediction: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = None
) -> Iterator[Array]:
    """a_t u^gamma L: cross entropy L times a power of the missing probability u (Lin et al. 2017).

    u = t s(-z) + (1 - t) s(z) and a_t = alpha t + (1 - alpha)(1 - t), or 1 without alpha. Each
    derivative is u^gamma times a factor that is finite for every gamma >= 0: u enters it only as
    slope = u' / u, never as a negative power.
    """
    entropy = binary_cross_entropy(prediction, target)
    loss = next(entropy)
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    missing = target * lower + (1 - target) * upper
    factor = missing**gamma
    if alpha is not None:
        factor = factor * (alpha * target + (1 - alpha) * (1 - target))
    yield multiply(factor, loss)

    gradient = next(entropy)
    curvature = next(entropy)
    slope = np.zeros_like(missing)  # where u underflows, so do L and both its derivatives
    np.divide((1 - 2 * target) * curvature, missing, out=slope, where=missing != 0)
    # u = 1 where L is infinite, and there u' = 0.
    spread = multiply(slope, loss)
    yield factor * (gamma * spread + gradient)
    bend = (gamma - 1) * slope + lower - upper
    yield factor * (gamma * (bend * spread + 2 * slope * gradient) + curvature)
