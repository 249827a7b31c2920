"""What `compare.py` found: rows, as CSV, text, Markdown and a plot."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from peers import OURS
from suite import ALLOCATED, ELEMENTWISE, REUSED


@dataclass
class Row:
    """One peer, one case, one kind of output. Times are in seconds a call."""

    processor: str
    level: str
    threads: int
    python: str
    numpy: str
    case: str
    loss: str
    mode: str
    n: int
    dtype: str
    peer: str
    version: str
    output: str
    statement: str
    rounds: int
    median: float
    lower_quartile: float
    upper_quartile: float
    # In units of what is tolerated.
    error: float
    # Why there is no time, or why it is not worth much.
    problem: str
    bytes: int
    # The time that moving the bytes takes, or the matrix products, and how that was found.
    limit: float
    limit_by: str
    # limit / median
    share: float = math.nan
    # The best peer's time, with any output of its own where this one's is reused, by this time.
    ratio: float = math.nan


def machine(threads: int) -> dict[str, Any]:
    """What every row says of where it was measured."""
    from fastloss.configuration import configuration

    facts = configuration()
    return {
        "processor": facts["processor"],
        "level": facts["level"],
        "threads": threads,
        "python": facts["Python"],
        "numpy": facts["NumPy"],
    }


def best_peer(rows: Iterable[Row], output: str) -> Row | None:
    """Of one case. Who can reuse no output is compared with reused ones by what it can do."""
    allowed = (ALLOCATED,) if output == ALLOCATED else (ALLOCATED, REUSED)
    timed = (r for r in rows if r.peer != OURS and r.output in allowed and r.median > 0)
    return min(timed, key=lambda row: row.median, default=None)


def relate(rows: Sequence[Row]) -> None:
    """Fill in what follows from the other rows of a case."""
    for row in rows:
        row.share = row.limit / row.median
        best = best_peer(rows, row.output)
        row.ratio = best.median / row.median if best else math.nan


def write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(row).items()}
            for row in rows
        )


def read_csv(path: Path) -> list[Row]:
    convert: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    types = {field.name: convert[str(field.type)] for field in fields(Row)}
    with path.open(newline="") as file:
        return [Row(**{k: types[k](v) for k, v in line.items()}) for line in csv.DictReader(file)]


def by_case(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.case].append(row)
    return found


def time_text(seconds: float) -> str:
    """Three digits and a unit."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def lines(rows: Sequence[Row], title: str) -> str:
    """One case as text, the fastest first."""
    found = [title]
    if rows and rows[0].limit > 0:
        first = rows[0]
        rate = first.bytes / first.limit / 1e9
        limit = f"{time_text(first.limit):>9}          {rate:6.1f} GB/s  limit: {first.limit_by}"
        found.append(limit)
    for row in sorted(rows, key=lambda row: row.median if row.median > 0 else math.inf):
        if row.median > 0:
            spread = (row.upper_quartile - row.lower_quartile) / row.median
            figures = f"{time_text(row.median):>9} ±{spread / 2:4.0%} {row.share:6.0%} of the limit"
        else:
            figures = " " * 32
        found.append(f"{figures}  {row.peer} {row.output}  {row.problem}".rstrip())
    return "\n".join(found) + "\n"


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line for each case."""
    if not rows:
        return "nothing was measured\n"
    first = rows[0]
    text = [
        f"{first.processor}, level {first.level}, {first.threads} threads, Python {first.python}: "
        "median times of a call.",
        "",
        "| case | fastloss, `out` reused | share of the limit | best peer | times faster "
        "| fastloss, allocated | best peer, allocated | times faster |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    behind: dict[str, list[str]] = {REUSED: [], ALLOCATED: []}
    cases = by_case(rows)
    for case, found in cases.items():
        cells = [case]
        for output in (REUSED, ALLOCATED):
            ours = next((r for r in found if r.peer == OURS and r.output == output), None)
            best = best_peer(found, output)
            share = output == REUSED
            if ours is None or not ours.median > 0:
                cells += [""] * (3 + share)
                continue
            cells.append(time_text(ours.median))
            if share:
                cells.append(f"{ours.share:.0%}" if ours.share > 0 else "")
            if best is None:
                cells += ["", ""]
                continue
            cells.append(f"{best.peer} {time_text(best.median)}")
            cells.append(f"{ours.ratio:.2g}" if ours.ratio >= 1 else f"**{ours.ratio:.2f}**")
            if ours.ratio < 1:
                behind[output].append(case)
        text.append(f"| {' | '.join(cells)} |")
    text.append("")
    for output, names in behind.items():
        count = f"Output {output}: behind a peer in {len(names)} of {len(cases)} cases"
        text.append(f"* {count}{': ' if names else ''}{', '.join(names)}.")
    wrong = {f"{r.peer} in {r.case}: {r.problem}" for r in rows if r.problem}
    text += [f"* {line}" for line in sorted(wrong)]
    return "\n".join(text) + "\n"


# Okabe and Ito's colours, which the colour-blind tell apart; a marker for each, too.
STYLES = {
    OURS: ("#000000", "o"),
    "NumPy": ("#999999", "v"),
    "NumPy reference": ("#bbbbbb", "1"),
    "scikit-learn": ("#e69f00", "s"),
    "PyTorch": ("#d55e00", "^"),
    "PyTorch compiled": ("#d55e00", "D"),
    "JAX": ("#0072b2", "P"),
    "TensorFlow": ("#cc79a7", "<"),
    "TensorFlow XLA": ("#cc79a7", "X"),
    "Numba": ("#009e73", "*"),
    "numexpr": ("#56b4e9", "h"),
}


def plot(rows: Sequence[Row], path: Path) -> None:
    """Time of an element over the number of elements, a panel for each loss."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    wanted = [r for r in rows if r.dtype == "float32" and r.mode == "value_and_grad"]
    wanted = [r for r in wanted if "target" not in r.case and r.median > 0]
    losses = [loss for loss in ELEMENTWISE if any(r.loss == loss for r in wanted)]
    if not losses:
        print("no plot: there are no float32 cases of losses of elements")
        return
    columns = min(4, len(losses) + 1)
    height = -(-(len(losses) + 1) // columns)
    figure, grid = plt.subplots(
        height, columns, figsize=(3.6 * columns, 3.4 * height), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    panels = list(grid.flat)
    for panel, loss in zip(panels, losses, strict=False):
        for peer, (colour, marker) in STYLES.items():
            best: dict[int, float] = {}
            for r in wanted:
                if r.loss == loss and r.peer == peer:
                    best[r.n] = min(r.median, best.get(r.n, math.inf))
            points = sorted(best.items())
            panel.plot(
                [n for n, _ in points], [1e9 * t / n for n, t in points],
                color=colour, marker=marker, markersize=6 if peer == OURS else 4.5,
                linewidth=2.5 if peer == OURS else 1.1, label=peer,
                linestyle="--" if peer in ("PyTorch", "TensorFlow") else "-",
                markerfacecolor="white" if peer in ("PyTorch", "TensorFlow") else colour,
                zorder=3 if peer == OURS else 2,
            )  # fmt: skip
        limits = {r.n: 1e9 * r.limit / r.n for r in wanted if r.loss == loss and r.limit > 0}
        panel.plot(
            sorted(limits), [limits[n] for n in sorted(limits)],
            color="#555555", linestyle=":", linewidth=1.5, label="limit of memory", zorder=1,
        )  # fmt: skip
        panel.set(title=loss, xscale="log", yscale="log")
        panel.grid(alpha=0.25)
        panel.label_outer()
    for panel in panels[len(losses) :]:
        panel.axis("off")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[len(losses)].legend(handles, labels, loc="center", frameon=False, fontsize=11)
    first = rows[0]
    figure.supxlabel("elements, float32; value and gradient")
    figure.supylabel("nanoseconds an element")
    figure.suptitle(
        f"{first.processor}, {first.threads} threads; the better of reused and allocated output",
        fontsize=10,
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)
