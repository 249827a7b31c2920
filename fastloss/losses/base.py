"""What the classes of all losses share: checked, immutable hyper-parameters and a name."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, dataclass_transform

import numpy as np
import numpy.typing as npt

from fastloss import kernels
from fastloss.kernels import driver

Reduction = Literal["mean", "sum", "none"]


@dataclass(frozen=True)
class Interval:
    """The values that a hyper-parameter may have; written beside its type."""

    lower: float
    upper: float
    lower_open: bool = False
    upper_open: bool = False

    def __contains__(self, x: object) -> bool:
        if not isinstance(x, (int, float, np.number)):
            return False
        above = x > self.lower if self.lower_open else x >= self.lower
        below = x < self.upper if self.upper_open else x <= self.upper
        return bool(above and below)

    def __str__(self) -> str:
        left, right = "(" if self.lower_open else "[", ")" if self.upper_open else "]"
        return f"{left}{self.lower:g}, {self.upper:g}{right}"


POSITIVE = Interval(0, np.inf, lower_open=True, upper_open=True)
NON_NEGATIVE = Interval(0, np.inf, upper_open=True)
UNIT = Interval(0, 1)
OPEN_UNIT = Interval(0, 1, lower_open=True, upper_open=True)
HALF_OPEN_UNIT = Interval(0, 1, upper_open=True)

# Arrays of numbers in any form; a loss keeps them as nested tuples, so that it stays hashable.
Array = tuple[Any, ...] | Sequence[Any] | npt.NDArray[Any]


@dataclass(frozen=True)
class Partial:
    """The sums of a loss over some of the data; parts add up to the whole.

    Parameters
    ----------
    total : float
        Sum of weight times loss.
    weight : float
        Sum of the weights, what a mean divides by.
    count : int
        Elements or rows that were counted.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.AbsoluteError()
    >>> first, second = loss.partial([1.0], [3.0]), loss.partial([5.0, 5.0], [4.0, 5.0])
    >>> first + second
    Partial(total=3.0, weight=3.0, count=3)
    >>> (first + second).mean
    1.0
    """

    total: float
    weight: float
    count: int

    @property
    def mean(self) -> float:
        """The weighted mean, NaN where nothing was counted."""
        return self.total / self.weight if self.weight else float("nan")

    def __add__(self, other: Partial) -> Partial:
        if not isinstance(other, Partial):
            return NotImplemented
        return Partial(
            self.total + other.total, self.weight + other.weight, self.count + other.count
        )

    def __radd__(self, other: int) -> Partial:
        # sum() starts at 0.
        return self if other == 0 else NotImplemented

    def __iter__(self) -> Iterator[float | int]:
        return iter((self.total, self.weight, self.count))


def snake_case(name: str) -> str:
    """Return a class's name as functions and commands spell it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _freeze(value: Any) -> Any:
    return tuple(_freeze(v) for v in value) if isinstance(value, list) else value


def _number(name: str, value: Any, interval: Interval | None) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if interval is not None and number not in interval:
        raise ValueError(f"{name} must be in {interval}, got {value!r}")
    if np.isnan(number):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return number


def _array(name: str, value: Any, interval: Interval | None) -> tuple[Any, ...]:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers, got {value!r}")
    array = array.astype(np.float64)
    if interval is not None and not all(x in interval for x in array.ravel().tolist()):
        raise ValueError(f"{name} must be in {interval}, got {value!r}")
    frozen: tuple[Any, ...] = _freeze(array.tolist())
    return frozen


class _Field:
    """One hyper-parameter's check, from its annotation."""

    def __init__(self, name: str, hint: Any) -> None:
        self.name = name
        self.interval: Interval | None = None
        if typing.get_origin(hint) is typing.Annotated:
            hint, *extra = typing.get_args(hint)
            self.interval = next((e for e in extra if isinstance(e, Interval)), None)
        options = typing.get_args(hint) if typing.get_origin(hint) is not Literal else (hint,)
        options = options or (hint,)
        self.optional = type(None) in options
        self.array = any(typing.get_origin(o) is tuple for o in options)
        self.number = float in options
        self.integer = int in options
        self.flag = bool in options
        self.choices: tuple[str, ...] = ()
        if typing.get_origin(hint) is Literal:
            self.choices = typing.get_args(hint)

    def check(self, value: Any) -> Any:
        """Return the value as it is kept, or raise."""
        if value is None and self.optional:
            return None
        if self.choices:
            if not isinstance(value, str) or value not in self.choices:
                names = " or ".join(repr(c) for c in self.choices)
                raise ValueError(f"{self.name} must be {names}, got {value!r}")
            return value
        if self.flag:
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{self.name} must be True or False, got {value!r}")
            return bool(value)
        if self.array and not isinstance(value, (int, float, np.number)):
            return _array(self.name, value, self.interval)
        if self.array and not self.number:
            raise TypeError(f"{self.name} must be a sequence of numbers, got {value!r}")
        if self.integer and not self.number:
            if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
                raise TypeError(f"{self.name} must be an integer, got {value!r}")
            if self.interval is not None and value not in self.interval:
                raise ValueError(f"{self.name} must be in {self.interval}, got {value!r}")
            return int(value)
        return _number(self.name, value, self.interval)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(frozen=True, repr=False)
