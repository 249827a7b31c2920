"""What all tests share: instruction-set levels, and frameworks that may be missing."""

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from fastloss import kernels

_missing: set[str] = set()


def framework(name: str) -> Any:
    """Import a framework that an adapter is for, or skip the tests that need it.

    With FASTLOSS_REQUIRE_FRAMEWORKS=1 a missing one is an error.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("FASTLOSS_REQUIRE_FRAMEWORKS") == "1":
            raise
    _missing.add(name)
    pytest.skip(f"framework missing: {name}", allow_module_level=True)


def table_of_missing(whose: str, reasons: dict[str, str]) -> str:
    """The table of a page that says which of a library's losses an adapter lacks, and why."""
    rows = [f"| {names} | {why} |" for names, why in reasons.items()]
    return "\n".join([f"| not from {whose} | why |", "|---|---|", *rows]) + "\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes a minute in one test, lest it is waited for in the end."""
    items.sort(key=lambda item: item.path.name != "test_keras.py")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the frameworks whose adapters were not tested."""
    if _missing:
        terminalreporter.write_line(f"frameworks missing: {', '.join(sorted(_missing))}")


# Numbers are judged at every level that the machine has, and the rest at the one in use: around the
# loops everything is the same, and test_levels compares their results.
EVERY_LEVEL = ("test_values", "test_cross_entropy", "test_distribution")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the levels of a test that has the fixture `level`."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "level" in metafunc.fixturenames and not any(mark.args[0] == "level" for mark in marks):
        every = metafunc.module.__name__ in EVERY_LEVEL
        levels = kernels.levels() if every else [kernels.active().name]
        metafunc.parametrize("level", levels, indirect=True)


@pytest.fixture
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Losses made while the fixture is alive use the level."""
    with kernels.use_level(request.param):
        yield request.param
