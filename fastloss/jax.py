r"""JAX: every loss as a function, and optax's own functions computed by fastloss.

>>> import jax, jax.numpy as jnp
>>> import fastloss as fl, fastloss.jax
>>> loss = fastloss.jax.loss(fl.Focal(gamma=2.0))
>>> logits, labels = jnp.array([0.5, -1.0]), jnp.array([1, 0])
>>> value, gradient = jax.jit(jax.value_and_grad(loss))(logits, labels)
>>> print(value, gradient)
0.0451... [-0.0689...  0.0262...]

Functions work under ``jit``, ``grad``, ``jvp``, ``hessian`` and ``vmap``, in loops and on threads.
The value alone is computed where no derivative is asked for, value and gradient in one pass where
one is; second derivatives are products with the Hessian (:meth:`fastloss.Loss.hvp`); third ones are
an error, as are derivatives with respect to target and weight. Under ``vmap`` examples are computed
together, in one call. A value has the prediction's dtype: float16, bfloat16, float32 or float64.

A loss is a custom call of XLA's foreign-function interface, on the CPU: it reads and writes XLA's
own buffers. XLA knows it by all that it is, so that a persistent compilation cache may keep it. In
a program for another device a loss is an error that says so. What is wrong with the shapes and
types of arguments is raised when a function is traced; what is wrong with the numbers, such as a
label that is no class, when it runs, as JAX's ``JaxRuntimeError``. XLA has its threads take
subnormal numbers for 0, and a loss on them does so too.
"""

from __future__ import annotations

import base64
import functools
import math
import pickle
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

import fastloss as fl
from fastloss.extras import require
from fastloss.kernels import xla
from fastloss.losses.base import snake_case
from fastloss.losses.names import as_loss

jax = require("jax", "jax")
jnp = jax.numpy
ad, batching, mlir = (
    require(f"jax.interpreters.{name}", "jax") for name in ("ad", "batching", "mlir")
)

__all__ = [
    "hinge_loss",
    "huber_loss",
    "kl_divergence",
    "kl_divergence_with_log_targets",
    "l2_loss",
    "log_cosh",
    "loss",
    "multiclass_hinge_loss",
    "multiclass_perceptron_loss",
    "multiclass_sparsemax_loss",
    "perceptron_loss",
    "poly_loss_cross_entropy",
    "ranking_softmax_loss",
    "safe_softmax_cross_entropy",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "sparsemax_loss",
    "squared_error",
]

Array = Any  # an array of JAX, or what JAX takes for one
Function = Callable[..., Array]

# Under vmap a reduced loss of fewer elements than this is computed one by one together with all the
# others, and XLA adds them up; a larger one is worth a call of its own.
TOGETHER_BELOW = 1024


def loss(loss: fl.Loss | str, **parameters: Any) -> Function:
    """Return a loss as a function of JAX arrays: ``function(prediction, target, weight=None)``.

    Parameters
    ----------
    loss : fastloss.Loss or str
        The loss, or a name that :func:`fastloss.get` knows.
    **parameters
        Hyper-parameters, with a name.

    Returns
    -------
    callable
        The same one for equal losses, compiled once for each combination of shapes and types.

    Examples
    --------
    >>> import jax.numpy as jnp, fastloss.jax
    >>> huber = fastloss.jax.loss("huber", delta=2.0)
    >>> print(huber(jnp.array([0.0, 5.0]), jnp.array([1.0, 1.0])))
    3.25
    """
    return _function(as_loss(loss, parameters))


# A compiled program takes a megabyte; a search through parameters makes many losses.
@functools.lru_cache(maxsize=128)
def _function(loss: fl.Loss) -> Function:
    def function(prediction: Array, target: Array, weight: Array | None = None) -> Array:
        return _apply(loss, prediction, target, weight)

    function.__name__ = function.__qualname__ = snake_case(type(loss).__name__)
    function.__doc__ = f"Return {loss!r} of prediction, target and weight."
    compiled: Function = jax.jit(function, inline=True)
    return compiled


