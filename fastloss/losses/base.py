"""What the classes of all losses share: checked, immutable hyper-parameters and a name."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar, dataclass_transform

import numpy as np
import numpy.typing as npt

from fastloss import kernels
from fastloss.kernels import driver

Reduction = Literal["mean", "sum", "none"]
Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Interval:
    """The values that a hyper-parameter may have; written beside its type."""

    lower: float
    upper: float
    lower_open: bool = False
    upper_open: bool = False
    # Beyond it and below its reciprocal float32 has no room for what formulas make of a number,
    # such as products of its square: the loss then computes in double, and rounds what it returns.
    room: float = 2.0**60

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
# What residuals are divided by and a loss is multiplied by the square of.
SCALE = Interval(2.0**-250, 2.0**250, room=2.0**20)
# What logits are divided by.
TEMPERATURE = Interval(2.0**-20, np.inf, upper_open=True, room=2.0**20)
ANY = Interval(-np.inf, np.inf)

NUMBERS = (-np.inf, np.inf)
COUNTS = (0.0, np.inf)
# The targets of losses that zero is too small for, and one too large.
POSITIVE_NUMBERS = (float(np.nextafter(0, 1)), np.inf)
INSIDE_UNIT = (float(np.nextafter(0, 1)), float(np.nextafter(1, 0)))

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
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _freeze(value: Any) -> Any:
    return tuple(_freeze(v) for v in value) if isinstance(value, list) else value


def _is_integer(value: Any) -> bool:
    # A bool is an int to Python, and a time difference an integer to NumPy.
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))


def _is_number(value: Any) -> bool:
    return _is_integer(value) or isinstance(value, (float, np.floating))


def _number(name: str, value: Any, interval: Interval | None) -> float:
    if not _is_number(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number that a float can hold") from None
    if interval is not None and number not in interval:
        raise ValueError(f"{name} must be in {interval}, got {value!r}")
    if np.isnan(number):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return number


def _loss(name: str, value: Any) -> Parameters:
    if isinstance(value, str):
        from fastloss.losses.names import get  # which knows every family

        try:
            value = get(value)
        except ValueError as error:
            raise ValueError(f"{name} must be a loss or its name: {error}") from None
    if not isinstance(value, Parameters):
        raise TypeError(f"{name} must be a loss or its name, got {value!r}")
    if value.reduction != "mean":
        raise ValueError(f"{name} must be a loss without a reduction of its own, got {value!r}")
    return value


def _array(name: str, value: Any, interval: Interval | None) -> Any:
    """Return an array as nested tuples, one of no axes as the number that it is."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array, got a masked array")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of several lengths
        raise TypeError(f"{name} must be an array of numbers, got {value!r}: {error}") from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers, got {value!r}")
    array = array.astype(np.float64)
    if interval is not None and not all(x in interval for x in array.ravel().tolist()):
        raise ValueError(f"{name} must be in {interval}, got {value!r}")
    return _freeze(array.tolist())


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
        self.loss = any(isinstance(o, type) and issubclass(o, Parameters) for o in options)
        self.choices: tuple[str, ...] = ()
        if typing.get_origin(hint) is Literal:
            self.choices = typing.get_args(hint)

    def is_extreme(self, value: Any) -> bool:
        """Whether a number, or one of several, is beyond its interval's room."""
        if isinstance(value, tuple):
            return any(map(self.is_extreme, value))
        room = (self.interval or ANY).room
        ordinary = not value or np.isinf(value) or 1 / room <= abs(value) <= room
        return not ordinary

    def check(self, value: Any) -> Any:
        """Return the value as it is kept, or raise."""
        if value is None and self.optional:
            return None
        if self.loss:
            return _loss(self.name, value)
        if self.choices:
            if not isinstance(value, str) or value not in self.choices:
                names = " or ".join(repr(c) for c in self.choices)
                raise ValueError(f"{self.name} must be {names}, got {value!r}")
            return value
        if self.flag:
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{self.name} must be True or False, got {value!r}")
            return bool(value)
        if self.array and not np.isscalar(value):
            frozen = _array(self.name, value, self.interval)
            if self.number or isinstance(frozen, tuple):
                return frozen
        if self.array and not self.number:
            raise TypeError(f"{self.name} must be a sequence of numbers, got {value!r}")
        if self.integer and not self.number:
            if not _is_integer(value):
                raise TypeError(f"{self.name} must be an integer, got {value!r}")
            if self.interval is not None and value not in self.interval:
                raise ValueError(f"{self.name} must be in {self.interval}, got {value!r}")
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"{self.name} must be an integer of at most 64 bits")
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
        # What every loss has, or many have, is shown where it was chosen. Keyword-only ones come
        # last, and of them the one that every loss has.
        shown = [
            f"{f.name}={_shown(getattr(self, f.name))}"
            for f in sorted(
                dataclasses.fields(self), key=lambda f: (bool(f.kw_only), f.name == "reduction")
            )
            if f.name not in ("reduction", "hessian") or getattr(self, f.name) != f.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Callable[..., Parameters], tuple[Any, ...]]:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return _rebuild, (type(self), values)


