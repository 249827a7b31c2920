"""Every loss in every mode, size and type, against its plain NumPy reference.

    pytest benchmarks/bench_losses.py --benchmark-json=losses.json
    python benchmarks/table.py losses.json

A full run takes long; ``-k "Huber and float32 and value_and_grad"`` picks. Outputs are reused
between calls on the fastloss side (``out=``), as a training loop does; NumPy allocates its own.
"""

from typing import Any

import numpy as np
import pytest

from cases import Case, default_cases, sample
from fastloss import reference

SIZES = (32, 1_000, 100_000, 10_000_000)
# What a mode computes: derivatives up to this order.
ORDERS = {"value": 0, "grad": 1, "value_and_grad": 1, "grad_and_hess": 2, "value_grad_hess": 2}


def repeated(array: np.ndarray, rows: int) -> np.ndarray:
    """Enough copies of a sample to fill a large array quickly."""
    return np.resize(array, (rows, *array.shape[1:]))


@pytest.mark.parametrize("provider", ["fastloss", "numpy"])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ORDERS)
@pytest.mark.parametrize("case", default_cases(), ids=lambda case: case.id)
def test_loss(benchmark: Any, case: Case, mode: str, dtype: str, n: int, provider: str) -> None:
    loss = case.loss()
    prediction, target = sample(case, dtype, n=4096)
    rows = max(1, n // prediction[0].size)
    prediction, target = repeated(prediction, rows), repeated(target, rows)
    benchmark.group = f"{case.id} {mode} {dtype} {n}"
    benchmark.extra_info.update(
        loss=case.id, mode=mode, dtype=dtype, n=prediction.size, provider=provider
    )
    if provider == "fastloss":
        arrays = tuple(
            np.empty_like(prediction) for _ in range(mode.count("grad") + mode.count("hess"))
        )
        out = arrays[0] if len(arrays) == 1 else arrays or None
        benchmark(getattr(loss, mode), prediction, target, out=out)
    else:
        benchmark(reference.evaluate, loss, prediction, target, order=ORDERS[mode], dtype=None)
