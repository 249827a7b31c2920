"""Negative log-likelihoods of numbers under distributions whose parameters are predicted.

The prediction has an axis of two, the location or mean first; the target is one number per row.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import INSIDE_UNIT, NON_NEGATIVE, POSITIVE_NUMBERS, Interval, Loss

__all__ = [
    "BetaNLL",
    "CauchyNLL",
    "GammaNLL",
    "GaussianNLL",
    "GumbelNLL",
    "LaplaceNLL",
    "LogNormalNLL",
    "LogisticNLL",
    "NegativeBinomialNLL",
    "StudentNLL",
    "WeibullNLL",
    "ZeroInflatedPoissonNLL",
]

Hessian = Literal["exact", "fisher"]
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def _chosen(kernel: str, hessian: Hessian) -> str:
    return kernel if hessian == "exact" else f"{kernel}_fisher"


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
    hessian: Hessian = "exact"
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
        return _chosen(kernel, self.hessian)

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "factor": 0.5 if self.parametrisation == "log_variance" else 1.0,
            "constant": HALF_LOG_TWO_PI if self.full else 0.0,
            "eps": self.eps,
        }


class LogNormalNLL(Loss, kernel="log_normal_nll"):
    r"""Negative log-likelihood of a positive number whose logarithm is Gaussian.

    With m the predicted mean of :math:`\log y`, s the logarithm of its standard deviation, and
    :math:`z = (m - \log y) e^{-s}`:

    .. math::
        \ell &= \log y + s + \tfrac{1}{2} z^2 + \tfrac{1}{2} \log 2 \pi \\
        g_m &= z e^{-s}, \quad g_s = 1 - z^2 \\
        h_m &= e^{-2 s}, \quad h_s = 2 z^2, \quad h_{ms} = -2 z e^{-s}

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets: :math:`h_s = 2`, :math:`h_{ms} = 0`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are positive. The parameters are those of SciPy's ``lognorm`` as log(scale) and
    log(s), and of LightGBMLSS's and XGBoostLSS's ``LogNormal``.

    See Also
    --------
    GaussianNLL : of the number itself.

    References
    ----------
    E. L. Crow and K. Shimizu (eds.), *Lognormal Distributions: Theory and Applications*, 1988.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.LogNormalNLL()([[0.0, 0.0]], [1.0]), 6)
    0.918939
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "LogNormal": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


class LaplaceNLL(Loss, kernel="laplace_nll"):
    r"""Negative log-likelihood of a Laplace distribution whose location and scale are predicted.

    With m the location, s the logarithm of the scale, r = m - y and :math:`z = |r| e^{-s}`:

    .. math::
        \ell &= s + z + \log 2 \\
        g_m &= \operatorname{sign}(r) e^{-s}, \quad g_s = 1 - z \\
        h_m &= 0, \quad h_s = z, \quad h_{ms} = -\operatorname{sign}(r) e^{-s}

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or Fisher's information: :math:`h_m = e^{-2 s}`, :math:`h_s = 1`,
        :math:`h_{ms} = 0`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The absolute error whose scale is learnt: the location is a median. The sub-gradient at r = 0
    is 0.

    See Also
    --------
    StudentNLL, CauchyNLL : with heavier tails.

    References
    ----------
    S. Kotz, T. J. Kozubowski and K. Podgórski, *The Laplace Distribution and Generalizations*,
    2001.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LaplaceNLL().grad([[3.0, 0.0]], [1.0])
    array([[ 1., -1.]])
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "Laplace": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


class LogisticNLL(Loss, kernel="logistic_nll"):
    r"""Negative log-likelihood of a logistic distribution whose location and scale are predicted.

    With m the location, s the logarithm of the scale and :math:`z = (m - y) e^{-s}`:

    .. math::
        \ell &= s + |z| + 2 \log(1 + e^{-|z|}) \\
        g_m &= t e^{-s}, \quad g_s = 1 - z t, \quad t = \tanh(z / 2) \\
        h_m &= b e^{-2 s}, \quad h_s = z (t + b z), \quad h_{ms} = -(t + b z) e^{-s}, \quad
        b = \tfrac{1}{2} (1 - t^2)

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets: :math:`h_m = e^{-2 s} / 3`,
        :math:`h_s = (3 + \pi^2) / 9`, :math:`h_{ms} = 0`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    See Also
    --------
    GaussianNLL, StudentNLL

    References
    ----------
    N. Balakrishnan (ed.), *Handbook of the Logistic Distribution*, 1991.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.LogisticNLL()([[0.0, 0.0]], [0.0]), 6)
    1.386294
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


