"""Value, gradient and Hessian diagonal of every loss in closed form, to fifty digits.

A truth returns three lists of `Sum`s: what the result is and what its error is measured against.
The measure is the sum of the terms' sizes, so a result that is one term has to be right to a few
ulp of itself, and only a sum whose terms cancel by nature (a soft label near its prediction) is
allowed an error relative to its terms. Where a formula needs more room the function says why.

An elementwise truth takes numbers, one of rows the list of a row's logits or probabilities and
its target: a label, or a list of probabilities.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf  # type: ignore[import-untyped]

import fastloss as fl
from fastloss.losses.base import snake_case

mp.dps = 50

Number = Any  # mpf, which has no types


class Sum(NamedTuple):
    """A result, the size that its error is measured against, and room for underflow.

    `floor` counts smallest subnormals: where an intermediate exp(-|z|) is subnormal it has an error
    of one, and the formula multiplies that.
    """

    exact: Number
    scale: Number
    floor: Number = 0


class Truth(NamedTuple):
    """A value, and a gradient and a Hessian that are lists for a loss of rows."""

    value: Sum
    gradient: list[Sum]
    hessian: list[Sum]


def sum_of(*terms: Number, condition: Number = 0, floor: Number = 0) -> Sum:
    """A sum whose terms can each be known to 1 + condition ulp."""
    return Sum(mp.fsum(terms), (1 + condition) * mp.fsum(abs(term) for term in terms), floor)


def softplus(x: Number) -> Number:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def sigmoid(x: Number) -> Number:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def sign(x: Number) -> int:
    return int(x > 0) - int(x < 0)


def squared_error(prediction: Number, target: Number, *, half: bool) -> Truth:
    residual = prediction - target
    factor = mpf(1) / 2 if half else mpf(1)
    return Truth(
        sum_of(factor * residual**2),
        [sum_of(2 * factor * residual)],
        [sum_of(2 * factor)],
    )


def absolute_error(prediction: Number, target: Number) -> Truth:
    residual = prediction - target
    return Truth(sum_of(abs(residual)), [sum_of(mpf(sign(residual)))], [sum_of(mpf(0))])


def huber(prediction: Number, target: Number, *, delta: float) -> Truth:
    residual = prediction - target
    if abs(residual) <= delta:
        return Truth(sum_of(residual**2 / 2), [sum_of(residual)], [sum_of(mpf(1))])
    value = delta * (abs(residual) - mpf(delta) / 2)
    return Truth(sum_of(value), [sum_of(mpf(delta * sign(residual)))], [sum_of(mpf(0))])


def log_cosh(prediction: Number, target: Number) -> Truth:
    residual = prediction - target
    value = mp.log1p(2 * mp.sinh(residual / 2) ** 2)
    return Truth(
        sum_of(value),
        [sum_of(mp.tanh(residual))],
        [sum_of(mp.sech(residual) ** 2)],
    )


def pinball(prediction: Number, target: Number, *, quantile: float) -> Truth:
    residual = prediction - target
    slope = {-1: -mpf(quantile), 0: mpf(0), 1: 1 - mpf(quantile)}[sign(residual)]
    return Truth(sum_of(slope * residual), [sum_of(slope)], [sum_of(mpf(0))])


def poisson(prediction: Number, target: Number) -> Truth:
    rate = mp.exp(prediction)
    return Truth(
        sum_of(rate, -target * prediction),
        [sum_of(rate, -target)],
        [sum_of(rate)],
    )


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


def cross_entropy(
    prediction: Sequence[Number],
    target: Any,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    label_smoothing: float,
    empty: str,
    axis: int,
) -> Truth:
    classes = range(len(prediction))
    soft = isinstance(target, Sequence) or label_smoothing > 0
    if not isinstance(target, Sequence):
        if target == ignore_index:
            zeros = [sum_of(mpf(0)) for _ in classes]
            return Truth(sum_of(mpf(0)), zeros, zeros)
        target = [mpf(k == target) for k in classes]
    smooth = [q * (1 - mpf(label_smoothing)) + label_smoothing / mpf(len(target)) for q in target]
    weight = [mpf(1) for _ in classes] if class_weight is None else class_weight
    pull = [w * q for w, q in zip(weight, smooth, strict=True)]
    mass = mp.fsum(pull)
    top = max(prediction)
    first = list(prediction).index(top)
    power = [mp.exp(z - top) for z in prediction]
    rest = mp.fsum(power[k] for k in classes if k != first)
    p = [e / (1 + rest) for e in power]
    # The rounding of z - max(z) reaches an exponential as an error of |z - max(z)| ulp.
    fall = [top - z for z in prediction]
    noise = [p[k] * (1 + fall[k]) for k in classes]
    stir = mp.fsum(p[k] * fall[k] for k in classes)

    losses = [pull[k] * (mp.log1p(rest) + fall[k]) for k in classes if pull[k]]
    value = Sum(mp.fsum(losses), mp.fsum(losses) + mass * stir)
    gradient, hessian = [], []
    for k in classes:
        # 1 - P_k, and its noise, without the cancellation at the largest P.
        others = rest / (1 + rest) if k == first else 1 - p[k]
        others_noise = mp.fsum(noise[:first] + noise[first + 1 :]) if k == first else 1 + stir
        other_pull = mass - pull[k] if soft else (0 if pull[k] else mass)
        exact = other_pull * p[k] - pull[k] * others
        if soft:  # mass P - pull
            scale = mass * noise[k] + mass * p[k] * stir + pull[k]
        else:  # one term: w P, or -w (1 - P) at the label
            scale = other_pull * (noise[k] + p[k] * stir)
            scale += pull[k] * (others_noise + others * stir)
        gradient.append(Sum(exact, scale))
        spread = mass * p[k]
        room = spread * (others * (1 + fall[k] + stir) + others_noise)
        hessian.append(Sum(spread * others, room))
    return Truth(value, gradient, hessian)


def truth_of(cls: type[fl.Loss]) -> Callable[..., Truth]:
    """The function above that is named as the loss."""
    found = globals().get(snake_case(cls.__name__))
    assert found is not None, f"tests/mpmath_truth.py has no closed form of {cls.__name__}"
    truth: Callable[..., Truth] = found
    return truth
