r"""PyTorch: every loss as a module, and PyTorch's own functions computed by fastloss.

>>> import torch, fastloss as fl, fastloss.torch
>>> loss = fastloss.torch.Loss(fl.Focal(gamma=2.0))
>>> logits = torch.tensor([0.5, -1.0], requires_grad=True)
>>> loss(logits, torch.tensor([1.0, 0.0])).backward()
>>> logits.grad
tensor([-0.0690,  0.0263])

A function has the name, the arguments and the result of its namesake in `torch.nn.functional`:

>>> import fastloss.torch as F
>>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
>>> F.cross_entropy(logits, torch.tensor([0, 0]), label_smoothing=0.1)
tensor(0.7451, grad_fn=<_ValueBackward>)

Tensors lie on the CPU and are used where they lie, whatever their strides; so are results. The
gradient is computed beside the value, in the forward pass, if one is wanted. The second derivative
is exact; a third is an error, and so is a derivative with respect to a target or a weight. Inside
`torch.compile` a loss is one operator of the graph.

Predictions are float16, bfloat16, float32 or float64, and value and gradient have their type;
targets and weights may have any other. No more threads are used than `torch.get_num_threads()`
says.

What differs from PyTorch: shapes must agree, nothing but a weight broadcasts; a label outside of
the classes and a target outside of its domain are errors (beside logits, labels beyond 0 and 1 are
not, as in PyTorch); the sub-gradient at a kink is 0.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

import fastloss as fl
from fastloss.extras import require
from fastloss.kernels import dlpack
from fastloss.losses.names import as_loss

require("torch", "torch")  # whose error says what to install

import torch  # noqa: E402
from torch import (  # noqa: E402
    Tensor,
    empty_like,
    get_num_threads,
    is_grad_enabled,
    scalar_tensor,
)
from torch.autograd import forward_ad  # noqa: E402
from torch.fx.experimental.symbolic_shapes import guard_scalar  # noqa: E402
from torch.nn.functional import linear  # noqa: E402

__all__ = [
    "Loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "linear_cross_entropy",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
]

# ---- Tensors as arrays and back -----------------------------------------------------------------

# Tensors whose memory is all that they are; a subclass may be without.
_WITH_MEMORY = frozenset((Tensor, torch.nn.Parameter))


def _checked_array(name: str, tensor: Tensor) -> Any:
    """Return a tensor's memory as an array, or raise what is wrong."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if tensor.device.type != "cpu":
        move = "" if tensor.is_meta else ": move it with .cpu()"
        raise ValueError(f"{name} must be on the CPU, got a tensor on {tensor.device}{move}")
    try:
        tensor = tensor.detach().resolve_neg()
        if tensor.dtype is torch.bfloat16:
            return tensor.view(torch.int16).numpy().view(_bfloat16())
        return tensor.numpy()
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{name} must be a dense tensor with memory of its own: {error}") from None


@lru_cache(maxsize=1)
def _bfloat16() -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(require("ml_dtypes", "torch").bfloat16)
    return dtype


# An array that PyTorch makes itself takes longer than a small loss. Before 2.10 there is no other.
dlpack.bind(getattr(Tensor, "__dlpack_c_exchange_api__", None), _WITH_MEMORY, _checked_array)
_array = dlpack.array


def _tensor(array: Any) -> Tensor:
    """Return an array's memory as a tensor."""
    if array.dtype.kind == "V":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


# ---- The calls ----------------------------------------------------------------------------------

# Up to so many elements PyTorch's memory costs a gradient least, and beyond it fastloss's, which is
# that of gradients that nobody holds any more.
SMALL = 2**16


def _value(
    prediction: Tensor, target: Tensor, weight: Tensor | None, loss: Any, denominator: int | None
) -> Tensor:
    value = loss.value(
        _array("prediction", prediction),
        _array("target", target),
        None if weight is None else _array("weight", weight),
        denominator=denominator,
        n_threads=get_num_threads(),
    )
    return _value_tensor(value, prediction)


def _value_and_gradient(
    prediction: Tensor, target: Tensor, weight: Tensor | None, loss: Any, denominator: int | None
) -> tuple[Tensor, Tensor]:
    x, y = _array("prediction", prediction), _array("target", target)
    w = None if weight is None else _array("weight", weight)
    gradient = out = None
    if loss.reduction != "none" and x.size <= SMALL:
        gradient = empty_like(prediction)
        out = _array("gradient", gradient)
    value, found = loss.value_and_grad(
        x, y, w, denominator=denominator, out=out, n_threads=get_num_threads()
    )
    return _value_tensor(value, prediction), _tensor(found) if gradient is None else gradient


def _value_tensor(value: Any, prediction: Tensor) -> Tensor:
    if type(value) is float:
        return scalar_tensor(value, dtype=prediction.dtype)
    return _tensor(value)


