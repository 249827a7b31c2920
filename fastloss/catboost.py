"""CatBoost: every loss as a custom objective and as an evaluation metric.

>>> import numpy as np, catboost, fastloss as fl, fastloss.catboost
>>> random = np.random.default_rng(0)
>>> X, y = random.normal(size=(200, 3)), random.integers(0, 2, 200)
>>> loss = fl.Focal(gamma=1.0)
>>> model = catboost.CatBoost(
...     {
...         "loss_function": fastloss.catboost.objective(loss),
...         "eval_metric": fastloss.catboost.metric(loss),
...         "leaf_estimation_method": "Newton",
...         "iterations": 3,
...         "verbose": False,
...         "allow_writing_files": False,
...     }
... )
>>> start = np.full(200, fastloss.catboost.init_score(loss, y))
>>> model.fit(catboost.Pool(X, y, baseline=start)).tree_count_
3

CatBoost maximises, so what it is given are the derivatives of minus the loss. It asks for numbers
in ranges of many objects, which costs little; for classes and several targets it asks object by
object for a whole Hessian matrix, which costs microseconds of Python for each in every round. Its
own objectives choose how leaves are estimated and how often; with a custom one say so
(``leaf_estimation_method="Newton"``, ``leaf_estimation_iterations``). The baseline is no part of
the model: add it to what that predicts.

A preset makes of a loss what CatBoost's own objective is, in the versions from the one it names:

==================  ==============================  ==========================================
loss                objective                       what differs from the loss
==================  ==============================  ==========================================
SquaredError        RMSE, MultiRMSE                 half of it
BinaryCrossEntropy  Logloss, CrossEntropy           nothing
CrossEntropy        MultiClass                      nothing
OneVersusAll        MultiClassOneVsAll              nothing
Focal               Focal                           nothing
Huber               Huber                           nothing
LogCosh             LogCosh                         nothing
Expectile           Expectile                       nothing
Poisson             Poisson                         nothing
Tweedie             Tweedie                         nothing
==================  ==============================  ==========================================

Its MAE, MAPE and Quantile set each leaf to a quantile of its residuals ("Exact"), which no custom
objective can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np

from fastloss.boosting import Derivatives, Evaluation, Floats, Rule, fitted, init_score
from fastloss.extras import require
from fastloss.losses.base import Loss

__all__ = ["Metric", "Objective", "init_score", "metric", "objective"]

_SINCE_1_2: dict[str, Rule] = {
    "SquaredError": Rule("RMSE", {"half": True}),
    "BinaryCrossEntropy": Rule("Logloss"),
    "CrossEntropy": Rule("MultiClass"),
    "OneVersusAll": Rule("MultiClassOneVsAll"),
    "Focal": Rule("Focal"),
    "Huber": Rule("Huber", {"hessian": "exact"}),
    "LogCosh": Rule("LogCosh"),
    "Expectile": Rule("Expectile", {"half": False}),
    "Poisson": Rule("Poisson"),
    "Tweedie": Rule("Tweedie"),
}
PRESETS: Mapping[str, Mapping[str, Rule]] = {"catboost-1.2": _SINCE_1_2}

# Losses whose scores of one row meet in the Hessian.
ROWS = ("always", "parameters")


class Objective(Derivatives):
    """A loss as CatBoost takes it; made by :func:`objective`."""

    _presets = PRESETS
    # Numba has nothing to compile here.
    no_jit = True
    multi_target: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        return objective, (self.loss, self.preset, self.multi_target)

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Floats:
        """Return the derivatives of minus the loss, a row of two for each object.

        Parameters
        ----------
        approxes, targets : array
            Scores, float64, and targets, float32.
        weights : array or None
        """
        prediction = np.asarray(approxes)
        pairs = self._pairs(len(prediction))
        target, weight = fitted(prediction, targets, weights)
        self.rule.derive(self.loss, prediction, target, weight, (pairs[:, 0], pairs[:, 1]))
        return np.negative(pairs, out=pairs)

    def calc_ders_multi(
        self, approx: Any, target: Any, weight: float
    ) -> tuple[list[float], list[list[float]]]:
        """Return gradient and Hessian matrix of minus the loss, of one object.

        Parameters
        ----------
        approx : array
            Its scores.
        target : float or array
        weight : float
        """
        scores = np.asarray(approx)
        if self.loss.class_axis not in ROWS and not self.loss.per_output:
            gradient, hessian = self.loss.grad_and_hess(scores, target, reduction="sum")
            matrix = np.diag(hessian)
        else:
            width = len(scores)
            rows = np.broadcast_to(scores, (width, width))
            targets = np.broadcast_to(target, (width, *np.shape(target)))
            gradient = self.loss.grad(rows[:1], targets[:1], reduction="sum")[0]
            matrix = self.loss.hvp(rows, targets, np.eye(width), reduction="sum")
        return (gradient * -weight).tolist(), (matrix * -weight).tolist()

    def _pairs(self, count: int) -> Floats:
        held: Floats | None = getattr(self._memory, "pairs", None)
        if held is None or len(held) < count:
            held = self._memory.pairs = np.empty((count, 2))
        return held[:count]


class Metric(Evaluation):
    """A loss's weighted mean as CatBoost takes it; made by :func:`metric`."""

    no_jit = True
    multi_target: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        return metric, (self.loss, self.__name__, self.multi_target)

    def evaluate(self, approxes: Sequence[Any], target: Any, weight: Any) -> tuple[float, float]:
        """Return the sum of the losses and of the weights.

        Parameters
        ----------
        approxes : sequence of arrays
            One for each score of an object.
        target : array
        weight : array or None
        """
        prediction = np.asarray(approxes[0]) if len(approxes) == 1 else np.stack(approxes).T
        if isinstance(target, tuple):
            target = np.stack(target).T
        target, weight = fitted(prediction, target, weight)
        part = self.loss.partial(prediction, target, weight)
        return part.total, part.weight

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean.

        Parameters
        ----------
        error, weight : float
            The sums over all objects.
        """
        return error / weight if weight else float("nan")

    def is_max_optimal(self) -> bool:
        """Say that more of a loss is not better."""
        return False


@cache
def _of_many_targets(base: type, name: str) -> type:
    catboost = require("catboost", "catboost")
    return type(base.__name__, (base, getattr(catboost, name)), {"multi_target": True})


def objective(loss: Loss | str, preset: str | None = None, multi_target: bool = False) -> Objective:
    """Make a custom objective for CatBoost.

    Parameters
    ----------
    loss : Loss or str
        A loss of raw scores, or its name.
    preset : {"catboost-1.2"}, optional
        Train as CatBoost's own objective of that version does; see :mod:`fastloss.catboost`. None
        is the loss with the Hessian that its own parameters say, which may be 0 or negative.
    multi_target : bool, default False
        Whether objects have several targets.

    Examples
    --------
    >>> import numpy as np, fastloss as fl, fastloss.catboost
    >>> custom = fastloss.catboost.objective(fl.SquaredError(), preset="catboost-1.2")
    >>> custom.calc_ders_range(np.array([1.0]), np.array([3.0]), None)
    array([[ 2., -1.]])
    """
    cls = _of_many_targets(Objective, "MultiTargetCustomObjective") if multi_target else Objective
    made: Objective = cls(loss, preset)
    return made


def metric(loss: Loss | str, name: str | None = None, multi_target: bool = False) -> Metric:
    """Make an evaluation metric for CatBoost.

    Parameters
    ----------
    loss : Loss or str
        Of raw scores, as all of CatBoost's metrics are.
    name : str, optional
        What CatBoost shows; the loss's in snake case, if not given.
    multi_target : bool, default False
        Whether objects have several targets.

    Examples
    --------
    >>> import numpy as np, fastloss as fl, fastloss.catboost
    >>> mean = fastloss.catboost.metric(fl.AbsoluteError())
    >>> mean.evaluate((np.zeros(2),), np.array([1.0, 3.0]), None)
    (4.0, 2.0)
    """
    base = _of_many_targets(Metric, "MultiTargetCustomMetric") if multi_target else Metric
    shown = Metric(loss, name).__name__
    made: Metric = type(shown, (base,), {})(loss, name)  # CatBoost shows the name of the class
    return made
