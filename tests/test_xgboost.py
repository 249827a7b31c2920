"""XGBoost trains with fastloss's losses; with a preset, the model that it makes itself."""

import re
from typing import Any

import numpy as np
import pytest

import fastloss as fl
import fastloss.xgboost as adapter
from booster_cases import CLASSES, table, trainings
from conftest import framework

xgb = framework("xgboost")
from sklearn.base import clone  # noqa: E402

VERSION = tuple(int(part) for part in xgb.__version__.split(".")[:2])
PRESET = "xgboost-3.4" if VERSION >= (3, 4) else "xgboost-2.1"
PARAMETERS = {"max_depth": 4, "eta": 0.3, "tree_method": "hist", "nthread": 2}
ROUNDS = 20
# Scores that differ by so much beside the largest: those of the same trees, for XGBoost computes
# its own derivatives in float32 with its errors.
TOLERANCE = 2e-5

# XGBoost's own objectives with parameters, by the loss that a preset makes them of.
OWN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SquaredError": ({}, {}),
    "SquaredLogError": ({"lower": 1e-6 - 1}, {}),
    "PseudoHuber": ({"delta": 0.75}, {"huber_slope": 0.75}),
    "BinaryCrossEntropy": ({}, {}),
    "Hinge": ({}, {}),
    "CrossEntropy": ({}, {"num_class": CLASSES}),
    "Poisson": ({}, {"max_delta_step": 0.7}),
    "Gamma": ({}, {}),
    "Tweedie": ({"power": 1.3}, {"tweedie_variance_power": 1.3}),
    "Expectile": ({"level": 0.7}, {"expectile_alpha": 0.7}),
    "AbsoluteError": ({}, {}),
    "Pinball": ({"quantile": 0.7}, {"quantile_alpha": 0.7}),
}
SINCE = {"Expectile": (3, 3), "PseudoHuber": (1, 7)}
# Whose leaves XGBoost sets anew up to 3.3.
RENEWED = ("AbsoluteError", "Pinball") if VERSION < (3, 4) else ()


def present(name: str) -> bool:
    return hasattr(fl, name) and SINCE.get(name, (0, 0)) <= VERSION


def matrix(loss: Any, weighted: bool) -> Any:
    X, y, weight = table(loss)
    margin = np.zeros((len(y), CLASSES)) if isinstance(loss, fl.CrossEntropy) else np.zeros(len(y))
    return xgb.DMatrix(X, y, weight=weight if weighted else None, base_margin=margin)


def both(name: str, weighted: bool, rounds: int = ROUNDS) -> tuple[Any, Any, Any]:
    """The data, XGBoost's own model, and the one with the preset."""
    given, own = OWN[name]
    loss = getattr(fl, name)(**given)
    custom = adapter.objective(loss, preset=PRESET)
    data = matrix(loss, weighted)
    theirs = xgb.train({**PARAMETERS, **own, "objective": custom.rule.name}, data, rounds)
    kept = {key: own[key] for key in ("num_class", "max_delta_step") if key in own}
    ours = xgb.train({**PARAMETERS, **kept}, data, rounds, obj=custom)
    return data, theirs, ours


def test_presets_are_of_known_objectives() -> None:
    for rules in adapter.PRESETS.values():
        assert set(rules) == set(OWN)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", [n for n in OWN if present(n) and n not in RENEWED])
def test_a_preset_trains_the_same_model(name: str, weighted: bool) -> None:
    data, theirs, ours = both(name, weighted)
    expected = theirs.predict(data, output_margin=True)
    found = ours.predict(data, output_margin=True)
    assert abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", [n for n in RENEWED if present(n)])
