"""Regression losses of the residual, prediction - target."""

from collections.abc import Iterator

import numpy as np

from fastloss.reference.array import Array, multiply

__all__ = [
    "absolute_error",
    "absolute_percentage_error",
    "barron",
    "cauchy",
    "epsilon_insensitive",
    "expectile",
    "fair",
    "geman_mc_clure",
    "huber",
    "log_cosh",
    "log_linear_quantile",
    "lq",
    "pinball",
    "pseudo_huber",
    "smooth_l1",
    "smooth_pinball",
    "squared_epsilon_insensitive",
    "squared_error",
    "squared_log_error",
    "symmetric_absolute_percentage_error",
    "tukey",
    "welsch",
    "wing",
]


def constant(like: Array, number: float) -> Array:
    """The same number everywhere."""
    return np.full_like(like, number)


def squared_error(prediction: Array, target: Array, *, half: bool = False) -> Iterator[Array]:
    """r^2, or r^2 / 2 with `half`."""
    residual = prediction - target
    square = residual * residual
    yield square / 2 if half else square
    yield residual if half else 2 * residual
    yield constant(residual, 1 if half else 2)


def absolute_error(prediction: Array, target: Array, *, hessian: str = "exact") -> Iterator[Array]:
    """|r|, with sub-gradient 0 at r = 0."""
    residual = prediction - target
    yield abs(residual)
    yield np.sign(residual)
    yield constant(residual, hessian == "unit")


def huber(
    prediction: Array, target: Array, *, delta: float = 1.0, hessian: str = "exact"
) -> Iterator[Array]:
    """r^2 / 2 where |r| <= delta, delta (|r| - delta / 2) beyond (Huber 1964)."""
    residual = prediction - target
    size = abs(residual)
    clipped = np.clip(residual, -delta, delta)
    yield clipped * (residual - clipped / 2)
    yield clipped
    weight = delta / np.maximum(size, delta)
    beyond = {"exact": 0 * weight, "unit": 1 + 0 * weight, "majorizer": weight}[hessian]
    yield np.where(size <= delta, 1, beyond)


def smooth_l1(prediction: Array, target: Array, *, beta: float = 1.0) -> Iterator[Array]:
    """r^2 / (2 beta) where |r| <= beta, |r| - beta / 2 beyond; |r| for beta = 0 (Girshick 2015)."""
    residual = prediction - target
    if beta == 0:
        yield from absolute_error(prediction, target)
        return
    slope = np.clip(residual / beta, -1, 1)
    yield slope * (residual - np.clip(residual, -beta, beta) / 2)
    yield slope
    yield (abs(residual) <= beta).astype(residual.dtype) / beta


def pseudo_huber(
    prediction: Array, target: Array, *, delta: float = 1.0, hessian: str = "exact"
) -> Iterator[Array]:
    """delta^2 (sqrt(1 + (r / delta)^2) - 1), by a form in which the 1 does not cancel.

    root is sqrt(1 + m^2) for m = min(x, 1 / x) and x = |r| / delta: no square overflows.
    """
    residual = prediction - target
    size = abs(residual)
    small, one = np.minimum(size, delta), np.minimum(1, delta / np.maximum(size, delta))
    root = np.sqrt(1 + (small / np.maximum(size, delta)) ** 2)
    yield size * small / (one + root)
    yield np.copysign(small / root, residual)
    weight = one / root
    yield weight if hessian == "majorizer" else weight**3


def log_cosh(prediction: Array, target: Array) -> Iterator[Array]:
    """log(cosh(r)).

    For |r| < 1 the usual |r| + log1p(exp(-2|r|)) - log 2 would cancel to nothing;
    cosh(r) = 1 + 2 sinh^2(r / 2) does not. The Hessian 1 - tanh^2(r) is 4e / (1 + e)^2 with
    e = exp(-2|r|), which keeps its digits as it vanishes.
    """
    residual = prediction - target
    magnitude = abs(residual)
    decay = np.exp(-2 * magnitude)
    near = np.log1p(2 * np.sinh(np.minimum(magnitude, 1) / 2) ** 2)
    far = magnitude + np.log1p(decay) - np.log(2).astype(residual.dtype)
    yield np.where(magnitude < 1, near, far)
    yield np.tanh(residual)
    yield 4 * decay / (1 + decay) ** 2


