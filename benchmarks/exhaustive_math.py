"""The largest error of the vector maths, in ulp: every float32 there is, a directed search in float64.

    python benchmarks/exhaustive_math.py                                  # everything: hours
    python benchmarks/exhaustive_math.py --dtype float32 --step 1009      # a sample: a minute
    python benchmarks/exhaustive_math.py --function exp log --level v3

Float32 is judged by NumPy in float64, whose own error is some 2^-28 of a float32 ulp. Float64 is judged
by NumPy in the 80-bit long double where the machine has one (good to 0.01 ulp), which finds the worst
inputs among millions; mpmath then judges those. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np

from fastloss import kernels

Array = np.ndarray[Any, np.dtype[Any]]


def _sigmoid(x: Array) -> Array:
    exponential = np.exp(-abs(x))
    return np.where(x < 0, exponential, 1) / (1 + exponential)


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


# name: (truth in whatever precision the array has, truth at any precision, domain)
EVERYWHERE = (-np.inf, np.inf)
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Any], Any], tuple[float, float]]] = {
    "exp": (np.exp, mpmath.exp, EVERYWHERE),
    "exp_nonpositive": (np.exp, mpmath.exp, (-np.inf, 0)),
    "expm1": (np.expm1, mpmath.expm1, EVERYWHERE),
    "log": (np.log, mpmath.log, EVERYWHERE),
    "log1p": (np.log1p, mpmath.log1p, EVERYWHERE),
    "log1p_unit": (np.log1p, mpmath.log1p, (0, 1)),
    "tanh": (np.tanh, mpmath.tanh, EVERYWHERE),
    "sigmoid": (_sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), EVERYWHERE),
    "softplus": (_softplus, lambda x: mpmath.log1p(mpmath.exp(x)), EVERYWHERE),
    "log_sigmoid": (
        lambda x: -_softplus(-x),
        lambda x: -mpmath.log1p(mpmath.exp(-x)),
        EVERYWHERE,
    ),
}

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
    """The inputs that `name` takes; NaN is one everywhere."""
    low, high = FUNCTIONS[name][2]
    return x[~((x < low) | (x > high))]


def every_float32(step: int, block: int = 1 << 20) -> Iterator[Array]:
    """All 2^32 of them, or each `step`-th, in blocks that fit a cache."""
    for start in range(0, 1 << 32, block * step):
        bits = np.arange(start, min(start + block * step, 1 << 32), step, dtype=np.uint32)
        yield bits.view(np.float32)


def directed_inputs(name: str, dtype: Any, size: int, rng: np.random.Generator) -> Array:
    """Special values and their neighbours, the seams of the range reductions, and all exponents."""
    info = np.finfo(dtype)
    unsigned = np.dtype(f"u{info.bits // 8}")
    special = np.array(
        [0, info.smallest_subnormal, info.tiny, info.eps, 0.5, 1, 2, info.max, np.inf]
    )
    thresholds = np.log(
        np.array([info.max, info.tiny, info.smallest_subnormal, info.eps], dtype=np.longdouble)
    )
    points = np.concatenate([special, -special, thresholds, -thresholds, [np.nan]]).astype(dtype)
    with np.errstate(all="ignore"):
        near = [np.nextafter(points, dtype(side), dtype=dtype) for side in (-np.inf, np.inf)]
    part = size // 8
    uniform = rng.uniform(-1, 1, (4, part))
    spread = 2.0 ** rng.uniform(-info.nmant, 0, (3, part)) * rng.choice([-1, 1], (3, part))
    octave = 2.0 ** rng.integers(-8, 9, part)
    seam = rng.choice([0.75, 1.0, 1.5], part) * octave
    x = np.concatenate(
        [
            *(points, *near),
            rng.integers(0, 1 << info.bits, 2 * part, dtype=unsigned, endpoint=False).view(dtype),
            uniform[0],
            4 * uniform[1],
            1.1 * float(thresholds[0]) * uniform[2],
            1.1 * float(thresholds[2]) * uniform[3],
            (rng.integers(-1200, 1200, part) + 0.5 + spread[0] / 16) * (np.log(2) / 2),
            np.where(rng.random(part) < 0.5, seam, seam - 1) * (1 + spread[1] / 16),
        ]
    ).astype(dtype)
    low, high = FUNCTIONS[name][2]
    outside = (x < low) | (x > high)
    with np.errstate(all="ignore"):
        return np.where(
            outside, np.clip(np.where(np.isfinite(x), np.fmod(-x, 1), low), low, high), x
        ).astype(dtype)


def search_float64(name: str, level: str, size: int, rounds: int) -> tuple[float, float, int]:
    """Worst error found, its input, and the number of inputs: sample, then crowd around the worst."""
    rng = np.random.default_rng(0)
    x = directed_inputs(name, np.float64, size, rng)
    worst, count = np.empty(0), 0
    for _ in range(rounds):
        candidates = in_domain(name, np.concatenate([x, worst]))
        result = kernels.vector_math(name, candidates, level=level)
        order = np.argsort(ulp_errors(result, true_values(name, candidates)))
        count += len(x)
        worst = candidates[order[-1000:]]
        spread = 2.0 ** rng.uniform(-50, -4, size // len(worst))
        x = np.outer(worst, 1 + spread * rng.choice([-1, 1], len(spread))).ravel()
    result = kernels.vector_math(name, worst, level=level)
    errors = [
        mpmath_ulp_error(name, float(a), float(b)) if np.isfinite(a) and np.isfinite(b) else 0.0
        for a, b in zip(worst, result, strict=True)
    ]
    rough = ulp_errors(result, true_values(name, worst))
    errors = np.where(np.isfinite(rough), errors, rough).tolist()
    return max(errors), float(worst[int(np.argmax(errors))]), count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--function", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    parser.add_argument("--level", nargs="+", choices=kernels.levels(), default=kernels.levels())
    parser.add_argument(
        "--dtype", nargs="+", choices=("float32", "float64"), default=("float32", "float64")
    )
    parser.add_argument(
        "--step", type=int, default=1, help="take each STEP-th float32 (default: all)"
    )
    parser.add_argument("--size", type=int, default=1_000_000, help="float64 inputs in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the float64 search")
    options = parser.parse_args()
    print("| function | dtype | level | inputs | max ulp | worst input |")
    print("|---|---|---|---:|---:|---|")

    def row(name: str, dtype: str, level: str, worst: tuple[float, float, int]) -> None:
        error, x, count = worst
        print(f"| {name} | {dtype} | {level} | {count:,} | {error:.4f} | {x.hex()} |", flush=True)

    for name in options.function:
        if "float32" in options.dtype:
            found = {level: (0.0, 0.0, 0) for level in options.level}
            for block in every_float32(options.step):
                x = in_domain(name, block)
                if not len(x):
                    continue
                truth = true_values(name, x)
                for level, (error, at, count) in found.items():
                    errors = ulp_errors(kernels.vector_math(name, x, level=level), truth)
                    position = int(np.argmax(errors))
                    if errors[position] > error:
                        error, at = float(errors[position]), float(x[position])
                    found[level] = (error, at, count + len(x))
            for level, worst in found.items():
                row(name, "float32", level, worst)
        if "float64" in options.dtype:
            for level in options.level:
                row(
                    name,
                    "float64",
                    level,
                    search_float64(name, level, options.size, options.rounds),
                )


if __name__ == "__main__":
    main()
