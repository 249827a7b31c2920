"""What `compare.py` measures: the cases, their inputs and their true results.

The leading axis of every input repeats one block of about two million elements, so that each
process makes the same arrays for itself, and truth is computed for the block alone: a mean over
equal blocks is the block's, and its gradient the block's divided by their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
# The sizes, and those between them that the plot wants.
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
    def outputs(self) -> int:
        """How many of the results are arrays."""
        return len(self.results) - ("value" in self.results)

    @property
    def divisor(self) -> int:
        """What a gradient is divided by: a mean's number of rows, or nothing for boosting."""
        return math.prod(self.target_shape) if "value" in self.results else 1

    @property
    def streams(self) -> tuple[int, int]:
        """Arrays of the prediction's size that are read, and that are written."""
        return 1 if self.of_classes else 2, self.outputs

    @property
    def input_bytes(self) -> int:
        target = math.prod(self.target_shape) * dtype_of(self.target_dtype).itemsize
        return self.size * dtype_of(self.dtype).itemsize + target

    @property
    def output_bytes(self) -> int:
        return self.outputs * self.size * dtype_of(self.dtype).itemsize

    @property
    def bytes(self) -> int:
        """What must move: each input read once, each output written once."""
        return self.input_bytes + self.output_bytes

    @property
    def repeats(self) -> int:
        """How often the block is there."""
        rows = self.shape[0]
        least = min(rows, max(1, self.size // BLOCK))
        return next(r for r in range(least, rows + 1) if rows % r == 0)


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
    # Arrays of the prediction's size that it needs besides inputs and outputs.
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


def _block(case: Case) -> tuple[Array, Array]:
    random = np.random.default_rng(0)
    rows = case.shape[0] // case.repeats
    prediction = 2 * random.standard_normal((rows, *case.shape[1:]), np.float32)
    target_shape = (rows, *case.target_shape[1:])
    target: Array
    if case.of_classes:
        target = random.integers(0, case.shape[1], target_shape)
    elif case.loss in ("BinaryCrossEntropy", "Focal"):
        target = random.random(target_shape) < 0.5
    elif case.loss == "Poisson":
        prediction /= 4
        target = random.poisson(2, target_shape)
    else:
        target = random.standard_normal(target_shape, np.float32)
        target[target == prediction] += 1  # no ties, where libraries choose differently
    return prediction.astype(dtype_of(case.dtype)), target.astype(case.target_dtype)


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


def inputs(case: Case) -> tuple[Array, Array]:
    """Prediction and target."""
    block = _block(case)
    arrays = (
        allocate(case.shape, case.dtype, 0, case.fortran),
        allocate(case.target_shape, case.target_dtype, 1),
    )
    for part, array in zip(block, arrays, strict=True):
        for start in range(0, len(array), len(part)):
            array[start : start + len(part)] = part
    return arrays


def outputs(case: Case) -> tuple[Array, ...]:
    """Buffers for the results that are arrays."""
    return tuple(allocate(case.shape, case.dtype, 2 + i, case.fortran) for i in range(case.outputs))


def expected(case: Case) -> tuple[Any, ...]:
    """The results of the block within the whole, from the reference in float64."""
    import fastloss as fl
    from fastloss import reference

    loss = getattr(fl, case.loss)(**case.parameters)
    if "value" in case.results:
        value, gradient = reference.evaluate(loss, *_block(case), order=1)
        return value, gradient / case.repeats
    return reference.evaluate(loss, *_block(case), reduction="sum")[1:]


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
            if result.shape != case.shape:
                return math.inf
            parts = [result[: len(true)], result[-len(true) :]]
            if case.dtype == "float16":  # a mean's gradient of many elements is subnormal
                allowed += float(np.finfo(np.float16).smallest_subnormal) / largest
        for part in parts:
            distance = np.abs(np.asarray(part, np.float64) - true).max()
            # NaN is no error to be tolerated.
            worst = max(worst, float(np.nan_to_num(distance / largest / allowed, nan=np.inf)))
    return worst
