"""Losses, gradients and Hessians on the CPU: one pass, exact, reproducible, fast."""

from __future__ import annotations

from fastloss.configuration import set_cache_limit, show_config
from fastloss.losses import (
    binary,
    count,
    distribution,
    divergence,
    linear,
    margin,
    multiclass,
    regression,
)
from fastloss.losses.base import Loss, Partial
from fastloss.losses.binary import *
from fastloss.losses.count import *
from fastloss.losses.custom import custom
from fastloss.losses.distribution import *
from fastloss.losses.divergence import *
from fastloss.losses.linear import *
from fastloss.losses.margin import *
from fastloss.losses.multiclass import *
from fastloss.losses.names import get, losses
from fastloss.losses.regression import *
from fastloss.tuning import Sweep, sweep

__version__ = "0.1.0"

# Type checkers follow a family's list, and no computed one.
__all__ = [
    "Loss", "Partial", "Sweep", "custom", "get", "losses", "set_cache_limit", "show_config",
    "sweep",
]  # fmt: skip
__all__ += regression.__all__
__all__ += count.__all__
__all__ += binary.__all__
__all__ += multiclass.__all__
__all__ += margin.__all__
__all__ += divergence.__all__
__all__ += distribution.__all__
__all__ += linear.__all__
