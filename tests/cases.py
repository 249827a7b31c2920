"""Valid inputs for every public loss: the one place that knows what they look like.

Everything is derived from `fastloss.losses()` and from what a class says of itself: the fields of
its dataclass, `prediction_domain`, `target_domain`, `class_axis` and `domains`. A new loss is
tested everywhere at once, its hyper-parameters at values that their intervals admit.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
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
    "level": (0.25, 0.875),
    "pos_weight": (2.5,),
    "label_smoothing": (0.125,),
    "prior": ((0.5, 0.25, 0.125, 0.125, 0.0),),
    "z_loss": (0.25,),
    "soft_cap": (4.0,),
    "eps": (0.0, 2.0**-10),
    "lower": (0.5,),
    "power": (3.0, 0.0, 1.0, 1.25, 2.0, -1.0),
    "gamma": (0.0, 0.25, 1.0, 2.5, 3.5),
    "alpha": (0.25, -2.0, 2.0, 3.0, -12.0, -np.inf, (0.5, 1.0, 2.0, 0.25, 4.0)),
    "epsilon": (0.25, 1.5, -0.75),
    "log_zero": (-0.75,),
    "q": (1.0, 1.25, 2.0, 3.0),
    "class_weight": ((1.0, 0.5, 2.0, 0.0, 4.0),),
    "ignore_index": (1,),
    "empty": ("zero",),
    "axis": (-1, 1),
    "t1": (1.0, 0.0),
    "t2": (1.0, 3.0),
    "beta": (0.25, 0.0, 1.0, 3.0),
    "binary": ("focal", "squared_hinge"),
    "reduction": ("sum",),
}


REDUCTIONS = ("mean", "sum", "none")
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Case(NamedTuple):
    """A loss with its parameters, and the kind of target that it is given.

    "numbers": prediction and target of one shape. "labels": a class axis in the prediction alone.
    "probabilities", "label_lists", "offsets": a class axis in both. "parameters": an axis of
    several predictions for one number. The loss is made by the test, at the test's level.
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
    def exact_hessian(self) -> bool:
        """Whether the Hessian is the second derivative, not another curvature that was chosen."""
        chosen = {**fields(self.loss_class), **self.parameters}
        return bool(chosen.get("hessian", "exact") == "exact")

    @property
    def of_rows(self) -> bool:
        return self.kind != "numbers"

    @property
    def target_has_axis(self) -> bool:
        """Whether a target has the prediction's class axis."""
        return self.kind in ("probabilities", "label_lists", "offsets")

    @property
    def predictions(self) -> tuple[str, ...]:
        """What the prediction is called, or each of several; none for classes."""
        found: tuple[str, ...] = self.loss().predictions
        return found

    @property
    def columns(self) -> int:
        """The length of the axis that a row has."""
        if self.kind == "parameters":
            return len(self.predictions)
        return CLASSES - (self.loss_class.classwise == "cumulative")

    @property
    def axis(self) -> int:
        """Where that axis is."""
        return int({**fields(self.loss_class), **self.parameters}["axis"])


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
    candidates: tuple[Any, ...] = field.choices or (0.25, 0.5, 1.5, 3.0)
    if name in PARAMETERS:
        candidates = PARAMETERS[name]
    elif field.flag:
        candidates = (False, True)
    elif field.integer and not field.number:
        candidates = (1, 2)
    inside = [x for x in candidates if not outside(field, x)]
    return tuple(x for x in inside if x != fields(loss_class)[name])


# Powers of 2: inside of the room that hyper-parameters have in float32, and beyond what it holds.
EXTREMES = (19, 59, 140)


def hessians(loss_class: Any) -> list[dict[str, Any]]:
    """The Hessians that can be chosen, as parameters."""
    choices = [f.choices for f in loss_class._fields if f.name == "hessian"]
    return [{"hessian": choice} for choice in choices[0]] if choices else [{}]


def is_refused(case: Case) -> bool:
    """Whether a hyper-parameter that its own interval admits is an error."""
    try:
        case.loss()
    except ValueError:
        return True
    return False


