"""Truths of fastloss.losses.divergence.

The logarithms of both sides' probabilities carry the rounding of logits, and how a result answers
to them is found by moving them a little: that is the room for its error.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.multiclass import nothing, probabilities
from mpmath_truth.terms import Number, Sum, Truth, sum_of, sums_of_others

# Of log p, 1 - p and log q: the term, the pull and the bend of one class.
Terms = Callable[[Number, Number, Number], tuple[Number, Number, Number]]


def kl_divergence(
    prediction: Sequence[Number], target: Sequence[Number], *, log_target: bool, axis: int
) -> Truth:
    q = [mp.exp(t) for t in target] if log_target else target
    terms = [mpf(0)]
    for x, p, t in zip(prediction, q, target, strict=True):
        if p:
            terms += [p * (t if log_target else mp.log(p)), -p * x]
    zeros = [sum_of(mpf(0)) for _ in q]
    return Truth(sum_of(*terms), [sum_of(-p) for p in q], zeros)


def distillation(
    prediction: Sequence[Number], target: Any, *, temperature: float, target_form: str, axis: int
) -> Truth:
    def terms(log_p: Number, rest: Number, log_q: Number) -> tuple[Number, Number, Number]:
        q = mp.exp(log_q)
        return (q * (log_q - log_p) if q else mpf(0)), -q, mpf(0)

    return _truth(prediction, target, temperature, target_form, terms)


def reverse_kl_divergence(
    prediction: Sequence[Number], target: Any, *, temperature: float, target_form: str, axis: int
) -> Truth:
    def terms(log_p: Number, rest: Number, log_q: Number) -> tuple[Number, Number, Number]:
        p = mp.exp(log_p)
        return p * (log_p - log_q), p * (log_p - log_q), p * (log_p - log_q + 1)

    return _truth(prediction, target, temperature, target_form, terms)


def jensen_shannon(
    prediction: Sequence[Number],
    target: Any,
    *,
    beta: float,
    temperature: float,
    target_form: str,
    axis: int,
) -> Truth:
    if beta in (0, 1):
        direction = reverse_kl_divergence if beta else distillation
        return direction(
            prediction, target, temperature=temperature, target_form=target_form, axis=axis
        )
    b = mpf(beta)

    def terms(log_p: Number, rest: Number, log_q: Number) -> tuple[Number, Number, Number]:
        # Beside 1 a small weight has digits of its own.
        with mp.workdps(mp.dps + max(0, -int(mp.log10(min(b, 1 - b))))):
            p, q = mp.exp(log_p), mp.exp(log_q)
            log_m = mp.log(b * q + (1 - b) * p)
            pull = (1 - b) * p * (log_p - log_m)
            value = pull + (b * q * (log_q - log_m) if q else 0)
            return value, pull, pull + b * (1 - b) * p * q / (b * q + (1 - b) * p)

    return _truth(prediction, target, temperature, target_form, terms)


def total_variation(
    prediction: Sequence[Number], target: Any, *, temperature: float, target_form: str, axis: int
) -> Truth:
    def terms(log_p: Number, rest: Number, log_q: Number) -> tuple[Number, Number, Number]:
        p, difference = _difference(log_p, rest, log_q)
        pull = p * mp.sign(difference) / 2
        return abs(difference) / 2, pull, pull

    return _truth(prediction, target, temperature, target_form, terms)


def multiclass_brier(
    prediction: Sequence[Number],
    target: Any,
    *,
    half: bool,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    if target == ignore_index:
        return nothing(len(prediction))
    target = probabilities(target, len(prediction))
    factor = mpf(1) if half else mpf(2)

    def terms(log_p: Number, rest: Number, log_q: Number) -> tuple[Number, Number, Number]:
        p, difference = _difference(log_p, rest, log_q)
        pull = factor * p * difference
        return factor * difference**2 / 2, pull, pull + factor * p**2

    return _truth(prediction, target, 1.0, "probabilities", terms)


def _difference(log_p: Number, rest: Number, log_q: Number) -> tuple[Number, Number]:
    p, q = mp.exp(log_p), mp.exp(log_q)
    return p, (p - q if p < 0.5 else 1 - q - rest)


def _softmax(logits: Sequence[Number], temperature: float) -> tuple[Any, ...]:
    """log p, 1 - p, and in ulp the error of the one and the relative error of the other."""
    top = max(logits)
    first = list(logits).index(top)
    fall = [(top - z) / mpf(temperature) for z in logits]
    power = [mp.exp(-d) for d in fall]
    rest = mp.fsum(power[:first] + power[first + 1 :])
    log_total = mp.log1p(rest)
    p = [e / (1 + rest) for e in power]
    stir = mp.fsum(q * d for q, d in zip(p, fall, strict=True))
    others = [1 - q for q in p]
    others[first] = rest / (1 + rest)
    log_noise = [1 + d + log_total + stir for d in fall]
    noise = mp.fsum(p[k] * log_noise[k] for k in range(len(p)) if k != first)
    others_noise = [
        1 + q * n / (1 - q) if q != 1 else mpf(1) for q, n in zip(p, log_noise, strict=True)
    ]
    others_noise[first] = 1 + stir + (noise / others[first] if rest else 0)
    return [-d - log_total for d in fall], others, log_noise, others_noise


def _truth(
    prediction: Sequence[Number], target: Any, temperature: float, form: str, terms: Terms
) -> Truth:
    classes = range(len(prediction))
    log_p, rest, p_noise, rest_noise = _softmax(prediction, temperature)
    if form == "logits":
        log_q, _, q_noise, _ = _softmax(target, temperature)
    else:
        log_q = (
            [(mp.log(q) if q else -mp.inf) for q in target] if form == "probabilities" else target
        )
        q_noise = [1 + abs(q) if mp.isfinite(q) else mpf(0) for q in log_q]
    p = [mp.exp(x) for x in log_p]
    tiny = mpf(10) ** -25
    parts, rooms = [], []
    for k in classes:
        here = terms(log_p[k], rest[k], log_q[k])
        moved = [
            terms(log_p[k] + tiny * p_noise[k], rest[k], log_q[k]),
            terms(log_p[k], rest[k] * (1 + tiny * rest_noise[k]), log_q[k]),
            terms(log_p[k], rest[k], log_q[k] + tiny * q_noise[k]),
        ]
        parts.append(here)
        rooms.append(
            [
                abs(here[i]) + sum(abs(other[i] - here[i]) for other in moved) / tiny
                for i in range(3)
            ]
        )
    factor = mpf(temperature)
    floors = [4 * (2 + p_noise[k] + q_noise[k]) for k in classes]
    value = Sum(
        factor**2 * mp.fsum(part[0] for part in parts),
        factor**2 * mp.fsum(room[0] for room in rooms),
        factor**2 * mp.fsum(floors),
    )
    gradient, hessian = [], []
    of_others = zip(
        *(sums_of_others([row[i] for row in rows]) for rows in (parts, rooms) for i in (1, 2)),
        strict=True,
    )
    for k, (pull, others, pull_room, others_room) in enumerate(of_others):
        slope = rest[k] * parts[k][1] - p[k] * pull
        room = rest[k] * (rooms[k][1] + abs(parts[k][1]) * rest_noise[k])
        room += p[k] * (pull_room + abs(pull) * p_noise[k])
        gradient.append(Sum(factor * slope, factor * room, factor * floors[k]))
        inner = rest[k] * parts[k][2] - p[k] * (pull + parts[k][1])
        inner_room = rest[k] * (rooms[k][2] + abs(parts[k][2]) * rest_noise[k])
        inner_room += p[k] * (pull_room + rooms[k][1] + abs(pull + parts[k][1]) * p_noise[k])
        bend = rest[k] * inner + p[k] ** 2 * others
        bend_room = rest[k] * (inner_room + abs(inner) * rest_noise[k])
        bend_room += p[k] ** 2 * (others_room + 2 * abs(others) * p_noise[k])
        hessian.append(Sum(bend, bend_room, floors[k]))
    return Truth(value, gradient, hessian)
