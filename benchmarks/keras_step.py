"""Loss and gradient, as a training step of Keras computes them: Keras's own losses and fastloss's.

    KERAS_BACKEND=torch python benchmarks/keras_step.py

The best of several rounds that take turns, in microseconds per step; "compiled" is tf.function or
jax.jit.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import fastloss.keras

BACKEND = keras.config.backend()
ROUNDS = 9
SECONDS = 0.1  # of one round


def eager(loss: Any, y_true: Any, y_pred: Any) -> Callable[[], Any]:
    if BACKEND == "torch":
        y_pred.requires_grad_(True)

        def step() -> Any:
            y_pred.grad = None
            value = loss(y_true, y_pred)
            value.backward()
            return value

        return step
    if BACKEND == "jax":
        import jax

        derivative = jax.value_and_grad(lambda y_pred: loss(y_true, y_pred))
        return lambda: jax.block_until_ready(derivative(y_pred))
    import tensorflow as tf

    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(y_true, y_pred)
        return value, tape.gradient(value, y_pred)

    return step


def compiled(loss: Any, y_true: Any, y_pred: Any) -> Callable[[], Any] | None:
    if BACKEND == "torch":
        return None
    if BACKEND == "jax":
        import jax

        derivative = jax.jit(jax.value_and_grad(lambda y_pred, y_true: loss(y_true, y_pred)))
        return lambda: jax.block_until_ready(derivative(y_pred, y_true))
    import tensorflow as tf

    def step(y_true: Any, y_pred: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(y_true, y_pred)
        return value, tape.gradient(value, y_pred)

    graph = tf.function(step)
    return lambda: graph(y_true, y_pred)


def best(steps: list[Callable[[], Any]]) -> list[float]:
    """Return the shortest time of each, in seconds; they take turns."""
    found = [float("inf")] * len(steps)
    for _ in range(ROUNDS):
        for i, step in enumerate(steps):
            step()
            calls, start = 0, time.perf_counter()
            while time.perf_counter() - start < SECONDS / len(steps):
                step()
                calls += 1
            found[i] = min(found[i], (time.perf_counter() - start) / calls)
    return found


def main() -> None:
    random = np.random.default_rng(0)
    print(f"| {BACKEND} | | Keras µs | fastloss µs | times faster |\n|---|---|--:|--:|--:|")
    for shape in ((32, 1), (100_000, 1), (32, 10), (8192, 1000)):
        logits = random.normal(size=shape).astype(np.float32)
        if shape[1] == 1:
            target = random.integers(0, 2, shape).astype(np.float32)
            cases = [("BinaryCrossentropy", {}, 1 / (1 + np.exp(-logits)))]
            cases.append(("BinaryCrossentropy", {"from_logits": True}, logits))
        else:
            target = random.integers(0, shape[1], shape[0])
            cases = [("SparseCategoricalCrossentropy", {"from_logits": True}, logits)]
        for name, options, prediction in cases:
            y_true, y_pred = map(keras.ops.convert_to_tensor, (target, prediction))
            for way in (eager, compiled):
                steps = [
                    way(getattr(module, name)(**options), y_true, y_pred)
                    for module in (keras.losses, fastloss.keras)
                ]
                if steps[0] is None:
                    continue
                theirs, ours = (1e6 * seconds for seconds in best(steps))
                said = "".join(f" {key}" for key in options)
                what = f"| {name}{said} {shape[0]}x{shape[1]} | {way.__name__} "
                print(f"{what}| {theirs:.4g} | {ours:.4g} | {theirs / ours:.2g} |", flush=True)


if __name__ == "__main__":
    main()
