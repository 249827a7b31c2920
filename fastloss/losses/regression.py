"""Losses of a real number against a real number. Throughout, r = prediction - target."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from fastloss.losses.base import OPEN_UNIT, POSITIVE, Loss

__all__ = ["AbsoluteError", "Huber", "LogCosh", "Pinball", "SquaredError"]


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
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the sub-gradient is 0. Defined for all real predictions and targets.

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

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "mae": {},
        "mean_absolute_error": {},
        "MeanAbsoluteError": {},
        "l1": {},
        "l1_loss": {},
        "L1Loss": {},
        "reg:absoluteerror": {},
        "regression_l1": {},
    }


class Huber(Loss, kernel="huber"):
    r"""Squared error near zero, absolute error far from it.

    .. math::
        \ell = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta (|r| - \delta / 2) & |r| > \delta
        \end{cases}, \quad g = \min(\max(r, -\delta), \delta), \quad h = [\,|r| \le \delta\,]

    Parameters
    ----------
    delta : float, default 1.0
        Positive: where the parabola turns into straight lines.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The Hessian has a jump at delta, where it is 1. LightGBM uses 1 everywhere. Defined for all real
    predictions and targets.

    See Also
    --------
    LogCosh : of the same shape, smooth everywhere.

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

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "huber_loss": {},
        "HuberLoss": {},
    }


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
    r"""Pinball loss; its minimiser is a quantile.

    .. math::
        \ell = \max(-q r, (1 - q) r), \quad
        g = \begin{cases} 1 - q & r > 0 \\ 0 & r = 0 \\ -q & r < 0 \end{cases}, \quad h = 0

    Parameters
    ----------
    quantile : float, default 0.5
        The quantile q that is estimated, between 0 and 1, both excluded.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the sub-gradient is 0; scikit-learn takes -q there and LightGBM 1 - q. Defined for all
    real predictions and targets.

    See Also
    --------
    AbsoluteError : twice this loss at q = 1/2.

    References
    ----------
    R. Koenker and G. Bassett, *Regression Quantiles*, Econometrica 46, 1978.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Pinball(quantile=0.75).value_and_grad([1.0, 3.0], [2.0, 2.0], reduction="sum")
    (1.0, array([-0.75,  0.25]))
    """

    quantile: Annotated[float, OPEN_UNIT] = 0.5

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "quantile": {},
        "pinball_loss": {},
        "mean_pinball_loss": {},
        "PinballLoss": {},
        "reg:quantileerror": {},
    }
