"""What the adapters of the boosting libraries share: their conventions, arrays that stay, and the
best constant to begin with.

A booster holds raw scores, which are any numbers, and asks in every round for the derivatives of
the loss with respect to them, summed over nothing and divided by nothing.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastloss.losses.base import Loss, snake_case
from fastloss.losses.names import as_loss

__all__ = ["Derivatives", "Evaluation", "Rule", "init_score"]

Floats = NDArray[Any]
Pair = tuple[Floats, Floats]

# Elements that are bent at a time: two operations on them find them in the cache.
BLOCK = 1 << 15


@dataclass(frozen=True)
class Rule:
    """What a library's own objective does to a loss.

    Parameters
    ----------
    name : str
        The library's name for the objective; "" for the loss as it is.
    parameters : mapping
        Hyper-parameters that are the library's convention, not the user's choice, if there are.
    factor : callable, optional
        From the number of scores per row to what the Hessian is multiplied by.
    floor : float
        The least Hessian, of a weight of 1.
    tie : callable, optional
        From the loss to its sub-gradient where prediction and target are equal.
    """

    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    factor: Callable[[int], float] | None = None
    floor: float = 0.0
    tie: Callable[[Loss], Any] | None = None

    def adopt(self, loss: Loss) -> Loss:
        """Return the loss with the library's convention.

        Parameters
        ----------
        loss : Loss
        """
        chosen = {name: value for name, value in self.parameters.items() if hasattr(loss, name)}
        return dataclasses.replace(loss, **chosen) if chosen else loss

    def derive(
        self, loss: Loss, prediction: Floats, target: Floats, weight: Floats | None, out: Pair
    ) -> None:
        """Compute gradient and Hessian as the library does.

        Parameters
        ----------
        loss : Loss
            As `adopt` made it.
        prediction, target, weight : array
        out : pair of arrays
            Where gradient and Hessian go.
        """
        gradient, hessian = out
        loss.grad_and_hess(prediction, target, weight, reduction="sum", out=out)
        if self.factor is not None or self.floor:
            columns = prediction.shape[1] if prediction.ndim > 1 else 1
            bend(hessian, self.factor(columns) if self.factor else 1.0, self.floor, weight)
        if self.tie is not None:
            ties = prediction == along(target, prediction)
            if ties.any():
                slope = self.tie(loss) * (1 if weight is None else along(weight, prediction))
                np.copyto(gradient, slope, where=ties)


def along(rows: Floats, like: Floats) -> Floats:
    """Return what is given per row such that it broadcasts against an array of rows.

    Parameters
    ----------
    rows, like : array
    """
    return rows[:, None] if rows.ndim == 1 and like.ndim == 2 else rows


def bend(hessian: Floats, factor: float, floor: float, weight: Floats | None) -> None:
    """Multiply a Hessian and raise what is below a floor, in place.

    Parameters
    ----------
    hessian : array
        In any layout without gaps.
    factor, floor : float
    weight : array, optional
        What the floor is multiplied by, one per row.
    """
    if weight is not None and floor:
        np.multiply(hessian, factor, out=hessian)
        np.maximum(hessian, along(weight * hessian.dtype.type(floor), hessian), out=hessian)
        return
    flat = hessian.ravel(order="K")  # the same memory
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        if factor != 1:
            np.multiply(block, factor, out=block)
        if floor:
            np.maximum(block, floor, out=block)


def check_scores(loss: Loss) -> None:
    """Raise if raw scores are no predictions for a loss.

    Parameters
    ----------
    loss : Loss
    """
    low, high = loss.prediction_domain
    if loss.of_log_probabilities:
        raise ValueError(
            f"{loss!r} takes logarithms of probabilities, and raw scores are any numbers; take a "
            "loss of logits"
        )
    if np.isfinite(high):
        raise ValueError(
            f"{loss!r} takes predictions from {low:g} to {high:g}, and raw scores are any numbers; "
            "take a loss of logits"
        )


def find_rule(loss: Loss, preset: str | None, presets: Mapping[str, Mapping[str, Rule]]) -> Rule:
    """Return what a library of a version does to a loss.

    Parameters
    ----------
    loss : Loss
    preset : str or None
        The version; None for nothing.
    presets : mapping
        From versions to mappings from classes' names to rules.
    """
    if preset is None:
        return Rule()
    if preset not in presets:
        names = ", ".join(repr(name) for name in presets)
        raise ValueError(f"preset must be None or one of {names}, got {preset!r}")
    rule = presets[preset].get(type(loss).__name__)
    if rule is None:
        known = ", ".join(presets[preset])
        raise ValueError(
            f"{preset} has no objective of its own for {type(loss).__name__}, and a preset "
            f"reproduces one: leave it out, or use one of {known}"
        )
    return rule


class Derivatives:
    """Gradient and Hessian of a loss, in arrays that the next call from the same thread overwrites.

    Parameters
    ----------
    loss : Loss or str
    preset : str or None
        Whose convention to follow.
    """

    # The library's, as for `find_rule`.
    _presets: ClassVar[Mapping[str, Mapping[str, Rule]]] = {}

    def __init__(self, loss: Loss | str, preset: str | None = None) -> None:
        given = as_loss(loss)
        check_scores(given)
        self.rule = find_rule(given, preset, self._presets)
        self.loss = self.rule.adopt(given)
        self.preset = preset
        self._memory = threading.local()

    def __repr__(self) -> str:
        preset = "" if self.preset is None else f", preset={self.preset!r}"
        return f"objective({self.loss!r}{preset})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The arrays belong to this process.
        return type(self), (self.loss, self.preset)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Derivatives)
        return (self.loss, self.preset) == (other.loss, other.preset)

    def __hash__(self) -> int:
        return hash((type(self), self.loss, self.preset))

    def derive(self, prediction: Floats, target: Any, weight: Any) -> Pair:
        """Return gradient and Hessian in the layout of the predictions.

        Parameters
        ----------
        prediction : array
            Raw scores, a row for each target.
        target : array
        weight : array or None
            Per row; an empty one is none.
        """
        out = self._arrays(prediction)
        scores, flat_out = prediction, out
        if prediction.ndim == 2 and prediction.shape[1] == 1 and self.loss.class_axis != "always":
            scores, flat_out = prediction[:, 0], (out[0][:, 0], out[1][:, 0])
        target, weight = fitted(scores, target, weight)
        self.rule.derive(self.loss, scores, target, weight, flat_out)
        return out

    def _arrays(self, like: Floats) -> Pair:
        held: Pair | None = getattr(self._memory, "pair", None)
        if held is None or (held[0].shape, held[0].strides, held[0].dtype) != (
            like.shape,
            like.strides,
            like.dtype,
        ):
            held = self._memory.pair = (np.empty_like(like), np.empty_like(like))
        return held


def fitted(prediction: Floats, target: Any, weight: Any) -> tuple[Floats, Floats | None]:
    """Return targets and weights in the shapes that a loss of the predictions takes.

    Libraries hand out matrices of one column, flattened matrices, and empty arrays for none.

    Parameters
    ----------
    prediction : array
    target, weight : array-like or None
    """
    target = np.asarray(target)
    if target.size == prediction.size:
        target = target.reshape(prediction.shape)
    elif target.size == len(prediction):
        target = target.reshape(-1)
    if weight is not None:
        weight = np.asarray(weight).reshape(-1)
        if not weight.size:
            weight = None
    return target, weight


def unpacked(first: Any, second: Any, weight: Any) -> tuple[Any, Any, Any]:
    """Return prediction, target and weight, whichever interface calls.

    Parameters
    ----------
    first, second
        Predictions and data that know their labels, as native interfaces call; or targets and
        predictions, as scikit-learn's do.
    weight : array or None
        From scikit-learn's.
    """
    if hasattr(second, "get_label"):
        return first, second.get_label(), second.get_weight()
    return second, first, weight


class Evaluation:
    """The weighted mean of a loss, under a name.

    Parameters
    ----------
    loss : Loss or str
    name : str, optional
        What the library shows; the loss's in snake case, if not given.
    """

    def __init__(self, loss: Loss | str, name: str | None = None) -> None:
        self.loss = as_loss(loss)
        self.__name__ = name or snake_case(type(self.loss).__name__)

    def __repr__(self) -> str:
        return f"metric({self.loss!r}, name={self.__name__!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.loss, self.__name__)

    def evaluate_mean(self, prediction: Floats, target: Any, weight: Any) -> float:
        """Return the mean.

        Parameters
        ----------
        prediction, target, weight : array
            As for an objective.
        """
        if prediction.ndim == 2 and prediction.shape[1] == 1 and self.loss.class_axis != "always":
            prediction = prediction[:, 0]
        target, weight = fitted(prediction, target, weight)
        return self.loss(prediction, target, weight, reduction="mean")


# --- the best constant ------------------------------------------------------------------------

# Where a gradient is as small beside its terms, it is 0; a best constant at infinity is cut there.
NOTHING = 1e-15
MOST_STEPS = 200


def init_score(
    loss: Loss | str, y: Any, weight: Any = None, *, classes: int | None = None
) -> float | Floats:
    r"""Return the constant score that has the least loss: where boosting should begin.

    A library's own objectives begin there by themselves, with an objective that is given to it a
    library begins with 0 or 1/2. The constant is found by Newton's method with the loss's own
    gradient and Hessian, kept between two scores of which one is too low and one too high; so it is
    found for losses without a Hessian too, exactly for one score and nearly for rows of several.

    Parameters
    ----------
    loss : Loss or str
    y : array-like
        Targets; labels for a loss over classes.
    weight : array-like, optional
        One per target.
    classes : int, optional
        How many there are; one more than the largest label, if not given.

    Returns
    -------
    float, or array of one score for each class, parameter, quantile or column of `y`
        Where the best is infinite, as for a class that never occurs, it is the one at which the
        gradient is 1e-15 of what it could be. Scores of classes are such that they sum to 0, if a
        constant makes no difference to the loss.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.boosting import init_score
    >>> init_score(fl.SquaredError(), [1.0, 2.0, 6.0])
    3.0
    >>> round(init_score(fl.BinaryCrossEntropy(), [0, 0, 0, 1]), 6)  # log(1 / 3)
    -1.098612
    >>> init_score(fl.CrossEntropy(), [0, 0, 1]).round(6)  # +- log(2) / 2
    array([ 0.346574, -0.346574])
    """
    loss = as_loss(loss)
    check_scores(loss)
    target = np.asarray(y)
    if target.size == 0:
        raise ValueError("y must not be empty")
    mass = None if weight is None else np.asarray(weight, np.float64).reshape(-1)
    outputs = getattr(loss, loss.per_output) if loss.per_output else None
    if isinstance(outputs, tuple):
        one = [dataclasses.replace(loss, **{loss.per_output: value}) for value in outputs]
        return np.array([_best_number(each, target, mass) for each in one])
    if loss.class_axis == "parameters":
        return _best_row(loss, target, mass, len(loss.predictions))
    if loss.class_axis == "always":
        if target.ndim == 2 and target.shape[1] > 1:
            return _best_row(loss, target, mass, target.shape[1])
        # Rows of one label are one row.
        labels, at = np.unique(target.reshape(-1), return_inverse=True)
        mass = np.bincount(at, mass).astype(np.float64)
        count = int(labels.max()) + 1 if classes is None else classes
        cumulative = loss.classwise == "cumulative"  # a score for each step between classes
        return _best_row(loss, labels, mass, count - cumulative)
    if target.ndim == 2 and target.shape[1] > 1:
        return np.array([_best_number(loss, column, mass) for column in target.T])
    return _best_number(loss, target.reshape(-1), mass)


def _start(loss: Loss, target: Floats, weight: Floats | None) -> float:
    """Return a score to begin the search with."""
    if np.isfinite(loss.target_domain).all():
        return 0.0
    mean = float(np.average(target, weights=weight))
    if loss.of_logarithm or getattr(loss, "link", "identity") == "log":
        return float(np.log(mean)) if mean > 0 else -30.0
    return mean


def _best_number(loss: Loss, target: Floats, weight: Floats | None) -> float:
    """Find where the sum of the gradients changes from negative to positive."""
    arrays = np.empty(target.shape), np.empty(target.shape)

    def sums(score: float) -> tuple[float, float, float]:
        prediction = np.broadcast_to(np.float64(score), target.shape)
        gradient, hessian = loss.grad_and_hess(
            prediction, target, weight, reduction="sum", out=arrays
        )
        return float(gradient.sum()), float(hessian.sum()), float(np.abs(gradient).sum())

    score = _start(loss, target, weight)
    slope, curvature, size = sums(score)
    low, high = -np.inf, np.inf
    stride = max(1.0, abs(score))
    for _ in range(MOST_STEPS):
        if abs(slope) <= NOTHING * max(size, float(np.finfo(np.float64).tiny)):
            break
        if slope < 0:
            low = score
        else:
            high = score
        step = -slope / curvature if curvature > 0 else np.inf
        following = score + step
        if not low < following < high or abs(step) > stride:
            if np.isinf(low) or np.isinf(high):
                following = score - np.copysign(stride, slope)
                stride *= 2
            else:
                following = (low + high) / 2
        if following in (low, high, score):
            break
        slope, curvature, least = sums(following)
        score, size = following, max(size, least)
    return score


def _best_row(loss: Loss, target: Floats, weight: Floats | None, width: int) -> Floats:
    """Find the best row by Newton's method with the whole Hessian, each step made to descend."""

    def rows(row: Floats) -> Floats:
        return np.broadcast_to(row, (len(target), width))

    def value(score: Floats) -> float:
        try:
            return loss(rows(score), target, weight, reduction="sum")
        except ValueError:  # outside of what the prediction may be
            return np.inf

    score = _first_row(loss, value, width)
    least = value(score)
    size = 0.0
    for _ in range(MOST_STEPS):
        options: dict[str, Any] = {"weight": weight, "reduction": "sum"}
        terms = loss.grad(rows(score), target, **options)
        slope = terms.sum(axis=0)
        size = max(size, float(np.abs(terms).sum()))
        if np.abs(slope).max() <= NOTHING * size:
            break
        hessian = np.stack(
            [loss.hvp(rows(score), target, rows(unit), **options).sum(0) for unit in np.eye(width)]
        )
        # Where the loss bends down, by as much upwards; where it does not bend, not at all.
        bends, axes = np.linalg.eigh((hessian + hessian.T) / 2)
        bends = np.abs(bends)
        bent = bends > 1e-12 * bends.max()
        inverse = np.divide(1.0, bends, out=np.zeros(width), where=bent)
        step = -axes @ (inverse * (axes.T @ slope)) if bent.any() else -slope / size
        following = score + step
        better = value(following)
        while not better <= least and np.abs(step).max() > NOTHING * np.abs(score).max():
            step /= 2
            following = score + step
            better = value(following)
        if not better <= least or (following == score).all():
            break
        score, least = following, better
    return score


def _first_row(loss: Loss, value: Callable[[Floats], float], width: int) -> Floats:
    zeros, ones = np.zeros(width), np.ones(width)
    if loss.class_axis != "parameters":
        return zeros
    if loss.domains:
        ones = np.array([float(name in loss.domains) for name in loss.predictions])
    return ones if not np.isfinite(value(zeros)) else zeros
