"""The guide, and the pages that are made of it and of the docstrings."""

import importlib.util
import json
from pathlib import Path

import pytest

import fastloss as fl
from fastloss import guide
from fastloss.cli import main
from test_examples import run_page

DOCS = Path(__file__).parent.parent / "docs"


def _make():
    spec = importlib.util.spec_from_file_location("make", DOCS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _make()

CHOICES = [(task, choice) for task in guide.TASKS for choice in task.choices]


@pytest.mark.parametrize("loss", fl.losses(), ids=lambda loss: loss.__name__)
def test_every_loss_is_in_the_guide(loss):
    assert guide.tasks_of(loss.__name__), "fastloss/guide.py has to say what it is good for"


@pytest.mark.parametrize(("task", "choice"), CHOICES, ids=lambda x: getattr(x, "loss", ""))
def test_what_the_guide_offers_exists(task, choice):
    assert choice.loss in fl.__all__
    for name, values in choice.typical.items():
        for value in values:
            assert getattr(fl.get(choice.loss, **{name: value}), name) == value


def test_no_task_is_there_twice():
    assert len({frozenset(task.name.split()) for task in guide.TASKS}) == len(guide.TASKS)


@pytest.mark.parametrize("task", guide.TASKS, ids=lambda task: task.name)
def test_tasks(task, capsys):
    assert len({choice.loss for choice in task.choices}) == len(task.choices)
    assert task.about.endswith(".")
    assert not any(choice.why.endswith(".") for choice in task.choices)
    assert guide.find(task.name.upper().replace("-", " ")) is task
    assert main(["losses", "--guide", task.name]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(task.name + "\n")
    assert all(choice.loss in shown for choice in task.choices)


def test_the_examples_of_the_guide():
    run_page("docs/guide.md")


def test_the_whole_guide_on_the_command_line(capsys):
    assert main(["losses", "--guide"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{task.name}\n" in shown for task in guide.TASKS)
    assert main(["losses", "--guide", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [task["name"] for task in told] == [task.name for task in guide.TASKS]


def test_tasks_are_found_by_words_of_their_names():
    assert guide.find("robust").name == "robust regression"
    assert guide.find("Multi_Class").name == "multi-class classification"
    with pytest.raises(ValueError, match="'segmentation'"):
        guide.find("segmentaton")
    with pytest.raises(ValueError, match="'robust regression'"):
        guide.find("regress")


@pytest.mark.parametrize("name", make.pages())
def test_pages_are_what_the_sources_make(name):
    assert (DOCS / name).read_text() == make.pages()[name], "run python docs/make.py --text"


@pytest.mark.parametrize("loss", fl.losses(), ids=lambda loss: loss.__name__)
def test_every_loss_has_its_place_in_the_reference(loss):
    page = make.reference_page()
    assert f"\n### {loss.__name__}\n" in page
    section = "\n".join(make.loss_section(loss))
    assert "```math\n" in section
    # Nothing of the docstring's own language is left.
    assert ":math:" not in section
    assert ".. math" not in section
    assert ":class:" not in section


def test_the_index_has_every_page():
    index = (DOCS / "README.md").read_text()
    assert all(f"({page.name})" in index for page in DOCS.glob("*.md") if page.name != "README.md")


def test_the_gallery_has_its_pictures_and_no_others():
    names = {f"{picture.name}.png" for picture in make.pictures()}
    kept = {path.name: path.stat().st_size for path in (DOCS / "gallery").iterdir()}
    assert set(kept) == names, "run python docs/make.py"
    assert max(kept.values()) < 60_000
