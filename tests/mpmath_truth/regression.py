"""Truths of fastloss.losses.regression."""

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Truth, sign, sum_of


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