class GumbelNLL(Loss, kernel="gumbel_nll"):
    r"""Negative log-likelihood of a Gumbel distribution: the largest of many numbers.

    With m the location (the mode), s the logarithm of the scale and :math:`z = (m - y) e^{-s}`:

    .. math::
        \ell &= s - z + e^z \\
        g_m &= (e^z - 1) e^{-s}, \quad g_s = 1 - z (e^z - 1) \\
        h_m &= e^{z - 2 s}, \quad h_s = z (e^z - 1 + z e^z), \quad
        h_{ms} = -(e^z - 1 + z e^z) e^{-s}

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets, with Euler's :math:`\gamma`:
        :math:`h_m = e^{-2 s}`, :math:`h_s = \pi^2 / 6 + (1 - \gamma)^2`,
        :math:`h_{ms} = (\gamma - 1) e^{-s}`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    SciPy's ``gumbel_r``. For the smallest of many numbers change the sign of the target and of the
    location.

    See Also
    --------
    WeibullNLL : the same of a logarithm.

    References
    ----------
    E. J. Gumbel, *Statistics of Extremes*, 1958.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GumbelNLL()([[2.0, 0.0]], [2.0])
    1.0
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "Gumbel": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


class WeibullNLL(Loss, kernel="weibull_nll"):
    r"""Negative log-likelihood of a Weibull distribution: times until something fails.

    With f the logarithm of the scale, k = exp(c) the shape and :math:`w = k (\log y - f)`:

    .. math::
        \ell &= \log y - c - w + e^w \\
        g_f &= -k (e^w - 1), \quad g_c = w (e^w - 1) - 1 \\
        h_f &= k^2 e^w, \quad h_c = w (e^w - 1 + w e^w), \quad h_{fc} = -k (e^w - 1 + w e^w)

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets, with Euler's :math:`\gamma`:
        :math:`h_f = k^2`, :math:`h_c = \pi^2 / 6 + (1 - \gamma)^2`,
        :math:`h_{fc} = (\gamma - 1) k`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are positive. The first prediction is log(scale), the second log(shape); a shape of 1 is
    the exponential distribution.

    See Also
    --------
    GumbelNLL : what the logarithm of the target has, reflected.

    References
    ----------
    W. Weibull, *A Statistical Distribution Function of Wide Applicability*, Journal of Applied
    Mechanics 18, 1951.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.WeibullNLL()([[0.0, 0.0]], [2.0])
    2.0
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "Weibull": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


def _student_parameters(df: float) -> dict[str, float]:
    # log(Gamma(df / 2) / Gamma((df + 1) / 2) sqrt(df)); for a large df by its series.
    if df < 40:
        rest = math.log(math.gamma(df / 2) / math.gamma(df / 2 + 0.5) * math.sqrt(df))
    else:
        series = 0.0
        for coefficient in (31 / 36, -17 / 112, 1 / 20, -1 / 24, 1 / 4):
            series = series / df**2 + coefficient
        rest = 0.5 * math.log(2) + series / df
    return {
        "df": df,
        # The square of a scale is in the Hessian: rounded once.
        "per_root_df": float(1 / Decimal(df).sqrt()),
        "log_root_df": 0.5 * math.log(df),
        "constant": rest + 0.5 * math.log(math.pi),
    }


class StudentNLL(Loss, kernel="student_nll"):
    r"""Negative log-likelihood of Student's t whose location and scale are predicted.

    With n degrees of freedom, m the location, s the logarithm of the scale and
    :math:`z = (m - y) e^{-s}`, :math:`u = z^2 / n`:

    .. math::
        \ell &= s + \frac{n + 1}{2} \log(1 + u)
        + \log \frac{\sqrt{n \pi} \, \Gamma(n / 2)}{\Gamma((n + 1) / 2)} \\
        g_m &= \frac{n + 1}{n} \frac{z e^{-s}}{1 + u}, \quad
        g_s = 1 - (n + 1) \frac{u}{1 + u} \\
        h_m &= \frac{n + 1}{n} \frac{(1 - u) e^{-2 s}}{(1 + u)^2}, \quad
        h_s = \frac{2 (n + 1) u}{(1 + u)^2}, \quad
        h_{ms} = -2 \frac{n + 1}{n} \frac{z e^{-s}}{(1 + u)^2}

    Parameters
    ----------
    df : float, default 5.0
        The degrees of freedom, positive, up to 1e30: the fewer, the heavier the tails.
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, negative far out, or its expectation over targets:
        :math:`h_m = e^{-2 s} (n + 1) / (n + 3)`, :math:`h_s = 2 n / (n + 3)`, :math:`h_{ms} = 0`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    A residual far out counts as little as it can: the location's gradient falls as 1 / r.

    See Also
    --------
    CauchyNLL : one degree of freedom.
    GaussianNLL : infinitely many.

    References
    ----------
    K. L. Lange, R. J. A. Little and J. M. G. Taylor, *Robust Statistical Modeling Using the t
    Distribution*, Journal of the American Statistical Association 84, 1989.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.StudentNLL(df=2.0)([[0.0, 0.0]], [0.0]), 6)
    1.039721
    """

    df: Annotated[float, Interval(0, 2.0**100, lower_open=True, room=2.0**40)] = 5.0
    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "StudentT": {},
        "student_t_nll": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return _student_parameters(self.df)


