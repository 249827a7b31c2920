"""LightGBM trains with fastloss's losses; with a preset, the model that it makes itself."""

import re
from typing import Any

import numpy as np
import pytest

import fastloss as fl
import fastloss.lightgbm as adapter
from booster_cases import CLASSES, table, trainings
from conftest import framework

lgb = framework("lightgbm")
from sklearn.base import clone  # noqa: E402

PRESET = "lightgbm-4"
PARAMETERS: dict[str, Any] = {
    "num_leaves": 15, "learning_rate": 0.3, "num_threads": 2, "verbose": -1, "deterministic": True,
    "force_row_wise": True, "min_data_in_leaf": 5, "boost_from_average": False,
}  # fmt: skip
ROUNDS = 20
# Scores that differ by so much beside the largest: LightGBM rounds derivatives to float32.
TOLERANCE = 1e-6

# LightGBM's own objectives with parameters, by the loss that a preset makes them of.
OWN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SquaredError": ({}, {}),
    "Huber": ({"delta": 0.75}, {"alpha": 0.75}),
    "Fair": ({"c": 1.5}, {"fair_c": 1.5}),
    "BinaryCrossEntropy": ({}, {}),
    "CrossEntropy": ({}, {"num_class": CLASSES}),
    "OneVersusAll": ({}, {"num_class": CLASSES}),
    "CrossEntropyLambda": ({}, {}),
    "Poisson": ({}, {}),
    "Gamma": ({}, {}),
    "Tweedie": ({"power": 1.3}, {"tweedie_variance_power": 1.3}),
    "AbsoluteError": ({}, {}),
    "Pinball": ({"quantile": 0.75}, {"alpha": 0.75}),
    "AbsolutePercentageError": ({"eps": 1.0}, {}),
}
RENEWED = ("AbsoluteError", "Pinball", "AbsolutePercentageError")
# Whose weights are something else than factors of the loss.
UNWEIGHTED = ("CrossEntropyLambda",)


def both(name: str, weighted: bool, rounds: int = ROUNDS, alias: str = "") -> tuple[Any, ...]:
    """The features, LightGBM's own model, and the one with the preset."""
    given, own = OWN[name]
    loss = getattr(fl, name)(**given)
    custom = adapter.objective(loss, preset=PRESET)
    X, y, weight = table(loss)

    def data() -> Any:
        return lgb.Dataset(X, y, weight=weight if weighted else None)

    named = {**PARAMETERS, **own, "objective": alias or custom.rule.name}
    theirs = lgb.train(named, data(), rounds)
    kept = {key: own[key] for key in ("num_class",) if key in own}
    ours = lgb.train({**PARAMETERS, **kept, "objective": custom}, data(), rounds)
    return X, theirs, ours


def test_presets_are_of_known_objectives() -> None:
    assert set(adapter.PRESETS[PRESET]) == set(OWN)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", [n for n in OWN if hasattr(fl, n) and n not in RENEWED])
def test_a_preset_trains_the_same_model(name: str, weighted: bool) -> None:
    if weighted and name in UNWEIGHTED:
        pytest.skip("the weight is the exposure")
    X, theirs, ours = both(name, weighted)
    expected = theirs.predict(X, raw_score=True)
    found = ours.predict(X)
    assert abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * abs(expected).max(), rtol=0)


def test_cross_entropy() -> None:
    X, theirs, ours = both("BinaryCrossEntropy", True, alias="cross_entropy")
    expected = theirs.predict(X, raw_score=True)
    np.testing.assert_allclose(
        ours.predict(X), expected, atol=TOLERANCE * abs(expected).max(), rtol=0
    )


@pytest.mark.parametrize("name", RENEWED)
def test_where_leaves_are_renewed_the_first_splits_are_the_same(name: str) -> None:
    _, theirs, ours = both(name, weighted=False, rounds=1)
    told = [
        dict(re.findall(r"^(\w+)=(.*)$", model.model_to_string(), re.MULTILINE))
        for model in (theirs, ours)
    ]
    for what in ("split_feature", "threshold"):
        assert told[0][what].count(" ") > 5
        assert told[0][what] == told[1][what]
    assert told[0]["leaf_value"] != told[1]["leaf_value"]


