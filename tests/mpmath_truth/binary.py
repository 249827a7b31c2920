"""Truths of fastloss.losses.binary."""

from collections.abc import Sequence
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sigmoid, sign, softplus, sum_of


def binary_cross_entropy(
    prediction: Number, target: Number, *, pos_weight: float, label_smoothing: float
) -> Truth:
    positive, negative = smooth(target, label_smoothing)
    positive *= pos_weight
    spread = sigmoid(prediction) * sigmoid(-prediction)
    return Truth(
        sum_of(negative * softplus(prediction), positive * softplus(-prediction)),
        [sum_of(negative * sigmoid(prediction), -positive * sigmoid(-prediction))],
        [sum_of((negative + positive) * spread)],
    )


def smooth(target: Number, label_smoothing: float) -> tuple[Number, Number]:
    keep, floor = 1 - mpf(label_smoothing), mpf(label_smoothing) / 2
    return target * keep + floor, (1 - target) * keep + floor


def log_loss(
    prediction: Any, target: Number, *, clamp: str, eps: tuple[Number, Number] | None, axis: int
) -> Truth:
    """Here `eps` is the interval that a probability is clipped to, its ends as the dtype has them,
    or None for PyTorch's bounds."""
    if isinstance(prediction, Sequence):
        chosen = log_loss(prediction[target], mpf(1), clamp=clamp, eps=eps, axis=axis)
        zeros = [sum_of(mpf(0))] * len(prediction)
        gradient, hessian = list(zeros), list(zeros)
        gradient[target], hessian[target] = chosen.gradient[0], chosen.hessian[0]
        return Truth(chosen.value, gradient, hessian)
    low, high = eps or (mpf(0), mpf(1))
    least = -mp.inf if eps else mpf(-100)
    p = min(max(prediction, low), high)
    parts = [(target, p, mp.log(p) if p else -mp.inf, -1)]
    parts += [(1 - target, 1 - p, mp.log1p(-p) if p != 1 else -mp.inf, 1)]
    parts = [part for part in parts if part[0] != 0]
    value = sum_of(*(-t * max(log, least) for t, _, log, _ in parts))
    if p != prediction:
        return Truth(value, [sum_of(mpf(0))], [sum_of(mpf(0))])
    floor = mpf(10) ** -12
    if not eps and p * (1 - p) < floor:
        gradient = sum_of((1 - target) * p / floor, -target * (1 - p) / floor)
        return Truth(value, [gradient], [sum_of(1 / floor)])
    return Truth(
        value,
        [sum_of(*(side * (t / q if q else mp.inf) for t, q, _, side in parts))],
        [sum_of(*(t / q**2 if q else mp.inf for t, q, _, _ in parts))],
    )


def cross_entropy_lambda(prediction: Number, target: Number, *, exposure: float) -> Truth:
    w, rate = mpf(exposure), softplus(prediction)
    upper, lower = sigmoid(prediction), sigmoid(-prediction)
    p, rest = -mp.expm1(-w * rate), mp.exp(-w * rate)
    slope = w * upper * rest / p
    # Far left the two terms agree to all digits, and their difference is that of its series.
    bend = w * upper / p - lower if prediction > -60 else upper * (w + 1) / 2
    # exp(-w rate) magnifies the rounding of its exponent.
    condition = 1 + w * rate
    value = (1 - target) * w * rate, target * mp.log1p(rest / p)
    gradient = (1 - target) * w * upper, -target * slope
    hessian = (1 - target) * w * upper * lower, target * slope * bend
    return Truth(
        Sum(mp.fsum(value), value[0] + condition * value[1]),
        [Sum(mp.fsum(gradient), gradient[0] - condition * gradient[1])],
        [Sum(mp.fsum(hessian), hessian[0] + condition * hessian[1])],
    )


def focal(
    prediction: Number,
    target: Number,
    *,
    gamma: float,
    alpha: float | None,
    label_smoothing: float,
) -> Truth:
    above, below = sigmoid(prediction), sigmoid(-prediction)
    positive, negative = smooth(target, label_smoothing)
    share = mpf(1) if alpha is None else alpha * positive + (1 - mpf(alpha)) * negative
    missing = positive * below + negative * above
    slope = (negative - positive) * above * below / missing
    # u^gamma is exp(gamma log u), which magnifies the rounding of its exponent.
    condition = gamma * abs(mp.log(missing))
    factor = share * missing**gamma
    loss = negative * softplus(prediction) + positive * softplus(-prediction)
    rising, falling = negative * above, -positive * below
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