def _shown(value: Any) -> str:
    # Infinity has no literal.
    endless = isinstance(value, float) and np.isinf(value)
    return f"float('{value}')" if endless else repr(value)


def _rebuild(cls: type[Parameters], values: dict[str, Any]) -> Parameters:
    return cls(**values)


class Deciding(Generic[Fact]):
    """A fact of a loss that its hyper-parameters decide; of its class, that their defaults do."""

    def __init__(self, fact: Callable[[Any], Fact]) -> None:
        self._fact = fact

    def __get__(self, loss: Any, owner: type[Any]) -> Fact:
        return self._fact(owner if loss is None else loss)


# What a target may be, by whether the prediction has a class axis of its own.
TARGETS: dict[str, tuple[str, ...]] = {
    "none": ("numbers",),
    "optional": ("numbers", "labels"),
    "always": ("labels", "probabilities"),
    "parameters": ("parameters",),
}


class Loss(Parameters, driver.Loss):
    """A loss: an immutable object that holds its hyper-parameters, checked once.

    Arguments come in the order prediction, target, weight. Predictions may be float16, bfloat16,
    float32 or float64 (whole numbers count as float64), targets and weights of any real, integer or
    bool type, in any mix and memory layout; none is copied as a whole and none is changed. A weight
    has the target's shape, or that of its leading axis.

    The value is a float summed in float64; gradient and Hessian have the prediction's type. Where a
    hyper-parameter is so large or small that float32 has no room for what is made of it, all is
    computed in float64 and rounded to that type. Results have the same bits for any number of
    threads and from run to run.

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
    # np.nextafter makes an end open; NaN is never outside.
    prediction_domain: ClassVar[tuple[float, float]] = NUMBERS
    target_domain: ClassVar[tuple[float, float]] = NUMBERS
    # Whether a prediction has a class axis that its target lacks: never, if so asked, always; or an
    # axis of several predictions for one target, such as a distribution's parameters.
    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "none"
    # What a target may be: numbers against numbers; and with a class axis in the prediction alone
    # labels, with one in both probabilities, label_lists (labels up to the first -1) or offsets
    # (subtracted from the logits, of which the first is the label's).
    targets: ClassVar[tuple[str, ...]] = ("numbers",)
    # How a formula for numbers becomes a loss of rows: see driver_parts/classwise.pxi.
    classwise: ClassVar[Literal["", "each", "one_hot", "cumulative", "rivals"]] = ""
    mean_over_classes: ClassVar[bool] = False
    # What the predictions that formulas name so may be, where that is not every number.
    domains: ClassVar[dict[str, tuple[float, float]]] = {}
    # Whether the prediction is the target's logarithm rather than of the target's own kind.
    of_logarithm: ClassVar[bool] = False
    # Whether the prediction is a row of logarithms of probabilities, which scores are not.
    of_log_probabilities: ClassVar[bool] = False
    # Whether the prediction is a distance, small where the target is 1.
    of_distance: ClassVar[bool] = False
    # The hyper-parameter that may be a sequence: the prediction then has a last axis of its length,
    # which the target lacks.
    per_output: ClassVar[str] = ""

    def __init_subclass__(cls, kernel: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if kernel:
            cls.kernel = kernel
            cls.family = cls.__module__.rpartition(".")[2]
            if cls.targets == Loss.targets:
                cls.targets = TARGETS[cls.class_axis]

    def __post_init__(self) -> None:
        super().__post_init__()
        outputs = getattr(self, self.per_output) if self.per_output else None
        if isinstance(outputs, tuple) and (not outputs or isinstance(outputs[0], tuple)):
            raise ValueError(
                f"{self.per_output} must be a number or a sequence of numbers, got {outputs!r}"
            )
        level = kernels.active()
        of_numbers = self._of_numbers()
        entry = of_numbers._entry(level)
        values = of_numbers._kernel_varying()
        varying = [
            np.array(v) if isinstance(v, tuple) else v
            for v in (values[name] for name in entry["varying"])
        ]
        parameters = []
        for dtype in (np.float32, np.float64):
            try:
                numbers = of_numbers._kernel_parameters(np.dtype(dtype))
            except ArithmeticError as error:
                # What a formula is given is made of them, a square say, and a float cannot hold it.
                raise ValueError(
                    f"{self!r} has a hyper-parameter that is too large or too small: {error}"
                ) from None
            parameters.append([numbers[name] for name in entry["parameters"]])
        self._bind(
            level,
            entry,
            driver.REDUCTION_CODES[self.reduction],
            parameters,
            varying,
            self.class_axis != "none",
            getattr(self, "axis", 0),
            getattr(self, "ignore_index", None),
            getattr(self, "label_smoothing", 0.0),
            getattr(self, "empty", "nan") == "zero",
            getattr(self, "class_weight", None),
            self._checked_domains(),
            tuple(self.domains.get(n) for n in entry["predictions"]) if self.domains else (),
            self.per_output,
            len(outputs) if isinstance(outputs, tuple) else 0,
            self._computes_in_double(),
        )
        negative = of_numbers.target_domain[0]
        self._bind_classes(
            self.targets,
            self.classwise,
            self.mean_over_classes,
            negative if np.isfinite(negative) else 0.0,
        )
        self._bind_softmax(
            *self._class_factor(),
            getattr(self, "prior", None),
            getattr(self, "z_loss", 0.0),
            getattr(self, "soft_cap", None) or 0.0,
        )

    def _checked_domains(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the bounds of prediction and target outside which a number is an error.

        Probabilities are checked, counts, and positive numbers; what a soft label may be is not.
        """
        soft_label = self.target_domain in ((0, 1), (-1, 1))
        checked = not soft_label or bool(np.isfinite(self.prediction_domain[0]))
        return self.prediction_domain, self.target_domain if checked else NUMBERS

    def _computes_in_double(self) -> bool:
        """Whether a hyper-parameter leaves no room in float32: see :class:`Interval`."""
        return any(f.is_extreme(getattr(self, f.name)) for f in self._fields if f.number)

    def _entry(self, level: driver.Level) -> dict[str, Any]:
        """Return the tile functions and what they are called with."""
        return level.formulas[self._kernel()]

    def _kernel(self) -> str:
        """Return the name of the formula; a hyper-parameter may choose among several."""
        return self.kernel

    @property
    def predictions(self) -> tuple[str, ...]:
        """What the predictions for one target are; of a loss over classes nothing is said."""
        found: tuple[str, ...] = self._of_numbers()._entry(kernels.active())["predictions"]
        return found

    def _of_numbers(self) -> Loss:
        """Return the loss whose formula this one sums over classes, else this one."""
        return self

    def _class_factor(self) -> tuple[str, Sequence[float] | None]:
        """Return the name and values of what multiplies each class, but not a mean's divisor."""
        return "", None

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        """Return the formula's parameters by name; those that are fields need no other word."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def _kernel_varying(self) -> dict[str, Any]:
        """Return by name what may vary from element to element: numbers, or tuples of them."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def partial(
        self, prediction: Any, target: Any, weight: Any = None, *, n_threads: int | None = None
    ) -> Partial:
        """Return mergeable sums, for data that comes in chunks, processes or machines."""
        return Partial(*self._partial(prediction, target, weight, n_threads))
