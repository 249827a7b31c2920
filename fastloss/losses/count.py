"""Negative log-likelihoods of one predicted number: of counts, of amounts, of durations."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import NON_NEGATIVE, POSITIVE, POSITIVE_NUMBERS, Interval, Loss

__all__ = [
    "Gamma",
    "InverseGaussian",
    "Laplace",
    "LogNormal",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
    "Tweedie",
    "Weibull",
]

# How a mean comes from a prediction.
Link = Literal["log", "identity"]

NUMBERS = (-np.inf, np.inf)
COUNTS = (0.0, np.inf)
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


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
        Whether Stirling's formula for :math:`\log y!` is added, :math:`y \log y - y + \tfrac{1}{2}
        \log(2 \pi y)`, where y > 1.
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

    target_domain: ClassVar[tuple[float, float]] = COUNTS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "poisson_nll_loss": {"eps": 1e-8},
        "PoissonNLLLoss": {"eps": 1e-8},
        "HalfPoissonLoss": {},
        "count:poisson": {"hessian": "boosting"},
        "log_poisson_loss": {},
    }

    def _kernel(self) -> str:
        kernel = "poisson" if self.link == "log" else "poisson_identity"
        return f"{kernel}_full" if self.full else kernel

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"eps": self.eps, "stretch": 1.0 if self.hessian == "exact" else math.exp(0.7)}

    def input_domains(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the least and the greatest prediction, and the same of the target."""
        return NUMBERS if self.link == "log" else COUNTS, COUNTS


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
    Weibull : with shape 1 the same.

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

    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"HalfGammaLoss": {}, "reg:gamma": {}}

    def _kernel(self) -> str:
        return "gamma" if self.link == "log" else "gamma_identity"

    def input_domains(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the least and the greatest prediction, and the same of the target."""
        return NUMBERS if self.link == "log" else POSITIVE_NUMBERS, POSITIVE_NUMBERS


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
    terms in 1 / (1 - p) and 1 / (2 - p). So they are not continuous in the power: at 1 and at 2,
    where these have no limit, the value is that of :class:`Poisson` and :class:`Gamma`. Gradient
    and Hessian are. With power 0 and the identity link it is half the squared error, of any
    numbers. The Hessian is exact, and is negative where a power below 1 or above 2, or the identity
    link, makes it so.

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

    target_domain: ClassVar[tuple[float, float]] = NUMBERS
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
        if self.power == 0 and identity:
            return "squared_error"
        return ("tweedie" if 1 < self.power < 2 else "tweedie_outer") + identity

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        # Exact, however near the power is to 1 or 2.
        first, second = (float(n - Fraction(self.power)) for n in (1, 2))
        common = first if self.power < 1 else second
        return {
            "first": first,
            "second": second,
            "common": common,
            "first_rest": 0.0 if self.power < 1 else -1.0,
            "second_rest": 1.0 if self.power < 1 else 0.0,
            "eps": 0.0,
            "stretch": 1.0,
            "factor": 0.5,
        }

    def input_domains(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the least and the greatest prediction, and the same of the target."""
        target = NUMBERS if self.power <= 0 else COUNTS if self.power < 2 else POSITIVE_NUMBERS
        anything = self.link == "log" or self.power == 0
        return NUMBERS if anything else POSITIVE_NUMBERS, target


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
        Not negative; below 1e-30 it counts as 0, which is :class:`Poisson`.
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

    alpha: Annotated[float, NON_NEGATIVE] = 1.0

    link: ClassVar[Link] = "log"
    target_domain: ClassVar[tuple[float, float]] = COUNTS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel(self) -> str:
        return "negative_binomial" if self.alpha >= 1e-30 else "poisson"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "alpha": self.alpha,
            "log_alpha": math.log(self.alpha) if self.alpha else 0.0,
            "most": 87.0 if dtype == np.float32 else 700.0,
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

    link: ClassVar[Link] = "log"
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel(self) -> str:
        return "inverse_gaussian" if self.hessian == "exact" else "inverse_gaussian_fisher"


class StudentT(Loss, kernel="student_t"):
    r"""Negative log-likelihood of a Student-t distribution of known scale: robust regression.

    With :math:`\nu` the degrees of freedom, s the scale and the residual
    :math:`r = \text{prediction} - \text{target}`:

    .. math::
        \ell = \frac{\nu + 1}{2} \log\left(1 + \frac{r^2}{\nu s^2}\right), \quad
        g = \frac{(\nu + 1) r}{\nu s^2 + r^2}, \quad
        h = (\nu + 1) \frac{\nu s^2 - r^2}{(\nu s^2 + r^2)^2}

    Parameters
    ----------
    df : float, default 3
        Degrees of freedom, positive.
    scale : float, default 1
        Positive, in the unit of the target.
    full : bool, default False
        Whether the value has the logarithm of the distribution's constant, which neither prediction
        nor target is in.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The further out a target lies beyond :math:`s \sqrt{\nu}`, the less it counts. The Hessian is
    exact, and negative there. Defined for all real predictions and targets.

    See Also
    --------
    Cauchy : of one degree of freedom.
    Laplace : outliers count as much as others.

    References
    ----------
    K. L. Lange, R. J. A. Little and J. M. G. Taylor, *Robust statistical modeling using the t
    distribution*, J. Am. Stat. Assoc. 84 (1989).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.StudentT(df=3.0).grad([0.0, 1.0, 3.0], [0.0, 0.0, 0.0], reduction="sum")
    array([0., 1., 1.])
    """

    df: Annotated[float, POSITIVE] = 3.0
    scale: Annotated[float, POSITIVE] = 1.0
    full: bool = False

    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        width = self.scale * math.sqrt(self.df)
        half = 0.5 * (self.df + 1)
        constant = math.lgamma(0.5 * self.df) - math.lgamma(half) + math.log(width)
        return {
            "width": width,
            "half": half,
            "slope": (self.df + 1) / width,
            "bend": (self.df + 1) / width / width,
            "constant": constant + 0.5 * math.log(math.pi) if self.full else 0.0,
        }


class Laplace(Loss, kernel="laplace"):
    r"""Negative log-likelihood of a Laplace distribution of known scale b.

    .. math::
        \ell = \frac{|r|}{b}, \quad g = \frac{\operatorname{sign} r}{b}, \quad h = 0, \qquad
        r = \text{prediction} - \text{target}

    Parameters
    ----------
    scale : float, default 1
        Positive, in the unit of the target.
    full : bool, default False
        Whether :math:`\log(2 b)` is added, so that values of different scales compare.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At r = 0 the sub-gradient is 0. Defined for all real predictions and targets.

    See Also
    --------
    AbsoluteError : the same with scale 1.

    References
    ----------
    P.-S. Laplace, *Mémoire sur la probabilité des causes par les événements*, 1774.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Laplace(scale=2.0).value_and_grad([1.0, 5.0], [1.0, 2.0], reduction="sum")
    (1.5, array([0. , 0.5]))
    """

    scale: Annotated[float, POSITIVE] = 1.0
    full: bool = False

    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        constant = math.log(2.0) + math.log(self.scale) if self.full else 0.0
        return {"scale": self.scale, "constant": constant}


class LogNormal(Loss, kernel="log_normal"):
    r"""Negative log-likelihood of positive numbers whose logarithm is normal.

    With z the prediction, the mean of the logarithm, and y the target, and without the terms that z
    is not in:

    .. math::
        \ell = \frac{(z - \log y)^2}{2 \sigma^2}, \quad g = \frac{z - \log y}{\sigma^2}, \quad
        h = \frac{1}{\sigma^2}

    Parameters
    ----------
    sigma : float, default 1
        Standard deviation of the logarithm, positive.
    full : bool, default False
        Whether :math:`\log y + \log \sigma + \tfrac{1}{2} \log 2 \pi` is added.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is not positive.

    Notes
    -----
    The median of the target is :math:`e^z`, its mean :math:`e^{z + \sigma^2 / 2}`.

    See Also
    --------
    SquaredLogError : errors of the logarithm of 1 more, for targets that may be 0.

    References
    ----------
    J. Aitchison and J. A. C. Brown, *The Lognormal Distribution*, 1957.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LogNormal(sigma=0.5).value_grad_hess([2.0], [1.0], reduction="sum")
    (8.0, array([8.]), array([4.]))
    """

    sigma: Annotated[float, POSITIVE] = 1.0
    full: bool = False

    link: ClassVar[Link] = "log"
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel(self) -> str:
        return "log_normal_full" if self.full else "log_normal"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        constant = math.log(self.sigma) + HALF_LOG_TWO_PI
        return {"precision": 1 / self.sigma / self.sigma, "constant": constant}


class Weibull(Loss, kernel="weibull"):
    r"""Negative log-likelihood of durations under a Weibull distribution of known shape k.

    With z the prediction, the logarithm of the distribution's scale, y the target and
    :math:`u = (y e^{-z})^k`, and without the terms that z is not in but for :math:`-k \log y`:

    .. math:: \ell = u - \log u, \quad g = k (1 - u), \quad h = k^2 u

    Parameters
    ----------
    shape : float, default 1
        Positive. Above 1 a risk grows with age, below it falls; 1 is the exponential distribution.
    full : bool, default False
        Whether :math:`\log y - \log k`, the rest of the negative log-likelihood, is added.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a target is not positive.

    Notes
    -----
    For durations that were observed to their end. The mean of the target is
    :math:`e^z \Gamma(1 + 1 / k)`.

    See Also
    --------
    Gamma : with shape 1 the same but for a term that z is not in.

    References
    ----------
    W. Weibull, *A statistical distribution function of wide applicability*, J. Appl. Mech. 18
    (1951).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Weibull(shape=2.0).value_grad_hess([0.0], [1.0], reduction="sum")
    (1.0, array([0.]), array([4.]))
    """

    shape: Annotated[float, POSITIVE] = 1.0
    full: bool = False

    link: ClassVar[Link] = "log"
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel(self) -> str:
        return "weibull_full" if self.full else "weibull"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"shape": self.shape, "constant": -math.log(self.shape)}
