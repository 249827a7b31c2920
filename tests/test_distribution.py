"""Likelihoods are those of distributions, and Fisher's information is what it is said to be."""

import math
from typing import Any

import numpy as np
import pytest

from cases import Array, Case, cases, fields

CASES = [case for case in cases() if case.kind == "parameters"]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])

POINTS = [(0.3, 0.4), (-0.7, 0.9), (1.1, 1.3)]


def targets(case: Case) -> tuple[Array, Array]:
    """All targets there are, or so many that sums over them are integrals."""
    low, high = case.loss_class.target_domain
    if low == 0:
        return np.arange(3000.0), np.ones(3000)
    step = 12 / 40_000
    t = np.arange(-6, 6, step)
    wide, slope = np.sinh(np.pi / 2 * np.sinh(t)), np.cosh(np.pi / 2 * np.sinh(t))
    slope *= np.pi / 2 * np.cosh(t) * step
    if low > 0 and high < 1:
        y = 1 / (1 + np.exp(-np.pi * np.sinh(t)))
        weight = np.pi * np.cosh(t) * step * y / (1 + np.exp(np.pi * np.sinh(t)))
        inside = (y > low) & (y < high)
        return y[inside], weight[inside]
    if low > 0:
        y = np.exp(np.pi / 2 * np.sinh(t))
        slope = y * np.pi / 2 * np.cosh(t) * step
        inside = (y > 1e-300) & (y < 1e300)
        return y[inside], slope[inside]
    inside = abs(wide) < 1e150
    return wide[inside], slope[inside]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("point", POINTS)
@every_case
def test_expectations(case: Case, point: tuple[float, float]) -> None:
    """Of 1, of the gradient, and of the Hessian over targets that the distribution draws."""
    more: dict[str, Any] = {"full": True} if "full" in fields(case.loss_class) else {}
    loss = type(case.loss())(**{**case.parameters, **more, "reduction": "none"})
    y, weight = targets(case)
    prediction = np.tile(point, (len(y), 1))
    value, gradient, hessian = loss.value_grad_hess(prediction, y)
    mass = np.where(value < 700, np.exp(-value) * weight, 0)
    assert math.fsum(mass) == pytest.approx(1, abs=2e-6)
    inside = mass > 0
    product = loss.hvp(prediction, y, np.tile([0.0, 1.0], (len(y), 1)))
    mean, mean_hessian, mean_product = (
        (mass[inside, None] * part[inside]).sum(0) for part in (gradient, hessian, product)
    )
    assert abs(mean).max() < 1e-4  # a jump of the gradient costs a step
    if "hessian" not in fields(case.loss_class):
        return
    fisher = type(loss)(**{**case.parameters, **more, "hessian": "fisher", "reduction": "sum"})
    expected = fisher.grad_and_hess([point], y[:1])[1][0]
    assert (expected > 0).all()
    if case.exact_hessian and expected[0] * mean_hessian[0] > 0:
        np.testing.assert_allclose(mean_hessian, expected, rtol=1e-5)
        mixed = fisher.hvp([point], y[:1], [[0.0, 1.0]])[0]
        np.testing.assert_allclose(mean_product, mixed, rtol=1e-5, atol=1e-5)
    # Fisher's information is the gradient's mean square too.
    square = (mass[inside, None] * gradient[inside] ** 2).sum(0)
    np.testing.assert_allclose(square, expected, rtol=1e-4)
