"""TensorFlow: every loss as a function of tensors, and TensorFlow's own computed by fastloss.

>>> import tensorflow as tf, fastloss as fl, fastloss.tensorflow
>>> loss = fastloss.tensorflow.Loss(fl.Focal(gamma=2.0))
>>> logits = tf.constant([0.5, -1.0])
>>> with tf.GradientTape() as tape:
...     tape.watch(logits)
...     value = loss(logits, tf.constant([1.0, 0.0]))
>>> tape.gradient(value, logits).numpy().round(4)
array([-0.069 ,  0.0263], dtype=float32)

Tensors are read where they lie. Where a tape watches, the gradient is computed beside the value, in
one pass; a second derivative is the product of the loss's exact Hessian and a vector, and a third
one is an error. Forward mode, which ``tf.custom_gradient`` lacks, sees no derivative. Inside
``tf.function`` a loss is one operation, with known shapes, that calls back into Python; XLA
(``jit_compile=True``) cannot compile such an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import fastloss as fl
from fastloss.extras import require
from fastloss.losses.names import as_loss

tf = require("tensorflow", "tensorflow")

# Not public, but the only way to know beforehand whether a derivative will be wanted.
record = require("tensorflow.python.eager.record", "tensorflow")
is_watched, is_recording = record.should_record_backprop, record.could_possibly_record

__all__ = [
    "Loss",
    "sigmoid_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
]


_COMPOSITE = (tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices)

# Large results of fastloss begin where TensorFlow wants memory to begin.
SHARED_FROM = 1 << 20
ALIGNMENT = 64


class Loss:
    """Any loss of fastloss as a function of tensors.

    Parameters
    ----------
    loss : fastloss.Loss or str
        The loss, or a name that :func:`fastloss.get` knows.
    **parameters
        Hyper-parameters, with a name.

    Notes
    -----
    The value has the prediction's dtype: float16, bfloat16, float32 or float64. Gradients flow to
    the prediction alone; it is an error if a tape watches the target or the weight.

    Examples
    --------
    >>> import tensorflow as tf, fastloss as fl, fastloss.tensorflow
    >>> loss = fastloss.tensorflow.Loss("huber", delta=2.0)
    >>> loss
    Loss(Huber(delta=2.0))
    >>> loss(tf.constant([0.0, 5.0]), tf.constant([1.0, 1.0])).numpy()
    np.float32(3.25)
    >>> tf.function(loss)(tf.constant([0.0, 5.0]), tf.constant([1.0, 1.0])).numpy()
    np.float32(3.25)
    """

    def __init__(self, loss: fl.Loss | str, **parameters: Any) -> None:
        self.loss = as_loss(loss, parameters)

    # Nothing here is for AutoGraph to rewrite.
    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def __call__(self, prediction: Any, target: Any, weight: Any = None) -> Any:
        """Return the value, a tensor.

        Parameters
        ----------
        prediction : tensor
        target : tensor
            Of any real, integer or bool dtype.
        weight : tensor, optional
        """
        for name, x in (("prediction", prediction), ("target", target), ("weight", weight)):
            if isinstance(x, _COMPOSITE):
                raise TypeError(
                    f"{name} must be dense, got a {type(x).__name__}: pass its values, or "
                    "a tensor that it is made into"
                )
        prediction = tf.convert_to_tensor(prediction)
        if not prediction.dtype.is_floating:
            raise TypeError(
                f"prediction must be a floating-point tensor, got {prediction.dtype.name}"
            )
        others = [tf.convert_to_tensor(x) for x in (target, weight) if x is not None]
        if is_watched(others):
            raise ValueError(
                "target and weight have no gradient, but a tape watches one of them: pass it "
                "through tf.stop_gradient"
            )
        if prediction.dtype == tf.float16:
            # There is no room in it for a gradient before whoever scales a loss has scaled it back.
            prediction = tf.cast(prediction, tf.float32)
            return tf.cast(_value(self.loss, [prediction, *others]), tf.float16)
        return _value(self.loss, [prediction, *others])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r})"


def _value(loss: fl.Loss, inputs: list[Any]) -> Any:
    """Return the value, which knows its gradient; inputs are prediction, target and weight."""
    shapes = [_value_shape(loss, inputs), inputs[0].shape]
    if tf.executing_eagerly() and not is_recording():
        return _compute(loss.value, inputs, shapes[:1])[0]
    wanted = is_watched(inputs[:1])

    def value(*inputs: Any) -> tuple[Any, Callable[[Any], Any]]:
        if wanted:
            result, gradient = _compute(loss.value_and_grad, inputs, shapes)
        else:
            # Nobody may ever ask for the gradient, or a tape outside of this graph.
            result, gradient = _compute(loss.value, inputs, shapes[:1])[0], None

        def backward(upstream: Any) -> Any:
            found = _gradient(loss, inputs, gradient)
            if not _is_one(upstream):
                found = found * _spread(loss, inputs, upstream)
            return found, *(None for _ in inputs[1:])

        return result, backward

    return tf.custom_gradient(value)(*inputs)


def _gradient(loss: fl.Loss, inputs: Sequence[Any], known: Any) -> Any:
    """Return the gradient, computed now if it is not known, which knows its own derivative."""
    if not tf.executing_eagerly():
        # A derivative may be computed in another graph than this one, which sees nothing of what
        # this one sees of the one before.
        inputs = [tf.identity(x) for x in inputs]
    elif not is_recording():
        return _compute(loss.grad, inputs, [inputs[0].shape])[0] if known is None else known

    def gradient(*inputs: Any) -> tuple[Any, Callable[[Any], Any]]:
        found = known
        if known is None:
            found = _compute(loss.grad, inputs, [inputs[0].shape])[0]

        def backward(v: Any) -> Any:
            return _product(loss, inputs, v), *(None for _ in inputs[1:])

        return found, backward

    return tf.custom_gradient(gradient)(*inputs)


def _product(loss: fl.Loss, inputs: Sequence[Any], v: Any) -> Any:
    """Return the Hessian's product with a vector, which has no derivative."""

    def product(prediction: Any, target: Any, v: Any, *weight: Any) -> tuple[Any, Any]:
        arguments = [prediction, target, v, *weight]
        return _compute(loss.hvp, arguments, [prediction.shape])[0], _no_third_derivative

    prediction, target, *weight = inputs
    return tf.custom_gradient(product)(prediction, target, v, *weight)


