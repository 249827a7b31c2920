"""LightGBM: every loss as a custom objective and as an evaluation metric.

>>> import numpy as np, lightgbm as lgb, fastloss as fl, fastloss.lightgbm
>>> random = np.random.default_rng(0)
>>> X, y = random.normal(size=(200, 3)), random.integers(0, 2, 200)
>>> loss = fl.Focal(gamma=1.0)
>>> start = np.full(200, fastloss.lightgbm.init_score(loss, y))
>>> model = lgb.train(
...     {"objective": fastloss.lightgbm.objective(loss), "verbose": -1},
...     lgb.Dataset(X, y, init_score=start),
...     num_boost_round=3,
... )
>>> model.num_trees()
3

The same object is what the scikit-learn interface takes: ``LGBMRegressor(objective=...)``. With an
objective of one's own LightGBM predicts raw scores and begins with 0; what is given as
``init_score`` is not part of the model, so add it to what that predicts.

A preset makes of a loss what LightGBM's own objective is, in the versions from the one it names:

=======================  ===================  =====================================================
loss                     objective            what differs from the loss
=======================  ===================  =====================================================
SquaredError             regression           half of it
Huber                    huber                Hessian 1; ``alpha`` is delta
Fair                     fair                 nothing
BinaryCrossEntropy       binary               nothing
CrossEntropy             multiclass           Hessian times K / (K - 1), with K classes
OneVersusAll             multiclassova        nothing
CrossEntropyLambda       cross_entropy_lambda nothing; a weight is no exposure
Poisson                  poisson              Hessian times exp(0.7)
Gamma, Tweedie           gamma, tweedie       nothing
AbsoluteError            regression_l1        Hessian 1; leaves renewed
Pinball                  quantile             Hessian 1, 1 - q where nothing is off; leaves renewed
AbsolutePercentageError  mape                 Hessian 1, eps 1; leaves renewed
=======================  ===================  =====================================================

Where leaves are renewed, LightGBM's own objective sets every leaf anew to a quantile of its
residuals when the tree is grown. No custom objective can, so the trees of the last three have other
values, and from the second on other splits. ``binary`` with a ``sigmoid`` or ``is_unbalance``,
``regression`` with ``reg_sqrt`` and the like are not reproduced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastloss.boosting import Derivatives, Evaluation, Pair, Rule, init_score, unpacked
from fastloss.losses.base import Loss

__all__ = ["Metric", "Objective", "init_score", "metric", "objective"]

# What poisson multiplies its Hessian by: its poisson_max_delta_step is 0.7.
POISSON = math.exp(0.7)

_SINCE_4: dict[str, Rule] = {
    "SquaredError": Rule("regression", {"half": True}),
    "Huber": Rule("huber", {"hessian": "unit"}),
    "Fair": Rule("fair", {"hessian": "exact"}),
    "BinaryCrossEntropy": Rule("binary"),
    "CrossEntropy": Rule("multiclass", factor=lambda columns: columns / (columns - 1)),
    "OneVersusAll": Rule("multiclassova"),
    "CrossEntropyLambda": Rule("cross_entropy_lambda"),
    "Poisson": Rule("poisson", {"hessian": "exact"}, factor=lambda columns: POISSON),
    "Gamma": Rule("gamma"),
    "Tweedie": Rule("tweedie"),
    "AbsoluteError": Rule("regression_l1", {"hessian": "unit"}),
    "Pinball": Rule(
        "quantile",
        {"hessian": "unit"},
        tie=lambda loss: 1.0 - loss.quantile,  # type: ignore[attr-defined]
    ),
    "AbsolutePercentageError": Rule("mape", {"hessian": "unit", "eps": 1.0, "scale": 1.0}),
}
PRESETS: Mapping[str, Mapping[str, Rule]] = {"lightgbm-4": _SINCE_4}


class Objective(Derivatives):
    """A loss as LightGBM takes it; made by :func:`objective`."""

    _presets = PRESETS

    # LightGBM counts the parameters: with three it hands over the weights.
    def __call__(self, first: Any, second: Any, weight: Any = None) -> Pair:
        """Return gradient and Hessian, float64 in Fortran order as the predictions are.

        Parameters
        ----------
        first, second
            Predictions and a Dataset, as the native interface calls; or targets and predictions, as
            the scikit-learn interface does.
        weight : array, optional
            From the scikit-learn interface.
        """
        return self.derive(*unpacked(first, second, weight))


class Metric(Evaluation):
    """A loss's weighted mean as LightGBM takes it; made by :func:`metric`."""

    def __call__(self, first: Any, second: Any, weight: Any = None) -> tuple[str, float, bool]:
        """Return the name, the mean, and that more of it is not better.

        Parameters
        ----------
        first, second, weight
            As for an objective.
        """
        return self.__name__, self.evaluate_mean(*unpacked(first, second, weight)), False


def objective(loss: Loss | str, preset: str | None = None) -> Objective:
    """Make a custom objective for LightGBM, for both of its interfaces.

    Parameters
    ----------
    loss : Loss or str
        A loss of raw scores, or its name.
    preset : {"lightgbm-4"}, optional
        Train as LightGBM's own objective of that version does; see :mod:`fastloss.lightgbm`. None
        is the loss with the Hessian that its own parameters say, which may be 0 or negative.

    Returns
    -------
    Objective
        Called with predictions and a Dataset, or with targets, predictions and weights. Nothing is
        copied. The two arrays it returns are its own: its next call from the same thread overwrites
        them.

    Examples
    --------
    >>> import numpy as np, fastloss as fl, fastloss.lightgbm
    >>> custom = fastloss.lightgbm.objective(fl.CrossEntropy(), preset="lightgbm-4")
    >>> custom(np.array([1]), np.zeros((1, 2)))
    (array([[ 0.5, -0.5]]), array([[0.5, 0.5]]))
    """
    return Objective(loss, preset)


def metric(loss: Loss | str, name: str | None = None) -> Metric:
    """Make an evaluation metric for LightGBM, for both of its interfaces.

    Parameters
    ----------
    loss : Loss or str
        Of raw scores beside a custom objective; beside one of LightGBM's own, of what that
        predicts: ``fl.LogLoss()`` of probabilities, say.
    name : str, optional
        What LightGBM shows; the loss's in snake case, if not given.

    Examples
    --------
    >>> import numpy as np, fastloss as fl, fastloss.lightgbm
    >>> fastloss.lightgbm.metric(fl.AbsoluteError())(np.array([1.0, 3.0]), np.zeros(2))
    ('absolute_error', 2.0, False)
    """
    return Metric(loss, name)
