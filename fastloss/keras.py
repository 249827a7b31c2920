"""Keras 3: Keras's losses computed by fastloss, and every other loss of fastloss, on any backend.

>>> import keras, fastloss as fl, fastloss.keras
>>> model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
>>> model.compile(optimizer="adam", loss=fastloss.keras.BinaryCrossentropy())
>>> focal = fastloss.keras.Loss(fl.Focal(gamma=2.0))
>>> round(float(focal([[1.0], [0.0]], [[0.5], [-1.0]])), 6)
0.045116

Names, arguments, defaults, reductions, sample weights and masks are Keras's own, and so are the
numbers, to rounding; a compiled model is saved and loaded with its loss once this module is
imported. A loss with its reduction is one operation, of :mod:`fastloss.torch`,
:mod:`fastloss.tensorflow` or :mod:`fastloss.jax`; only labels and weights are ever converted.

What differs, on purpose: probabilities outside [0, 1], negative counts and rates, and labels that
are no class are errors.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import fastloss as fl
from fastloss.extras import require
from fastloss.losses.base import snake_case
from fastloss.losses.names import as_loss

keras = require("keras", "keras")
ops = keras.ops
# Masks travel with tensors; Keras has no public way to ask for them.
tensors = require("keras.src.backend", "keras")

BACKEND: str = keras.config.backend()
if BACKEND not in ("torch", "tensorflow", "jax"):
    raise ImportError(f"fastloss.keras needs the backend torch, tensorflow or jax, not {BACKEND}")
framework: Any = importlib.import_module(f"fastloss.{BACKEND}")


def as_it_is(function: Any) -> Any:
    """Keep TensorFlow's AutoGraph from rewriting a function."""
    if BACKEND == "tensorflow":
        return framework.tf.autograph.experimental.do_not_convert(function)
    return function


register: Callable[[Any], Any] = keras.saving.register_keras_serializable(package="fastloss")

Reduction = str | None


class Reductions:
    """A loss as the backend's function of prediction, target and weight, once per reduction."""

    def __init__(self, loss: fl.Loss) -> None:
        self.loss = loss
        function = framework.loss if BACKEND == "jax" else framework.Loss
        self.mean = function(dataclasses.replace(loss, reduction="mean"))
        self.sum = function(dataclasses.replace(loss, reduction="sum"))
        self.none = function(dataclasses.replace(loss, reduction="none"))
        self.ignore_index = getattr(loss, "ignore_index", None)
        # Where the sum of the weights, which a mean of fastloss divides by, is not Keras's count.
        self.has_class_weight = getattr(loss, "class_weight", None) is not None

    def row_axis(self, y_true: Any, y_pred: Any) -> int | None:
        """Return the axis of the prediction that losses lack, if there is one."""
        kind, rank = self.loss.class_axis, len(y_pred.shape)
        if kind == "none" or (kind == "optional" and len(y_true.shape) == rank):
            return None
        return int(getattr(self.loss, "axis", -1)) % rank if rank > 1 else 0


KerasLoss: Any = keras.losses.Loss


