"""What a truth is made of."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from mpmath import mp  # type: ignore[import-untyped]

mp.dps = 50

Number = Any  # mpf, which has no types


class Sum(NamedTuple):
    """A result, the size that its error is measured against, and room for underflow.

    `floor` counts smallest subnormals: where an intermediate exp(-|z|) is subnormal it has an error
    of one, and the formula multiplies that.
    """

    exact: Number
    scale: Number
    floor: Number = 0


class Truth(NamedTuple):
    """A value, and a gradient and a Hessian that are lists for a loss of rows."""

    value: Sum
    gradient: list[Sum]
    hessian: list[Sum]


def sum_of(*terms: Number, condition: Number = 0, floor: Number = 0) -> Sum:
    """A sum whose terms can each be known to 1 + condition ulp."""
    exact = terms[0] if len(terms) == 1 else mp.fsum(terms)
    return Sum(exact, (1 + condition) * sum(map(abs, terms), mp.zero), floor)


def sums_of_others(numbers: Sequence[Number]) -> list[Number]:
    """Of each number: the sum of all the others."""
    before = list(accumulate(numbers, initial=mp.zero))
    after = list(accumulate(reversed(numbers), initial=mp.zero))[::-1]
    return [x + y for x, y in zip(before[:-1], after[1:], strict=True)]


def softplus(x: Number) -> Number:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def sigmoid(x: Number) -> Number:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def sign(x: Number) -> int:
    return int(x > 0) - int(x < 0)
