"""Negative log-likelihoods of one predicted mean: of counts, and of amounts."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import (
    COUNTS,
    NON_NEGATIVE,
    NUMBERS,
    POSITIVE_NUMBERS,
    Deciding,
    Interval,
    Loss,
)

__all__ = [
    "Gamma",
    "InverseGaussian",
    "NegativeBinomial",
    "Poisson",
    "Tweedie",
]

# How a mean comes from a prediction.
Link = Literal["log", "identity"]


def _of_logarithm(loss: Any) -> bool:
    return bool(loss.link == "log")


class Poisson(Loss, kernel="poisson"):
    r"""Negative log-likelihood of counts, the prediction being the logarithm of the rate.

    With z the prediction and y the target, and without the constant :math:`\log y!`:

    .. math:: \ell = e^z - y z, \quad g = e^z - y, \quad h = e^z

    With the identity link the prediction is the rate itself, and with c for it plus `eps`:

    .. math::
        \ell = z - y \log c, \quad g = 1 - \frac{y}{c}, \quad h = \frac{y}{c^2}

    Parameters
    ----------
    link : {"log", "identity"}, default "log"
    eps : float, default 0
        Added to the rate by the identity link, not negative. PyTorch has 1e-8, Keras 1e-7.
    full : bool, default False
        Whether Stirling's formula for :math:`\log y!` is added where y > 1:
        :math:`y \log y - y + \tfrac{1}{2} \log(2 \pi y)`.
    hessian : {"exact", "boosting"}, default "exact"
        "boosting" is :math:`e^{0.7}` times the exact one, with which XGBoost and LightGBM shorten
        their steps (their ``max_delta_step`` and ``poisson_max_delta_step``).
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is negative, or, with the identity link, a prediction.

    Notes
    -----
    Targets are counts or rates. A target of 0 with z = -inf gives 0, and so does one of 0 with a
    rate of 0. PyTorch's mask of Stirling's formula is the one here; TensorFlow masks targets from 0
    to 1.

    See Also
    --------
    NegativeBinomial : counts that vary more than these.
    Tweedie : the same for amounts, many of which may be 0.

    References
    ----------
    P. McCullagh and J. A. Nelder, *Generalized Linear Models*, 2nd ed., 1989, chapter 6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Poisson().value_grad_hess([0.0, 0.0], [0, 3], reduction="sum")
    (2.0, array([ 1., -2.]), array([1., 1.]))
    >>> fl.Poisson(link="identity").grad([1.0, 2.0], [0, 3], reduction="sum")
    array([ 1. , -0.5])
    """

    link: Link = "log"
    eps: Annotated[float, NON_NEGATIVE] = 0.0
    full: bool = False
    hessian: Literal["exact", "boosting"] = "exact"

    prediction_domain = Deciding(lambda loss: NUMBERS if loss.link == "log" else COUNTS)
    target_domain: ClassVar[tuple[float, float]] = COUNTS
    of_logarithm = Deciding(_of_logarithm)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "poisson_nll_loss": {"eps": 1e-8},
        "PoissonNLLLoss": {"eps": 1e-8},
        "HalfPoissonLoss": {},
        "count:poisson": {},
        "log_poisson_loss": {},
    }

    def _kernel(self) -> str:
        kernel = "poisson" if self.link == "log" else "poisson_identity"
        return f"{kernel}_full" if self.full else kernel

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"eps": self.eps, "stretch": 1.0 if self.hessian == "exact" else math.exp(0.7)}


class Gamma(Loss, kernel="gamma"):
    r"""Negative log-likelihood of positive amounts whose spread grows as their mean.

    With z the prediction, the logarithm of the mean, and y the target; of a gamma distribution of
    shape 1, for another shape is a factor, and without the terms that z is not in:

    .. math:: \ell = z + y e^{-z}, \quad g = 1 - y e^{-z}, \quad h = y e^{-z}

    With the identity link the prediction is the mean:

    .. math::
        \ell = \log z + \frac{y}{z}, \quad g = \frac{z - y}{z^2}, \quad h = \frac{2 y - z}{z^3}

    Parameters
    ----------
    link : {"log", "identity"}, default "log"
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is not positive, or, with the identity link, a prediction.

    Notes
    -----
    scikit-learn's ``HalfGammaLoss``, and gradient and Hessian of XGBoost's ``reg:gamma`` and
    LightGBM's ``gamma``. With the identity link the Hessian is negative for z > 2 y.

    See Also
    --------
    Tweedie : with power 2 the same.
    WeibullNLL : positive numbers of another shape.

    References
    ----------
    P. McCullagh and J. A. Nelder, *Generalized Linear Models*, 2nd ed., 1989, chapter 8.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Gamma().value_grad_hess([0.0, 0.0], [1, 3], reduction="sum")
    (4.0, array([ 0., -2.]), array([1., 3.]))
    """

    link: Link = "log"

    prediction_domain = Deciding(lambda loss: NUMBERS if loss.link == "log" else POSITIVE_NUMBERS)
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    of_logarithm = Deciding(_of_logarithm)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"HalfGammaLoss": {}, "reg:gamma": {}}

    def _kernel(self) -> str:
        return "gamma" if self.link == "log" else "gamma_identity"


class Tweedie(Loss, kernel="tweedie"):
    r"""Negative log-likelihood of amounts whose variance is a power of their mean.

    Half the deviance of a Tweedie distribution without the terms that the prediction is not in;
    with z the prediction, the logarithm of the mean, y the target and p the power:

    .. math::
        \ell = \frac{e^{(2 - p) z}}{2 - p} - y \frac{e^{(1 - p) z}}{1 - p}, \quad
        g = e^{(2 - p) z} - y e^{(1 - p) z}, \\
        h = (2 - p) e^{(2 - p) z} - (1 - p) y e^{(1 - p) z}

    With the identity link the prediction is the mean m, and :math:`z = \log m` in this value:

    .. math:: g = m^{-p} (m - y), \quad h = m^{-p - 1} ((1 - p) m + p y)

    Parameters
    ----------
    power : float, default 1.5
        Between 1 and 2 a Poisson number of gamma amounts, so 0 or positive; 0, 1, 2 and 3 are the
        normal, Poisson, gamma and inverse Gaussian distributions. Not within (0, 1), where there is
        none.
    link : {"log", "identity"}, default "log"
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is negative and the power at least 1, or 0 and the power at least 2; if, with
        the identity link, a prediction is not positive and the power not 0.

    Notes
    -----
    Values are those of scikit-learn's ``HalfTweedieLoss``, XGBoost, LightGBM and CatBoost, with the
    terms in 1 / (1 - p) and 1 / (2 - p); its ``HalfTweedieLossIdentity`` adds what makes the least
    value 0. They are not continuous in the power: at 1 and at 2,
    where these have no limit, the value is that of :class:`Poisson` and :class:`Gamma`. Gradient
    and Hessian are. With power 0 and the identity link it is half the squared error, of any
    numbers. The Hessian is exact, and is negative where a power below 1 or above 2, or the identity
    link, makes it so. With the identity link powers of more than about 50 in size magnify the
    rounding of the mean's logarithm: to about a tenth of the power, in ulp.

    See Also
    --------
    Poisson, Gamma, InverseGaussian : of single powers.

    References
    ----------
    B. Jørgensen, *Exponential dispersion models*, J. R. Stat. Soc. B 49 (1987).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Tweedie(power=1.5).value_grad_hess([0.0, 0.0], [0, 3], reduction="sum")
    (10.0, array([ 1., -2.]), array([0.5, 2. ]))
    >>> fl.Tweedie(power=0.5)
    Traceback (most recent call last):
    ...
    ValueError: power must not lie between 0 and 1, got 0.5
    """

    power: Annotated[float, Interval(-np.inf, np.inf, lower_open=True, upper_open=True)] = 1.5
    link: Link = "log"

    prediction_domain = Deciding(
        lambda loss: NUMBERS if loss.link == "log" or loss.power == 0 else POSITIVE_NUMBERS
    )
    target_domain = Deciding(
        lambda loss: NUMBERS if loss.power <= 0 else COUNTS if loss.power < 2 else POSITIVE_NUMBERS
    )
    of_logarithm = Deciding(_of_logarithm)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "HalfTweedieLoss": {},
        "HalfTweedieLossIdentity": {"link": "identity"},
        "reg:tweedie": {},
    }

    def _check(self) -> None:
        if 0 < self.power < 1:
            raise ValueError(f"power must not lie between 0 and 1, got {self.power!r}")

    def _kernel(self) -> str:
        identity = "" if self.link == "log" else "_identity"
        if self.power in (1, 2):
            return ("poisson" if self.power == 1 else "gamma") + identity
        if identity:
            return "squared_error" if self.power == 0 else "tweedie_identity"
        return "tweedie" if 1 < self.power < 2 else "tweedie_outer"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "power": self.power,
            "base": 1.0 if self.power < 1 else 2.0,
            "eps": 0.0,
            "stretch": 1.0,
            "factor": 0.5,
        }


class NegativeBinomial(Loss, kernel="negative_binomial"):
    r"""Negative log-likelihood of counts whose variance exceeds their mean m: m + alpha m^2 (NB2).

    With z the prediction, the logarithm of the mean, and y the target, and without the terms that z
    is not in:

    .. math::
        \ell = \left(y + \frac{1}{\alpha}\right) \log(1 + \alpha e^z) - y z, \quad
        g = \frac{e^z - y}{1 + \alpha e^z}, \quad
        h = \frac{e^z (1 + \alpha y)}{(1 + \alpha e^z)^2}

    Parameters
    ----------
    alpha : float, default 1
        0, which is :class:`Poisson`, or from 2^-500 to 2^500.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is negative.

    Notes
    -----
    statsmodels has the same alpha; the size, or number of failures, of other parametrisations is
    1 / alpha. A gradient is never beyond 1 / alpha, so a large count with a small mean does not
    overwhelm the others as it does in :class:`Poisson`.

    See Also
    --------
    Poisson : the limit of alpha to 0.

    References
    ----------
    A. C. Cameron and P. K. Trivedi, *Regression Analysis of Count Data*, 2nd ed., 2013,
    section 3.3.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.NegativeBinomial(alpha=1.0).grad([0.0, 0.0], [0, 3], reduction="sum")
    array([ 0.5, -1. ])
    """

    alpha: Annotated[float, Interval(0, 2.0**500)] = 1.0

    of_logarithm: ClassVar[bool] = True
    target_domain: ClassVar[tuple[float, float]] = COUNTS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _check(self) -> None:
        if 0 < self.alpha < 2.0**-500:
            raise ValueError(f"alpha must be 0 or in [2^-500, 2^500], got {self.alpha!r}")

    def _kernel(self) -> str:
        return "negative_binomial" if self.alpha > 0 else "poisson"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "alpha": self.alpha,
            "log_alpha": math.log(self.alpha) if self.alpha else 0.0,
            "stretch": 1.0,
        }


class InverseGaussian(Loss, kernel="inverse_gaussian"):
    r"""Negative log-likelihood of positive numbers with long tails, such as first passage times.

    Half the deviance of an inverse Gaussian distribution, with z the prediction, the logarithm of
    the mean :math:`m = e^z`, and y the target:

    .. math::
        \ell = \frac{(y - m)^2}{2 y m^2}, \quad g = \frac{m - y}{m^2}, \quad
        h = \frac{2 y - m}{m^2}

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        "fisher" is the expectation of the exact one, :math:`h = 1 / m`, which is never negative.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is not positive.

    Notes
    -----
    The exact Hessian is negative for m > 2 y. Another shape than 1 is a factor.

    See Also
    --------
    Tweedie : with power 3 the same but for a term that z is not in.

    References
    ----------
    M. C. K. Tweedie, *Statistical properties of inverse Gaussian distributions*, Ann. Math. Stat.
    28 (1957).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.InverseGaussian().value_grad_hess([0.0, 0.0], [1, 2], reduction="sum")
    (0.25, array([-0., -1.]), array([1., 3.]))
    """

    hessian: Literal["exact", "fisher"] = "exact"

    of_logarithm: ClassVar[bool] = True
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel(self) -> str:
        return "inverse_gaussian" if self.hessian == "exact" else "inverse_gaussian_fisher"
