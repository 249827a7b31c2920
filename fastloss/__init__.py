"""Losses, gradients and Hessians on the CPU: one pass, exact, reproducible, fast."""

from __future__ import annotations

from fastloss.configuration import show_config
from fastloss.losses import *
from fastloss.losses import __all__ as _losses
from fastloss.losses.base import Loss, Partial
from fastloss.losses.names import get, losses

__version__ = "0.1.0"

__all__ = ["Loss", "Partial", "get", "losses", "show_config"]
__all__ += _losses
