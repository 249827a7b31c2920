"""Make the pages that are derived from the sources, and the gallery's pictures.

    python docs/make.py           pages and pictures
    python docs/make.py --text    the pages alone, without matplotlib

`guide.md` is made from `fastloss/guide.py`, `losses.md` from the docstrings, `gallery.md` from both
of them. A test fails while a page is not what this makes.
"""

import argparse
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fastloss as fl
from fastloss import guide
from fastloss.commands.plotting import MOST_CURVES, Curve

HERE = Path(__file__).parent
PICTURES = HERE / "gallery"

MADE = "<!-- Made by docs/make.py; do not edit. -->\n"
#: The most values of a parameter in a picture.
MOST_VALUES = 6


def every_loss() -> tuple[type[Any], ...]:
    return (*fl.losses(), fl.LinearCrossEntropy)


def link(name: str, page: str = "losses.md") -> str:
    return f"[{name}]({page}#{name.lower()})"


# --- the guide --------------------------------------------------------------------------------


def guide_page() -> str:
    lines = [
        MADE,
        "# Which loss for which task",
        "",
        "The usual choice comes first. Typical hyper-parameters are where to begin, not where to",
        "end: `fl.sweep` evaluates a grid of them in one pass over the data. The same guide on the",
        "command line: `fastloss losses --guide`.",
        "",
        "```python",
        ">>> import numpy as np",
        ">>> import fastloss as fl",
        "",
        "```",
        "",
        *(f"* [{task.name}](#{anchor(task.name)})" for task in guide.TASKS),
        "",
    ]
    for task in guide.TASKS:
        lines += [f"## {task.name[0].upper()}{task.name[1:]}", "", task.about, ""]
        lines += ["| loss | why | typical hyper-parameters |", "|---|---|---|"]
        for choice in task.choices:
            typical = "; ".join(f"`{name}` {values}" for name, values in choice.values())
            lines.append(f"| {link(choice.loss)} | {choice.why} | {typical} |")
        lines.append("")
        if task.example:
            lines += ["```python", task.example.rstrip(), "```", ""]
    return "\n".join(lines)


def anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


# --- the reference ----------------------------------------------------------------------------


def reference_page() -> str:
    lines = [
        MADE,
        "# Every loss",
        "",
        "Value ℓ, gradient g and Hessian diagonal h of an element, before weights and reduction;",
        "what all share is in `help(fl.Loss)`.",
        "",
    ]
    families: dict[str, list[type[Any]]] = {}
    for loss in every_loss():
        families.setdefault(loss.family, []).append(loss)
    for family, losses in families.items():
        lines.append(f"* {family}: " + ", ".join(link(loss.__name__, "") for loss in losses))
    for family, losses in families.items():
        lines += ["", f"## Family: {family}"]
        for loss in losses:
            lines += ["", *loss_section(loss)]
    return "\n".join(lines) + "\n"


def loss_section(loss: type[Any]) -> Iterator[str]:
    arguments = ", ".join(
        str(parameter.replace(annotation=inspect.Parameter.empty))
        for parameter in inspect.signature(loss).parameters.values()
        if parameter.name != "reduction"
    )
    yield f"### {loss.__name__}"
    yield ""
    yield f"`fl.{loss.__name__}({arguments})`"
    yield ""
    yield from markdown(inspect.getdoc(loss) or "")
    for picture in variations():
        if picture.name == loss.__name__:
            yield from ("", *shown(picture))
    tasks = guide.tasks_of(loss.__name__)
    if tasks:
        yield ""
        yield "**For** " + ", ".join(f"[{task}](guide.md#{anchor(task)})" for task in tasks)
    if loss.aliases:
        yield ""
        yield "**Also known as** " + ", ".join(f"`{alias}`" for alias in loss.aliases)


def markdown(docstring: str) -> Iterator[str]:
    """Yield a numpydoc docstring as Markdown."""
    title = ""
    lines = docstring.split("\n")
    while lines:
        line = lines.pop(0)
        if lines and lines[0] and set(lines[0]) == {"-"}:
            title = line
            lines.pop(0)
            yield f"**{title}**"
            yield ""
            if title == "Examples":
                yield "```python"
                yield from lines
                yield "```"
                return
        elif line.startswith(".. math::"):
            formula = [line.removeprefix(".. math::").strip()]
            while lines and (not lines[0] or lines[0].startswith(" ")):
                formula.append(lines.pop(0).strip())
            text = "\n".join(part for part in formula if part)
            if r"\\" in text:
                text = rf"\begin{{aligned}}{text}\end{{aligned}}"
            yield from ("```math", text, "```", "")
        elif title in ("Parameters", "Raises", "See Also"):
            if line and not line.startswith(" "):
                name, colon, kind = line.partition(" : ")
                if title == "See Also":
                    name = ", ".join(reference(each) for each in name.split(", "))
                else:
                    name = f"`{name}`"
                about = f"* {name}" + (f": {inline(kind)}" if colon else "")
                # A backslash breaks the line before what is said of it.
                yield about + "\\" * bool(lines and lines[0].startswith(" "))
            else:
                yield f"  {inline(line.strip())}" if line else ""
        else:
            yield inline(line)


