"""What `compare.py` measures: the cases, their inputs and their true results.

The leading axis of an input repeats one block of about two million elements, so that each process
makes the same arrays for itself, and truth is computed for the block alone: a mean over equal
blocks is the block's, and its gradient the block's divided by their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 2_000_000
ALLOCATED, REUSED = "allocated", "reused"

# Hyper-parameters; every peer reads them here.
ELEMENTWISE: dict[str, dict[str, float]] = {
    "SquaredError": {},
    "Huber": {"delta": 1.0},
    "BinaryCrossEntropy": {},
    "Focal": {"gamma": 2.0, "alpha": 0.25},
    "LogCosh": {},
    "Poisson": {},
    "Pinball": {"quantile": 0.9},
}
# float32 has sizes between them for the plot.
SIZES = {"float64": (32, 1_000, 100_000, 10_000_000, 100_000_000)}
SIZES["float32"] = tuple(sorted({8, 256, 10_000, 1_000_000, *SIZES["float64"]}))
CLASSES = (
    (32, 10),
    (1_000_000, 10),
    (100_000, 100),
    (8192, 1000),
    (512, 50257),
    (64, 256_000),
    (8, 19, 512, 1024),
)

# Largest error of a value, relative, and of an array, relative to its largest element. Peers sum
# float32 in float32; it is enough to tell the same loss from another.
TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype of a name, bfloat16 included; ImportError without ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def abbreviated(n: int) -> str:
    """10M for 10_000_000."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if n % unit == 0:
            return f"{n // unit}{letter}"
    return str(n)