def _gradient(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    loss: fl.Loss,
    denominator: int | None,
) -> Tensor:
    return _tensor(
        loss.grad(
            _array("prediction", prediction),
            _array("target", target),
            None if weight is None else _array("weight", weight),
            denominator=denominator,
            n_threads=get_num_threads(),
        )
    )


def _product(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    v: Tensor,
    loss: fl.Loss,
    denominator: int | None,
) -> Tensor:
    """Return the Hessian times a vector."""
    return _tensor(
        loss.hvp(
            _array("prediction", prediction),
            _array("target", target),
            _array("v", v),
            None if weight is None else _array("weight", weight),
            denominator=denominator,
            n_threads=get_num_threads(),
        )
    )


def _value_axis(loss: Any, prediction: Tensor, target: Tensor) -> int | None:
    """Return the prediction's axis that the values of single rows lack, if there is one."""
    if loss.class_axis == "none" or (
        loss.class_axis == "optional" and target.ndim == prediction.ndim
    ):
        return None
    axis: int = loss.axis
    return 0 if prediction.ndim == 1 else axis


def _scaled(gradient: Tensor, grad: Tensor, axis: int | None) -> Tensor:
    """Return a gradient times that of the value; each row's times its own."""
    if grad.ndim and axis is not None:
        grad = grad.unsqueeze(axis)
    return gradient * grad


# ---- Autograd -----------------------------------------------------------------------------------

# Whether functions of `torch.func` are at work on tensors, which do not show it otherwise.
_are_transforms_active = torch._C._are_functorch_transforms_active
# Whether a tensor is a batch of tensors to `torch.autograd.grad(..., is_grads_batched=True)`.
_is_batch = torch._C._functorch.is_legacy_batchedtensor


class _Value(torch.autograd.Function):
    """The value; its gradient waits for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        prediction: Tensor,
        target: Tensor,
        weight: Tensor | None,
        loss: fl.Loss,
        denominator: int | None,
    ) -> Tensor:
        value, ctx.gradient = _value_and_gradient(prediction, target, weight, loss, denominator)
        ctx.save_for_backward(prediction, target, weight)
        ctx.call = loss, denominator
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        # The gradient is given away, once: whoever gets it may write to it.
        gradient, ctx.gradient = ctx.gradient, None
        batched = _are_transforms_active() or _is_batch(grad)
        if gradient is not None and not grad.ndim and not is_grad_enabled() and not batched:
            if grad.item() != 1.0:
                gradient.mul_(grad)
            return gradient, None, None, None, None
        prediction, target, weight = ctx.saved_tensors
        found = None if batched else gradient
        gradient = _Gradient.apply(prediction, target, weight, *ctx.call, found)
        axis = _value_axis(ctx.call[0], prediction, target)
        return _scaled(gradient, grad, axis), None, None, None, None


# Without what PyTorch does for functions of other styles: a quarter of a small loss's time.
_value_with_gradient = super(torch.autograd.Function, _Value).apply
if hasattr(_Value, "_backward_cls"):
    _Value._backward_cls.apply = _Value.backward


class _Transformable(torch.autograd.Function):
    """A function of prediction, target and weight in the style that `torch.func` can transform.

    `torch.compile` can do nothing with the tensors that it has then, hence `disable`.
    """

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3])
        ctx.save_for_forward(*inputs[:3])
        ctx.set_materialize_grads(False)

    @classmethod
    def vmap(cls, info: Any, in_dims: Sequence[int | None], *arguments: Any) -> tuple[Tensor, int]:
        """Compute one by one."""
        pairs = list(zip(arguments, in_dims, strict=True))
        return torch.stack(
            [
                cls.apply(*(a if dim is None else a.select(dim, i) for a, dim in pairs))
                for i in range(info.batch_size)
            ]
        ), 0


class _Transformed(_Transformable):
    """The value, for `torch.func` and forward mode; its gradient is computed when it is wanted."""

    @staticmethod
    def forward(
        prediction: Tensor,
        target: Tensor,
        weight: Tensor | None,
        loss: fl.Loss,
        denominator: int | None,
    ) -> Tensor:
        return _value(prediction, target, weight, loss, denominator)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Transformable.setup_context(ctx, inputs, output)
        ctx.call = inputs[3:]
        ctx.axis = _value_axis(ctx.call[0], *inputs[:2])

    @staticmethod
    @torch.compiler.disable
    def backward(ctx: Any, grad: Tensor | None) -> Any:
        if grad is None:
            return None, None, None, None, None
        gradient = _Gradient.apply(*ctx.saved_tensors, *ctx.call, None)
        return _scaled(gradient, grad, ctx.axis), None, None, None, None

    @staticmethod
    @torch.compiler.disable
    def jvp(ctx: Any, change: Tensor | None, *others: Tensor | None) -> Tensor | None:
        _check_changes(others)
        if change is None:
            return None
        moved = _Gradient.apply(*ctx.saved_tensors, *ctx.call, None) * change
        if ctx.call[0].reduction != "none":
            return moved.sum()
        return moved if ctx.axis is None else moved.sum(ctx.axis)


class _Gradient(_Transformable):
    """The gradient, as a function that has a derivative itself."""

    @staticmethod
    def forward(
        prediction: Tensor,
        target: Tensor,
        weight: Tensor | None,
        loss: fl.Loss,
        denominator: int | None,
        found: Tensor | None,
    ) -> Tensor:
        if found is not None:
            return found
        return _gradient(prediction, target, weight, loss, denominator)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Transformable.setup_context(ctx, inputs, output)
        ctx.call = inputs[3:5]

    @staticmethod
    @torch.compiler.disable
    def backward(ctx: Any, v: Tensor | None) -> Any:
        product = None if v is None else _Product.apply(*ctx.saved_tensors, v, *ctx.call)
        return product, None, None, None, None, None

    @staticmethod
    @torch.compiler.disable
    def jvp(ctx: Any, change: Tensor | None, *others: Tensor | None) -> Tensor | None:
        _check_changes(others)
        return None if change is None else _Product.apply(*ctx.saved_tensors, change, *ctx.call)


class _Product(_Transformable):
    """The Hessian times a vector; the loss's third derivative is an error, and not zero."""

    @staticmethod
    def forward(
        prediction: Tensor,
        target: Tensor,
        weight: Tensor | None,
        v: Tensor,
        loss: fl.Loss,
        denominator: int | None,
    ) -> Tensor:
        if _is_batch(v):
            # An operator is called for each.
            name, loss = _register(loss)
            return _hessian_product(prediction, target, weight, None, v, "", name, denominator)
        return _product(prediction, target, weight, v, loss, denominator)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Transformable.setup_context(ctx, inputs, output)
        ctx.call = inputs[4:]

    @staticmethod
    @torch.compiler.disable
    def backward(ctx: Any, grad: Tensor | None) -> Any:
        if ctx.needs_input_grad[0] and _is_wanted(ctx.next_functions[0][0]):
            raise NotImplementedError(NO_THIRD)
        # A Hessian is symmetric.
        product = None if grad is None else _Product.apply(*ctx.saved_tensors, grad, *ctx.call)
        return None, None, None, product, None, None

    @staticmethod
    @torch.compiler.disable
    def jvp(
        ctx: Any,
        change: Tensor | None,
        of_target: Tensor | None,
        of_weight: Tensor | None,
        of_v: Tensor | None,
        *_: None,
    ) -> Tensor | None:
        _check_changes((of_target, of_weight))
        if change is not None:
            raise NotImplementedError(NO_THIRD)
        return None if of_v is None else _Product.apply(*ctx.saved_tensors, of_v, *ctx.call)


