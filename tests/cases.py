"""Valid inputs for every public loss: the one place that knows what they look like.

Everything is derived from `fastloss.losses()` and from what a class says of itself: the fields of
its dataclass, `prediction_domain`, `target_domain` and `class_axis`. A new loss is tested
everywhere at once, its hyper-parameters at values that their intervals admit.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import fastloss as fl

Array = npt.NDArray[Any]

CLASSES = 5

# Values of hyper-parameters that are worth more than what `valid_values` would choose; exact in
# float32, as is 1 minus each.
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "half": (True,),
    "delta": (0.25, 3.0),
    "quantile": (0.25, 0.875),
    "pos_weight": (2.5,),
    "label_smoothing": (0.125,),
    "eps": (0.0, 2.0**-10),
    "gamma": (0.0, 0.5, 1.0, 3.5),
    "alpha": (0.25,),
    "class_weight": ((1.0, 0.5, 2.0, 0.0, 4.0),),
    "ignore_index": (1,),
    "empty": ("zero",),
    "axis": (-1,),
    "reduction": ("sum",),
}

# One number for each class, where a parameter may be that instead of a number.
PER_CLASS = ((0.5, 1.0, 2.0, 0.25, 4.0),)

REDUCTIONS = ("mean", "sum", "none")
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Case(NamedTuple):
    """A loss with its parameters, and the kind of target that it is given.

    "numbers": prediction and target of one shape. "labels": a class axis in the prediction alone.
    "probabilities": a class axis in both. The loss is made by the test, at the test's level.
    """

    loss_class: Any
    parameters: dict[str, Any]
    kind: str

    def loss(self, **more: Any) -> Any:
        return self.loss_class(**self.parameters, **more)

    @property
    def id(self) -> str:
        words = [f"{name}={value}" for name, value in self.parameters.items()]
        kind = [self.kind] if self.kind != "numbers" else []
        return "-".join([self.loss_class.__name__, *kind, *words]).replace(" ", "")

    @property
    def of_rows(self) -> bool:
        return self.kind != "numbers"


def fields(loss_class: Any) -> dict[str, Any]:
    """Names and defaults of the hyper-parameters."""
    return {field.name: field.default for field in dataclasses.fields(loss_class)}


def default_cases() -> list[Case]:
    """Every loss as it comes, once for each kind of target."""
    return [Case(cls, {}, kind) for cls in fl.losses() for kind in cls.targets]


def cases() -> list[Case]:
    """Every loss as it comes, with each parameter varied, and with all of them varied."""
    return [
        Case(case.loss_class, parameters, case.kind)
        for case in default_cases()
        for parameters in _variations(case.loss_class)
    ]


def valid_values(loss_class: Any, name: str) -> tuple[Any, ...]:
    """Values of a hyper-parameter other than its default."""
    field = next(field for field in loss_class._fields if field.name == name)
    if name in PARAMETERS:
        of_classes = field.array and field.number and loss_class.class_axis == "always"
        return PARAMETERS[name] + PER_CLASS * of_classes
    candidates: tuple[Any, ...] = field.choices or (0.25, 0.5, 1.5, 3.0, -0.75)
    if field.flag:
        candidates = (False, True)
    elif field.integer and not field.number:
        candidates = (1, 2)
    inside = [x for x in candidates if field.interval is None or x in field.interval]
    return tuple(x for x in inside if x != fields(loss_class)[name])


def wrong_values(loss_class: Any, name: str) -> tuple[Any, ...]:
    """Values that a hyper-parameter must refuse."""
    field = next(field for field in loss_class._fields if field.name == name)
    outside = [x for x in (-1.0, 0.0, 2.0, np.inf) if field.interval and x not in field.interval]
    return (*outside, np.nan, "no such value", 1j)


def _variations(loss_class: Any) -> Iterator[dict[str, Any]]:
    yield {}
    names = [name for name in fields(loss_class) if name != "reduction"]
    for name in names:
        for value in valid_values(loss_class, name):
            yield {name: value}
    if len(names) > 1:
        yield {name: valid_values(loss_class, name)[0] for name in names}


def sample(case: Case, dtype: npt.DTypeLike, n: int = 200, seed: int = 0) -> tuple[Array, Array]:
    """n ordinary predictions and targets, or n rows, exact in float32."""
    random = np.random.default_rng([seed, n])
    shape = (n, CLASSES) if case.of_rows else (n,)
    low, high = case.loss_class.prediction_domain
    if case.of_rows:
        prediction = 3 * random.normal(size=shape)
        if high == 1:  # away from the ends, where the derivatives of a logarithm are endless
            prediction = 0.02 + (1 - 0.02 * CLASSES) * _simplex(random, shape)
    elif high == 1:
        prediction = random.uniform(0.01, 0.99, shape)
    else:
        prediction = np.clip(3 * random.normal(size=shape), low, high)
    return exact(prediction, dtype), sample_target(case, n, random).astype(
        np.int64 if case.kind == "labels" else dtype
    )


def sample_target(case: Case, n: int, random: np.random.Generator) -> Array:
    low, high = case.loss_class.target_domain
    if case.kind == "labels":
        label = random.integers(0, CLASSES, n)
        ignored = {**fields(case.loss_class), **case.parameters}.get("ignore_index")
        return label if ignored is None else np.where(random.random(n) < 0.1, ignored, label)
    if case.kind == "probabilities":
        return exact(_simplex(random, (n, CLASSES)), np.float32)
    if high == 1:
        soft = random.uniform(0, 1, n)
        return exact(np.where(random.random(n) < 0.3, soft, soft > 0.5), np.float32)
    if low == 0:
        return random.poisson(2, n).astype(np.float64)
    return exact(3 * random.normal(size=n), np.float32)


def sample_weight(n: int, dtype: npt.DTypeLike = np.float32, seed: int = 1) -> Array:
    return exact(np.random.default_rng(seed).uniform(0.1, 2, n), dtype)


def exact(array: Array, dtype: npt.DTypeLike) -> Array:
    """In float32 and in the dtype the same number."""
    return array.astype(np.float32).astype(dtype)


def _simplex(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    power = random.exponential(size=shape)
    return np.asarray(power / power.sum(-1, keepdims=True))


def grid(case: Case, dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Every pair of an ordinary or extreme prediction with an ordinary or extreme target."""
    prediction = _extremes(case.loss_class.prediction_domain, dtype)
    target = _extremes(case.loss_class.target_domain, dtype)[::3]
    ends = [end for end in case.loss_class.target_domain if np.isfinite(end)]
    target = np.unique(np.concatenate([target, np.array(ends, dtype), np.array([0.25], dtype)]))
    first, second = (side.ravel() for side in np.meshgrid(prediction, target))
    if case.loss_class.target_domain == (-np.inf, np.inf):
        # Judge what is made of the residual, not the rounding of the residual itself, which may
        # step over a kink.
        exact_ = _difference_is_exact(first, second)
        return first[exact_], second[exact_]
    return first, second


