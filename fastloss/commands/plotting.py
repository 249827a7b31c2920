"""Pictures of losses: value, gradient and Hessian over a residual, a logit or a probability."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

import fastloss
from fastloss import kernels
from fastloss.commands.tables import InputError
from fastloss.extras import require

Array = NDArray[Any]

#: Colours that colour-blind readers tell apart (Okabe and Ito), with a dash pattern each.
_STYLES = (
    ("#0072b2", "-"),
    ("#d55e00", (0, (5, 2))),
    ("#009e73", (0, (1, 1.2))),
    ("#cc79a7", (0, (6, 1.5, 1, 1.5))),
    ("#000000", (0, (3, 1.5))),
    ("#e69f00", (0, (8, 2, 1, 2, 1, 2))),
    ("#56b4e9", (0, (2, 1, 4, 1))),
    ("#7f7f7f", (0, (10, 3))),
)
#: The most curves that one can tell apart.
MOST_CURVES = len(_STYLES)

_POINTS = 1601
_PANELS = ("value", "gradient", "Hessian")


@dataclasses.dataclass(frozen=True)
class Curve:
    """A loss as a function of one number.

    Attributes
    ----------
    loss : Loss
    kind : str
        What the number is; curves of one kind can share a picture.
    about : str
        More of that, for the axis.
    span : tuple of float
        Where it is worth looking at.
    target : float
        The target, to which a residual is added.
    """

    loss: Any
    kind: Literal["residual", "prediction", "logit", "probability"]
    about: str
    span: tuple[float, float]
    target: float

    @classmethod
    def of(cls, loss: Any, target: float | None = None) -> Curve:
        """Find out over what a loss is to be drawn.

        Parameters
        ----------
        loss : Loss
        target : float, optional
            Instead of one that suits the loss.
        """
        low, high = loss.target_domain
        if target is not None and not (low <= target <= high and np.isfinite(target)):
            raise InputError(f"{loss} takes targets in [{low:g}, {high:g}], not {target:g}")
        if loss.class_axis == "always":
            return cls(loss, "logit", " of the label, the other class's being 0", (-6, 6), 0)
        at = 1 if target is None else target
        if loss.prediction_domain == (0, 1):
            return cls(loss, "probability", f", target = {at:g}", (0, 1), at)
        if high == 1:
            return cls(loss, "logit", f", target = {at:g}", (-6, 6), at)
        rest = "".join(f", {name} = {value:g}" for name, value in _others(loss).items())
        end = _reach(loss)
        residual = cls(loss, "residual", f": prediction − target{rest}", (-end, end), 0)
        if target is None and low == -np.inf and residual.is_of_residuals():
            return residual
        curve = cls(loss, "prediction", f", target = {at:g}{rest}", loss.prediction_domain, at)
        return dataclasses.replace(curve, span=curve._around_minimum())

    def is_of_residuals(self) -> bool:
        """Whether nothing but the difference of prediction and target matters."""
        residuals = np.array([-2.5, -1.0, -0.25, 0.5, 1.5])
        there = dataclasses.replace(self, target=3).points(residuals + 3)
        return bool(np.allclose(there, self.points(residuals)))

    def _around_minimum(self) -> tuple[float, float]:
        """Return the range that is worth looking at where a residual means nothing."""
        least, most = self.loss.prediction_domain
        x = np.linspace(max(least, -10), min(most, 10), 401)[1:-1]
        value, _, _ = self.points(x)
        at = float(x[np.nanargmin(value)])
        return max(at - 3, least), min(at + 3, most)

    def same_as(self, other: Curve) -> bool:
        """Whether the two are the same function of the same number."""
        if self.kind != other.kind or self.loss.prediction_domain != other.loss.prediction_domain:
            return False
        x = np.linspace(*self.span, 23)[1:-1]
        mine, others = self.points(x), other.points(x)
        return all(np.allclose(a, b, equal_nan=True) for a, b in zip(mine, others, strict=True))

    def points(self, x: Array) -> tuple[Array, Array, Array]:
        """Return value, gradient and Hessian at each number."""
        loss, found = self.loss, None
        targets: list[Array] = [np.full(len(x), self.target)]
        if loss.class_axis in ("none", "optional"):
            return loss.value_grad_hess(x, targets[0], reduction="none")  # type: ignore[no-any-return]
        rest = list(_others(loss).values())
        if loss.class_axis == "always":
            # Two classes: the first is the right one, the other's logit is 0.
            rest = [0.0]
            zeros = np.zeros((len(x), 2))
            sides = zeros + np.maximum([1.0, 0.0], loss.target_domain[0])
            known = {
                "labels": np.zeros(len(x), int),
                "probabilities": sides,
                "label_lists": np.tile([0, -1], (len(x), 1)),
                "offsets": zeros,
            }
            targets = [known[kind] for kind in loss.targets]
        rows = np.column_stack([x, *(np.full(len(x), value) for value in rest)])
        if hasattr(loss, "axis"):
            loss = dataclasses.replace(loss, axis=1)
        for target in targets:
            with suppress(TypeError, ValueError, IndexError):
                found = loss.value_grad_hess(rows, target, reduction="none")
                break
        if found is None:
            raise InputError(f"{loss} takes targets that have no curve")
        value, gradient, hessian = found
        return value, gradient[:, 0], hessian[:, 0]


def _others(loss: Any) -> dict[str, float]:
    """Return the predictions beside the first, where a number has several, and where they stay."""
    if loss.class_axis != "parameters":
        return {}
    names = kernels.active().formulas[loss._kernel()]["predictions"][1:]
    return {name: 1.0 if loss.domains.get(name, (-1,))[0] >= 0 else 0.0 for name in names}


def _reach(loss: Any) -> float:
    """Return how far a range of residuals has to go to show what scale parameters do."""
    scales: list[float | None] = [
        getattr(loss, known.name)
        for known in loss._fields
        if known.number and not known.array and known.interval is not None
        if known.interval.lower >= 0 and known.interval.upper == np.inf
    ]
    return max([4.0, *(2 * scale for scale in scales if scale is not None)])


def expand(losses: Sequence[str], parameters: dict[str, list[Any]]) -> list[Any]:
    """Make every loss with every combination of the values of the parameters that it has.

    Parameters
    ----------
    losses : sequence of str
        Names.
    parameters : dict
        Name to values.

    Returns
    -------
    list of Loss
    """
    made: list[Any] = []
    unused = set(parameters)
    for name in losses:
        loss = fastloss.get(name)
        if not isinstance(loss, fastloss.Loss):
            raise InputError(f"{name} takes a layer's input and weight and has no curve")
        known = {field.name for field in dataclasses.fields(loss)} - {"reduction"}
        chosen = [key for key in parameters if key in known]
        unused -= known
        made += [
            fastloss.get(name, **dict(zip(chosen, values, strict=True)))
            for values in itertools.product(*(parameters[key] for key in chosen))
        ]
    if unused:
        raise InputError(
            f"--param {min(unused)}: {' and '.join(losses)} "
            f"{'has' if len(losses) == 1 else 'have'} no such parameter"
        )
    return list(dict.fromkeys(made))


def labels(losses: Sequence[Any]) -> tuple[str, list[str]]:
    """Return a title, and for each loss what tells it from the others."""
    kinds = list(dict.fromkeys(type(loss).__name__ for loss in losses))
    told = []
    for loss in losses:
        same = [other for other in losses if type(other) is type(loss)]
        words = []
        for known in dataclasses.fields(loss):
            value = getattr(loss, known.name)
            varies = any(getattr(other, known.name) != value for other in same)
            if varies or (value != known.default and len(kinds) > 1):
                words.append(f"{known.name} = {_written(value)}")
        name = [type(loss).__name__] if len(kinds) > 1 or not words else []
        told.append(", ".join(name + words))
    title = kinds[0] if len(kinds) == 1 else ""
    fixed = [
        f"{known.name} = {_written(getattr(losses[0], known.name))}"
        for known in dataclasses.fields(losses[0])
        if len(kinds) == 1
        and getattr(losses[0], known.name) != known.default
        and len({getattr(loss, known.name) for loss in losses}) == 1
    ]
    return ", ".join([title, *fixed]) if title else "", told


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_format(suffix: str, option: str) -> None:
    """Find out before the work whether a picture can be drawn."""
    formats = require("matplotlib.backend_bases", "plot").FigureCanvasBase.filetypes
    if suffix.lstrip(".").lower() not in formats:
        known = ", ".join("." + name for name in sorted(formats))
        raise InputError(f"{option}: the file's name must end in one of {known}, not {suffix!r}")


def plot_losses(
    losses: Sequence[Any],
    file: IO[bytes],
    suffix: str,
    *,
    span: tuple[float, float] | None = None,
    target: float | None = None,
    dpi: int = 150,
) -> None:
    """Draw value, gradient and Hessian side by side.

    Parameters
    ----------
    losses : sequence of Loss
    file : binary file
    suffix : str
        Of the file's name, such as ``".png"``: the format.
    span : tuple of float, optional
        Range of the horizontal axis.
    target : float, optional
        The target at which losses of one number are drawn.
    dpi : int
        Resolution of a picture made of pixels.
    """
    if len(losses) > MOST_CURVES:
        raise InputError(f"{len(losses)} curves are too many to tell apart; {MOST_CURVES} are not")
    curves = [Curve.of(loss, target) for loss in losses]
    if target is None and any(curve.kind == "prediction" for curve in curves):
        # Where one of them depends on more than the residual, so are they all drawn.
        curves = [Curve.of(c.loss, 1) if c.kind == "residual" else c for c in curves]
    axis = _common_axis(curves)
    if span is None:
        span = min(c.span[0] for c in curves), max(c.span[1] for c in curves)
    x = np.linspace(*span, _POINTS)
    drawn = [_points(curve, x) for curve in curves]
    title, told = labels(losses)
    figure_type = require("matplotlib.figure", "plot").Figure
    figure = figure_type(figsize=(10, 3.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    panels = figure.subplots(1, 3)
    styles = _styles(losses)
    for number, (panel, name) in enumerate(zip(panels, _PANELS, strict=True)):
        for order, (curve, label) in enumerate(zip(drawn, told, strict=True)):
            colour, dashes = styles[order]
            # Ever thinner, so that a curve shows beneath another on the same way.
            width = 2.6 - order / max(1, len(drawn) - 1) if len(drawn) > 1 else 2.2
            panel.plot(x, curve[number], color=colour, ls=dashes, lw=width, label=label)
        panel.set_title(name, fontsize=11)
        panel.set_xlim(*span)
        panel.set_ylim(*_limits([curve[number] for curve in drawn]))
        panel.grid(alpha=0.25)
        panel.axhline(0, color="#444444", lw=0.8, zorder=1)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[1].set_xlabel(axis)
    if title:
        figure.suptitle(title, fontsize=13)
    if len(losses) > 1 or not title:
        _add_legend(figure, panels[0])
    metadata = {"Date": None} if suffix.lower() in (".svg", ".svgz") else None
    figure.savefig(file, dpi=dpi, format=suffix.lstrip("."), metadata=metadata)


def _add_legend(figure: Any, panel: Any) -> None:
    """Put the legend below the panels, in as many columns as there is room for."""
    entries = panel.get_legend_handles_labels()
    for columns in range(len(entries[0]), 0, -1):
        legend = figure.legend(
            *entries, loc="outside lower center", ncols=columns, frameon=False, handlelength=3.2
        )
        figure.draw_without_rendering()
        if legend.get_window_extent().width < figure.bbox.width:
            return
        legend.remove()
    figure.legend(*entries, loc="outside lower center", frameon=False, handlelength=3.2)


def _styles(losses: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return a colour and dashes for each; shades from dark to light for values of parameters."""
    if len({type(loss) for loss in losses}) > 1 or len(losses) < 3:
        return list(_STYLES[: len(losses)])
    shades = require("matplotlib", "plot").colormaps["viridis"](np.linspace(0, 0.82, len(losses)))
    return [(shade, dashes) for shade, (_, dashes) in zip(shades, _STYLES, strict=False)]