@dataclass(frozen=True)
class Case:
    """One loss on inputs of one shape, type and layout. Classes are along axis 1."""

    loss: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    target: str = ""
    mode: str = "value_and_grad"
    # Class-major, as LightGBM passes the scores of several classes.
    fortran: bool = False

    # The function in a peer's module that makes the jobs.
    jobs: ClassVar[str] = "jobs"

    @property
    def name(self) -> str:
        words = [self.loss, self.dtype, "x".join(map(abbreviated, self.shape))]
        words += [self.mode] * (self.mode != "value_and_grad")
        words += ["Fortran"] * self.fortran
        words += [f"{self.target} target"] * (self.target not in ("", self.dtype))
        return " ".join(words)

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(ELEMENTWISE.get(self.loss, {}))

    @property
    def of_classes(self) -> bool:
        return self.loss == "CrossEntropy"

    @property
    def half(self) -> bool:
        """Whether it is computed in a longer type than it is stored in."""
        return self.dtype in ("float16", "bfloat16")

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (self.shape[0], *self.shape[2:]) if self.of_classes else self.shape

    @property
    def target_dtype(self) -> str:
        return self.target or ("int64" if self.of_classes else self.dtype)

    @property
    def results(self) -> tuple[str, ...]:
        """What a call returns."""
        return ("value", "gradient") if self.mode == "value_and_grad" else ("gradient", "hessian")

    @property
    def divisor(self) -> int:
        """What a gradient is divided by: a mean's number of rows, or nothing for boosting."""
        return math.prod(self.target_shape) if "value" in self.results else 1

    @property
    def streams(self) -> tuple[int, int]:
        """Arrays of the prediction's size that are read, and that are written."""
        return 1 if self.of_classes else 2, len(self.output_shapes)

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the results that are arrays, all of the case's dtype."""
        return [self.shape] * (2 if self.mode == "grad_and_hess" else 1)

    @property
    def input_types(self) -> list[tuple[tuple[int, ...], str]]:
        """Shapes and dtypes of the inputs."""
        return [(self.shape, self.dtype), (self.target_shape, self.target_dtype)]

    @property
    def temporary_bytes(self) -> int:
        """Size of an array as a peer's intermediate results are."""
        return self.size * dtype_of(self.dtype).itemsize

    @property
    def bytes(self) -> int:
        """What must move: each input read once, each output written once."""
        types = [*self.input_types, *((shape, self.dtype) for shape in self.output_shapes)]
        return sum(math.prod(shape) * dtype_of(dtype).itemsize for shape, dtype in types)

    @property
    def repeats(self) -> int:
        """How often the block is there."""
        rows = self.shape[0]
        least = min(rows, max(1, self.size // BLOCK))
        return next(r for r in range(least, rows + 1) if rows % r == 0)

    def block(self) -> tuple[Array, ...]:
        """The rows of the inputs that repeat."""
        random = np.random.default_rng(0)
        rows = self.shape[0] // self.repeats
        prediction = 2 * random.standard_normal((rows, *self.shape[1:]), np.float32)
        target_shape = (rows, *self.target_shape[1:])
        target: Array
        if self.of_classes:
            target = random.integers(0, self.shape[1], target_shape)
        elif self.loss in ("BinaryCrossEntropy", "Focal"):
            target = random.random(target_shape) < 0.5
        elif self.loss == "Poisson":
            prediction /= 4
            target = random.poisson(2, target_shape)
        else:
            target = random.standard_normal(target_shape, np.float32)
            target[target == prediction] += 1  # no ties, where libraries choose differently
        return prediction.astype(dtype_of(self.dtype)), target.astype(self.target_dtype)

    def inputs(self) -> list[Array]:
        """What a call is given."""
        arrays = []
        for part, (shape, dtype) in zip(self.block(), self.input_types, strict=True):
            fortran = self.fortran and shape == self.shape
            array = allocate(shape, dtype, len(arrays), fortran)
            for start in range(0, len(array), len(part)):
                array[start : start + len(part)] = part
            arrays.append(array)
        return arrays

    def outputs(self) -> list[Array]:
        """Buffers for the results that are arrays."""
        first = len(self.input_types)
        return [
            allocate(shape, self.dtype, first + i, self.fortran)
            for i, shape in enumerate(self.output_shapes)
        ]

    def expected(self) -> tuple[Any, ...]:
        """The value, and of an array the rows of one block, from the reference in float64."""
        import fastloss as fl
        from fastloss import reference

        loss = getattr(fl, self.loss)(**self.parameters)
        if "value" in self.results:
            value, gradient = reference.evaluate(loss, *self.block(), order=1)
            return value, gradient / self.repeats
        return reference.evaluate(loss, *self.block(), reduction="sum")[1:]


@dataclass(frozen=True)
class LinearCase(Case):
    """Cross-entropy of hidden @ weight.T, its shape being rows, features and classes."""

    jobs: ClassVar[str] = "linear_jobs"

    @property
    def results(self) -> tuple[str, ...]:
        return "value", "hidden_gradient", "weight_gradient"

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        rows, features, classes = self.shape
        return [(rows, features), (classes, features)]

    @property
    def input_types(self) -> list[tuple[tuple[int, ...], str]]:
        matrices = [(shape, self.dtype) for shape in self.output_shapes]
        return [*matrices, (self.shape[:1], "int64")]

    @property
    def temporary_bytes(self) -> int:
        """Of the logits."""
        return self.shape[0] * self.shape[2] * dtype_of(self.dtype).itemsize

    @property
    def repeats(self) -> int:
        return math.gcd(16, self.shape[0])

    def block(self) -> tuple[Array, ...]:
        random = np.random.default_rng(0)
        rows, features, classes = self.shape
        rows //= self.repeats
        hidden = random.standard_normal((rows, features), np.float32)
        weight = random.standard_normal((classes, features), np.float32) / 16
        type_ = dtype_of(self.dtype)
        return hidden.astype(type_), weight.astype(type_), random.integers(0, classes, rows)

    def expected(self) -> tuple[Any, ...]:
        import fastloss as fl
        from fastloss import reference

        hidden, weight, target = self.block()
        hidden, weight = hidden.astype(np.float64), weight.astype(np.float64)
        value, gradient = reference.evaluate(fl.CrossEntropy(), hidden @ weight.T, target, order=1)
        return value, gradient @ weight / self.repeats, gradient.T @ hidden


class Job(NamedTuple):
    """One way in which a peer computes a case.

    The statement is what is timed, as a user would write it: it assigns the case's results. The
    setup comes before, untimed.
    """

    peer: str
    output: str
    statement: str
    names: dict[str, Any]
    setup: str = ""
    # Calls that the statement makes.
    calls: int = 1
    # Arrays of the prediction's size, or the logits', that it needs besides inputs and outputs.
    temporaries: int = 2
    to_numpy: Callable[[Any], Array] = np.asarray


def cases() -> list[Case]:
    """Everything, in the order of the table."""
    found = [
        Case(loss, (n,), dtype)
        for dtype in ("float32", "float64")
        for loss in ELEMENTWISE
        for n in SIZES[dtype]
    ]
    found += [Case("CrossEntropy", shape) for shape in CLASSES]
    found += [Case("CrossEntropy", shape, "float64") for shape in ((1_000_000, 10), (8192, 1000))]
    for dtype in ("float16", "bfloat16"):
        for loss in ("SquaredError", "BinaryCrossEntropy"):
            found += [Case(loss, (n,), dtype) for n in (1_000, 100_000, 10_000_000)]
        found += [Case("CrossEntropy", shape, dtype) for shape in ((8192, 1000), (512, 50257))]
    for dtype in ("float32", "float64"):
        boosting: dict[str, Any] = {"dtype": dtype, "mode": "grad_and_hess"}
        found += [
            Case("BinaryCrossEntropy", (10_000_000,), **boosting),
            Case("CrossEntropy", (1_000_000, 7), **boosting),
            Case("CrossEntropy", (1_000_000, 7), fortran=True, **boosting),
        ]
    found += [
        Case("SquaredError", (10_000_000,), "float64", "float32"),
        Case("BinaryCrossEntropy", (10_000_000,), "float32", "int8"),
        Case("BinaryCrossEntropy", (10_000_000,), "float64", "int8"),
        LinearCase("LinearCrossEntropy", (1024, 512, 32000)),
    ]
    return found


def quick_cases() -> list[Case]:
    """Enough to see where one stands."""
    return [
        Case("SquaredError", (32,)),
        Case("SquaredError", (10_000_000,)),
        *(Case("BinaryCrossEntropy", (n,)) for n in (32, 1_000, 100_000, 10_000_000)),
        *(Case("CrossEntropy", shape) for shape in ((1_000_000, 10), (8192, 1000), (512, 50257))),
    ]


def allocate(shape: tuple[int, ...], dtype: str, position: int, fortran: bool = False) -> Array:
    """An array that begins on a cache line, and on a page's other line than its neighbours do.

    Arrays whose addresses differ by a multiple of 4096 bytes slow one another down.
    """
    type_ = dtype_of(dtype)
    size = math.prod(shape) * type_.itemsize
    memory = np.empty(size + 2 * 4096, np.uint8)
    start = -memory.ctypes.data % 4096 + 640 * position
    array = memory[start : start + size].view(type_)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def error(case: Case, truth: Sequence[Any], results: Sequence[Array]) -> float:
    """The results' largest relative error, in units of what is tolerated."""
    worst = 0.0
    for true, result in zip(truth, results, strict=True):
        largest = np.abs(true).max()
        allowed = TOLERANCE[case.dtype]
        parts = [result]
        if np.ndim(true):
            if case.fortran and result.shape == case.shape[::-1]:
                result = result.T
            if result.shape not in case.output_shapes:
                return math.inf
            parts = [result[: len(true)], result[-len(true) :]]
            if case.dtype == "float16":  # a mean's gradient of many elements is subnormal
                allowed += float(np.finfo(np.float16).smallest_subnormal) / largest
        for part in parts:
            distance = np.abs(np.asarray(part, np.float64) - true).max()
            # NaN is no error to be tolerated.
            worst = max(worst, float(np.nan_to_num(distance / largest / allowed, nan=np.inf)))
    return worst
