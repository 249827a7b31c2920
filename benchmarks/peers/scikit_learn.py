"""scikit-learn's private losses, used as its linear models and its boosting use them.

They return the loss and gradient of each element; the mean is its users' job. Prediction, target
and outputs must have one type, float32 or float64.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import sklearn
from sklearn._loss import loss as losses

from suite import ALLOCATED, REUSED, Array, Case, Job, allocate

VERSION = sklearn.__version__
# Its default is one thread; callers ask for more where that pays.
WORTH_THREADS = 10_000

_threads = 1


def start(threads: int) -> None:
    global _threads
    _threads = threads


def loss_of(case: Case) -> tuple[Any, int] | None:
    """scikit-learn's loss, and how many times larger ours is."""
    parameters = case.parameters
    if case.loss == "SquaredError":
        return losses.HalfSquaredError(), 2
    if case.loss == "Huber":
        return losses.HuberLoss(**parameters), 1
    if case.loss == "BinaryCrossEntropy":
        return losses.HalfBinomialLoss(), 1
    if case.loss == "Poisson":
        return losses.HalfPoissonLoss(), 1
    if case.loss == "Pinball":
        return losses.PinballLoss(**parameters), 1
    if case.loss == "CrossEntropy" and len(case.shape) == 2:
        return losses.HalfMultinomialLoss(n_classes=case.shape[1]), 1
    return None


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    found = loss_of(case)
    if found is None or case.half:
        return
    loss, times = found
    if case.of_classes:  # labels must have the prediction's type; its callers keep them so
        target = target.astype(prediction.dtype)
    argument = "target"
    if target.dtype != prediction.dtype:
        argument = "target.astype(prediction.dtype)"
    threads = _threads if case.size >= WORTH_THREADS else 1
    names: dict[str, Any] = {
        "loss": loss,
        "prediction": prediction,
        "target": target,
        "threads": threads,
        "scale": times / case.divisor,
        "add": np.add.reduce,
    }
    if case.mode == "value_and_grad":
        call = f"losses, gradient = loss.loss_gradient({argument}, prediction"
        finish = "value = add(losses) * scale; gradient *= scale"
        names["losses_out"] = allocate(case.target_shape, case.dtype, 3)
        (names["gradient_out"],) = case.outputs()
        out = "loss_out=losses_out, gradient_out=gradient_out"
    else:
        call = f"gradient, hessian = loss.gradient_hessian({argument}, prediction"
        finish = ""
        names["gradient_out"], names["hessian_out"] = case.outputs()
        out = "gradient_out=gradient_out, hessian_out=hessian_out"
    # A sum in float32 over NumPy's pairwise tree is accurate enough.
    warnings.simplefilter("ignore")
    peer = "scikit-learn"
    yield Job(peer, REUSED, f"{call}, {out}, n_threads=threads); {finish}", names)
    yield Job(peer, ALLOCATED, f"{call}, n_threads=threads); {finish}", names)