def _apply(loss: fl.Loss, prediction: Array, target: Array, weight: Array | None) -> Array:
    arrays = {"prediction": prediction, "target": target}
    if weight is not None:
        arrays["weight"] = weight
    for name, array in arrays.items():
        if not isinstance(array, jax.Array):
            raise TypeError(f"{name} must be an array, got {type(array).__name__}")
        if array.dtype not in xla.DTYPES.values():
            raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if not jnp.issubdtype(prediction.dtype, np.floating):
        arrays["prediction"] = prediction.astype(jnp.result_type(float))
    _check_shapes(loss, *(array.shape for array in arrays.values()))
    if loss.class_axis != "none":
        # From the end, so that axes may come in front.
        axis, ndim = loss.axis, prediction.ndim  # type: ignore[attr-defined]
        axis = -1 if ndim == 1 else axis - ndim if axis >= 0 else axis
        loss = replace(loss, axis=axis)  # type: ignore[call-arg]
    call = _Call(loss, "value", weight is not None)
    if arrays["prediction"].dtype == np.float16:
        # There is no room in it for a gradient before whoever scales a loss has scaled it back.
        arrays["prediction"] = arrays["prediction"].astype(np.float32)
        return call.bind(arrays.values())[0].astype(np.float16)
    return call.bind(arrays.values())[0]


def _check_shapes(
    loss: fl.Loss,
    prediction: tuple[int, ...],
    target: tuple[int, ...],
    weight: tuple[int, ...] | None = None,
) -> None:
    axis = getattr(loss, "axis", -1) if loss.class_axis != "none" or loss.per_output else None
    rows = prediction
    if len(prediction) == 1 and axis is not None:
        rows = ()
    elif axis is not None and -len(prediction) <= axis < len(prediction):
        rows = _without(prediction, axis)
    good = target in (prediction, rows) and weight in (None, target, rows, rows[:1], target[:1])
    if not good:
        # Nothing is computed, and the error is the same as everywhere.
        shapes = (prediction, target, *([] if weight is None else [weight]))
        loss(*(np.broadcast_to(np.float32(0), shape) for shape in shapes))
        raise ValueError("shapes do not agree")


def _gathered(array: Array) -> Array:
    """Return an array whose type says that it is in parts as one that is whole everywhere."""
    sharding = jax.typeof(array).sharding
    if all(part is None for part in sharding.spec):
        return array
    whole = jax.sharding.PartitionSpec(*[None] * len(sharding.spec))
    return jax.sharding.reshard(array, sharding.update(spec=whole))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    axis %= len(shape)
    return shape[:axis] + shape[axis + 1 :]


# ---- The primitive -------------------------------------------------------------------------------

Output = Literal["value", "value_and_grad", "hvp"]


