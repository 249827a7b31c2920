"""Losses of many classes that compare logits: margins, sums of binary losses, sparse maps."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import NON_NEGATIVE, Deciding, Interval, Loss
from fastloss.losses.binary import (
    SIGN,
    BinaryCrossEntropy,
    Hinge,
    Labels,
    SquaredHinge,
    label_domain,
)
from fastloss.losses.multiclass import _OfLabels

__all__ = [
    "CategoricalHinge",
    "CrammerSinger",
    "Entmax15",
    "MarginRanking",
    "MultiMargin",
    "MulticlassPerceptron",
    "MulticlassSparsemax",
    "MultilabelMargin",
    "NoiseContrastive",
    "OneVersusAll",
    "Ordinal",
    "SampledSoftmax",
]


def check_binary(binary: Loss | str) -> None:
    """Check that a loss is of numbers against two classes."""
    low, high = getattr(binary, "target_domain", (0, np.inf))
    if (
        not isinstance(binary, Loss)
        or binary.class_axis != "none"
        or not np.isfinite([low, high]).all()
        or any(isinstance(getattr(binary, f.name), tuple) for f in dataclasses.fields(binary))
    ):
        raise ValueError(
            f"binary must be a loss of numbers whose targets are two classes, got {binary!r}"
        )


class _OfBinary(_OfLabels):
    """The sum over classes of a loss of numbers against two of them."""

    binary: Loss | str = "binary_cross_entropy"

    def _check(self) -> None:
        super()._check()
        check_binary(self.binary)

    def _of_numbers(self) -> Loss:
        assert isinstance(self.binary, Loss)
        return self.binary


class OneVersusAll(_OfBinary, kernel="binary_cross_entropy"):
    r"""A binary loss for each class against all others, summed.

    With f(z, t) the binary loss, y the label and w class weights:

    .. math::
        \ell = w_y \sum_k f(z_k, [k = y]), \quad
        g_k = w_y f'(z_k, [k = y]), \quad
        h_k = w_y f''(z_k, [k = y])

    Parameters
    ----------
    binary : Loss or str, default "binary_cross_entropy"
        A loss of numbers whose targets are two classes, or its name. Where its targets are -1 and
        1, the other classes have -1.
    class_weight : array-like or None, default None
        One weight per label, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    LightGBM's `multiclassova` and CatBoost's `MultiClassOneVsAll` are this with cross-entropy;
    segmentation_models_pytorch's multiclass focal loss is this with :class:`Focal`. The mean is
    that of the rows, not of rows times classes.

    See Also
    --------
    CrossEntropy : lets the classes compete.
    Ordinal : for classes that have an order.

    References
    ----------
    R. Rifkin, A. Klautau, *In Defense of One-Vs-All Classification*, JMLR 5, 2004.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.OneVersusAll().value_and_grad([[0.0, 0.0]], [1])
    (1.3862943611198906, array([[ 0.5, -0.5]]))
    >>> fl.OneVersusAll(fl.Focal(gamma=1.0))([[0.0, 0.0]], [1])
    0.6931471805599453
    """

    classwise: ClassVar[Literal["", "each", "one_hot", "cumulative", "rivals"]] = "one_hot"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "multiclassova": {},
        "multiclass_ova": {},
        "MultiClassOneVsAll": {},
    }


class Ordinal(_OfBinary, kernel="binary_cross_entropy"):
    r"""Cumulative loss of ordered classes: for each threshold, whether the label is above it.

    With f(z, t) the binary loss, y the label and w class weights, over the K - 1 logits of K
    classes:

    .. math::
        \ell = w_y \sum_k f(z_k, [y > k]), \quad
        g_k = w_y f'(z_k, [y > k]), \quad
        h_k = w_y f''(z_k, [y > k])

    Parameters
    ----------
    binary : Loss or str, default "binary_cross_entropy"
        A loss of numbers whose targets are two classes, or its name.
    class_weight : array-like or None, default None
        One weight per label, not negative: one more than there are logits.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The axis of the thresholds.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Labels run from 0 to the number of logits, which is included. In CORAL a row's logits share
    their slope and differ by a bias, in the cumulative-link model they are sorted thresholds less a
    score; both are one line before this loss. The mean is that of the rows.

    See Also
    --------
    OneVersusAll : for classes without an order.

    References
    ----------
    W. Cao, V. Mirjalili, S. Raschka, *Rank Consistent Ordinal Regression for Neural Networks*,
    Pattern Recognition Letters 140, 2020, arXiv:1901.07884.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Ordinal().grad([[0.0, 0.0]], [1])
    array([[-0.5,  0.5]])
    """

    classwise: ClassVar[Literal["", "each", "one_hot", "cumulative", "rivals"]] = "cumulative"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "coral": {},
        "ordinal_loss": {},
        "OrdinalLoss": {},
    }


class CrammerSinger(_OfLabels, kernel="crammer_singer"):
    r"""Multiclass hinge loss: the label's logit against the greatest of the others.

    With y the label, m the margin, w class weights and j the greatest rival:

    .. math::
        \ell &= w_y \max(0,\, m + z_j - z_y), \quad z_j = \max_{k \ne y} z_k \\
        g &= w_y (e_j - e_y) \text{ where the loss is positive, else } 0 \\
        h &= 0

    Parameters
    ----------
    margin : float, default 1.0
        Not negative.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At the edge of the margin the sub-gradient is 0; of several greatest rivals the first one has
    it all. scikit-learn's `hinge_loss` and optax's `multiclass_hinge_loss` are this.

    See Also
    --------
    CategoricalHinge : Keras's, in which a negative rival counts as 0.
    MulticlassPerceptron : without a margin.

    References
    ----------
    K. Crammer, Y. Singer, *On the Algorithmic Implementation of Multiclass Kernel-based Vector
    Machines*, JMLR 2, 2001.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CrammerSinger().value_and_grad([[1.0, 0.5, -2.0]], [0])
    (0.5, array([[-1.,  1.,  0.]]))
    """

    margin: Annotated[float, NON_NEGATIVE] = 1.0

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "multiclass_hinge_loss": {"axis": -1},
        "multiclass_hinge": {"axis": -1},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"margin": self.margin, "floor": -np.inf}


class CategoricalHinge(_OfLabels, kernel="crammer_singer"):
    r"""Keras's multiclass hinge loss, in which a rival's negative logit counts as 0.

    With y the label, m the margin, w class weights and j the greatest rival:

    .. math::
        \ell &= w_y \max(0,\, m + \max(0, z_j) - z_y), \quad z_j = \max_{k \ne y} z_k \\
        g &= w_y ([z_j > 0] e_j - e_y) \text{ where the loss is positive, else } 0 \\
        h &= 0

    Parameters
    ----------
    margin : float, default 1.0
        Not negative.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis; -1 for classes last, as in Keras.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Keras takes one-hot targets, and the greatest entry of (1 - target) * prediction, which is 0 at
    the true class; hence the 0 here. At the edges the sub-gradient is 0.

    See Also
    --------
    CrammerSinger : the hinge loss of the literature.

    References
    ----------
    F. Chollet et al., *Keras*, https://keras.io, `CategoricalHinge`.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CategoricalHinge().value_and_grad([[0.5, -1.0]], [0])
    (0.5, array([[-1.,  0.]]))
    """

    margin: Annotated[float, NON_NEGATIVE] = 1.0

    aliases: ClassVar[dict[str, dict[str, Any]]] = {}

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"margin": self.margin, "floor": 0.0}


class MulticlassPerceptron(_OfLabels, kernel="crammer_singer"):
    r"""Perceptron loss: by how much the greatest logit is above the label's.

    .. math::
        \ell &= w_y (\max_k z_k - z_y) \\
        g &= w_y (e_j - e_y), \quad j = \operatorname{arg\,max}_k z_k, \quad
        0 \text{ where } z_y \text{ is the greatest} \\
        h &= 0

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At a tie with the label the sub-gradient is 0; of several greatest logits the first one has it.

    See Also
    --------
    CrammerSinger : the same with a margin.

    References
    ----------
    M. Collins, *Discriminative Training Methods for Hidden Markov Models*, EMNLP 2002.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MulticlassPerceptron().value_and_grad([[1.0, 3.0, 2.0]], [0])
    (2.0, array([[-1.,  1.,  0.]]))
    """

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "multiclass_perceptron_loss": {"axis": -1},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"margin": 0.0, "floor": -np.inf}


class MultiMargin(_OfLabels, kernel="hinge"):
    r"""Hinge loss of the label's lead over every other class, the mean over all K classes.

    With y the label, m the margin, w class weights and the slacks
    :math:`s_k = \max(0, m - (z_y - z_k))` of the classes :math:`k \ne y`:

    .. math::
        \ell &= \frac{w_y}{K} \sum_{k \ne y} s_k^p \\
        g_k &= \frac{w_y}{K}\, p\, s_k^{p - 1} [s_k > 0], \quad g_y = -\sum_{k \ne y} g_k \\
        h_k &= \frac{w_y}{K}\, p (p - 1) [s_k > 0], \quad h_y = \sum_{k \ne y} h_k

    Parameters
    ----------
    p : int, default 1
        1, or 2 for squares.
    margin : float, default 1.0
        Not negative.
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At the edge of the margin the sub-gradient is 0. The mean divides by the sum of the labels'
    class weights; PyTorch's by the number of rows, which is `denominator` of a call.

    See Also
    --------
    CrammerSinger : against the greatest rival alone.
    Hinge, SquaredHinge : for two classes.

    References
    ----------
    J. Weston, C. Watkins, *Support Vector Machines for Multi-Class Pattern Recognition*, ESANN
    1999.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MultiMargin().value_and_grad([[1.0, 0.5, 2.0, -3.0]], [0])
    (0.625, array([[-0.5 ,  0.25,  0.25,  0.  ]]))
    """

    p: Annotated[int, Interval(1, 2)] = 1
    margin: Annotated[float, NON_NEGATIVE] = 1.0

    classwise: ClassVar[Literal["", "each", "one_hot", "cumulative", "rivals"]] = "rivals"
    mean_over_classes: ClassVar[bool] = True
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "multi_margin_loss": {},
        "MultiMarginLoss": {},
        "weston_watkins": {},
    }

    def _of_numbers(self) -> Loss:
        return Hinge(margin=self.margin) if self.p == 1 else SquaredHinge(margin=self.margin)


class MultilabelMargin(Loss, kernel="multilabel_margin"):
    r"""Hinge loss of every class in the target against every class outside, by K classes.

    With Y the classes that the target lists:

    .. math::
        \ell &= \frac{1}{K} \sum_{j \in Y} \sum_{i \notin Y} \max(0,\, 1 - (z_j - z_i)) \\
        g_i &= \frac{1}{K} \#\{j \in Y : z_j - z_i < 1\}, \quad
        g_j = -\frac{1}{K} \#\{i \notin Y : z_j - z_i < 1\} \\
        h &= 0

    Parameters
    ----------
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If the target holds what is neither a class nor -1.

    Notes
    -----
    The target has the prediction's shape and an integer type: a row lists classes, ends at the
    first -1, and what follows is ignored, as in PyTorch. A class that is listed twice counts
    twice. The cost grows as K log K, not as the number of pairs. At the edge of the margin the
    sub-gradient is 0.

    See Also
    --------
    CrammerSinger : one label, against its greatest rival.

    References
    ----------
    A. Elisseeff, J. Weston, *A Kernel Method for Multi-Labelled Classification*, NIPS 2001.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.MultilabelMargin()
    >>> value, gradient = loss.value_and_grad([[0.1, 0.2, 0.4, 0.8]], [[3, 0, -1, 1]])
    >>> round(value, 6)
    0.85
    >>> gradient
    array([[-0.5,  0.5,  0.5, -0.5]])
    """

    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("label_lists",)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "multilabel_margin_loss": {},
        "MultiLabelMarginLoss": {},
    }


class MulticlassSparsemax(_OfLabels, kernel="multiclass_sparsemax"):
    r"""Sparsemax loss: the Fenchel-Young loss of the Euclidean projection on the simplex.

    With :math:`P = \max(0, z - \tau)`, where :math:`\tau` makes P sum to 1, S the classes where it
    is positive, y the label and w class weights:

    .. math::
        \ell &= w_y \left(\tfrac12 (1 - P_y)^2 + \tfrac12 \sum_{k \ne y} P_k^2
        + \max(0, \tau - z_y)\right) \\
        g &= w_y (P - e_y) \\
        h_k &= w_y [k \in S] (1 - 1 / |S|)

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    The loss and its gradient are exactly 0 where the label's logit is above all others by 1 or
    more. The threshold is found by Newton's method, without sorting.

    See Also
    --------
    Entmax15 : between this and cross-entropy.

    References
    ----------
    A. F. T. Martins, R. F. Astudillo, *From Softmax to Sparsemax*, ICML 2016, arXiv:1602.02068.

    M. Blondel, A. F. T. Martins, V. Niculae, *Learning with Fenchel-Young Losses*, JMLR 21, 2020,
    arXiv:1901.02324.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MulticlassSparsemax().value_and_grad([[0.5, 0.0, -2.0]], [0])
    (0.0625, array([[-0.25,  0.25,  0.  ]]))
    """

    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "multiclass_sparsemax_loss": {"axis": -1},
        "SparsemaxLoss": {"axis": -1},
    }


class Entmax15(_OfLabels, kernel="entmax15"):
    r"""Fenchel-Young loss of entmax with exponent 1.5, between softmax and sparsemax.

    With :math:`r = \max(0, z / 2 - \tau)`, where :math:`\tau` makes :math:`P = r^2` sum to 1, y the
    label and w class weights:

    .. math::
        \ell &= w_y \left(\tfrac23 (1 - r_y)^2 (2 + r_y) + \tfrac23 \sum_{k \ne y} r_k^3
        + 2 \max(0, \tau - z_y / 2)\right) \\
        g &= w_y (P - e_y) \\
        h_k &= w_y r_k \Big(1 - r_k \Big/ \sum_j r_j\Big)

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Exactly 0 where the label's logit is above all others by 2 or more.

    See Also
    --------
    MulticlassSparsemax : exponent 2.
    CrossEntropy : exponent 1.

    References
    ----------
    B. Peters, V. Niculae, A. F. T. Martins, *Sparse Sequence-to-Sequence Models*, ACL 2019,
    arXiv:1905.05702.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Entmax15().grad([[0.0, 0.0, -9.0]], [0])
    array([[-0.5,  0.5,  0. ]])
    """

    aliases: ClassVar[dict[str, dict[str, Any]]] = {"Entmax15Loss": {"axis": -1}}


class SampledSoftmax(Loss, kernel="cross_entropy"):
    r"""Softmax cross-entropy of the true class against sampled ones.

    The prediction holds the logits of the true class, first, and of the sampled classes; the target
    has its shape and holds the logarithms of the expected counts Q with which the sampler draws
    each of them. With :math:`P = \operatorname{softmax}(z - \log Q)`:

    .. math:: \ell = -\log P_0, \quad g = P - e_0, \quad h = P (1 - P)

    Parameters
    ----------
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Drawing the classes and looking up their logits is the caller's; TensorFlow's
    `sampled_softmax_loss` does that too. A sampled class that is the true one is left out by a
    target of inf there. Zeros as target subtract nothing (TensorFlow's ``subtract_log_q=False``).
    One true class per row.

    See Also
    --------
    NoiseContrastive : a binary decision for each class.
    CrossEntropy : over all classes.

    References
    ----------
    S. Jean, K. Cho, R. Memisevic, Y. Bengio, *On Using Very Large Target Vocabulary for Neural
    Machine Translation*, ACL 2015, arXiv:1412.2007.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SampledSoftmax().value_and_grad([[1.0, 2.0]], [[0.0, 1.0]])
    (0.6931471805599453, array([[-0.5,  0.5]]))
    """

    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("offsets",)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"sampled_softmax_loss": {"axis": -1}}


class NoiseContrastive(Loss, kernel="binary_cross_entropy"):
    r"""Noise-contrastive estimation: whether a class is the true one or was sampled.

    The prediction holds the logits of the true class, first, and of the sampled classes; the target
    has its shape and holds the logarithms of the expected counts Q with which the sampler draws
    each of them. With :math:`x = z - \log Q` and s the logistic function:

    .. math::
        \ell = -\log s(x_0) - \sum_{k > 0} \log s(-x_k), \quad
        g_k = s(x_k) - [k = 0], \quad h_k = s(x_k) s(-x_k)

    Parameters
    ----------
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Drawing the classes and looking up their logits is the caller's; TensorFlow's `nce_loss` does
    that too. Zeros as target make it negative sampling, as in word2vec.

    See Also
    --------
    SampledSoftmax : lets the classes compete.

    References
    ----------
    M. Gutmann, A. Hyvärinen, *Noise-Contrastive Estimation*, AISTATS 2010.

    T. Mikolov et al., *Distributed Representations of Words and Phrases and their
    Compositionality*, NIPS 2013, arXiv:1310.4546 (negative sampling).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.NoiseContrastive().value_and_grad([[1.0, 2.0]], [[1.0, 2.0]])
    (1.3862943611198906, array([[-0.5,  0.5]]))
    """

    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("offsets",)
    classwise: ClassVar[Literal["", "each", "one_hot", "cumulative", "rivals"]] = "one_hot"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "nce_loss": {"axis": -1},
        "negative_sampling": {},
    }

    def _of_numbers(self) -> Loss:
        return BinaryCrossEntropy()


class MarginRanking(Loss, kernel="margin_ranking"):
    r"""Two scores, of which the one that the label names has to be ahead by a margin.

    With a the first score and b the second, y the label as 1 where the first is to be ahead and -1
    where the second is, and m the margin:

    .. math::
        \ell = \max(0, m - y (a - b)), \quad
        g_a = -y\, [\,y (a - b) < m\,], \quad g_b = -g_a, \quad h = 0

    Parameters
    ----------
    margin : float, default 0.0
        Not negative.
    labels : {"01", "pm1"}, default "01"
        The targets' convention: 0 and 1, or -1 and 1.
    axis : int, default -1
        The axis of the two scores.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At y (a - b) = m the sub-gradient is 0, where PyTorch has that of the other side. PyTorch takes
    the two scores as arguments of their own. A target between the two labels is a y between -1 and
    1; the labels' convention is not checked.

    See Also
    --------
    Hinge : of one score.
    BinaryCrossEntropy : of the difference of the scores, RankNet's loss.

    References
    ----------
    R. Herbrich, T. Graepel and K. Obermayer, *Large Margin Rank Boundaries for Ordinal Regression*,
    2000.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.MarginRanking(margin=0.5)
    >>> loss.value_and_grad([[0.25, 0.0], [1.0, 0.0]], [1, 0], reduction="sum")
    (1.75, array([[-1.,  1.],
           [ 1., -1.]]))
    """

    margin: Annotated[float, NON_NEGATIVE] = 0.0
    labels: Labels = "01"
    axis: int = -1

    class_axis: ClassVar[Literal["none", "optional", "always", "parameters"]] = "parameters"
    target_domain = Deciding(label_domain)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "margin_ranking_loss": {"labels": "pm1"},
        "MarginRankingLoss": {"labels": "pm1"},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"margin": self.margin, **SIGN[self.labels]}
