"""numexpr: expressions over blocks that fit a cache, on all threads, compiled once.

A sum within an expression runs on one thread, so that the losses are written to a buffer, which
NumPy sums. Constants are scalars of the array's type: a Python number would make float32 double.
"""

from collections.abc import Iterator
from typing import Any

import numexpr
import numpy as np

from suite import ALLOCATED, REUSED, Array, Case, Job, allocate

VERSION = numexpr.__version__
ENTROPY = "where(z > zero, z, zero) - z * t + log1p(exp(-abs(z)))"
SIGMOID = "one / (one + exp(-z))"

# Losses, and gradient before its division.
EXPRESSIONS = {
    "SquaredError": ("(z - t) * (z - t)", "(z - t) * two"),
    "Huber": (
        "where(abs(z - t) < delta, half * (z - t) * (z - t), delta * (abs(z - t) - half * delta))",
        "where(abs(z - t) < delta, z - t, where(z > t, delta, -delta))",
    ),
    "BinaryCrossEntropy": (ENTROPY, f"{SIGMOID} - t"),
    "Focal": (
        f"(alpha * t + (one - alpha) * (one - t)) * (t + (one - two * t) * {SIGMOID})"
        f" * (t + (one - two * t) * {SIGMOID}) * ({ENTROPY})",
        f"(alpha * t + (one - alpha) * (one - t)) * (t + (one - two * t) * {SIGMOID})"
        f" * (two * (one - two * t) * {SIGMOID} * (one - {SIGMOID}) * ({ENTROPY})"
        f" + (t + (one - two * t) * {SIGMOID}) * ({SIGMOID} - t))",
    ),
    "LogCosh": ("abs(z - t) + log1p(exp(-two * abs(z - t))) - log_2", "tanh(z - t)"),
    "Poisson": ("exp(z) - t * z", "exp(z) - t"),
    "Pinball": (
        "(z - t) * where(z > t, one - quantile, -quantile)",
        "where(z > t, one - quantile, -quantile)",
    ),
}
# What it calls the types.
TYPES = {"float32": float, "float64": np.float64}
CONSTANTS = {"zero": 0.0, "one": 1.0, "two": 2.0, "half": 0.5, "log_2": np.log(2)}


# Its threads cost about 50 microseconds.
WORTH_THREADS = 1 << 15

_threads = 1


def start(threads: int) -> None:
    global _threads
    _threads = threads


class Expression:
    """A compiled expression of z, t and constants."""

    def __init__(self, text: str, dtype: str, constants: dict[str, Any]) -> None:
        real = TYPES[dtype]
        words = [name for name in ("z", "t") if name in compile(text, "", "eval").co_names]
        used = [name for name in constants if name in compile(text, "", "eval").co_names]
        self.function = numexpr.NumExpr(text, [(name, real) for name in words + used])
        self.constants = [np.array(constants[name], dtype) for name in used]
        self.with_target = "t" in words

    def __call__(self, z: Array, t: Array, out: Array | None = None) -> Array:
        arrays = (z, t) if self.with_target else (z,)
        return self.function(*arrays, *self.constants, out=out, ex_uses_vml=False)


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    if case.half or case.mode != "value_and_grad":
        return
    numexpr.set_num_threads(_threads if case.size >= WORTH_THREADS else 1)
    if case.of_classes:
        yield from cross_entropy(case, prediction, target)
        return
    losses, gradient = EXPRESSIONS[case.loss]
    constants = {**CONSTANTS, **case.parameters, "scale": 1 / case.divisor}
    buffers = [allocate(case.shape, case.dtype, 3), *case.outputs()]
    names = {
        "losses": Expression(losses, case.dtype, constants),
        "slope": Expression(f"({gradient}) * scale", case.dtype, constants),
        "prediction": prediction,
        "target": target,
        "losses_out": buffers[0],
        "gradient_out": buffers[1],
        "n": case.size,
    }
    argument = "prediction, target"
    first = ""
    if target.dtype != prediction.dtype:  # it has no int8, and the expression one type
        first = "same = target.astype(prediction.dtype); "
        argument = "prediction, same"
    yield Job(
        "numexpr",
        REUSED,
        f"{first}value = losses({argument}, losses_out).sum() / n; "
        f"gradient = slope({argument}, gradient_out)",
        names,
    )
    yield Job(
        "numexpr",
        ALLOCATED,
        f"{first}value = losses({argument}).sum() / n; gradient = slope({argument})",
        names,
    )


def cross_entropy(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    """The exponential and the scaling by numexpr, what runs along rows by NumPy."""
    real = TYPES[case.dtype]
    exponential = numexpr.NumExpr("exp(z - largest)", [("z", real), ("largest", real)])
    scaling = numexpr.NumExpr("e * scale", [("e", real), ("scale", real)])
    label = np.expand_dims(target, 1)

    def function(z: Array, out: Array | None = None) -> tuple[Any, Array]:
        largest = z.max(1, keepdims=True)
        gradient = exponential(z, largest, out=out, ex_uses_vml=False)
        total = gradient.sum(1, keepdims=True)
        value = (np.log(total) + largest - np.take_along_axis(z, label, 1)).mean()
        gradient = scaling(gradient, 1 / (total * target.size), out=gradient, ex_uses_vml=False)
        chosen = np.take_along_axis(gradient, label, 1) - 1 / target.size
        np.put_along_axis(gradient, label, chosen, 1)
        return value, gradient

    (out,) = case.outputs()
    names = {"function": function, "prediction": prediction, "out": out}
    yield Job("numexpr", REUSED, "value, gradient = function(prediction, out)", names)
    yield Job("numexpr", ALLOCATED, "value, gradient = function(prediction)", names)
