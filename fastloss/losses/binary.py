"""Losses of two classes. Logits are real numbers z; s(z) = 1 / (1 + exp(-z))."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import (
    HALF_OPEN_UNIT,
    NON_NEGATIVE,
    UNIT,
    Array,
    Deciding,
    Interval,
    Loss,
)

__all__ = [
    "BinaryCrossEntropy",
    "BinarySparsemax",
    "Brier",
    "CrossEntropyLambda",
    "Exponential",
    "Focal",
    "Hinge",
    "HingeEmbedding",
    "LogLoss",
    "ModifiedHuber",
    "SoftMargin",
    "SquaredHinge",
]

Labels = Literal["01", "pm1"]

# y = scale * target + shift is the label as -1 or 1, and the share of the positive class.
SIGN = {"01": {"scale": 2.0, "shift": -1.0}, "pm1": {"scale": 1.0, "shift": 0.0}}
SHARE = {"01": {"scale": 1.0, "shift": 0.0}, "pm1": {"scale": 0.5, "shift": 0.5}}


def label_domain(loss: Any) -> tuple[float, float]:
    """Return what targets may be, by the convention of the labels."""
    return (-1.0, 1.0) if loss.labels == "pm1" else (0.0, 1.0)


class BinaryCrossEntropy(Loss, kernel="binary_cross_entropy"):
    r"""Binary cross-entropy of logits, also called logistic loss.

    With z the logit, t the target and w the weight of positives:

    .. math::
        \ell &= -w t \log s(z) - (1 - t) \log s(-z) \\
        g &= (1 - t) s(z) - w t s(-z) \\
        h &= (1 - t + w t)\, s(z) s(-z)

    Parameters
    ----------
    pos_weight : float or array-like, default 1.0
        Weight of the positive class, not negative. An array, one entry per class, broadcasts
        against the target as in PyTorch.
    label_smoothing : float, default 0.0
        In [0, 1): the target becomes t (1 - e) + e / 2.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are probabilities; 0 and 1 are hard labels. Nothing overflows, and the gradient keeps
    its digits where s(z) is next to t. An infinite logit on the right side costs 0, where PyTorch
    has NaN. XGBoost does not let the Hessian fall below 1e-16. LightGBM's parameter ``sigmoid`` is
    a factor of the logits: multiply them by it, the gradient too, and the Hessian by its square.

    See Also
    --------
    LogLoss : the same for probabilities.
    SoftMargin : the same for a margin.
    Focal : puts less weight on what is already right.

    References
    ----------
    D. R. Cox, *The Regression Analysis of Binary Sequences*, J. R. Stat. Soc. B 20, 1958.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.BinaryCrossEntropy().value_grad_hess([0.0, 0.0], [1, 0], reduction="sum")
    (1.3862943611198906, array([-0.5,  0.5]), array([0.25, 0.25]))
    """

    pos_weight: Annotated[float | Array, NON_NEGATIVE] = 1.0
    label_smoothing: Annotated[float, HALF_OPEN_UNIT] = 0.0

    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "binary_cross_entropy_with_logits": {},
        "BCEWithLogitsLoss": {},
        "sigmoid_cross_entropy_with_logits": {},
        "weighted_cross_entropy_with_logits": {},
        "sigmoid_binary_cross_entropy": {},
        "logistic": {},
        "HalfBinomialLoss": {},
        "half_binomial_loss": {},
        "binary:logistic": {},
        "binary:logitraw": {},
        "reg:logistic": {},
        "binary": {},
        "Logloss": {},
        "cross_entropy_logits": {},
        "xentropy": {},
    }


class LogLoss(Loss, kernel="log_loss"):
    r"""Logarithmic loss of probabilities, for two classes or many.

    With p the probability of the positive class and t the target:

    .. math::
        \ell &= -t \log p - (1 - t) \log(1 - p) \\
        g &= \frac{p - t}{p (1 - p)} \\
        h &= \frac{t}{p^2} + \frac{1 - t}{(1 - p)^2}

    With a class axis in the prediction that the target lacks, the target is a label y and the loss
    is :math:`-\log p_y`, with derivatives at the label's class alone.

    Parameters
    ----------
    clamp : {"sklearn", "keras", "torch"}, default "sklearn"
        What keeps the logarithms finite, after the library that does so:

        * "sklearn" clips probabilities to [e, 1 - e], where e is the machine epsilon of float64 or,
          for all shorter predictions, float32;
        * "keras" clips them with e = 1e-7;
        * "torch" lets no logarithm fall below -100, and no p (1 - p) in the gradient below 1e-12;
          the Hessian is the derivative of that gradient.

        Outside of an interval that it is clipped to, the derivatives of the loss are 0.
    eps : float or None, default None
        In [0, 1/2): clip probabilities to [eps, 1 - eps], whatever `clamp` is; 0 is exact, with
        0 log 0 = 0 and an infinite loss where p says impossible.
    axis : int, default 1
        The class axis, if there is one; 0 for a prediction of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    ValueError
        If a prediction or a binary target lies outside [0, 1]; logits do, and have
        :class:`BinaryCrossEntropy` and :class:`CrossEntropy`.
    IndexError
        If a label is not one of the classes.

    See Also
    --------
    BinaryCrossEntropy, CrossEntropy : the same from logits, stable and more exact.

    References
    ----------
    I. J. Good, *Rational Decisions*, J. R. Stat. Soc. B 14, 1952.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LogLoss().value_and_grad([0.5, 0.25], [1, 0], reduction="sum")
    (0.9808292530117262, array([-2.        ,  1.33333333]))
    >>> fl.LogLoss().grad([[0.5, 0.25, 0.25]], [1])
    array([[ 0., -4.,  0.]])
    """

    clamp: Literal["sklearn", "keras", "torch"] = "sklearn"
    eps: Annotated[float | None, Interval(0, 0.5, upper_open=True)] = None
    axis: int = 1

    prediction_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    class_axis: ClassVar[Literal["none", "optional", "always"]] = "optional"
    # Keras and PyTorch compute these from probabilities unless told otherwise.
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "BCELoss": {"clamp": "torch"},
        "binary_crossentropy": {"clamp": "keras"},
        "BinaryCrossentropy": {"clamp": "keras"},
        "categorical_crossentropy": {"clamp": "keras", "axis": -1},
        "CategoricalCrossentropy": {"clamp": "keras", "axis": -1},
        "sparse_categorical_crossentropy": {"clamp": "keras", "axis": -1},
        "SparseCategoricalCrossentropy": {"clamp": "keras", "axis": -1},
    }

    def _kernel(self) -> str:
        # 1 less a smaller one is 1 in float32.
        return "log_loss_open" if self.eps is not None and self.eps < 1e-7 else "log_loss"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        torch = self.clamp == "torch" and self.eps is None
        eps = {"sklearn": float(np.finfo(dtype).eps), "keras": 1e-7, "torch": 0.0}[self.clamp]
        return {
            "eps": eps if self.eps is None else self.eps,
            "log_floor": -100.0 if torch else -np.inf,
            "variance_floor": 1e-12 if torch else 0.0,
        }


class CrossEntropyLambda(Loss, kernel="cross_entropy_lambda"):
    r"""Cross-entropy whose weights are within the link, LightGBM's ``cross_entropy_lambda``.

    The prediction z gives the rate :math:`\log(1 + e^z)` of events, the target t whether there was
    one within the exposure w:

    .. math::
        \ell &= -t \log p - (1 - t) \log(1 - p), \quad
        p = 1 - \left(1 + e^z\right)^{-w} \\
        g &= w\, s(z) (1 - t / p) \\
        h &= w\, s(z) s(-z) (1 - t / p) + t \left(w\, s(z)\right)^2 (1 - p) / p^2

    Parameters
    ----------
    exposure : float or array-like, default 1.0
        Positive, 1e-75 to 1e9: LightGBM's weight. An array broadcasts against the target.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are probabilities; 0 and 1 are hard labels. With an exposure of 1 this is
    :class:`BinaryCrossEntropy`. Value and gradient are finite for every finite prediction. The
    weight of a call multiplies the loss, as it does everywhere.

    See Also
    --------
    BinaryCrossEntropy : weights outside of the link.

    References
    ----------
    P. McCullagh and J. A. Nelder, *Generalized Linear Models*, 2nd ed., 1989, chapter 4.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.CrossEntropyLambda(exposure=[1.0, 2.0])
    >>> value, gradient = loss.value_and_grad([0.0, 0.0], [1, 1], reduction="sum")
    >>> round(value, 6), gradient.round(6).tolist()
    (0.980829, [-0.5, -0.333333])
    """

    exposure: Annotated[float | Array, Interval(2.0**-250, 2.0**30, room=2.0**20)] = 1.0

    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "xentlambda": {},
    }

    def _kernel(self) -> str:
        return "binary_cross_entropy" if self._is_plain() else "cross_entropy_lambda"

    def _is_plain(self) -> bool:
        return isinstance(self.exposure, (int, float)) and self.exposure == 1

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"label_smoothing": 0.0} if self._is_plain() else {}

    def _kernel_varying(self) -> dict[str, Any]:
        return {"pos_weight" if self._is_plain() else "exposure": self.exposure}


class Focal(Loss, kernel="focal"):
    r"""Focal loss of logits: cross-entropy that fades where the prediction is right.

    With c the binary cross-entropy, u the probability given to the wrong class and a the balance:

    .. math::
        \ell &= a\, u^\gamma c, \quad u = t\, s(-z) + (1 - t)\, s(z), \quad
        a = \alpha t + (1 - \alpha)(1 - t) \\
        g &= a\, u^\gamma \left( \gamma \frac{u'}{u} c + c' \right) \\
        h &= a\, u^\gamma \left( \gamma \left( \frac{u''}{u}
        + (\gamma - 1) \frac{u'^2}{u^2} \right) c + 2 \gamma \frac{u'}{u} c' + c'' \right)

    Parameters
    ----------
    gamma : float, default 2.0
        Not negative: how fast the loss fades; 0 is binary cross-entropy.
    alpha : float or None, default None
        In [0, 1]: weight of the positive class, the negative having 1 - alpha. None is no weight.
    label_smoothing : float, default 0.0
        In [0, 1): the target becomes t (1 - e) + e / 2.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are probabilities; 0 and 1 are hard labels. The power is made of the logarithm of u, so
    value and gradient are finite for every logit and for gamma in [0, 1) too; for multiples of 1/2
    up to 3 it is a product, which takes two thirds of the time. The Hessian is exact and may be
    negative.
    Torchvision's default alpha is 0.25, and its -1 is None here; Keras's
    ``BinaryFocalCrossentropy`` takes logits with ``from_logits=True`` only and has an alpha where
    ``apply_class_balancing`` says so.

    See Also
    --------
    BinaryCrossEntropy : gamma = 0.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár, *Focal Loss for Dense Object Detection*,
    ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Focal(gamma=2, alpha=0.25).value_and_grad([0.0], [1], reduction="sum")
    (0.04332169878499658, array([-0.0745717]))
    """

    gamma: Annotated[float, NON_NEGATIVE] = 2.0
    alpha: Annotated[float | None, UNIT] = None
    label_smoothing: Annotated[float, HALF_OPEN_UNIT] = 0.0

    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "sigmoid_focal_loss": {"alpha": 0.25},
    }

    def _kernel(self) -> str:
        # A power that is next to 0 is 1 for all that can be seen.
        if self.gamma in (1, 2, 3) or self.gamma < 1e-30:
            return "focal_whole"
        return "focal_halves" if self.gamma in (0.5, 1.5, 2.5) else "focal"

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        whole = int(min(self.gamma, 3.0))
        return {
            "once": whole & 1,
            "twice": whole >> 1,
            "gamma": self.gamma,
            "label_smoothing": self.label_smoothing,
            "positive": 1.0 if self.alpha is None else self.alpha,
            "negative": 1.0 if self.alpha is None else 1.0 - self.alpha,
        }


class Hinge(Loss, kernel="hinge"):
    r"""Hinge loss of a margin, the loss of linear support vector machines.

    With y the label as -1 or 1 and m the margin that is asked for:

    .. math:: \ell = \max(0, m - y z), \quad g = -y\, [\,y z < m\,], \quad h = 0

    Parameters
    ----------
    margin : float, default 1.0
        Not negative; 0 is the perceptron's loss.
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    hessian : {"exact", "xgboost"}, default "exact"
        "exact" is 0. "xgboost" is what ``binary:hinge`` trains with: 1 where y z < m, elsewhere the
        smallest normal float32.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At y z = m the sub-gradient is 0; scikit-learn's ``SGDClassifier`` takes -y there. A target
    between the two labels is a y between -1 and 1. Keras guesses the labels' convention from the
    data; here it is said, and not checked.

    See Also
    --------
    SquaredHinge, ModifiedHuber : smooth relatives.
    SoftMargin : smooth everywhere.

    References
    ----------
    C. Cortes and V. Vapnik, *Support-Vector Networks*, Machine Learning 20, 1995.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Hinge().value_and_grad([0.5, 0.5, 2.0], [1, 0, 1], reduction="sum")
    (2.0, array([-1.,  1.,  0.]))
    >>> fl.Hinge(labels="pm1")([0.5, 0.5, 2.0], [1, -1, 1], reduction="sum")
    2.0
    """

    margin: Annotated[float, NON_NEGATIVE] = 1.0
    labels: Labels = "01"
    hessian: Literal["exact", "xgboost"] = "exact"

    target_domain = Deciding(label_domain)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "hinge_loss": {"labels": "pm1"},
        "perceptron": {"margin": 0.0},
        "perceptron_loss": {"margin": 0.0, "labels": "pm1"},
        "binary:hinge": {"hessian": "xgboost"},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        curvature = 0.0 if self.hessian == "exact" else 1.0
        return {"margin": self.margin, "curvature": curvature, **SIGN[self.labels]}


class SquaredHinge(Loss, kernel="squared_hinge"):
    r"""Square of the hinge loss.

    With y the label as -1 or 1 and m the margin that is asked for:

    .. math::
        \ell = \max(0, m - y z)^2, \quad g = -2 y \max(0, m - y z), \quad
        h = 2 y^2\, [\,y z < m\,]

    Parameters
    ----------
    margin : float, default 1.0
        Not negative.
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The Hessian has a jump at y z = m, where it is 0. A target between the two labels is a y between
    -1 and 1. Keras guesses the labels' convention from the data; here it is said, and not
    checked.

    See Also
    --------
    Hinge : grows linearly.
    ModifiedHuber : the same near the margin, and linear where a label is badly missed.

    References
    ----------
    Y. Tang, *Deep Learning using Linear Support Vector Machines*, arXiv:1306.0239, 2013.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredHinge().value_and_grad([0.5, 0.5, 2.0], [1, 0, 1], reduction="sum")
    (2.5, array([-1.,  3.,  0.]))
    """

    margin: Annotated[float, NON_NEGATIVE] = 1.0
    labels: Labels = "01"

    target_domain = Deciding(label_domain)

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"margin": self.margin, **SIGN[self.labels]}


class ModifiedHuber(Loss, kernel="modified_huber"):
    r"""Squared hinge loss that is linear where a label is badly missed.

    With y the label as -1 or 1:

    .. math::
        \ell &= \begin{cases} 0 & y z \ge 1 \\ (1 - y z)^2 & -1 \le y z < 1 \\
        -4 y z & y z < -1 \end{cases} \\
        g &= -2 y \min(\max(1 - y z, 0), 2), \quad h = 2 y^2\, [\,-1 \le y z < 1\,]

    Parameters
    ----------
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The loss of scikit-learn's ``SGDClassifier(loss="modified_huber")``, which estimates
    probabilities: its minimiser is 2 p - 1. A target between the two labels is a y between -1 and
    1; the labels' convention is not checked.

    See Also
    --------
    SquaredHinge : quadratic throughout.
    Hinge : linear throughout.

    References
    ----------
    T. Zhang, *Solving Large Scale Linear Prediction Problems Using Stochastic Gradient Descent
    Algorithms*, ICML 2004.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ModifiedHuber().value_and_grad([0.5, -3.0, 2.0], [1, 1, 1], reduction="sum")
    (12.25, array([-1., -4.,  0.]))
    """

    labels: Labels = "01"

    target_domain = Deciding(label_domain)

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {**SIGN[self.labels]}


class SoftMargin(Loss, kernel="soft_margin"):
    r"""Logistic loss of a margin.

    With y the label as -1 or 1:

    .. math::
        \ell = \log\left(1 + e^{-y z}\right), \quad g = -y\, s(-y z), \quad
        h = y^2\, s(y z) s(-y z)

    Parameters
    ----------
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Of hard labels the same as :class:`BinaryCrossEntropy`; a target between them is here a y
    between -1 and 1, as in PyTorch, and there a probability. The labels' convention is not checked.
    Nothing overflows: PyTorch's ``soft_margin_loss`` is infinite from y z = -89 on in
    float32, and its gradient NaN.

    See Also
    --------
    BinaryCrossEntropy : of probabilities as targets, with more options.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, *Additive Logistic Regression: a Statistical View of
    Boosting*, Ann. Statist. 28, 2000.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SoftMargin(labels="pm1").value_and_grad([0.0, -1000.0], [-1, 1], reduction="sum")
    (1000.6931471805599, array([ 0.5, -1. ]))
    """

    labels: Labels = "01"

    target_domain = Deciding(label_domain)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "soft_margin_loss": {"labels": "pm1"},
        "SoftMarginLoss": {"labels": "pm1"},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {**SIGN[self.labels]}


class Exponential(Loss, kernel="exponential"):
    r"""Exponential loss, which AdaBoost minimises.

    With t the label as 0 or 1, or the share of the positive class:

    .. math::
        \ell = t e^{-z} + (1 - t) e^z, \quad g = -t e^{-z} + (1 - t) e^z, \quad h = \ell

    Parameters
    ----------
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Of hard labels this is :math:`e^{-y z}`. Infinite beyond the largest exponent, |z| = 88 in
    float32 and 709 in float64, but never NaN: an infinite z on the right side costs 0. The
    minimiser is half the logit, which scikit-learn's ``ExponentialLoss`` has as its link. The
    labels' convention is not checked.

    See Also
    --------
    SoftMargin : grows linearly.

    References
    ----------
    Y. Freund and R. E. Schapire, *A Decision-Theoretic Generalization of On-Line Learning and an
    Application to Boosting*, J. Comput. Syst. Sci. 55, 1997.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Exponential().value_and_grad([0.0, 0.0], [1, 0], reduction="sum")
    (2.0, array([-1.,  1.]))
    """

    labels: Labels = "01"

    target_domain = Deciding(label_domain)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "ExponentialLoss": {},
        "exponential_loss": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {**SHARE[self.labels]}


class Brier(Loss, kernel="brier"):
    r"""Brier score of logits: the squared error of the probability.

    With d the error of the probability and v its variance:

    .. math::
        \ell = d^2, \quad g = 2 d v, \quad h = 2 v \left(v + d\, (1 - 2 s(z))\right), \quad
        d = s(z) - t, \quad v = s(z) s(-z)

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are probabilities; 0 and 1 are hard labels. A proper score, not convex in the logit: the
    Hessian is negative where a label is badly missed. Of probabilities it is
    :class:`SquaredError`, which has scikit-learn's name ``brier_score_loss``.

    See Also
    --------
    BinaryCrossEntropy : convex, and without mercy for what is badly missed.

    References
    ----------
    G. W. Brier, *Verification of Forecasts Expressed in Terms of Probability*, Monthly Weather
    Review 78, 1950.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Brier().value_grad_hess([0.0, 0.0], [1, 0], reduction="sum")
    (0.5, array([-0.25,  0.25]), array([0.125, 0.125]))
    """

    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)


class BinarySparsemax(Loss, kernel="binary_sparsemax"):
    r"""Sparsemax loss of two classes: a logistic loss that is 0 from a margin of 1 on.

    With t the target and q the function that stands for softplus:

    .. math::
        \ell &= q(z) - t z, \quad
        q(z) = \begin{cases} 0 & z \le -1 \\ (z + 1)^2 / 4 & |z| < 1 \\ z & z \ge 1 \end{cases} \\
        g &= \min(\max((z + 1) / 2, 0), 1) - t, \quad h = \tfrac12\, [\,|z| < 1\,]

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are probabilities; 0 and 1 are hard labels. The gradient of q is the probability that
    sparsemax gives the positive class to the logits z / 2 and -z / 2, and may be 0 or 1 exactly.
    Optax takes hard labels alone. The Hessian has jumps at |z| = 1, where it is 0.

    See Also
    --------
    BinaryCrossEntropy : never 0.

    References
    ----------
    M. Blondel, A. F. T. Martins and V. Niculae, *Learning with Fenchel-Young Losses*, J. Mach.
    Learn. Res. 21, 2020.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.BinarySparsemax().value_and_grad([0.0, 0.0, 2.0], [1, 0, 1], reduction="sum")
    (0.5, array([-0.5,  0.5,  0. ]))
    """

    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "sparsemax_loss": {},
    }


class HingeEmbedding(Loss, kernel="hinge_embedding"):
    r"""Distances, to be small between what is alike and at least a margin between what is not.

    With x the distance, t the label as 0 or 1 and m the margin:

    .. math::
        \ell = t x + (1 - t) \max(0, m - x), \quad g = t - (1 - t)\, [\,x < m\,], \quad h = 0

    Parameters
    ----------
    margin : float, default 1.0
        Not negative.
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At x = m the sub-gradient is 0. Any real x is taken; distances are not negative. A target
    between the labels is a share t, where PyTorch adds both terms in full for every target that is
    neither -1 nor 1. The labels'
    convention is not checked.

    See Also
    --------
    Hinge : of a label's margin.

    References
    ----------
    R. Hadsell, S. Chopra and Y. LeCun, *Dimensionality Reduction by Learning an Invariant
    Mapping*, CVPR 2006.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.HingeEmbedding().value_and_grad([0.25, 0.25, 2.0], [1, 0, 0], reduction="sum")
    (1.0, array([ 1., -1.,  0.]))
    """

    margin: Annotated[float, NON_NEGATIVE] = 1.0
    labels: Labels = "01"

    of_distance = True
    target_domain = Deciding(label_domain)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "hinge_embedding_loss": {"labels": "pm1"},
        "HingeEmbeddingLoss": {"labels": "pm1"},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"margin": self.margin, **SHARE[self.labels]}