def _common_axis(curves: Sequence[Curve]) -> str:
    by_kind = {curve.kind: curve for curve in curves}
    if len(by_kind) > 1:
        told = " and ".join(f"{type(c.loss).__name__} over a {c.kind}" for c in by_kind.values())
        raise InputError(f"{told} do not share a horizontal axis: draw them apart")
    about = {curve.about for curve in curves}
    if curves[0].kind == "logit" and len(about) > 1:
        return "logit of the target's class"
    common = [part for part in curves[0].about.split(", ") if all(part in a for a in about)]
    return curves[0].kind + ", ".join(common)


def _points(curve: Curve, x: Array) -> list[Array]:
    """Return the curves, with NaN where there is none."""
    least, most = curve.loss.prediction_domain
    # What happens to a probability of exactly 0 or 1 is no part of its curve.
    inside = (x > least) & (x < most)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = curve.points(x[inside])
        except (ValueError, TypeError) as error:
            raise InputError(f"{curve.loss} cannot be drawn: {error}") from error
    whole = []
    for part in found:
        line = np.full(len(x), np.nan)
        line[inside] = part
        line[~np.isfinite(line)] = np.nan
        whole.append(line)
    return whole


def _limits(lines: Sequence[Array]) -> tuple[float, float]:
    """Return limits that show all of it, unless one explosion would flatten the rest."""
    finite = [line[np.isfinite(line)] for line in lines]
    finite = [line for line in finite if line.size]
    if not finite:
        return -1.0, 1.0
    low, high = (_end([s * line for line in finite]) for s in (-1, 1))
    low, high = min(-low, 0.0), max(high, 0.0)
    if high == low:
        low, high = low - 0.5, high + 0.5
    room = 0.05 * (high - low)
    return low - room, high + room


def _end(lines: Sequence[Array]) -> float:
    most = max(float(line.max()) for line in lines)
    # What nine tenths of each curve reach.
    usual = max(float(np.quantile(line, 0.9)) for line in lines)
    return most if most < 4 * max(usual, 1e-9) or usual <= 0 else 2 * usual