def _is_wanted(node: Any) -> bool:
    """Return whether the backward pass that is running goes on to a node."""
    try:
        return bool(torch._C._will_engine_execute_node(node))
    except RuntimeError:  # at a leaf where it ends
        return True


NO_THIRD = "a loss has a first and a second derivative here, no third"


def _check_changes(others: Sequence[Tensor | None]) -> None:
    """Raise where forward mode asks for a derivative that there is not."""
    if any(change is not None for change in others):
        raise ValueError("target and weight must not have a tangent: there is a derivative with "
                         "respect to the prediction alone")  # fmt: skip


# ---- Operators, for graphs: torch.compile, and tensors without memory ----------------------------

# A loss has a name for as long as somebody holds it, and a graph holds all of its own.
_losses: WeakValueDictionary[str, Any] = WeakValueDictionary()
_of_graphs: dict[str, Any] = {}
_naming = threading.Lock()


def _register(loss: Any) -> tuple[str, Any]:
    """Return a name for a loss, the constant of a graph that stands for it, and whose it is."""
    shown = name = repr(loss)
    number = 1
    with _naming:
        while (named := _losses.setdefault(name, loss)) != loss:
            number += 1
            name = f"{shown} {number}"
    return name, named


@torch.compiler.assume_constant_result
def _name(loss_class: Any, **parameters: Any) -> str:
    return _register(_loss(loss_class, **parameters))[0]


def _graph_name(loss_class: Any, parameters: dict[str, Any]) -> str:
    """Return the name of a loss, whose numbers a graph must not take for variables."""
    constants = {
        name: guard_scalar(value) if isinstance(value, int | float) else value
        for name, value in parameters.items()
    }
    name: str = _name(loss_class, **constants)
    return name


def _of_graph(name: str) -> Any:
    """Return the loss of a name that a graph will have."""
    _of_graphs[name] = _losses[name]
    return _losses[name]