@dataclass(frozen=True)
class _Call:
    """What is computed of which loss; all that XLA's custom call knows but for its arrays.

    These are prediction, target, then weight and vector where there are any. All have `batch` axes
    more than what the loss is given, in front: the prediction's and the vector's are those of the
    result, and the others' may have length 1.
    """

    loss: fl.Loss
    output: Output
    weighted: bool
    batch: int = 0

    def bind(self, arrays: Iterable[Array]) -> list[Array]:
        found: list[Array] = _primitive.bind(*map(_gathered, arrays), call=self)
        return found

    @property
    def reduced(self) -> bool:
        return self.loss.reduction != "none"

    def class_axis(self, prediction: Any, target: Any) -> int | None:
        """Return the axis that values lack, from the end, if there is one."""
        kind = self.loss.class_axis
        if kind == "none" or (kind == "optional" and target.ndim == prediction.ndim):
            return None
        axis: int = self.loss.axis  # type: ignore[attr-defined]
        return axis

    def rows(self, prediction: Any, target: Any) -> tuple[int, ...]:
        """Return the shape that a weight may have."""
        axis = self.class_axis(prediction, target)
        if axis is None or target.ndim < prediction.ndim:
            return tuple(target.shape)
        return _without(target.shape, axis)

    def value_axes(self, prediction: Any, target: Any) -> tuple[int, ...]:
        """Return the prediction's axes over which a value sums."""
        if self.reduced:
            return tuple(range(self.batch, prediction.ndim))
        axis = self.class_axis(prediction, target)
        return () if axis is None else (prediction.ndim + axis,)

    def shapes(self, prediction: Any, target: Any) -> list[tuple[int, ...]]:
        """Return the shapes of the results."""
        axes = self.value_axes(prediction, target)
        value = tuple(n for i, n in enumerate(prediction.shape) if i not in axes)
        return {
            "value": [value],
            "value_and_grad": [value, prediction.shape],
            "hvp": [prediction.shape],
        }[self.output]

    # -- when XLA runs it --

    def runner(self) -> Callable[[list[Any], list[Any]], None]:
        """Return what fills the outputs: for the calls of small training loops without detours."""
        function = getattr(self.loss, self.output)
        if self.batch or not self.reduced or self.output == "hvp":
            return self.run
        if self.output == "value":

            def run(inputs: list[Any], outputs: list[Any]) -> None:
                outputs[0][()] = function(*inputs)

        else:

            def run(inputs: list[Any], outputs: list[Any]) -> None:
                outputs[0][()], _ = function(*inputs, out=outputs[1])

        return run

    def run(self, inputs: list[Any], outputs: list[Any]) -> None:
        """Fill the outputs."""
        prediction, target, *rest = inputs
        weight = rest[0] if self.weighted else None
        v = rest[-1] if self.output == "hvp" else None
        if not self.batch:
            self.compute(outputs, (), prediction, target, weight, v)
            return
        leading = prediction.shape[: self.batch]
        target = np.broadcast_to(target, leading + target.shape[self.batch :])
        if weight is not None:
            shape = weight.shape[self.batch :]
            if not self.reduced:
                # The leading axis of each is no longer the first.
                rows = leading + self.rows(prediction, target)[self.batch :]
                weight = weight.reshape(weight.shape + (1,) * (len(rows) - weight.ndim))
                shape = rows[self.batch :]
            weight = np.broadcast_to(weight, leading + shape)
        if not self.reduced:
            self.compute(outputs, (), prediction, target, weight, v)
            return
        for at in np.ndindex(leading):
            arrays = (None if a is None else a[at] for a in (prediction, target, weight, v))
            self.compute(outputs, at, *arrays)

    def compute(self, outputs: list[Any], at: tuple[int, ...], *arrays: Any) -> None:
        """Compute one of a batch, or all that there is."""
        prediction, target, weight, v = arrays
        last = outputs[-1][at] if at else outputs[-1]
        if self.output == "hvp":
            self.loss.hvp(prediction, target, v, weight, out=last)
        elif not self.reduced:
            function = getattr(self.loss, self.output)
            function(prediction, target, weight, out=tuple(outputs))
        elif self.output == "value":
            outputs[0][at] = self.loss(prediction, target, weight)
        else:
            outputs[0][at], _ = self.loss.value_and_grad(prediction, target, weight, out=last)


# A text stands for a call in XLA's programs. A program may come from a cache that another process
# has filled, so a text says all; but of a user's own functions it has only names. Calls of those
# are therefore kept for good.
_texts: dict[_Call, str] = {}
_calls: dict[bytes, _Call] = {}


def _text(call: _Call) -> str:
    if _says_all(call.loss):
        return _pickled(call)
    if call not in _texts:
        try:
            text = _pickled(call)
        except (pickle.PicklingError, AttributeError, TypeError):
            text = ""
        if not text or _calls.get(text.encode(), call) != call:
            text = f"in one process: {uuid.uuid4()}"
        _calls[text.encode()] = call
        _texts[call] = text
    return _texts[call]


def _says_all(loss: fl.Loss) -> bool:
    """Return whether a loss, and what it is made of, is no more than a class's name and numbers."""
    values = (getattr(loss, field.name) for field in fields(loss))
    return type(loss) in fl.losses() and all(
        _says_all(value) for value in values if isinstance(value, fl.Loss)
    )


def _pickled(call: _Call) -> str:
    return base64.b64encode(pickle.dumps(call, protocol=5)).decode()


@functools.lru_cache(maxsize=1024)
def _runner(text: bytes) -> Callable[[list[Any], list[Any]], None]:
    call = _calls.get(text)
    if call is None:
        call = pickle.loads(base64.b64decode(text))
    return call.runner()


def _run(text: bytes, inputs: list[Any], outputs: list[Any]) -> None:
    _runner(text)(inputs, outputs)


# A custom call, not `jax.pure_callback`, which copies arrays and wakes threads. Value and gradient
# of BinaryCrossEntropy under jit, float32, two cores of a Zen 4, in microseconds:
#
#     elements    custom call    pure_callback    optax's own, compiled by XLA
#           32           12.1              131                            12.7
#        1 000           13.5              149                            97
#    1 000 000            957            2 650                         6 540
#
# of which 7 at the least are JAX's for any compiled function.
jax.ffi.register_ffi_target("fastloss", xla.target(_run, np.dtype(jnp.bfloat16)), "cpu")


