"""Numba: one fused parallel loop for value and gradient, written by hand, with fastmath.

Chunks over threads; within a chunk the loss is summed in the array's type, so that the loop may be
vectorised, and the chunks in float64. Constants have the array's type: a Python number would make
float32 arithmetic double. Its wheels have no vectorised exp or log.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import njit, prange

from suite import ALLOCATED, REUSED, Array, Case, Job, dtype_of

VERSION = numba.__version__
CHUNK = 4096
# Elements from which threads pay; its team costs about 20 microseconds.
WORTH_THREADS = 1 << 12
WORTH_THREADS_IF_CHEAP = 1 << 16
CHEAP = ("SquaredError", "Huber", "Pinball")

OPTIONS: dict[str, Any] = {"fastmath": True, "nogil": True, "error_model": "numpy"}


def start(threads: int) -> None:
    numba.set_num_threads(threads)


def squared_error(real: Any) -> Callable[..., Any]:
    two = real(2)

    def element(z: Any, t: Any) -> Any:
        residual = z - t
        return residual * residual, two * residual

    return element


def huber(real: Any, delta: float) -> Callable[..., Any]:
    half, limit = real(0.5), real(delta)

    def element(z: Any, t: Any) -> Any:
        residual = z - t
        clipped = min(max(residual, -limit), limit)
        return clipped * (residual - half * clipped), clipped

    return element


def binary_cross_entropy(real: Any) -> Callable[..., Any]:
    zero, one = real(0), real(1)

    def element(z: Any, t: Any) -> Any:
        decay = math.exp(-abs(z))
        sigmoid = (one if z >= zero else decay) / (one + decay)
        return max(z, zero) - z * t + math.log1p(decay), sigmoid - t

    return element


def focal(real: Any, gamma: float, alpha: float) -> Callable[..., Any]:
    zero, one, two = real(0), real(1), real(2)
    positive, negative = real(alpha), real(1 - alpha)
    assert gamma == 2, "the square is written out"

    def element(z: Any, t: Any) -> Any:
        decay = math.exp(-abs(z))
        sigmoid = (one if z >= zero else decay) / (one + decay)
        entropy = max(z, zero) - z * t + math.log1p(decay)
        missing = sigmoid + t * (one - two * sigmoid)
        factor = missing * (positive * t + negative * (one - t))
        slope = (one - two * t) * sigmoid * (one - sigmoid)
        gradient = factor * (two * slope * entropy + missing * (sigmoid - t))
        return factor * missing * entropy, gradient

    return element


def log_cosh(real: Any) -> Callable[..., Any]:
    one, two, log_2 = real(1), real(2), real(math.log(2))

    def element(z: Any, t: Any) -> Any:
        residual = z - t
        decay = math.exp(-two * abs(residual))
        tanh = math.copysign((one - decay) / (one + decay), residual)
        return abs(residual) + math.log1p(decay) - log_2, tanh

    return element


def poisson(real: Any) -> Callable[..., Any]:
    def element(z: Any, t: Any) -> Any:
        mean = math.exp(z)
        return mean - t * z, mean - t

    return element


def pinball(real: Any, quantile: float) -> Callable[..., Any]:
    above, below = real(1 - quantile), real(-quantile)

    def element(z: Any, t: Any) -> Any:
        residual = z - t
        slope = above if residual > 0 else below
        return slope * residual, slope

    return element


def binary_cross_entropy_hessian(real: Any) -> Callable[..., Any]:
    one = real(1)

    def element(z: Any, t: Any) -> Any:
        sigmoid = one / (one + math.exp(-z))
        return sigmoid - t, sigmoid * (one - sigmoid)

    return element


LOSSES = {
    "SquaredError": squared_error,
    "Huber": huber,
    "BinaryCrossEntropy": binary_cross_entropy,
    "Focal": focal,
    "LogCosh": log_cosh,
    "Poisson": poisson,
    "Pinball": pinball,
}
HESSIANS = {"BinaryCrossEntropy": binary_cross_entropy_hessian}


def elementwise(element: Callable[..., Any], real: Any, parallel: bool) -> Callable[..., Any]:
    """value = function(prediction, target, gradient)"""
    element = njit(inline="always", **OPTIONS)(element)

    def value_and_grad(z: Array, t: Array, gradient: Array) -> float:
        n = z.size
        scale = real(1 / n)
        chunks = (n + CHUNK - 1) // CHUNK
        totals = np.empty(chunks)
        for chunk in prange(chunks):
            # Slices, since an index that begins at 0 is never negative, and is not asked whether.
            part = slice(chunk * CHUNK, min(n, (chunk + 1) * CHUNK))
            z_part, t_part, gradient_part = z[part], t[part], gradient[part]
            total = real(0)
            for i in range(z_part.size):
                loss, slope = element(z_part[i], real(t_part[i]))
                total += loss
                gradient_part[i] = slope * scale
            totals[chunk] = total
        return totals.sum() / n

    return njit(parallel=parallel, **OPTIONS)(value_and_grad)


def elementwise_hessian(
    element: Callable[..., Any], real: Any, parallel: bool
) -> Callable[..., Any]:
    """function(prediction, target, gradient, hessian)"""
    element = njit(inline="always", **OPTIONS)(element)

    def grad_and_hess(z: Array, t: Array, gradient: Array, hessian: Array) -> None:
        for i in prange(z.size):
            gradient[i], hessian[i] = element(z[i], real(t[i]))

    return njit(parallel=parallel, **OPTIONS)(grad_and_hess)


def rows(real: Any, parallel: bool, hessians: bool) -> Callable[..., Any]:
    """Classes last: a thread takes whole rows, three passes over each, the last two in cache."""
    one = real(1)

    def value_and_grad(z: Array, t: Array, gradient: Array, hessian: Array) -> float:
        n, classes = z.shape
        mass = one if hessians else real(1 / n)
        totals = np.empty(n)
        for i in prange(n):
            largest = z[i, 0]
            for k in range(1, classes):
                largest = max(largest, z[i, k])
            total = real(0)
            for k in range(classes):
                exponential = math.exp(z[i, k] - largest)
                gradient[i, k] = exponential
                total += exponential
            scale = mass / total
            for k in range(classes):
                probability = gradient[i, k] * scale
                gradient[i, k] = probability
                if hessians:
                    hessian[i, k] = probability * (one - probability)
            gradient[i, t[i]] -= mass
            totals[i] = math.log(total) + largest - z[i, t[i]]
        return totals.sum() / n

    return njit(parallel=parallel, **OPTIONS)(value_and_grad)


def planes(real: Any, hessians: bool) -> Callable[..., Any]:
    """Classes second of three axes: a thread takes a stretch of the last one, class by class."""
    one = real(1)
    stretch = 1024

    def value_and_grad(z: Array, t: Array, gradient: Array, hessian: Array) -> float:
        batch, classes, n = z.shape
        mass = one if hessians else real(1 / (batch * n))
        stretches = (n + stretch - 1) // stretch
        totals = np.zeros(batch * stretches)
        for job in prange(batch * stretches):
            b = job // stretches
            part = slice(job % stretches * stretch, min(n, (job % stretches + 1) * stretch))
            labels = t[b, part]
            largest = z[b, 0, part].copy()
            for k in range(1, classes):
                logits = z[b, k, part]
                for i in range(logits.size):
                    largest[i] = max(largest[i], logits[i])
            total = np.zeros_like(largest)
            for k in range(classes):
                logits, exponential = z[b, k, part], gradient[b, k, part]
                for i in range(logits.size):
                    exponential[i] = math.exp(logits[i] - largest[i])
                    total[i] += exponential[i]
            value = real(0)
            for i in range(labels.size):
                value += math.log(total[i]) + largest[i] - z[b, labels[i], part][i]
                total[i] = mass / total[i]
            totals[job] = value
            for k in range(classes):
                slope, curvature = gradient[b, k, part], hessian[b, k, part]
                for i in range(slope.size):
                    probability = slope[i] * total[i]
                    slope[i] = probability
                    if hessians:
                        curvature[i] = probability * (one - probability)
            for i in range(labels.size):
                gradient[b, labels[i], part][i] -= mass
        return totals.sum() / (batch * n)

    return njit(parallel=True, **OPTIONS)(value_and_grad)


@cache
def function(
    loss: str, parameters: tuple[tuple[str, float], ...], dtype: str, parallel: bool, layout: str
) -> Callable[..., Any]:
    real = dtype_of(dtype).type
    if layout == "elements":
        return elementwise(LOSSES[loss](real, **dict(parameters)), real, parallel)
    if layout == "elements and hessians":
        return elementwise_hessian(HESSIANS[loss](real), real, parallel)
    if layout.startswith("rows"):
        return rows(real, parallel, layout.endswith("hessians"))
    return planes(real, layout.endswith("hessians"))


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    hessians = case.mode == "grad_and_hess"
    if case.half or not (case.of_classes or case.loss in (HESSIANS if hessians else LOSSES)):
        return
    out = case.outputs()
    shape = prediction.shape
    arrays = [prediction, *out]
    layout = "elements"
    if case.of_classes:
        layout = "rows"
        if case.fortran or len(shape) > 2:
            layout = "planes"
            arrays = [a.T if case.fortran else a for a in arrays]
            shape = (1 if case.fortran else shape[0], shape[1], -1)
            arrays = [a.reshape(shape) for a in arrays]
            target = target.reshape(shape[0], -1)
        if not hessians:  # the same function, that one unused
            arrays.append(arrays[-1])
    if hessians:
        layout += " and hessians"
    parallel = case.size >= (WORTH_THREADS_IF_CHEAP if case.loss in CHEAP else WORTH_THREADS)
    results = [name for name in case.results if name != "value"]
    names: dict[str, Any] = {
        "function": function(
            case.loss, tuple(case.parameters.items()), case.dtype, parallel, layout
        ),
        "prediction": arrays[0],
        "target": target,
        "empty_like": np.empty_like,
        **{f"{name}_out": array for name, array in zip(results, arrays[1:], strict=False)},
    }
    buffers = [f"{name}_out" for name in results]
    value = "value = " if "value" in case.results else ""
    same = case.of_classes and not hessians

    def call(buffers: list[str]) -> str:
        arguments = ", ".join(["prediction, target", *buffers, *buffers[:1] * same])
        return f"{value}function({arguments})"

    keep = "".join(f"; {name} = {name}_out" for name in results)
    back = ""
    if layout.startswith("planes"):  # what is compared has the prediction's shape; costs nothing
        names["shape"] = case.shape[::-1] if case.fortran else case.shape
        back = ".reshape(shape)" + (".T" if case.fortran else "")
        keep = "".join(f"; {name} = {name}_out{back}" for name in results)
    yield Job("Numba", REUSED, call(buffers) + keep, names)
    fresh = "; ".join(f"{name} = empty_like(prediction)" for name in results)
    finish = "".join(f"; {name} = {name}{back}" for name in results) if back else ""
    yield Job("Numba", ALLOCATED, f"{fresh}; {call(results)}{finish}", names)