def _named(name: str, parameter: Tensor | None, field: str) -> Any:
    """Return the loss of a name, with a tensor for one of its hyper-parameters."""
    loss = _losses.get(name)
    if loss is None:
        raise RuntimeError(f"{name} is not a loss of this process, which did not make the graph")
    return loss if parameter is None else _with(loss, field, parameter)


@lru_cache(maxsize=256)
def _loss(loss_class: Any, **parameters: Any) -> Any:
    return loss_class(**parameters)


def _with(loss: Any, field: str, parameter: Tensor) -> Any:
    """Return the loss with a tensor for one of its hyper-parameters."""
    array = _array("pos_weight" if field == "pos_weight" else "weight", parameter)
    array = array.astype(np.float64)
    return _filled(loss, field, array.tobytes(), array.shape)


@lru_cache(maxsize=64)
def _filled(loss: Any, field: str, numbers: bytes, shape: tuple[int, ...]) -> Any:
    return dataclasses.replace(loss, **{field: np.frombuffer(numbers).reshape(shape)})


@torch.library.custom_op("fastloss::evaluate", mutates_args=(), device_types="cpu")
def _evaluate(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    parameter: Tensor | None,
    field: str,
    name: str,
    denominator: int | None,
    derive: bool,
) -> tuple[Tensor, Tensor]:
    loss = _named(name, parameter, field)
    if derive:
        value, gradient = _value_and_gradient(prediction, target, weight, loss, denominator)
        return value, _laid_out(gradient, prediction)
    value = _value(prediction, target, weight, loss, denominator)
    return value, prediction.new_empty(0)


def _laid_out(gradient: Tensor, prediction: Tensor) -> Tensor:
    """Return a gradient with the strides that a graph was told of."""
    if prediction.is_contiguous():
        return gradient
    strides = empty_like(prediction, device="meta").stride()
    if gradient.stride() == strides:
        return gradient
    return empty_like(prediction).copy_(gradient)


@_evaluate.register_fake
def _(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    parameter: Tensor | None,
    field: str,
    name: str,
    denominator: int | None,
    derive: bool,
) -> tuple[Tensor, Tensor]:
    shape = list(prediction.shape)
    loss = _of_graph(name)
    axis = _value_axis(loss, prediction, target)
    if axis is not None:
        del shape[axis]
    value = prediction.new_empty(shape if loss.reduction == "none" else ())
    return value, empty_like(prediction) if derive else prediction.new_empty(0)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    prediction, target, weight, parameter, *ctx.call, _ = inputs
    ctx.loss = _losses[ctx.call[1]]
    ctx.save_for_backward(prediction, target, weight, parameter, output[1])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, grad: Tensor | None, v: Tensor | None) -> Any:
    prediction, target, weight, parameter, gradient = ctx.saved_tensors
    result = None
    if grad is not None:
        axis = _value_axis(ctx.loss, prediction, target)
        result = _scaled(gradient, grad, axis)
    if v is not None:
        product = _hessian_product(prediction, target, weight, parameter, v, *ctx.call)
        result = product if result is None else result + product
    return result, None, None, None, None, None, None, None


_evaluate.register_autograd(_differentiate, setup_context=_keep)


@torch.library.custom_op("fastloss::hessian_product", mutates_args=(), device_types="cpu")
def _hessian_product(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    parameter: Tensor | None,
    v: Tensor,
    field: str,
    name: str,
    denominator: int | None,
) -> Tensor:
    loss = _named(name, parameter, field)
    return _laid_out(_product(prediction, target, weight, v, loss, denominator), prediction)


@_hessian_product.register_fake
def _(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    parameter: Tensor | None,
    v: Tensor,
    field: str,
    name: str,
    denominator: int | None,
) -> Tensor:
    return empty_like(prediction)


# ---- Linear cross-entropy ------------------------------------------------------------------------


def _linear_value(
    loss: Any,
    tensors: Sequence[Any],
    sample_weight: Tensor | None,
    reduction: str,
    wrt: Sequence[bool],
) -> tuple[Tensor, list[Tensor | None]]:
    """Return value and the gradients that are wanted of hidden, weight and bias."""
    names = ("hidden", "weight", "bias", "target")
    hidden, weight, bias, target = (
        None if tensor is None else _array(name, tensor)
        for name, tensor in zip(names, tensors, strict=True)
    )
    value, gradients = loss.value_and_grad(
        hidden,
        weight,
        target,
        bias,
        sample_weight=None if sample_weight is None else _array("weight", sample_weight),
        reduction=reduction,
        wrt=[name for name, wanted in zip(names, wrt, strict=False) if wanted],
        n_threads=get_num_threads(),
    )
    value = _value_tensor(value, tensors[0])
    return value, [None if array is None else _tensor(array) for array in gradients]


