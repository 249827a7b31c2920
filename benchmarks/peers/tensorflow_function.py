"""TensorFlow: a gradient tape in a tf.function, plain and compiled by XLA.

Its own losses on logits where it has them. Results have no ``out``.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from suite import ALLOCATED, Array, Case, Job

VERSION = tf.__version__


def start(threads: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def squared_error(z: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.math.squared_difference(z, t))


def huber(z: tf.Tensor, t: tf.Tensor, *, delta: float) -> tf.Tensor:
    residual = z - t
    clipped = tf.clip_by_value(residual, -delta, delta)
    return tf.reduce_mean(clipped * (residual - 0.5 * clipped))


def binary_cross_entropy(z: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(t, z))


def focal(z: tf.Tensor, t: tf.Tensor, *, gamma: float, alpha: float) -> tf.Tensor:
    probability = tf.sigmoid(z)
    missing = probability + t - 2 * probability * t
    balance = alpha * t + (1 - alpha) * (1 - t)
    # Square, for which there is no general power to compute.
    power = tf.square(missing) if gamma == 2 else missing**gamma
    return tf.reduce_mean(balance * power * tf.nn.sigmoid_cross_entropy_with_logits(t, z))


def log_cosh(z: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    residual = z - t
    return tf.reduce_mean(residual + tf.nn.softplus(-2 * residual)) - tf.math.log(
        tf.constant(2, z.dtype)
    )


def poisson(z: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.log_poisson_loss(t, z))


def pinball(z: tf.Tensor, t: tf.Tensor, *, quantile: float) -> tf.Tensor:
    residual = z - t
    return tf.reduce_mean(tf.maximum(-quantile * residual, (1 - quantile) * residual))


def cross_entropy(z: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(t, z))


LOSSES: dict[str, Callable[..., tf.Tensor]] = {
    "SquaredError": squared_error,
    "Huber": huber,
    "BinaryCrossEntropy": binary_cross_entropy,
    "Focal": focal,
    "LogCosh": log_cosh,
    "Poisson": poisson,
    "Pinball": pinball,
    "CrossEntropy": cross_entropy,
}


def binary_cross_entropy_hessian(z: tf.Tensor, t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    probability = tf.sigmoid(z)
    return probability - t, probability * (1 - probability)


def cross_entropy_hessian(z: tf.Tensor, t: tf.Tensor, axis: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
    probability = tf.nn.softmax(z, axis)
    label = tf.one_hot(t, z.shape[axis], dtype=z.dtype, axis=axis)
    return probability - label, probability * (1 - probability)


HESSIANS: dict[str, Callable[..., Any]] = {
    "BinaryCrossEntropy": binary_cross_entropy_hessian,
    "CrossEntropy": cross_entropy_hessian,
}


@cache
def functions(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Without XLA and with it."""
    if case.mode == "grad_and_hess":
        function = HESSIANS[case.loss]
        if case.fortran:
            function = partial(function, axis=0)
    else:
        loss = partial(LOSSES[case.loss], **case.parameters)

        def function(prediction: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            type_ = tf.float32 if case.half else prediction.dtype
            with tf.GradientTape() as tape:
                tape.watch(prediction)
                logits = tf.cast(prediction, type_)
                if len(case.shape) > 2:  # its softmax knows no class axis but the last
                    logits = tf.transpose(logits, (0, *range(2, len(case.shape)), 1))
                value = loss(logits, target if case.of_classes else tf.cast(target, type_))
            return value, tape.gradient(value, prediction)

    return tf.function(function), tf.function(function, jit_compile=True)


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    if case.loss not in (LOSSES if case.mode == "value_and_grad" else HESSIANS):
        return
    names = {
        "prediction": tf.constant(prediction.T if case.fortran else prediction),
        "target": tf.constant(target),
    }
    statement = f"{', '.join(case.results)} = function(prediction, target)"
    plain, compiled = functions(case)
    yield Job("TensorFlow", ALLOCATED, statement, {**names, "function": plain}, temporaries=8)
    yield Job(
        "TensorFlow XLA", ALLOCATED, statement, {**names, "function": compiled}, temporaries=4
    )


def linear_cross_entropy(
    hidden: tf.Tensor, weight: tf.Tensor, target: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    with tf.GradientTape() as tape:
        tape.watch((hidden, weight))
        value = cross_entropy(tf.matmul(hidden, weight, transpose_b=True), target)
    return value, *tape.gradient(value, (hidden, weight))


def linear_jobs(case: Case, hidden: Array, weight: Array, target: Array) -> Iterator[Job]:
    names = {
        "hidden": tf.constant(hidden),
        "weight": tf.constant(weight),
        "target": tf.constant(target),
    }
    statement = f"{', '.join(case.results)} = function(hidden, weight, target)"
    for peer, compiled in (("TensorFlow", False), ("TensorFlow XLA", True)):
        function = tf.function(linear_cross_entropy, jit_compile=compiled)
        yield Job(peer, ALLOCATED, statement, {**names, "function": function}, temporaries=4)