def _difference_is_exact(first: Array, second: Array) -> Array:
    """Whether first - second has no rounding error, after Knuth's TwoSum."""
    with np.errstate(all="ignore"):
        difference = first - second
        shift = difference - first
        error = (first - (difference - shift)) - (second + shift)
    return np.asarray(error == 0)


def _extremes(domain: tuple[float, float], dtype: npt.DTypeLike) -> Array:
    low, high = domain
    info = np.finfo(dtype)
    eps, tiny = float(info.eps), float(info.tiny)
    size = [float(info.smallest_subnormal), tiny, eps, 1e-4, 0.1, 0.5, 0.75, 0.999, 1.0, 1.001]
    size += [1.5, 2.0, 2.7, 5.0, 9.0, 17.0, 30.0, 40.0, 80.0, 90.0, 300.0, 700.0, 1e4]
    size += [1e300 if info.bits == 64 else 1e30]
    near_one = [1 - eps / 2, 1 - eps, 1 - 2 * eps, 1 - 4 * eps, 1 - 2.0**-10, 1 - 2.0**-9]
    near_one += [2.0**-10, 2.0**-9, eps / 2, 2 * eps]
    values = np.array([0.0, -0.0, *size, *(-x for x in size), *near_one])
    return values[(values >= low) & (values <= high)].astype(dtype)


def rows(case: Case, dtype: npt.DTypeLike) -> Iterator[tuple[Array, Array]]:
    """Rows, ordinary and extreme, of one number of classes after another."""
    random = np.random.default_rng(7)
    info = np.finfo(dtype)
    counts: tuple[int, ...] = (2, 33) if case.parameters else (1, 2, 3, 10, 31, 32, 33, 40, 257)
    if any(isinstance(value, tuple) for value in case.parameters.values()):
        counts = (CLASSES,)
    for classes in counts:
        logits = [scale * random.normal(size=classes) for scale in (1e-3, 1, 1, 5, 30)]
        far = 1e300 if info.bits == 64 else 1e30
        for peak in (-far, -1e4, -40.0, -17.0, 0.0, 17.0, 30.0, 40.0, 1e4, far):
            row = random.normal(size=classes)
            row[random.integers(classes)] = peak
            logits.append(row)
        logits += [np.zeros(classes), np.full(classes, far), np.full(classes, -far)]
        prediction = np.array(logits)
        if case.loss_class.prediction_domain == (0, 1):
            prediction = np.clip(abs(prediction) / (1 + abs(prediction)), 0, 1)
        prediction = np.concatenate([prediction] * 2).astype(dtype)
        n = len(prediction)
        if case.kind == "labels":
            target = random.integers(0, classes, n)
            target[: n // 2] = prediction[: n // 2].argmax(1)
        else:
            target = exact(_simplex(random, (n, classes)), dtype)
            target[: n // 4] = 0
            target[np.arange(n // 4), random.integers(0, classes, n // 4)] = 1
        yield prediction, target


Mode = Callable[..., tuple[Any, Any, Any]]

# Every way to ask, as (value, gradient, Hessian) with None for what was not asked.
MODES: dict[str, Mode] = {
    "call": lambda loss, *data, **options: (loss(*data, **options), None, None),
    "value": lambda loss, *data, **options: (loss.value(*data, **options), None, None),
    "grad": lambda loss, *data, **options: (None, loss.grad(*data, **options), None),
    "value_and_grad": lambda loss, *data, **options: (
        *loss.value_and_grad(*data, **options),
        None,
    ),
    "grad_and_hess": lambda loss, *data, **options: (None, *loss.grad_and_hess(*data, **options)),
    "value_grad_hess": lambda loss, *data, **options: loss.value_grad_hess(*data, **options),
}
