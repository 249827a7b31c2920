"""Losses by name: ours, and the names that other libraries have for them."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Literal, overload

from fastloss.losses import (
    binary,
    count,
    distribution,
    divergence,
    margin,
    multiclass,
    regression,
)
from fastloss.losses.base import Loss, Parameters, snake_case
from fastloss.losses.linear import LinearCrossEntropy

FAMILIES = (regression, count, binary, multiclass, margin, divergence, distribution)


def losses() -> tuple[type[Loss], ...]:
    """Return every public loss, family by family.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Huber in fl.losses()
    True
    """
    return tuple(getattr(family, name) for family in FAMILIES for name in family.__all__)


def _names() -> dict[str, tuple[type[Parameters], dict[str, Any]]]:
    names: dict[str, tuple[type[Parameters], dict[str, Any]]] = {}
    for cls in losses():
        for alias, preset in cls.aliases.items():
            names[alias] = (cls, preset)
    # Our own names win over a library that uses one of them for something else.
    own: tuple[type[Parameters], ...] = (*losses(), LinearCrossEntropy)
    for own_cls in own:
        names[own_cls.__name__] = (own_cls, {})
        names[snake_case(own_cls.__name__)] = (own_cls, {})
    return names


@overload
def get(
    name: Literal["linear_cross_entropy", "LinearCrossEntropy"], **parameters: Any
) -> LinearCrossEntropy: ...
@overload
def get(name: str, **parameters: Any) -> Loss: ...
def get(name: str, **parameters: Any) -> Any:
    """Make a loss by its name, or by the name that another library has for it.

    A name means what it means where it comes from: Keras's ``"binary_crossentropy"`` takes
    probabilities and is :class:`LogLoss`; ``"reg:squarederror"`` has the factor 1/2. Our own names
    come first: ``"binary_cross_entropy"`` takes logits, ``"cross_entropy"`` has many classes.

    Parameters
    ----------
    name : str
        A class's name (``"Huber"``), the same in snake case (``"huber"``), or an alias; capitals
        do not matter unless two names differ by them alone.
    **parameters
        Hyper-parameters of the loss; they win over what an alias implies.

    Raises
    ------
    ValueError
        If there is no such loss; the message lists the near names.
    TypeError
        If the loss has no such parameter; the message lists those that it has.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.get("huber", delta=1.5)
    Huber(delta=1.5)
    >>> fl.get("reg:squarederror")
    SquaredError(half=True)
    >>> fl.get("hubert")
    Traceback (most recent call last):
    ...
    ValueError: unknown loss 'hubert'; near names: 'huber', ...
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    names = _names()
    found = names.get(name)
    if found is None:
        folded = [key for key in names if key.lower() == name.lower()]
        if len({names[key][0] for key in folded}) > 1:
            listed = " and ".join(f"{key!r} is {names[key][0].__name__}" for key in folded)
            raise ValueError(f"ambiguous loss {name!r}: {listed}")
        found = names[folded[0]] if folded else None
    if found is None:
        near = difflib.get_close_matches(name.lower(), sorted({n.lower() for n in names}), 5, 0.5)
        shown = near or sorted(snake_case(cls.__name__) for cls in losses())
        listed = ", ".join(repr(n) for n in shown)
        raise ValueError(f"unknown loss {name!r}; {'near' if near else 'known'} names: {listed}")
    cls, preset = found
    known = inspect.signature(cls).parameters
    unknown = next((parameter for parameter in parameters if parameter not in known), None)
    if unknown is not None:
        raise TypeError(f"{name} has no parameter {unknown!r}; it has {', '.join(known)}")
    return cls(**{**preset, **parameters})


def as_loss(loss: Loss | str, parameters: dict[str, Any] | None = None) -> Loss:
    """Return a loss that is given as itself, or by its name with hyper-parameters."""
    found = get(loss, **(parameters or {})) if isinstance(loss, str) else loss
    if not isinstance(found, Loss):
        raise TypeError(f"loss must be a loss of fastloss or its name, got {loss!r}")
    if parameters and found is loss:
        raise TypeError(f"{next(iter(parameters))} is for a loss given by its name")
    return found
