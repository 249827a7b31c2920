"""Value, gradient and Hessian diagonal of every loss in closed form, to fifty digits.

A truth returns three lists of `Sum`s: what the result is and what its error is measured against.
The measure is the sum of the terms' sizes, so a result that is one term has to be right to a few
ulp of itself, and only a sum whose terms cancel by nature (a soft label near its prediction) is
allowed an error relative to its terms. Where a formula needs more room the function says why.

An elementwise truth takes numbers, one of rows the list of a row's logits or probabilities and
its target: a label, or a list of probabilities.
"""

from collections.abc import Callable
from importlib import import_module

import fastloss as fl
from fastloss.losses.base import snake_case
from mpmath_truth.terms import Sum, Truth, sum_of

__all__ = ["Sum", "Truth", "sum_of", "truth_of"]


def truth_of(cls: type[fl.Loss]) -> Callable[..., Truth]:
    """The function that is named as the loss, in the file of the loss's family."""
    found = getattr(import_module(f"mpmath_truth.{cls.family}"), snake_case(cls.__name__), None)
    assert found is not None, f"tests/mpmath_truth/{cls.family}.py has no truth of {cls.__name__}"
    truth: Callable[..., Truth] = found
    return truth
