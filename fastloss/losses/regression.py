"""Losses of a real number against a real number. Throughout, r = prediction - target."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import NON_NEGATIVE, OPEN_UNIT, POSITIVE, SCALE, Array, Interval, Loss

__all__ = [
    "AbsoluteError",
    "AbsolutePercentageError",
    "Barron",
    "Cauchy",
    "EpsilonInsensitive",
    "Expectile",
    "Fair",
    "GemanMcClure",
    "Huber",
    "LogCosh",
    "LogLinearQuantile",
    "Lq",
    "Pinball",
    "PseudoHuber",
    "SmoothL1",
    "SmoothPinball",
    "SquaredEpsilonInsensitive",
    "SquaredError",
    "SquaredLogError",
    "SymmetricAbsolutePercentageError",
    "Tukey",
    "Welsch",
    "Wing",
]

# How a booster or an iteration bends the loss: by its second derivative, by 1, or by psi(r) / r,
# the curvature of the parabola that touches the loss at r and at -r and lies above it.
Unit = Literal["exact", "unit"]
Majorizer = Literal["exact", "majorizer"]


def _majorize(hessian: str) -> float:
    return float(hessian == "majorizer")


# From there on the errors of a logarithm that Barron's loss raises to |alpha| / 2 show.
STEEP = 4.0


def _inverse_low(scale: float, alpha: float, inverse: float) -> float:
    """Return what the rounding of 1 / (scale sqrt(abs(alpha - 2))) dropped."""
    square = (Fraction(scale) * Fraction(inverse)) ** 2 * abs(Fraction(alpha) - 2)
    return inverse * float(1 - square) / 2


def _each(value: Any, function: Any) -> Any:
    """Apply a function to a number or to each of a tuple of them."""
    return tuple(map(function, value)) if isinstance(value, tuple) else function(value)


class SquaredError(Loss, kernel="squared_error"):
    r"""Squared error, the loss of least squares; its minimiser is the mean.

    .. math:: \ell = r^2, \quad g = 2 r, \quad h = 2

    Parameters
    ----------
    half : bool, default False
        Take :math:`r^2 / 2`, with gradient r and Hessian 1, as scikit-learn and the boosting
        libraries do. PyTorch and Keras have the full square.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Defined for all real predictions and targets.

    See Also
    --------
    Huber : grows linearly for large residuals.

    References
    ----------
    A.-M. Legendre, *Nouvelles méthodes pour la détermination des orbites des comètes*, 1805.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredError()([1.0, 2.0, 4.0], [1.0, 3.0, 2.0], reduction="sum")
    5.0
    >>> fl.SquaredError(half=True).grad([1.0, 2.0], [1.0, 3.0], reduction="sum")
    array([ 0., -1.])
    """

    half: bool = False

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "mse": {},
        "mean_squared_error": {},
        "MeanSquaredError": {},
        "mse_loss": {},
        "MSELoss": {},
        "l2": {},
        "brier_score_loss": {},
        "half_squared_error": {"half": True},
        "HalfSquaredError": {"half": True},
        "reg:squarederror": {"half": True},
        "regression": {"half": True},
        "regression_l2": {"half": True},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"factor": 0.5 if self.half else 1.0}


class AbsoluteError(Loss, kernel="absolute_error"):
    r"""Absolute error; its minimiser is the median.

    .. math:: \ell = |r|, \quad g = \operatorname{sign} r, \quad h = 0

    Parameters
    ----------
    hessian : {"exact", "unit"}, default "exact"
        "unit" is h = 1, with which the boosting libraries train.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the sub-gradient is 0; scikit-learn takes -1 there. XGBoost trains with h = 1 up to 3.3
    and since with a :class:`PseudoHuber` and its majorizer, whose delta it takes from the data.
    Defined for all real predictions and targets.

    See Also
    --------
    Pinball : other quantiles than the median.
    Huber : smooth at zero.

    References
    ----------
    P.-S. Laplace, *Mémoire sur la probabilité des causes par les événements*, 1774.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.AbsoluteError().value_and_grad([1.0, 2.0, 4.0], [1.0, 3.0, 2.0], reduction="sum")
    (3.0, array([ 0., -1.,  1.]))
    """

    hessian: Unit = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "mae": {},
        "mean_absolute_error": {},
        "MeanAbsoluteError": {},
        "l1": {},
        "l1_loss": {},
        "L1Loss": {},
        "reg:absoluteerror": {"hessian": "unit"},
        "regression_l1": {"hessian": "unit"},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"curvature": float(self.hessian == "unit")}


class Huber(Loss, kernel="huber"):
    r"""Squared error near zero, absolute error far from it.

    .. math::
        \ell = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta (|r| - \delta / 2) & |r| > \delta
        \end{cases}, \quad g = \min(\max(r, -\delta), \delta), \quad h = [\,|r| \le \delta\,]

    Parameters
    ----------
    delta : float, default 1.0
        Positive: where the parabola turns into straight lines. LightGBM calls it alpha and has 0.9,
        TensorFlow and PyTorch have 1.
    hessian : {"exact", "unit", "majorizer"}, default "exact"
        "unit" is h = 1 everywhere, as LightGBM has it; "majorizer" is min(1, delta / abs(r)), the
        weight of iteratively reweighted least squares.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The exact Hessian has a jump at delta, where it is 1. Defined for all real predictions and
    targets.

    See Also
    --------
    SmoothL1 : the same divided by delta.
    PseudoHuber, LogCosh : of the same shape, smooth everywhere.

    References
    ----------
    P. J. Huber, *Robust Estimation of a Location Parameter*, Ann. Math. Statist. 35, 1964.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.Huber(delta=1.5)
    >>> loss.value_grad_hess([0.0, 3.0], [1.0, 0.0], reduction="sum")
    (3.875, array([-1. ,  1.5]), array([1., 0.]))
    """

    delta: Annotated[float, POSITIVE] = 1.0
    hessian: Literal["exact", "unit", "majorizer"] = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "huber_loss": {},
        "HuberLoss": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        unit = float(self.hessian == "unit")
        return {"delta": self.delta, "unit": unit, "majorize": _majorize(self.hessian)}


class SmoothL1(Loss, kernel="smooth_l1"):
    r"""Absolute error with its tip rounded off: :class:`Huber` divided by its delta.

    .. math::
        \ell = \begin{cases} r^2 / (2 \beta) & |r| \le \beta \\ |r| - \beta / 2 & |r| > \beta
        \end{cases}, \quad g = \min(\max(r / \beta, -1), 1), \quad
        h = [\,|r| \le \beta\,] / \beta

    Parameters
    ----------
    beta : float, default 1.0
        Not negative: where the parabola turns into straight lines. 0 is the absolute error, with
        sub-gradient 0 at r = 0 and Hessian 0.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The Hessian has a jump at beta, where it is 1 / beta. Defined for all real predictions and
    targets.

    See Also
    --------
    Huber : beta times this, with a choice of Hessians.
    AbsoluteError : beta = 0.

    References
    ----------
    R. Girshick, *Fast R-CNN*, ICCV 2015, arXiv:1504.08083.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SmoothL1(beta=0.5).value_and_grad([0.0, 3.0], [0.25, 0.0], reduction="sum")
    (2.8125, array([-0.5,  1. ]))
    """

    beta: Annotated[float, NON_NEGATIVE] = 1.0

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "smooth_l1_loss": {},
        "SmoothL1Loss": {},
    }

    def _kernel(self) -> str:
        return "smooth_l1" if self.beta > 0 else "absolute_error"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"beta": self.beta, "curvature": 0.0}


class PseudoHuber(Loss, kernel="pseudo_huber"):
    r"""Smooth relative of :class:`Huber`: a hyperbola.

    .. math::
        \ell = \delta^2 \left( \sqrt{1 + (r / \delta)^2} - 1 \right), \quad
        g = \frac{r}{\sqrt{1 + (r / \delta)^2}}, \quad h = (1 + (r / \delta)^2)^{-3/2}

    Parameters
    ----------
    delta : float, default 1.0
        Positive: the slope that the loss tends to. XGBoost's ``huber_slope``.
    hessian : {"exact", "majorizer"}, default "exact"
        "majorizer" is g / r, the weight of iteratively reweighted least squares, with which
        XGBoost 3.4 trains its absolute error.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    No square overflows and nothing cancels: a residual of 1e-4 in float32 has the value 5e-9.
    Defined for all real predictions and targets.

    See Also
    --------
    Huber, LogCosh : of the same shape.
    Barron : with alpha = 1 and scale = delta this divided by delta squared.

    References
    ----------
    P. Charbonnier, L. Blanc-Féraud, G. Aubert and M. Barlaud, *Deterministic Edge-Preserving
    Regularization in Computed Imaging*, IEEE Trans. Image Process. 6, 1997.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.PseudoHuber(delta=4.0).value_and_grad([3.0], [0.0])
    (4.0, array([2.4]))
    """

    delta: Annotated[float, POSITIVE] = 1.0
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "reg:pseudohubererror": {},
        "pseudo_huber_loss": {},
        "charbonnier": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"delta": self.delta, "majorize": _majorize(self.hessian)}


class LogCosh(Loss, kernel="log_cosh"):
    r"""Logarithm of the hyperbolic cosine, a smooth relative of :class:`Huber`.

    .. math:: \ell = \log \cosh r, \quad g = \tanh r, \quad h = 1 - \tanh^2 r

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Nothing overflows, and small residuals keep all their digits: at r = 1e-4 in float32 the value
    is 5e-9, where the usual :math:`r + \mathrm{softplus}(-2r) - \log 2` gives 0. Defined for all
    real predictions and targets.

    See Also
    --------
    Huber : the same idea with a parameter.

    References
    ----------
    R. A. Saleh and A. K. Md. E. Saleh, *Statistical Properties of the log-cosh Loss Function Used
    in Machine Learning*, arXiv:2208.04564, 2022.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, gradient = fl.LogCosh().value_and_grad([1.0, 0.0], [0.0, 0.0])
    >>> round(value, 6), gradient.round(6).tolist()
    (0.21689, [0.380797, 0.0])
    """

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "logcosh": {},
    }


class Pinball(Loss, kernel="pinball"):
    r"""Pinball loss; its minimiser is a quantile, or several quantiles at once.

    .. math::
        \ell = \max(-q r, (1 - q) r), \quad
        g = \begin{cases} 1 - q & r > 0 \\ 0 & r = 0 \\ -q & r < 0 \end{cases}, \quad h = 0

    Parameters
    ----------
    quantile : float or sequence of float, default 0.5
        The quantile q that is estimated, between 0 and 1, both excluded. With a sequence of K
        quantiles the prediction has a last axis of length K, which the target lacks.
    hessian : {"exact", "unit"}, default "exact"
        "unit" is h = 1, with which the boosting libraries train.
    reduction : {"mean", "sum", "none"}, default "mean"
        With several quantiles the mean is over them too.

    Notes
    -----
    At r = 0 the sub-gradient is 0; scikit-learn takes -q there and LightGBM 1 - q. Defined for all
    real predictions and targets. XGBoost trains with h = 1 up to 3.3 and since with a
    :class:`SmoothPinball` and its majorizer.

    See Also
    --------
    AbsoluteError : twice this loss at q = 1/2.
    SmoothPinball : the same with its kink rounded off.
    Expectile : its counterpart among squared errors.

    References
    ----------
    R. Koenker and G. Bassett, *Regression Quantiles*, Econometrica 46, 1978.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Pinball(quantile=0.75).value_and_grad([1.0, 3.0], [2.0, 2.0], reduction="sum")
    (1.0, array([-0.75,  0.25]))
    >>> both = fl.Pinball(quantile=[0.25, 0.75], reduction="sum")
    >>> both.grad([[1.0, 3.0], [4.0, 5.0]], [2.0, 6.0])
    array([[-0.25,  0.25],
           [-0.25, -0.75]])
    """

    quantile: Annotated[float | Array, OPEN_UNIT] = 0.5
    hessian: Unit = "exact"

    per_output: ClassVar[str] = "quantile"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "quantile": {"quantile": 0.9, "hessian": "unit"},
        "pinball_loss": {},
        "mean_pinball_loss": {},
        "PinballLoss": {},
        "reg:quantileerror": {"hessian": "unit"},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"curvature": float(self.hessian == "unit")}

    def _kernel_varying(self) -> dict[str, Any]:
        return {
            # In double: 1 - 0.9f would be two ulp away from 0.1f.
            "over": _each(self.quantile, lambda q: 1.0 - q),
            "under": _each(self.quantile, lambda q: -q),
        }


class SmoothPinball(Loss, kernel="smooth_pinball"):
    r"""Pinball loss with its kink rounded off by a softplus.

    With s the logistic function and :math:`\tau` the bandwidth:

    .. math::
        \ell &= \tau \log(1 + e^{r / \tau}) - q r \\
        g &= s(r / \tau) - q \\
        h &= s(r / \tau)\, s(-r / \tau) / \tau

    Parameters
    ----------
    quantile : float, default 0.5
        The quantile q, between 0 and 1, both excluded.
    bandwidth : float, default 1.0
        Positive: the width of the rounding, which adds at most :math:`\tau \log 2` to the loss.
    hessian : {"exact", "majorizer"}, default "exact"
        "majorizer" is :math:`\tanh(r / 2 \tau) / (2 r)`, the curvature of the parabola that touches
        the softplus at r and at -r.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    With S the scale that XGBoost takes from the data, its ``reg:quantileerror`` from 3.4 on is S
    times this loss with bandwidth S / 50 and the majorizer. Defined for all real predictions and
    targets.

    See Also
    --------
    Pinball : the limit of a small bandwidth.

    References
    ----------
    S. Zheng, *Gradient descent algorithms for quantile regression with smooth approximation*,
    Int. J. Mach. Learn. Cybern. 2, 2011.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.SmoothPinball(quantile=0.75, bandwidth=0.5)
    >>> loss.grad_and_hess([2.0], [2.0], reduction="sum")
    (array([-0.25]), array([0.5]))
    """

    quantile: Annotated[float, OPEN_UNIT] = 0.5
    bandwidth: Annotated[float, POSITIVE] = 1.0
    hessian: Majorizer = "exact"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "quantile": self.quantile,
            "bandwidth": self.bandwidth,
            "majorize": _majorize(self.hessian),
        }


class Expectile(Loss, kernel="expectile"):
    r"""Asymmetric squared error; its minimiser is an expectile, or several at once.

    With the level q:

    .. math::
        \ell = a r^2, \quad g = 2 a r, \quad h = 2 a, \quad
        a = \begin{cases} 1 - q & r \ge 0 \\ q & r < 0 \end{cases}

    Parameters
    ----------
    level : float or sequence of float, default 0.5
        The expectile that is estimated, between 0 and 1, both excluded; 1/2 is the mean. With a
        sequence of K levels the prediction has a last axis of length K, which the target lacks.
    half : bool, default False
        Take half of it, with gradient a r and Hessian a, as XGBoost does. CatBoost has the whole.
    reduction : {"mean", "sum", "none"}, default "mean"
        With several levels the mean is over them too.

    Notes
    -----
    The Hessian has a jump at r = 0, where it is that of r > 0, as in XGBoost. Defined for all real
    predictions and targets.

    See Also
    --------
    Pinball : quantiles.
    SquaredError : twice this loss at q = 1/2.

    References
    ----------
    W. K. Newey and J. L. Powell, *Asymmetric Least Squares Estimation and Testing*, Econometrica
    55, 1987.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Expectile(level=0.75).value_and_grad([1.0, 3.0], [3.0, 2.0], reduction="sum")
    (3.25, array([-3. ,  0.5]))
    """

    level: Annotated[float | Array, OPEN_UNIT] = 0.5
    half: bool = False

    per_output: ClassVar[str] = "level"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "reg:expectileerror": {"half": True},
        "expectile_loss": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"factor": 0.5 if self.half else 1.0}

    def _kernel_varying(self) -> dict[str, Any]:
        return {"over": _each(self.level, lambda q: 1.0 - q), "under": self.level}


class Fair(Loss, kernel="fair"):
    r"""Fair's robust loss: like a parabola near zero, a line with a logarithm taken off beyond.

    .. math::
        \ell = c^2 \left( \frac{|r|}{c} - \log\left(1 + \frac{|r|}{c}\right) \right), \quad
        g = \frac{c\, r}{c + |r|}, \quad h = \frac{c^2}{(c + |r|)^2}

    Parameters
    ----------
    c : float, default 1.0
        Positive, 1e-75 to 1e75: the slope that the loss tends to. LightGBM's ``fair_c``. For normal
        residuals of variance 1 the estimate is 95% efficient with 1.3998.
    hessian : {"exact", "majorizer"}, default "exact"
        "majorizer" is c / (c + abs(r)), the weight of iteratively reweighted least squares.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Small residuals keep all their digits, though the two terms of the formula then cancel. Defined
    for all real predictions and targets.

    See Also
    --------
    Huber, LogCosh, PseudoHuber : of the same shape.

    References
    ----------
    R. C. Fair, *On the Robust Estimation of Econometric Models*, Ann. Econ. Soc. Meas. 3, 1974.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Fair(c=2.0).grad_and_hess([1.0, 6.0], [3.0, 0.0], reduction="sum")
    (array([-1. ,  1.5]), array([0.25  , 0.0625]))
    """

    c: Annotated[float, SCALE] = 1.0
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "FairLoss": {},
        "fair_loss": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"c": self.c, "majorize": _majorize(self.hessian)}


class AbsolutePercentageError(Loss, kernel="absolute_percentage_error"):
    r"""Absolute error relative to the target; its mean is known as MAPE.

    .. math::
        \ell = k \frac{|r|}{\max(\epsilon, |y|)}, \quad
        g = k \frac{\operatorname{sign} r}{\max(\epsilon, |y|)}, \quad h = 0

    Parameters
    ----------
    eps : float, default 2**-52
        Positive: the least that a residual is divided by. The default is scikit-learn's; Keras has
        1e-7, LightGBM and CatBoost 1.
    scale : float, default 1.0
        The factor k, from 1e-12 on. Keras has 100, for a result in percent.
    hessian : {"exact", "unit"}, default "exact"
        "unit" is h = 1, with which LightGBM trains.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the sub-gradient is 0. Defined for all real predictions and targets; near a target of 0
    the loss is as steep as `eps` lets it.

    See Also
    --------
    SymmetricAbsolutePercentageError : bounded.
    SquaredLogError : relative errors without a division by the target.

    References
    ----------
    A. de Myttenaere, B. Golden, B. Le Grand and F. Rossi, *Mean Absolute Percentage Error for
    Regression Models*, Neurocomputing 192, 2016, arXiv:1605.02541.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.AbsolutePercentageError(scale=100.0).value_and_grad([3.0, 2.0], [4.0, 2.0])
    (12.5, array([-12.5,   0. ]))
    """

    eps: Annotated[float, POSITIVE] = 2.0**-52
    scale: Annotated[float, Interval(2.0**-40, np.inf, upper_open=True, room=2.0**20)] = 1.0
    hessian: Unit = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "mean_absolute_percentage_error": {},
        "MeanAbsolutePercentageError": {"eps": 1e-7, "scale": 100.0},
        "mape": {"eps": 1.0, "hessian": "unit"},
        "MAPE": {"eps": 1.0},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        unit = float(self.hessian == "unit")
        return {"eps": self.eps, "scale": self.scale, "curvature": unit}


class SymmetricAbsolutePercentageError(Loss, kernel="symmetric_absolute_percentage_error"):
    r"""Absolute error relative to the mean of both sizes; its mean is known as SMAPE.

    With the sum of sizes :math:`d = |p| + |y|`:

    .. math::
        \ell &= 2 k \frac{|r|}{d} \\
        g &= \frac{2 k |y|}{d^2} \operatorname{sign} r \,
        (1 + \operatorname{sign} p \operatorname{sign} y) \\
        h &= -\frac{2 g}{d} \operatorname{sign} p

    Parameters
    ----------
    scale : float, default 1.0
        Positive: the factor k. 100 gives percent, as CatBoost has it.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The loss is 0 where both are 0, and at most 2 k; it is 2 k, and flat, wherever the signs of
    prediction and target differ or the target is 0. At r = 0 the sub-gradient is 0, at p = 0 it is
    the mean of those of both sides. The Hessian is exact and negative for abs(p) > abs(y). Defined
    for all real predictions and targets.

    See Also
    --------
    AbsolutePercentageError : relative to the target alone.

    References
    ----------
    S. Makridakis, *Accuracy Measures: Theoretical and Practical Concerns*, Int. J. Forecast. 9,
    1993.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.SymmetricAbsolutePercentageError(reduction="sum")
    >>> loss.value_and_grad([3.0, 0.0], [1.0, 0.0])
    (1.0, array([0.25, 0.  ]))
    """

    scale: Annotated[float, POSITIVE] = 1.0

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "SMAPE": {"scale": 100.0},
    }


class SquaredLogError(Loss, kernel="squared_log_error"):
    r"""Squared error of logarithms; its mean is known as MSLE.

    With the logarithmic ratio :math:`d = \log(1 + p) - \log(1 + y)`:

    .. math:: \ell = d^2, \quad g = \frac{2 d}{1 + p}, \quad h = \frac{2 (1 - d)}{(1 + p)^2}

    Parameters
    ----------
    half : bool, default False
        Take :math:`d^2 / 2` and half the derivatives, as XGBoost does.
    lower : float or None, default None
        Above -1: predictions and targets below it are taken for it, with derivatives 0 for such a
        prediction, as they are for the clipped function. Keras has 1e-7, XGBoost 1e-6 - 1. None
        clips nothing.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a prediction or target lies below -1 and `lower` is None, as in scikit-learn.

    Notes
    -----
    Targets are amounts, not negative, though all above -1 will do. Nothing cancels: where the
    prediction is next to the target, the logarithmic ratio keeps its digits. The Hessian is exact
    and negative for d > 1; XGBoost raises it to 1e-6 there.

    See Also
    --------
    SquaredError : the same without logarithms.

    References
    ----------
    XGBoost documentation, objective ``reg:squaredlogerror``; Kaggle's *RMSLE*, since 2011.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredLogError(half=True).value_grad_hess([3.0], [3.0], reduction="sum")
    (0.0, array([0.]), array([0.0625]))
    """

    half: bool = False
    lower: Annotated[float | None, Interval(-1, np.inf, lower_open=True, upper_open=True)] = None

    prediction_domain: ClassVar[tuple[float, float]] = (-1.0, np.inf)
    target_domain: ClassVar[tuple[float, float]] = (0.0, np.inf)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "msle": {"lower": 1e-7},
        "MeanSquaredLogarithmicError": {"lower": 1e-7},
        "mean_squared_logarithmic_error": {"lower": 1e-7},
        "mean_squared_log_error": {},
        "reg:squaredlogerror": {"half": True, "lower": 1e-6 - 1.0},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        lower = -1.0 if self.lower is None else self.lower
        return {"lower": lower, "factor": 0.5 if self.half else 1.0}

    def _checked_domains(self) -> tuple[tuple[float, float], tuple[float, float]]:
        lower = -1.0 if self.lower is None else -np.inf
        return (lower, np.inf), (lower, np.inf)


class EpsilonInsensitive(Loss, kernel="epsilon_insensitive"):
    r"""Absolute error that forgives small residuals, the loss of support vector regression.

    .. math::
        \ell = \max(0, |r| - \epsilon), \quad
        g = \operatorname{sign}(r) [\,|r| > \epsilon\,], \quad h = 0

    Parameters
    ----------
    epsilon : float, default 0.1
        Not negative: residuals up to it cost nothing.
    hessian : {"exact", "unit"}, default "exact"
        "unit" is h = 1, for boosting.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At abs(r) = epsilon the sub-gradient is 0. Defined for all real predictions and targets.

    See Also
    --------
    SquaredEpsilonInsensitive : its square.
    AbsoluteError : epsilon = 0.

    References
    ----------
    V. N. Vapnik, *The Nature of Statistical Learning Theory*, 1995, chapter 6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.EpsilonInsensitive(epsilon=0.5).value_and_grad([1.0, 3.0], [1.5, 1.0], reduction="sum")
    (1.5, array([0., 1.]))
    """

    epsilon: Annotated[float, NON_NEGATIVE] = 0.1
    hessian: Unit = "exact"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"epsilon": self.epsilon, "curvature": float(self.hessian == "unit")}


class SquaredEpsilonInsensitive(Loss, kernel="squared_epsilon_insensitive"):
    r"""Squared error of what a residual has beyond a tolerance.

    .. math::
        \ell = e^2, \quad g = 2 e \operatorname{sign} r, \quad h = 2\, [\,|r| > \epsilon\,], \quad
        e = \max(0, |r| - \epsilon)

    Parameters
    ----------
    epsilon : float, default 0.1
        Not negative: residuals up to it cost nothing.
    half : bool, default False
        Take half of it, with gradient e sign r and Hessian 1. scikit-learn and LIBLINEAR have the
        whole.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The Hessian has a jump at epsilon, where it is 0. Defined for all real predictions and targets.

    See Also
    --------
    EpsilonInsensitive : its root.
    SquaredError : epsilon = 0.

    References
    ----------
    C.-H. Ho and C.-J. Lin, *Large-scale Linear Support Vector Regression*, J. Mach. Learn. Res. 13,
    2012.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.SquaredEpsilonInsensitive(epsilon=0.5)
    >>> loss.value_and_grad([1.5, 3.0], [1.0, 1.0], reduction="sum")
    (2.25, array([0., 3.]))
    """

    epsilon: Annotated[float, NON_NEGATIVE] = 0.1
    half: bool = False

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"epsilon": self.epsilon, "factor": 0.5 if self.half else 1.0}


class Cauchy(Loss, kernel="cauchy"):
    r"""Cauchy's robust loss, also called Lorentzian: grows like a logarithm.

    With :math:`u = r^2 / c^2`:

    .. math::
        \ell = \frac{c^2}{2} \log(1 + u), \quad g = \frac{r}{1 + u}, \quad
        h = \frac{1 - u}{(1 + u)^2}

    Parameters
    ----------
    c : float, default 1.0
        Positive, 1e-75 to 1e75: from there on the pull of a residual decreases. For normal
        residuals of variance 1 the estimate is 95% efficient with 2.3849.
    hessian : {"exact", "majorizer"}, default "exact"
        The exact one is negative for abs(r) > c; "majorizer" is 1 / (1 + u), the weight of
        iteratively reweighted least squares.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Nothing overflows: at r = 1e300 the gradient is 1e-300. SciPy's ``least_squares`` has the same
    loss as "cauchy" with c as ``f_scale``. Defined for all real predictions and targets.

    See Also
    --------
    Barron : alpha = 0 and scale = c / sqrt(2) is this times 2 / c squared.
    GemanMcClure, Welsch, Tukey : bounded.

    References
    ----------
    M. J. Black and P. Anandan, *The Robust Estimation of Multiple Motions*, Comput. Vis. Image
    Underst. 63, 1996.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Cauchy(c=2.0).grad_and_hess([1.0, 6.0], [3.0, 0.0], reduction="sum")
    (array([-1. ,  0.6]), array([ 0.  , -0.08]))
    """

    c: Annotated[float, SCALE] = 1.0
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "lorentzian": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"c": self.c, "majorize": _majorize(self.hessian)}


class GemanMcClure(Loss, kernel="geman_mc_clure"):
    r"""Geman and McClure's robust loss: bounded by half of c squared.

    With :math:`u = r^2 / c^2`:

    .. math::
        \ell = \frac{r^2}{2 (1 + u)}, \quad g = \frac{r}{(1 + u)^2}, \quad
        h = \frac{1 - 3 u}{(1 + u)^3}

    Parameters
    ----------
    c : float, default 1.0
        Positive, 1e-75 to 1e75: the scale of the residuals that count.
    hessian : {"exact", "majorizer"}, default "exact"
        The exact one is negative for u > 1/3; "majorizer" is 1 / (1 + u) squared, the weight of
        iteratively reweighted least squares.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Defined for all real predictions and targets.

    See Also
    --------
    Barron : alpha = -2 and scale = c / 2 is this times 4 / c squared.
    Cauchy, Welsch, Tukey : of the same kind.

    References
    ----------
    S. Geman and D. E. McClure, *Bayesian Image Analysis: An Application to Single Photon Emission
    Tomography*, Proc. Stat. Comput. Sect. ASA, 1985.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GemanMcClure().value_grad_hess([1.0, 3.0], [0.0, 3.0], reduction="sum")
    (0.25, array([0.25, 0.  ]), array([-0.25,  1.  ]))
    """

    c: Annotated[float, SCALE] = 1.0
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "geman_mcclure": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"c": self.c, "majorize": _majorize(self.hessian)}


class Welsch(Loss, kernel="welsch"):
    r"""Welsch's robust loss, also called Leclerc's or the correntropy loss: an inverted bell.

    With :math:`u = r^2 / c^2`:

    .. math::
        \ell = \frac{c^2}{2} (1 - e^{-u}), \quad g = r e^{-u}, \quad h = (1 - 2 u) e^{-u}

    Parameters
    ----------
    c : float, default 1.0
        Positive, 1e-75 to 1e75: the scale of the residuals that count. For normal residuals of
        variance 1 the estimate is 95% efficient with 2.9846.
    hessian : {"exact", "majorizer"}, default "exact"
        The exact one is negative for u > 1/2; "majorizer" is exp(-u), the weight of iteratively
        reweighted least squares.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Defined for all real predictions and targets.

    See Also
    --------
    Barron : alpha = -inf and scale = c / sqrt(2) is this times 2 / c squared.
    Cauchy, GemanMcClure, Tukey : of the same kind.

    References
    ----------
    J. E. Dennis and R. E. Welsch, *Techniques for Nonlinear Least Squares and Robust Regression*,
    Commun. Stat. Simul. Comput. 7, 1978.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, gradient, hessian = fl.Welsch(c=2.0).value_grad_hess([1.0], [3.0])
    >>> round(value, 6), gradient.round(6), hessian.round(6)
    (1.264241, array([-0.735759]), array([-0.367879]))
    """

    c: Annotated[float, SCALE] = 1.0
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "leclerc": {},
        "correntropy": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        square = self.c * self.c
        return {"rate": 1 / square, "factor": square / 2, "majorize": _majorize(self.hessian)}


class Tukey(Loss, kernel="tukey"):
    r"""Tukey's biweight, also called bisquare: beyond c a residual has no pull at all.

    With :math:`u = \min(r^2 / c^2, 1)`:

    .. math::
        \ell = \frac{c^2}{6} \left( 1 - (1 - u)^3 \right), \quad g = r (1 - u)^2, \quad
        h = (1 - u)(1 - 5 u)

    Parameters
    ----------
    c : float, default 4.685
        Positive, 1e-75 to 1e75: from there on the loss is flat. With the default the estimate is
        95% efficient for normal residuals of variance 1.
    hessian : {"exact", "majorizer"}, default "exact"
        The exact one is negative for u > 1/5; "majorizer" is (1 - u) squared, the weight of
        iteratively reweighted least squares.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Beyond c gradient and Hessian are 0, exact and majorizer alike. Defined for all real predictions
    and targets.

    See Also
    --------
    Cauchy, GemanMcClure, Welsch : of the same kind, without an edge.

    References
    ----------
    A. E. Beaton and J. W. Tukey, *The Fitting of Power Series, Meaning Polynomials, Illustrated on
    Band-Spectroscopic Data*, Technometrics 16, 1974.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Tukey(c=2.0).value_and_grad([1.0, 6.0], [0.0, 0.0], reduction="sum")
    (1.0520833333333333, array([0.5625, 0.    ]))
    """

    c: Annotated[float, SCALE] = 4.685
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "TukeyBiweight": {},
        "biweight": {},
        "bisquare": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"c": self.c, "majorize": _majorize(self.hessian)}


class Lq(Loss, kernel="lq"):
    r"""A power of the absolute error.

    .. math::
        \ell = |r|^q, \quad g = q\, |r|^{q - 1} \operatorname{sign} r, \quad
        h = q (q - 1)\, |r|^{q - 2}

    Parameters
    ----------
    q : float, default 1.5
        From 1, the absolute error, to 1e18; 2 is the squared error.
    hessian : {"exact", "unit"}, default "exact"
        "unit" is h = 1, for boosting with q below 2.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the exact Hessian is infinite for q between 1 and 2, as the second derivative is: one
    tie is enough to end a Newton step. CatBoost takes it for q from 2 on alone. For q = 1 the
    sub-gradient there is 0, and so is the Hessian. Defined for all real predictions and targets.

    See Also
    --------
    AbsoluteError, SquaredError : q = 1 and 2.
    Barron : a power far from zero, a parabola near it.

    References
    ----------
    J. R. Rice and J. S. White, *Norms for Smoothing and Estimation*, SIAM Review 6, 1964.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Lq(q=1.5).value_grad_hess([4.0], [0.0])
    (8.0, array([3.]), array([0.375]))
    """

    q: Annotated[float, Interval(1, 2.0**60, room=32.0)] = 1.5
    hessian: Unit = "exact"

    def _kernel(self) -> str:
        if self.q == 1:
            return "absolute_error"
        return "squared_error" if self.q == 2 and self.hessian == "exact" else "lq"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        unit = self.hessian == "unit"
        if self.q == 1:
            return {"curvature": float(unit)}
        return {
            "factor": 1.0,
            "exponent": self.q,
            "coefficient": 1.0 if unit else self.q * (self.q - 1),
            "curvature": 0.0 if unit else self.q - 2,
        }


class Barron(Loss, kernel="barron"):
    r"""Barron's general robust loss: one parameter from the squared error to the inverted bell.

    With the scale c and :math:`s = r^2 / (c^2 |\alpha - 2|)`:

    .. math::
        \ell &= \frac{|\alpha - 2|}{\alpha} \left( (1 + s)^{\alpha / 2} - 1 \right) \\
        g &= \frac{r}{c^2} (1 + s)^{\alpha / 2 - 1} \\
        h &= \frac{1}{c^2} (1 + s)^{\alpha / 2 - 2} (1 + (\alpha - 1) s)

    Parameters
    ----------
    alpha : float, default 1.0
        The shape; the smaller, the less a large residual pulls. 2 is half the squared error over c
        squared, 1 a pseudo-Huber loss, 0 Cauchy's, -2 Geman and McClure's, -inf Welsch's.
    scale : float, default 1.0
        Positive, 1e-75 to 1e75: up to about it the loss is a parabola, whatever alpha.
    hessian : {"exact", "majorizer"}, default "exact"
        The exact one may be negative for alpha below 1; "majorizer" is g / r, the weight of
        iteratively reweighted least squares, which it is for alpha up to 2.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Continuous in alpha: at 0, 2 and -inf it is the limit, and next to them nothing cancels. No
    square of a residual overflows. Relatives that are named above have other factors; their See
    Also says which. Defined for all real predictions and targets.

    See Also
    --------
    SquaredError, PseudoHuber, Cauchy, GemanMcClure, Welsch : its special cases.

    References
    ----------
    J. T. Barron, *A General and Adaptive Robust Loss Function*, CVPR 2019, arXiv:1701.03077.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Barron(alpha=-2.0).value_and_grad([2.0], [0.0])
    (1.0, array([0.5]))
    >>> fl.Barron(alpha=2.0).value_and_grad([2.0], [0.0])
    (2.0, array([2.]))
    """

    alpha: Annotated[float, Interval(-np.inf, np.inf, upper_open=True)] = 1.0
    scale: Annotated[float, SCALE] = 1.0
    hessian: Majorizer = "exact"

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "general_robust_loss": {},
        "adaptive_robust_loss": {},
    }

    def _kernel(self) -> str:
        if self.alpha == 2:
            return "squared_error"
        # From there on the limit is the loss to far more digits than there are.
        if self.alpha < -1e30:
            return "welsch"
        if abs(self.alpha) > STEEP:
            return "barron_steep"
        return "barron_near_zero" if abs(self.alpha) < 1 else "barron"

    def _computes_in_double(self) -> bool:
        return super()._computes_in_double() or STEEP < abs(self.alpha) < math.inf

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        square = self.scale * self.scale
        majorize = _majorize(self.hessian)
        if self.alpha == 2:
            return {"factor": 0.5 / square}
        if self.alpha < -1e30:
            return {"rate": 0.5 / square, "factor": 1.0, "majorize": majorize}
        # As far out, the same on the other side.
        alpha = min(self.alpha, 1e30)
        gap = abs(alpha - 2)
        inverse = 1 / (self.scale * math.sqrt(gap))
        edge = 1 / (square * inverse) if alpha == 1 else 0.0
        return {
            "alpha": alpha,
            "inverse": inverse,
            "inverse_low": _inverse_low(self.scale, alpha, inverse) if abs(alpha) > STEEP else 0.0,
            "factor": gap / alpha if alpha else math.inf,
            "slope": 1 / square,
            "largest_value": -gap / alpha if alpha < 0 else math.inf,
            "largest_gradient": edge if alpha <= 1 else math.inf,
            "majorize": majorize,
        }


class Wing(Loss, kernel="wing"):
    r"""Wing loss of facial landmarks: steepest at small residuals.

    With the width w and the curvature e:

    .. math::
        \ell &= \begin{cases} w \log(1 + |r| / e) & |r| < w \\
        |r| - w + w \log(1 + w / e) & |r| \ge w \end{cases} \\
        g &= \operatorname{sign}(r) \begin{cases} w / (e + |r|) & |r| < w \\
        1 & |r| \ge w \end{cases} \\
        h &= \begin{cases} -w / (e + |r|)^2 & |r| < w \\ 0 & |r| \ge w \end{cases}

    Parameters
    ----------
    width : float, default 5.0
        Positive: where the logarithm turns into straight lines.
    curvature : float, default 0.5
        Positive: the smaller, the steeper the loss is at zero.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the sub-gradient is 0 and the Hessian that of its neighbours. The Hessian is exact, so
    never positive: boosting needs another loss. Defined for all real predictions and targets. The
    defaults are those of segmentation_models_pytorch; the authors have 10 and 2.

    See Also
    --------
    AbsoluteError : what it is for large residuals, but for a constant.

    References
    ----------
    Z.-H. Feng, J. Kittler, M. Awais, P. Huber and X.-J. Wu, *Wing Loss for Robust Facial Landmark
    Localisation with Convolutional Neural Networks*, CVPR 2018, arXiv:1711.06753.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Wing(width=2.0, curvature=1.0).grad_and_hess([1.0, 5.0], [0.0, 0.0], reduction="sum")
    (array([1., 1.]), array([-0.5,  0. ]))
    """

    width: Annotated[float, POSITIVE] = 5.0
    curvature: Annotated[float, POSITIVE] = 0.5

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "wing_loss": {},
        "WingLoss": {},
    }


class LogLinearQuantile(Loss, kernel="log_linear_quantile"):
    r"""Pinball loss of an exponential: quantiles of positive targets, the score being a logarithm.

    With z the prediction, y the target, and here :math:`r = e^z - y`:

    .. math::
        \ell = \max(-q r, (1 - q) r), \quad
        g = h = e^z \begin{cases} 1 - q & r > 0 \\ 0 & r = 0 \\ -q & r < 0 \end{cases}

    Parameters
    ----------
    quantile : float, default 0.5
        The quantile q that is estimated, between 0 and 1, both excluded.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The Hessian is exact, so negative where the prediction is too small; CatBoost has 0. Where the
    rounded exponential is the target the sub-gradient is 0. Meant for positive targets, defined for
    all.

    See Also
    --------
    Pinball : without the exponential.

    References
    ----------
    CatBoost documentation, objective ``LogLinQuantile``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LogLinearQuantile(quantile=0.75).value_and_grad([0.0, 0.0], [3.0, 0.5], reduction="sum")
    (1.625, array([-0.75,  0.25]))
    """

    quantile: Annotated[float, OPEN_UNIT] = 0.5

    of_logarithm: ClassVar[bool] = True
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "LogLinQuantile": {},
    }