def _no_third_derivative(upstream: Any) -> Any:
    raise NotImplementedError("the third derivative of a loss is not available")


def _has_class_axis(loss: fl.Loss, inputs: Sequence[Any]) -> bool | None:
    """Return whether values lack an axis of the prediction, None if only the run will tell."""
    if loss.class_axis != "optional":
        return loss.class_axis != "none"
    ranks = [x.shape.rank for x in inputs[:2]]
    return None if None in ranks else ranks[0] != ranks[1]


def _value_shape(loss: fl.Loss, inputs: Sequence[Any]) -> Any:
    """Return what is known about the shape of the values."""
    if loss.reduction != "none":
        return tf.TensorShape([])
    shape, lacks = inputs[0].shape, _has_class_axis(loss, inputs)
    if lacks is None or shape.rank is None:
        return tf.TensorShape(None)
    if not lacks:
        return shape
    axis = int(getattr(loss, "axis", -1)) % shape.rank if shape.rank > 1 else 0
    return shape[:axis].concatenate(shape[axis + 1 :])


def _spread(loss: fl.Loss, inputs: Sequence[Any], upstream: Any) -> Any:
    """Return what is given per value such that it multiplies a gradient."""
    lacks, prediction = _has_class_axis(loss, inputs), inputs[0]
    if loss.reduction != "none" or lacks is False:
        return upstream
    axis = int(getattr(loss, "axis", -1))
    if lacks and prediction.shape.rank is not None:
        rank = prediction.shape.rank
        return tf.expand_dims(upstream, axis % rank if rank > 1 else 0)
    rank = tf.rank(prediction)
    ones = tf.one_hot(tf.where(rank > 1, axis % tf.maximum(rank, 1), 0), rank, True, False)
    shape = tf.where(ones, 1, tf.shape(prediction))
    if lacks is None:
        shape = tf.where(tf.rank(inputs[1]) == rank, tf.shape(prediction), shape)
    return tf.reshape(upstream, shape)


