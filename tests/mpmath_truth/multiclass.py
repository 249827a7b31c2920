"""Truths of fastloss.losses.multiclass."""

from collections.abc import Sequence
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sum_of


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
