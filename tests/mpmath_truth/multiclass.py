"""Truths of fastloss.losses.multiclass."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mpmath import mp, mpf  # type: ignore[import-untyped]

from mpmath_truth.terms import Number, Sum, Truth, sum_of, sums_of_others


class Softmax(NamedTuple):
    """Probabilities of a row, and how the rounding of z - max(z) reaches them."""

    top: Number
    fall: list[Number]  # max(z) - z
    p: list[Number]
    rest: Number  # sum of exp(z - max(z)) but one maximal
    noise: list[Number]  # ulp of each p: those of an exponential are |z - max(z)|
    stir: Number  # ulp of their sum
    others_noise: list[Number]  # sum of the other classes' noise


def softmax(prediction: Sequence[Number]) -> Softmax:
    top = max(prediction)
    first = list(prediction).index(top)
    power = [mp.exp(z - top) for z in prediction]
    rest = mp.fsum(power[k] for k in range(len(power)) if k != first)
    p = [e / (1 + rest) for e in power]
    fall = [top - z for z in prediction]
    noise = [p[k] * (1 + fall[k]) for k in range(len(p))]
    stir = mp.fsum(a * b for a, b in zip(p, fall, strict=True))
    return Softmax(top, fall, p, rest, noise, stir, sums_of_others(noise))


def probabilities(target: Any, classes: int) -> list[Number]:
    """Those of a target that may be a label."""
    if isinstance(target, Sequence):
        return list(target)
    return [mpf(k == target) for k in range(classes)]


def nothing(classes: int) -> Truth:
    """Of a row that is ignored."""
    zeros = [sum_of(mpf(0)) for _ in range(classes)]
    return Truth(sum_of(mpf(0)), zeros, zeros)


Formula = Callable[[Number, Number, Number], tuple[Sum, Sum, Sum]]


class AtClass(NamedTuple):
    """A formula of one class's probability, with what the rounding of logits does to it."""

    p: Number
    p_noise: Number
    others: Number  # 1 - p
    others_noise: Number
    value: Sum
    pull: Sum  # A = -p f'(p)
    slope: Sum  # p A'(p)


def at_class(row: Softmax, y: int, formula: Formula) -> AtClass:
    """`formula` gives f, A = -p f'(p) and p A'(p) of p, 1 - p and log p."""
    first = row.fall.index(0)
    p, stir, fall = row.p[y], row.stir, row.fall[y]
    others = row.rest / (1 + row.rest) if y == first else 1 - p
    others_noise = row.others_noise[y] + others * stir
    log_p = -mp.log1p(row.rest) - fall
    f, pull, slope = formula(p, others, log_p)
    # What comes in with p, 1 - p and log p: f changes with the logarithm of p by -A, and A by p A'.
    # p A' has the noise of 1 - p in a power; no formula has more than the power of itself.
    entering = others_noise + fall * others - log_p
    ratio = 1 + stir + fall + others_noise / others if others else mpf(1)
    return AtClass(
        p,
        row.noise[y] + p * stir,
        others,
        others_noise,
        Sum(f.exact, f.scale + abs(pull.exact) * entering),
        Sum(pull.exact, pull.scale + abs(slope.exact) * entering),
        Sum(slope.exact, slope.scale * ratio),
    )


