"""Truths of fastloss.losses.binary."""

from collections.abc import Sequence
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sigmoid, softplus, sum_of


def binary_cross_entropy(
    prediction: Number, target: Number, *, pos_weight: float, label_smoothing: float
) -> Truth:
    smooth = target * (1 - mpf(label_smoothing)) + mpf(label_smoothing) / 2
    positive, negative = pos_weight * smooth, 1 - smooth
    value = sum_of(negative * softplus(prediction), positive * softplus(-prediction))
    gradient = sum_of(negative * sigmoid(prediction), -positive * sigmoid(-prediction))
    spread = sigmoid(prediction) * sigmoid(-prediction)
    hessian = sum_of((negative + positive) * spread)
    if label_smoothing:
        # 1 - smooth can be much less than its terms.
        value = Sum(value.exact, value.scale + softplus(abs(prediction)))
        gradient = Sum(gradient.exact, gradient.scale + 1)
        hessian = Sum(hessian.exact, hessian.scale + spread)
    return Truth(value, [gradient], [hessian])


def log_loss(prediction: Any, target: Number, *, eps: float, axis: int) -> Truth:
    if isinstance(prediction, Sequence):
        chosen = log_loss(prediction[target], mpf(1), eps=eps, axis=axis)
        zeros = [sum_of(mpf(0))] * len(prediction)
        gradient, hessian = list(zeros), list(zeros)
        gradient[target], hessian[target] = chosen.gradient[0], chosen.hessian[0]
        return Truth(chosen.value, gradient, hessian)
    low, high = mpf(eps), 1 - mpf(eps)
    p = min(max(prediction, low), high)
    parts = [(target, p, mp.log(p) if p else -mp.inf, -1)]
    parts += [(1 - target, 1 - p, mp.log1p(-p) if p != 1 else -mp.inf, 1)]
    parts = [part for part in parts if part[0] != 0]
    value = sum_of(*(-t * log for t, _, log, _ in parts))
    if p != prediction:
        return Truth(value, [sum_of(mpf(0))], [sum_of(mpf(0))])
    return Truth(
        value,
        [sum_of(*(side * (t / q if q else mp.inf) for t, q, _, side in parts))],
        [sum_of(*(t / q**2 if q else mp.inf for t, q, _, _ in parts))],
    )


def focal(prediction: Number, target: Number, *, gamma: float, alpha: float | None) -> Truth:
    above, below = sigmoid(prediction), sigmoid(-prediction)
    share = mpf(1) if alpha is None else alpha * target + (1 - mpf(alpha)) * (1 - target)
    missing = target * below + (1 - target) * above
    slope = (1 - 2 * target) * above * below / missing
    # u^gamma is exp(gamma log u), which magnifies the rounding of its exponent.
    condition = gamma * abs(mp.log(missing))
    factor = share * missing**gamma
    loss = (1 - target) * softplus(prediction) + target * softplus(-prediction)
    rising, falling = (1 - target) * above, -target * below
    floor = factor * (1 + gamma) ** 2 * (1 + loss) / missing
    gradient = sum_of(
        factor * gamma * slope * loss,
        factor * rising,
        factor * falling,
        condition=condition,
        floor=floor,
    )
    hessian = sum_of(
        factor * gamma * (gamma - 1) * slope**2 * loss,
        factor * gamma * slope * below * loss,
        -factor * gamma * slope * above * loss,
        factor * 2 * gamma * slope * rising,
        factor * 2 * gamma * slope * falling,
        factor * above * below,
        condition=condition,
        floor=floor,
    )
    return Truth(sum_of(factor * loss, condition=condition), [gradient], [hessian])