def test_where_leaves_are_renewed_the_first_splits_are_the_same(name: str) -> None:
    _, theirs, ours = both(name, weighted=False, rounds=1)
    (tree,), (other,) = (model.get_dump() for model in (theirs, ours))
    splits, leaves = (re.findall(pattern, tree) for pattern in (r"\[.*", r"leaf=.*"))
    assert len(splits) > 5
    assert splits == re.findall(r"\[.*", other)
    assert leaves != re.findall(r"leaf=.*", other)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_the_scikit_learn_interface(weighted: bool) -> None:
    """The same objective and metric objects, through both interfaces, make the same model."""
    loss = fl.Focal(gamma=1.5)
    X, y, weight = table(loss)
    weight = weight if weighted else None
    start = adapter.init_score(loss, y, weight)
    custom, metric = adapter.objective(loss), adapter.metric(loss)
    history: dict[str, Any] = {}
    data = xgb.DMatrix(X, y, weight=weight)
    native = xgb.train(
        {**PARAMETERS, "base_score": start, "disable_default_eval_metric": True},
        data,
        ROUNDS,
        obj=custom,
        custom_metric=metric,
        evals=[(data, "train")],
        evals_result=history,
        verbose_eval=False,
    )
    estimator = clone(
        xgb.XGBRegressor(
            n_estimators=ROUNDS, max_depth=4, learning_rate=0.3, tree_method="hist", n_jobs=2,
            base_score=start, objective=custom, eval_metric=metric,
        )
    )  # fmt: skip
    estimator.fit(X, y, sample_weight=weight, eval_set=[(X, y)], verbose=False)
    scores = native.predict(data)
    np.testing.assert_allclose(estimator.predict(X), scores, atol=1e-6)
    shown = history["train"]["focal"]
    assert shown[0] > shown[-1]
    assert shown[-1] == pytest.approx(loss(scores, y, weight), abs=1e-6)
    alone = estimator.evals_result()["validation_0"]["focal"]
    assert alone[-1] == pytest.approx(loss(scores, y), rel=1e-5)
    assert loss(scores, y) < loss(np.full(len(y), start), y)


def test_classes_through_the_scikit_learn_interface() -> None:
    loss = fl.CrossEntropy()
    X, y, weight = table(loss)
    parameters = {"n_estimators": 5, "max_depth": 3, "n_jobs": 2, "base_score": 0.0}
    # XGBClassifier counts the classes itself.
    ours = xgb.XGBClassifier(
        objective=adapter.objective(loss, PRESET), eval_metric=adapter.metric(loss), **parameters
    ).fit(X, y, sample_weight=weight, eval_set=[(X, y)], verbose=False)
    margin = np.zeros((len(y), CLASSES))
    theirs = xgb.XGBClassifier(**{**parameters, "base_score": None}).fit(
        X, y, sample_weight=weight, base_margin=margin
    )
    found = ours.get_booster().predict(xgb.DMatrix(X), output_margin=True)
    expected = theirs.get_booster().predict(xgb.DMatrix(X, base_margin=margin), output_margin=True)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * abs(expected).max())
    assert ours.evals_result()["validation_0"]["cross_entropy"][-1] == pytest.approx(
        loss(found, y), rel=1e-5
    )


def test_several_targets_and_several_quantiles() -> None:
    X, y, _ = table(fl.SquaredError())
    two = np.stack([y, -y], axis=1)
    model = xgb.train(
        PARAMETERS, xgb.DMatrix(X, two), 20, obj=adapter.objective("half_squared_error")
    )
    scores = model.predict(xgb.DMatrix(X))
    assert scores.shape == two.shape
    assert ((scores - two) ** 2).mean() < 0.3 * y.var()
    levels = fl.Pinball(quantile=[0.1, 0.9], hessian="unit")
    data = xgb.DMatrix(X, y)
    model = xgb.train({**PARAMETERS, "num_class": 2}, data, 60,
                      obj=adapter.objective(levels))  # fmt: skip
    below = (y[:, None] < model.predict(data, output_margin=True)).mean(axis=0)
    assert 0.02 < below[0] < 0.3 < 0.7 < below[1] < 0.98


def test_every_loss_trains() -> None:
    """One round with each loss of numbers or labels."""
    for name, loss, classes, (X, y, weight) in trainings():
        model = xgb.train(
            {**PARAMETERS, **classes},
            xgb.DMatrix(X, y, weight=weight),
            1,
            obj=adapter.objective(loss),
        )
        assert np.isfinite(model.predict(xgb.DMatrix(X))).all(), name
