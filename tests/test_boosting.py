"""What the adapters of the boosting libraries share; for most of it none of these is needed."""

import runpy
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
import fastloss.catboost
import fastloss.lightgbm
import fastloss.xgboost
from booster_cases import check_copies, check_derivatives, check_memory, objective_cases
from cases import Case, default_cases, sample
from conftest import framework
from fastloss.boosting import bend, init_score
from test_examples import run_page

ROOT = Path(__file__).parent.parent
XGBOOST, LIGHTGBM, CATBOOST = fastloss.xgboost, fastloss.lightgbm, fastloss.catboost
MODULES = {"xgboost": XGBOOST, "lightgbm": LIGHTGBM, "catboost": CATBOOST}


@pytest.mark.parametrize("case", objective_cases(), ids=lambda case: case.id)
@pytest.mark.parametrize(
    ("module", "order", "dtype"), [(XGBOOST, "C", np.float32), (LIGHTGBM, "F", np.float64)]
)
def test_every_loss(case: Case, module: Any, order: str, dtype: Any) -> None:
    check_derivatives(module.objective(case.loss()), case, order, dtype)


@pytest.mark.parametrize("case", objective_cases(), ids=lambda case: case.id)
def test_every_loss_with_catboost(case: Case) -> None:
    """Ranges of objects hold minus the derivatives; an object's matrix is minus its Hessian."""
    loss, custom = case.loss(), CATBOOST.objective(case.loss())
    prediction, target = sample(case, np.float64, n=20)
    target = target.astype(np.float32)
    gradient, hessian = loss.grad_and_hess(prediction, target, reduction="sum")
    if case.kind == "numbers":
        pairs = custom.calc_ders_range(prediction, target, None)
        assert type(pairs) is np.ndarray
        np.testing.assert_array_equal(pairs, -np.stack([gradient, hessian], axis=1))
    else:
        for row in range(len(prediction)):
            first, second = custom.calc_ders_multi(prediction[row], target[row], 2.0)
            np.testing.assert_allclose(first, -2 * gradient[row], rtol=1e-12)
            np.testing.assert_allclose(np.diag(second), -2 * hessian[row], rtol=1e-12)
            np.testing.assert_allclose(second, np.transpose(second), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_copies(module: Any) -> None:
    check_copies(module.objective(fl.Focal(gamma=1.5)))
    check_copies(module.metric(fl.Focal(gamma=1.5), name="fading"))
    for preset in module.PRESETS:
        made = module.objective("squared_error", preset=preset)
        check_copies(made)
        assert made == module.objective("reg:squarederror", preset=preset)
        assert hash(made) == hash(module.objective(fl.SquaredError(half=True), preset))
        assert made != module.objective("squared_error")


@pytest.mark.parametrize("module", [XGBOOST, LIGHTGBM])
def test_nothing_of_the_datas_size_is_allocated(module: Any) -> None:
    prediction, target = np.zeros(100_000, np.float32), np.ones(100_000, np.float32)
    for preset in (None, *module.PRESETS):
        check_memory(module.objective(fl.BinaryCrossEntropy(), preset), prediction, target)
        rows = np.zeros((50_000, 2), np.float32)
        check_memory(module.objective(fl.CrossEntropy(), preset), rows, target[:50_000])


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_errors(module: Any) -> None:
    with pytest.raises(ValueError, match="preset must be None or one of '"):
        module.objective(fl.Huber(), preset="1.0")
    for preset in module.PRESETS:
        with pytest.raises(ValueError, match="no objective of its own for Welsch"):
            module.objective(fl.Welsch(), preset=preset)
    with pytest.raises(TypeError, match="loss must be a loss of fastloss or its name"):
        module.objective(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="takes predictions from 0 to 1, and raw scores are any"):
        module.objective(fl.LogLoss())
    with pytest.raises(ValueError, match="unknown loss"):
        module.metric("no such loss")


def test_threads_do_not_share_arrays() -> None:
    custom = LIGHTGBM.objective(fl.SquaredError())
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        found[number] = custom(np.zeros(4), np.full(4, float(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[1][0].tolist() == [2.0] * 4
    assert found[2][0].tolist() == [4.0] * 4


def test_shapes_that_libraries_have() -> None:
    custom = XGBOOST.objective(fl.SquaredError(half=True))
    column = np.array([[1.0], [2.0]], np.float32)
    gradient, hessian = custom(np.array([[0.0], [0.0]]), column, np.array([]))
    assert gradient.tolist() == [[1.0], [2.0]]
    assert hessian.tolist() == [[1.0], [1.0]]
    # Several targets come flattened.
    gradient, _ = custom(np.zeros(4), np.ones((2, 2), np.float32))
    assert gradient.tolist() == [[1.0, 1.0], [1.0, 1.0]]


# --- conventions ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.5, 0.0])])
def test_bend(order: Any, weight: Any) -> None:
    hessian = np.array([[1.0, 1e-20, 3.0], [0.0, 2.0, 1.0], [5.0, 0.0, 0.0]], order=order)
    expected = np.maximum(2 * hessian, 1e-3 * (1 if weight is None else weight[:, None]))
    bend(hessian, 2.0, 1e-3, weight)
    np.testing.assert_array_equal(hessian, expected)


def test_bend_in_blocks() -> None:
    hessian = np.random.default_rng(0).normal(size=100_001).astype(np.float32)
    expected = np.maximum(hessian * np.float32(2), np.float32(0.1))
    bend(hessian, 2.0, 0.1, None)
    np.testing.assert_array_equal(hessian, expected)


def test_floors() -> None:
    far = np.array([100.0, -100.0], np.float32)
    assert fl.BinaryCrossEntropy().grad_and_hess(far, [1, 0], reduction="sum")[1].max() < 1e-40
    _, hessian = XGBOOST.objective(fl.BinaryCrossEntropy(), "xgboost-2.1")(np.array([1, 0]), far)
    assert hessian.tolist() == [np.float32(1e-16)] * 2


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_factors_of_classes(classes: int) -> None:
    scores = np.random.default_rng(0).normal(size=(5, classes))
    labels = np.arange(5) % classes
    exact = fl.CrossEntropy().grad_and_hess(scores, labels, reduction="sum")[1].copy()
    found = XGBOOST.objective("multi:softprob", "xgboost-2.1")(labels, scores)[1]
    np.testing.assert_allclose(found, 2 * exact, rtol=1e-15)
    found = LIGHTGBM.objective("multiclass", "lightgbm-4")(labels, scores)[1]
    np.testing.assert_allclose(found, classes / (classes - 1) * exact, rtol=1e-15)


def test_ties() -> None:
    y = np.array([1.0, 2.0, 3.0])
    score = np.array([1.0, 1.0, 4.0])
    weight = np.array([2.0, 1.0, 1.0])
    for module, preset in ((XGBOOST, "xgboost-2.1"), (LIGHTGBM, "lightgbm-4")):
        gradient, hessian = module.objective(fl.Pinball(quantile=0.75), preset)(y, score, weight)
        assert gradient.tolist() == [0.5, -0.75, 0.25]
        assert hessian.tolist() == weight.tolist()
        gradient, _ = module.objective(fl.AbsoluteError(), preset)(y, score, weight)
        assert gradient.tolist() == [0.0, -1.0, 1.0]
    several = XGBOOST.objective(fl.Pinball(quantile=[0.25, 0.75]), "xgboost-2.1")
    gradient, _ = several(y, np.stack([score, score], axis=1), weight)
    assert gradient.tolist() == [[1.5, 0.5], [-0.25, -0.75], [0.75, 0.25]]


@pytest.mark.parametrize("weight", [None, np.array([2.0, 1.0, 0.5, 0.0], np.float32)])
def test_xgboosts_smooth_absolute_error(weight: Any) -> None:
    """As its source says it: a pseudo-Huber loss of the square of the mean root of residuals."""
    y = np.array([1.0, 2.0, 3.0, -1.0], np.float32)
    score = np.array([1.5, 0.0, 3.0, 4.0], np.float32)
    w = np.ones(4) if weight is None else weight.astype(float)
    residual = score.astype(float) - y
    delta = (w @ np.sqrt(abs(residual)) / w.sum()) ** 2
    curvature = delta / np.hypot(delta, residual)
    custom = XGBOOST.objective(fl.AbsoluteError(), "xgboost-3.4")
    gradient, hessian = custom(y, score, weight)
    np.testing.assert_allclose(gradient, w * residual * curvature, rtol=1e-6)
    np.testing.assert_allclose(hessian, w * curvature, rtol=1e-6)
    gradient, hessian = custom(y, y.copy(), weight)
    assert not gradient.any()
    np.testing.assert_array_equal(hessian, w)


@pytest.mark.parametrize("weight", [None, np.array([2.0, 1.0, 0.5, 0.0], np.float32)])
def test_xgboosts_smooth_quantiles(weight: Any) -> None:
    """As its source says it, with a scale for each quantile."""
    y = np.array([1.0, 2.0, 3.0, -1.0], np.float32)
    score = np.array([[1.5, 1.0], [0.0, 2.0], [3.0, 3.05], [4.0, -1.0]], np.float32)
    w = (np.ones(4) if weight is None else weight.astype(float))[:, None]
    residual = score.astype(float) - y[:, None]
    scale = ((w * np.sqrt(abs(residual))).sum(0) / w.sum()) ** 2
    x = residual / (0.04 * scale)
    ratio = np.where(x == 0, 1.0, np.tanh(x) / np.where(x == 0, 1.0, x))
    custom = XGBOOST.objective(fl.Pinball(quantile=[0.1, 0.75]), "xgboost-3.4")
    gradient, hessian = custom(y, score, weight)
    expected = w * scale / 2 * (np.tanh(x) + 1 - 2 * np.array([0.1, 0.75]))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    np.testing.assert_allclose(hessian, w / 0.08 * np.maximum(ratio, 3e-4), rtol=1e-5)


# --- the best constant ------------------------------------------------------------------------


def test_closed_forms() -> None:
    random = np.random.default_rng(0)
    weight = random.uniform(0.5, 2, 1000)
    y = 3 + random.normal(size=1000)
    mean = np.average(y, weights=weight)
    assert init_score(fl.SquaredError(), y, weight) == pytest.approx(mean, rel=1e-14)
    share = np.average(y > 3.5, weights=weight)
    found = init_score("binary:logistic", y > 3.5, weight)
    assert found == pytest.approx(np.log(share / (1 - share)), rel=1e-12)
    counts = random.poisson(2, 1000)
    found = init_score(fl.Poisson(), counts, weight)
    assert found == pytest.approx(np.log(np.average(counts, weights=weight)), rel=1e-12)
    assert init_score(fl.AbsoluteError(), y) == pytest.approx(np.median(y), abs=1e-2)
    expectile = init_score(fl.Expectile(level=0.75), y)
    assert fl.Expectile(level=0.75).grad(np.full(1000, expectile), y).sum() == pytest.approx(
        0, abs=1e-12
    )
    labels = random.integers(0, 4, 1000)
    found = init_score(fl.CrossEntropy(), labels, weight)
    frequency = np.bincount(labels, weight) / weight.sum()
    np.testing.assert_allclose(found, np.log(frequency) - np.log(frequency).mean(), rtol=1e-10)
    levels = init_score(fl.Pinball(quantile=[0.25, 0.75]), y)
    np.testing.assert_allclose(levels, np.quantile(y, [0.25, 0.75]), atol=1e-2)
    columns = np.stack([y, 2 * y], axis=1)
    np.testing.assert_allclose(init_score(fl.SquaredError(), columns), [y.mean(), 2 * y.mean()])


def test_a_class_that_never_occurs() -> None:
    assert 30 < init_score(fl.BinaryCrossEntropy(), np.ones(10)) < 40
    assert -40 < init_score(fl.BinaryCrossEntropy(), np.zeros(10)) < -30
    found = init_score(fl.CrossEntropy(), [0, 1, 1], classes=3)
    assert found.shape == (3,)
    assert found[2] < found[:2].min() - 20
    assert found[1] - found[0] == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="y must not be empty"):
        init_score(fl.SquaredError(), [])


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in default_cases()
        if case.kind in ("numbers", "labels", "parameters")
        and np.isinf(case.loss().prediction_domain[1])
        and not case.loss_class.of_log_probabilities
    ],
    ids=lambda case: case.id,
)
def test_no_other_constant_is_better(case: Case) -> None:
    loss = case.loss()
    _, target = sample(case, np.float64)
    if case.kind == "labels":
        target = np.where(target < 0, 1, target)
    best = np.asarray(init_score(loss, target))
    shape = (len(target), *best.shape)

    def value(score: Any) -> float:
        try:
            return loss(np.broadcast_to(score, shape), target)
        except ValueError:
            return np.inf

    least = value(best)
    assert np.isfinite(least)
    random = np.random.default_rng(0)
    # Rows are looked for with the Hessian, which these do not have.
    bent = loss.grad_and_hess(np.broadcast_to(best, shape), target)[1].any()
    tolerance = 1e-9 if bent or not best.ndim else 1e-3
    for size in (1e-4, 1e-2, 0.3):
        for _ in range(10):
            other = value(best + size * random.normal(size=best.shape))
            assert least <= other + tolerance * max(1, abs(other))


# --- what users read --------------------------------------------------------------------------


def test_the_page() -> None:
    framework("lightgbm")
    run_page("docs/boosting.md")


def test_the_focal_example(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """It runs; and after many rounds the focal loss has the better probabilities, as it says."""
    framework("lightgbm")
    script = str(ROOT / "examples" / "focal_loss_in_a_booster.py")
    monkeypatch.setattr(sys, "argv", [script, "--rounds", "3", "--repeats", "1"])
    names = runpy.run_path(script, run_name="__main__")
    assert "focal, gamma 2" in capsys.readouterr().out
    plain = names["judge"](fl.BinaryCrossEntropy(), rounds=200, repeats=1)
    focal = names["judge"](fl.Focal(gamma=2.0), rounds=200, repeats=1)
    assert focal.log_loss.mean() < plain.log_loss.mean()
    assert focal.average_precision.mean() > plain.average_precision.mean() - 0.01
