"""Measures what the README promises about speed, in one run, on this machine.

    python benchmarks/promises.py [--rounds 15]

Small calls are compared with a clock, large ones with the memory bandwidth that NumPy's addition
of two arrays into a third reaches here on as many threads, the same three arrays being moved; and
cross-entropy with its NumPy reference. Rounds are interleaved; medians are shown.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import fastloss as fl
from fastloss import reference
from fastloss.kernels import active, driver

SMALL = 32
LARGE = 10_000_000


def seconds(call: Callable[[], object], repeat: int = 1) -> float:
    """Return the time of one call, from ``repeat`` of them."""
    start = time.perf_counter()
    for _ in range(repeat):
        call()
    return (time.perf_counter() - start) / repeat


def interleaved(
    calls: dict[str, Callable[[], object]], rounds: int, repeat: int = 1
) -> dict[str, float]:
    """Return each call's median over rounds in which all of them take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        # Fresh pages are expensive to touch, threads to start, and what a call costs is learnt.
        for _ in range(5):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call, repeat))
    return {name: statistics.median(list_) for name, list_ in times.items()}


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    threads = driver.max_threads()
    random = np.random.default_rng(0)
    losses = (fl.SquaredError(), fl.BinaryCrossEntropy())
    print(f"level {active().name}, {threads} threads, NumPy {np.__version__}\n")

    prediction = random.normal(size=SMALL).astype(np.float32)
    target = (random.random(SMALL) < 0.5).astype(np.float32)
    gradient = np.empty_like(prediction)
    calls = {
        type(loss).__name__: lambda loss=loss: loss.value_and_grad(prediction, target, out=gradient)
        for loss in losses
    }

    def expression() -> None:
        residual = prediction - target
        np.mean(residual * residual)
        residual *= 2 / SMALL

    calls["NumPy's expression of squared error"] = expression
    print(f"| value_and_grad with out, float32, n = {SMALL} | microseconds a call |")
    print("|---|--:|")
    for name, time_ in interleaved(calls, rounds, repeat=20_000).items():
        print(f"| {name} | {time_ * 1e6:.3f} |")

    big_prediction = random.standard_normal(LARGE, np.float32)
    big_target = (random.random(LARGE, np.float32) < 0.5).astype(np.float32)
    big_gradient = np.empty_like(big_prediction)
    parts = [slice(i * LARGE // threads, (i + 1) * LARGE // threads) for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def add(part: slice) -> None:
            np.add(big_prediction[part], big_target[part], out=big_gradient[part])

        calls = {"NumPy's addition, the memory's limit": lambda: list(pool.map(add, parts))}
        for loss in losses:
            calls[type(loss).__name__] = lambda loss=loss: loss.value_and_grad(
                big_prediction, big_target, out=big_gradient
            )
        times = interleaved(calls, rounds)
    limit = next(iter(times.values()))
    print(f"\n| value_and_grad with out, float32, n = {LARGE} | milliseconds | times the limit |")
    print("|---|--:|--:|")
    for name, time_ in times.items():
        print(f"| {name} | {time_ * 1e3:.2f} | {time_ / limit:.2f} |")

    print("\n| CrossEntropy value_and_grad, float32 | milliseconds | NumPy reference | ratio |")
    print("|---|--:|--:|--:|")
    loss = fl.CrossEntropy()
    for shape in ((8192, 1000), (1_000_000, 10)):
        logits = random.standard_normal(shape, np.float32)
        labels = random.integers(0, shape[1], shape[0])
        out = np.empty_like(logits)
        times = interleaved(
            {
                "fastloss": lambda: loss.value_and_grad(logits, labels, out=out),  # noqa: B023
                "numpy": lambda: reference.evaluate(loss, logits, labels, order=1, dtype=None),  # noqa: B023
            },
            max(3, rounds // 3),
        )
        ours, theirs = times["fastloss"], times["numpy"]
        print(f"| {shape} | {ours * 1e3:.2f} | {theirs * 1e3:.1f} | {theirs / ours:.1f} |")


if __name__ == "__main__":
    main()
