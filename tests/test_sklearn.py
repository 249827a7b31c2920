"""The linear model is an estimator as scikit-learn wants one, and finds what its models find."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import Array, Case, default_cases, sample
from conftest import framework
from test_examples import run_page

sklearn = framework("sklearn")
framework("scipy")
from scipy import sparse  # noqa: E402
from sklearn import linear_model, metrics  # noqa: E402
from sklearn.base import clone, is_classifier, is_regressor  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_validate  # noqa: E402
from sklearn.preprocessing import scale  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from fastloss.links import input_domains  # noqa: E402
from fastloss.sklearn import LinearModel, scorer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

#: Kinds of target that a table of features can be given as y.
LEARNABLE = ("numbers", "labels", "parameters")
CASES = [
    case
    for case in default_cases()
    if case.kind in LEARNABLE and not case.loss_class.of_log_probabilities
]
every_loss = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def has_kinks(case: Case) -> bool:
    """Whether the Hessian is zero almost everywhere."""
    prediction, target = sample(case, np.float64)
    return not case.loss().grad_and_hess(prediction, target)[1].any()


def is_of_classes(case: Case) -> bool:
    return bool(is_classifier(LinearModel(case.loss())))


def one_of_each_kind() -> list[Case]:
    """The first loss of those that an estimator treats alike."""
    found: dict[Any, Case] = {}
    for case in CASES:
        loss = case.loss()
        domains = input_domains(loss)
        key = (
            is_of_classes(case),
            case.kind,
            domains,
            loss.classwise,
            has_kinks(case),
        )
        found.setdefault(key, case)
    # The checks have classes, numbers and positive numbers, and no shares for a regressor.
    return [case for key, case in found.items() if key[0] or not np.isfinite(key[2][1][1])]


# Penalised and minimised such that two ways to the same minimum agree in seven digits.
TO_CHECK = [
    (
        case,
        LinearModel(
            case.loss(),
            l2=1.0 if is_of_classes(case) else 0.1,
            solver="trust-ncg",
            tol=1e-12,
            max_iter=100,
        ),
    )
    for case in one_of_each_kind()
]


def expected_failures(model: Any) -> dict[str, str]:
    case = next((case for case, checked in TO_CHECK if checked is model), None)
    if case is None or not (has_kinks(case) or case.kind == "parameters"):
        return {}
    reason = "a minimum at a kink is not found to the last digit"
    if case.kind == "parameters":
        reason = "more features than rows: the spread tends to 0 and the likelihood has no maximum"
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in ("dense", "sparse")
    }


@parametrize_with_checks(
    [LinearModel(), *(model for _, model in TO_CHECK)], expected_failed_checks=expected_failures
)
def test_common_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def data(case: Case, n: int = 120) -> tuple[Array, Array]:
    """Features, and targets that depend on them."""
    loss = case.loss()
    random = np.random.default_rng(0)
    X = random.normal(size=(n, 3))
    score = X @ [1.0, -1.0, 0.5]
    if is_classifier(LinearModel(loss)):
        edges = [0.0] if case.kind == "numbers" else [-1.0, 1.0]
        return X, np.array(["a", "b", "c"])[np.digitize(score + 0.5 * random.normal(size=n), edges)]
    low, high = input_domains(loss)[1]
    noisy = score + 0.2 * random.normal(size=n)
    if high <= 1:
        return X, np.clip(1 / (1 + np.exp(-noisy)), low, high)
    if np.isfinite(low):
        return X, np.round(np.exp(noisy / 2)) + (low > 0)
    return X, noisy


def test_logarithms_of_probabilities_are_no_scores() -> None:
    with pytest.raises(ValueError, match="logarithms of probabilities"):
        LinearModel("nll_loss").fit(np.eye(4), [0, 1, 2, 0])


@every_loss
def test_every_loss_fits(case: Case) -> None:
    """Better than a constant, by its own measure; and everything that there is has its shape."""
    X, y = data(case)
    model = LinearModel(case.loss(), l2=1e-3).fit(X, y)
    assert is_classifier(model) != is_regressor(model)
    constant = clone(model).fit(np.zeros_like(X), y)
    judge = scorer(model.loss_)
    if judge(constant, np.zeros_like(X), y) == 0:  # nothing to learn
        return
    assert judge(model, X, y) > judge(constant, np.zeros_like(X), y)
    prediction = model.predict(X)
    assert prediction.shape == y.shape
    if is_classifier(model):
        assert prediction.dtype == y.dtype
        assert model.score(X, y) > 0.8
    else:
        assert np.isfinite(prediction).all()
        # A distance falls where a score rises.
        assert abs(np.corrcoef(prediction, y)[0, 1]) > 0.7
    found = model.predict(sparse.csr_array(X[:5]))
    if is_classifier(model):
        np.testing.assert_array_equal(found, prediction[:5])
    else:
        np.testing.assert_allclose(found, prediction[:5], rtol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict(X) == prediction).all()


@every_loss
def test_probabilities(case: Case) -> None:
    """They are a distribution, follow the decision, and make the expected gradient zero."""
    X, y = data(case)
    model = LinearModel(case.loss(), l2=0.1).fit(X, y)
    if not hasattr(model, "predict_proba"):
        return
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    assert (probability >= 0).all()
    np.testing.assert_array_equal(model.classes_[probability.argmax(axis=1)], model.predict(X))
    if model.loss_.classwise:
        return
    if input_domains(model.loss_)[0][1] == 1:
        given = probability if case.kind == "labels" else probability[:, 1]
        np.testing.assert_allclose(given, model._predictions(X), rtol=1e-12)
        return
    prediction = model._predictions(X)
    low, high = input_domains(model.loss_)[1]
    targets = (low, high) if prediction.ndim == 1 else range(probability.shape[1])
    slope = sum(
        probability[:, k].reshape(-1, *[1] * (prediction.ndim - 1))
        * model.loss_.grad(prediction, np.full(len(X), target), reduction="sum")
        for k, target in enumerate(targets)
    )
    np.testing.assert_allclose(slope, 0, atol=1e-9)


def test_probabilities_are_there_where_the_loss_is_proper() -> None:
    for proper in (
        "binary_cross_entropy",
        "focal",
        "squared_hinge",
        "modified_huber",
        "cross_entropy",
    ):
        assert hasattr(LinearModel(proper), "predict_proba"), proper
    for other in ("hinge", "crammer_singer", "squared_error"):
        assert not hasattr(LinearModel(other), "predict_proba"), other


def test_probabilities_in_closed_form() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 2))
    y = X @ [1.0, -1.0] + random.normal(size=200) > 0
    for loss, function in (
        (
            fl.BinaryCrossEntropy(pos_weight=3.0, label_smoothing=0.1),
            lambda z: 1 / (1 + np.exp(-z)),
        ),
        (fl.Exponential(), lambda z: 1 / (1 + np.exp(-2 * z))),
        (fl.ModifiedHuber(), lambda z: np.clip((1 + z) / 2, 0, 1)),
        (fl.SquaredHinge(), lambda z: np.clip((1 + z) / 2, 0, 1)),
    ):
        model = LinearModel(loss).fit(X, y)
        expected = function(model.decision_function(X))
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, atol=1e-12)
    classes = np.digitize(X @ [1.0, 1.0], [-1, 1])
    model = LinearModel(fl.CrossEntropy(class_weight=[1.0, 2.0, 3.0])).fit(X, classes)
    power = np.exp(model.decision_function(X))
    expected = power / power.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)


# --- what scikit-learn's own models find -------------------------------------------------------


def numbers() -> tuple[Array, Array, Array]:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 5))
    y = 3 + X @ [1.0, -2.0, 0.5, 0.0, 1.5] + random.standard_t(3, size=300)
    return X, y, random.uniform(0.5, 2, 300)


solvers = pytest.mark.parametrize("solver", ["lbfgs", "trust-ncg"])


@solvers
def test_ridge(solver: Any) -> None:
    X, y, weight = numbers()
    theirs = linear_model.Ridge(alpha=30.0, tol=1e-10).fit(X, y, weight)
    ours = LinearModel(fl.SquaredError(half=True), l2=30.0 / weight.sum(), solver=solver)
    ours.fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-5)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-8)


@solvers
def test_huber_regressor(solver: Any) -> None:
    """HuberRegressor finds the scale too; for that scale the coefficients are the same."""
    X, y, weight = numbers()
    theirs = linear_model.HuberRegressor(epsilon=1.5, alpha=0.3, tol=1e-8, max_iter=1000)
    theirs.fit(X, y, weight)
    loss = fl.Huber(delta=1.5 * theirs.scale_)
    ours = LinearModel(loss, l2=0.3 * theirs.scale_ / weight.sum(), solver=solver)
    ours.fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-4)


def test_quantile_regressor() -> None:
    """By the value: a linear programme finds the very corner."""
    X, y, _ = numbers()
    for quantile in (0.1, 0.5, 0.9):
        theirs = linear_model.QuantileRegressor(quantile=quantile, alpha=0.0).fit(X, y)
        ours = LinearModel(fl.Pinball(quantile=quantile), l2=0.0).fit(X, y)
        judge = scorer(fl.Pinball(quantile=quantile))
        assert judge(ours, X, y) == pytest.approx(judge(theirs, X, y), rel=2e-3)
    together = LinearModel(fl.Pinball(quantile=[0.1, 0.9]), l2=0.0).fit(X, y).predict(X)
    assert together.shape == (300, 2)
    inside = (together[:, 0] <= y) & (y <= together[:, 1])
    assert inside.mean() == pytest.approx(0.8, abs=0.02)


@solvers
def test_poisson_regressor(solver: Any) -> None:
    X, _, weight = numbers()
    y = np.random.default_rng(1).poisson(np.exp(0.5 + X @ [0.5, -0.3, 0.0, 0.1, 0.2]))
    theirs = linear_model.PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=1000).fit(X, y, weight)
    ours = LinearModel("poisson", l2=0.1, solver=solver).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5)


@solvers
@pytest.mark.parametrize("loss", [fl.BinaryCrossEntropy(), fl.LogLoss(), fl.SoftMargin()], ids=repr)
def test_logistic_regression_of_two_classes(solver: Any, loss: fl.Loss) -> None:
    X, y, weight = numbers()
    labels = np.where(y > 3, "yes", "no")
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)
    theirs.fit(X, labels, weight)
    ours = LinearModel(loss, l2=1 / (0.5 * weight.sum()), solver=solver).fit(X, labels, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(
        ours.decision_function(X), theirs.decision_function(X), rtol=1e-5, atol=1e-5
    )


@solvers
@pytest.mark.parametrize("loss", [fl.CrossEntropy(), fl.LogLoss()], ids=repr)
def test_logistic_regression_of_several_classes(solver: Any, loss: fl.Loss) -> None:
    X, y, weight = numbers()
    labels = np.digitize(y, [1, 4])
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=1000)
    theirs.fit(X, labels, weight)
    ours = LinearModel(loss, l2=1 / (0.5 * weight.sum()), solver=solver).fit(X, labels, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)


@solvers
def test_one_versus_all(solver: Any) -> None:
    """A binary loss of three classes is three models."""
    X, y, _ = numbers()
    labels = np.digitize(y, [1, 4])
    ours = LinearModel("squared_hinge", l2=0.1, solver=solver).fit(X, labels)
    for k in range(3):
        alone = LinearModel("squared_hinge", l2=0.1, solver=solver).fit(X, labels == k)
        np.testing.assert_allclose(ours.coef_[k], alone.coef_[0], rtol=1e-4, atol=1e-5)


def test_a_distribution() -> None:
    random = np.random.default_rng(0)
    X = random.uniform(-1, 1, size=(4000, 1))
    y = 2 * X[:, 0] + np.exp(0.5 * X[:, 0]) * random.normal(size=4000)
    model = LinearModel(fl.GaussianNLL(), l2=0.0).fit(X, y)
    assert model.coef_.shape == (2, 1)
    np.testing.assert_allclose(model.coef_[:, 0], [2, 0.5], atol=0.06)
    np.testing.assert_array_equal(model.predict_parameters(X)[:, 0], model.predict(X))


def test_warm_start_leads_on_from_a_convex_loss() -> None:
    """Tukey's loss forgets outliers, if it begins where the others are."""
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 1))
    y = 50 + 3 * X[:, 0] + random.normal(size=200)
    y[:60] -= 1000
    model = LinearModel(fl.AbsoluteError(), l2=0.0, warm_start=True).fit(X, y)
    model.set_params(loss=fl.Tukey()).fit(X, y)
    assert model.coef_[0] == pytest.approx(3, abs=0.2)
    assert model.intercept_ == pytest.approx(50, abs=0.2)
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(X[:, [0, 0]], y)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_target_makes_no_difference(unit: float) -> None:
    X, y, _ = numbers()
    model = LinearModel(fl.Huber(delta=unit), l2=0.0).fit(X, unit * y)
    expected = LinearModel(fl.Huber(), l2=0.0).fit(X, y)
    np.testing.assert_allclose(model.coef_ / unit, expected.coef_, rtol=1e-4)


