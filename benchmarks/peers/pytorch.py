"""PyTorch: its own losses by autograd, and the same compiled as one function of value and gradient.

Gradients have no ``out``: ``.grad`` is added to, which is another job. A loss of short floats is
computed in float32, as autocast does.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F

from peers import CHUNKED
from suite import ALLOCATED, Array, Case, Job

VERSION = torch.__version__


def start(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    # A pool of compiling processes would outlive the compilation.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    torch._dynamo.config.cache_size_limit = 256
    torch._dynamo.config.accumulated_cache_size_limit = 4096


def focal(z: torch.Tensor, t: torch.Tensor, *, gamma: float, alpha: float) -> torch.Tensor:
    entropy = F.binary_cross_entropy_with_logits(z, t, reduction="none")
    probability = torch.sigmoid(z)
    missing = probability + t - 2 * probability * t
    return ((alpha * t + (1 - alpha) * (1 - t)) * missing**gamma * entropy).mean()


def log_cosh(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    residual = z - t
    return (residual + F.softplus(-2 * residual) - 0.6931471805599453).mean()


def pinball(z: torch.Tensor, t: torch.Tensor, *, quantile: float) -> torch.Tensor:
    residual = z - t
    return torch.maximum(-quantile * residual, (1 - quantile) * residual).mean()


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "SquaredError": F.mse_loss,
    "Huber": F.huber_loss,
    "BinaryCrossEntropy": F.binary_cross_entropy_with_logits,
    "Focal": focal,
    "LogCosh": log_cosh,
    "Poisson": partial(F.poisson_nll_loss, log_input=True),
    "Pinball": pinball,
    "CrossEntropy": F.cross_entropy,
}


def binary_cross_entropy_hessian(
    z: torch.Tensor, t: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    probability = torch.sigmoid(z)
    return probability - t, probability * (1 - probability)


def cross_entropy_hessian(z: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    probability = torch.softmax(z, 1)
    hessian = probability * (1 - probability)
    label = t.unsqueeze(1)
    return probability.scatter_add(1, label, torch.full_like(label, -1, dtype=z.dtype)), hessian


HESSIANS = {
    "BinaryCrossEntropy": binary_cross_entropy_hessian,
    "CrossEntropy": cross_entropy_hessian,
}


def eager(loss: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    def value_and_grad(
        prediction: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        value = loss(prediction, target)
        return value.detach(), torch.autograd.grad(value, prediction)[0]

    return value_and_grad


@cache
def functions(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Eager and compiled."""
    if case.mode == "grad_and_hess":
        function = HESSIANS[case.loss]
        return torch.no_grad()(function), torch.compile(function, dynamic=False)
    loss = partial(LOSSES[case.loss], **case.parameters)
    type_ = getattr(torch, "float32" if case.half else case.dtype)

    def mean(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return loss(prediction.to(type_), target if case.of_classes else target.to(type_))

    def gradient_first(prediction: torch.Tensor, target: torch.Tensor) -> Any:
        return torch.func.grad_and_value(mean)(prediction, target)

    return eager(mean), torch.compile(gradient_first, dynamic=False)


def tensor(array: Array) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_numpy(result: torch.Tensor) -> Array:
    return (result.float() if result.dtype == torch.bfloat16 else result).numpy()


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    if case.loss not in (LOSSES if case.mode == "value_and_grad" else HESSIANS):
        return
    ordinary, compiled = functions(case)
    logits, labels = tensor(prediction), tensor(target)
    names = {"function": ordinary, "prediction": logits, "target": labels}
    results = ", ".join(case.results)
    if case.mode == "value_and_grad":
        names["prediction"] = logits.detach().requires_grad_()
    call = "= function(prediction, target)"
    yield Job("PyTorch", ALLOCATED, f"{results} {call}", names, temporaries=6, to_numpy=to_numpy)
    names = {"function": compiled, "prediction": logits, "target": labels}
    if case.mode == "value_and_grad":
        results = "gradient, value"
    yield Job(
        "PyTorch compiled", ALLOCATED, f"{results} {call}", names, temporaries=4, to_numpy=to_numpy
    )


def linear_cross_entropy(
    hidden: torch.Tensor, weight: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    return F.cross_entropy(F.linear(hidden, weight), target)


def linear_jobs(case: Case, hidden: Array, weight: Array, target: Array) -> Iterator[Job]:
    def value_and_grad(loss: Callable[..., torch.Tensor]) -> Callable[..., Any]:
        def function(
            hidden: torch.Tensor, weight: torch.Tensor, target: torch.Tensor
        ) -> tuple[torch.Tensor, ...]:
            value = loss(hidden, weight, target)
            return value.detach(), *torch.autograd.grad(value, (hidden, weight))

        return function

    names = {
        "hidden": tensor(hidden).requires_grad_(),
        "weight": tensor(weight).requires_grad_(),
        "target": tensor(target),
    }
    statement = f"{', '.join(case.results)} = function(hidden, weight, target)"
    for peer, loss in (
        ("PyTorch", linear_cross_entropy),
        ("PyTorch compiled", torch.compile(linear_cross_entropy, dynamic=False)),
        (CHUNKED, F.linear_cross_entropy),
    ):
        yield Job(
            peer, ALLOCATED, statement, {**names, "function": value_and_grad(loss)},
            temporaries=4, to_numpy=to_numpy,
        )  # fmt: skip