def extreme_values(field: Any) -> list[float]:
    """Values far from 1 that a real hyper-parameter admits, and the ends of where it ends."""
    values = [2.0 ** (side * power) for power in EXTREMES for side in (-1, 1)]
    values += [-value for value in values]
    if field.interval:
        values += [end for end in (field.interval.lower, field.interval.upper) if np.isfinite(end)]
    return [value for value in values if not outside(field, value)]


def outside(field: Any, value: Any) -> bool:
    """Whether a value is none for its hyper-parameter: outside its interval, or several numbers."""
    if isinstance(value, tuple):
        return not field.array
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and field.interval is not None and value not in field.interval


def wrong_values(loss_class: Any, name: str) -> tuple[Any, ...]:
    """Values that a hyper-parameter must refuse."""
    field = next(field for field in loss_class._fields if field.name == name)
    numbers = [x for x in (-1.0, 0.0, 2.0, np.inf) if outside(field, x)]
    never = (np.nan, "no such value", 1j, np.complex128(0.5 + 1j), np.timedelta64(1, "s"))
    return (*numbers, *never, 10**400, np.ma.array([0.5, 0.5]))


def _variations(loss_class: Any) -> Iterator[dict[str, Any]]:
    yield {}
    names = [name for name in fields(loss_class) if name != "reduction"]
    for name in names:
        for value in valid_values(loss_class, name):
            yield {name: value}
    if len(names) > 1:
        yield {name: valid_values(loss_class, name)[0] for name in names}
    yield from _formulas(loss_class)


def _formulas(loss_class: Any) -> Iterator[dict[str, Any]]:
    """Choices that make a formula which no single one of them makes."""
    choices = {
        field.name: field.choices
        for field in loss_class._fields
        if field.choices and field.name != "reduction"
    }
    alone = [{}, *({name: value} for name in choices for value in valid_values(loss_class, name))]
    seen = {loss_class(**chosen)._kernel() for chosen in alone}
    for values in itertools.product(*choices.values()):
        chosen = dict(zip(choices, values, strict=True))
        kernel = loss_class(**chosen)._kernel()
        if kernel not in seen:
            seen.add(kernel)
            yield chosen


def sample(case: Case, dtype: npt.DTypeLike, n: int = 200, seed: int = 0) -> tuple[Array, Array]:
    """n ordinary predictions and targets, or n rows, exact in float32."""
    random = np.random.default_rng([seed, n])
    shape = (n, case.columns) if case.of_rows else (n,)
    low, high = case.loss().prediction_domain
    if case.kind == "parameters":
        prediction = 0.25 * random.normal(size=shape)
        for k, name in enumerate(case.predictions):
            if name in case.loss_class.domains:
                prediction[:, k] = random.uniform(0.1, 4, n)
    elif case.of_rows:
        prediction = 3 * random.normal(size=shape)
        if high == 1:  # away from the ends, where the derivatives of a logarithm are endless
            prediction = 0.02 + (1 - 0.02 * shape[1]) * _simplex(random, shape)
    elif high == 1:
        prediction = random.uniform(0.01, 0.99, shape)
    elif np.isfinite(low):
        prediction = low + _positive(random, n)
    else:
        prediction = 3 * random.normal(size=shape)
    return exact(prediction, dtype), sample_target(case, n, random).astype(
        np.int64 if "label" in case.kind else dtype
    )


def sample_target(case: Case, n: int, random: np.random.Generator) -> Array:
    low, high = case.loss().target_domain
    if case.kind == "labels":
        label = random.integers(0, CLASSES, n)
        ignored = {**fields(case.loss_class), **case.parameters}.get("ignore_index")
        return label if ignored is None else np.where(random.random(n) < 0.1, ignored, label)
    if case.target_has_axis:
        return target_rows(case, exact(3 * random.normal(size=(n, CLASSES)), np.float32), random)
    if high == 1:
        soft = random.uniform(0, 1, n)
        share = np.where(random.random(n) < 0.3, soft, soft > 0.5)
        return exact(low + (1 - low) * share, np.float32)
    if low == 0:
        return random.poisson(2, n).astype(np.float64)
    if low > 0 and high < 1:
        return exact(random.uniform(0.02, 0.98, n), np.float32)
    if np.isfinite(low):
        return exact(low + _positive(random, n), np.float32)
    return exact(3 * random.normal(size=n), np.float32)


