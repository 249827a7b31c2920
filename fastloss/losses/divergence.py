"""Divergences between a softmax's probabilities and those of the target, and the Brier score."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fastloss.losses.base import NUMBERS, TEMPERATURE, UNIT, Deciding, Loss
from fastloss.losses.multiclass import check_classes

__all__ = [
    "Distillation",
    "JensenShannon",
    "KLDivergence",
    "MulticlassBrier",
    "ReverseKLDivergence",
    "TotalVariation",
]

# What a target holds, by the kernels' numbers.
FORMS = ("probabilities", "log_probabilities", "logits")
Form = Literal["probabilities", "log_probabilities", "logits"]


class KLDivergence(Loss, kernel="kl_divergence"):
    r"""Kullback-Leibler divergence KL(q || p), with the logarithms of p as prediction.

    With x = log p and q the target's probabilities:

    .. math::
        \ell = \sum_k q_k (\log q_k - x_k), \quad g_k = -q_k, \quad h_k = 0

    Parameters
    ----------
    log_target : bool, default False
        The target holds log q instead of q.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    0 log 0 = 0, and a class with q = 0 may have x = -inf. The mean is that of the rows: PyTorch's
    "batchmean", Keras's and optax's mean. PyTorch's "mean" divides by all elements; for that give
    the prediction's size as `denominator` of a call. A negative target is NaN.

    See Also
    --------
    Distillation : the same for logits.

    References
    ----------
    S. Kullback, R. A. Leibler, *On Information and Sufficiency*, Ann. Math. Stat. 22, 1951.

    Examples
    --------
    >>> import numpy as np, fastloss as fl
    >>> loss = fl.KLDivergence()
    >>> round(loss(np.log([[0.5, 0.5]]), [[0.25, 0.75]]), 6)
    0.130812
    >>> loss.grad(np.log([[0.5, 0.5]]), [[0.25, 0.75]])
    array([[-0.25, -0.75]])
    """

    log_target: bool = False
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("probabilities",)
    classwise: ClassVar[Literal["", "each", "one_hot", "cumulative", "rivals"]] = "each"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "kl_div": {},
        "KLDivLoss": {},
        "kullback_leibler_divergence": {"axis": -1},
        "kld": {"axis": -1},
        "kl_divergence_with_log_targets": {"log_target": True, "axis": -1},
    }

    def _kernel(self) -> str:
        return "kl_divergence_log_target" if self.log_target else "kl_divergence"


class Distillation(Loss, kernel="distillation"):
    r"""Kullback-Leibler divergence KL(q || P) of logits: distillation from a teacher's q.

    With :math:`P = \operatorname{softmax}(z / T)` and Q the sum of q, which is 1:

    .. math::
        \ell = T^2 \sum_k q_k (\log q_k - \log P_k), \quad
        g_k = T (Q P_k - q_k), \quad
        h_k = Q P_k (1 - P_k)

    Parameters
    ----------
    temperature : float, default 1.0
        T, from 1e-6 on: logits are divided by it (a target's too), and the value is multiplied by
        :math:`T^2`, so that the gradient keeps its size.
    target_form : {"probabilities", "log_probabilities", "logits"}, default "probabilities"
        What the target holds: q, log q, or logits t with :math:`q = \operatorname{softmax}(t / T)`.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    0 log 0 = 0. A row to be left out gets the weight 0. Where student and teacher agree, the terms
    cancel: the value's error is a few ulp of its largest term.

    See Also
    --------
    CrossEntropy : the same less the entropy of q.
    ReverseKLDivergence : KL(P || q).
    KLDivergence : for logarithms of probabilities.

    References
    ----------
    G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, 2015,
    arXiv:1503.02531.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.Distillation(temperature=2.0, target_form="logits")
    >>> loss.value_and_grad([[0.0, 0.0]], [[1.0, 1.0]])
    (0.0, array([[0., 0.]]))
    >>> fl.Distillation().grad([[0.0, 0.0]], [[0.25, 0.75]])
    array([[ 0.25, -0.25]])
    """

    temperature: Annotated[float, TEMPERATURE] = 1.0
    target_form: Form = "probabilities"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("probabilities",)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "knowledge_distillation": {"target_form": "logits"},
        "forward_kl": {},
    }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"temperature": self.temperature, "form": FORMS.index(self.target_form)}


class ReverseKLDivergence(Loss, kernel="reverse_kl_divergence"):
    r"""Kullback-Leibler divergence KL(P || q) of logits, which seeks a mode of q.

    With :math:`P = \operatorname{softmax}(z / T)`, :math:`d_k = \log P_k - \log q_k` and
    :math:`D = \sum_k P_k d_k`:

    .. math::
        \ell = T^2 D, \quad
        g_k = T P_k (d_k - D), \quad
        h_k = P_k ((1 - 2 P_k) (d_k - D) + 1 - P_k)

    Parameters
    ----------
    temperature : float, default 1.0
        T, from 1e-6 on: logits are divided by it (a target's too), and the value is multiplied by
        :math:`T^2`, so that the gradient keeps its size.
    target_form : {"probabilities", "log_probabilities", "logits"}, default "probabilities"
        What the target holds: q, log q, or logits t with :math:`q = \operatorname{softmax}(t / T)`.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Infinite where q is 0 and P is not; gradient and Hessian are NaN there. Logarithms or logits as
    target keep it finite.

    See Also
    --------
    Distillation : KL(q || P).

    References
    ----------
    Y. Gu, L. Dong, F. Wei, M. Huang, *MiniLLM: Knowledge Distillation of Large Language Models*,
    ICLR 2024, arXiv:2306.08543.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.ReverseKLDivergence()([[0.0, 0.0]], [[0.25, 0.75]]), 6)
    0.143841
    """

    temperature: Annotated[float, TEMPERATURE] = 1.0
    target_form: Form = "probabilities"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("probabilities",)
    target_domain: ClassVar[tuple[float, float]] = (float(np.finfo(np.float32).tiny), 1.0)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"reverse_kl": {}}

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"temperature": self.temperature, "form": FORMS.index(self.target_form)}


class JensenShannon(Loss, kernel="jensen_shannon"):
    r"""Generalised Jensen-Shannon divergence of logits.

    With :math:`P = \operatorname{softmax}(z / T)`, 0 < b < 1, :math:`M = b q + (1 - b) P`,
    :math:`d_k = \log P_k - \log M_k` and :math:`D = \sum_k P_k d_k`:

    .. math::
        \ell &= T^2 (b \operatorname{KL}(q \| M) + (1 - b) \operatorname{KL}(P \| M)) \\
        g_k &= T (1 - b) P_k (d_k - D) \\
        h_k &= (1 - b) P_k \Big((1 - 2 P_k) (d_k - D + c_k) + P_k \sum_j P_j c_j\Big), \quad
        c_k = b q_k / M_k

    Parameters
    ----------
    beta : float, default 0.5
        b in [0, 1], the weight of the target in the mixture; at 0 and 1 see below.
    temperature : float, default 1.0
        T, from 1e-6 on: logits are divided by it (a target's too), and the value is multiplied by
        :math:`T^2`, so that the gradient keeps its size.
    target_form : {"probabilities", "log_probabilities", "logits"}, default "probabilities"
        What the target holds: q, log q, or logits t with :math:`q = \operatorname{softmax}(t / T)`.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Bounded, by log 2 for b = 1/2, and finite wherever q or P is 0. As b goes to 0 or 1 it vanishes,
    and divided by b (1 - b) it goes to KL(q || P) and KL(P || q). These are what b = 0 and b = 1
    mean, as in Liger and TRL: the loss, with its gradient and Hessian, is that of
    :class:`Distillation` and of :class:`ReverseKLDivergence`, and not continuous in b there.

    See Also
    --------
    Distillation : KL(q || P).
    TotalVariation : bounded too.

    References
    ----------
    J. Lin, *Divergence Measures Based on the Shannon Entropy*, IEEE Trans. Inf. Theory 37, 1991.

    R. Agarwal et al., *On-Policy Distillation of Language Models*, ICLR 2024, arXiv:2306.13649.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.JensenShannon()([[0.0, 0.0]], [[0.25, 0.75]]), 6)
    0.033822
    >>> round(fl.JensenShannon(beta=1)([[0.0, 0.0]], [[0.25, 0.75]]), 6)  # KL(P || q)
    0.143841
    """

    beta: Annotated[float, UNIT] = 0.5
    temperature: Annotated[float, TEMPERATURE] = 1.0
    target_form: Form = "probabilities"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("probabilities",)
    target_domain = Deciding(
        lambda loss: ReverseKLDivergence.target_domain if loss.beta == 1 else NUMBERS
    )
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"jsd": {}, "js_divergence": {}}

    def _kernel(self) -> str:
        return {0.0: Distillation.kernel, 1.0: ReverseKLDivergence.kernel}.get(
            self.beta, self.kernel
        )

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {
            "temperature": self.temperature,
            "form": FORMS.index(self.target_form),
            "beta": self.beta,
        }


class TotalVariation(Loss, kernel="total_variation"):
    r"""Total variation distance of logits: half the absolute difference of probabilities.

    With :math:`P = \operatorname{softmax}(z / T)` and :math:`s_k = \operatorname{sign}(P_k - q_k)`:

    .. math::
        \ell &= \frac{T^2}{2} \sum_k |P_k - q_k| \\
        g_k &= \frac{T}{2} P_k (s_k - S), \quad S = \sum_j P_j s_j \\
        h_k &= \frac{1}{2} P_k (1 - 2 P_k) (s_k - S)

    Parameters
    ----------
    temperature : float, default 1.0
        T, from 1e-6 on: logits are divided by it (a target's too), and the value is multiplied by
        :math:`T^2`, so that the gradient keeps its size.
    target_form : {"probabilities", "log_probabilities", "logits"}, default "probabilities"
        What the target holds: q, log q, or logits t with :math:`q = \operatorname{softmax}(t / T)`.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    At P = q the sub-gradient is that of s = 0. In [0, 1] for T = 1.

    See Also
    --------
    JensenShannon : smooth, and bounded too.

    References
    ----------
    Y. Wen, Z. Li, W. Du, L. Mou, *f-Divergence Minimization for Sequence-Level Knowledge
    Distillation*, ACL 2023, arXiv:2307.15190.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.TotalVariation()([[0.0, 0.0]], [[0.25, 0.75]])
    0.25
    """

    temperature: Annotated[float, TEMPERATURE] = 1.0
    target_form: Form = "probabilities"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    targets: ClassVar[tuple[str, ...]] = ("probabilities",)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"tvd": {}, "total_variation_distance": {}}

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"temperature": self.temperature, "form": FORMS.index(self.target_form)}


class MulticlassBrier(Loss, kernel="multiclass_brier"):
    r"""Brier score of logits: the squared distance of the softmax from the target.

    With :math:`P = \operatorname{softmax}(z)`, q the target's probabilities (one-hot for a label),
    :math:`d = P - q` and :math:`D = \sum_k P_k d_k`:

    .. math::
        \ell &= \sum_k d_k^2 \\
        g_k &= 2 P_k (d_k - D) \\
        h_k &= 2 P_k \Big((1 - 2 P_k) (d_k - D + P_k) + P_k \sum_j P_j^2\Big)

    Parameters
    ----------
    half : bool, default False
        Take half of it, as scikit-learn's ``scale_by_half=True``, which is in [0, 1].
    ignore_index : int or None, default -100
        Rows with this label are not read, cost 0 and get an exact zero gradient.
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all.
    axis : int, default 1
        The class axis.
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Bounded, and not convex. A label that is already certain has a gradient that keeps its digits:
    1 - P is the sum of the other classes.

    See Also
    --------
    CrossEntropy : the other classical proper score.

    References
    ----------
    G. W. Brier, *Verification of Forecasts Expressed in Terms of Probability*, Monthly Weather
    Review 78, 1950.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MulticlassBrier().value_and_grad([[0.0, 0.0]], [1])
    (0.5, array([[ 0.5, -0.5]]))
    """

    half: bool = False
    ignore_index: int | None = -100
    empty: Literal["nan", "zero"] = "nan"
    axis: int = 1

    class_axis: ClassVar[Literal["none", "optional", "always"]] = "always"
    aliases: ClassVar[dict[str, dict[str, Any]]] = {"brier_score_multiclass": {}}

    def _check(self) -> None:
        check_classes(None, self.ignore_index)

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return {"temperature": 1.0, "form": 0.0, "factor": 0.5 if self.half else 1.0}
