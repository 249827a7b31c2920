"""Losses of many classes, on logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import NON_NEGATIVE, POSITIVE, UNIT, Array, Interval, Loss

# Labels are read as doubles: beyond this, whole numbers are not exact.
LARGEST_LABEL = 2**53

__all__ = [
    "BiTemperedLogistic",
    "CrossEntropy",
    "GeneralizedCrossEntropy",
    "NegativeLogLikelihood",
    "Poly1",
    "SoftmaxAbsoluteError",
    "SoftmaxFocal",
    "SymmetricCrossEntropy",
    "TaylorCrossEntropy",
]


def check_per_class(name: str, values: Array | None) -> None:
    """Check that there is one number for each class, if there is anything."""
    if values is not None and (not len(values) or not all(isinstance(w, float) for w in values)):
        raise ValueError(f"{name} must be one number for each class, got {values!r}")


def check_same_classes(name: str, values: Array | None, class_weight: Array | None) -> None:
    """Check that two parameters which have an entry for each class have as many."""
    if values is not None and class_weight is not None and len(values) != len(class_weight):
        raise ValueError(
            f"{name} and class_weight must have one entry for each class, got {len(values)} and "
            f"{len(class_weight)}"
        )


def check_classes(class_weight: Array | None, ignore_index: int | None) -> None:
    """Check what losses over labels have in common."""
    check_per_class("class_weight", class_weight)
    if ignore_index is not None and abs(ignore_index) > LARGEST_LABEL:
        raise ValueError(f"ignore_index must be at most 2**53, got {ignore_index}")


class CrossEntropy(Loss, kernel="cross_entropy"):
    r"""Softmax cross-entropy of logits, with labels or with probabilities as targets.

    With P = softmax(z) over K classes, y the label, w class weights, e label smoothing towards a
    prior r (1 / K for each class unless one is given), L the log-sum-exp of z and :math:`\zeta` the
    z-loss:

    .. math::
        \ell &= -(1 - e) w_y \log P_y - e \sum_k w_k r_k \log P_k + \zeta w_y L^2 \\
        g_k &= M P_k - q_k, \quad q_k = (1 - e) w_y [k = y] + e w_k r_k, \quad
        M = \sum_k q_k + 2 \zeta w_y L \\
        h_k &= M P_k (1 - P_k) + 2 \zeta w_y P_k^2

    Probabilities Q as target give :math:`q_k = w_k ((1 - e) Q_k + e r_k)` and
    :math:`\ell = -\sum_k q_k \log P_k`, and :math:`\sum_k w_k Q_k` in place of :math:`w_y` in the
    z-loss. A soft cap c has :math:`z = c \tanh(x / c)` of the logits x; derivatives are those with
    respect to x.

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing: they are not read, cost 0 and get an exact zero
        gradient. None ignores no label.
    label_smoothing : float, default 0.0
        In [0, 1]: the share of each target that is spread over all classes.
    prior : array-like or None, default None
        What it is spread by, one probability per class, which sum to 1. None spreads evenly.
    z_loss : float, default 0.0
        Factor of the squared log-sum-exp, which keeps the logits from drifting, up to 1e6; 1e-4 in
        PaLM. A row counts in it with its weight and its label's class weight, as in the rest of the
        loss.
    soft_cap : float or None, default None
        Bound that the logits approach, as in Gemma 2 (there 30).
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all: NaN as in PyTorch, or 0.
    axis : int, default 1
        The class axis, as in PyTorch; -1 for classes last, as in Keras. 0 for logits of one
        dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    Labels may have any integer type, or be whole numbers of a floating type. The mean divides by
    the sum of the rows' weights, each times the class weight of its label; with probabilities as
    targets class weights do not enter the divisor. These are PyTorch's conventions. Logits may be
    -inf, and a target's probability 0 there costs 0; a row that is -inf throughout, or holds +inf
    or NaN, is NaN. A soft cap makes numbers of infinite logits. All terms come from one softmax.

    See Also
    --------
    LogLoss : the same for probabilities.
    LinearCrossEntropy : of a linear layer, without its logits.

    References
    ----------
    C. Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016,
    arXiv:1512.00567 (label smoothing). G. Pereyra et al., *Regularizing Neural Networks by
    Penalizing Confident Output Distributions*, arXiv:1701.06548 (towards a prior). A. Chowdhery et
    al., *PaLM*, arXiv:2204.02311 (z-loss). Gemma Team, *Gemma 2*, arXiv:2408.00118 (soft cap).

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.CrossEntropy()
    >>> value, gradient = loss.value_and_grad([[0.0, 0.0], [0.0, 0.0]], [1, 0])
    >>> value
    0.6931471805599453
    >>> gradient
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    >>> round(loss([[2.0, 0.0, 0.0]], [[0.5, 0.25, 0.25]]), 6)
    1.239545
    """

    class_weight: Annotated[Array | None, NON_NEGATIVE] = None
    ignore_index: int | None = -100
    label_smoothing: Annotated[float, UNIT] = 0.0
    prior: Annotated[Array | None, UNIT] = None
    z_loss: Annotated[float, Interval(0, 2.0**20)] = 0.0
    soft_cap: Annotated[float | None, POSITIVE] = None
    empty: Literal["nan", "zero"] = "nan"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "CrossEntropyLoss": {},
        "softmax_cross_entropy": {},
        "softmax_cross_entropy_with_logits": {"axis": -1},
        "sparse_softmax_cross_entropy_with_logits": {"axis": -1},
        "HalfMultinomialLoss": {},
        "half_multinomial_loss": {},
        "multi:softprob": {},
        "multi:softmax": {},
        "multiclass": {},
        "softmax": {},
    }

    def _check(self) -> None:
        check_classes(self.class_weight, self.ignore_index)
        check_per_class("prior", self.prior)
        if self.prior is not None and abs(sum(self.prior) - 1) > 1e-6:
            raise ValueError(f"prior must sum to 1, got {self.prior!r} with sum {sum(self.prior)}")
        check_same_classes("prior", self.prior, self.class_weight)


class _OfLabels(Loss):
    """A function of the probability that a softmax gives to the label; its common parameters."""

    class_weight: Annotated[Array | None, NON_NEGATIVE] = field(default=None, kw_only=True)
    ignore_index: int | None = field(default=-100, kw_only=True)
    empty: Literal["nan", "zero"] = field(default="nan", kw_only=True)
    axis: int = field(default=1, kw_only=True)

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("labels",)

    def _check(self) -> None:
        check_classes(self.class_weight, self.ignore_index)


class _OfTargets(_OfLabels):
    """One that takes probabilities too: its expectation over labels drawn from them."""

    targets: ClassVar[tuple[str, ...]] = ("labels", "probabilities")


class SoftmaxFocal(_OfTargets, kernel="softmax_focal"):
    r"""Focal loss of many classes: cross-entropy that fades where the label is right already.

    With P = softmax(z), y the label, p its probability, u = 1 - p and :math:`\alpha_y` its balance:

    .. math::
        \ell &= -\alpha_y u^\gamma \log p \\
        g_k &= A (P_k - [k = y]), \quad
        A = \alpha_y u^\gamma \left(1 - \gamma \frac{p \log p}{u}\right) \\
        h_k &= A P_k (1 - P_k) - p A'(p) (P_k - [k = y])^2

    Parameters
    ----------
    gamma : float, default 2.0
        Not negative: how fast the loss fades; 0 is cross-entropy.
    alpha : float, array-like or None, default None
        Not negative: a factor of all rows, or one per class for the rows of its label. None is 1.
        Unlike `class_weight` it is no part of a mean's divisor.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    Probabilities as target take the expectation over labels drawn from them.
    One softmax over all classes, as in Keras's CategoricalFocalCrossentropy on logits, where alpha
    is 0.25; many libraries mean a :class:`Focal` loss of each class by itself. Finite for every
    logit and for gamma in [0, 1) too. The Hessian is exact and may be negative.

    See Also
    --------
    CrossEntropy : gamma = 0.
    Focal : of two classes, on one logit.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He and P. Dollár, *Focal Loss for Dense Object Detection*,
    ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SoftmaxFocal(gamma=2)([[0.0, 0.0]], [1])
    0.17328679513998632
    >>> fl.SoftmaxFocal(gamma=0)([[0.0, 0.0]], [1]) == fl.CrossEntropy()([[0.0, 0.0]], [1])
    True
    """

    gamma: Annotated[float, NON_NEGATIVE] = 2.0
    alpha: Annotated[float | Array | None, NON_NEGATIVE] = None

    def _check(self) -> None:
        super()._check()
        name, alpha = self._class_factor()
        check_per_class(name, alpha)
        check_same_classes(name, alpha, self.class_weight)

    def _class_factor(self) -> tuple[str, Sequence[float] | None]:
        return "alpha", self.alpha if isinstance(self.alpha, tuple) else None

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        alpha = self.alpha if isinstance(self.alpha, float) else 1.0
        return {"gamma": self.gamma, "alpha": alpha}


class Poly1(_OfTargets, kernel="poly1"):
    r"""Poly-1 loss: cross-entropy with another weight on the first term of its series in 1 - p.

    With P = softmax(z), y the label and p its probability:

    .. math::
        \ell &= -\log p + \epsilon (1 - p) \\
        g_k &= (1 + \epsilon p) (P_k - [k = y]) \\
        h_k &= (1 + \epsilon p) P_k (1 - P_k) - \epsilon p (P_k - [k = y])^2

    Parameters
    ----------
    epsilon : float, default 2.0
        From -1 to 1e30; 0 is cross-entropy, -1 leaves the first term out.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    Probabilities as target take the expectation over labels drawn from them.
    Optax has it as poly_loss_cross_entropy, with the same default. The Hessian is exact and may be
    negative.

    See Also
    --------
    CrossEntropy : epsilon = 0.

    References
    ----------
    Z. Leng et al., *PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions*,
    ICLR 2022, arXiv:2204.12511.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Poly1(epsilon=2)([[0.0, 0.0]], [1])
    1.6931471805599454
    """

    epsilon: Annotated[float, Interval(-1, 2.0**100)] = 2.0


class GeneralizedCrossEntropy(_OfTargets, kernel="generalized_cross_entropy"):
    r"""Generalised cross-entropy: between cross-entropy and the absolute error, for noisy labels.

    With P = softmax(z), y the label and p its probability:

    .. math::
        \ell &= \frac{1 - p^q}{q} \\
        g_k &= p^q (P_k - [k = y]) \\
        h_k &= p^q \left(P_k (1 - P_k) - q (P_k - [k = y])^2\right)

    Parameters
    ----------
    q : float, default 0.7
        From 1e-150 to 1: towards 0 it becomes cross-entropy; at 1 it is 1 - p.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    Probabilities as target take the expectation over labels drawn from them.
    Keras's CategoricalGeneralizedCrossEntropy is the same of probabilities, with q = 0.5. The
    Hessian is exact and may be negative.

    See Also
    --------
    SoftmaxAbsoluteError : q = 1, times 2.
    SymmetricCrossEntropy, TaylorCrossEntropy : others for noisy labels.

    References
    ----------
    Z. Zhang and M. R. Sabuncu, *Generalized Cross Entropy Loss for Training Deep Neural Networks
    with Noisy Labels*, NeurIPS 2018, arXiv:1805.07836.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.GeneralizedCrossEntropy(q=0.5)([[0.0, 0.0]], [1]), 6)
    0.585786
    """

    q: Annotated[float, Interval(2.0**-500, 1)] = 0.7


class SoftmaxAbsoluteError(_OfLabels, kernel="softmax_absolute_error"):
    r"""Absolute error of a softmax's probabilities, summed over the classes; bears noisy labels.

    With P = softmax(z), y the label and p its probability:

    .. math::
        \ell &= \sum_k |P_k - [k = y]| = 2 (1 - p) \\
        g_k &= 2 p (P_k - [k = y]) \\
        h_k &= 2 p \left(P_k (1 - P_k) - (P_k - [k = y])^2\right)

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    Some write the half of it, 1 - p. Its gradient vanishes for rows that are badly wrong, so it
    learns slowly where there are many classes. The Hessian is exact and may be negative.

    See Also
    --------
    GeneralizedCrossEntropy : between this and cross-entropy.
    AbsoluteError : of numbers.

    References
    ----------
    A. Ghosh, H. Kumar and P. S. Sastry, *Robust Loss Functions under Label Noise for Deep Neural
    Networks*, AAAI 2017, arXiv:1712.09482.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SoftmaxAbsoluteError()([[0.0, 0.0]], [1])
    1.0
    """


class TaylorCrossEntropy(_OfTargets, kernel="taylor_cross_entropy"):
    r"""The first terms of cross-entropy's Taylor series about p = 1, for noisy labels.

    With P = softmax(z), y the label, p its probability, u = 1 - p and n the order:

    .. math::
        \ell &= \sum_{i=1}^{n} \frac{u^i}{i} \\
        g_k &= (1 - u^n) (P_k - [k = y]) \\
        h_k &= (1 - u^n) P_k (1 - P_k) - n p u^{n-1} (P_k - [k = y])^2

    Parameters
    ----------
    order : int, default 2
        From 1 to 1000: the number of terms. 1 is 1 - p; with it the loss grows towards
        cross-entropy.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    Probabilities as target take the expectation over labels drawn from them.
    The Hessian is exact and may be negative.

    See Also
    --------
    GeneralizedCrossEntropy : another way between 1 - p and cross-entropy.

    References
    ----------
    L. Feng, S. Shu, Z. Lin, F. Lv, L. Li and B. An, *Can Cross Entropy Loss Be Robust to Label
    Noise?*, IJCAI 2020.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.TaylorCrossEntropy(order=2)([[0.0, 0.0]], [1])
    0.625
    """

    order: Annotated[int, Interval(1, 1000)] = 2


class SymmetricCrossEntropy(_OfLabels, kernel="symmetric_cross_entropy"):
    r"""Cross-entropy of label and prediction, and of prediction and label, for noisy labels.

    With P = softmax(z), y the label, p its probability and A what stands for the logarithm of 0:

    .. math::
        \ell &= -\alpha \log p - \beta \sum_k P_k \log [k = y]
            = -\alpha \log p - \beta A (1 - p) \\
        g_k &= (\alpha - \beta A p) (P_k - [k = y]) \\
        h_k &= (\alpha - \beta A p) P_k (1 - P_k) + \beta A p (P_k - [k = y])^2

    Parameters
    ----------
    alpha : float, default 0.1
        Positive: factor of the cross-entropy.
    beta : float, default 1.0
        Not negative: factor of the reverse one.
    log_zero : float, default -4.0
        A, not positive.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    The paper has alpha 0.1 and beta 1 for CIFAR-10, 6 and 0.1 for CIFAR-100, and A = -4; code that
    clamps the one-hot label at 1e-4 instead has A = -9.21. The Hessian is exact and may be
    negative.

    See Also
    --------
    CrossEntropy : the first term.
    SoftmaxAbsoluteError : the second one, with A = -2.

    References
    ----------
    Y. Wang, X. Ma, Z. Chen, Y. Luo, J. Yi and J. Bailey, *Symmetric Cross Entropy for Robust
    Learning with Noisy Labels*, ICCV 2019, arXiv:1908.06112.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.SymmetricCrossEntropy()([[0.0, 0.0]], [1]), 6)
    2.069315
    """

    alpha: Annotated[float, POSITIVE] = 0.1
    beta: Annotated[float, NON_NEGATIVE] = 1.0
    log_zero: Annotated[float, Interval(-np.inf, 0, lower_open=True)] = -4.0


class BiTemperedLogistic(Loss, kernel="bi_tempered_logistic"):
    r"""Bi-tempered logistic loss: bounded, and with heavy tails, for labels that are wrong.

    With the logarithm :math:`\log_t x = (x^{1 - t} - 1) / (1 - t)`, its inverse
    :math:`\exp_t x = \max(0, 1 + (1 - t) x)^{1 / (1 - t)}` (those of calculus at t = 1),
    :math:`P_k = \exp_{t_2}(z_k - \lambda)` where :math:`\lambda` makes P sum to 1, Y the target's
    probabilities (one-hot for a label), e label smoothing, K classes,
    :math:`y_k = (1 - e) Y_k + e / K`, :math:`w_k = (P_k - y_k) P_k^{t_2 - t_1}` and
    :math:`q_k = P_k^{t_2} / \sum_j P_j^{t_2}`:

    .. math::
        \ell &= \sum_k \left(y_k (\log_{t_1} y_k - \log_{t_1} P_k)
        - \frac{y_k^{2 - t_1} - P_k^{2 - t_1}}{2 - t_1}\right) \
        g_k &= w_k - q_k \sum_j w_j \
        h_k &= d_k (1 - q_k)^2 + q_k^2 \sum_{j \ne k} d_j, \
        d_k &= (1 + t_2 - t_1) P_k^{2 t_2 - t_1} - (t_2 - t_1)\, y_k P_k^{2 t_2 - t_1 - 1}
        - t_2 P_k^{2 t_2 - 1} \sum_j w_j \Big/ \sum_j P_j^{t_2}

    Parameters
    ----------
    t1 : float, default 0.8
        In [0, 1]: below 1 the loss is bounded, so that outliers far from the decision boundary
        count for little. 1 is the logarithm.
    t2 : float, default 1.2
        In [1, 20]: above 1 the probabilities have heavy tails, so that wrong labels near the
        boundary count for less. 1 is the softmax.
    label_smoothing : float, default 0.0
        In [0, 1]: the share of each target that is spread over all classes.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for logits of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    :math:`\lambda` is found by Newton's method to the last digit. With :math:`t_1 = t_2 = 1` it is
    cross-entropy less the entropy of the target, which is 0 for a label. The authors' code takes a
    number of iterations instead, and its label smoothing spreads the share over the other classes:
    that is `label_smoothing` times :math:`K / (K - 1)` here. Logits may be -inf; a row that is -inf
    throughout, or holds +inf or NaN, is NaN. The Hessian is exact and may be negative.

    See Also
    --------
    CrossEntropy : t1 = t2 = 1.
    GeneralizedCrossEntropy, SymmetricCrossEntropy : others for noisy labels.

    References
    ----------
    E. Amid, M. K. Warmuth, R. Anil and T. Koren, *Robust Bi-Tempered Logistic Loss Based on Bregman
    Divergences*, NeurIPS 2019, arXiv:1906.03361.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.BiTemperedLogistic(t1=0.5, t2=2.0)
    >>> value, gradient = loss.value_and_grad([[0.0, 0.0]], [1])
    >>> round(value, 6)
    0.390524
    >>> gradient.round(6)
    array([[ 0.176777, -0.176777]])
    >>> logits = [[2.0, 0.0, -1.0]]
    >>> round(fl.BiTemperedLogistic(t1=1, t2=1)(logits, [0]), 6)
    0.169846
    >>> round(fl.CrossEntropy()(logits, [0]), 6)
    0.169846
    """

    t1: Annotated[float, UNIT] = 0.8
    t2: Annotated[float, Interval(1, 20)] = 1.2
    label_smoothing: Annotated[float, UNIT] = 0.0
    ignore_index: int | None = -100
    empty: Literal["nan", "zero"] = "nan"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "bi_tempered_logistic_loss": {"axis": -1},
    }

    def _check(self) -> None:
        check_classes(None, self.ignore_index)


class NegativeLogLikelihood(Loss, kernel="negative_log_likelihood"):
    r"""Negative log-likelihood of labels, with log-probabilities as prediction.

    With x = log P, y the label and w class weights:

    .. math::
        \ell = -w_y x_y, \quad g_k = -w_y [k = y], \quad h_k = 0

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing, as in :class:`CrossEntropy`.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, 0 for a prediction of one dimension.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.

    Notes
    -----
    PyTorch's nll_loss. Only the labels' entries are read. Nothing checks that a row is normalised,
    and a label of weight 0 costs 0 even where its probability is.

    See Also
    --------
    CrossEntropy : from logits.
    LogLoss : from probabilities.
    KLDivergence : of probabilities as target.

    References
    ----------
    R. A. Fisher, *On the Mathematical Foundations of Theoretical Statistics*, Phil. Trans. R. Soc.
    A 222, 1922.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.NegativeLogLikelihood().value_and_grad([[-0.5, -1.0]], [1])
    (1.0, array([[ 0., -1.]]))
    """

    class_weight: Annotated[Array | None, NON_NEGATIVE] = None
    ignore_index: int | None = -100
    empty: Literal["nan", "zero"] = "nan"
    axis: int = 1

    of_log_probabilities = True
    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("labels",)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"nll_loss": {}, "NLLLoss": {}}

    def _check(self) -> None:
        check_classes(self.class_weight, self.ignore_index)
