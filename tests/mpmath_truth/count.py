"""Truths of fastloss.losses.count."""

from mpmath import mp  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Truth, sum_of


def poisson(prediction: Number, target: Number) -> Truth:
    rate = mp.exp(prediction)
    return Truth(
        sum_of(rate, -target * prediction),
        [sum_of(rate, -target)],
        [sum_of(rate)],
    )
