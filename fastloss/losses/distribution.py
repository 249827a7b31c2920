"""Negative log-likelihoods of numbers under distributions whose parameters are predicted.

The prediction has an axis of two, the location or mean first; the target is one number per row.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import NON_NEGATIVE, Loss

__all__ = ["GaussianNLL"]

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class GaussianNLL(Loss, kernel="gaussian_nll"):
    r"""Negative log-likelihood of a Gaussian whose mean and spread are predicted.

    With m the mean, y the target, v the variance and r = m - y:

    .. math:: \ell = \tfrac{1}{2} \log v + \frac{r^2}{2 v}

    `parametrisation` says what the second prediction is. For the logarithm of the standard
    deviation, s = log(v) / 2, with z = r exp(-s):

    .. math::
        \ell &= s + \tfrac{1}{2} z^2 \\
        g_m &= z e^{-s}, \quad g_s = 1 - z^2 \\
        h_m &= e^{-2 s}, \quad h_s = 2 z^2, \quad h_{ms} = -2 z e^{-s}

    for the logarithm of the variance the same with s its half, and for the variance itself:

    .. math::
        g_m &= \frac{r}{v}, \quad g_v = \frac{1}{2 v} - \frac{r^2}{2 v^2} \\
        h_m &= \frac{1}{v}, \quad h_v = \frac{r^2}{v^3} - \frac{1}{2 v^2}, \quad
        h_{mv} = -\frac{r}{v^2}

    Parameters
    ----------
    parametrisation : {"log_scale", "log_variance", "variance"}, default "log_scale"
        What stands beside the mean.
    full : bool, default False
        Whether to add the constant :math:`\tfrac{1}{2} \log 2 \pi`.
    eps : float, default 1e-6
        The least variance, at least 0: a smaller one counts as this, and its derivatives are those
        at this. It concerns the parametrisation "variance" alone.
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets, which is positive: 2 for s, 1/2 for
        log(v), :math:`1 / (2 v^2)` for v, and 0 for the mixed derivative.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a variance is negative.

    Notes
    -----
    PyTorch's ``gaussian_nll_loss`` takes the variance as an argument of its own and clamps it as
    `eps` does here, the gradient included. CatBoost's ``RMSEWithUncertainty`` is the
    parametrisation "log_scale" with `full`. LightGBMLSS, XGBoostLSS and NGBoost predict the
    logarithm of the scale.

    References
    ----------
    D. A. Nix and A. S. Weigend, *Estimating the mean and variance of the target probability
    distribution*, ICNN 1994.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.GaussianNLL()
    >>> value, gradient = loss.value_and_grad([[1.0, 0.0], [4.0, 0.0]], [0.0, 2.0])
    >>> value
    1.25
    >>> gradient
    array([[ 0.5,  0. ],
           [ 1. , -1.5]])
    >>> fl.GaussianNLL(parametrisation="variance")([[3.0, 1.0]], [1.0])
    2.0
    """

    parametrisation: Literal["log_scale", "log_variance", "variance"] = "log_scale"
    full: bool = False
    eps: Annotated[float, NON_NEGATIVE] = 1e-6
    hessian: Literal["exact", "fisher"] = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    domains: ClassVar[dict[str, tuple[float, float]]] = {"variance": (0.0, np.inf)}
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "gaussian_nll_loss": {"parametrisation": "variance"},
        "GaussianNLLLoss": {"parametrisation": "variance"},
        "RMSEWithUncertainty": {"full": True},
    }

    def _kernel(self) -> str:
        kernel = "gaussian_variance" if self.parametrisation == "variance" else "gaussian_nll"
        return kernel if self.hessian == "exact" else f"{kernel}_fisher"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "factor": 0.5 if self.parametrisation == "log_variance" else 1.0,
            "constant": HALF_LOG_TWO_PI if self.full else 0.0,
            "eps": self.eps,
        }
