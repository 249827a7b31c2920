"""Measures linear cross-entropy against the bare products and PyTorch: time and extra memory.

    python benchmarks/linear.py [--rounds 3] [--shape 1024 512 32000] [--dtype float32]

Value and the gradients of hidden and weight. Every competitor has processes of its own, for their
threads disturb one another's, and they take turns. Memory is the peak of the process above what it
held before the call, without the results; Linux alone tells. PyTorch is measured where it is
installed.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import fastloss as fl

Call = Callable[[], object]
STATUS = Path("/proc/self/status")


def peak() -> int:
    """Return the most memory that this process ever held."""
    lines = STATUS.read_text().splitlines() if STATUS.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def products(hidden: Any, weight: Any, labels: Any) -> Call:
    """Return the three products and no more, in NumPy."""
    logits = np.empty((len(hidden), len(weight)), hidden.dtype)
    grad_hidden, grad_weight = hidden.copy(), weight.copy()

    def call() -> None:
        np.matmul(hidden, weight.T, out=logits)
        np.matmul(logits.T, hidden, out=grad_weight)
        np.matmul(logits, weight, out=grad_hidden)

    return call


def fastloss(share: float | None) -> Callable[..., Call]:
    """Return fastloss with a share of the logits' size as its memory."""

    def prepare(hidden: Any, weight: Any, labels: Any) -> Call:
        memory = None
        if share is not None:
            memory = int(share * len(hidden) * len(weight) * hidden.itemsize)
        loss = fl.LinearCrossEntropy(memory=memory)
        out = hidden.copy(), weight.copy(), None
        return lambda: loss.value_and_grad(hidden, weight, labels, out=out)

    return prepare


def pytorch(function: str, compiled: bool = False) -> Callable[..., Call]:
    """Return one of PyTorch's ways."""

    def prepare(hidden: Any, weight: Any, labels: Any) -> Call:
        import torch
        from torch.nn import functional

        def linear_cross_entropy(h: Any, w: Any, y: Any) -> Any:
            return functional.linear_cross_entropy(h, w, y)

        def cross_entropy(h: Any, w: Any, y: Any) -> Any:
            return functional.cross_entropy(functional.linear(h, w), y)

        loss: Any = {"linear": linear_cross_entropy, "eager": cross_entropy}[function]
        loss = torch.compile(loss) if compiled else loss
        tensors = [torch.from_numpy(a).requires_grad_() for a in (hidden, weight)]
        target = torch.from_numpy(labels)

        def call() -> None:
            for tensor in tensors:
                tensor.grad = None
            loss(*tensors, target).backward()

        return call

    return prepare


COMPETITORS: dict[str, Callable[..., Call]] = {
    "NumPy's three products": products,
    "fastloss, memory=None": fastloss(None),
    "fastloss, 1/8 of the logits": fastloss(1 / 8),
    "fastloss, 1/20 of the logits": fastloss(1 / 20),
}
if find_spec("torch"):
    COMPETITORS |= {
        "PyTorch eager": pytorch("eager"),
        "PyTorch compiled": pytorch("eager", compiled=True),
        "PyTorch linear_cross_entropy": pytorch("linear"),
    }


def measure(name: str, shape: list[int], dtype: str) -> dict[str, float]:
    """Return a competitor's time and extra memory, in a process that has done nothing else."""
    n, features, classes = shape
    random = np.random.default_rng(0)
    hidden = random.standard_normal((n, features), np.float32)
    weight = random.standard_normal((classes, features), np.float32)
    weight *= 0.05
    labels = random.integers(0, classes, n)
    if dtype == "bfloat16":
        import ml_dtypes  # noqa: F401
    if dtype != "float32":
        hidden, weight = hidden.astype(dtype), weight.astype(dtype)
    call = COMPETITORS[name](hidden, weight, labels)
    if "PyTorch" not in name:
        # The BLAS's own buffers are there already.
        wide = np.float64 if dtype == "float64" else np.float32
        products(hidden.astype(wide), weight[:8192].astype(wide), labels)()
    gc.collect()
    refs = Path("/proc/self/clear_refs")
    if refs.exists():
        refs.write_text("5")
    before = peak()
    call()
    extra = peak() - before
    if "PyTorch" in name:
        extra -= hidden.nbytes + weight.nbytes
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times), "extra": extra}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", type=int, nargs=3, default=[1024, 512, 32000])
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--only", choices=COMPETITORS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.shape, options.dtype)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in COMPETITORS}
    for _ in range(options.rounds):
        for name, results in found.items():
            done = subprocess.run(
                [sys.executable, *sys.argv, "--only", name],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode == 0:
                results.append(json.loads(done.stdout.splitlines()[-1]))
            else:
                print(f"{name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    bare = statistics.median(r["seconds"] for r in found["NumPy's three products"])
    n, features, classes = options.shape
    print(f"| N={n}, D={features}, V={classes}, {options.dtype} | ms | products | extra MB |")
    print("|---|--:|--:|--:|")
    for name, results in found.items():
        if results:
            time_ = statistics.median(r["seconds"] for r in results)
            extra = statistics.median(r["extra"] for r in results)
            print(f"| {name} | {1e3 * time_:.0f} | {time_ / bare:.2f} | {extra / 1e6:.1f} |")


if __name__ == "__main__":
    main()
