"""Losses of two classes. Logits are real numbers z; s(z) = 1 / (1 + exp(-z))."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import HALF_OPEN_UNIT, NON_NEGATIVE, UNIT, Array, Interval, Loss

__all__ = ["BinaryCrossEntropy", "Focal", "LogLoss"]


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
    its digits where s(z) is next to t. An infinite logit on the right side costs 0.

    See Also
    --------
    LogLoss : the same for probabilities.
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
        "logistic": {},
        "HalfBinomialLoss": {},
        "half_binomial_loss": {},
        "binary:logistic": {},
        "binary:logitraw": {},
        "reg:logistic": {},
        "binary": {},
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
    eps : float or None, default None
        In [0, 1/2): probabilities are clipped to [eps, 1 - eps], and the derivatives are 0 outside,
        as they are for the clipped function. None is the machine epsilon of float64 or, for all
        shorter predictions, float32, as in scikit-learn; 0 is exact, with 0 log 0 = 0 and an
        infinite loss where p says impossible.
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

    eps: Annotated[float | None, Interval(0, 0.5, upper_open=True)] = None
    axis: int = 1

    prediction_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    class_axis: ClassVar[Literal["none", "optional", "always"]] = "optional"
    # Keras and PyTorch compute these from probabilities unless told otherwise.
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "BCELoss": {},
        "binary_crossentropy": {"eps": 1e-7},
        "BinaryCrossentropy": {"eps": 1e-7},
        "categorical_crossentropy": {"eps": 1e-7, "axis": -1},
        "CategoricalCrossentropy": {"eps": 1e-7, "axis": -1},
        "sparse_categorical_crossentropy": {"eps": 1e-7, "axis": -1},
        "SparseCategoricalCrossentropy": {"eps": 1e-7, "axis": -1},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"eps": float(np.finfo(dtype).eps) if self.eps is None else self.eps}


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
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are probabilities; 0 and 1 are hard labels. All is computed from the logarithm of u, so
    value and gradient are finite for every logit and for gamma in [0, 1) too. The Hessian is exact
    and may be negative.

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

    target_domain: ClassVar[tuple[float, float]] = (0.0, 1.0)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "sigmoid_focal_loss": {"alpha": 0.25},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "gamma": self.gamma,
            "positive": 1.0 if self.alpha is None else self.alpha,
            "negative": 1.0 if self.alpha is None else 1.0 - self.alpha,
        }
