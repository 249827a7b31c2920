"""What all tests share: instruction-set levels, and frameworks that may be missing."""

import importlib
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest

from fastloss import kernels

missing: set[str] = set()


@pytest.fixture(params=kernels.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Losses made while the fixture is alive use the level."""
    with kernels.use_level(request.param):
        yield request.param


def framework(name: str, load: bool = True) -> Any:
    """Import a framework that fastloss adapts to; where it is missing, skip the test or module.

    With FASTLOSS_REQUIRE_FRAMEWORKS=1 in the environment a missing one is a failure. Without
    `load`, for a test whose framework runs in a process of its own, it is only looked for.
    """
    try:
        if load:
            return importlib.import_module(name)
        if importlib.util.find_spec(name) is None:
            raise ImportError("not found")
        return None
    except ImportError as error:
        if os.environ.get("FASTLOSS_REQUIRE_FRAMEWORKS") == "1":
            pytest.fail(f"framework missing: {name} ({error})", pytrace=False)
        missing.add(name)
        pytest.skip(f"framework missing: {name}", allow_module_level=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if missing:
        terminalreporter.write_line(
            f"frameworks missing, whose adapters were not tested: {', '.join(sorted(missing))}"
        )
