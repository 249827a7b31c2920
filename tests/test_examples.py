"""Every example of a docstring and every Python block of the README prints what it says."""

import doctest
import importlib
import re
import tomllib
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from conftest import framework
from fastloss.extras import MissingExtraError, require

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# An adapter has the name of its extra.
ADAPTERS = [name for name in EXTRAS if (ROOT / "fastloss" / f"{name}.py").exists()]
PUBLIC: dict[str, Any] = {
    name: getattr(fl, name)
    for name in fl.__all__
    if not isinstance(getattr(fl, name), types.ModuleType)
}
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
NAMES = {"fl": fl, "fastloss": fl, "np": np}


def examples(thing: Any, name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(recurse=True).find(thing, name, globs=dict(NAMES))
    return [test for test in found if test.examples]


def run(test: doctest.DocTest, *, clear_globs: bool = True) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    outcome = runner.run(test, out=report.append, clear_globs=clear_globs)
    assert outcome.attempted
    assert not outcome.failed, "".join(report)


def run_page(name: str) -> None:
    """Run a page's Python blocks, one reader's session from top to bottom."""
    page = (ROOT / name).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert blocks
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        test = doctest.DocTestParser().get_doctest(block, names, f"{name}, {number}", None, 0)
        if test.examples:
            run(test, clear_globs=False)
            names.update(test.globs)
        else:
            exec(compile(block, test.name, "exec"), names)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "custom":
        for package in ("sympy", "llvmlite"):
            pytest.importorskip(package)
    for test in examples(PUBLIC[name], name):
        run(test)


@pytest.mark.parametrize("cls", fl.losses(), ids=lambda cls: cls.__name__)
def test_every_loss_has_an_example(cls: Any) -> None:
    assert examples(cls, cls.__name__)


@pytest.mark.parametrize("name", ADAPTERS)
def test_adapters(name: str) -> None:
    framework(name)
    module = importlib.import_module(f"fastloss.{name}")
    found = examples(module, f"fastloss.{name}")
    assert f"fastloss.{name}" in [test.name for test in found]
    for test in found:
        run(test)


def test_a_package_that_lacks_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the package must not be told to install it."""
    (tmp_path / "needy.py").write_text("import absent")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        MissingExtraError, match=r"needs needy, .* itself: No module named 'absent'"
    ):
        require("needy", "some")
    with pytest.raises(MissingExtraError, match=r"needs absent: pip install 'fastloss\[some\]'"):
        require("absent.part", "some")


def test_the_package_has_docs() -> None:
    assert fl.__doc__
    for test in examples(fl, "fastloss"):
        run(test)
    for thing in PUBLIC.values():
        assert not callable(thing) or thing.__doc__


def test_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page("README.md")
