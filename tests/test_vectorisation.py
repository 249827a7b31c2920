"""The machine code: no loop over a formula or a word of vector maths stays scalar."""

import importlib
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from fastloss import kernels


@pytest.fixture
def vectorisation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    return importlib.import_module("vectorisation")


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump, of binutils")
@pytest.mark.parametrize("level", [name for name in kernels.built() if name in ("v3", "v4")])
def test_every_loop_is_vectorised(level: str, vectorisation: ModuleType) -> None:
    found = vectorisation.loops(level)
    if not found:
        pytest.skip("the modules' symbols were stripped")
    assert sorted(found) == sorted(vectorisation.loop_names())
    assert [loop for loop in found.values() if not loop.vectorised] == []