class CauchyNLL(Loss, kernel="student_nll"):
    r"""Negative log-likelihood of a Cauchy distribution whose location and scale are predicted.

    With m the location (the median), s the logarithm of the scale and
    :math:`z = (m - y) e^{-s}`:

    .. math::
        \ell &= s + \log(1 + z^2) + \log \pi \\
        g_m &= \frac{2 z e^{-s}}{1 + z^2}, \quad g_s = \frac{1 - z^2}{1 + z^2} \\
        h_m &= \frac{2 (1 - z^2) e^{-2 s}}{(1 + z^2)^2}, \quad
        h_s = \frac{4 z^2}{(1 + z^2)^2}, \quad h_{ms} = \frac{-4 z e^{-s}}{(1 + z^2)^2}

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, negative far out, or its expectation over targets:
        :math:`h_m = e^{-2 s} / 2`, :math:`h_s = 1 / 2`, :math:`h_{ms} = 0`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    See Also
    --------
    StudentNLL : with any number of degrees of freedom.

    References
    ----------
    G. Haas, L. Bain and C. Antle, *Inferences for the Cauchy Distribution Based on Maximum
    Likelihood Estimators*, Biometrika 57, 1970.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CauchyNLL().grad([[2.0, 0.0]], [1.0])
    array([[1., 0.]])
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return _student_parameters(1.0)


class GammaNLL(Loss, kernel="gamma_nll"):
    r"""Negative log-likelihood of a gamma distribution whose mean and shape are predicted.

    With f the logarithm of the mean, k = exp(c) the shape and :math:`u = \log y - f`:

    .. math::
        \ell &= \log \Gamma(k) - k c + k + k (e^u - 1 - u) + \log y \\
        g_f &= -k (e^u - 1), \quad g_c = k (\psi(k) - c) + k (e^u - 1 - u) \\
        h_f &= k e^u, \quad h_c = g_c + k^2 \psi'(k) - k, \quad h_{fc} = -k (e^u - 1)

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets: :math:`h_f = k`,
        :math:`h_c = k^2 \psi'(k) - k`, :math:`h_{fc} = 0`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are positive. Their standard deviation is the mean over the root of the shape. SciPy's
    ``gamma`` has the shape ``a`` and the scale mean / shape.

    See Also
    --------
    LogNormalNLL, WeibullNLL : other positive numbers.

    References
    ----------
    P. McCullagh and J. A. Nelder, *Generalized Linear Models*, 2nd ed., 1989, chapter 8.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GammaNLL()([[0.0, 0.0]], [2.0])
    2.0
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain: ClassVar[tuple[float, float]] = POSITIVE_NUMBERS

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


