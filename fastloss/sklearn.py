"""scikit-learn: a linear model under any loss, and any loss as a scorer.

>>> import fastloss as fl
>>> from fastloss.sklearn import LinearModel, scorer
>>> from sklearn.datasets import load_breast_cancer
>>> from sklearn.model_selection import cross_validate
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> X, y = load_breast_cancer(return_X_y=True)
>>> model = make_pipeline(StandardScaler(), LinearModel(fl.Focal(gamma=2.0), l2=1e-3))
>>> scoring = {"accuracy": "accuracy", "loss": scorer("binary_cross_entropy")}
>>> found = cross_validate(model, X, y, scoring=scoring)
>>> round(float(found["test_accuracy"].mean()), 2)
0.97
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastloss.extras import require
from fastloss.links import input_domains, link_of, of_logarithm
from fastloss.losses.base import Loss
from fastloss.losses.margin import OneVersusAll
from fastloss.losses.names import as_loss, get
from fastloss.scipy import LinearObjective, linear_objective

optimize = require("scipy.optimize", "sklearn")
BaseEstimator: Any = require("sklearn.base", "sklearn").BaseEstimator
metrics = require("sklearn.metrics", "sklearn")
utils = require("sklearn.utils", "sklearn")
validation = require("sklearn.utils.validation", "sklearn")
multiclass = require("sklearn.utils.multiclass", "sklearn")
ConvergenceWarning = require("sklearn.exceptions", "sklearn").ConvergenceWarning

__all__ = ["LinearModel", "Scorer", "scorer"]

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])
Solver = Literal["lbfgs", "trust-ncg"]

# Rows whose probabilities are solved for at once.
BLOCK = 4096


def _available_if(name: str) -> Callable[[Method], Method]:
    """Make a method available if the property of the estimator says so."""
    decorate: Callable[[Method], Method]
    decorate = utils.metaestimators.available_if(lambda model: getattr(model, name))
    return decorate


class LinearModel(BaseEstimator):  # type: ignore[misc]
    r"""A linear model that minimises any loss of the catalogue, with a ridge penalty.

    .. math:: \ell(\operatorname{link}(X W + b),\, y) + \tfrac{1}{2} \lambda \lVert W \rVert^2

    It is a classifier or a regressor, as the loss is one of classes or of numbers.

    Parameters
    ----------
    loss : Loss or str, default "squared_error"
        A loss or its name. A binary loss of more than two classes is taken one versus all.
    l2 : float, default 1e-4
        The penalty's factor, :math:`\lambda`, beside the mean of the loss. `Ridge`'s alpha divided
        by the number of rows (and as many halves of the loss: ``SquaredError(half=True)``);
        `LogisticRegression`'s 1 / (C rows); the alpha of `PoissonRegressor` and its kin.
    fit_intercept : bool, default True
        Whether there is a b, which is not penalised.
    solver : {"lbfgs", "trust-ncg"}, default "lbfgs"
        SciPy's L-BFGS-B, or Newton's method with exact products with the Hessian in a trust
        region, which takes fewer and dearer steps and leaves saddle points behind.
    tol : float, default 1e-6
        Done when the greatest entry of the gradient has fallen to this share of what it was with
        all coefficients 0.
    max_iter : int, default 1000
        Steps of the solver.
    warm_start : bool, default False
        Whether to begin with the last solution. A loss that forgets outliers altogether wants
        that, with the solution of :class:`~fastloss.Huber` say.

    Attributes
    ----------
    coef_ : array, (features,) or (scores, features)
        A row for each output, class, quantile or parameter of a distribution, where there are
        several; of two classes by a loss of one score, a single row.
    intercept_ : float or array, (scores,)
    classes_ : array, (classes,)
        Of a classifier.
    loss_ : Loss
        That was minimised.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X had names.

    See Also
    --------
    scorer : any loss, to judge any estimator with.
    fastloss.scipy.linear_objective : what is minimised, for other optimisers.

    Notes
    -----
    Numbers are predicted as the targets are, positive means rather than their logarithms;
    `predict_parameters` returns all that a loss with several predictions has, of which `predict`
    returns the first as it is: for :class:`~fastloss.LogNormalNLL` the mean of the logarithm.

    Probabilities come from the loss itself, where it is strictly proper: they are those under which
    the score is best on average, so that the sum of probability times gradient is zero. For
    cross-entropies that is the sigmoid or the softmax. Weights of classes in the loss, `pos_weight`
    and `alpha` among them, count as weights of the rows: the probabilities are of the data so
    weighted, and 1/2 where the decision turns. Other losses, such as the hinge, have none.

    A loss with kinks has no gradient that vanishes at its minimum; L-BFGS-B comes near it and may
    end with a line search that fails, and says so.

    Examples
    --------
    >>> import numpy as np, fastloss as fl
    >>> from fastloss.sklearn import LinearModel
    >>> X, y = np.arange(6.0)[:, None], np.array([0.0, 1.0, 2.0, 3.0, 4.0, 50.0])
    >>> LinearModel(fl.Huber(delta=0.1), l2=0.0).fit(X, y).predict([[6.0]]).round()
    array([6.])
    >>> model = LinearModel("cross_entropy").fit(X, ["a", "a", "b", "b", "c", "c"])
    >>> model.predict([[1.0], [2.5], [4.0]])
    array(['a', 'b', 'c'], dtype='<U1')
    """

    def __init__(
        self,
        loss: Loss | str = "squared_error",
        *,
        l2: float = 1e-4,
        fit_intercept: bool = True,
        solver: Solver = "lbfgs",
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.loss = loss
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearModel:
        """Minimise.

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)
            float32 and float64 are used as they are.
        y : array, (rows,) or (rows, outputs)
        sample_weight : array, (rows,), optional

        Returns
        -------
        LinearModel
            This.
        """
        loss = as_loss(self.loss)
        if loss.of_log_probabilities:
            raise ValueError(
                f"{loss!r} takes logarithms of probabilities, and a linear model's scores are any "
                "numbers; take a loss of logits"
            )
        if self.solver not in ("lbfgs", "trust-ncg"):
            raise ValueError(f"solver must be 'lbfgs' or 'trust-ncg', got {self.solver!r}")
        classifies = _classifies(loss)
        X, y = validation.validate_data(
            self,
            X,
            y,
            accept_sparse=("csr", "csc"),
            dtype=(np.float64, np.float32),
            multi_output=not classifies,
            y_numeric=not classifies,
        )
        if sample_weight is not None:
            sample_weight = validation._check_sample_weight(sample_weight, X)
        classes = None
        if classifies:
            loss, y, classes = self._encode(loss, y)
        elif y.ndim == 2 and not utils.get_tags(self).target_tags.multi_output:
            y = utils.column_or_1d(y, warn=True)
        self.loss_ = loss
        objective = linear_objective(
            loss,
            X,
            y,
            sample_weight,
            l2=self.l2,
            fit_intercept=self.fit_intercept,
            classes=classes,
        )
        self._minimize(objective)
        return self

    def _encode(self, loss: Loss, y: Any) -> tuple[Loss, Array, int | None]:
        """Return the loss of so many classes, its targets, and how many where it needs to know."""
        multiclass.check_classification_targets(y)
        y = utils.column_or_1d(y, warn=True)
        self.classes_, labels = np.unique(y, return_inverse=True)
        count = len(self.classes_)
        if count < 2:
            raise ValueError(
                f"y must have at least 2 classes, got the one class {self.classes_[0]!r}"
            )
        if "numbers" not in loss.targets:
            return loss, labels, count
        if count == 2:
            return loss, np.asarray(input_domains(loss)[1])[labels], None
        if "labels" not in loss.targets:
            loss = OneVersusAll(loss, reduction=loss.reduction)
        return loss, labels, count

    def _minimize(self, objective: LinearObjective) -> None:
        start = objective.start
        # In the unit of this problem, whatever that of the targets is.
        value, gradient = objective(start)
        unit = abs(value) if np.isfinite(value) and value != 0 else 1.0
        tolerance = self.tol * float(np.abs(gradient).max()) / unit
        if self.warm_start and hasattr(self, "coef_"):
            start = self._last(objective)

        def scaled(x: Array) -> tuple[float, Array]:
            value, gradient = objective(x)
            return value / unit, gradient / unit

        options: dict[str, Any] = {"maxiter": self.max_iter, "gtol": tolerance}
        if self.solver == "lbfgs":
            options["ftol"] = 64 * np.finfo(np.float64).eps
            found = optimize.minimize(scaled, start, jac=True, method="L-BFGS-B", options=options)
        else:
            options["max_trust_radius"] = np.inf
            found = optimize.minimize(
                scaled,
                start,
                jac=True,
                hessp=lambda x, v: objective.hessp(x, v) / unit,
                method="trust-ncg",
                options=options,
            )
        if not found.success:
            warnings.warn(
                f"{self.solver} ended after {found.nit} steps before the gradient had vanished: "
                f"{found.message} Scale the features, or raise max_iter or tol; "
                "a loss with kinks may be at its minimum all the same.",
                ConvergenceWarning,
                stacklevel=3,
            )
        coefficients, intercept = objective.parameters(found.x)
        self._outputs = objective.outputs
        self.coef_ = np.moveaxis(coefficients, 0, -1)
        self.intercept_: Any = intercept
        if not self._outputs:
            self.intercept_ = intercept.item()
            if self._is_classifier:
                self.coef_, self.intercept_ = self.coef_[None], intercept[None]
        self.n_iter_ = max(1, int(found.nit))

    def _last(self, objective: LinearObjective) -> Array:
        """Return the parameters that were found last."""
        last = np.vstack([self._rows_of_coefficients().T, np.ravel(self.intercept_)])
        last = last[: len(last) if self.fit_intercept else -1].ravel()
        if last.shape != objective.start.shape:
            raise ValueError(
                f"warm_start needs a solution of {len(objective.start)} parameters, got {len(last)}"
            )
        return last

    def _rows_of_coefficients(self) -> Array:
        rows: Array = self.coef_.reshape(-1, self.coef_.shape[-1])
        return rows

    def _scores(self, X: Any) -> Array:
        validation.check_is_fitted(self)
        X = validation.validate_data(
            self, X, accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32), reset=False
        )
        scores = X @ self._rows_of_coefficients().T.astype(X.dtype, copy=False)
        scores += np.ravel(self.intercept_).astype(X.dtype)
        return np.asarray(scores).reshape(X.shape[0], *self._outputs)

    def _predictions(self, X: Any) -> Array:
        """Return what the loss takes."""
        scores = self._scores(X)
        link_of(self.loss_, classes=self._of_rows).predict(scores)
        return scores

    def predict(self, X: Any) -> Array:
        """Return the most probable classes, or numbers of the targets' kind.

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)
        """
        if self._is_classifier:
            decision = self.decision_function(X)
            chosen = decision.argmax(axis=1) if decision.ndim == 2 else (decision > 0).astype(int)
            found: Array = self.classes_[chosen]
            return found
        prediction = self._predictions(X)
        if self.loss_.class_axis == "parameters":
            prediction = np.ascontiguousarray(prediction[..., 0])
        return np.exp(prediction) if of_logarithm(self.loss_) else prediction

    @_available_if("_is_classifier")
    def decision_function(self, X: Any) -> Array:
        """Return the score of each class, (rows, classes); of two, by how much the second leads.

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)
        """
        scores = self._scores(X)
        if scores.ndim == 1:
            return scores
        if self.loss_.classwise == "cumulative":
            if scores.shape[1] == 1:
                return scores[:, 0]
            if _has_probabilities(self.loss_):
                return _probabilities(self.loss_, scores)
            # Each threshold speaks for all classes above it.
            return np.cumsum(np.insert(scores, 0, 0, axis=1), axis=1)
        return scores if scores.shape[1] > 2 else scores[:, 1] - scores[:, 0]

    @_available_if("_has_probabilities")
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (rows, classes).

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)
        """
        predictions = self._predictions(X)
        return _probabilities(self.loss_, predictions)

    @_available_if("_has_probabilities")
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probabilities.

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)
        """
        with np.errstate(divide="ignore"):
            logarithm: Array = np.log(self.predict_proba(X))
        return logarithm

    @_available_if("_has_parameters")
    def predict_parameters(self, X: Any) -> Array:
        """Return all that the loss has predicted for one number, (rows, parameters).

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)

        Examples
        --------
        >>> import numpy as np, fastloss as fl
        >>> from fastloss.sklearn import LinearModel
        >>> random = np.random.default_rng(0)
        >>> X = random.uniform(size=(2000, 1))
        >>> y = X[:, 0] * random.normal(size=2000)
        >>> model = LinearModel(fl.GaussianNLL()).fit(X, y)
        >>> model.loss_.predictions
        ('mean', 'log_scale')
        >>> model.predict_parameters([[0.1], [1.0]]).shape
        (2, 2)
        """
        return self._predictions(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of a classifier, the R² of a regressor.

        Parameters
        ----------
        X : array or sparse matrix, (rows, features)
        y : array
        sample_weight : array, (rows,), optional
        """
        judge = metrics.accuracy_score if self._is_classifier else metrics.r2_score
        return float(judge(y, self.predict(X), sample_weight=sample_weight))

    @property
    def _is_classifier(self) -> bool:
        return _classifies(as_loss(self.loss))

    @property
    def _has_probabilities(self) -> bool:
        return _has_probabilities(getattr(self, "loss_", None) or as_loss(self.loss))

    @property
    def _has_parameters(self) -> bool:
        return as_loss(self.loss).class_axis == "parameters"

    @property
    def _of_rows(self) -> bool:
        """Whether a row of scores has one for each class."""
        return self._is_classifier and bool(self._outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        loss = as_loss(self.loss)
        if _classifies(loss):
            tags.estimator_type = "classifier"
            tags.classifier_tags = utils.ClassifierTags()
        else:
            tags.estimator_type = "regressor"
            # The first parameter of a distribution may be that of a logarithm.
            poor = loss.class_axis == "parameters"
            tags.regressor_tags = utils.RegressorTags(poor_score=poor)
            positive = bool(input_domains(loss)[1][0] >= 0)
            tags.target_tags.positive_only = positive
            # The common checks of several outputs know of no positive targets.
            tags.target_tags.multi_output = not positive
        return tags


def scorer(loss: Loss | str, *, response_method: str = "auto") -> Scorer:
    """Make a scorer of a loss, for `cross_validate`, `GridSearchCV` and the like.

    Parameters
    ----------
    loss : Loss or str
        A loss or its name.
    response_method : {"auto", "predict", "predict_proba", "decision_function", \
"predict_parameters"}, default "auto"
        What of the estimator the loss is given: by default what it is of, which is probabilities,
        scores of classes (`decision_function`), all parameters of a distribution, or numbers. A
        loss of logits takes probabilities too, as their logarithms and logits; one of ordered
        classes takes nothing else.

    Returns
    -------
    Scorer
        Called with an estimator, X, y and optionally sample_weight, it returns the loss's negative,
        so that greater is better.

    Notes
    -----
    Labels are those of the estimator's `classes_`. A loss of logarithms (of means, say) is given
    the logarithm of what an estimator predicts.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.sklearn import scorer
    >>> from sklearn.linear_model import LinearRegression
    >>> X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 5.0]
    >>> round(scorer(fl.AbsoluteError())(LinearRegression().fit(X, y), X, y), 6)
    -0.666667
    """
    made = as_loss(loss)
    methods = ("auto", "predict", "predict_proba", "decision_function", "predict_parameters")
    if response_method not in methods:
        raise ValueError(f"response_method must be one of {methods}, got {response_method!r}")
    if response_method == "auto":
        if made.class_axis == "parameters":
            response_method = "predict_parameters"
        elif not _classifies(made):
            response_method = "predict"
        elif input_domains(made)[0][1] == 1 or made.classwise == "cumulative":
            response_method = "predict_proba"
        else:
            response_method = "decision_function"
    return Scorer(made, response_method)


@dataclasses.dataclass(frozen=True)
class Scorer:
    """The negative of a loss, as a scorer; see :func:`scorer`."""

    loss: Loss
    response_method: str

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the negative of the loss."""
        response = np.asarray(getattr(estimator, self.response_method)(X))
        if _classifies(self.loss):
            prediction, target = self._of_classes(response, estimator.classes_, y)
        else:
            target = np.asarray(y)
            prediction = response
            if of_logarithm(self.loss):
                with np.errstate(divide="ignore"):
                    prediction = np.log(response)
        return -float(self.loss.value(prediction, target, sample_weight))

    def _of_classes(self, response: Array, classes: Array, y: Any) -> tuple[Array, Array]:
        labels = np.searchsorted(classes, y)
        known = labels < len(classes)
        if not (known.all() and (classes[labels] == np.asarray(y)).all()):
            raise ValueError(f"y must hold the estimator's classes {classes}, got others too")
        of_probabilities = input_domains(self.loss)[0][1] == 1
        if self.response_method == "predict_proba" and not of_probabilities:
            with np.errstate(divide="ignore"):
                if self.loss.classwise == "cumulative":
                    below = np.cumsum(response, axis=1)[:, :-1]
                    above = np.cumsum(response[:, ::-1], axis=1)[:, -2::-1]
                    return np.log(above) - np.log(below), labels
                response = np.log(response)
                if len(classes) == 2:
                    response = response[:, 1] - response[:, 0]
        if "numbers" in self.loss.targets and len(classes) == 2:
            if response.ndim == 2:
                response = response[:, 1]
            return response, np.asarray(input_domains(self.loss)[1])[labels]
        if response.ndim == 1:
            response = np.stack([-response / 2, response / 2], axis=1)
        return response, labels


# --- classes and their probabilities ------------------------------------------------------------


def _classifies(loss: Loss) -> bool:
    """Say whether targets are classes, and predictions scores or probabilities of them."""
    if "labels" in loss.targets:
        return True
    ends = input_domains(loss)[1]
    return "numbers" in loss.targets and bool(np.isfinite(ends).all()) and not loss.of_distance


def _around_the_border(loss: Loss, distance: float) -> Array:
    """Return two predictions, for one class and for the other."""
    prediction = np.array([-distance, distance])
    link_of(loss).predict(prediction)
    return prediction


def _neutral(loss: Loss) -> Loss:
    """Return the loss without what changes the targets rather than judges them."""
    fields = {field.name for field in dataclasses.fields(loss)}
    without = {"label_smoothing": 0.0, "class_weight": None}
    changes: dict[str, Any] = {name: value for name, value in without.items() if name in fields}
    if isinstance(getattr(loss, "binary", None), Loss):
        changes["binary"] = _neutral(loss._of_numbers())
    return dataclasses.replace(loss, **changes)


def _has_probabilities(loss: Loss) -> bool:
    """Say whether different scores are best for different probabilities, here near the border."""
    if not _classifies(loss):
        return False
    if "numbers" in loss.targets:
        return _tells_probabilities(loss)
    if loss.classwise in ("one_hot", "cumulative"):
        return _tells_probabilities(loss._of_numbers())
    score = np.array([[0.3, -0.2, 0.1], [0.6, -0.4, 0.2]])
    near, far = _probabilities(loss, score)
    ordered = (np.argsort(near) == np.argsort(score[0])).all()
    return bool(ordered and near[0] < far[0] and near[1] > far[1])


def _tells_probabilities(binary: Loss) -> bool:
    with np.errstate(all="ignore"):
        second = _two_classes(_neutral(binary), _around_the_border(binary, 0.25))[:, 1]
    return bool(second[0] < 0.5 < second[1])


def _probabilities(loss: Loss, prediction: Array) -> Array:
    """Return the probabilities of the classes under which each prediction is the best one."""
    loss = _neutral(loss)
    if prediction.ndim == 1:
        return _two_classes(loss, prediction)
    if input_domains(loss)[0][1] == 1:
        return prediction
    if loss.classwise == "one_hot":
        each = _two_classes(loss._of_numbers(), prediction)[..., 1]
        total = each.sum(axis=1, keepdims=True)
        shares: Array = np.where(total > 0, each, 1) / np.where(total > 0, total, each.shape[1])
        return shares
    if loss.classwise == "cumulative":
        above = _two_classes(loss._of_numbers(), prediction)[..., 1]
        above = np.minimum.accumulate(np.insert(above, 0, 1, axis=1), axis=1)
        return -np.diff(above, axis=1, append=0)
    scores = np.array(prediction)
    link = link_of(get("log_loss"), classes=True)
    probe = np.array([[0.3, -0.2, 0.1]])
    softmax = probe.copy()
    link.predict(softmax)
    if np.abs(_slopes(loss, probe)[0] @ softmax[0]).max() < 1e-12:
        link.predict(scores)
        return scores
    for start in range(0, len(scores), BLOCK):
        rows = scores[start : start + BLOCK]
        slopes = _slopes(loss, rows)
        # Probabilities make the expected gradient zero, and their sum one.
        size = np.abs(slopes).max(axis=(1, 2), keepdims=True)
        ones = np.where(size > 0, size, 1) * np.ones((1, 1, rows.shape[1]))
        inverse = np.linalg.pinv(np.concatenate([slopes, ones], axis=1))
        rows[...] = np.maximum(inverse[..., -1], 0)
        rows /= rows.sum(axis=1, keepdims=True)
    return scores


def _slopes(loss: Loss, prediction: Array) -> Array:
    """Return the gradients with respect to a row for each label it may have, the last axis."""
    classes = range(prediction.shape[1])
    labels = (np.full(len(prediction), k) for k in classes)
    return np.stack([loss.grad(prediction, y, reduction="sum") for y in labels], axis=-1)


def _two_classes(loss: Loss, prediction: Array) -> Array:
    """Return the probabilities of two classes, the last axis."""
    low, high = input_domains(loss)[1]
    border = np.zeros(1)
    link_of(loss).predict(border)

    def slopes(at: Array) -> tuple[Array, Array]:
        first = loss.grad(at, np.full(at.shape, low), reduction="sum")
        return first, -loss.grad(at, np.full(at.shape, high), reduction="sum")

    (first_there,), (second_there,) = slopes(border)
    first, second = slopes(prediction)
    first, second = first * second_there, second * first_there
    total = first + second
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.stack([second, first], axis=-1) / total[..., None]
    # Where both slopes have vanished, the side of the border is all that there is to know.
    sure = np.stack([prediction < border, prediction >= border], axis=-1)
    return np.clip(np.where(total[..., None] > 0, found, sure), 0, 1)