class Parameters:
    """Immutable hyper-parameters, each checked once by what its annotation says."""

    __slots__ = ()

    _fields: ClassVar[tuple[_Field, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, repr=False)(cls)
        hints = typing.get_type_hints(cls, include_extras=True)
        cls._fields = tuple(_Field(f.name, hints[f.name]) for f in dataclasses.fields(cls))

    def __post_init__(self) -> None:
        for checked in self._fields:
            object.__setattr__(self, checked.name, checked.check(getattr(self, checked.name)))
        self._check()

    # Keyword-only for every loss, and last in its signature.
    reduction: Reduction = field(default="mean", kw_only=True)

    def _check(self) -> None:
        """Check what concerns more than one hyper-parameter."""

    def __repr__(self) -> str:
        # Keyword-only ones, which every loss of a kind has, come last.
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in sorted(dataclasses.fields(self), key=lambda f: f.kw_only)
            if f.name != "reduction" or self.reduction != "mean"
        ]
        # The shared field comes first of them and is the last that one looks for.
        if self.reduction != "mean":
            shown.sort(key=lambda word: word.startswith("reduction="))
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Callable[..., Parameters], tuple[Any, ...]]:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return _rebuild, (type(self), values)


def _rebuild(cls: type[Parameters], values: dict[str, Any]) -> Parameters:
    return cls(**values)


# What a target may be, by whether the prediction has a class axis of its own.
TARGETS: dict[str, tuple[str, ...]] = {
    "none": ("numbers",),
    "optional": ("numbers", "labels"),
    "always": ("labels", "probabilities"),
}


class Loss(Parameters, driver.Loss):
    """A loss: an immutable object that holds its hyper-parameters, checked once.

    Arguments come in the order prediction, target, weight. Predictions may be float16, bfloat16,
    float32 or float64 (whole numbers count as float64), targets and weights of any real, integer or
    bool type, in any mix and memory layout; none is copied as a whole and none is changed. A weight
    has the target's shape, or that of its leading axis.

    The value is a float summed in float64; gradient and Hessian have the prediction's type. Results
    have the same bits for any number of threads and from run to run.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What the value is, and what the gradient is the gradient of: the weighted sum over the sum
        of the weights, the weighted sum, or the weighted losses one by one.

    See Also
    --------
    get : makes a loss by name.
    """

    __slots__ = ()

    kernel: ClassVar[str]
    # Other libraries' names for this loss, with the parameters that they imply.
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}
    # Facts that tests, tables and adapters read.
    family: ClassVar[str]
    prediction_domain: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    target_domain: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    # Whether a prediction has a class axis that its target lacks: never, if so asked, always.
    class_axis: ClassVar[Literal["none", "optional", "always"]] = "none"
    # What a target may be: numbers of the prediction's shape; where the prediction has a class axis
    # more, labels; where the target has it too, probabilities. By default all that the axis admits.
    targets: ClassVar[tuple[str, ...]] = ("numbers",)

    def __init_subclass__(cls, kernel: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if kernel:
            cls.kernel = kernel
            cls.family = cls.__module__.rpartition(".")[2]
            if cls.targets == Loss.targets:
                cls.targets = TARGETS[cls.class_axis]

    def __post_init__(self) -> None:
        super().__post_init__()
        level = kernels.active()
        kernel = self._kernel()
        entry = level.formulas[kernel]
        varying = [
            np.array(v) if isinstance(v, tuple) else v
            for v in (getattr(self, name) for name in entry["varying"])
        ]
        parameters = []
        for dtype in (np.float32, np.float64):
            numbers = self._kernel_parameters(np.dtype(dtype))
            parameters.append([numbers[name] for name in entry["parameters"]])
        self._bind(
            level,
            kernel,
            driver.REDUCTION_CODES[self.reduction],
            parameters,
            varying,
            self.class_axis != "none",
            getattr(self, "axis", 0),
            getattr(self, "ignore_index", None),
            getattr(self, "label_smoothing", 0.0),
            getattr(self, "empty", "nan") == "zero",
            getattr(self, "class_weight", None),
            self.prediction_domain if np.isfinite(self.prediction_domain[0]) else None,
        )
        self._bind_targets("probabilities" in self.targets, *self._class_factor())

    def _kernel(self) -> str:
        """Return the name of the formula; a hyper-parameter may choose among several."""
        return self.kernel

    def _class_factor(self) -> tuple[str, Sequence[float] | None]:
        """Return the name and values of what multiplies each class, but not a mean's divisor."""
        return "", None

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        """Return the formula's parameters by name; those that are fields need no other word."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def partial(
        self, prediction: Any, target: Any, weight: Any = None, *, n_threads: int | None = None
    ) -> Partial:
        """Return mergeable sums, for data that comes in chunks, processes or machines."""
        return Partial(*self._partial(prediction, target, weight, n_threads))