def test_float32_stays() -> None:
    X, y, _ = numbers()
    model = LinearModel(fl.Huber()).fit(X.astype(np.float32), y)
    assert model.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(model.coef_, LinearModel(fl.Huber()).fit(X, y).coef_, rtol=1e-3)


def test_it_says_when_it_has_not_converged() -> None:
    X, y, _ = numbers()
    with pytest.warns(ConvergenceWarning, match="lbfgs ended after 1 step"):
        LinearModel(fl.LogCosh(), max_iter=1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearModel(fl.LogCosh()).fit(X, y)


def test_errors() -> None:
    X, y, _ = numbers()
    with pytest.raises(ValueError, match="unknown loss"):
        LinearModel("no such loss").fit(X, y)
    with pytest.raises(TypeError, match="loss must be a loss"):
        LinearModel(3).fit(X, y)
    with pytest.raises(ValueError, match="solver must be"):
        LinearModel(solver="sgd").fit(X, y)
    with pytest.raises(ValueError, match="response_method"):
        scorer("huber", response_method="transform")
    model = LinearModel("binary_cross_entropy").fit(X, y > 3)
    with pytest.raises(ValueError, match="classes"):
        scorer("binary_cross_entropy")(model, X, np.full(300, 7))


# --- scorers ------------------------------------------------------------------------------------


def test_scorers_are_what_scikit_learn_measures() -> None:
    X, y, weight = numbers()
    ridge = linear_model.Ridge().fit(X, y)
    for loss, theirs in (
        (fl.SquaredError(), metrics.mean_squared_error),
        (fl.AbsoluteError(), metrics.mean_absolute_error),
        (fl.Pinball(quantile=0.3), lambda *a, **k: metrics.mean_pinball_loss(*a, **k, alpha=0.3)),
    ):
        expected = -theirs(y, ridge.predict(X), sample_weight=weight)
        assert scorer(loss)(ridge, X, y, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [2, 3])
def test_scorers_of_classifiers(classes: int) -> None:
    """Logits, probabilities and their logarithms are the same loss; labels may be texts."""
    X, y, weight = numbers()
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [3] if classes == 2 else [1, 4])]
    logistic = linear_model.LogisticRegression().fit(X, labels)
    expected = -metrics.log_loss(labels, logistic.predict_proba(X), sample_weight=weight)
    losses: list[Any] = [fl.LogLoss(), fl.CrossEntropy()]
    if classes == 2:
        losses += [fl.BinaryCrossEntropy(), fl.SoftMargin()]
    for loss in losses:
        for method in ("auto", "predict_proba"):
            judge = scorer(loss, response_method=method)
            assert judge(logistic, X, labels, sample_weight=weight) == pytest.approx(expected)
    forest = RandomForestClassifier(10, random_state=0).fit(X, labels)
    expected = -metrics.log_loss(labels, forest.predict_proba(X))
    assert scorer("log_loss")(forest, X, labels) == pytest.approx(expected)