@register
class Loss(KerasLoss):  # type: ignore[misc]
    """Any loss of fastloss as one of Keras.

    Parameters
    ----------
    loss : fastloss.Loss or str
        The loss, or a name that :func:`fastloss.get` knows.
    reduction : str or None, default "sum_over_batch_size"
        Keras's reductions.
    name : str, optional
    dtype : str or keras.DTypePolicy, optional
        What predictions are converted to; Keras's ``floatx()``.
    **parameters
        Hyper-parameters, with a name.

    Notes
    -----
    As everywhere in Keras, losses of single numbers are averaged over the last axis first. Classes
    are where the loss's `axis` says: on axis 1 unless it is given, which for two axes is the last.

    Examples
    --------
    >>> import fastloss as fl, fastloss.keras
    >>> loss = fastloss.keras.Loss(fl.Huber(delta=2.0))
    >>> float(loss([[1.0], [1.0]], [[0.0], [5.0]]))
    3.25
    >>> fastloss.keras.Loss.from_config(loss.get_config()).loss
    Huber(delta=2.0)
    """

    # The axis that losses of single numbers are averaged over.
    axis: int = -1

    def __init__(
        self,
        loss: fl.Loss | str,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **parameters: Any,
    ) -> None:
        loss = as_loss(loss, parameters)
        if loss.reduction != "mean":
            raise ValueError(f"the reduction must be an argument of its own, got {loss!r}")
        name = name or snake_case(type(loss).__name__)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.loss = loss
        self.reductions = Reductions(loss)

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Return the loss to compute and its arguments; named losses have conventions here."""
        return self.reductions, y_true, y_pred

    def arguments(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Return the loss to compute, and tensors whose ranks are as it expects them."""
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true = ops.convert_to_tensor(y_true)
        rank, axis = len(y_pred.shape), self.reductions.row_axis(y_true, y_pred)
        if axis is None and not self.loss.per_output:
            y_true, y_pred = _same_rank(y_true, y_pred)
        elif len(y_true.shape) == rank:
            axis = -1 if axis is None else axis
            if y_true.shape[axis] == 1 and y_pred.shape[axis] != 1:
                y_true = ops.squeeze(y_true, axis)
            elif "probabilities" in self.loss.targets and not _is_floating(y_true):
                y_true = ops.cast(y_true, self.dtype)
            elif "label_lists" in self.loss.targets and _is_floating(y_true):
                y_true = ops.cast(y_true, "int32")
        return self.prepare(y_true, y_pred)

    @as_it_is
    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the losses one by one, of a sample or of a step of a sequence."""
        loss, y_true, y_pred = self.arguments(y_true, y_pred)
        losses = loss.none(y_pred, y_true)
        if loss.row_axis(y_true, y_pred) is None:
            losses = ops.mean(losses, axis=self.axis)
        valid = _valid(loss, y_true, y_pred)
        if valid is not None:
            tensors.set_keras_mask(losses, valid)
        return losses

    @as_it_is
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the reduced loss, in one operation wherever its meaning allows."""
        mask = tensors.get_keras_mask(y_pred)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
        loss, target, prediction = self.arguments(y_true, y_pred)
        rank = len(prediction.shape)
        row_axis = loss.row_axis(target, prediction)
        axis = self.axis if row_axis is None else row_axis
        reduced = rank > 1 and self.reduction not in (None, "none")
        if not reduced or loss.has_class_weight:
            return super().__call__(y_true, y_pred, sample_weight)
        if sample_weight is None and mask is None:
            if self.reduction != "sum":
                return _per_replica(loss.mean(prediction, target))
            total = loss.sum(prediction, target)
            return total if row_axis is not None else total / _size(prediction, axis)
        shape = list(prediction.shape)
        del shape[axis]
        if row_axis is None and axis % rank != rank - 1:
            return super().__call__(y_true, y_pred, sample_weight)
        weight, mask = _aligned(sample_weight, shape), _aligned(mask, shape)
        if weight is NotImplemented or mask is NotImplemented:
            # Keras broadcasts.
            return super().__call__(y_true, y_pred, sample_weight)
        weight = self.weights(weight, mask, _valid(loss, target, prediction))
        if row_axis is None:
            size = _size(prediction, -1)
            weight = ops.reshape(weight / size, (-1,))
            if rank > 2:
                of_output = len(target.shape) < rank
                prediction = ops.reshape(prediction, (-1, size))
                target = ops.reshape(target, (-1,) if of_output else (-1, size))
        total = loss.sum(prediction, target, weight)
        return total if self.reduction == "sum" else _per_replica(total)

    def weights(self, weight: Any, mask: Any, valid: Any) -> Any:
        """Return what losses are multiplied by, such that their sum is the reduced loss."""
        masks = [ops.cast(m, self.dtype) for m in (mask, valid) if m is not None]
        if masks:
            counted = masks[0] if len(masks) == 1 else masks[0] * masks[1]
            weight = counted if weight is None else weight * counted
        if self.reduction == "sum":
            return weight
        if self.reduction == "mean_with_sample_weight":
            return ops.divide_no_nan(weight, ops.sum(weight))
        if masks:
            return ops.divide_no_nan(weight, ops.sum(counted))
        return weight / ops.cast(ops.size(weight), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` makes the same loss of."""
        return {**self.shared_config(), **_config(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a loss of its config."""
        return cls(**{key: _from_config(value) for key, value in config.items()})

    def shared_config(self) -> dict[str, Any]:
        """Return the part of the config that all losses have."""
        config: dict[str, Any] = super().get_config()
        if self.dtype != keras.config.floatx():
            config["dtype"] = self.dtype
        return config

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r}, reduction={self.reduction!r})"


def _config(loss: fl.Loss) -> dict[str, Any]:
    """Return a loss's name and what was chosen for it, which may be a loss in turn."""
    if type(loss) not in fl.losses():
        raise NotImplementedError(f"a loss of one's own has no config: {loss!r}")
    chosen = {f.name: (getattr(loss, f.name), f.default) for f in dataclasses.fields(loss)}
    return {
        "loss": type(loss).__name__,
        **{
            name: _config(value) if isinstance(value, fl.Loss) else value
            for name, (value, default) in chosen.items()
            if value != default
        },
    }


def _from_config(value: Any) -> Any:
    if isinstance(value, dict) and "loss" in value:
        parameters = {key: _from_config(inner) for key, inner in value.items()}
        return fl.get(parameters.pop("loss"), **parameters)
    return value


def _same_rank(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return both with one rank, if a last axis of length 1 is all that one has more."""
    true, pred = len(y_true.shape), len(y_pred.shape)
    if true == pred + 1 and y_true.shape[-1] == 1:
        return (y_true, ops.expand_dims(y_pred, -1)) if pred == 1 else (y_true[..., 0], y_pred)
    if pred == true + 1 and y_pred.shape[-1] == 1:
        return (ops.expand_dims(y_true, -1), y_pred) if true == 1 else (y_true, y_pred[..., 0])
    return y_true, y_pred


def _aligned(weight: Any, shape: list[int | None]) -> Any:
    """Return a weight or mask in the losses' own shape; NotImplemented if that takes a copy."""
    if weight is None:
        return None
    if len(weight.shape) == len(shape) + 1 and weight.shape[-1] == 1:
        weight = ops.squeeze(weight, -1)
    elif len(weight.shape) == len(shape) - 1 and shape[-1] == 1:
        weight = ops.expand_dims(weight, -1)
    same = len(weight.shape) == len(shape) and all(
        n is None or m is None or n == m for n, m in zip(weight.shape, shape, strict=True)
    )
    return weight if same else NotImplemented


def _valid(loss: Reductions, y_true: Any, y_pred: Any) -> Any:
    """Return which labels are not ignored, None if there are no such labels."""
    if loss.ignore_index is None or len(y_true.shape) == len(y_pred.shape):
        return None
    return ops.not_equal(y_true, loss.ignore_index)


def _size(x: Any, axis: int) -> Any:
    return ops.shape(x)[axis]


def _is_floating(x: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(x.dtype)


def _per_replica(value: Any) -> Any:
    """Return a mean as its share of the mean over all replicas of a ``tf.distribute`` strategy."""
    if BACKEND == "tensorflow":
        replicas = framework.tf.distribute.get_strategy().num_replicas_in_sync
        return value if replicas == 1 else value / replicas
    return value


# ---- Keras's own losses, with its signatures --------------------------------------------------


def _logits(y_pred: Any, operation: str) -> Any:
    """Return what a sigmoid or softmax was applied to, where Keras's loss looks for it too."""
    if BACKEND != "tensorflow":
        return None
    found = getattr(y_pred, "_keras_logits", None)
    made_by = getattr(y_pred, "op", None)
    if found is None and made_by is not None and made_by.type == operation:
        return made_by.inputs[0]
    return found


def _clipped(probabilities: Any) -> Any:
    epsilon = keras.config.epsilon()
    return ops.clip(probabilities, epsilon, 1.0 - epsilon)


class Named(Loss):
    """A loss of Keras's: its config is what its signature names."""

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` makes the same loss of."""
        shared = self.shared_config()
        own = inspect.signature(type(self)).parameters.keys() - {*shared, "dtype"}
        return {**shared, **{name: getattr(self, name) for name in sorted(own)}}


class Plain(Named):
    """A loss of Keras's without hyper-parameters."""

    def __init__(
        self,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        name = name or snake_case(type(self).__name__)
        super().__init__(self.computed(), reduction, name, dtype)

    @staticmethod
    def computed() -> fl.Loss:
        """Return the loss of fastloss."""
        raise NotImplementedError


@register
class MeanSquaredError(Plain):
    """Keras's ``MeanSquaredError``: :class:`fastloss.SquaredError`."""

    computed = staticmethod(fl.SquaredError)


@register
class MeanAbsoluteError(Plain):
    """Keras's ``MeanAbsoluteError``: :class:`fastloss.AbsoluteError`."""

    computed = staticmethod(fl.AbsoluteError)


@register
class MeanAbsolutePercentageError(Plain):
    """Keras's ``MeanAbsolutePercentageError``: :class:`fastloss.AbsolutePercentageError`."""

    computed = staticmethod(
        lambda: fl.AbsolutePercentageError(eps=keras.config.epsilon(), scale=100.0)
    )


@register
class MeanSquaredLogarithmicError(Plain):
    """Keras's ``MeanSquaredLogarithmicError``: :class:`fastloss.SquaredLogError`."""

    computed = staticmethod(lambda: fl.SquaredLogError(lower=keras.config.epsilon()))


@register
class Huber(Named):
    """Keras's ``Huber``: :class:`fastloss.Huber`."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(fl.Huber(delta=delta), reduction, name, dtype)
        self.delta = delta


@register
class LogCosh(Plain):
    """Keras's ``LogCosh``: :class:`fastloss.LogCosh`."""

    computed = staticmethod(fl.LogCosh)


@register
class Poisson(Plain):
    """Keras's ``Poisson``, of the rate itself: :class:`fastloss.Poisson`."""

    computed = staticmethod(lambda: fl.Poisson(link="identity", eps=keras.config.epsilon()))


@register
class KLDivergence(Plain):
    """Keras's ``KLDivergence``, of probabilities: :class:`fastloss.KLDivergence`."""

    computed = staticmethod(lambda: fl.KLDivergence(axis=-1))

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Clip both, and take logarithms of the prediction."""
        epsilon = keras.config.epsilon()
        y_true = ops.clip(ops.cast(y_true, self.dtype), epsilon, 1.0)
        return self.reductions, y_true, ops.log(ops.clip(y_pred, epsilon, 1.0))


class SignedLabels(Plain):
    """A loss of labels -1 and 1, or 0 and 1 throughout."""

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Recognise the labels' convention as Keras does, by looking at all of them."""
        y_true = ops.cast(y_true, self.dtype)
        binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
        return self.reductions, ops.where(binary, 2 * y_true - 1, y_true), y_pred


@register
class Hinge(SignedLabels):
    """Keras's ``Hinge``: :class:`fastloss.Hinge`."""

    computed = staticmethod(lambda: fl.Hinge(labels="pm1"))


@register
class SquaredHinge(SignedLabels):
    """Keras's ``SquaredHinge``: :class:`fastloss.SquaredHinge`."""

    computed = staticmethod(lambda: fl.SquaredHinge(labels="pm1"))


@register
class CategoricalHinge(Plain):
    """Keras's ``CategoricalHinge``, of one-hot targets: :class:`fastloss.CategoricalHinge`."""

    computed = staticmethod(lambda: fl.CategoricalHinge(axis=-1, ignore_index=None))

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Make labels of one-hot targets."""
        return self.reductions, ops.argmax(y_true, axis=-1), y_pred


@register
class CategoricalGeneralizedCrossEntropy(Named):
    """Keras's ``CategoricalGeneralizedCrossEntropy``, of probabilities that it takes as they are.

    The label's is picked by :class:`fastloss.NegativeLogLikelihood`, which knows a label that is no
    class. Of logits it is ``Loss(fl.GeneralizedCrossEntropy(q=q))``.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"q must be in (0, 1), got {q}")
        picked = fl.NegativeLogLikelihood(axis=-1, ignore_index=None)
        super().__init__(picked, reduction, name, dtype)
        self.q = q

    __call__ = KerasLoss.__call__

    @as_it_is
    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the losses one by one."""
        return (1 - ops.power(-super().call(y_true, y_pred), self.q)) / self.q


@register
class BinaryCrossentropy(Named):
    """Keras's ``BinaryCrossentropy``.

    Of logits it is :class:`fastloss.BinaryCrossEntropy`, of probabilities :class:`fastloss.LogLoss`
    with Keras's clipping. With TensorFlow inside a graph, or eagerly after Keras's own activation,
    the logits before a sigmoid are used, as Keras does.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        of_logits = fl.BinaryCrossEntropy(label_smoothing=label_smoothing)
        super().__init__(of_logits, reduction, name, dtype)
        self.of_probabilities = Reductions(fl.LogLoss(eps=keras.config.epsilon()))
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Choose between logits and probabilities."""
        logits = y_pred if self.from_logits else _logits(y_pred, "Sigmoid")
        if logits is not None:
            return self.reductions, y_true, logits
        if self.label_smoothing:
            y_true = ops.cast(y_true, self.dtype) * (1.0 - self.label_smoothing)
            y_true = y_true + 0.5 * self.label_smoothing
        return self.of_probabilities, y_true, y_pred


@register
class BinaryFocalCrossentropy(Named):
    """Keras's ``BinaryFocalCrossentropy``: :class:`fastloss.Focal` of logits."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        balance = alpha if apply_class_balancing else None
        loss = fl.Focal(gamma=gamma, alpha=balance, label_smoothing=label_smoothing)
        super().__init__(loss, reduction, name, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Make logits of probabilities."""
        logits = y_pred if self.from_logits else _logits(y_pred, "Sigmoid")
        if logits is None:
            clipped = _clipped(y_pred)
            logits = ops.log(clipped) - ops.log1p(-clipped)
        return self.reductions, y_true, logits


class Categorical(Named):
    """A loss of logits, or of probabilities, which a softmax makes of their logarithms."""

    from_logits: bool

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Make logits of probabilities."""
        logits = y_pred if self.from_logits else _logits(y_pred, "Softmax")
        if logits is None:
            logits = ops.log(_clipped(y_pred))
        return self.reductions, y_true, logits


@register
class CategoricalCrossentropy(Categorical):
    """Keras's ``CategoricalCrossentropy``: :class:`fastloss.CrossEntropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        loss = fl.CrossEntropy(label_smoothing=label_smoothing, axis=axis, ignore_index=None)
        super().__init__(loss, reduction, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@register
class CategoricalFocalCrossentropy(Categorical):
    """Keras's ``CategoricalFocalCrossentropy``: :class:`fastloss.SoftmaxFocal`."""

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        loss = fl.SoftmaxFocal(gamma=gamma, alpha=alpha, axis=axis, ignore_index=None)
        super().__init__(loss, reduction, name, dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def prepare(self, y_true: Any, y_pred: Any) -> tuple[Reductions, Any, Any]:
        """Smooth labels."""
        loss, y_true, logits = super().prepare(y_true, y_pred)
        if self.label_smoothing:
            y_true = ops.cast(y_true, self.dtype) * (1.0 - self.label_smoothing)
            y_true = y_true + self.label_smoothing / ops.cast(_size(y_pred, self.axis), self.dtype)
        return loss, y_true, logits


@register
class SparseCategoricalCrossentropy(Categorical):
    """Keras's ``SparseCategoricalCrossentropy``: :class:`fastloss.CrossEntropy` of labels."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: Reduction = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        loss = fl.CrossEntropy(ignore_index=ignore_class, axis=axis, empty="zero")
        super().__init__(loss, reduction, name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis


NAMED = (
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
    CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, CategoricalHinge, Hinge,
    Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge,
)  # fmt: skip

__all__ = ["Loss", *(cls.__name__ for cls in NAMED)]
