"""Truths of fastloss.losses.multiclass."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sum_of


class Softmax(NamedTuple):
    """Probabilities of a row, and how the rounding of z - max(z) reaches them."""

    top: Number
    fall: list[Number]  # max(z) - z
    p: list[Number]
    rest: Number  # sum of exp(z - max(z)) but one maximal
    noise: list[Number]  # ulp of each p: those of an exponential are |z - max(z)|
    stir: Number  # ulp of their sum


def softmax(prediction: Sequence[Number]) -> Softmax:
    top = max(prediction)
    first = list(prediction).index(top)
    power = [mp.exp(z - top) for z in prediction]
    rest = mp.fsum(power[k] for k in range(len(power)) if k != first)
    p = [e / (1 + rest) for e in power]
    fall = [top - z for z in prediction]
    noise = [p[k] * (1 + fall[k]) for k in range(len(p))]
    return Softmax(top, fall, p, rest, noise, mp.fsum(a * b for a, b in zip(p, fall, strict=True)))


Formula = Callable[[Number, Number, Number], tuple[Sum, Sum, Sum]]


def of_label(
    prediction: Sequence[Number],
    target: int,
    formula: Formula,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    factor: Any = 1,
) -> Truth:
    """f(p) of the label's probability; `formula` gives f, A = -p f'(p) and p A'(p) of p, 1 - p
    and log p."""
    classes = range(len(prediction))
    if target == ignore_index:
        zeros = [sum_of(mpf(0)) for _ in classes]
        return Truth(sum_of(mpf(0)), zeros, zeros)
    weight = mpf(1) if class_weight is None else mpf(class_weight[target])
    weight *= mpf(factor[target] if isinstance(factor, tuple) else factor)
    _, fall, p, rest, noise, stir = softmax(prediction)
    y, first = target, fall.index(0)
    others = rest / (1 + rest) if y == first else 1 - p[y]
    others_noise = mp.fsum(noise[k] for k in classes if k != y) + others * stir
    log_p = -mp.log1p(rest) - fall[y]
    f, pull, slope = formula(p[y], others, log_p)
    # What comes in with p, 1 - p and log p: f changes with the logarithm of p by -A, and A by p A'.
    # p A' has the noise of 1 - p in a power; no formula has more than the power of itself.
    entering = others_noise + fall[y] * others - log_p
    ratio = 1 + stir + fall[y] + others_noise / others if others else mpf(1)
    pull_scale = pull.scale + abs(slope.exact) * entering
    slope_scale = slope.scale * ratio
    # Where 1 - p or a probability is subnormal, it is known to one subnormal.
    size = abs(pull.exact) + pull.scale
    bend_size = slope.scale * others
    value = Sum(
        weight * f.exact, weight * (f.scale + abs(pull.exact) * entering), 4 * weight * (1 + size)
    )
    floor = 4 * weight * (1 + size + 2 * bend_size + (slope.scale / p[y] if p[y] else 0))
    gradient, hessian = [], []
    for k in classes:
        lean, lean_noise = p[k], noise[k] + p[k] * stir
        inverse, inverse_noise = 1 - p[k], 1 + stir
        if k == first:
            inverse, inverse_noise = rest / (1 + rest), mp.fsum(noise[:k] + noise[k + 1 :])
            inverse_noise += inverse * stir
        if k == y:
            lean, lean_noise = -others, others_noise
        exact = pull.exact * lean
        scale = pull_scale * abs(lean) + abs(pull.exact) * lean_noise
        gradient.append(Sum(weight * exact, weight * scale, floor))
        spread = p[k] * inverse
        spread_noise = (noise[k] + p[k] * stir) * inverse + p[k] * inverse_noise
        exact = pull.exact * spread - slope.exact * lean**2
        scale = pull_scale * spread + abs(pull.exact) * spread_noise
        scale += slope_scale * lean**2 + 2 * abs(slope.exact * lean) * lean_noise
        hessian.append(Sum(weight * exact, weight * scale, floor))
    return Truth(value, gradient, hessian)


def softmax_focal(
    prediction: Sequence[Number],
    target: int,
    *,
    gamma: float,
    alpha: Any,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    def formula(p: Number, u: Number, log_p: Number) -> tuple[Sum, Sum, Sum]:
        if not u:
            return sum_of(mpf(0)), sum_of(mpf(not gamma)), sum_of(mpf(0))
        # u^gamma is exp(gamma log u), which magnifies the rounding of its exponent.
        condition = gamma * abs(mp.log(u))
        focus = u**gamma
        below = gamma * u ** (mpf(gamma) - 1) * p
        terms = (-2 * below, -below * log_p, (gamma - 1) * below * p * log_p / u)
        return (
            sum_of(-focus * log_p, condition=condition),
            sum_of(focus, -below * log_p, condition=condition),
            sum_of(*terms, condition=condition),
        )

    factor = 1 if alpha is None else alpha
    return of_label(prediction, target, formula, class_weight, ignore_index, factor)


def poly1(
    prediction: Sequence[Number],
    target: int,
    *,
    epsilon: float,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    def formula(p: Number, u: Number, log_p: Number) -> tuple[Sum, Sum, Sum]:
        rise = mpf(epsilon)
        pull = sum_of(1, rise * p) if rise > 0 else sum_of(1 + rise, -rise * u)
        return sum_of(-log_p, rise * u), pull, sum_of(rise * p)

    return of_label(prediction, target, formula, class_weight, ignore_index)


def generalized_cross_entropy(
    prediction: Sequence[Number],
    target: int,
    *,
    q: float,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    def formula(p: Number, u: Number, log_p: Number) -> tuple[Sum, Sum, Sum]:
        power = mp.exp(q * log_p)
        condition = -q * log_p  # of exp(q log p)
        return (
            sum_of(-mp.expm1(q * log_p) / q),
            sum_of(power, condition=condition),
            sum_of(q * power, condition=condition),
        )

    return of_label(prediction, target, formula, class_weight, ignore_index)


def softmax_absolute_error(
    prediction: Sequence[Number],
    target: int,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    def formula(p: Number, u: Number, log_p: Number) -> tuple[Sum, Sum, Sum]:
        return sum_of(2 * u), sum_of(2 * p), sum_of(2 * p)

    return of_label(prediction, target, formula, class_weight, ignore_index)


def taylor_cross_entropy(
    prediction: Sequence[Number],
    target: int,
    *,
    order: int,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    def formula(p: Number, u: Number, log_p: Number) -> tuple[Sum, Sum, Sum]:
        powers = [u**i for i in range(order + 1)]
        return (
            sum_of(*(powers[i] / mpf(i) for i in range(1, order + 1))),
            sum_of(*(p * power for power in powers[:-1])),
            sum_of(order * p * powers[-2]),
        )

    return of_label(prediction, target, formula, class_weight, ignore_index)


def symmetric_cross_entropy(
    prediction: Sequence[Number],
    target: int,
    *,
    alpha: float,
    beta: float,
    log_zero: float,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    def formula(p: Number, u: Number, log_p: Number) -> tuple[Sum, Sum, Sum]:
        reverse = -mpf(beta) * log_zero
        return sum_of(-alpha * log_p, reverse * u), sum_of(alpha, reverse * p), sum_of(reverse * p)

    return of_label(prediction, target, formula, class_weight, ignore_index)


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
    _, fall, p, rest, noise, stir = softmax(prediction)
    first = fall.index(0)

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