def of_target(
    prediction: Sequence[Number],
    target: Any,
    formula: Formula,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    factor: Any = 1,
) -> Truth:
    """f(p) of the label's probability, or its expectation over labels with the target's."""
    classes = range(len(prediction))
    mass = probabilities(target, len(prediction))
    if target == ignore_index:
        return nothing(len(prediction))
    for k in classes:
        mass[k] *= 1 if class_weight is None else mpf(class_weight[k])
        mass[k] *= mpf(factor[k] if isinstance(factor, tuple) else factor)
    row = softmax(prediction)
    at = {k: at_class(row, k, formula) for k in classes if mass[k]}
    first = row.fall.index(0)

    def each(of: Callable[[AtClass], Number]) -> list[Number]:
        return [mass[k] * of(at[k]) if k in at else mpf(0) for k in classes]

    def total(of: Callable[[AtClass], Number]) -> Number:
        return mp.fsum(each(of))

    def others_of(of: Callable[[AtClass], Number]) -> list[Number]:
        return sums_of_others(each(of))

    pulls, pull_scales = total(lambda c: c.pull.exact), total(lambda c: c.pull.scale)
    pull_sizes = total(lambda c: abs(c.pull.exact))
    others_pull = others_of(lambda c: c.pull.exact)
    others_pull_scale = others_of(lambda c: c.pull.scale)
    others_pull_size = others_of(lambda c: abs(c.pull.exact))
    others_slope = others_of(lambda c: c.slope.exact)
    others_slope_scale = others_of(lambda c: c.slope.scale)
    others_slope_size = others_of(lambda c: abs(c.slope.exact))
    # Where 1 - p or a probability is subnormal, it is known to one subnormal.
    size = mp.fsum(mass) + pull_sizes + pull_scales
    floor = 4 * (size + total(lambda c: c.slope.scale * (2 * c.others + (1 / c.p if c.p else 0))))
    value = Sum(total(lambda c: c.value.exact), total(lambda c: c.value.scale), 4 * size)
    gradient, hessian = [], []
    for k in classes:
        p, p_noise = row.p[k], row.noise[k] + row.p[k] * row.stir
        others, others_noise = 1 - p, 1 + row.stir
        if k == first:
            others = row.rest / (1 + row.rest)
            others_noise = row.others_noise[k] + others * row.stir
        own = [mpf(0)] * 4
        if k in at:
            # Its own part of the sums, which 1 - p is a factor of instead of p.
            one = at[k]
            others, others_noise = one.others, one.others_noise
            own = [one.pull.exact, one.pull.scale, one.slope.exact, one.slope.scale]
            own = [mass[k] * x for x in own]
        exact = p * others_pull[k] - others * own[0]
        scale = p * others_pull_scale[k] + p_noise * others_pull_size[k]
        scale += others * own[1] + others_noise * abs(own[0])
        gradient.append(Sum(exact, scale, floor))
        exact = p * others * pulls - p**2 * others_slope[k] - others**2 * own[2]
        scale = p * others * pull_scales + (p_noise * others + p * others_noise) * pull_sizes
        scale += p**2 * others_slope_scale[k] + 2 * p * p_noise * others_slope_size[k]
        scale += others**2 * own[3] + 2 * others * others_noise * abs(own[2])
        hessian.append(Sum(exact, scale, floor))
    return Truth(value, gradient, hessian)


