"""SciPy: a linear model under any loss, as the functions that its optimisers take.

>>> import numpy as np, fastloss as fl
>>> from scipy.optimize import minimize
>>> from fastloss.scipy import linear_objective
>>> random = np.random.default_rng(0)
>>> X = random.normal(size=(500, 3))
>>> y = X @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * random.standard_t(2, size=500)
>>> objective = linear_objective(fl.Huber(delta=0.15), X, y, l2=1e-6)
>>> found = minimize(objective, objective.start, jac=True, method="L-BFGS-B")
>>> coefficients, intercept = objective.parameters(found.x)
>>> coefficients.round(1), round(intercept.item(), 1)
(array([ 1. , -2. ,  0.5]), 3.0)

Products with the exact Hessian are there for Newton's method:

>>> newton = minimize(
...     objective, objective.start, jac=True, hessp=objective.hessp, method="trust-ncg"
... )
>>> bool(np.allclose(newton.x, found.x, atol=1e-3))
True
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.links import Exponential, input_domains, link_of, of_logarithm
from fastloss.losses.base import Loss
from fastloss.losses.names import as_loss

__all__ = ["LinearObjective", "linear_objective"]

Array = NDArray[Any]


class LinearObjective:
    """The loss of a linear model as a function of its parameters; see :func:`linear_objective`.

    A call returns value and gradient, for ``jac=True``.

    Attributes
    ----------
    loss : Loss
        With the axis of classes or of several predictions last.
    link : Link
        What turns scores into the loss's predictions.
    outputs : tuple of int
        Shape of the scores of one row; empty for a single one.
    start : array of float64
        Where to begin: coefficients of 0, and the intercept of a constant model where the loss
        takes numbers.
    """

    def __init__(
        self,
        loss: Loss | str,
        X: Any,
        y: Any,
        weight: Any = None,
        *,
        l2: float = 0.0,
        fit_intercept: bool = True,
        classes: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        loss = as_loss(loss)
        if loss.reduction == "none":
            raise ValueError("loss must have the reduction 'mean' or 'sum', got 'none'")
        if not l2 >= 0:
            raise ValueError(f"l2 must not be negative, got {l2!r}")
        self._X = _features(X)
        self._target = np.asarray(y)
        rows, features = self._X.shape
        if self._target.ndim == 0 or len(self._target) != rows:
            raise ValueError(f"y must have {rows} rows as X has, got shape {self._target.shape}")
        self._weight = None if weight is None else np.asarray(weight)
        self._l2, self._fit_intercept = float(l2), fit_intercept
        kind = _target_kind(loss, self._target, classes)
        per_row = _scores_of_one(loss, kind, self._target, classes)
        # The axis is this model's own, and the last; a loss without one has no such field.
        fields = {field.name for field in dataclasses.fields(loss)}
        moved: dict[str, Any] = {"axis": -1} if "axis" in fields else {}
        self.loss = dataclasses.replace(loss, **moved)
        self.link = link_of(loss, classes=kind in ("labels", "probabilities"))
        self.outputs = (*self._target.shape[1:], *per_row)
        self._options: dict[str, Any] = {"n_threads": n_threads}

        columns = int(np.prod(self.outputs))
        self._shape = (features + fit_intercept, columns)
        dtype = self._X.dtype
        # The last two are for products with the Hessian, which not everyone asks for.
        self._prediction = np.empty((rows, columns), dtype)
        self._gradient = np.empty((rows, columns), dtype)
        self._chained: Array | None = None
        self._tangent: Array | None = None
        self._at: Array | None = None
        self.start = np.zeros(self._shape)
        if fit_intercept:
            self.start[-1] = self._constant(kind)
        self.start = self.start.reshape(-1)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Return value and gradient.

        Parameters
        ----------
        x : array
            All parameters in one vector: a row of coefficients for each feature, then the
            intercepts.
        """
        w = np.asarray(x, np.float64).reshape(self._shape)
        self._predict(w)
        value, _ = self.loss.value_and_grad(
            self._rows(self._prediction),
            self._target,
            self._weight,
            out=self._rows(self._gradient),
            **self._options,
        )
        self._at = w.copy()
        penalised = w[: self._X.shape[1]]
        value += 0.5 * self._l2 * float(np.vdot(penalised, penalised))
        gradient = self._back(self._of_scores(self._gradient))
        gradient[: len(penalised)] += self._l2 * penalised
        return value, gradient.reshape(-1)

    def hessp(self, x: Array, v: Array) -> Array:
        """Return the product of the Hessian at `x` and a vector.

        Parameters
        ----------
        x, v : array
            As for a call. Products at the point of the last call need no new pass over the scores.
        """
        w = np.asarray(x, np.float64).reshape(self._shape)
        direction = np.asarray(v, np.float64).reshape(self._shape)
        if self._at is None or not np.array_equal(w, self._at):
            self(x)
        if self._tangent is None:
            self._tangent = np.empty_like(self._prediction)
        tangent = self._tangent
        self._forward(direction, tangent)
        self.link.chain(self._rows(self._prediction), self._rows(tangent))
        product = self._scratch()
        self.loss.hvp(
            self._rows(self._prediction),
            self._target,
            self._rows(tangent),
            self._weight,
            out=self._rows(product),
            **self._options,
        )
        self.link.chain(self._rows(self._prediction), self._rows(product))
        result = self._back(product)
        if not self.link.identity:
            np.copyto(product, self._gradient)
            self.link.bend(self._rows(self._prediction), self._rows(product), self._rows(tangent))
            result += self._back(product)
        features = self._X.shape[1]
        result[:features] += self._l2 * direction[:features]
        return result.reshape(-1)

    def parameters(self, x: Array) -> tuple[Array, Array]:
        """Return the coefficients, (features, *outputs), and the intercepts, outputs.

        Parameters
        ----------
        x : array
            Such as an optimiser's result.
        """
        w = np.asarray(x).reshape(self._shape)
        features = self._X.shape[1]
        intercept = w[-1] if self._fit_intercept else np.zeros(self._shape[1])
        return w[:features].reshape(features, *self.outputs), intercept.reshape(self.outputs)

    def _constant(self, kind: str) -> float | Array:
        """Return the score of a model without features, where targets are numbers."""
        if kind != "numbers" or input_domains(self.loss)[1][1] <= 1:
            return 0.0
        if self._weight is not None and not self._weight.any():
            return 0.0
        mean = np.average(self._target, axis=0, weights=self._weight).ravel()
        link = Exponential() if of_logarithm(self.loss) else self.link
        scores = [link.start(float(m)) for m in mean]
        return np.repeat(scores, self._shape[1] // len(scores))

    def _predict(self, w: Array) -> None:
        self._forward(w, self._prediction)
        self.link.predict(self._rows(self._prediction))

    def _forward(self, w: Array, out: Array) -> None:
        """Write the scores of parameters."""
        features = self._X.shape[1]
        # In the type of X, or NumPy would convert all of X.
        coefficients = w[:features].astype(out.dtype)
        if isinstance(self._X, np.ndarray):
            np.matmul(self._X, coefficients, out=out)
        else:
            out[...] = self._X @ coefficients
        if self._fit_intercept:
            np.add(out, w[features].astype(out.dtype), out=out)

    def _back(self, of_score: Array) -> Array:
        """Return the gradient of the parameters from that of the scores."""
        result = np.empty(self._shape)
        result[: self._X.shape[1]] = self._X.T @ of_score
        if self._fit_intercept:
            result[-1] = of_score.sum(axis=0, dtype=np.float64)
        return result

    def _of_scores(self, gradient: Array) -> Array:
        """Return the gradient with respect to scores, and leave that of predictions as it is."""
        if self.link.identity:
            return gradient
        chained = self._scratch()
        np.copyto(chained, gradient)
        self.link.chain(self._rows(self._prediction), self._rows(chained))
        return chained

    def _scratch(self) -> Array:
        if self._chained is None:
            self._chained = np.empty_like(self._prediction)
        return self._chained

    def _rows(self, scores: Array) -> Array:
        """Return scores in the shape that the loss takes."""
        return scores.reshape(len(scores), *self.outputs)


def linear_objective(
    loss: Loss | str,
    X: Any,
    y: Any,
    weight: Any = None,
    *,
    l2: float = 0.0,
    fit_intercept: bool = True,
    classes: int | None = None,
    n_threads: int | None = None,
) -> LinearObjective:
    r"""Make the objective of a linear model under a loss, for `scipy.optimize.minimize`.

    .. math:: \ell(\operatorname{link}(X W + b),\, y) + \tfrac{1}{2} \lambda \lVert W \rVert^2

    Parameters
    ----------
    loss : Loss or str
        Any, or its name; its reduction, "mean" or "sum", is that of the first term.
    X : array or sparse matrix, (rows, features)
        Of float32 or float64, dense or of `scipy.sparse`, used where it lies; anything else is
        converted to float64. All is computed in its type, and summed in float64.
    y : array, (rows,) or what the loss takes
        Numbers of one or several outputs; labels from 0; probabilities, (rows, classes).
    weight : array, optional
        As the loss takes it.
    l2 : float, default 0.0
        The penalty's factor, :math:`\lambda`; intercepts are free.
    fit_intercept : bool, default True
        Whether there is a b.
    classes : int, optional
        How many, for labels. By default as many as y shows; a loss that takes numbers as well as
        labels (`LogLoss`) takes y as labels if this is given.
    n_threads : int, optional
        At most so many threads for the loss.

    Returns
    -------
    LinearObjective
        A function that returns value and gradient (``jac=True``), with `start`, `hessp` and
        `parameters`. Predictions, gradients and products live in buffers of its own, so one object
        serves one optimiser at a time.

    Notes
    -----
    The link is the identity but for losses whose predictions have a domain: a sigmoid or softmax
    for probabilities, an exponential for numbers above a bound. The Hessian is that of the loss,
    with the one that its `hessian` names: "majorizer" or "fisher" give Newton's method a
    positive one, iteratively reweighted least squares.

    There is one coefficient per feature and score: per output, class, quantile, or predicted
    parameter of a distribution.

    Examples
    --------
    >>> import numpy as np, fastloss as fl
    >>> from scipy.optimize import minimize
    >>> from fastloss.scipy import linear_objective
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 1, 2])
    >>> objective = linear_objective(fl.CrossEntropy(), X, y, l2=0.01)
    >>> found = minimize(objective, objective.start, jac=True, method="L-BFGS-B")
    >>> coefficients, intercept = objective.parameters(found.x)
    >>> (X @ coefficients + intercept).argmax(1)
    array([0, 1, 1, 2])
    """
    return LinearObjective(
        loss,
        X,
        y,
        weight,
        l2=l2,
        fit_intercept=fit_intercept,
        classes=classes,
        n_threads=n_threads,
    )


def _features(X: Any) -> Any:
    """Return X, an array or sparse, as float32 or float64."""
    sparse = hasattr(X, "tocsr") and not isinstance(X, np.ndarray)
    if sparse and not hasattr(X, "dtype"):
        raise TypeError(f"X must be an array or a sparse matrix, got {type(X).__name__}")
    if not sparse:
        X = np.asarray(X)
    if X.dtype.kind not in "biuf":
        raise TypeError(f"X must hold real numbers, got {X.dtype}")
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must have two axes, rows and features, got shape {X.shape}")
    return X if not sparse or X.format in ("csr", "csc") else X.tocsr()


def _target_kind(loss: Loss, target: Array, classes: int | None) -> str:
    """Say which of the kinds of target that a loss takes this is."""
    kinds = loss.targets
    if "labels" not in kinds or len(kinds) == 1:
        return kinds[0]
    other = next(kind for kind in kinds if kind != "labels")
    if other == "numbers":
        return other if classes is None else "labels"
    return "labels" if target.ndim == 1 else other


def _scores_of_one(loss: Loss, kind: str, target: Array, classes: int | None) -> tuple[int, ...]:
    """Return the shape that a prediction has beyond its target's."""
    if loss.per_output and isinstance(getattr(loss, loss.per_output), tuple):
        return (len(getattr(loss, loss.per_output)),)
    if kind == "parameters":
        return (len(loss.predictions),)
    if kind != "labels":
        return ()
    if classes is None:
        weights = getattr(loss, "class_weight", None)
        ignored = getattr(loss, "ignore_index", None)
        seen = target if ignored is None else target[target != ignored]
        if weights is None and not seen.size:
            raise ValueError("classes must be given where y has no labels")
        classes = len(weights) if weights is not None else int(seen.max()) + 1
    return (classes - (loss.classwise == "cumulative"),)