def _compute(function: Callable[..., Any], inputs: Sequence[Any], shapes: list[Any]) -> list[Any]:
    """Return tensors of the first input's dtype that a function of arrays computes."""
    dtype = inputs[0].dtype
    if tf.executing_eagerly():
        results = function(*map(np.asarray, inputs))
        if len(shapes) == 1:
            results = (results,)
        return [_tensor(result, dtype) for result in results]

    def arrays(*inputs: Any) -> list[Any]:
        results = function(*inputs)
        if len(shapes) == 1:
            results = (results,)
        return [np.asarray(result, inputs[0].dtype) for result in results]

    tensors = tf.numpy_function(arrays, inputs, [dtype] * len(shapes), stateful=False)
    for tensor, shape in zip(tensors, shapes, strict=True):
        tensor.set_shape(shape)
    return list(tensors)


def _tensor(result: Any, dtype: Any) -> Any:
    """Return a tensor of an array's memory, or of a copy where a copy is quicker or has to be."""
    large = isinstance(result, np.ndarray) and result.nbytes >= SHARED_FROM
    if large and result.dtype.kind == "f" and result.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(result.__dlpack__())
    return tf.convert_to_tensor(result, dtype)


def _is_one(upstream: Any) -> bool:
    """Return whether a product with a loss's own derivative, 1, can be spared."""
    return bool(
        tf.executing_eagerly()
        and upstream.shape.rank == 0
        and not is_watched([upstream])
        and upstream.numpy() == 1
    )


def sigmoid_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """Return the binary cross-entropies, as ``tf.nn.sigmoid_cross_entropy_with_logits`` does."""
    return _named(fl.BinaryCrossEntropy, name, logits, labels)


def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: float = 1.0, name: str | None = None
) -> Any:
    """Return the binary cross-entropies, as ``tf.nn.weighted_cross_entropy_with_logits`` does.

    `pos_weight` is a number or an array, no tensor of a graph.
    """
    weight = np.asarray(pos_weight).tolist()
    frozen = tuple(weight) if isinstance(weight, list) else weight
    return _named(fl.BinaryCrossEntropy, name, logits, labels, pos_weight=frozen)


def softmax_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, axis: int = -1, name: str | None = None
) -> Any:
    """Return the rows' cross-entropies, as ``tf.nn.softmax_cross_entropy_with_logits`` does.

    Labels are probabilities; they have no gradient.
    """
    return _named(fl.CrossEntropy, name, logits, labels, axis=axis, ignore_index=None)


def sparse_softmax_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """Return the rows' losses, as ``tf.nn.sparse_softmax_cross_entropy_with_logits`` does.

    A label that is no class is an error, where TensorFlow's is NaN on a GPU.
    """
    return _named(fl.CrossEntropy, name, logits, labels, axis=-1, ignore_index=None)


def _named(cls: Any, name: str | None, logits: Any, labels: Any, **parameters: Any) -> Any:
    if labels is None or logits is None:
        raise ValueError("labels and logits must be given")
    with tf.name_scope(name or cls.__name__):
        return _of_values(cls, **parameters)(logits, labels)


@lru_cache
def _of_values(cls: Any, **parameters: Any) -> Loss:
    return Loss(cls(reduction="none", **parameters))
