"""XGBoost: every loss as a custom objective and as an evaluation metric.

>>> import numpy as np, xgboost as xgb, fastloss as fl, fastloss.xgboost
>>> random = np.random.default_rng(0)
>>> X, y = random.normal(size=(200, 3)), random.integers(0, 2, 200)
>>> loss = fl.Focal(gamma=1.0)
>>> model = xgb.train(
...     {"base_score": fastloss.xgboost.init_score(loss, y), "disable_default_eval_metric": True},
...     xgb.DMatrix(X, y),
...     num_boost_round=3,
...     obj=fastloss.xgboost.objective(loss),
... )
>>> model.num_boosted_rounds()
3

The same object is what the scikit-learn interface takes: ``XGBRegressor(objective=...)``. With an
objective of one's own XGBoost predicts raw scores (for several in a row, set ``num_class`` and
predict with ``output_margin=True``) and begins with ``base_score=0.5``; `init_score` is the better
beginning.

A preset makes of a loss what XGBoost's own objective is, in the versions from the one it names:

=====================  ======================  ====================================================
loss                   objective               what differs from the loss
=====================  ======================  ====================================================
SquaredError           reg:squarederror        half of it
SquaredLogError        reg:squaredlogerror     half; Hessian at least 1e-6
PseudoHuber            reg:pseudohubererror    nothing
BinaryCrossEntropy     binary:logistic         Hessian at least 1e-16
Hinge                  binary:hinge            Hessian 1 within the margin
CrossEntropy           multi:softprob          Hessian times 2, at least 1e-16
Poisson                count:poisson           Hessian times exp(0.7)
Gamma, Tweedie         reg:gamma, reg:tweedie  nothing
Expectile              reg:expectileerror      half of it
AbsoluteError          reg:absoluteerror       see below
Pinball                reg:quantileerror       see below
=====================  ======================  ====================================================

"xgboost-2.1" is XGBoost 2.1 to 3.3. There the last two have the Hessian 1, and XGBoost's own set
every leaf anew to a quantile of its residuals, which no custom objective can. "xgboost-3.4" is 3.4
on: it has smooth stand-ins for both, whose width is taken from the residuals of every round, and
leaves as they are, so that the preset is the whole objective. The own ``count:poisson`` also sets
the booster's ``max_delta_step=0.7``. Where XGBoost's own predict a probability or a mean, their
``base_score`` is one; a custom objective's is a score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastloss.boosting import (
    Derivatives,
    Evaluation,
    Floats,
    Pair,
    Rule,
    along,
    init_score,
    unpacked,
)
from fastloss.losses.base import Loss
from fastloss.losses.regression import PseudoHuber, SmoothPinball

__all__ = ["Metric", "Objective", "init_score", "metric", "objective"]

# Of all Hessians that are probabilities' variances.
FLOOR = 1e-16
# What count:poisson multiplies its Hessian by: its max_delta_step is 0.7.
POISSON = math.exp(0.7)


def _spread(residual: Floats, weight: Floats | None) -> float:
    """Return the square of the mean root of the residuals."""
    np.abs(residual, out=residual)
    np.sqrt(residual, out=residual)
    if weight is None:
        return float(residual.mean(dtype=np.float64)) ** 2
    total = float(weight.sum(dtype=np.float64))
    return (float(residual @ weight) / total) ** 2 if total else 0.0


@dataclass(frozen=True)
class Surrogate(Rule):
    """A smooth loss in another's place, as wide in each round as the residuals are."""

    def derive(
        self, loss: Loss, prediction: Floats, target: Floats, weight: Floats | None, out: Pair
    ) -> None:
        """Compute gradient and Hessian, column by column."""
        columns = [np.atleast_2d(array.T) for array in (prediction, *out)]
        targets = np.broadcast_to(along(target, prediction).T, columns[0].shape)
        quantiles = np.broadcast_to(getattr(loss, "quantile", 0.5), len(columns[0]))
        for scores, gradient, hessian, y, quantile in zip(
            *columns, targets, quantiles, strict=True
        ):
            spread = _spread(scores - y, weight)
            if not spread:
                # Nothing is off, so that there is no width, and nothing to do.
                gradient[...] = 0.0
                curvature = 1.0 if self.name == "reg:absoluteerror" else 0.0
                hessian[...] = curvature if weight is None else curvature * weight
                continue
            smooth, scale = self.stand_in(spread, float(quantile))
            smooth.grad_and_hess(scores, y, weight, reduction="sum", out=(gradient, hessian))
            if scale != 1:
                np.multiply(gradient, scale, out=gradient)
                np.multiply(hessian, scale, out=hessian)
                least = FLATTEST if weight is None else weight * hessian.dtype.type(FLATTEST)
                np.maximum(hessian, least, out=hessian)

    def stand_in(self, spread: float, quantile: float) -> tuple[Loss, float]:
        """Return the smooth loss and what it is multiplied by.

        Parameters
        ----------
        spread, quantile : float
        """
        if self.name == "reg:absoluteerror":
            return PseudoHuber(delta=spread, hessian="majorizer"), 1.0
        width = SMOOTHING * spread / 2
        return SmoothPinball(quantile=quantile, bandwidth=width, hessian="majorizer"), spread