def pinball(
    prediction: Array, target: Array, *, quantile: float | Array = 0.5, hessian: str = "exact"
) -> Iterator[Array]:
    """max(-q r, (1 - q) r), with sub-gradient 0 at r = 0 (Koenker and Bassett 1978)."""
    residual, quantile = per_output(prediction, target, quantile)
    yield np.maximum(-quantile * residual, (1 - quantile) * residual)
    side = np.sign(residual)
    yield side * (0.5 + side * (0.5 - quantile))
    yield constant(residual, hessian == "unit")


def per_output(
    prediction: Array, target: Array, parameter: float | Array
) -> tuple[Array, float | Array]:
    """The residual, and the parameter as an array if each output has its own."""
    if np.ndim(parameter) == 0:
        return prediction - target, parameter
    return prediction - target[..., np.newaxis], np.asarray(parameter, prediction.dtype)


def smooth_pinball(
    prediction: Array,
    target: Array,
    *,
    quantile: float = 0.5,
    bandwidth: float = 1.0,
    hessian: str = "exact",
) -> Iterator[Array]:
    """Pinball plus bandwidth log(1 + exp(-|r| / bandwidth)) (Zheng 2011)."""
    residual = prediction - target
    x = abs(residual) / bandwidth
    decay = np.exp(-x)
    near = np.where(residual > 0, 1 - quantile, quantile).astype(residual.dtype)
    yield near * abs(residual) + bandwidth * np.log1p(decay)
    slope = (near - (1 - near) * decay) / (1 + decay)
    yield np.where(residual > 0, slope, -slope)
    if hessian == "majorizer":  # tanh(x / 2) / (2 x), which is 1/4 at 0
        positive = np.where(x > 0, x, 1)
        fall = np.where(x > 0, -np.expm1(-positive) / positive, 1)
        yield fall / (2 * (1 + decay) * bandwidth)
    else:
        yield decay / (1 + decay) ** 2 / bandwidth


def expectile(
    prediction: Array, target: Array, *, level: float | Array = 0.5, half: bool = False
) -> Iterator[Array]:
    """(1 - q) r^2 where r >= 0, q r^2 below (Newey and Powell 1987)."""
    residual, level = per_output(prediction, target, level)
    share = np.where(residual >= 0, 1 - level, level).astype(residual.dtype) / (2 if half else 1)
    yield share * residual**2
    yield 2 * share * residual
    yield 2 * share


def fair(
    prediction: Array, target: Array, *, c: float = 1.0, hessian: str = "exact"
) -> Iterator[Array]:
    """c^2 (x - log(1 + x)) for x = |r| / c (Fair 1974).

    Below 1 the difference cancels: with s = x / (2 + x), log(1 + x) = 2 artanh s, and what is left
    is x s minus the series 2 (s^3 / 3 + s^5 / 5 + ...).
    """
    residual = prediction - target
    x = abs(residual) / c
    s = np.minimum(x, 1) / (2 + np.minimum(x, 1))
    series = sum(2 * s**k / k for k in range(3, 49, 2))
    far = x - np.where(x < np.inf, np.log1p(x), 0)
    yield c**2 * np.where(x <= 1, x * s - series, far)
    weight = 1 / (1 + x)
    yield np.copysign(c * (1 - weight), residual) if np.isinf(x).any() else residual * weight
    yield weight if hessian == "majorizer" else weight**2


def absolute_percentage_error(
    prediction: Array,
    target: Array,
    *,
    eps: float = 2.0**-52,
    scale: float = 1.0,
    hessian: str = "exact",
) -> Iterator[Array]:
    """scale |r| / max(eps, |y|), with sub-gradient 0 at r = 0."""
    residual = prediction - target
    base = np.maximum(abs(target), eps)
    yield scale * (abs(residual) / base)
    yield np.sign(residual) * (scale / base)
    yield constant(residual, hessian == "unit")


def symmetric_absolute_percentage_error(
    prediction: Array, target: Array, *, scale: float = 1.0
) -> Iterator[Array]:
    """2 scale |r| / (|p| + |y|), where 0 / 0 = 0.

    By the quotient rule the gradient is sign(r) / d - |r| sign(p) / d^2 with d = |p| + |y|, in
    which all cancels but |y| (1 + sign(p) sign(y)).
    """
    residual = prediction - target
    whole = abs(prediction) + abs(target)
    whole = np.where(whole == 0, 1, whole)
    yield 2 * scale * (abs(residual) / whole)
    share = (1 + np.sign(prediction) * np.sign(target)) * abs(target) / whole
    gradient = 2 * scale * np.sign(residual) * share / whole
    yield gradient
    yield -2 * gradient * np.sign(prediction) / whole


