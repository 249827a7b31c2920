"""What the tests of the adapters of boosting libraries share: data, and what must hold."""

import copy
import pickle
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np

from cases import Array, Case, default_cases, sample, sample_weight

CLASSES = 3


def objective_cases() -> list[Case]:
    """Every loss that takes any score, with targets that a booster has."""
    return [
        case
        for case in default_cases()
        if case.kind in ("numbers", "labels", "parameters")
        and not case.loss_class.domains
        and not case.loss_class.of_log_probabilities
        and np.isinf(case.loss().prediction_domain[0])
        and case.kind in case.loss().targets
    ]


def table(loss: Any, n: int = 1500, columns: int = 5) -> tuple[Array, Array, Array]:
    """Features, targets of a kind that the loss takes, and weights."""
    random = np.random.default_rng(0)
    features = random.normal(size=(n, columns))
    signal = features[:, 0] + np.sin(2 * features[:, 1]) * features[:, 2]
    noisy = signal + 0.5 * random.normal(size=n)
    low, high = loss.target_domain
    if "labels" in loss.targets and loss.class_axis == "always":
        target = np.digitize(noisy, [-0.7, 0.7]).astype(float)
    elif high == 1:
        target = (noisy > 0.8).astype(float)
    elif low == 0:
        target = random.poisson(np.exp(0.4 * signal)).astype(float)
    elif low > 0:
        target = np.exp(0.4 * noisy)
    else:
        target = 2 * noisy
    return features, target, random.uniform(0.5, 2, n)


def trainings() -> Iterator[tuple[str, Any, dict[str, int], tuple[Array, Array, Array]]]:
    """Every loss of numbers or labels, with its name, its classes as a parameter and a table."""
    for case in objective_cases():
        if case.kind == "parameters" or "cumulative" in case.loss_class.classwise:
            continue
        loss = case.loss()
        yield (
            case.id,
            loss,
            {"num_class": CLASSES} if case.kind == "labels" else {},
            table(loss, 100),
        )


def check_derivatives(custom: Any, case: Case, order: Any, dtype: Any) -> None:
    """An objective's arrays are the loss's, in the library's layout, and the same at every call."""
    loss = case.loss()
    prediction, target = sample(case, dtype)
    prediction = np.asarray(prediction, order=order)
    weight = sample_weight(len(prediction))
    first = custom(target, prediction, weight)
    expected = loss.grad_and_hess(prediction, target, weight, reduction="sum")
    places = []
    for found, exact in zip(first, expected, strict=True):
        assert found.dtype == dtype
        assert found.shape == prediction.shape
        assert found.strides == prediction.strides
        np.testing.assert_array_equal(found, exact)
        places.append(found.ctypes.data)
    again = custom(target, prediction)
    assert [array.ctypes.data for array in again] == places
    for found, exact in zip(
        again, loss.grad_and_hess(prediction, target, reduction="sum"), strict=True
    ):
        np.testing.assert_array_equal(found, exact)


def check_memory(custom: Any, prediction: Array, target: Array) -> None:
    """A round allocates nothing of the data's size."""
    custom(target, prediction)
    tracemalloc.start()
    try:
        custom(target, prediction)
        assert tracemalloc.get_traced_memory()[1] < target.nbytes / 4
    finally:
        tracemalloc.stop()


def check_copies(made: Any) -> None:
    """Libraries copy their parameters and save them."""
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert repr(other) == repr(made)
        assert other.loss == made.loss
