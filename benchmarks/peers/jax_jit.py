"""JAX: value and gradient in one jitted function, `reused` by donating the gradient's buffer."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from suite import ALLOCATED, REUSED, Array, Case, Job

VERSION = jax.__version__


def start(threads: int) -> None:
    """Threads are as many as the process may run on."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    # A call that is waited for is faster without a thread for it.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def squared_error(z: jax.Array, t: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(z - t))


def huber(z: jax.Array, t: jax.Array, *, delta: float) -> jax.Array:
    residual = z - t
    clipped = jnp.clip(residual, -delta, delta)
    return jnp.mean(clipped * (residual - 0.5 * clipped))


def _entropy(z: jax.Array, t: jax.Array) -> jax.Array:
    return jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z)))


def binary_cross_entropy(z: jax.Array, t: jax.Array) -> jax.Array:
    return jnp.mean(_entropy(z, t))


def focal(z: jax.Array, t: jax.Array, *, gamma: float, alpha: float) -> jax.Array:
    probability = jax.nn.sigmoid(z)
    missing = probability + t - 2 * probability * t
    balance = alpha * t + (1 - alpha) * (1 - t)
    # A whole power is multiplication.
    return jnp.mean(balance * missing ** int(gamma) * _entropy(z, t))


def log_cosh(z: jax.Array, t: jax.Array) -> jax.Array:
    residual = jnp.abs(z - t)
    return jnp.mean(residual + jnp.log1p(jnp.exp(-2 * residual))) - jnp.log(2).astype(z.dtype)


def poisson(z: jax.Array, t: jax.Array) -> jax.Array:
    return jnp.mean(jnp.exp(z) - t * z)


def pinball(z: jax.Array, t: jax.Array, *, quantile: float) -> jax.Array:
    residual = z - t
    return jnp.mean(jnp.maximum(-quantile * residual, (1 - quantile) * residual))


def cross_entropy(z: jax.Array, t: jax.Array, axis: int) -> jax.Array:
    chosen = jnp.take_along_axis(z, jnp.expand_dims(t, axis), axis).squeeze(axis)
    return jnp.mean(jax.nn.logsumexp(z, axis) - chosen)


LOSSES: dict[str, Callable[..., jax.Array]] = {
    "SquaredError": squared_error,
    "Huber": huber,
    "BinaryCrossEntropy": binary_cross_entropy,
    "Focal": focal,
    "LogCosh": log_cosh,
    "Poisson": poisson,
    "Pinball": pinball,
    "CrossEntropy": cross_entropy,
}


def binary_cross_entropy_hessian(z: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
    probability = jax.nn.sigmoid(z)
    return probability - t, probability * (1 - probability)


def cross_entropy_hessian(z: jax.Array, t: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    probability = jax.nn.softmax(z, axis)
    label = jax.nn.one_hot(t, z.shape[axis], dtype=z.dtype, axis=axis)
    return probability - label, probability * (1 - probability)


HESSIANS: dict[str, Callable[..., Any]] = {
    "BinaryCrossEntropy": binary_cross_entropy_hessian,
    "CrossEntropy": cross_entropy_hessian,
}


@cache
def functions(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """As it is, and with buffers for the results, whose memory is taken over."""
    # Its arrays are all in C order: a Fortran array comes transposed.
    axis = {"axis": 0 if case.fortran else 1} if case.of_classes else {}
    if case.mode == "grad_and_hess":
        function = partial(HESSIANS[case.loss], **axis)
    else:
        loss = partial(LOSSES[case.loss], **case.parameters, **axis)

        def mean(prediction: jax.Array, target: jax.Array) -> jax.Array:
            if case.half:
                prediction = prediction.astype(jnp.float32)
                target = target if case.of_classes else target.astype(jnp.float32)
            return loss(prediction, target)

        function = jax.value_and_grad(mean)

    def donated(prediction: jax.Array, target: jax.Array, *buffers: jax.Array) -> Any:
        return function(prediction, target)

    return jax.jit(function), jax.jit(
        donated, donate_argnums=tuple(range(2, 2 + len(case.output_shapes))), keep_unused=True
    )


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    if case.loss not in (LOSSES if case.mode == "value_and_grad" else HESSIANS):
        return
    allocating, donating = functions(case)
    names = {
        "prediction": jnp.asarray(prediction.T if case.fortran else prediction),
        "target": jnp.asarray(target),
        "zeros_like": jnp.zeros_like,
    }
    results = ", ".join(case.results)
    arrays = ", ".join(name for name in case.results if name != "value")
    # One result is there when all are.
    wait = f"{case.results[-1]}.block_until_ready()"
    yield Job(
        "JAX", REUSED, f"{results} = function(prediction, target, {arrays}); {wait}",
        {**names, "function": donating},
        setup="; ".join(f"{name} = zeros_like(prediction)" for name in arrays.split(", ")),
    )  # fmt: skip
    yield Job(
        "JAX", ALLOCATED, f"{results} = function(prediction, target); {wait}",
        {**names, "function": allocating},
    )  # fmt: skip


def linear_cross_entropy(hidden: jax.Array, weight: jax.Array, target: jax.Array) -> jax.Array:
    return cross_entropy(hidden @ weight.T, target, 1)


def linear_jobs(case: Case, hidden: Array, weight: Array, target: Array) -> Iterator[Job]:
    function = jax.value_and_grad(linear_cross_entropy, argnums=(0, 1))

    def donated(
        hidden: jax.Array, weight: jax.Array, target: jax.Array, *buffers: jax.Array
    ) -> Any:
        return function(hidden, weight, target)

    names = {
        "hidden": jnp.asarray(hidden),
        "weight": jnp.asarray(weight),
        "target": jnp.asarray(target),
        "zeros_like": jnp.zeros_like,
    }
    call = "value, (hidden_gradient, weight_gradient) = function(hidden, weight, target"
    wait = "weight_gradient.block_until_ready()"
    yield Job(
        "JAX", REUSED, f"{call}, hidden_gradient, weight_gradient); {wait}",
        {**names, "function": jax.jit(donated, donate_argnums=(3, 4), keep_unused=True)},
        setup="hidden_gradient = zeros_like(hidden); weight_gradient = zeros_like(weight)",
        temporaries=4,
    )  # fmt: skip
    yield Job(
        "JAX", ALLOCATED, f"{call}); {wait}", {**names, "function": jax.jit(function)},
        temporaries=4,
    )  # fmt: skip
