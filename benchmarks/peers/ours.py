"""fastloss itself."""

from collections.abc import Iterator

import fastloss as fl
from fastloss.kernels import active
from suite import ALLOCATED, REUSED, Array, Case, Job, outputs

VERSION = f"{fl.__version__} ({active().name})"


def start(threads: int) -> None:
    """Nothing to do: OMP_NUM_THREADS is read."""


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    reduction = "mean" if "value" in case.results else "sum"
    loss = getattr(fl, case.loss)(**case.parameters, reduction=reduction)
    out = outputs(case)
    names = {
        "loss": loss,
        "prediction": prediction,
        "target": target,
        "out": out[0] if len(out) == 1 else out,
    }
    results = ", ".join(case.results)
    call = f"{results} = loss.{case.mode}"
    yield Job(fl.__name__, REUSED, f"{call}(prediction, target, out=out)", names)
    yield Job(fl.__name__, ALLOCATED, f"{call}(prediction, target)", names)