def _abstract(prediction: Any, target: Any, *_: Any, call: _Call) -> list[Any]:
    return [
        prediction.update(shape=shape, weak_type=False) for shape in call.shapes(prediction, target)
    ]


def _lower(context: Any, *operands: Any, call: _Call) -> Any:
    return jax.ffi.ffi_lowering("fastloss")(context, *operands, call=_text(call))


def _lower_elsewhere(context: Any, *operands: Any, call: _Call) -> Any:
    raise NotImplementedError(
        f"{call.loss!r} of fastloss is computed on the CPU: move its arguments with "
        "jax.device_put(array, jax.devices('cpu')[0])"
    )


def _differentiate(
    primals: Sequence[Array], tangents: Sequence[Array], *, call: _Call
) -> tuple[list[Array], list[Array]]:
    prediction, target = primals[:2]
    for name, tangent in zip(("target", "weight"), tangents[1 : 2 + call.weighted], strict=False):
        if type(tangent) is not ad.Zero:
            raise TypeError(
                f"fastloss has no derivatives with respect to {name}: pass "
                f"jax.lax.stop_gradient({name})"
            )
    change = tangents[0]
    if call.output == "hvp":
        if type(change) is not ad.Zero:
            raise NotImplementedError("fastloss has first and second derivatives, no third ones")
        return call.bind(primals), call.bind([*primals[:-1], ad.instantiate_zeros(tangents[-1])])
    found = replace(call, output="value_and_grad").bind(primals)
    value, gradient = found
    change = ad.instantiate_zeros(change)
    moved = (gradient * change).sum(call.value_axes(prediction, target), dtype=value.dtype)
    if call.output == "value":
        return [value], [moved]
    return found, [moved, *replace(call, output="hvp").bind([*primals, change])]


def _transpose(cotangents: Sequence[Array], *arrays: Array, call: _Call) -> list[Array | None]:
    # A Hessian is symmetric.
    if call.output != "hvp" or any(ad.is_undefined_primal(array) for array in arrays[:-1]):
        raise NotImplementedError("fastloss has first and second derivatives, no third ones")
    (cotangent,) = cotangents
    result = cotangent
    if type(cotangent) is not ad.Zero:
        (result,) = call.bind([*arrays[:-1], cotangent])
    return [None] * (len(arrays) - 1) + [result]


def _batch(
    arrays: Sequence[Array], axes: Sequence[int | None], *, call: _Call
) -> tuple[list[Array], list[int]]:
    pairs = list(zip(arrays, axes, strict=True))
    size = next(array.shape[axis] for array, axis in pairs if axis is not None)
    call = replace(call, batch=call.batch + 1)
    moved = [
        jnp.expand_dims(array, 0) if axis is None else jnp.moveaxis(array, axis, 0)
        for array, axis in pairs
    ]
    for i in (0, -1) if call.output == "hvp" else (0,):
        moved[i] = jnp.broadcast_to(moved[i], (size, *moved[i].shape[1:]))
    together = call.reduced and math.prod(moved[0].shape[call.batch :]) < TOGETHER_BELOW
    found = _reduce(call, moved) if together else call.bind(moved)
    return found, [0] * len(found)


def _reduce(call: _Call, arrays: list[Array]) -> list[Array]:
    """Compute every element's or row's results, and reduce those of each of a batch."""
    prediction, target = arrays[:2]
    loss = call.loss
    found = replace(call, loss=replace(loss, reduction="none")).bind(arrays)
    if call.output != "hvp":
        axes = tuple(range(call.batch, found[0].ndim))
        found[0] = found[0].sum(axes, dtype=jnp.promote_types(found[0].dtype, np.float32))
    if loss.reduction == "mean":
        weight = arrays[2] if call.weighted else None
        divisor, count = _divisors(call, prediction, target, weight)
        nothing = divisor == 0
        share = jnp.where(nothing, 0, 1 / jnp.where(nothing, 1, divisor))
        if call.output != "hvp":
            empty = jnp.where(count == 0, 0.0 if getattr(loss, "empty", "") == "zero" else np.nan,
                              np.nan)  # fmt: skip
            found[0] = jnp.where(nothing, empty, found[0] * share)
        if call.output != "value":
            more = tuple(range(call.batch, prediction.ndim))
            found[-1] = found[-1] * jnp.expand_dims(share, more)
    return [array.astype(prediction.dtype) for array in found]


