"""The compiled half of fastloss: formulas, vector maths, and the driver that runs them.

One source of tile functions is compiled for several instruction-set levels; the best that this
machine can run is chosen here when fastloss is imported. ``FASTLOSS_ISA`` forces one.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import numpy as np

try:
    from fastloss.kernels import cpu, driver
except ImportError as error:
    raise ImportError(
        f"the compiled modules of {os.path.dirname(__file__)} cannot be imported: {error}. "
        "In a source tree that was not built in place, run pip install -e . or start Python "
        "elsewhere"
    ) from error

# Every level that there is, best first, with what the processor must report.
_REQUIRED = {"v4": 4, "v3": 3, "v2": 2, "neon": 1, "generic": 1}


def built() -> tuple[str, ...]:
    """Return the levels that this installation has, lowest first."""
    found = [n for n in _REQUIRED if importlib.util.find_spec(f"fastloss.kernels.level_{n}")]
    return tuple(reversed(found))


def levels() -> tuple[str, ...]:
    """Return the levels that this installation has and this machine can run, lowest first."""
    return tuple(name for name in built() if _REQUIRED[name] <= cpu.level())


_loaded: dict[str, driver.Level] = {}


def _load(name: str) -> driver.Level:
    # Never import what cannot run: the module's own initialisation may hold its instructions.
    if name not in _loaded:
        module = import_module(f"fastloss.kernels.level_{name}")
        _loaded[name] = driver.Level(name, module.FORMULAS, module.TOOLS, module.VOCABULARY)
    return _loaded[name]


def _choose() -> tuple[str, str]:
    available = levels()
    forced = os.environ.get("FASTLOSS_ISA", "").strip()
    if forced:
        if forced not in built():
            raise ImportError(
                f"FASTLOSS_ISA={forced!r} names no level of this installation, "
                f"which has {', '.join(built())}"
            )
        if forced not in available:
            raise ImportError(
                f"FASTLOSS_ISA={forced!r} cannot run here: processor and operating system "
                f"support {', '.join(available) or 'none of the levels'}"
            )
        return forced, "forced by FASTLOSS_ISA"
    if not available:
        raise ImportError(
            "fastloss needs a processor with SSE4.2 (x86-64-v2); this installation has the levels "
            f"{', '.join(built())}"
        )
    best = available[-1]
    if best == built()[-1]:
        return best, "the highest level built, and this machine runs it"
    return best, "the highest level that this machine runs"


driver.read_environment()
_name, reason = _choose()
_active = _load(_name)


def active() -> driver.Level:
    """Return the level that losses made now will use."""
    return _active


@contextmanager
def use_level(name: str) -> Iterator[None]:
    """Let losses made within use another level. For tests and benchmarks."""
    global _active
    if name not in levels():
        raise ValueError(f"level must be one of {', '.join(levels())}, got {name!r}")
    before, _active = _active, _load(name)
    try:
        yield
    finally:
        _active = before


@contextmanager
def force_threads(literal: bool = True) -> Iterator[None]:
    """Let ``n_threads`` within mean that many threads, however little the work. For tests."""
    before = driver.set_literal_threads(literal)
    try:
        yield
    finally:
        driver.set_literal_threads(before)


@contextmanager
def force_streaming() -> Iterator[None]:
    """Let outputs of any size go past the caches within. For tests."""
    before = driver.set_stream_from(0)
    try:
        yield
    finally:
        driver.set_stream_from(before)


def vocabulary() -> tuple[str, ...]:
    """Return the names of the vector-maths functions that formulas are written in."""
    return tuple(_active.vocabulary)


def vector_math(name: str, x: np.ndarray, level: str | None = None) -> np.ndarray:
    """Apply a vector-maths function to a float32 or float64 array, as a kernel would."""
    return (_active if level is None else _load(level)).word(name, x)