def test_scorer_of_logarithms_and_of_order() -> None:
    X, _, _ = numbers()
    y = np.random.default_rng(1).poisson(np.exp(X[:, 0] / 2))
    model = linear_model.PoissonRegressor().fit(X, y)
    expected = fl.Poisson()(np.log(model.predict(X)), y)
    assert scorer(fl.Poisson())(model, X, y) == pytest.approx(-expected)
    labels = np.digitize(X[:, 0], [-1, 1])
    ordinal = LinearModel(fl.Ordinal(), l2=0.1).fit(X, labels)
    expected = fl.Ordinal()(ordinal._scores(X), labels)
    assert scorer(fl.Ordinal())(ordinal, X, labels) == pytest.approx(-expected)


def test_cross_validation_and_search() -> None:
    X, y, _ = numbers()
    found = cross_validate(LinearModel(), X, y, scoring={"a": scorer("huber"), "b": "r2"})
    assert (found["test_a"] < 0).all()
    search = GridSearchCV(
        LinearModel(l2=1e-3),
        {"loss": [fl.SquaredError(), fl.Huber(delta=1.0), fl.Cauchy()]},
        scoring=scorer(fl.AbsoluteError()),
    ).fit(scale(X), y)
    assert isinstance(search.best_params_["loss"], fl.Loss)


def test_documentation() -> None:
    run_page("docs/sklearn.md")
