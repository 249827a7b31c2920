"""Measures every loss of numbers beside what its memory traffic and binary cross-entropy cost.

    python benchmarks/catalogue.py [--rounds 9] [--size 10000000] [--dtype float32]
    python benchmarks/catalogue.py --losses 'Gamma|Tweedie'
    python benchmarks/catalogue.py --custom

Value and gradient into memory that is reused. The three take turns, medians are shown: the loss,
binary cross-entropy on arrays of the same size, and SquaredError, which waits for memory alone. A
loss that costs more than one and a half times the dearer of those two is marked. With --custom,
formulas of fl.custom are measured beside the losses that they are the formulas of instead.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np

import fastloss as fl
from fastloss.kernels import active, driver
from promises import interleaved

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from cases import Case, default_cases, sample

BOUND = 1.5

# As a user writes them, by the loss that has them built in.
FORMULAS = {
    "SquaredError": "(p - y)**2",
    "AbsoluteError": "abs(p - y)",
    "Huber": "where(abs(p - y) <= 1, (p - y)**2 / 2, abs(p - y) - 1/2)",
    "PseudoHuber": "sqrt(1 + (p - y)**2) - 1",
    "LogCosh": "log(cosh(p - y))",
    "Pinball": "max((p - y) / 2, (y - p) / 2)",
    "Cauchy": "log(1 + (p - y)**2) / 2",
    "Poisson": "exp(p) - y * p",
    "BinaryCrossEntropy": "log(1 + exp(p)) - y * p",
    "LogLoss": "-xlogy(y, p) - xlogy(1 - y, 1 - p)",
}


def arrays(case: Case, dtype: str, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return prediction, target and memory for the gradient."""
    rows = max(1, size // (case.columns if case.of_rows else 1))
    prediction, target = sample(case, dtype, n=4096)
    prediction = np.resize(prediction, (rows, *prediction.shape[1:]))
    return prediction, np.resize(target, (rows, *target.shape[1:])), np.empty_like(prediction)


def formulas(cases: dict[str, Case], options: argparse.Namespace) -> None:
    """Print a row for each formula beside the built-in loss."""
    print("| formula | built in | milliseconds | built in | ratio | |")
    print("|---|---|--:|--:|--:|---|")
    for name, text in FORMULAS.items():
        if not re.search(options.losses, name):
            continue
        case = cases[name]
        data = arrays(case, options.dtype, options.size)
        losses = {"custom": fl.custom(text), "built in": case.loss()}
        calls = {
            key: lambda loss=loss, data=data: loss.value_and_grad(*data[:2], out=data[2])
            for key, loss in losses.items()
        }
        times = interleaved(calls, options.rounds)
        ratio = times["custom"] / times["built in"]
        each = " | ".join(f"{time * 1e3:.2f}" for time in times.values())
        mark = "dear" if ratio > BOUND else ""
        print(f"| `{text}` | {name} | {each} | {ratio:.2f} | {mark} |")


def main() -> None:
    """Print a row for each loss, the dearest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=10_000_000)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--losses", default="", help="a regular expression")
    parser.add_argument("--custom", action="store_true", help="formulas beside built-in losses")
    options = parser.parse_args()
    cases = [c for c in default_cases() if c.kind in ("numbers", "parameters")]
    by_name = {case.loss_class.__name__: case for case in cases}
    print(f"level {active().name}, {driver.max_threads()} threads, NumPy {np.__version__}")
    print(f"value_and_grad with out, {options.dtype}, {options.size} predictions\n")
    if options.custom:
        formulas(by_name, options)
        return
    beside = {name: by_name[name] for name in ("SquaredError", "BinaryCrossEntropy")}
    inputs = {name: arrays(case, options.dtype, options.size) for name, case in beside.items()}
    rows = []
    for case in cases:
        name = case.loss_class.__name__
        if not re.search(options.losses, name):
            continue
        inputs["loss"] = inputs.get(name) or arrays(case, options.dtype, options.size)
        losses: dict[str, fl.Loss] = {key: c.loss() for key, c in beside.items()}
        losses["loss"] = case.loss()
        calls = {
            key: lambda loss=loss, data=inputs[key]: loss.value_and_grad(*data[:2], out=data[2])
            for key, loss in losses.items()
        }
        times = interleaved(calls, options.rounds)
        bound = max(times[key] for key in beside)
        rows.append((times["loss"] / bound, name, times["loss"]))
    print("| loss | milliseconds | of memory or BinaryCrossEntropy | |")
    print("|---|--:|--:|---|")
    for ratio, name, time in sorted(rows, reverse=True):
        print(f"| {name} | {time * 1e3:.2f} | {ratio:.2f} | {'dear' if ratio > BOUND else ''} |")


if __name__ == "__main__":
    main()