def target_rows(case: Case, prediction: Array, random: np.random.Generator) -> Array:
    """Targets that have the prediction's class axis too."""
    n, classes = prediction.shape
    if case.kind == "label_lists":
        lists = random.permuted(np.tile(np.arange(classes), (n, 1)), axis=1)
        lists[:, classes // 2 :][random.random((n, classes - classes // 2)) < 0.3] = -1
        return lists
    if case.kind == "offsets":  # as differences that are exact
        return prediction * random.choice([0.0, 0.5, 1.0, -1.0], (n, classes))
    parameters = {**fields(case.loss_class), **case.parameters}
    form = parameters.get("target_form", "probabilities")
    if form == "logits":
        return exact(3 * random.normal(size=(n, classes)), np.float32)
    target = _simplex(random, (n, classes))
    sure = random.random(n) < 0.25
    target[sure] = 0
    target[sure, random.integers(0, classes, sure.sum())] = 1
    target = np.maximum(target, case.loss().target_domain[0])
    if form == "log_probabilities" or parameters.get("log_target"):
        with np.errstate(divide="ignore"):
            target = np.log(target)
    return exact(target, np.float32)


def two_targets(case: Case) -> tuple[float, float]:
    """Two targets that the loss takes, 0 and 1 if it can be."""
    low, high = case.loss().target_domain
    if low <= 0:
        return 0, 1
    return (2, 1) if high > 1 else (0.5, 0.25)


def types_of(numbers: tuple[float, float], dtypes: Sequence[str]) -> list[str]:
    """Those of the types that have both numbers."""
    pair = np.array(numbers, np.float64)
    return [name for name in dtypes if (pair.astype(name).astype(np.float64) == pair).all()]


def sample_weight(n: int, dtype: npt.DTypeLike = np.float32, seed: int = 1) -> Array:
    return exact(np.random.default_rng(seed).uniform(0.1, 2, n), dtype)


def exact(array: Array, dtype: npt.DTypeLike) -> Array:
    """In float32 and in the dtype the same number."""
    return array.astype(np.float32).astype(dtype)


def _positive(random: np.random.Generator, n: int) -> Array:
    """Positive numbers, none next to 0, where the derivatives of a logarithm are endless."""
    return 0.25 + abs(3 * random.normal(size=n))


def _simplex(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    power = random.exponential(size=shape)
    return np.asarray(power / power.sum(-1, keepdims=True))


def grid(case: Case, dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """Every pair of an ordinary or extreme prediction with an ordinary or extreme target."""
    prediction = _extremes(case.loss().prediction_domain, dtype)
    domain = case.loss().target_domain
    target = _extremes(domain, dtype)[::3]
    ends = [end for end in domain if np.isfinite(end)]
    target = np.unique(np.concatenate([target, np.array(ends, dtype), np.array([0.25], dtype)]))
    target = target[target.astype(float) >= domain[0]]  # whose end may be too small for the dtype
    if "labels" in fields(case.loss_class):
        # Judge what is made of the margin, not the rounding of a soft label to -1 or 1.
        target = target[_difference_is_exact(2 * target, np.ones_like(target))]
    first, second = (side.ravel() for side in np.meshgrid(prediction, target))
    if domain == (-np.inf, np.inf):
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


def few_extremes(case: Case, dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """A few predictions from the smallest to the largest, against ordinary targets."""
    random = np.random.default_rng(5)
    if case.kind == "parameters":
        prediction, target = _parameters(case, dtype, random)
        return prediction[::25], target[::25]
    if case.of_rows:
        prediction, target = next(rows(case, dtype))
        return prediction[::3], target[::3]
    info = np.finfo(dtype)
    size = [float(info.smallest_subnormal), float(info.tiny) * 3, float(info.tiny) ** 0.5]
    size += [1e-20, 1e-5, 0.75, 3.0, 1e5, 1e20, float(info.max) ** 0.5, float(info.max) / 2]
    low, high = case.loss().prediction_domain
    values = np.array([0.0, *size, *(-x for x in size[1::2])])
    prediction = values[(values >= low) & (values <= high)].astype(dtype)
    target = np.array(two_targets(case), dtype)
    first, second = (side.ravel() for side in np.meshgrid(prediction, target))
    exact_ = _difference_is_exact(first, second) | np.isfinite(case.loss().target_domain[0])
    return first[exact_], second[exact_]


def rows(case: Case, dtype: npt.DTypeLike) -> Iterator[tuple[Array, Array]]:
    """Rows, ordinary and extreme, of one number of classes after another."""
    random = np.random.default_rng(7)
    info = np.finfo(dtype)
    if case.kind == "parameters":
        yield _parameters(case, dtype, random)
        return
    counts: tuple[int, ...] = (2, 33) if case.parameters else (1, 2, 3, 10, 32, 33, 257)
    if any(isinstance(value, tuple) for value in case.parameters.values()):
        counts = (case.columns,)
    for classes in counts:
        logits = [scale * random.normal(size=classes) for scale in (1e-3, 1, 1, 5, 30)]
        far = 1e300 if info.bits == 64 else 1e30
        for peak in (-far, -1e4, -40.0, -17.0, 0.0, 17.0, 30.0, 40.0, 1e4, far):
            row = random.normal(size=classes)
            row[random.integers(classes)] = peak
            logits.append(row)
        logits += [np.zeros(classes), np.full(classes, far), np.full(classes, -far)]
        prediction = np.array(logits)
        if case.loss().prediction_domain == (0, 1):
            prediction = np.clip(abs(prediction) / (1 + abs(prediction)), 0, 1)
        prediction = np.concatenate([prediction] * 2).astype(dtype)
        n = len(prediction)
        if case.kind == "labels":
            target = random.integers(0, classes, n)
            target[: n // 2] = prediction[: n // 2].argmax(1)
        else:
            target = target_rows(case, prediction, random)
            target = target if "label" in case.kind else target.astype(dtype)
        # Of many classes a third or a sixth of the rows; other ones each time.
        step = 1 if classes <= 10 else 3 if classes <= 33 else 6
        some = np.s_[classes % step :: step]
        yield prediction[some], target[some]


def _parameters(
    case: Case, dtype: npt.DTypeLike, random: np.random.Generator
) -> tuple[Array, Array]:
    """Many of all combinations of ordinary and extreme predictions and targets."""
    everything = (-np.inf, np.inf)
    domains = [case.loss_class.domains.get(name, everything) for name in case.predictions]
    domain = case.loss().target_domain
    values = [_extremes(domain, dtype)[::2] for domain in (*domains, domain)]
    if "labels" in fields(case.loss_class):
        # Judge what is made of the margin, not the rounding of a soft label to -1 or 1.
        values[-1] = np.array(domain, dtype)
    columns = [
        np.concatenate([random.choice(v, 150), random.choice(v[abs(v) < 20], 150)]) for v in values
    ]
    *predictions, target = columns
    if domains[1:] == domains[:-1]:
        # Where parameters are the same, or near, much may cancel.
        low, high = domains[0]
        same = np.array([-1e4, -300, -80, -40, -5, -1, 0.1, 0.5, 1, 5, 40, 80, 300, 1e4], dtype)
        same = np.repeat(same[(same >= low) & (same <= high)], 3)
        predictions[0][: same.size] = predictions[1][: same.size] = same
        near = predictions[0][150:190] + random.choice([-9, 9], 40)
        predictions[1][150:190] = np.clip(near, low, high)
    return np.stack(predictions, -1), target


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
