from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack, overload

from numpy.typing import NDArray

_Array = NDArray[Any]

class _Options(TypedDict, total=False):
    denominator: float | None
    out: _Array | tuple[_Array, ...] | None
    n_threads: int | None

class _Reduced(_Options, total=False):
    reduction: Literal["mean", "sum"] | None

class _Unreduced(_Options):
    reduction: Literal["none"]

class _AnyReduction(_Options, total=False):
    reduction: Literal["mean", "sum", "none"] | None

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
def set_cache_limit(limit: int) -> int: ...
def cache_use() -> tuple[int, int]: ...
def set_stream_from(size: int) -> int: ...

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
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Reduced]
    ) -> float: ...
    @overload
    def __call__(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Unreduced]
    ) -> _Array: ...
    @overload
    def value(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Reduced]
    ) -> float: ...
    @overload
    def value(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Unreduced]
    ) -> _Array: ...
    def grad(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_AnyReduction]
    ) -> _Array: ...
    @overload
    def value_and_grad(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Reduced]
    ) -> tuple[float, _Array]: ...
    @overload
    def value_and_grad(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Unreduced]
    ) -> tuple[_Array, _Array]: ...
    def grad_and_hess(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_AnyReduction]
    ) -> tuple[_Array, _Array]: ...
    @overload
    def value_grad_hess(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Reduced]
    ) -> tuple[float, _Array, _Array]: ...
    @overload
    def value_grad_hess(
        self, prediction: Any, target: Any, weight: Any = None, **options: Unpack[_Unreduced]
    ) -> tuple[_Array, _Array, _Array]: ...
