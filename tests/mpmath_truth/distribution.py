"""Truths of fastloss.losses.distribution."""

from collections.abc import Sequence

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Truth, sum_of


def gaussian_nll(
    prediction: Sequence[Number],
    target: Number,
    *,
    parametrisation: str,
    full: bool,
    eps: float,
    hessian: str,
    axis: int,
) -> Truth:
    mean, spread = prediction
    residual = mean - target
    constant = mp.log(2 * mp.pi) / 2 if full else mpf(0)
    exact = hessian == "exact"
    if parametrisation == "variance":
        v = max(spread, mpf(eps))
        bend = sum_of(residual**2 / v**3, -1 / v**2 / 2) if exact else sum_of(1 / v**2 / 2)
        return Truth(
            sum_of(mp.log(v) / 2, residual**2 / v / 2, constant),
            [sum_of(residual / v), sum_of(1 / v / 2, -(residual**2) / v**2 / 2)],
            [sum_of(1 / v), bend],
        )
    factor = mpf(1) / 2 if parametrisation == "log_variance" else mpf(1)
    s = factor * spread
    square = (residual * mp.exp(-s)) ** 2
    return Truth(
        sum_of(s, square / 2, constant),
        [sum_of(residual * mp.exp(-2 * s)), sum_of(factor, -factor * square)],
        [sum_of(mp.exp(-2 * s)), sum_of(2 * factor**2 * (square if exact else 1))],
    )