class _Linear(torch.autograd.Function):
    """Linear cross-entropy; its gradients wait for the backward pass unless rows have their own."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, loss: Any
    ) -> Tensor:
        tensors = (hidden, weight, bias, target)
        ctx.loss = loss
        ctx.wrt = ctx.needs_input_grad[:3] if loss.reduction != "none" else (False,) * 3
        value, ctx.gradients = _linear_value(loss, tensors, None, loss.reduction, ctx.wrt)
        ctx.save_for_backward(*tensors)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        tensors = ctx.saved_tensors
        loss, wrt = ctx.loss, ctx.needs_input_grad[:3]
        if is_grad_enabled():
            return *_linear_derivatives(loss, tensors, wrt, grad), None, None
        gradients, ctx.gradients = ctx.gradients, None
        batched = _are_transforms_active() or _is_batch(grad)
        if loss.reduction == "none":
            if batched:
                # An operator is called for each.
                name, loss = _register(loss)
                gradients = _evaluate_linear(*tensors, None, grad, name, "sum", wrt)[1:]
                gradients = [g if w else None for g, w in zip(gradients, wrt, strict=True)]
            else:
                gradients = _linear_value(loss, tensors, grad, "sum", wrt)[1]
        else:
            if gradients is None:
                gradients = _linear_value(loss, tensors, None, loss.reduction, wrt)[1]
            if batched:
                gradients = [None if g is None else g * grad for g in gradients]
            elif grad.item() != 1.0:
                gradients = [None if g is None else g.mul_(grad) for g in gradients]
        return *gradients, None, None


def _linear_derivatives(
    loss: Any, tensors: Sequence[Any], wrt: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """Return gradients that can be differentiated again, by way of the logits."""
    hidden, weight, bias, target = tensors
    logits = linear(hidden, weight, bias)
    of_logits = fl.CrossEntropy(
        class_weight=loss.class_weight,
        ignore_index=loss.ignore_index,
        label_smoothing=loss.label_smoothing,
        axis=-1,
        reduction=loss.reduction,
    )
    value = _Value.apply(logits, target, None, of_logits, None)
    wanted = [tensor for tensor, is_wanted in zip(tensors, wrt, strict=False) if is_wanted]
    found = iter(torch.autograd.grad(value, wanted, grad, create_graph=True))
    return [next(found) if is_wanted else None for is_wanted in wrt]


@torch.library.custom_op("fastloss::linear_cross_entropy", mutates_args=(), device_types="cpu")
def _evaluate_linear(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    parameter: Tensor | None,
    sample_weight: Tensor | None,
    name: str,
    reduction: str,
    wrt: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    loss = _named(name, parameter, "class_weight")
    tensors = (hidden, weight, bias, target)
    value, gradients = _linear_value(loss, tensors, sample_weight, reduction, wrt)
    first, second, third = (hidden.new_empty(0) if g is None else g for g in gradients)
    return value, first, second, third


@_evaluate_linear.register_fake
def _(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    parameter: Tensor | None,
    sample_weight: Tensor | None,
    name: str,
    reduction: str,
    wrt: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    _of_graph(name)
    first, second, third = (
        empty_like(tensor) if tensor is not None and wanted else hidden.new_empty(0)
        for tensor, wanted in zip((hidden, weight, bias), wrt, strict=True)
    )
    value = hidden.new_empty(target.shape if reduction == "none" else ())
    return value, first.contiguous(), second, third


def _keep_linear(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, _, ctx.name, ctx.reduction, _ = inputs
    ctx.loss = _losses[ctx.name]  # which has its name for as long as it is held
    # Of the gradients of a reduced value nothing but they themselves are needed again.
    ctx.save_for_backward(*(output[1:] if ctx.reduction != "none" else tensors))
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)


def _differentiate_linear(ctx: Any, grad: Tensor, *_: Any) -> Any:
    wrt = ctx.needs_input_grad[:3]
    if ctx.reduction == "none":
        gradients = _evaluate_linear(*ctx.saved_tensors, grad, ctx.name, "sum", wrt)[1:]
    else:
        gradients = [g * grad for g in ctx.saved_tensors]
    found = [g if wanted else None for g, wanted in zip(gradients, wrt, strict=True)]
    return *found, None, None, None, None, None, None


_evaluate_linear.register_autograd(_differentiate_linear, setup_context=_keep_linear)

# ---- What every function and module calls -------------------------------------------------------


def _is_transformed() -> bool:
    """Return whether tensors are more than they show: for `torch.func`, or in forward mode."""
    return bool(_are_transforms_active() or forward_ad._current_level >= 0)


def _check_forward_mode() -> None:
    """Raise in forward mode of forward mode, which is 0 for what PyTorch has no formula of."""
    stack = torch._C._functorch.get_interpreter_stack() or ()
    if sum(level.key() == torch._C._functorch.TransformType.Jvp for level in stack) > 1:
        raise NotImplementedError(
            "forward mode does not see through that of a loss: differentiate its gradient, as "
            "torch.func.hessian and torch.func.jvp(torch.func.grad(...)) do"
        )


def _in_graph(prediction: Tensor) -> bool:
    return torch.compiler.is_compiling() or type(prediction) not in _WITH_MEMORY


def _run(
    loss: Any,
    parameters: dict[str, Any] | None,
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    denominator: int | None = None,
    parameter: Tensor | None = None,
    field: str = "",
) -> Tensor:
    """Compute a loss now, or make its name a node of a graph.

    The loss is one or, in a graph, its name; or with hyper-parameters a class. One of them may be a
    tensor: `parameter` for the field `field`.
    """
    if parameters is not None:
        in_graph = _in_graph(prediction)
        loss = _graph_name(loss, parameters) if in_graph else _loss(loss, **parameters)
    if not (
        isinstance(prediction, Tensor)
        and prediction.is_floating_point()
        and isinstance(target, Tensor)
        and not target.requires_grad
        and (weight is None or not weight.requires_grad)
        and (parameter is None or not parameter.requires_grad)
    ):
        _check(prediction, target=target, weight=weight, **{field or "parameter": parameter})
    dtype = prediction.dtype
    if dtype is torch.float16 or dtype is torch.bfloat16:
        # float16 has no room for a gradient before whoever scales a loss has scaled it back. In
        # an autocast region losses are computed and returned in float32, as PyTorch's are.
        autocast = torch.is_autocast_enabled("cpu")
        if autocast or dtype is torch.float16:
            value = _run(
                loss, None, prediction.float(), target, weight, denominator, parameter, field
            )
            return value if autocast else value.to(dtype)
    derive = prediction.requires_grad and is_grad_enabled()
    if isinstance(loss, str):
        if prediction.device.type != "cpu":
            raise ValueError(f"prediction must be on the CPU, got a tensor on {prediction.device}")
        if prediction.is_nested:
            raise TypeError(
                "prediction must be a dense tensor, got a nested one: pass its values()"
            )
        if _is_transformed():
            return _run_outside(loss, prediction, target, weight, denominator, parameter, field)
        return _evaluate(prediction, target, weight, parameter, field, loss, denominator, derive)[0]
    if parameter is not None:
        loss = _with(loss, field, parameter)
    if _is_transformed():
        _check_forward_mode()
        transformed: Tensor = _Transformed.apply(prediction, target, weight, loss, denominator)
        return transformed
    if derive:
        return _value_with_gradient(prediction, target, weight, loss, denominator)
    return _value(prediction, target, weight, loss, denominator)


@torch.compiler.disable
def _run_outside(
    name: str,
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None,
    denominator: int | None,
    parameter: Tensor | None,
    field: str,
) -> Tensor:
    """Compute a transformed loss outside of graphs, none of whose operators can be transformed.

    PyTorch allows `torch.func` no style but `_Transformable`'s, which no operator can have, and
    takes the derivative of one for 0 in forward mode.
    """
    return _run(_losses[name], None, prediction, target, weight, denominator, parameter, field)


def _check(prediction: Any, **others: Any) -> None:
    """Raise where a tensor is not one that fastloss computes with."""
    if not isinstance(prediction, Tensor) or not prediction.is_floating_point():
        what = prediction.dtype if isinstance(prediction, Tensor) else type(prediction).__name__
        raise TypeError(f"prediction must be a tensor of a floating-point type, got {what}")
    for name, tensor in others.items():
        if tensor is None:
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if tensor.requires_grad and is_grad_enabled():
            raise ValueError(
                f"{name} must not require a gradient, there is one of the prediction alone: "
                f"pass {name}.detach()"
            )


class Loss(torch.nn.Module):
    """Any loss of fastloss as a module.

    Parameters
    ----------
    loss : fastloss.Loss or str
        The loss, or a name that :func:`fastloss.get` knows.
    **parameters
        Hyper-parameters, with a name.

    Examples
    --------
    >>> import torch, fastloss as fl, fastloss.torch
    >>> loss = fastloss.torch.Loss("huber", delta=2.0)
    >>> prediction = torch.tensor([0.0, 5.0], requires_grad=True)
    >>> value = loss(prediction, torch.tensor([1.0, 1.0]))
    >>> value
    tensor(3.2500, grad_fn=<_ValueBackward>)
    >>> value.backward()
    >>> prediction.grad
    tensor([-0.5000,  1.0000])
    >>> loss
    Loss(Huber(delta=2.0))
    """

    def __init__(self, loss: fl.Loss | str, **parameters: Any) -> None:
        super().__init__()
        self.loss = as_loss(loss, parameters)

    @property
    def loss(self) -> Any:
        """The loss."""
        return self._loss

    @loss.setter
    def loss(self, loss: fl.Loss | str) -> None:
        self._name, self._loss = _register(as_loss(loss))

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, with arguments as those of any loss of fastloss.

        Parameters
        ----------
        prediction : Tensor
            Of a floating-point type.
        target : Tensor
            Of any real type.
        weight : Tensor, optional
            Of the target's shape, or that of its leading axis.

        Returns
        -------
        Tensor
            Of the prediction's type; without axes unless the loss has the reduction "none".
        """
        loss = self._name if _in_graph(prediction) else self._loss
        return _run(loss, None, prediction, target, weight)

    def extra_repr(self) -> str:
        return repr(self.loss)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.loss = self._loss

    def __prepare_scriptable__(self) -> None:
        raise NotImplementedError("a loss is no TorchScript: use torch.compile or torch.export")