def softmax_focal(
    prediction: Sequence[Number],
    target: Any,
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
    return of_target(prediction, target, formula, class_weight, ignore_index, factor)


def poly1(
    prediction: Sequence[Number],
    target: Any,
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

    return of_target(prediction, target, formula, class_weight, ignore_index)


def generalized_cross_entropy(
    prediction: Sequence[Number],
    target: Any,
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

    return of_target(prediction, target, formula, class_weight, ignore_index)


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

    return of_target(prediction, target, formula, class_weight, ignore_index)


def taylor_cross_entropy(
    prediction: Sequence[Number],
    target: Any,
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

    return of_target(prediction, target, formula, class_weight, ignore_index)


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

    return of_target(prediction, target, formula, class_weight, ignore_index)


class Tempered(NamedTuple):
    """Probabilities exp_t(z - lambda) of a row, and how the rounding of logits reaches them."""

    depth: list[Number]  # -log p
    base: list[Number]  # p^(1 - t)
    p: list[Number]
    rest: Number  # the sum of all p but one maximal
    noise: list[Number]  # ulp of each p: -log p is an exponent, and lambda moves with the sum
    top: int


def tempered_softmax(prediction: Sequence[Number], t: float) -> Tempered:
    tail = mpf(t) - 1
    largest = max(prediction)
    top = list(prediction).index(largest)
    fall = [largest - z for z in prediction]
    shift = mpf(0)
    while True:
        base = [1 + tail * (shift + f) for f in fall]
        pairs = list(zip(fall, base, strict=True))
        p = [mp.exp(-shift - f) if not tail else b ** (-1 / tail) for f, b in pairs]
        rest = mp.fsum(p[:top] + p[top + 1 :])
        total = rest + p[top]
        powers = mp.fsum(q / b for q, b in zip(p, base, strict=True))
        step = total * (mp.expm1(tail * mp.log(total)) / tail if tail else mp.log(total)) / powers
        if abs(step) < 10 * mp.eps * base[top]:
            break
        shift += step
    depth = [(mp.log(b) / tail if tail else shift + f) for f, b in zip(fall, base, strict=True)]
    depth[top] = -mp.log1p(-rest)
    stir = mp.fsum(q * (1 + d) for q, d in zip(p, depth, strict=True)) / powers
    noise = [q * (1 + d + stir / b) for q, d, b in zip(p, depth, base, strict=True)]
    noise[top] = rest + mp.fsum(noise[:top] + noise[top + 1 :])
    return Tempered(depth, base, p, rest, noise, top)


def tempered_divergence(x: Number, log_goal: Number, order: Number) -> tuple[Number, Number]:
    """The integral of (y - r) r^(order - 1) from P to y, x = log(P / y), and its terms' size."""
    if abs(x) < 1e-12:
        found = x**2 / 2 + (1 + 2 * order) * x**3 / 6
        return mp.exp((1 + order) * log_goal) * found, mp.exp((1 + order) * log_goal) * found
    above = mp.expm1((1 + order) * x) / (1 + order)
    below = mp.expm1(order * x) / order if order else x
    scale = mp.exp((1 + order) * log_goal)
    found = scale * (above - below)
    # Near 0 it is a series whose terms do not cancel.
    return found, found if abs(x) <= 0.5 else scale * (abs(above) + abs(below))


def bi_tempered_logistic(
    prediction: Sequence[Number],
    target: Any,
    *,
    t1: float,
    t2: float,
    label_smoothing: float,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    count = len(prediction)
    classes = range(count)
    if target == ignore_index:
        return nothing(count)
    smoothing = mpf(label_smoothing)
    goal = [(1 - smoothing) * q + smoothing / count for q in probabilities(target, count)]
    row = tempered_softmax(prediction, t2)
    top, p, noise, base = row.top, row.p, row.noise, row.base
    order, tail, gap = 1 - mpf(t1), mpf(t2) - 1, mpf(t2) - mpf(t1)

    values, room = [], []
    for k in classes:
        if not goal[k]:
            values.append(mp.exp(-(1 + order) * row.depth[k]) / (1 + order))
            room.append(values[k] + mp.exp(-order * row.depth[k]) * noise[k])
            continue
        log_goal = mp.log(goal[k])
        x = -row.depth[k] - log_goal
        found, size = tempered_divergence(x, log_goal, order)
        # By how much P moves it, and a smoothed y.
        slope = abs(p[k] - goal[k]) * mp.exp(-order * row.depth[k])
        relative = 1 + row.depth[k] if not p[k] else noise[k] / p[k]
        size += slope * (relative + abs(log_goal))
        size += mp.exp(order * log_goal) * goal[k] * abs(x) * bool(smoothing)
        values.append(found)
        room.append(size)
    value = Sum(mp.fsum(values), mp.fsum(room), 4 * count)

    # Slopes with respect to P are (P - y) P^-t1; s and w are that and 1 times P^t2.
    relative = [n / q for n, q in zip(noise, p, strict=True)]
    power = [mp.exp(-gap * d) for d in row.depth]
    lead = [q - y for q, y in zip(p, goal, strict=True)]
    lead[top] = 1 - goal[top] - row.rest
    lead_room = [n + y for n, y in zip(noise, goal, strict=True)]
    lead_room[top] = 1 - goal[top] + noise[top] if p[top] > 0.5 else p[top] + goal[top]
    s = [q / b for q, b in zip(p, base, strict=True)]
    s_room = [t2 * n / b for n, b in zip(noise, base, strict=True)]
    total = mp.fsum(s)
    w = [one * a for one, a in zip(lead, power, strict=True)]
    w_room = [
        a * (size + abs(one) * gap * n)
        for one, size, a, n in zip(lead, lead_room, power, relative, strict=True)
    ]
    origin, origin_room = mpf(0), mpf(0)
    if 2 * s[top] > total:
        # The slope of the class with most of the share is taken from all.
        origin, origin_room = w[top] / s[top], w_room[top] / s[top]
        w = [x - origin * y for x, y in zip(w, s, strict=True)]
        w_room = [
            x + abs(origin) * r + origin_room * y for x, r, y in zip(w_room, s_room, s, strict=True)
        ]
        w[top] = w_room[top] = mpf(0)
    mean = mp.fsum(w) / total
    mean_room = mp.fsum(w_room) / total + abs(mean) * mp.fsum(s_room) / total
    floor = 8 * (1 + abs(origin) + abs(mean))
    gradient = [
        Sum(w[k] - s[k] * mean, w_room[k] + s_room[k] * abs(mean) + s[k] * mean_room, floor)
        for k in classes
    ]

    bend, bend_room = [], []
    for k in classes:
        terms = (
            (1 + gap) * s[k] * power[k],
            -gap * goal[k] * power[k] / base[k],
            -t2 * (origin + mean) * s[k] / base[k],
        )
        bend.append(mp.fsum(terms))
        size = mp.fsum(abs(x) for x in terms) * (1 + (1 + gap + tail) * relative[k])
        bend_room.append(size + t2 * (origin_room + mean_room) * s[k] / base[k])
    share = [x / total for x in s]
    stir = mp.fsum(s_room) / total
    share_room = [r / total + x * stir for r, x in zip(s_room, share, strict=True)]

    def others(numbers: list[Number], k: int, whole: Number) -> Number:
        # Those of the largest class's others may be as small as nothing beside it.
        return mp.fsum(numbers[:k] + numbers[k + 1 :]) if k == top else whole - numbers[k]

    wholes = [mp.fsum(x) for x in (share, share_room, bend, bend_room)]
    hessian = []
    for k in classes:
        left, left_room, rest, rest_room = (
            others(numbers, k, whole)
            for numbers, whole in zip((share, share_room, bend, bend_room), wholes, strict=True)
        )
        left_room = left + left_room if k == top else share_room[k]
        size = bend_room[k] * left**2 + 2 * abs(bend[k]) * left * left_room
        size += share[k] ** 2 * rest_room + 2 * share[k] * share_room[k] * abs(rest)
        hessian.append(Sum(bend[k] * left**2 + share[k] ** 2 * rest, size, floor))
    return Truth(value, gradient, hessian)


def cross_entropy(
    prediction: Sequence[Number],
    target: Any,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    label_smoothing: float,
    prior: Sequence[float] | None,
    z_loss: float,
    soft_cap: float | None,
    empty: str,
    axis: int,
) -> Truth:
    classes = range(len(prediction))
    soft = isinstance(target, Sequence) or label_smoothing > 0
    if target == ignore_index:
        return nothing(len(prediction))
    target = probabilities(target, len(prediction))
    prior = [1 / mpf(len(target)) for _ in target] if prior is None else prior
    smooth = [
        q * (1 - mpf(label_smoothing)) + mpf(label_smoothing) * r
        for q, r in zip(target, prior, strict=True)
    ]
    weight = [mpf(1) for _ in classes] if class_weight is None else class_weight
    pull = [w * q for w, q in zip(weight, smooth, strict=True)]
    mass = mp.fsum(pull)
    capped = prediction
    if soft_cap is not None:
        capped = [soft_cap * mp.tanh(x / soft_cap) for x in prediction]
    top, fall, p, rest, noise, stir, others_noise = softmax(capped)
    first = fall.index(0)
    blur = [mpf(0) for _ in classes]
    if soft_cap is not None:
        # A capped logit has an error of a few ulp of itself, as has the largest one.
        blur = [3 * (abs(z) + abs(top)) for z in capped]
        noise = [n + q * b for n, q, b in zip(noise, p, blur, strict=True)]
        others_noise = sums_of_others(noise)
        stir += mp.fsum(q * b for q, b in zip(p, blur, strict=True))

    # Of the z-loss: its factor, and 2 factor L for L the log-sum-exp, which is max z + log sum.
    factor = z_loss * mp.fsum(w * q for w, q in zip(weight, target, strict=True))
    log_total = mp.log1p(rest)
    lse, lse_noise = top + log_total, abs(top) + 3 * abs(top) * bool(soft_cap) + log_total + stir
    lift, lift_noise = 2 * factor * lse, 2 * factor * lse_noise

    losses = [pull[k] * (log_total + fall[k]) for k in classes if pull[k]]
    blurred = mp.fsum(a * b for a, b in zip(pull, blur, strict=True))
    value = Sum(
        mp.fsum(losses) + factor * lse**2,
        mp.fsum(losses) + mass * stir + blurred + factor * (lse**2 + 2 * abs(lse) * lse_noise),
    )
    gradient, hessian = [], []
    for k in classes:
        # 1 - P_k, and its noise, without the cancellation at the largest P.
        others = rest / (1 + rest) if k == first else 1 - p[k]
        rest_noise = others_noise[k] if k == first else 1 + stir
        other_pull = mass - pull[k] if soft else (0 if pull[k] else mass)
        exact = other_pull * p[k] - pull[k] * others
        if soft:  # mass P - pull
            scale = mass * noise[k] + mass * p[k] * stir + pull[k]
        else:  # one term: w P, or -w (1 - P) at the label
            scale = other_pull * (noise[k] + p[k] * stir)
            scale += pull[k] * (rest_noise + others * stir)
        scale += lift_noise * p[k] + abs(lift) * (noise[k] + p[k] * stir)
        # A subnormal probability has an error of one, which these multiply.
        floor = 4 * (mass + abs(lift) + 2 * factor) if z_loss else 0
        slope = Sum(exact + lift * p[k], scale, floor)
        spread = p[k] * others
        room = (mass + abs(lift)) * p[k] * (others * (1 + fall[k] + blur[k] + stir) + rest_noise)
        room += lift_noise * spread + 2 * factor * p[k] * (noise[k] + 2 * p[k] * stir)
        bend = Sum((mass + lift) * spread + 2 * factor * p[k] ** 2, room, floor)
        if soft_cap is not None:
            slope, bend = below_cap(prediction[k] / soft_cap, soft_cap, slope, bend)
        gradient.append(slope)
        hessian.append(bend)
    return Truth(value, gradient, hessian)


def below_cap(u: Number, cap: float, slope: Sum, bend: Sum) -> tuple[Sum, Sum]:
    """Derivatives with respect to a logit cap u, from those with respect to cap tanh u."""
    tilt = 1 / mp.cosh(u) ** 2
    # exp(-2 u) has the rounding of u, and is subnormal where u is large.
    noise = 2 + 2 * abs(u)
    size = abs(slope.exact) + slope.scale
    curve = -2 * mp.tanh(u) * tilt / cap
    first = Sum(
        slope.exact * tilt,
        (slope.scale + abs(slope.exact) * noise) * tilt,
        slope.floor + 4 * (1 + size),
    )
    second = Sum(
        bend.exact * tilt**2 + slope.exact * curve,
        (bend.scale + 2 * abs(bend.exact) * noise) * tilt**2
        + (slope.scale + 2 * abs(slope.exact) * noise) * abs(curve),
        bend.floor
        + 2 * slope.floor / cap
        + 4 * (1 + abs(bend.exact) + bend.scale + 2 * size / cap),
    )
    return first, second


def negative_log_likelihood(
    prediction: Sequence[Number],
    target: int,
    *,
    class_weight: Sequence[float] | None,
    ignore_index: int,
    empty: str,
    axis: int,
) -> Truth:
    weight = mpf(1) if class_weight is None or target == ignore_index else mpf(class_weight[target])
    if target == ignore_index:
        weight = mpf(0)
    zeros = [sum_of(mpf(0)) for _ in prediction]
    gradient = [sum_of(-weight if k == target else mpf(0)) for k in range(len(prediction))]
    value = -weight * prediction[target] if weight else mpf(0)
    return Truth(sum_of(value), gradient, zeros)
