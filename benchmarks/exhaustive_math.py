"""The largest error of the vector maths in ulp: every float32, a directed search in float64.

    python benchmarks/exhaustive_math.py                                  # everything: hours
    python benchmarks/exhaustive_math.py --dtype float32 --step 1009      # a sample: a minute
    python benchmarks/exhaustive_math.py --function exp log --level v3

Float32 is judged by NumPy in float64, whose own error is some 2^-28 of a float32 ulp. Float64 is
judged by NumPy in the 80-bit long double where the machine has one (good to 0.01 ulp), which finds
the worst among millions of inputs; mpmath then judges those. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np

from fastloss import kernels

Array = np.ndarray[Any, np.dtype[Any]]


def _sigmoid(x: Array) -> Array:
    exponential: Array = np.exp(-abs(x))
    sigmoid: Array = np.where(x < 0, exponential, 1) / (1 + exponential)
    return sigmoid


def _softplus(x: Array) -> Array:
    softplus: Array = np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
    return softplus


def _log1p_deficit(x: Array) -> Array:
    """x - log(1 + x), by its series where the difference would cancel."""
    series = np.zeros_like(x)
    for k in range(14, 1, -1):
        series = x * ((-1) ** k / x.dtype.type(k) + series)
    return np.where(x < 2.0**-5, x * series, x - np.log1p(x))


def _log1mexp(x: Array) -> Array:
    """log(1 - e^x), by the smaller one of e^x and 1 - e^x."""
    result: Array = np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))
    return result


# The zeros of lgamma and of digamma, about which a recurrence would cancel.
ZEROS: dict[int, tuple[float, ...]] = {-1: (1.0, 2.0), 0: (1.4616321449683622,), 1: ()}


def _polygamma(order: int, x: Any) -> Any:
    """lgamma (order -1), digamma (0) or trigamma (1) of an mpmath number."""
    return mpmath.loggamma(x) if order < 0 else mpmath.psi(order, x)


@cache
def _taylor(order: int, point: float, dtype: type[np.floating[Any]]) -> list[Any]:
    with mpmath.workdps(40):
        terms = [_polygamma(order + k, point) / mpmath.factorial(k) for k in range(80)]
        return [dtype(mpmath.nstr(term, 30)) for term in terms]


def _gamma_family(order: int, x: Array) -> Array:
    """By Stirling's series beyond 10, from below by recurrence, about a zero by Taylor's series."""
    up, sum_ = x.copy(), np.zeros_like(x)
    for _ in range(10):
        step = np.log(up) if order < 0 else up ** (-1 - order)
        low = up < 10
        sum_ = np.where(low, sum_ + step, sum_)
        up = np.where(low, up + 1, up)
    two = x.dtype.type(2)
    if order < 0:
        pi = x.dtype.type(mpmath.nstr(mpmath.mp.clone().pi, 30))
        series = (up - 1 / two) * (np.log(up) - 1) - 1 / two + np.log(2 * pi) / 2
    else:
        series = np.log(up) - 1 / (2 * up) if order == 0 else 1 / up + 1 / (2 * up * up)
    for k in range(1, 15):
        even = 2 * k
        top, bottom = mpmath.bernfrac(even)
        bernoulli = x.dtype.type(int(top)) / x.dtype.type(int(bottom))
        factor = {-1: 1 / x.dtype.type(even * (even - 1)), 0: -1 / x.dtype.type(even), 1: 1}[order]
        series = series + bernoulli * factor * up ** -(even + order)
    result: Array = series + sum_ if order == 1 else series - sum_
    result = np.where(np.isinf(x), np.inf if order < 1 else 0, result)
    for zero in ZEROS[order]:
        near = x - x.dtype.type(zero)
        taylor = np.zeros_like(x)
        for term in reversed(_taylor(order, zero, x.dtype.type)):
            taylor = taylor * near + term
        result = np.where(abs(near) <= 0.5, taylor, result)
    return result


EVERYWHERE = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)

# name: (truth in the precision of the array, truth in that of mpmath, domain)
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Any], Any], tuple[float, float]]] = {
    "exp": (np.exp, mpmath.exp, EVERYWHERE),
    "exp_nonpositive": (np.exp, mpmath.exp, (-np.inf, 0)),
    "expm1": (np.expm1, mpmath.expm1, EVERYWHERE),
    "expm1_nonpositive": (np.expm1, mpmath.expm1, (-np.inf, 0)),
    "log": (np.log, mpmath.log, EVERYWHERE),
    "log_nonnegative": (np.log, mpmath.log, POSITIVE),
    "log_unit": (np.log, mpmath.log, (0, 1)),
    "log1mexp": (_log1mexp, lambda x: mpmath.log(-mpmath.expm1(x)), (-80, -(2.0**-120))),
    "log1p": (np.log1p, mpmath.log1p, EVERYWHERE),
    "log1p_nonnegative": (np.log1p, mpmath.log1p, POSITIVE),
    "log1p_nonpositive": (np.log1p, mpmath.log1p, (-1, 0)),
    "log1p_unit": (np.log1p, mpmath.log1p, (0, 1)),
    "log1p_unit_deficit": (
        _log1p_deficit,
        lambda x: mpmath.hyp2f1(1, 2, 3, -x) * x * x / 2,
        (0, 1),
    ),
    "tanh": (np.tanh, mpmath.tanh, EVERYWHERE),
    "log_cosh_unit": (
        lambda x: np.log1p(2 * np.sinh(x / 2) ** 2),
        lambda x: mpmath.log1p(2 * mpmath.sinh(x / 2) ** 2),
        (0, 1),
    ),
    "sigmoid": (_sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), EVERYWHERE),
    "softplus": (_softplus, lambda x: mpmath.log1p(mpmath.exp(x)), EVERYWHERE),
    "log_sigmoid": (
        lambda x: -_softplus(-x),
        lambda x: -mpmath.log1p(mpmath.exp(-x)),
        EVERYWHERE,
    ),
    "lgamma": (partial(_gamma_family, -1), partial(_polygamma, -1), POSITIVE),
    "digamma": (partial(_gamma_family, 0), partial(_polygamma, 0), POSITIVE),
    "trigamma": (partial(_gamma_family, 1), partial(_polygamma, 1), POSITIVE),
}


# Points of the domain that a function does not take, or whose sign it does not keep.
EXCLUDED: dict[str, tuple[float, ...]] = {
    "expm1_nonpositive": (0,),
    "log_unit": (0,),
    "log1p_nonpositive": (-1, 0),
}
WITHIN_ONE = {
    "exp", "exp_nonpositive", "expm1", "log", "log1p", "log1p_nonnegative", "log1p_unit", "tanh",
    "sigmoid", "softplus", "log_sigmoid",
}  # fmt: skip


def bound(name: str, level: str) -> int:
    """What is promised, in ulp."""
    if name in WITHIN_ONE:
        return 1
    if name == "log1mexp":
        return 3
    return 3 if level in ("v2", "generic") else 2  # without and with fused multiply-add


WIDER: dict[np.dtype[Any], type[np.floating[Any]]] = {np.dtype(np.float32): np.float64}
if np.finfo(np.longdouble).nmant >= np.finfo(np.float64).nmant + 10:
    WIDER[np.dtype(np.float64)] = np.longdouble


def true_values(name: str, x: Array) -> Array:
    """What `name` should give at `x`, in the wider type of `WIDER`."""
    with np.errstate(all="ignore"):
        return FUNCTIONS[name][0](x.astype(WIDER[x.dtype]))


def ulp_errors(result: Array, truth: Array) -> Array:
    """|result - truth| in units of the last place that `result`'s dtype has at `truth`.

    The next power of two stands for an overflow to infinity. A wrong NaN, a wrong sign (of a zero
    too) and a wrong infinity are infinitely wrong.
    """
    info = np.finfo(result.dtype)
    limit = np.ldexp(truth.dtype.type(1), info.maxexp)
    with np.errstate(all="ignore"):
        exponent = np.clip(np.frexp(truth)[1], info.minexp + 1, info.maxexp) - 1
        distance = np.clip(result.astype(truth.dtype), -limit, limit) - np.clip(
            truth, -limit, limit
        )
        errors = np.ldexp(abs(distance), info.nmant - exponent)
    wrong = (np.signbit(result) != np.signbit(truth)) | (np.isinf(truth) & (result != truth))
    errors = np.where(wrong, np.inf, errors)
    missing = np.isnan(result).astype(int) + np.isnan(truth)
    return np.select([missing == 2, missing == 1], [0.0, np.inf], errors)


def mpmath_ulp_error(name: str, x: float, result: float) -> float:
    """`ulp_errors` of a finite float64 result, against mpmath."""
    info = np.finfo(np.float64)
    with mpmath.workprec(200):
        truth = FUNCTIONS[name][1](mpmath.mpf(x))
        exponent = max(int(mpmath.frexp(truth)[1]), int(info.minexp) + 1) - 1
        return float(mpmath.ldexp(abs(mpmath.mpf(result) - truth), info.nmant - exponent))


def in_domain(name: str, x: Array) -> Array:
    """The inputs that `name` takes: NaN everywhere, but not -0 where the domain begins at 0."""
    low, high = FUNCTIONS[name][2]
    outside: Array = (x < low) | (x > high) | ((low == 0) & (x == 0) & np.signbit(x))
    return x[~(outside | np.isin(x, EXCLUDED.get(name, ())))]


def every_float32(step: int, block: int = 1 << 20) -> Iterator[Array]:
    """All 2^32 of them, or each `step`-th, in blocks that fit a cache."""
    for start in range(0, 1 << 32, block * step):
        bits = np.arange(start, min(start + block * step, 1 << 32), step, dtype=np.uint32)
        yield bits.view(np.float32)


def directed_inputs(name: str, dtype: type[np.floating[Any]], size: int, seed: int = 0) -> Array:
    """About `size` inputs: special values and their neighbours, the seams of the range reductions
    at k/2 ln2 and at 2^k 3/4, uniform ranges, all exponents."""
    rng = np.random.default_rng(seed)
    info = np.finfo(dtype)
    low, high = FUNCTIONS[name][2]
    least = info.smallest_subnormal
    edges = np.log(np.array([info.max, info.tiny, least, info.eps], np.longdouble))
    special = [0, least, info.tiny, info.eps, 0.5, 1, 2, info.max, np.inf, np.nan]
    points = np.concatenate([special, edges]).astype(dtype)
    points = np.concatenate([points, -points])
    with np.errstate(all="ignore"):
        near = [np.nextafter(points, dtype(side)) for side in (-np.inf, np.inf)]

    part = size // 8
    reach = 1.1 * float(abs(edges).max())
    bits = rng.integers(0, 1 << info.bits, 2 * part, np.dtype(f"u{info.bits // 8}"))
    nearness = 2.0 ** rng.uniform(-info.nmant, -3, (2, part)) * rng.choice([-1, 1], (2, part))
    seam = rng.choice([0.75, 1.0, 1.5], part) * 2.0 ** rng.integers(-8, 9, part)
    parts = (
        *(points, *near, bits.view(dtype)),
        *(rng.uniform(-reach, reach, 2 * part), rng.uniform(-4, 4, part), rng.random(part)),
        np.log(2) / 2 * rng.integers(-2400, 2400, part) * (1 + nearness[0]),
        np.where(rng.random(part) < 0.5, seam, seam - 1) * (1 + nearness[1]),
    )
    x = np.concatenate([p.astype(dtype) for p in parts])
    if low == 0:  # the reciprocal brings the greater half of the numbers into [0, 1]
        with np.errstate(all="ignore"):
            x = np.where(abs(x) > high, 1 / abs(x), abs(x))
    elif high == 0:
        x = -abs(x)
    return in_domain(name, x)


Worst = tuple[float, float, int]  # error, input, inputs tried


def search_float32(name: str, levels: Sequence[str], step: int) -> dict[str, Worst]:
    """The worst of every `step`-th float32, at each level."""
    found = dict.fromkeys(levels, (0.0, 0.0, 0))
    for block in every_float32(step):
        x = in_domain(name, block)
        if not len(x):
            continue
        truth = true_values(name, x)
        for level, worst in found.items():
            errors = ulp_errors(kernels.vector_math(name, x, level=level), truth)
            position = int(np.argmax(errors))
            here = (float(errors[position]), float(x[position]))
            found[level] = (*max(worst[:2], here), worst[2] + len(x))
    return found


def search_float64(name: str, level: str, size: int, rounds: int) -> Worst:
    """The worst that sampling finds which crowds, round after round, about the worst so far."""
    rng = np.random.default_rng(0)
    x, worst, count = directed_inputs(name, np.float64, size), np.empty(0), 0
    for _ in range(rounds):
        count += len(x)
        x = in_domain(name, np.concatenate([x, worst]))
        errors = ulp_errors(kernels.vector_math(name, x, level=level), true_values(name, x))
        worst = x[np.argsort(errors)[-1000:]]
        nearness = 2.0 ** rng.uniform(-50, -4, size // len(worst))
        x = np.outer(worst, 1 + nearness * rng.choice([-1, 1], len(nearness))).ravel()
    result = kernels.vector_math(name, worst, level=level)
    rough = ulp_errors(result, true_values(name, worst))
    sure = [
        mpmath_ulp_error(name, float(a), float(b)) if np.isfinite([a, b, c]).all() else float(c)
        for a, b, c in zip(worst, result, rough, strict=True)
    ]
    return max(sure), float(worst[int(np.argmax(sure))]), count


def main() -> None:
    description, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    dtypes = ("float32", "float64")
    add = parser.add_argument
    add("--function", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    add("--level", nargs="+", choices=kernels.levels(), default=kernels.levels())
    add("--dtype", nargs="+", choices=dtypes, default=dtypes)
    add("--step", type=int, default=1, help="take each STEP-th float32 (default: all)")
    add("--size", type=int, default=1_000_000, help="float64 inputs in a round")
    add("--rounds", type=int, default=5, help="rounds of the float64 search")
    options = parser.parse_args()

    print("| function | dtype | level | inputs | max ulp | worst input |")
    print("|---|---|---|---:|---:|---|")
    for name in options.function:
        for dtype in options.dtype:
            if dtype == "float32":
                found = search_float32(name, options.level, options.step)
            else:
                size, rounds = options.size, options.rounds
                found = {v: search_float64(name, v, size, rounds) for v in options.level}
            for level, (error, x, count) in found.items():
                row = (name, dtype, level, f"{count:,}", f"{error:.4f}", x.hex())
                print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