def inline(text: str) -> str:
    text = re.sub(r":math:`([^`]*)`", r"$`\1`$", text)
    text = re.sub(r":(?:class|func|meth):`~?(?:\w+\.)*(\w+)`", lambda m: reference(m[1]), text)
    return re.sub(r"``([^`]*)``", r"`\1`", text)


def reference(name: str) -> str:
    known = {loss.__name__ for loss in every_loss()}
    return link(name, "") if name in known else f"`{name}`"


# --- the gallery ------------------------------------------------------------------------------


class Picture(NamedTuple):
    """A picture of the gallery, and the command that draws it."""

    name: str
    losses: tuple[str, ...]
    parameters: dict[str, tuple[Any, ...]]

    @property
    def command(self) -> str:
        words = ["fastloss", "plot", *self.losses]
        for name, values in self.parameters.items():
            listed = ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
            words += ["--param", f"{name}={listed}"]
        return " ".join([*words, "--out", f"{self.name}.png"])


def comparisons() -> Iterator[tuple[guide.Task, Picture]]:
    """Yield a picture of the losses of a task that share an axis, where they differ."""
    seen = set()
    for task in guide.TASKS:
        names = dict.fromkeys(
            c.loss for c in task.choices if issubclass(getattr(fl, c.loss), fl.Loss)
        )
        groups: dict[str, list[Curve]] = {}
        for name in names:
            curve = Curve.of(getattr(fl, name)())
            alike = groups.setdefault(curve.kind, [])
            if not any(curve.same_as(other) for other in alike):
                alike.append(curve)
        curves = max(groups.values(), key=len, default=[])[:MOST_CURVES]
        losses = tuple(type(curve.loss).__name__ for curve in curves)
        if len(losses) > 1 and frozenset(losses) not in seen:
            seen.add(frozenset(losses))
            yield task, Picture(anchor(task.name), losses, {})


def variations() -> Iterator[Picture]:
    """Yield a picture of each loss with the guide's values of its first parameter there."""
    for loss in fl.losses():
        typical: dict[str, set[Any]] = {}
        for task in guide.TASKS:
            for choice in task.choices:
                if choice.loss == loss.__name__:
                    for name, values in choice.typical.items():
                        typical.setdefault(name, set()).update(values)
        for name, found in typical.items():
            values = tuple(sorted(found))[:MOST_VALUES]
            if len(values) > 1:
                yield Picture(loss.__name__, (loss.__name__,), {name: values})
                break


def gallery_page() -> str:
    lines = [
        MADE,
        "# Gallery",
        "",
        "Value, gradient and Hessian, drawn by `fastloss plot`; the command stands below each.",
        "",
        "## By task",
    ]
    for task, picture in comparisons():
        lines += ["", f"### [{task.name}](guide.md#{anchor(task.name)})", "", *shown(picture)]
    lines += ["", "## What hyper-parameters do"]
    for picture in variations():
        lines += ["", f"### {link(picture.losses[0])}", "", *shown(picture)]
    return "\n".join(lines) + "\n"


def shown(picture: Picture) -> list[str]:
    about = ", ".join(picture.losses)
    return [f"![{about}](gallery/{picture.name}.png)", "", f"`{picture.command}`"]


def pictures() -> list[Picture]:
    return [*(picture for _, picture in comparisons()), *variations()]


def draw(picture: Picture) -> None:
    from PIL import Image

    from fastloss.commands.plotting import expand, plot_losses

    losses = expand(picture.losses, {name: list(v) for name, v in picture.parameters.items()})
    drawn = io.BytesIO()
    plot_losses(losses, drawn, ".png", dpi=100)
    # A palette is enough for lines and takes a quarter of the room.
    image = Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    image.save(PICTURES / f"{picture.name}.png", optimize=True)


# --- all of it --------------------------------------------------------------------------------


def pages() -> dict[str, str]:
    """Return the text of every page that is made, by its file's name."""
    return {"guide.md": guide_page(), "losses.md": reference_page(), "gallery.md": gallery_page()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", action="store_true", help="the pages alone")
    text_alone = parser.parse_args().text
    for name, text in pages().items():
        (HERE / name).write_text(text)
    if not text_alone:
        PICTURES.mkdir(exist_ok=True)
        wanted = {f"{picture.name}.png" for picture in pictures()}
        for old in PICTURES.glob("*.png"):
            if old.name not in wanted:
                old.unlink()
        for picture in pictures():
            draw(picture)


if __name__ == "__main__":
    main()
