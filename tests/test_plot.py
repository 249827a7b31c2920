"""Pictures of losses."""

import io

import numpy as np
import pytest

import fastloss as fl
from fastloss.cli import main
from fastloss.commands import plotting
from fastloss.commands.plotting import Curve, expand, labels, plot_losses

X = np.linspace(-3, 3, 25)[1:-1]


def figure_of(losses, monkeypatch, **options):
    """Draw to memory and return matplotlib's figure."""
    matplotlib = pytest.importorskip("matplotlib.figure")
    made = []

    class Kept(matplotlib.Figure):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            made.append(self)

    monkeypatch.setattr(matplotlib, "Figure", Kept)
    plot_losses(losses, io.BytesIO(), ".svg", **options)
    return made[0]


def complaint(capsys, *arguments):
    assert main(["plot", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fastloss: error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("loss", fl.losses(), ids=lambda loss: loss.__name__)
def test_every_loss_has_a_curve(loss):
    curve = Curve.of(loss())
    low, high = curve.span
    assert low < high
    value, gradient, hessian = curve.points(np.linspace(low, high, 101)[1:-1])
    assert value.shape == gradient.shape == hessian.shape == (99,)
    assert np.isfinite(value).any()
    assert value.min() < value.max()


def test_points_are_those_of_the_loss():
    value, gradient, hessian = Curve.of(fl.Huber()).points(X)
    expected = fl.Huber().value_grad_hess(X, 0 * X, reduction="none")
    assert np.array_equal([value, gradient, hessian], expected)


def test_two_classes_are_the_binary_loss():
    assert Curve.of(fl.CrossEntropy()).same_as(Curve.of(fl.BinaryCrossEntropy()))
    assert not Curve.of(fl.Huber()).same_as(Curve.of(fl.LogCosh()))


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (fl.Huber(), "residual"),
        (fl.Poisson(), "prediction"),
        (fl.BinaryCrossEntropy(), "logit"),
        (fl.CrossEntropy(axis=-1), "logit"),
        (fl.LogLoss(), "probability"),
    ],
)
def test_axes(loss, kind):
    assert Curve.of(loss).kind == kind


def test_scales_are_in_the_picture():
    assert Curve.of(fl.Huber(delta=10)).span[1] > 10
    assert Curve.of(fl.Poisson(), 100).span[0] < np.log(100) < Curve.of(fl.Poisson(), 100).span[1]


def test_expansion():
    losses = expand(["focal", "huber"], {"gamma": [0.0, 2.0], "alpha": [None, 0.25]})
    assert losses == [
        fl.Focal(0.0), fl.Focal(0.0, 0.25), fl.Focal(2.0), fl.Focal(2.0, 0.25), fl.Huber(),
    ]  # fmt: skip
    assert expand(["huber", "Huber"], {}) == [fl.Huber()]


@pytest.mark.parametrize(
    ("losses", "title", "told"),
    [
        ([fl.Huber(0.5), fl.Huber(2.0)], "Huber", ["delta = 0.5", "delta = 2"]),
        ([fl.Huber(0.5), fl.LogCosh()], "", ["Huber, delta = 0.5", "LogCosh"]),
        ([fl.Huber(0.5)], "Huber, delta = 0.5", ["Huber"]),
        (
            [fl.Focal(1.0, 0.25), fl.Focal(2.0, 0.25)],
            "Focal, alpha = 0.25",
            ["gamma = 1", "gamma = 2"],
        ),
    ],
)
def test_labels(losses, title, told):
    assert labels(losses) == (title, told)


def test_what_is_drawn(monkeypatch):
    losses = [fl.SquaredError(), fl.Huber(), fl.LogCosh()]
    figure = figure_of(losses, monkeypatch, span=(-2, 3))
    value, gradient, hessian = figure.axes
    assert [panel.get_title() for panel in figure.axes] == ["value", "gradient", "Hessian"]
    assert gradient.get_xlabel() == "residual: prediction − target"
    assert value.get_xlim() == (-2, 3)
    assert value.get_ylim()[1] >= 9
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "SquaredError", "Huber", "LogCosh",
    ]  # fmt: skip
    for panel in (value, gradient, hessian):
        curves = [line for line in panel.lines if len(line.get_xdata()) > 2]
        # Told apart without colours, too.
        assert len({line.get_linestyle() + str(line._dash_pattern) for line in curves}) == 3
        assert len({line.get_color() for line in curves}) == 3
    x = gradient.lines[1].get_xdata()
    assert np.array_equal(gradient.lines[1].get_ydata(), np.clip(x, -1, 1))


def test_a_wide_legend_stays_in_the_picture(monkeypatch):
    losses = expand(["focal"], {"gamma": [0.0, 2.0], "alpha": [None, 0.25, 0.5, 0.75]})
    figure = figure_of(losses, monkeypatch)
    figure.draw_without_rendering()
    assert len(figure.legends) == 1
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_an_explosion_flattens_nothing():
    x = np.linspace(0, 5, 101)
    low, high = plotting._limits([x, np.exp(x**2)])
    assert low < 0
    assert high > 5
    low, high = plotting._limits([x, np.full(101, np.nan)])
    assert high == pytest.approx(5.25)
    assert plotting._limits([np.full(101, np.nan)]) == (-1, 1)


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(suffix, magic, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"picture{suffix}"
    arguments = ["plot", "huber", "log_cosh", "--param", "delta=0.5,2", "--out", str(path)]
    assert main(arguments) == 0
    assert path.read_bytes().startswith(magic)


def test_losses_of_different_axes_that_can_share_one(monkeypatch):
    figure = figure_of([fl.Huber(), fl.Poisson()], monkeypatch)
    assert figure.axes[1].get_xlabel() == "prediction, target = 1"
    figure = figure_of([fl.Focal(), fl.CrossEntropy()], monkeypatch)
    assert figure.axes[1].get_xlabel() == "logit of the target's class"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["huber", "focal"], "do not share a horizontal axis"),
        (["hubr"], "huber"),
        (["huber", "--param", "delta=-1"], "delta must be in"),
        (["huber", "--param", "delta"], "must be NAME=X"),
        (["huber", "--param", "gamma=1"], "huber has no such parameter"),
        (["huber", "--param", "delta=1", "--param", "delta=2"], "each parameter once"),
        (["huber", "--param", "delta=1,2,3,4,5,6,7,8,9"], "9 curves are too many"),
        (["huber", "--range", "2,1"], "the lower first"),
        (["huber", "--target", "x"], "must be a number"),
        (["poisson", "--target=-1"], "takes targets in [0, inf], not -1"),
        (["linear_cross_entropy"], "has no curve"),
    ],
)
def test_complaints(arguments, told, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "picture.png"
    assert told in complaint(capsys, *arguments, "--out", out)
    assert not out.exists()


def test_bad_formats(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert "must end in one of" in complaint(capsys, "huber", "--out", tmp_path / "picture.doc")
    assert "No such file" in complaint(capsys, "huber", "--out", tmp_path / "no" / "picture.png")


def test_matplotlib_is_named_when_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backend_bases", None)
    told = complaint(capsys, "huber", "--out", tmp_path / "picture.png")
    assert "pip install 'fastloss[plot]'" in told
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize("name", ["gamma", "pos-weight"])
def test_dashes_and_underscores(name):
    from fastloss.cli import _assignment

    assert _assignment(f"{name}=none,true,2,0.5,word") == (
        name.replace("-", "_"), [None, True, 2, 0.5, "word"],
    )  # fmt: skip
