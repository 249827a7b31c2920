"""The classes of all losses, a file for each family, whose ``__all__`` names what is public."""

from __future__ import annotations

from fastloss.losses import binary, count, multiclass, regression
from fastloss.losses.binary import *
from fastloss.losses.count import *
from fastloss.losses.multiclass import *
from fastloss.losses.regression import *

__all__: list[str] = []
__all__ += regression.__all__
__all__ += count.__all__
__all__ += binary.__all__
__all__ += multiclass.__all__
