"""fastloss itself."""

from collections.abc import Iterator

import fastloss as fl
from fastloss.kernels import active
from suite import ALLOCATED, REUSED, Array, Case, Job

VERSION = f"{fl.__version__} ({active().name})"


def start(threads: int) -> None:
    """Nothing to do: OMP_NUM_THREADS is read."""


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    reduction = "mean" if "value" in case.results else "sum"
    loss = getattr(fl, case.loss)(**case.parameters, reduction=reduction)
    out = case.outputs()
    names = {
        "loss": loss,
        "prediction": prediction,
        "target": target,
        "out": out[0] if len(out) == 1 else tuple(out),
    }
    results = ", ".join(case.results)
    call = f"{results} = loss.{case.mode}"
    yield Job(fl.__name__, REUSED, f"{call}(prediction, target, out=out)", names)
    yield Job(fl.__name__, ALLOCATED, f"{call}(prediction, target)", names)


def linear_jobs(case: Case, hidden: Array, weight: Array, target: Array) -> Iterator[Job]:
    names = {
        "loss": fl.LinearCrossEntropy(),
        "hidden": hidden,
        "weight": weight,
        "target": target,
        "out": (*case.outputs(), None),
    }
    call = "value, (hidden_gradient, weight_gradient, _) = loss.value_and_grad"
    peer = fl.__name__
    yield Job(peer, REUSED, f"{call}(hidden, weight, target, out=out)", names, temporaries=1)
    yield Job(peer, ALLOCATED, f"{call}(hidden, weight, target)", names, temporaries=1)
