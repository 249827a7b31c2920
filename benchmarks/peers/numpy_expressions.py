"""NumPy: the formulas by hand, in place where that saves a pass; and fastloss.reference."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import fastloss as fl
from fastloss import reference
from suite import ALLOCATED, REUSED, Array, Case, Job

VERSION = np.__version__


def start(threads: int) -> None:
    """Nothing to do: ufuncs run on one thread."""


def squared_error(z: Array, t: Array, out: Array | None = None) -> tuple[Any, Array]:
    residual = np.subtract(z, t, out=out)
    value = np.vdot(residual, residual) / residual.size
    residual *= 2 / residual.size
    return value, residual


def huber(z: Array, t: Array, out: Array | None = None, *, delta: float) -> tuple[Any, Array]:
    residual = np.subtract(z, t)
    clipped = np.clip(residual, -delta, delta, out=out)
    residual -= 0.5 * clipped
    value = np.vdot(clipped, residual) / residual.size
    clipped /= residual.size
    return value, clipped


def log_cosh(z: Array, t: Array, out: Array | None = None) -> tuple[Any, Array]:
    residual = np.subtract(z, t)
    magnitude = abs(residual)
    value = (magnitude + np.log1p(np.exp(-2 * magnitude))).mean() - np.log(2)
    gradient = np.tanh(residual, out=out)
    gradient /= residual.size
    return value, gradient


def poisson(z: Array, t: Array, out: Array | None = None) -> tuple[Any, Array]:
    mean = np.exp(z, out=out)
    value = (mean.sum() - np.vdot(t, z)) / z.size
    mean -= t
    mean /= z.size
    return value, mean


def pinball(z: Array, t: Array, out: Array | None = None, *, quantile: float) -> tuple[Any, Array]:
    residual = np.subtract(z, t, out=out)
    slope = (residual > 0) - residual.dtype.type(quantile)
    value = np.vdot(residual, slope) / residual.size
    return value, np.divide(slope, residual.size, out=residual)


def _sigmoid(z: Array, out: Array | None = None) -> tuple[Array, Array]:
    """s(z), stable; and exp(-|z|)."""
    decay = np.exp(-abs(z))
    sigmoid = np.divide(np.where(z < 0, decay, 1), 1 + decay, out=out)
    return sigmoid, decay


def binary_cross_entropy(z: Array, t: Array, out: Array | None = None) -> tuple[Any, Array]:
    sigmoid, decay = _sigmoid(z, out)
    value = (np.maximum(z, 0) + np.log1p(decay) - z * t).mean()
    sigmoid -= t
    sigmoid /= z.size
    return value, sigmoid


def focal(
    z: Array, t: Array, out: Array | None = None, *, gamma: float, alpha: float
) -> tuple[Any, Array]:
    sigmoid, decay = _sigmoid(z)
    entropy = np.maximum(z, 0) + np.log1p(decay) - z * t
    missing = sigmoid + t * (1 - 2 * sigmoid)
    factor = missing ** (gamma - 1) * (alpha * t + (1 - alpha) * (1 - t))
    value = (factor * missing * entropy).mean()
    slope = (1 - 2 * t) * sigmoid * (1 - sigmoid)
    gradient = np.multiply(factor, gamma * slope * entropy + missing * (sigmoid - t), out=out)
    gradient /= z.size
    return value, gradient


def cross_entropy(z: Array, t: Array, out: Array | None = None) -> tuple[Any, Array]:
    label = np.expand_dims(t, 1)
    shifted = np.subtract(z, z.max(1, keepdims=True), out=out)
    chosen = np.take_along_axis(shifted, label, 1)
    probability = np.exp(shifted, out=shifted)
    total = probability.sum(1, keepdims=True)
    value = (np.log(total) - chosen).mean()
    probability /= total * t.size
    np.put_along_axis(probability, label, np.take_along_axis(probability, label, 1) - 1 / t.size, 1)
    return value, probability


def binary_cross_entropy_hessian(
    z: Array, t: Array, out: tuple[Array, ...] = (None, None)
) -> tuple[Array, Array]:
    sigmoid, _ = _sigmoid(z, out[0])
    hessian = np.subtract(1, sigmoid, out=out[1])
    hessian *= sigmoid
    sigmoid -= t
    return sigmoid, hessian


def cross_entropy_hessian(
    z: Array, t: Array, out: tuple[Array, ...] = (None, None)
) -> tuple[Array, Array]:
    label = np.expand_dims(t, 1)
    probability = np.subtract(z, z.max(1, keepdims=True), out=out[0])
    np.exp(probability, out=probability)
    probability /= probability.sum(1, keepdims=True)
    hessian = np.subtract(1, probability, out=out[1])
    hessian *= probability
    np.put_along_axis(probability, label, np.take_along_axis(probability, label, 1) - 1, 1)
    return probability, hessian


FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("SquaredError", "value_and_grad"): squared_error,
    ("Huber", "value_and_grad"): huber,
    ("BinaryCrossEntropy", "value_and_grad"): binary_cross_entropy,
    ("Focal", "value_and_grad"): focal,
    ("LogCosh", "value_and_grad"): log_cosh,
    ("Poisson", "value_and_grad"): poisson,
    ("Pinball", "value_and_grad"): pinball,
    ("CrossEntropy", "value_and_grad"): cross_entropy,
    ("BinaryCrossEntropy", "grad_and_hess"): binary_cross_entropy_hessian,
    ("CrossEntropy", "grad_and_hess"): cross_entropy_hessian,
}


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """For short types: a sum in float16 overflows, and NumPy has no bfloat16."""

    def value_and_grad(z: Array, t: Array) -> tuple[Any, Array]:
        labels = t.ndim < z.ndim
        value, gradient = function(z.astype(np.float32), t if labels else t.astype(np.float32))
        return value, gradient.astype(z.dtype)

    return value_and_grad


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    function = partial(FUNCTIONS[case.loss, case.mode], **case.parameters)
    out = case.outputs()
    names: dict[str, Any] = {
        "function": in_float32(function) if case.half else function,
        "prediction": prediction,
        "target": target,
        "out": out[0] if len(out) == 1 else out,
    }
    call = f"{', '.join(case.results)} = function"
    if not case.half:
        yield Job("NumPy", REUSED, f"{call}(prediction, target, out)", names, temporaries=8)
    yield Job("NumPy", ALLOCATED, f"{call}(prediction, target)", names, temporaries=8)
    if case.half:
        return
    with_value = "value" in case.results
    loss = getattr(fl, case.loss)(**case.parameters, reduction="mean" if with_value else "sum")
    names = {"evaluate": reference.evaluate, "loss": loss, **names}
    results = ("" if with_value else "_, ") + ", ".join(case.results)
    order = 1 if with_value else 2
    yield Job(
        "NumPy reference",
        ALLOCATED,
        f"{results} = evaluate(loss, prediction, target, order={order}, dtype=None)",
        names,
        temporaries=24,
    )


def linear_cross_entropy(
    hidden: Array, weight: Array, target: Array, out: Sequence[Array | None] = (None, None, None)
) -> tuple[Any, Array, Array]:
    logits = np.matmul(hidden, weight.T, out=out[0])
    value, gradient = cross_entropy(logits, target, logits)
    return (
        value,
        np.matmul(gradient, weight, out=out[1]),
        np.matmul(gradient.T, hidden, out=out[2]),
    )


def linear_jobs(case: Case, hidden: Array, weight: Array, target: Array) -> Iterator[Job]:
    names = {
        "function": linear_cross_entropy,
        "hidden": hidden,
        "weight": weight,
        "target": target,
        "out": [np.empty((len(hidden), len(weight)), hidden.dtype), *case.outputs()],
    }
    call = f"{', '.join(case.results)} = function"
    yield Job("NumPy", REUSED, f"{call}(hidden, weight, target, out)", names)
    yield Job("NumPy", ALLOCATED, f"{call}(hidden, weight, target)", names)
