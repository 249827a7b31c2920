"""Losses of counts and rates."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastloss.losses.base import Loss

__all__ = ["Poisson"]


class Poisson(Loss, kernel="poisson"):
    r"""Negative log-likelihood of counts, the prediction being the logarithm of the rate.

    With z the prediction and y the target, and without the constant :math:`\log y!`:

    .. math:: \ell = e^z - y z, \quad g = e^z - y, \quad h = e^z

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"

    Notes
    -----
    Targets are counts or rates, not negative. A target of 0 with z = -inf gives 0. Keras's
    ``Poisson`` takes the rate itself, not its logarithm; XGBoost and LightGBM train with the larger
    Hessian :math:`e^{z + 0.7}`.

    References
    ----------
    P. McCullagh and J. A. Nelder, *Generalized Linear Models*, 2nd ed., 1989, chapter 6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Poisson().value_grad_hess([0.0, 0.0], [0, 3], reduction="sum")
    (2.0, array([ 1., -2.]), array([1., 1.]))
    """

    target_domain: ClassVar[tuple[float, float]] = (0.0, np.inf)
    aliases: ClassVar[dict[str, dict[str, Any]]] = {
        "poisson_nll_loss": {},
        "PoissonNLLLoss": {},
        "HalfPoissonLoss": {},
        "count:poisson": {},
    }
