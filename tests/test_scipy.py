"""The objective of a linear model: its derivatives are right for every loss; its minimum."""

import numpy as np
import pytest

import fastloss as fl
from cases import CLASSES, DTYPES, Array, Case, default_cases, sample, sample_weight
from conftest import framework

scipy = framework("scipy")
from scipy import optimize, sparse  # noqa: E402

from fastloss.scipy import LinearObjective, linear_objective  # noqa: E402

every_loss = pytest.mark.parametrize("case", default_cases(), ids=lambda case: case.id)


def features(n: int, seed: int = 0) -> Array:
    return 0.3 * np.random.default_rng(seed).normal(size=(n, 4))


def problem(case: Case, n: int = 60, **options: object) -> tuple[LinearObjective, Array, Array]:
    """An objective, a point and a direction."""
    _, target = sample(case, np.float64, n)
    if case.kind == "labels":
        options = {"classes": CLASSES, **options}
    X = options.pop("X", features(n))
    weight = sample_weight(n, np.float64)
    objective = linear_objective(case.loss(), X, target, weight, l2=0.125, **options)  # type: ignore[arg-type]
    random = np.random.default_rng(1)
    shape = objective.start.shape
    return objective, objective.start + 0.3 * random.normal(size=shape), random.normal(size=shape)


@every_loss
def test_derivatives(case: Case) -> None:
    """Gradient and products with the Hessian are the slopes of value and gradient."""
    objective, x, v = problem(case)
    step = 1e-5
    value, gradient = objective(x)
    product = objective.hessp(x, v)
    (above, gradient_above), (below, gradient_below) = (
        objective(x + step * v),
        objective(x - step * v),
    )
    slope = (above - below) / (2 * step)
    assert gradient @ v == pytest.approx(slope, rel=1e-6, abs=1e-7)
    bend = (gradient_above - gradient_below) / (2 * step)
    np.testing.assert_allclose(product, bend, rtol=1e-5, atol=1e-6 * (1 + abs(bend).max()))
    assert value == objective(x)[0]


@every_loss
def test_sparse_features_and_float32(case: Case) -> None:
    objective, x, v = problem(case)
    for form in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array, np.asfortranarray):
        other, _, _ = problem(case, X=form(features(60)))
        np.testing.assert_allclose(other(x)[1], objective(x)[1], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            other.hessp(x, v), objective.hessp(x, v), rtol=1e-9, atol=1e-9 * abs(v).max()
        )
    single, _, _ = problem(case, X=features(60).astype(np.float32))
    gradient = objective(x)[1]
    np.testing.assert_allclose(single(x)[1], gradient, atol=1e-4 * (1 + abs(gradient).max()))


@every_loss
def test_the_order_of_calls_makes_no_difference(case: Case) -> None:
    objective, x, v = problem(case)
    value, gradient = objective(x)
    product = objective.hessp(x, v)
    kept = gradient.copy()
    again, _, _ = problem(case)
    np.testing.assert_array_equal(again.hessp(x, v), product)
    np.testing.assert_array_equal(objective.hessp(x, v), product)
    objective(x + v)
    np.testing.assert_array_equal(gradient, kept)
    assert objective(x)[0] == value
    coefficients, intercept = objective.parameters(x)
    assert coefficients.shape == (4, *objective.outputs)
    assert intercept.shape == objective.outputs


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-ncg", "Newton-CG"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_least_squares(method: str, fit_intercept: bool) -> None:
    """Against the solution in closed form."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(80, 3)), 5 + random.normal(size=(80, 2))
    weight = random.uniform(0.5, 2, 80)
    loss = fl.SquaredError(half=True, reduction="sum")
    objective = linear_objective(loss, X, y, weight, l2=2.0, fit_intercept=fit_intercept)
    more = {} if method == "L-BFGS-B" else {"hessp": objective.hessp}
    options = {"Newton-CG": {"xtol": 1e-10}}.get(
        method, {"gtol": 1e-9, "ftol": 0} if method == "L-BFGS-B" else {"gtol": 1e-9}
    )
    found = optimize.minimize(
        objective, objective.start, jac=True, method=method, options=options, **more
    )
    design = np.hstack([X, np.ones((80, 1))]) if fit_intercept else X
    penalty = 2.0 * np.diag([1.0, 1, 1, 0])[: design.shape[1], : design.shape[1]]
    exact = np.linalg.solve(design.T * weight @ design + penalty, design.T * weight @ y)
    coefficients, intercept = objective.parameters(found.x)
    np.testing.assert_allclose(coefficients, exact[:3], atol=1e-6)
    np.testing.assert_allclose(intercept, exact[3] if fit_intercept else 0, atol=1e-6)


def test_quantiles_and_outputs() -> None:
    """Two outputs with three quantiles each are six models in one."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(50, 2)), random.normal(size=(50, 2))
    together = linear_objective(fl.Pinball(quantile=[0.1, 0.5, 0.9], reduction="sum"), X, y)
    assert together.outputs == (2, 3)
    x = random.normal(size=(3, 2, 3))
    value, gradient = together(x.ravel())
    total = 0.0
    for i in range(2):
        for k, quantile in enumerate((0.1, 0.5, 0.9)):
            alone = linear_objective(fl.Pinball(quantile=quantile, reduction="sum"), X, y[:, i])
            part, slope = alone(x[:, i, k])
            total += part
            np.testing.assert_allclose(gradient.reshape(x.shape)[:, i, k], slope, atol=1e-12)
    assert value == pytest.approx(total)


def test_the_start_is_the_mean() -> None:
    X, y = np.zeros((4, 1)), np.array([1.0, 2.0, 3.0, 6.0])
    for loss in (fl.SquaredError(), fl.Poisson()):
        objective = linear_objective(loss, X, y)
        _, gradient = objective(objective.start)
        np.testing.assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_features_are_not_copied(dtype: np.dtype) -> None:  # type: ignore[type-arg]
    X = np.ones((5, 2), dtype)
    assert linear_objective(fl.SquaredError(), X, np.ones(5))._X is X
    compressed = sparse.csr_array(X)
    assert linear_objective(fl.SquaredError(), compressed, np.ones(5))._X is compressed


def test_errors() -> None:
    X, y = np.zeros((3, 2)), np.zeros(3)
    loss = fl.SquaredError()
    with pytest.raises(TypeError, match="loss must be a loss"):
        linear_objective("linear_cross_entropy", X, y)
    assert linear_objective("squared_error", X, y).loss == loss
    with pytest.raises(ValueError, match="reduction"):
        linear_objective(fl.SquaredError(reduction="none"), X, y)
    with pytest.raises(ValueError, match="l2 must not be negative"):
        linear_objective(loss, X, y, l2=-1)
    with pytest.raises(ValueError, match="y must have 3 rows"):
        linear_objective(loss, X, y[:2])
    with pytest.raises(ValueError, match="X must have two axes"):
        linear_objective(loss, y, y)
    with pytest.raises(TypeError, match="X must hold real numbers"):
        linear_objective(loss, X.astype(complex), y)
    with pytest.raises(ValueError, match="classes must be given"):
        linear_objective(fl.CrossEntropy(), X, np.full(3, -100))
