"""Every loss in the plainest NumPy: the meaning of the compiled ones.

A reference yields the value, the gradient and the diagonal of the Hessian in turn, so that whoever
wants the value alone pays for nothing more. They are per element, or per row for the value of a
loss over classes or of several predictions; unweighted; unreduced; and in the dtype of the
prediction. They check nothing. One of two predictions yields the mixed second derivative too, in
the place of each. `evaluate` adds weights and reductions, and `hvp` multiplies the Hessian and a
vector.
"""

import dataclasses
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from fastloss.losses.base import snake_case
from fastloss.reference import (
    binary,
    count,
    distribution,
    divergence,
    margin,
    multiclass,
    regression,
)
from fastloss.reference.binary import *
from fastloss.reference.count import *
from fastloss.reference.distribution import *
from fastloss.reference.divergence import *
from fastloss.reference.margin import *
from fastloss.reference.multiclass import *
from fastloss.reference.multiclass import label_weight
from fastloss.reference.regression import *

__all__ = ["evaluate", "hvp"]
__all__ += regression.__all__
__all__ += count.__all__
__all__ += binary.__all__
__all__ += multiclass.__all__
__all__ += margin.__all__
__all__ += divergence.__all__
__all__ += distribution.__all__


def evaluate(
    loss: Any,
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    order: int = 2,
    reduction: str | None = None,
    denominator: float | None = None,
    dtype: npt.DTypeLike | None = np.float64,
) -> tuple[Any, ...]:
    """(value,), (value, gradient) or (value, gradient, Hessian) of a loss object, by `order`.

    `order` 3 adds the mixed derivative of a loss of two predictions.

    Everything is computed in `dtype`, or in the prediction's own for None. A mean is divided by
    the sum of the weights, in which a label counts with its class weight and an ignored one not
    at all; where that sum is 0 the value is NaN and the derivatives are 0.
    """
    parameters = {field.name: getattr(loss, field.name) for field in dataclasses.fields(loss)}
    reduction = reduction or parameters["reduction"]
    del parameters["reduction"]
    prediction, target = np.asarray(prediction), np.asarray(target)
    if "clamp" in parameters and (parameters["clamp"], parameters["eps"]) != ("torch", None):
        # Of the dtype before the cast, as 1 - eps is; what is shorter than float32 is computed as
        # that.
        short = prediction.dtype.kind not in "biu" and prediction.dtype.itemsize <= 4
        real = np.float32 if short else np.float64
        default = np.finfo(real).eps if parameters["clamp"] == "sklearn" else 1e-7
        parameters["eps"] = real(default if parameters["eps"] is None else parameters["eps"])
    if dtype is None:
        dtype = prediction.dtype if prediction.dtype.kind == "f" else np.float64
    prediction = prediction.astype(dtype, copy=False)
    if target.ndim == prediction.ndim or loss.class_axis in ("none", "parameters"):  # else labels
        target = target.astype(dtype, copy=False)

    steps = islice(
        globals()[snake_case(type(loss).__name__)](prediction, target, **parameters), order + 1
    )
    value, *derivatives = steps

    labelled = target.ndim < prediction.ndim and "ignore_index" in parameters
    kept = target != parameters["ignore_index"] if labelled else np.ones((), bool)
    mass = label_weight(target, kept, parameters.get("class_weight")) if labelled else kept
    if weight is not None:
        weight = np.asarray(weight).astype(dtype, copy=False)
        weight = weight.reshape(weight.shape + (1,) * (value.ndim - weight.ndim))
        value, mass = value * weight, mass * weight
        if value.ndim < prediction.ndim:
            weight = np.expand_dims(weight, parameters["axis"] if value.ndim else 0)
        derivatives = [step * weight for step in derivatives]

    if reduction == "none":
        return value, *derivatives
    total = value.sum(dtype=np.result_type(value, np.float64))
    if reduction == "sum":
        return total, *derivatives
    if denominator is None:
        denominator = np.broadcast_to(mass, value.shape).sum(dtype=total.dtype)
    if denominator == 0:
        empty = parameters.get("empty") == "zero" and not (value.size and kept.any())
        return 0.0 if empty else np.nan, *(np.zeros_like(step) for step in derivatives)
    return total / denominator, *(step / denominator for step in derivatives)


def hvp(
    loss: Any,
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    v: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    step: float = 2.0**-9,
    **options: Any,
) -> Any:
    """The product of the Hessian and v, with options as for `evaluate`.

    A loss over classes has more of a Hessian than its diagonal: there it is the slope of the
    gradient along v, by central differences of sixth order, in extended precision, with
    a `step` in the largest entry of v.
    """
    if loss.class_axis == "parameters":
        *_, hessian, mixed = evaluate(loss, prediction, target, weight, order=3, **options)
        v = np.asarray(v)
        return hessian * v + mixed * np.flip(v, loss.axis if v.ndim > 1 else 0)
    if loss.class_axis != "always":
        return evaluate(loss, prediction, target, weight, **options)[2] * np.asarray(v)
    point = np.asarray(prediction, np.longdouble)
    direction = np.asarray(v, np.longdouble)
    length = np.longdouble(step) / np.max(abs(direction), initial=1)
    options = {**options, "order": 1, "dtype": np.longdouble}
    total = np.zeros_like(point)
    for steps, coefficient in ((1, 45), (2, -9), (3, 1)):
        for side in (-1, 1):
            moved = point + side * steps * length * direction
            total += side * coefficient * evaluate(loss, moved, target, weight, **options)[1]
    return total / (60 * length)
