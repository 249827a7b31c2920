"""CatBoost trains with fastloss's losses; with a preset, the model that it makes itself."""

import warnings
from typing import Any

import numpy as np
import pytest

import fastloss as fl
import fastloss.catboost as adapter
from booster_cases import CLASSES, table
from conftest import framework

catboost = framework("catboost")

PRESET = "catboost-1.2"
# All that its own objectives choose by themselves.
PARAMETERS: dict[str, Any] = {
    "iterations": 15, "depth": 4, "learning_rate": 0.3, "thread_count": 2, "verbose": False,
    "allow_writing_files": False, "boosting_type": "Plain", "bootstrap_type": "No",
    "random_strength": 0, "leaf_estimation_method": "Newton", "leaf_estimation_iterations": 2,
    "leaf_estimation_backtracking": "No", "boost_from_average": False, "score_function": "Cosine",
}  # fmt: skip
TOLERANCE = 1e-6

# CatBoost's own objectives with parameters, by the loss that a preset makes them of.
OWN: dict[str, tuple[dict[str, Any], str]] = {
    "SquaredError": ({}, "RMSE"),
    "BinaryCrossEntropy": ({}, "Logloss"),
    "CrossEntropy": ({}, "MultiClass"),
    "OneVersusAll": ({}, "MultiClassOneVsAll"),
    "Focal": ({"gamma": 1.5, "alpha": 0.25}, "Focal:focal_alpha=0.25;focal_gamma=1.5"),
    "Huber": ({"delta": 0.75}, "Huber:delta=0.75"),
    "LogCosh": ({}, "LogCosh"),
    "Expectile": ({"level": 0.7}, "Expectile:alpha=0.7"),
    "Poisson": ({}, "Poisson"),
    "Tweedie": ({"power": 1.3}, "Tweedie:variance_power=1.3"),
}


def fit(loss: Any, objective: Any, weighted: bool, n: int = 1500, **parameters: Any) -> Any:
    X, y, weight = table(loss, n)
    pool = catboost.Pool(X, y, weight=weight if weighted else None)
    metric = {} if isinstance(objective, str) else {"eval_metric": adapter.metric(loss)}
    merged = {**PARAMETERS, "loss_function": objective, **metric, **parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that it cannot compile the objective, say
        model = catboost.CatBoost(merged).fit(pool)
    return model, model.predict(pool, prediction_type="RawFormulaVal")


def test_presets_are_of_known_objectives() -> None:
    assert set(adapter.PRESETS[PRESET]) == set(OWN)
    for name, (_, own) in OWN.items():
        assert adapter.PRESETS[PRESET][name].name == own.partition(":")[0]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", [name for name in OWN if hasattr(fl, name)])
def test_a_preset_trains_the_same_model(name: str, weighted: bool) -> None:
    given, own = OWN[name]
    loss = getattr(fl, name)(**given)
    classes = {"classes_count": CLASSES} if "labels" in loss.targets else {}
    _, expected = fit(loss, own, weighted, **classes)
    _, found = fit(loss, adapter.objective(loss, PRESET), weighted, **classes)
    assert abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * abs(expected).max(), rtol=0)


def test_a_metric_is_the_mean_under_the_losss_name() -> None:
    loss = fl.Focal(gamma=1.5)
    model, scores = fit(loss, adapter.objective(loss), weighted=True)
    _, y, weight = table(loss)
    shown = model.evals_result_["learn"]["focal"]
    assert shown[-1] == pytest.approx(loss(scores, y, weight.astype(np.float32)), rel=1e-9)
    assert shown[-1] < shown[0]
    classes = fl.CrossEntropy()
    model, scores = fit(classes, adapter.objective(classes), weighted=False, classes_count=CLASSES)
    _, y, _ = table(classes)
    assert model.evals_result_["learn"]["cross_entropy"][-1] == pytest.approx(classes(scores, y))


def test_the_scikit_learn_interface() -> None:
    loss = fl.Focal(gamma=1.5)
    X, y, _ = table(loss)
    _, scores = fit(loss, adapter.objective(loss), weighted=False)
    model = catboost.CatBoostRegressor(
        loss_function=adapter.objective(loss), eval_metric=adapter.metric(loss), **PARAMETERS
    ).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), scores)


def test_several_targets() -> None:
    X, y, weight = table(fl.SquaredError())
    two = np.stack([y, -y], axis=1)
    pool = catboost.Pool(X, two, weight=weight)
    scores = []
    for objective, metric in (
        ("MultiRMSE", "MultiRMSE"),
        (
            adapter.objective(fl.SquaredError(), PRESET, multi_target=True),
            adapter.metric(fl.SquaredError(), "squares", multi_target=True),
        ),
    ):
        model = catboost.CatBoost(
            {**PARAMETERS, "loss_function": objective, "eval_metric": metric}
        ).fit(pool)
        scores.append(model.predict(pool))
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-6 * abs(scores[0]).max())
    assert model.evals_result_["learn"]["squares"][-1] == pytest.approx(
        fl.SquaredError()(scores[1], two, weight), rel=1e-6
    )
