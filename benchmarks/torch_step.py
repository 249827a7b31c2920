"""Forward and backward pass of 32 rows: PyTorch's own functions and fastloss.torch's.

    python benchmarks/torch_step.py

They take turns of 20 calls, since a machine's speed changes from one moment to the next: medians of
all turns in microseconds, and the median of the quotients of neighbours.
"""

import statistics
import time
from typing import Any

import torch

import fastloss.torch

TURNS = 1000
CALLS = 20


def cases() -> dict[str, tuple[Any, Any]]:
    """Return prediction and target of each function."""
    torch.manual_seed(0)
    numbers, target = torch.randn(32), torch.rand(32)
    classes = torch.randn(32, 10)
    labels = torch.randint(0, 10, (32,))
    return {
        "binary_cross_entropy_with_logits": (numbers, target),
        "binary_cross_entropy": (target.flip(0), target),
        "mse_loss": (numbers, target),
        "huber_loss": (numbers, target),
        "cross_entropy": (classes, labels),
        "nll_loss": (classes.log_softmax(1), labels),
    }


def turn(function: Any, prediction: Any, target: Any) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        prediction.grad = None
        function(prediction, target).backward()
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    print("| | PyTorch µs | fastloss µs | times faster |\n|---|--:|--:|--:|")
    for name, (prediction, target) in cases().items():
        prediction.requires_grad_()
        functions = [getattr(module, name) for module in (torch.nn.functional, fastloss.torch)]
        times = [[turn(f, prediction, target) for f in functions] for _ in range(TURNS)]
        theirs, ours = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(a / b for a, b in times)
        print(f"| `{name}` | {theirs:.1f} | {ours:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