def label(target: Number, labels: str) -> Number:
    return 2 * target - 1 if labels == "01" else target


def shares(target: Number, labels: str) -> tuple[Number, Number]:
    return (target, 1 - target) if labels == "01" else ((1 + target) / 2, (1 - target) / 2)


def margin_noise(y: Number, prediction: Number) -> Number:
    """What the rounding of y z is measured against: a hard label has none."""
    return mpf(0) if abs(y) == 1 else abs(y * prediction)


def hinge(prediction: Number, target: Number, *, margin: float, labels: str, hessian: str) -> Truth:
    y = label(target, labels)
    slack = max(margin - y * prediction, mpf(0))
    curvature = mpf(0)
    if hessian == "xgboost":
        curvature = mpf(1) if slack > 0 else mpf(2) ** -126
    return Truth(
        Sum(slack, slack + margin_noise(y, prediction)),
        [sum_of(-y if slack > 0 else mpf(0))],
        [sum_of(curvature)],
    )


def squared_hinge(prediction: Number, target: Number, *, margin: float, labels: str) -> Truth:
    y = label(target, labels)
    slack = max(margin - y * prediction, mpf(0))
    room = slack + margin_noise(y, prediction)
    return Truth(
        Sum(slack**2, room**2),
        [Sum(-2 * y * slack, 2 * abs(y) * room)],
        [sum_of(2 * y**2 if slack > 0 else mpf(0))],
    )


def modified_huber(prediction: Number, target: Number, *, labels: str) -> Truth:
    y = label(target, labels)
    slack = max(1 - y * prediction, mpf(0))
    capped = min(slack, mpf(2))
    room = margin_noise(y, prediction)
    return Truth(
        Sum(capped * (2 * slack - capped), (capped + room) * (2 * slack - capped + room)),
        [Sum(-2 * y * capped, 2 * abs(y) * (capped + room))],
        [sum_of(2 * y**2 if 0 < slack <= 2 else mpf(0))],
    )


def soft_margin(prediction: Number, target: Number, *, labels: str) -> Truth:
    y = label(target, labels)
    right, wrong = sigmoid(y * prediction), sigmoid(-y * prediction)
    # The exponential magnifies the rounding of y z.
    noise = margin_noise(y, prediction)
    value, gradient, hessian = softplus(-y * prediction), -y * wrong, y**2 * right * wrong
    return Truth(
        Sum(value, value + noise * wrong),
        [Sum(gradient, abs(gradient) * (1 + noise * right))],
        [Sum(hessian, hessian * (1 + noise))],
    )


def exponential(prediction: Number, target: Number, *, labels: str) -> Truth:
    positive, negative = shares(target, labels)
    falling, rising = positive * mp.exp(-prediction), negative * mp.exp(prediction)
    both = sum_of(rising, falling)
    return Truth(both, [sum_of(rising, -falling)], [both])


def brier(prediction: Number, target: Number) -> Truth:
    above, below = sigmoid(prediction), sigmoid(-prediction)
    rising, falling = (1 - target) * above, -target * below
    distance, v = rising + falling, above * below
    return Truth(
        Sum(distance**2, (rising - falling) ** 2),
        [sum_of(2 * v * rising, 2 * v * falling)],
        [
            sum_of(
                2 * v * v,
                2 * v * rising * below,
                -2 * v * rising * above,
                2 * v * falling * below,
                -2 * v * falling * above,
            )
        ],
    )


def binary_sparsemax(prediction: Number, target: Number) -> Truth:
    wrong = target if prediction < 0 else 1 - target
    size = abs(prediction)
    half = max(1 - size, mpf(0)) / 2
    side = sign(prediction) or 1
    return Truth(
        sum_of(half**2, wrong * size),
        [sum_of(side * wrong, -side * half)],
        [sum_of(mpf(1) / 2 if size < 1 else mpf(0))],
    )


def hinge_embedding(prediction: Number, target: Number, *, margin: float, labels: str) -> Truth:
    positive, negative = shares(target, labels)
    slack = max(margin - prediction, mpf(0))
    return Truth(
        sum_of(positive * prediction, negative * slack),
        [sum_of(positive, -negative if slack > 0 else mpf(0))],
        [sum_of(mpf(0))],
    )