def squared_log_error(
    prediction: Array, target: Array, *, half: bool = False, lower: float | None = None
) -> Iterator[Array]:
    """d^2, or d^2 / 2 with `half`, for d = log((1 + p) / (1 + y)), which does not cancel.

    p and y are clipped below `lower`, and the derivatives are those of the clipped function.
    """
    flat = prediction < (-1 if lower is None else lower)
    p, y = (x if lower is None else np.maximum(x, lower) for x in (prediction, target))
    with np.errstate(divide="ignore"):
        ratio = np.log1p(abs(p - y) / (1 + np.minimum(p, y)))
        ratio = np.where(p < y, -ratio, ratio)
        factor = 0.5 if half else 1.0
        yield factor * ratio**2
        yield np.where(flat, 0, 2 * factor * ratio / (1 + p))
        yield np.where(flat, 0, 2 * factor * (1 - ratio) / (1 + p) ** 2)


def epsilon_insensitive(
    prediction: Array, target: Array, *, epsilon: float = 0.1, hessian: str = "exact"
) -> Iterator[Array]:
    """max(0, |r| - epsilon), with sub-gradient 0 at the edge (Vapnik 1995)."""
    residual = prediction - target
    inside = abs(residual) <= epsilon
    yield np.where(inside, 0, abs(residual) - epsilon)
    yield np.where(inside, 0, np.sign(residual))
    yield constant(residual, hessian == "unit")


def squared_epsilon_insensitive(
    prediction: Array, target: Array, *, epsilon: float = 0.1, half: bool = False
) -> Iterator[Array]:
    """max(0, |r| - epsilon)^2, or half of it."""
    residual = prediction - target
    inside = abs(residual) <= epsilon
    excess = np.where(inside, 0, abs(residual) - epsilon)
    factor = 0.5 if half else 1.0
    yield factor * excess**2
    yield np.copysign(2 * factor * excess, residual)
    yield np.where(inside, 0, constant(residual, 2 * factor))


# Four losses of u = (r / c)^2 whose pull fades. They are written in m = min(r / c, c / r), because
# r^2 overflows: for r > c, 1 / (1 + u) is m^2 / (1 + m^2).


def cauchy(
    prediction: Array, target: Array, *, c: float = 1.0, hessian: str = "exact"
) -> Iterator[Array]:
    """c^2 / 2 log(1 + u) (Black and Anandan 1996)."""
    residual = prediction - target
    size = abs(residual)
    near, large = size < c, np.maximum(size, c)
    m = np.minimum(size, c) / large
    yield c**2 * (np.log(large / c) + np.log1p(m**2) / 2)
    yield np.copysign(c * m / (1 + m**2), residual)
    weight = np.where(near, 1, m**2) / (1 + m**2)
    bend = np.where(near, 1 - m**2, m**2 - 1) / (1 + m**2)
    yield weight if hessian == "majorizer" else weight * bend


def geman_mc_clure(
    prediction: Array, target: Array, *, c: float = 1.0, hessian: str = "exact"
) -> Iterator[Array]:
    """r^2 / 2 / (1 + u) (Geman and McClure 1985)."""
    residual = prediction - target
    size = abs(residual)
    near = size < c
    m = np.minimum(size, c) / np.maximum(size, c)
    yield c**2 / 2 * np.where(near, m**2, 1) / (1 + m**2)
    root = np.where(near, 1, m**2) / (1 + m**2)
    yield np.copysign(c * m * root / (1 + m**2), residual)
    bend = np.where(near, 1 - 3 * m**2, m**2 - 3) / (1 + m**2)
    yield root**2 if hessian == "majorizer" else root**2 * bend


def welsch(
    prediction: Array, target: Array, *, c: float = 1.0, hessian: str = "exact"
) -> Iterator[Array]:
    """c^2 / 2 (1 - exp(-u)) (Dennis and Welsch 1978)."""
    residual = prediction - target
    with np.errstate(over="ignore"):
        u = (residual / c) ** 2
    yield -(c**2) / 2 * np.expm1(-u)
    weight = np.exp(-u)
    yield multiply(weight, residual)
    yield weight if hessian == "majorizer" else multiply(weight, 1 - 2 * u)


