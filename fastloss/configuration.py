"""What this installation is and what it chose on this machine."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np

from fastloss import kernels
from fastloss.kernels import cpu, driver
from fastloss.kernels.driver import set_cache_limit

__all__ = ["configuration", "set_cache_limit", "show_config"]


def configuration() -> dict[str, Any]:
    """Return the facts that :func:`show_config` prints."""
    import fastloss

    return {
        "fastloss": fastloss.__version__,
        "level": kernels.active().name,
        "level chosen because": kernels.reason,
        "levels built": ", ".join(kernels.built()),
        "levels that run here": ", ".join(kernels.levels()),
        "processor": cpu.name() or platform.processor() or platform.machine(),
        "compiler": cpu.COMPILER,
        "flags": cpu.FLAGS,
        "OpenMP": str(driver.openmp()) if driver.openmp() else "none",
        "threads": driver.max_threads(),
        "FASTLOSS_ISA": os.environ.get("FASTLOSS_ISA", "not set"),
        "FASTLOSS_NUM_THREADS": os.environ.get("FASTLOSS_NUM_THREADS", "not set"),
        "memory kept for results": f"at most {driver.cache_use()[1] >> 20} MiB",
        "FASTLOSS_CACHE_LIMIT": os.environ.get("FASTLOSS_CACHE_LIMIT", "not set"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
    }


def show_config() -> None:
    """Print version, instruction-set level and why it was chosen, compiler, threads and NumPy."""
    facts = configuration()
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:{width}}  {fact}")