class BetaNLL(Loss, kernel="beta_nll"):
    r"""Negative log-likelihood of a beta distribution: a number between 0 and 1.

    With :math:`\alpha = e^a` and :math:`\beta = e^b`, whose logarithms are predicted,
    :math:`\sigma = \alpha + \beta`:

    .. math::
        \ell &= \log \frac{\Gamma(\alpha) \Gamma(\beta)}{\Gamma(\sigma)}
        - (\alpha - 1) \log y - (\beta - 1) \log(1 - y) \\
        g_a &= \alpha (\psi(\alpha) - \psi(\sigma) - \log y), \quad
        h_a = g_a + \alpha^2 (\psi'(\alpha) - \psi'(\sigma)) \\
        g_b &= \beta (\psi(\beta) - \psi(\sigma) - \log(1 - y)), \quad
        h_b = g_b + \beta^2 (\psi'(\beta) - \psi'(\sigma)) \\
        h_{ab} &= -\alpha \beta \psi'(\sigma)

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, or its expectation over targets, which leaves :math:`g_a` and
        :math:`g_b` out of :math:`h_a` and :math:`h_b`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are between 0 and 1, neither of them included. A mean m and a precision s predicted
    instead are :math:`a = \log m + \log s`, :math:`b = \log(1 - m) + \log s`.

    See Also
    --------
    BinaryCrossEntropy : of a share, by its mean alone.

    References
    ----------
    S. Ferrari and F. Cribari-Neto, *Beta Regression for Modelling Rates and Proportions*, Journal
    of Applied Statistics 31, 2004.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.BetaNLL()([[0.0, 1.0]], [0.25]), 6)
    -0.505681
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain: ClassVar[tuple[float, float]] = INSIDE_UNIT
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "Beta": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)


class NegativeBinomialNLL(Loss, kernel="negative_binomial_nll"):
    r"""Negative log-likelihood of counts whose mean and dispersion are predicted.

    With f the logarithm of the mean m, :math:`\alpha = e^d` the dispersion,
    :math:`n = 1 / \alpha`, and p = 1 - q = :math:`\alpha m / (1 + \alpha m)`:

    .. math::
        \ell &= \log \frac{\Gamma(n) \, y!}{\Gamma(n + y)} - n \log q - y \log p \\
        g_f &= q (m - y), \quad
        g_d = n (\psi(n + y) - \psi(n) + \log q) + g_f \\
        h_f &= q p (n + y), \quad h_{fd} = -p g_f \\
        h_d &= n (\psi(n) - \psi(n + y) - \log q) + n^2 (\psi'(n) - \psi'(n + y))
        - q m (1 + p) + y p q

    Parameters
    ----------
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are counts, not negative; their variance is :math:`m + \alpha m^2` (NB2). As the
    dispersion falls the loss becomes Poisson's, without loss of digits. The expectation of
    :math:`h_d` has no closed form, so there is no choice of `hessian`.

    See Also
    --------
    Poisson : no dispersion.
    ZeroInflatedPoissonNLL : too many zeros.

    References
    ----------
    J. M. Hilbe, *Negative Binomial Regression*, 2nd ed., 2011.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.NegativeBinomialNLL()([[0.0, 0.0]], [0]), 6)
    0.693147
    """

    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain: ClassVar[tuple[float, float]] = (0.0, np.inf)


class ZeroInflatedPoissonNLL(Loss, kernel="zero_inflated_poisson_nll"):
    r"""Negative log-likelihood of counts with too many zeros: rate and their share predicted.

    With r = exp(f) the rate, :math:`p = 1 - q = 1 / (1 + e^{-c})` the probability of a zero that is
    no count, :math:`t = p / (p + q e^{-r})` the same for a zero that was seen, and [.] 1 where a
    condition holds and 0 elsewhere:

    .. math::
        \ell &= -[y = 0] \log(p + q e^{-r}) + [y > 0] (r - y f + \log y! - \log q) \\
        g_f &= [y = 0] r (1 - t) + [y > 0] (r - y), \quad g_c = p - [y = 0] t \\
        h_f &= r - [y = 0] r t (1 + r (1 - t)), \quad
        h_c = p q - [y = 0] t (1 - t), \quad h_{fc} = -[y = 0] r t (1 - t)

    Parameters
    ----------
    hessian : {"exact", "fisher"}, default "exact"
        The exact diagonal, negative for some zeros, or its expectation over targets:
        :math:`h_f = q r (1 - r e^{-r} t)`, :math:`h_c = p q t (1 - e^{-r})`,
        :math:`h_{fc} = -p r (1 - t)`.
    axis : int, default -1
        The axis of the two predictions.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are counts, not negative. The first prediction is log(rate), the second the logit of
    the inflation. For counts that vary too much elsewhere than in their zeros take
    :class:`NegativeBinomialNLL`.

    See Also
    --------
    Poisson : no inflation.
    NegativeBinomialNLL : counts that vary too much.

    References
    ----------
    D. Lambert, *Zero-Inflated Poisson Regression, with an Application to Defects in
    Manufacturing*, Technometrics 34, 1992.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.ZeroInflatedPoissonNLL(hessian="fisher")
    >>> gradient, hessian = loss.grad_and_hess([[0.0, 0.0], [0.0, 0.0]], [0, 2], reduction="sum")
    >>> gradient.round(3)
    array([[ 0.269, -0.231],
           [-1.   ,  0.5  ]])
    """

    hessian: Hessian = "exact"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain: ClassVar[tuple[float, float]] = (0.0, np.inf)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "ZIP": {},
    }

    def _kernel(self) -> str:
        return _chosen(self.kernel, self.hessian)