def _divisors(
    call: _Call, prediction: Array, target: Array, weight: Array | None
) -> tuple[Array, Array]:
    """Return what the means of a batch divide by, and of how many elements or rows they are."""
    axis = call.class_axis(prediction, target)
    rows = prediction.shape if axis is None else _without(prediction.shape, axis)
    dtype = jnp.promote_types(prediction.dtype, np.float32)
    total = jnp.ones(rows, dtype)
    if weight is not None:
        total = total * jnp.expand_dims(weight, tuple(range(weight.ndim, len(rows))))
    kept = jnp.ones(rows, dtype)
    if axis is not None and target.ndim < prediction.ndim:
        ignored, of_class = (getattr(call.loss, n, None) for n in ("ignore_index", "class_weight"))
        if ignored is not None:
            kept = kept * (target != ignored)
        if of_class is not None:
            total = total * jnp.array(of_class, dtype)[jnp.where(kept > 0, target, 0).astype(int)]
    axes = tuple(range(call.batch, len(rows)))
    return jnp.where(kept > 0, total, 0).sum(axes), kept.sum(axes)


def _compute(*arrays: Array, call: _Call) -> list[Array]:
    with jax.disable_jit(False):  # nothing else computes it
        found: list[Array] = _compiled(call)(*arrays)
    return found


@functools.lru_cache(maxsize=128)
def _compiled(call: _Call) -> Function:
    function: Function = jax.jit(functools.partial(_primitive.bind, call=call))
    return function


_primitive = require("jax.extend.core", "jax").Primitive("fastloss")
_primitive.multiple_results = True
_primitive.def_impl(_compute)
_primitive.def_abstract_eval(_abstract)
mlir.register_lowering(_primitive, _lower_elsewhere)
mlir.register_lowering(_primitive, _lower, platform="cpu")
ad.primitive_jvps[_primitive] = _differentiate
ad.primitive_transposes[_primitive] = _transpose
batching.primitive_batchers[_primitive] = _batch


# ---- optax's own functions -----------------------------------------------------------------------


def _numbers(target: Array | None, prediction: Array) -> Array:
    return jnp.zeros_like(prediction) if target is None else target


def _along(axis: Any, where: Any) -> int:
    if where is not None:
        raise NotImplementedError("where is not supported: give a weight of 0 to fastloss.jax.loss")
    if not isinstance(axis, int):
        raise TypeError(f"axis must be one integer, got {axis!r}")
    return axis


def squared_error(predictions: Array, targets: Array | None = None) -> Array:
    """Return the squared errors, as `optax.losses.squared_error`."""
    each = loss(fl.SquaredError(reduction="none"))
    return each(predictions, _numbers(targets, predictions))


def l2_loss(predictions: Array, targets: Array | None = None) -> Array:
    """Return half the squared errors, as `optax.losses.l2_loss`."""
    each = loss(fl.SquaredError(half=True, reduction="none"))
    return each(predictions, _numbers(targets, predictions))


def huber_loss(predictions: Array, targets: Array | None = None, delta: float = 1.0) -> Array:
    """Return Huber's losses, as `optax.losses.huber_loss`."""
    each = loss(fl.Huber(delta=delta, reduction="none"))
    return each(predictions, _numbers(targets, predictions))


def log_cosh(predictions: Array, targets: Array | None = None) -> Array:
    """Return the logarithms of the errors' hyperbolic cosines, as `optax.losses.log_cosh`."""
    each = loss(fl.LogCosh(reduction="none"))
    return each(predictions, _numbers(targets, predictions))


def sigmoid_binary_cross_entropy(logits: Array, labels: Array) -> Array:
    """Return the binary cross-entropies, as `optax.losses.sigmoid_binary_cross_entropy`."""
    return loss(fl.BinaryCrossEntropy(reduction="none"))(logits, labels)


def sigmoid_focal_loss(
    logits: Array, labels: Array, alpha: float | None = None, gamma: float = 2.0
) -> Array:
    """Return the focal losses, as `optax.losses.sigmoid_focal_loss`."""
    return loss(fl.Focal(gamma=gamma, alpha=alpha, reduction="none"))(logits, labels)


