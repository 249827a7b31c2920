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
    addresses: dict[str, dict[str, int]]
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
def wrong_label(
    target: _Array, at: tuple[Any, ...], classes: int, ignore_index: int | None
) -> IndexError: ...
def real_array(name: str, value: Any) -> _Array: ...
def checked_output(name: str, out: Any, shape: tuple[int, ...], dtype: Any) -> _Array: ...
def share_memory(a: _Array, b: _Array) -> bool: ...
def checked_reduction(reduction: Any) -> Literal["mean", "sum", "none"]: ...
def checked_denominator(denominator: Any, reduction: str) -> float: ...
def sweep(
    losses: Sequence[Loss], prediction: Any, target: Any, weight: Any, n_threads: int | None
) -> _Array | None: ...

class Team:
    size: int
    def __init__(self, seconds: float, n_threads: int | None = None) -> None: ...
    def __enter__(self) -> Team: ...
    def __exit__(self, *error: object) -> None: ...

class LinearSweep:
    state: _Array
    argmax: _Array
    def __init__(
        self,
        level: Level,
        team: Team,
        dtype: Any,
        labels: _Array,
        bias: _Array | None,
        class_weight: _Array | None,
        share: float,
        soft_cap: float,
        has_disorder: bool,
    ) -> None: ...
    def reduce(
        self, logits: _Array, first: int, share_before: float, kept: Sequence[_Array]
    ) -> None: ...
    def derive(self, logits: _Array, first: int, kept: Sequence[_Array]) -> None: ...
    def accumulate(self, source: _Array, target: _Array) -> None: ...
    def column_sums(self, source: _Array, sums: _Array) -> None: ...
    def convert(self, source: _Array, target: _Array) -> None: ...

class Loss:
    def _bind_classes(
        self, targets: tuple[str, ...], classwise: str, mean_over_classes: bool, negative: float
    ) -> None: ...
    def _bind(
        self,
        level: Level,
        entry: dict[str, Any],
        reduction: int,
        parameters: Sequence[Sequence[float]],
        varying: Sequence[float | _Array],
        classes: bool,
        axis: int,
        ignore_index: int | None,
        smoothing: float,
        empty_is_zero: bool,
        class_weight: Sequence[float] | None,
        intervals: tuple[tuple[float, float], tuple[float, float]],
        domains: tuple[tuple[float, float] | None, ...],
        output_name: str,
        outputs: int,
        wide: bool,
    ) -> None: ...
    def _bind_softmax(
        self,
        name: str,
        factor: Sequence[float] | None,
        prior: Sequence[float] | None,
        z_loss: float,
        soft_cap: float,
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
    def hvp(
        self,
        prediction: Any,
        target: Any,
        v: Any,
        weight: Any = None,
        **options: Unpack[_AnyReduction],
    ) -> _Array: ...
    def grad_and_packed_hess(
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
