"""Many hyper-parameters, one pass over the data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastloss.kernels import driver
from fastloss.losses.base import Loss
from fastloss.losses.names import get

__all__ = ["Sweep", "sweep"]


@dataclass(frozen=True, eq=False)
class Sweep:
    """The values of a loss over a grid of hyper-parameters, made by :func:`sweep`.

    Iterating yields each point of the grid as a dict of hyper-parameters, with its value.

    Parameters
    ----------
    parameters : dict
        The axes of the grid: each hyper-parameter with its values, in the order of the call.
    values : ndarray
        An axis for each hyper-parameter; with reduction "none" the losses' own axes after them.
    losses : tuple of Loss
        One for each point of the grid, the last hyper-parameter changing fastest.

    Examples
    --------
    >>> import fastloss as fl
    >>> found = fl.sweep(fl.Huber, [0.0, 0.0, 0.0], [1.0, 2.0, 9.0], delta=[1.0, 2.0])
    >>> [(point["delta"], round(value, 3)) for point, value in found]
    [(1.0, 3.5), (2.0, 6.167)]
    >>> found.best
    Huber(delta=1.0)
    """

    parameters: dict[str, tuple[Any, ...]]
    values: npt.NDArray[Any]
    losses: tuple[Loss, ...]

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        points = itertools.product(*self.parameters.values())
        shape = (len(self.losses), *self.values.shape[len(self.parameters) :])
        for point, value in zip(points, self.values.reshape(shape), strict=True):
            named = dict(zip(self.parameters, point, strict=True))
            yield named, value if np.ndim(value) else float(value)

    @property
    def best(self) -> Loss:
        """The loss with the smallest value, the first of several; NaN counts for nothing."""
        if self.values.size != len(self.losses):
            raise ValueError("the best is that of reduced values, not of reduction='none'")
        if np.isnan(self.values).all():
            raise ValueError("every value is NaN")
        return self.losses[int(np.nanargmin(self.values))]


def sweep(
    loss_class: Callable[..., Loss] | str,
    prediction: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    n_threads: int | None = None,
    **parameters: Any,
) -> Sweep:
    """Evaluate a loss at every point of a grid of hyper-parameters, in one pass over the data.

    Each tile of the arrays is loaded once, for all of the grid; every value has the bits that a
    call of its own would give. Losses over rows of classes, and hyper-parameters that are arrays,
    take a call each.

    Parameters
    ----------
    loss_class : class, str or callable
        A loss, its name as for :func:`get`, or what makes a loss of hyper-parameters, such as
        ``functools.partial(fl.custom, "abs(p - y)**q")``.
    prediction, target, weight, n_threads
        As for :meth:`Loss.value`.
    reduction : {"mean", "sum", "none"}, default "mean"
    **parameters
        Hyper-parameters. A list, tuple or array is an axis of the grid, all else is the same at
        every point. Of a hyper-parameter that is an array itself, an axis holds several:
        ``class_weight=[[1.0, 2.0]]`` is one point.

    Returns
    -------
    Sweep
        Hyper-parameters, values and losses; ``best`` is the loss with the smallest value.

    Notes
    -----
    A smaller value is a better hyper-parameter only where the losses mean the same: the full
    likelihoods of several distributions, say, or predictions made with each. Of the same residuals
    a Huber loss with a smaller delta is always the smaller.

    Examples
    --------
    >>> import fastloss as fl
    >>> found = fl.sweep(fl.Focal, [0.0, 2.0], [1, 0], gamma=[0, 1, 2], alpha=[0.25, 0.5])
    >>> found.values.shape
    (3, 2)
    >>> found.values.round(3).tolist()
    [[0.884, 0.705], [0.746, 0.555], [0.64, 0.456]]
    """
    axes = {
        name: list(value)
        for name, value in parameters.items()
        if (isinstance(value, Sequence) and not isinstance(value, str))
        or (isinstance(value, np.ndarray) and value.ndim)
    }
    for name, values in axes.items():
        if not values:
            raise ValueError(f"{name} must have at least one value, got an empty sequence")
    fixed = {name: value for name, value in parameters.items() if name not in axes}
    losses = [
        _make(loss_class, reduction=reduction, **fixed, **dict(zip(axes, point, strict=True)))
        for point in itertools.product(*axes.values())
    ]
    found = driver.sweep(losses, prediction, target, weight, n_threads)
    if found is None:
        found = np.array(
            [loss.value(prediction, target, weight, n_threads=n_threads) for loss in losses]
        )
    shape = tuple(map(len, axes.values()))
    step = len(losses)
    checked = {}
    for name, values in axes.items():
        # As the losses hold them: checked, and numbers of one type.
        step //= len(values)
        checked[name] = tuple(
            getattr(losses[i * step], name, value) for i, value in enumerate(values)
        )
    return Sweep(checked, found.reshape(shape + found.shape[1:]), tuple(losses))


def _make(loss_class: Callable[..., Loss] | str, **parameters: Any) -> Loss:
    if isinstance(loss_class, str):
        return get(loss_class, **parameters)
    makes = callable(loss_class) and not isinstance(loss_class, Loss)
    made = loss_class(**parameters) if makes else None
    if not isinstance(made, Loss):
        raise TypeError(
            "loss_class must be the class or the name of a loss, or a function that returns one, "
            f"got {loss_class!r}"
        )
    return made
