from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from numpy.typing import NDArray

_Array = NDArray[Any]
_Out = _Array | tuple[_Array, ...] | None
_Reduction = Literal["mean", "sum", "none"] | None

REDUCTION_CODES: dict[str, int]

class OutOfRange(Exception): ...

class Level:
    name: str
    formulas: dict[str, dict[str, Any]]
    vocabulary: dict[str, dict[str, int]]
    def __init__(
        self,
        name: str,
        formulas: Mapping[str, Mapping[str, Any]],
        tools: Mapping[str, Mapping[str, int]],
        vocabulary: Mapping[str, Mapping[str, int]],
    ) -> None: ...
    def word(self, name: str, x: _Array) -> _Array: ...

def openmp() -> int: ...
def max_threads() -> int: ...
def read_environment() -> None: ...
def set_literal_threads(literal: bool) -> bool: ...

class Loss:
    def _bind(
        self,
        level: Level,
        kernel: str,
        reduction: int,
        parameters: Sequence[Sequence[float]],
        varying: Sequence[float | _Array],
        classes: bool,
        axis: int,
        ignore_index: int | None,
        smoothing: float,
        empty_is_zero: bool,
        class_weight: Sequence[float] | None,
        domain: tuple[float, float] | None,
    ) -> None: ...
    def _partial(
        self, prediction: Any, target: Any, weight: Any, n_threads: int | None
    ) -> tuple[float, float, int]: ...
    @overload
    def __call__(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["none"],
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> _Array: ...
    @overload
    def __call__(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["mean", "sum"] | None = None,
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> float: ...
    @overload
    def value(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["none"],
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> _Array: ...
    @overload
    def value(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["mean", "sum"] | None = None,
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> float: ...
    def grad(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: _Reduction = None,
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> _Array: ...
    @overload
    def value_and_grad(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["none"],
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> tuple[_Array, _Array]: ...
    @overload
    def value_and_grad(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["mean", "sum"] | None = None,
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> tuple[float, _Array]: ...
    def grad_and_hess(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: _Reduction = None,
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> tuple[_Array, _Array]: ...
    @overload
    def value_grad_hess(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["none"],
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> tuple[_Array, _Array, _Array]: ...
    @overload
    def value_grad_hess(
        self,
        prediction: Any,
        target: Any,
        weight: Any = None,
        *,
        reduction: Literal["mean", "sum"] | None = None,
        denominator: float | None = None,
        out: _Out = None,
        n_threads: int | None = None,
    ) -> tuple[float, _Array, _Array]: ...
