"""Losses of many classes, on logits."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from fastloss.losses.base import NON_NEGATIVE, UNIT, Array, Loss

# Labels are read as doubles: beyond this, whole numbers are not exact.
LARGEST_LABEL = 2**53

__all__ = ["CrossEntropy"]


def check_classes(class_weight: Array | None, ignore_index: int | None) -> None:
    """Check what losses over labels have in common."""
    if class_weight is not None and (
        not len(class_weight) or not all(isinstance(w, float) for w in class_weight)
    ):
        raise ValueError(f"class_weight must be one number for each class, got {class_weight!r}")
    if ignore_index is not None and abs(ignore_index) > LARGEST_LABEL:
        raise ValueError(f"ignore_index must be at most 2**53, got {ignore_index}")


class CrossEntropy(Loss, kernel="cross_entropy"):
    r"""Softmax cross-entropy of logits, with labels or with probabilities as targets.

    With P = softmax(z) over K classes, y the label, w class weights and e label smoothing:

    .. math::
        \ell &= -(1 - e) w_y \log P_y - \frac{e}{K} \sum_k w_k \log P_k \\
        g_k &= M P_k - q_k, \quad q_k = (1 - e) w_y [k = y] + \frac{e}{K} w_k, \quad
        M = \sum_k q_k \\
        h_k &= M P_k (1 - P_k)

    Probabilities Q as target give :math:`q_k = w_k ((1 - e) Q_k + e / K)` and
    :math:`\ell = -\sum_k q_k \log P_k`.

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing: they are not read, cost 0 and get an exact zero
        gradient. None ignores no label.
    label_smoothing : float, default 0.0
        In [0, 1]: the share of each target that is spread evenly over all classes.
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
    or NaN, is NaN.

    See Also
    --------
    LogLoss : the same for probabilities.

    References
    ----------
    C. Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR 2016,
    arXiv:1512.00567 (label smoothing).

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