# Of reg:quantileerror: the width of the rounding, and the least Hessian.
SMOOTHING = 0.04
FLATTEST = 3e-4 / (2 * SMOOTHING)

_SINCE_2_1: dict[str, Rule] = {
    "SquaredError": Rule("reg:squarederror", {"half": True}),
    "SquaredLogError": Rule("reg:squaredlogerror", {"half": True, "lower": 1e-6 - 1.0}, floor=1e-6),
    "PseudoHuber": Rule("reg:pseudohubererror", {"hessian": "exact"}),
    "BinaryCrossEntropy": Rule("binary:logistic", floor=FLOOR),
    "Hinge": Rule("binary:hinge", {"hessian": "xgboost"}),
    "CrossEntropy": Rule("multi:softprob", factor=lambda columns: 2.0, floor=FLOOR),
    "Poisson": Rule("count:poisson", {"hessian": "exact"}, factor=lambda columns: POISSON),
    "Gamma": Rule("reg:gamma"),
    "Tweedie": Rule("reg:tweedie"),
    "Expectile": Rule("reg:expectileerror", {"half": True}),
    "AbsoluteError": Rule("reg:absoluteerror", {"hessian": "unit"}),
    "Pinball": Rule(
        "reg:quantileerror",
        {"hessian": "unit"},
        tie=lambda loss: 1.0 - np.asarray(loss.quantile),  # type: ignore[attr-defined]
    ),
}
_SINCE_3_4: dict[str, Rule] = {
    **_SINCE_2_1,
    "AbsoluteError": Surrogate("reg:absoluteerror"),
    "Pinball": Surrogate("reg:quantileerror"),
}
PRESETS: Mapping[str, Mapping[str, Rule]] = {"xgboost-2.1": _SINCE_2_1, "xgboost-3.4": _SINCE_3_4}


class Objective(Derivatives):
    """A loss as XGBoost takes it; made by :func:`objective`."""

    _presets = PRESETS

    # The last parameter has to have this name for weights to be handed over.
    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Pair:
        """Return gradient and Hessian, float32 in C order as the predictions are.

        Parameters
        ----------
        first, second
            Predictions and a DMatrix, as the native interface calls; or targets and predictions, as
            the scikit-learn interface does.
        sample_weight : array, optional
            From the scikit-learn interface.
        """
        return self.derive(*unpacked(first, second, sample_weight))


class Metric(Evaluation):
    """A loss's weighted mean as XGBoost takes it; made by :func:`metric`."""

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        """Return the name and the mean, or the mean alone to the scikit-learn interface.

        Parameters
        ----------
        first, second, sample_weight
            As for an objective.
        """
        mean = self.evaluate_mean(*unpacked(first, second, sample_weight))
        return (self.__name__, mean) if hasattr(second, "get_label") else mean


def objective(loss: Loss | str, preset: str | None = None) -> Objective:
    """Make a custom objective for XGBoost, for both of its interfaces.

    Parameters
    ----------
    loss : Loss or str
        A loss of raw scores, or its name, such as "reg:squarederror".
    preset : {"xgboost-2.1", "xgboost-3.4"}, optional
        Train as XGBoost's own objective of that version does; see :mod:`fastloss.xgboost`. None is
        the loss with the Hessian that its own parameters say, which may be 0 or negative.

    Returns
    -------
    Objective
        Called with predictions and a DMatrix, or with targets, predictions and weights. Labels and
        weights are read where they are. The two arrays it returns are its own: its next call from
        the same thread overwrites them.

    Examples
    --------
    >>> import numpy as np, fastloss as fl, fastloss.xgboost
    >>> custom = fastloss.xgboost.objective(fl.CrossEntropy(), preset="xgboost-3.4")
    >>> custom(np.array([1]), np.zeros((1, 2), np.float32))
    (array([[ 0.5, -0.5]], dtype=float32), array([[0.5, 0.5]], dtype=float32))
    """
    return Objective(loss, preset)


def metric(loss: Loss | str, name: str | None = None) -> Metric:
    """Make an evaluation metric for XGBoost, for both of its interfaces.

    Parameters
    ----------
    loss : Loss or str
        Of raw scores beside a custom objective; beside one of XGBoost's own, of what that predicts:
        ``fl.LogLoss()`` of probabilities, say.
    name : str, optional
        What XGBoost shows; the loss's in snake case, if not given.

    Examples
    --------
    >>> import numpy as np, fastloss as fl, fastloss.xgboost
    >>> fastloss.xgboost.metric(fl.AbsoluteError())(np.array([1.0, 3.0]), np.zeros(2))
    2.0
    """
    return Metric(loss, name)
