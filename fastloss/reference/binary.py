"""Losses of two classes: logits, or probabilities of the positive class."""

from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array, multiply

__all__ = [
    "binary_cross_entropy",
    "binary_sparsemax",
    "brier",
    "cross_entropy_lambda",
    "exponential",
    "focal",
    "hinge",
    "hinge_embedding",
    "log_loss",
    "modified_huber",
    "soft_margin",
    "squared_hinge",
]


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
    positive, negative = smooth(target, label_smoothing)
    positive = pos_weight * positive
    total = negative + positive
    # softplus(z) = log1p(exp(-|z|)) + max(z, 0), and of the two maxima one is always 0.
    worse = np.maximum(multiply(negative, prediction), -multiply(positive, prediction))
    yield total * np.log1p(np.exp(-abs(prediction))) + worse
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    yield negative * upper - positive * lower
    yield total * upper * lower


def smooth(target: Array, label_smoothing: float) -> tuple[Array, Array]:
    """The shares of the positive and of the negative class: t (1 - e) + e / 2, and of 1 - t."""
    keep, floor = 1 - label_smoothing, label_smoothing / 2
    return target * keep + floor, (1 - target) * keep + floor


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); an exponential that overflows is right to give 0."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def log_loss(
    prediction: Array,
    target: Array,
    *,
    clamp: str = "sklearn",
    eps: float | None = None,
    axis: int = 1,
) -> Iterator[Array]:
    """-(t log p + (1 - t) log(1 - p)), or -log p_y with a class axis in the prediction.

    p is clipped to [eps, 1 - eps]; None is the prediction's finfo.eps, as in scikit-learn, or 1e-7,
    as in Keras. The derivatives are those of the clipped function, so 0 outside. As in PyTorch,
    instead, logarithms are at least -100, and p (1 - p) in the gradient is at least 1e-12.
    0 * log 0 = 0.
    """
    if target.ndim < prediction.ndim:
        axis = axis if prediction.ndim > 1 else 0
        label = np.expand_dims(target, axis).astype(np.intp)
        chosen = np.take_along_axis(prediction, label, axis)
        value, *steps = log_loss(chosen, np.ones_like(chosen), clamp=clamp, eps=eps)
        yield value.squeeze(axis)
        for step in steps:
            derivative = np.zeros_like(prediction)
            np.put_along_axis(derivative, label, step, axis)
            yield derivative
        return
    if clamp == "torch" and eps is None:
        with np.errstate(divide="ignore"):
            log, log_rest = np.log(prediction), np.log1p(-prediction)
        yield -target * np.maximum(log, -100) - (1 - target) * np.maximum(log_rest, -100)
        variance = prediction * (1 - prediction)
        floored = variance < 1e-12
        yield (prediction - target) / np.maximum(variance, 1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            hessian = target / prediction**2 + (1 - target) / (1 - prediction) ** 2
        yield np.where(floored, prediction.dtype.type(1e12), hessian)
        return
    if eps is None:
        eps = float(np.finfo(prediction.dtype).eps) if clamp == "sklearn" else 1e-7
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


def cross_entropy_lambda(
    prediction: Array, target: Array, *, exposure: float | Array = 1.0
) -> Iterator[Array]:
    """-t log p - (1 - t) log(1 - p) with p = 1 - (1 + exp(z))^-w: LightGBM's weights in the link.

    Where exp(z) is next to nothing, p is w exp(z).
    """
    rising = np.exp(-abs(prediction))
    rate = np.log1p(rising) + np.maximum(prediction, 0)
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    exposure = np.asarray(exposure, prediction.dtype)
    p, rest = -np.expm1(-exposure * rate), np.exp(-exposure * rate)
    low = prediction < -40
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.where(low, -prediction - np.log(exposure), np.log1p(rest / p))
        slope = np.where(low, 1, exposure * upper * rest / p)
        bend = exposure * upper / p - lower
        bend = np.where(low, upper * (exposure + 1) / 2, bend)
    yield multiply(1 - target, exposure * rate) + multiply(target, loss)
    yield (1 - target) * exposure * upper - target * slope
    yield (1 - target) * exposure * upper * lower + target * slope * bend


def focal(
    prediction: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    label_smoothing: float = 0.0,
) -> Iterator[Array]:
    """a_t u^gamma L: cross entropy L times a power of the missing probability u (Lin et al. 2017).

    u = t s(-z) + (1 - t) s(z) and a_t = alpha t + (1 - alpha)(1 - t), or 1 without alpha, of the
    target t that smoothing leaves. Each derivative is u^gamma times a factor that is finite for
    every gamma >= 0: u enters it only as slope = u' / u, never as a negative power.
    """
    entropy = binary_cross_entropy(prediction, target, label_smoothing=label_smoothing)
    loss = next(entropy)
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    positive, negative = smooth(target, label_smoothing)
    missing = positive * lower + negative * upper
    factor = missing**gamma
    if alpha is not None:
        factor = factor * (alpha * positive + (1 - alpha) * negative)
    yield multiply(factor, loss)

    gradient = next(entropy)
    curvature = next(entropy)
    slope = np.zeros_like(missing)  # where u underflows, so do L and both its derivatives
    np.divide((negative - positive) * curvature, missing, out=slope, where=missing != 0)
    # u = 1 where L is infinite, and there u' = 0.
    spread = multiply(slope, loss)
    yield factor * (gamma * spread + gradient)
    bend = (gamma - 1) * slope + lower - upper
    yield factor * (gamma * (bend * spread + 2 * slope * gradient) + curvature)


def signs(target: Array, labels: str) -> Array:
    """The label as -1 or 1."""
    return 2 * target - 1 if labels == "01" else target


def shares(target: Array, labels: str) -> tuple[Array, Array]:
    """The shares of the positive and of the negative class."""
    if labels == "01":
        return target, 1 - target
    return (1 + target) / 2, (1 - target) / 2


def hinge(
    prediction: Array,
    target: Array,
    *,
    margin: float = 1.0,
    labels: str = "01",
    hessian: str = "exact",
) -> Iterator[Array]:
    """max(0, margin - y z); XGBoost's Hessian is 1, and where there is no slack next to nothing."""
    y = signs(target, labels)
    slack = np.maximum(margin - multiply(y, prediction), 0)
    yield slack
    yield np.where(slack > 0, -y, slack)
    tiny = np.finfo(np.float32).tiny.astype(prediction.dtype)
    curvature = np.where(slack > 0, prediction.dtype.type(1), tiny)
    yield curvature if hessian == "xgboost" else np.zeros_like(prediction)


def squared_hinge(
    prediction: Array, target: Array, *, margin: float = 1.0, labels: str = "01"
) -> Iterator[Array]:
    """max(0, margin - y z)^2."""
    y = signs(target, labels)
    slack = np.maximum(margin - multiply(y, prediction), 0)
    yield slack**2
    yield -2 * y * slack
    yield np.where(slack > 0, 2 * y**2, 0)


def modified_huber(prediction: Array, target: Array, *, labels: str = "01") -> Iterator[Array]:
    """max(0, 1 - y z)^2, and -4 y z where y z < -1."""
    y = signs(target, labels)
    slack = np.maximum(1 - multiply(y, prediction), 0)
    capped = np.minimum(slack, 2)
    yield capped * (2 * slack - capped)
    yield -2 * y * capped
    yield np.where((slack > 0) & (slack <= 2), 2 * y**2, 0)


def soft_margin(prediction: Array, target: Array, *, labels: str = "01") -> Iterator[Array]:
    """log(1 + exp(-y z))."""
    y = signs(target, labels)
    agreement = multiply(y, prediction)
    yield np.log1p(np.exp(-abs(agreement))) + np.maximum(-agreement, 0)
    yield -y * sigmoid(-agreement)
    yield y**2 * sigmoid(agreement) * sigmoid(-agreement)


def exponential(prediction: Array, target: Array, *, labels: str = "01") -> Iterator[Array]:
    """t exp(-z) + (1 - t) exp(z).

    By the roots, because t exp(-z) may be finite where exp(-z) is not.
    """
    positive, negative = shares(target, labels)
    with np.errstate(over="ignore"):
        root_down, root_up = np.exp(-prediction / 2), np.exp(prediction / 2)
        falling = multiply(multiply(positive, root_down), root_down)
        rising = multiply(multiply(negative, root_up), root_up)
    yield rising + falling
    yield rising - falling
    yield rising + falling


def brier(prediction: Array, target: Array) -> Iterator[Array]:
    """(s(z) - t)^2."""
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    distance = (1 - target) * upper - target * lower
    variance = upper * lower
    yield distance**2
    yield 2 * distance * variance
    yield 2 * variance * (variance + distance * (lower - upper))


def binary_sparsemax(prediction: Array, target: Array) -> Iterator[Array]:
    """q(z) - t z, where q is 0 up to -1, (z + 1)^2 / 4 to 1, and z beyond.

    q(z) is max(z, 0) plus a function of |z|, as softplus is.
    """
    worse = np.maximum(multiply(1 - target, prediction), -multiply(target, prediction))
    half = np.maximum(1 - abs(prediction), 0) / 2
    yield half**2 + worse
    yield np.where(prediction < 0, half - target, 1 - target - half)
    yield np.where(abs(prediction) < 1, prediction.dtype.type(0.5), 0)


def hinge_embedding(
    prediction: Array, target: Array, *, margin: float = 1.0, labels: str = "01"
) -> Iterator[Array]:
    """t x + (1 - t) max(0, margin - x)."""
    positive, negative = shares(target, labels)
    slack = np.maximum(margin - prediction, 0)
    yield multiply(positive, prediction) + multiply(negative, slack)
    yield positive - np.where(slack > 0, negative, slack)
    yield np.zeros_like(prediction)