def hinge_loss(predictor_outputs: Array, targets: Array) -> Array:
    """Return the hinge losses of targets -1 and 1, as `optax.losses.hinge_loss`."""
    return loss(fl.Hinge(labels="pm1", reduction="none"))(predictor_outputs, targets)


def perceptron_loss(predictor_outputs: Array, targets: Array) -> Array:
    """Return the perceptron losses of targets -1 and 1, as `optax.losses.perceptron_loss`."""
    each = loss(fl.Hinge(margin=0.0, labels="pm1", reduction="none"))
    return each(predictor_outputs, targets)


def sparsemax_loss(logits: Array, labels: Array) -> Array:
    """Return the binary sparsemax losses, as `optax.losses.sparsemax_loss`."""
    return loss(fl.BinarySparsemax(reduction="none"))(logits, labels)


def softmax_cross_entropy(
    logits: Array, labels: Array, axis: int = -1, where: None = None
) -> Array:
    """Return the cross-entropies with probabilities, as `optax.losses.softmax_cross_entropy`."""
    of_rows = fl.CrossEntropy(axis=_along(axis, where), reduction="none")
    return loss(of_rows)(logits, labels.astype(jnp.promote_types(labels.dtype, np.float16)))


def safe_softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """Return the same, as `optax.losses.safe_softmax_cross_entropy`."""
    return softmax_cross_entropy(logits, labels)


def poly_loss_cross_entropy(
    logits: Array, labels: Array, *, epsilon: float = 2.0, axis: int = -1, where: None = None
) -> Array:
    """Return the Poly-1 losses with probabilities, as `optax.losses.poly_loss_cross_entropy`.

    `epsilon` is a number of at least -1, none that JAX traces.
    """
    of_rows = fl.Poly1(epsilon=epsilon, axis=_along(axis, where), reduction="none")
    return loss(of_rows)(logits, labels)


def ranking_softmax_loss(
    logits: Array,
    labels: Array,
    *,
    where: None = None,
    weights: Array | None = None,
    reduce_fn: Callable[[Array], Array] | None = jnp.mean,
) -> Array:
    """Return the softmax losses of lists, as `optax.losses.ranking_softmax_loss`."""
    labels = labels.astype(logits.dtype)
    found = softmax_cross_entropy(
        logits, labels if weights is None else labels * weights, -1, where
    )
    return found if reduce_fn is None else reduce_fn(found)


def softmax_cross_entropy_with_integer_labels(
    logits: Array, labels: Array, axis: int = -1, where: None = None
) -> Array:
    """Return the cross-entropies, as `optax.losses.softmax_cross_entropy_with_integer_labels`."""
    of_rows = fl.CrossEntropy(ignore_index=None, axis=_along(axis, where), reduction="none")
    return loss(of_rows)(logits, labels)


def multiclass_hinge_loss(scores: Array, labels: Array) -> Array:
    """Return the multiclass hinge losses, as `optax.losses.multiclass_hinge_loss`."""
    return loss(fl.CrammerSinger(ignore_index=None, axis=-1, reduction="none"))(scores, labels)


def multiclass_perceptron_loss(scores: Array, labels: Array) -> Array:
    """Return the multiclass perceptron losses, as `optax.losses.multiclass_perceptron_loss`."""
    of_rows = fl.MulticlassPerceptron(ignore_index=None, axis=-1, reduction="none")
    return loss(of_rows)(scores, labels)


def multiclass_sparsemax_loss(scores: Array, labels: Array) -> Array:
    """Return the multiclass sparsemax losses, as `optax.losses.multiclass_sparsemax_loss`."""
    of_rows = fl.MulticlassSparsemax(ignore_index=None, axis=-1, reduction="none")
    return loss(of_rows)(scores, labels)


def kl_divergence(
    log_predictions: Array, targets: Array, axis: int = -1, where: None = None
) -> Array:
    """Return the Kullback-Leibler divergences, as `optax.losses.kl_divergence`."""
    of_rows = fl.KLDivergence(axis=_along(axis, where), reduction="none")
    return loss(of_rows)(log_predictions, targets)


def kl_divergence_with_log_targets(
    log_predictions: Array, log_targets: Array, axis: int = -1, where: None = None
) -> Array:
    """Return the same, as `optax.losses.kl_divergence_with_log_targets`."""
    of_rows = fl.KLDivergence(log_target=True, axis=_along(axis, where), reduction="none")
    return loss(of_rows)(log_predictions, log_targets)
