"""Losses, gradients and Hessians on the CPU: one pass, exact, reproducible, fast."""

from __future__ import annotations

from fastloss.configuration import show_config
from fastloss.losses.base import Loss, Partial, losses
from fastloss.losses.binary import BinaryCrossEntropy, Focal, LogLoss
from fastloss.losses.count import Poisson
from fastloss.losses.multiclass import CrossEntropy
from fastloss.losses.names import get
from fastloss.losses.regression import AbsoluteError, Huber, LogCosh, Pinball, SquaredError

__version__ = "0.1.0"

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Focal",
    "Huber",
    "LogCosh",
    "LogLoss",
    "Loss",
    "Partial",
    "Pinball",
    "Poisson",
    "SquaredError",
    "get",
    "losses",
    "show_config",
]