# ---- PyTorch's functions ------------------------------------------------------------------------


def _old(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return the reduction that arguments of PyTorch's past mean."""
    if size_average is None and reduce is None:
        return reduction
    return str(torch.nn._reduction.legacy_get_string(size_average, reduce))


def _elements(prediction: Tensor, weight: Tensor | None, reduction: str) -> int | None:
    """Return what a mean divides by, if weights do not change it."""
    if weight is None or reduction != "mean":
        return None
    return prediction.numel() or None


def _of_errors(name: str, loss_class: Any, doc: str) -> Callable[..., Tensor]:
    def function(
        input: Tensor,
        target: Tensor,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> Tensor:
        reduction = _old(size_average, reduce, reduction)
        return _run(loss_class, {"reduction": reduction}, input, target, weight)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{doc}, :class:`fastloss.{loss_class.__name__}`; a weighted mean is over the weights."
    )
    return function


mse_loss = _of_errors("mse_loss", fl.SquaredError, "Squared error")
l1_loss = _of_errors("l1_loss", fl.AbsoluteError, "Absolute error")


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Absolute error with its tip rounded off, :class:`fastloss.SmoothL1`."""
    reduction = _old(size_average, reduce, reduction)
    return _run(fl.SmoothL1, {"beta": beta, "reduction": reduction}, input, target)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Huber's loss, :class:`fastloss.Huber`; a weighted mean is over the elements, as PyTorch's."""
    parameters = {"delta": delta, "reduction": reduction}
    count = _elements(input, weight, reduction)
    return _run(fl.Huber, parameters, input, target, weight, count)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts, :class:`fastloss.Poisson`."""
    parameters: dict[str, Any] = {"reduction": _old(size_average, reduce, reduction)}
    if not log_input:
        parameters.update(link="identity", eps=eps)
    if full:
        parameters.update(full=True)
    return _run(fl.Poisson, parameters, input, target)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of a normal distribution, :class:`fastloss.GaussianNLL`.

    Mean and variance, which are two tensors here, are copied side by side. A variance of one axis
    less than the mean, or with an axis of length 1, broadcasts, as PyTorch's does.
    """
    if not isinstance(var, Tensor):
        var = torch.full_like(input, var, requires_grad=False)
    elif var.ndim < input.ndim:
        var = var.unsqueeze(-1)
    prediction = torch.stack([input, var.expand_as(input)])
    parameters = {
        "parametrisation": "variance",
        "full": full,
        "eps": eps,
        "axis": 0,
        "reduction": reduction,
    }
    return _run(fl.GaussianNLL, parameters, prediction, target)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence, :class:`fastloss.KLDivergence`; see PyTorch for "batchmean"."""
    reduction = _old(size_average, reduce, reduction)
    count = None
    if reduction in ("mean", "batchmean"):
        count = (input.numel() if reduction == "mean" else len(input)) or None
        reduction = "mean"
    if reduction == "none" or input.ndim == 0:
        # Each element is a row of its own.
        input, target = input.unsqueeze(-1), target.unsqueeze(-1)
    parameters = {"log_target": log_target, "axis": -1, "reduction": reduction}
    return _run(fl.KLDivergence, parameters, input, target, None, count)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Logarithmic loss of probabilities, :class:`fastloss.LogLoss`; weights broadcast."""
    reduction = _old(size_average, reduce, reduction)
    weight = None if weight is None else weight.expand_as(input)
    parameters = {"clamp": "torch", "reduction": reduction}
    count = _elements(input, weight, reduction)
    return _run(fl.LogLoss, parameters, input, target, weight, count)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of logits, :class:`fastloss.BinaryCrossEntropy`; weights broadcast."""
    reduction = _old(size_average, reduce, reduction)
    weight = None if weight is None else weight.expand_as(input)
    count = _elements(input, weight, reduction)
    return _run(
        fl.BinaryCrossEntropy, {"reduction": reduction}, input, target, weight, count,
        pos_weight, "pos_weight",
    )  # fmt: skip


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Distances, to be small or at least a margin, :class:`fastloss.HingeEmbedding`."""
    reduction = _old(size_average, reduce, reduction)
    parameters = {"margin": margin, "labels": "pm1", "reduction": reduction}
    return _run(fl.HingeEmbedding, parameters, input, target)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinge loss of a difference, :class:`fastloss.Hinge`; target is 1 where input1 is to win."""
    reduction = _old(size_average, reduce, reduction)
    parameters = {"margin": margin, "labels": "pm1", "reduction": reduction}
    return _run(fl.Hinge, parameters, input1 - input2, target)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Logistic loss of a margin, :class:`fastloss.SoftMargin`."""
    reduction = _old(size_average, reduce, reduction)
    parameters = {"labels": "pm1", "reduction": reduction}
    return _run(fl.SoftMargin, parameters, input, target)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross-entropy, :class:`fastloss.CrossEntropy`: of labels, or of probabilities."""
    parameters = {
        "ignore_index": ignore_index,
        "label_smoothing": label_smoothing,
        "reduction": _old(size_average, reduce, reduction),
    }
    return _run(fl.CrossEntropy, parameters, input, target, None, None, weight, "class_weight")


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of labels, :class:`fastloss.NegativeLogLikelihood`."""
    parameters = {
        "ignore_index": ignore_index,
        "reduction": _old(size_average, reduce, reduction),
    }
    return _run(
        fl.NegativeLogLikelihood, parameters, input, target, None, None, weight, "class_weight"
    )


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinge loss of the label's lead over all classes, :class:`fastloss.MultiMargin`."""
    reduction = _old(size_average, reduce, reduction)
    parameters = {"p": p, "margin": margin, "ignore_index": None, "reduction": reduction}
    count = _elements(target, weight, reduction)
    return _run(fl.MultiMargin, parameters, input, target, None, count, weight, "class_weight")


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinge loss of every listed class against every other, :class:`fastloss.MultilabelMargin`."""
    reduction = _old(size_average, reduce, reduction)
    return _run(fl.MultilabelMargin, {"reduction": reduction}, input, target)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Mean of a row's binary cross-entropies, :class:`fastloss.BinaryCrossEntropy`."""
    reduction = _old(size_average, reduce, reduction)
    if reduction == "none":
        return binary_cross_entropy_with_logits(input, target, weight, reduction="none").mean(-1)
    weight = None if weight is None else weight.expand_as(input)
    count = input.shape[-1] if reduction == "sum" else _elements(input, weight, reduction)
    parameters = {"reduction": "mean" if reduction == "sum" else reduction}
    return _run(fl.BinaryCrossEntropy, parameters, input, target, weight, count)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Cross-entropy of a linear layer without its logits, :class:`fastloss.LinearCrossEntropy`.

    The input may have any number of leading axes, which the labels share. Probabilities as target
    and a `linear_weight` of more than two axes are computed by way of the logits. `options`, about
    how PyTorch cuts the rows, are accepted and not needed: the memory is always bounded.
    """
    parameters: dict[str, Any] = {
        "ignore_index": -100 if ignore_index is None else ignore_index,
        "label_smoothing": label_smoothing,
        "reduction": reduction,
    }
    by_logits = linear_weight.ndim != 2 or target.shape != input.shape[:-1]
    if by_logits or _is_transformed():
        bias = None if linear_bias is None else linear_bias.flatten()
        logits = linear(input, linear_weight.flatten(0, -2), bias)
        logits = logits.unflatten(-1, linear_weight.shape[:-1])
        return _run(fl.CrossEntropy, parameters, logits, target, None, None, weight, "class_weight")
    _check(input, target=target, weight=weight)
    dtype = input.dtype
    if dtype is torch.float16 or dtype is torch.bfloat16:
        autocast = torch.is_autocast_enabled("cpu")
        if autocast or dtype is torch.float16:
            value = linear_cross_entropy(
                input.float(), linear_weight.float(), target, linear_bias=linear_bias,
                weight=weight, **parameters,
            )  # fmt: skip
            return value if autocast else value.to(dtype)
    tensors = (input, linear_weight, linear_bias, target)
    wrt = [
        tensor is not None and tensor.requires_grad and is_grad_enabled() for tensor in tensors[:3]
    ]
    if _in_graph(input):
        name = _graph_name(fl.LinearCrossEntropy, parameters)
        wrt = [wanted and reduction != "none" for wanted in wrt]
        return _evaluate_linear(*tensors, weight, None, name, reduction, wrt)[0]
    loss = _loss(fl.LinearCrossEntropy, **parameters)
    if weight is not None:
        loss = _with(loss, "class_weight", weight)
    if any(wrt):
        return _Linear.apply(*tensors, loss)
    return _linear_value(loss, tensors, None, reduction, wrt)[0]