@pytest.mark.parametrize("name", ["SquaredError", "BinaryCrossEntropy", "CrossEntropy", "Poisson"])
def test_init_score_is_where_lightgbm_begins(name: str) -> None:
    """With the best constant as the beginning, the model is the one of boost_from_average."""
    given, own = OWN[name]
    loss = getattr(fl, name)(**given)
    custom = adapter.objective(loss, preset=PRESET)
    X, y, weight = table(loss)
    start = adapter.init_score(custom.loss, y, weight)
    begin = np.broadcast_to(start, (len(y), *np.shape(start)))
    parameters = {**PARAMETERS, **own, "boost_from_average": True}
    theirs = lgb.train(
        {**parameters, "objective": custom.rule.name}, lgb.Dataset(X, y, weight=weight), ROUNDS
    )
    ours = lgb.train(
        {**parameters, "objective": custom},
        lgb.Dataset(X, y, weight=weight, init_score=np.array(begin)),
        ROUNDS,
    )
    expected, found = theirs.predict(X, raw_score=True), ours.predict(X) + start
    if name == "CrossEntropy":  # the same for all classes makes no difference
        expected, found = (s - s.mean(axis=1, keepdims=True) for s in (expected, found))
    np.testing.assert_allclose(found, expected, atol=2e-6 * abs(expected).max(), rtol=0)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_the_scikit_learn_interface(weighted: bool) -> None:
    """The same objective and metric objects, through both interfaces, make the same model."""
    loss = fl.Focal(gamma=1.5)
    X, y, weight = table(loss)
    weight = weight if weighted else None
    custom, metric = adapter.objective(loss), adapter.metric(loss)
    history: dict[str, Any] = {}
    data = lgb.Dataset(X, y, weight=weight)
    native = lgb.train(
        {**PARAMETERS, "objective": custom, "metric": "none"},
        data,
        ROUNDS,
        valid_sets=[data],
        valid_names=["train"],
        feval=metric,
        callbacks=[lgb.record_evaluation(history)],
    )
    estimator = clone(lgb.LGBMRegressor(n_estimators=ROUNDS, objective=custom, **PARAMETERS))
    estimator.fit(
        X, y, sample_weight=weight, eval_set=[(X, y)], eval_sample_weight=[weight],
        eval_metric=metric,
    )  # fmt: skip
    scores = native.predict(X)
    np.testing.assert_allclose(estimator.predict(X), scores, atol=1e-12)
    shown = history["train"]["focal"]
    assert shown[0] > shown[-1]
    assert shown[-1] == pytest.approx(loss(scores, y.astype(np.float32), weight), rel=1e-6)
    assert estimator.evals_result_["training"]["focal"] == pytest.approx(shown)


def test_classes_through_the_scikit_learn_interface() -> None:
    loss = fl.CrossEntropy()
    X, y, weight = table(loss)
    parameters = {**PARAMETERS, "n_estimators": 5, "num_class": CLASSES}
    ours = lgb.LGBMClassifier(objective=adapter.objective(loss, PRESET), **parameters)
    ours.fit(X, y, sample_weight=weight, eval_set=[(X, y)], eval_metric=adapter.metric(loss))
    theirs = lgb.LGBMClassifier(objective="multiclass", **parameters)
    theirs.fit(X, y, sample_weight=weight)
    expected = theirs.predict(X, raw_score=True)
    found = ours.predict(X, raw_score=True)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * abs(expected).max())
    shown = ours.evals_result_["training"]["cross_entropy"][-1]
    assert shown == pytest.approx(loss(found, y, weight), rel=0.05)


def test_every_loss_trains() -> None:
    """One round with each loss of numbers or labels."""
    for name, loss, classes, (X, y, weight) in trainings():
        model = lgb.train(
            {**PARAMETERS, **classes, "objective": adapter.objective(loss)},
            lgb.Dataset(X, y, weight=weight),
            1,
        )
        assert np.isfinite(model.predict(X)).all(), name