def tukey(
    prediction: Array, target: Array, *, c: float = 4.685, hessian: str = "exact"
) -> Iterator[Array]:
    """c^2 / 6 (1 - (1 - u)^3) for u < 1, flat from there on (Beaton and Tukey 1974)."""
    residual = prediction - target
    u = np.minimum(abs(residual) / c, 1) ** 2
    rest = 1 - u
    yield c**2 / 6 * u * (3 - 3 * u + u**2)
    yield multiply(rest**2, residual)
    yield rest**2 if hessian == "majorizer" else rest * (1 - 5 * u)


def lq(
    prediction: Array, target: Array, *, q: float = 1.5, hessian: str = "exact"
) -> Iterator[Array]:
    """|r|^q; the Hessian is infinite at r = 0 for 1 < q < 2, and 0 for q = 1."""
    if q == 1:
        yield from absolute_error(prediction, target, hessian=hessian)
        return
    residual = prediction - target
    size = abs(residual)
    yield size**q
    yield q * size ** (q - 1) * np.sign(residual)
    with np.errstate(divide="ignore"):
        bend = q * (q - 1) * size ** (q - 2)
    yield np.where(np.isnan(residual), residual, 1) if hessian == "unit" else bend


def barron(
    prediction: Array,
    target: Array,
    *,
    alpha: float = 1.0,
    scale: float = 1.0,
    hessian: str = "exact",
) -> Iterator[Array]:
    """(b / alpha) ((1 + s)^(alpha / 2) - 1), s = (r / c)^2 / b, b = |alpha - 2| (Barron 2019).

    With x^2 = s, log(1 + s) = 2 log x + log(1 + 1 / s) for x > 1, where s itself may overflow.
    """
    residual = prediction - target
    if alpha == 2:
        yield from (part / (2 * scale**2) for part in squared_error(prediction, target))
        return
    if alpha == -np.inf:
        with np.errstate(over="ignore"):
            u = (residual / scale) ** 2 / 2
        yield -np.expm1(-u)
        weight = np.exp(-u) / scale**2
        yield multiply(weight, residual)
        yield weight if hessian == "majorizer" else multiply(weight, 1 - 2 * u)
        return
    gap = abs(np.asarray(alpha, residual.dtype) - 2)
    size = abs(residual)
    x = size / (scale * np.sqrt(gap))
    near, large = x <= 1, np.maximum(x, 1)
    m = (np.minimum(x, 1) / large) ** 2
    log, rest = np.log(large), np.log1p(m)
    both = 2 * log + rest
    yield gap / 2 * both if alpha == 0 else gap / alpha * np.expm1(alpha / 2 * both)
    with np.errstate(over="ignore"):
        force, weight = (
            np.exp(multiply(constant(residual, power), log) + (alpha / 2 - 1) * rest)
            for power in (alpha - 1, alpha - 2)
        )
    yield np.copysign(force * np.where(near, size / scale**2, np.sqrt(gap) / scale), residual)
    weight = weight / scale**2
    bend = np.where(near, 1 + (alpha - 1) * m, m + (alpha - 1)) / (1 + m)
    yield weight if hessian == "majorizer" else weight * bend


def wing(
    prediction: Array, target: Array, *, width: float = 5.0, curvature: float = 0.5
) -> Iterator[Array]:
    """width log(1 + |r| / curvature) where |r| < width, |r| and a constant beyond (Feng 2018)."""
    residual = prediction - target
    size = abs(residual)
    inner = np.minimum(size, width)
    yield width * np.log1p(inner / curvature) + (size - inner)
    far = size >= width
    base = curvature + inner
    yield np.sign(residual) * np.where(far, 1, width / base)
    yield np.where(far, 0, -width / base**2)


def log_linear_quantile(
    prediction: Array, target: Array, *, quantile: float = 0.5
) -> Iterator[Array]:
    """Pinball of exp(z), with sub-gradient 0 where that is y."""
    with np.errstate(over="ignore"):
        rate = np.exp(prediction)
    loss = pinball(rate, target, quantile=quantile)
    yield next(loss)
    gradient = multiply(next(loss), rate)
    yield gradient
    yield gradient
