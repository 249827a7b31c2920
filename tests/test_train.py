"""`fastloss train`: the gradient is right, the network learns, tables are understood."""

import json
import sys
import tracemalloc

import numpy as np
import pytest

import fastloss
from fastloss import cli
from fastloss.cli import main
from fastloss.commands import network
from fastloss.commands.datasets import Dataset, natural_task
from fastloss.commands.training import TASKS, Training

TRAINABLE = [
    cls
    for cls in fastloss.losses()
    if cls.family in TASKS and not (cls.of_distance or cls.of_log_probabilities)
]


def run(capsys, *arguments):
    """Run `fastloss train` in this process; return what its JSON says."""
    assert main(["train", "--json", "--quiet", *map(str, arguments)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def complaint(capsys, *arguments):
    """Run `fastloss train`, which has to fail with one line; return the line."""
    assert main(["train", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastloss: error: ")
    assert err.count("\n") == 1
    return err


def problem(task, rows=200, seed=0, least=-np.inf):
    """Make a data set that a network can learn without much ado."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 3))
    score = features @ np.array([1.0, -2.0, 0.5])
    target = {
        # Well above a zero that is no target: no amount is 1e-300.
        "regression": np.maximum(100 + 30 * score, 1.0 if least > 0 else least),
        "binary": np.where(score > 0, "yes", "no").astype(object),
        "multiclass": np.digitize(score, [-1, 1]),
    }[task]
    return Dataset("made up", dict(zip("abc", features.T, strict=True)), "y", target)


def table(path, dataset, **more):
    """Write a data set as a .csv file."""
    columns = {**dataset.features, dataset.target_name: dataset.target, **more}
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


# --- the loop ---------------------------------------------------------------------------------


def slope_and_difference(training, part):
    """Return the gradient along a direction uphill, and the difference quotient there."""
    net = training.network
    training._optimizer.step = lambda: None
    training._step(np.arange(len(part)))
    # Uneven, so that a wrong factor in one layer is not the same factor on both sides.
    direction = net.gradient * np.random.default_rng(3).uniform(0.5, 1.5, net.gradient.shape)
    direction = (direction / np.linalg.norm(direction)).astype(np.float32)
    slope = float(net.gradient @ direction)
    start, width, values = net.parameters.copy(), 2e-3, []
    for side in (1, -1):
        net.parameters[...] = start + side * width * direction
        values.append(training.measure(part)["loss"])
    return slope, (values[0] - values[1]) / (2 * width)


def sized(cls, spread):
    """Choose hyper-parameters in the target's unit, without which a loss may see outliers alone."""
    return {"c": spread} if "c" in {field.name for field in cls._fields} else {}


@pytest.mark.parametrize("cls", TRAINABLE)
@pytest.mark.parametrize("hidden", [[], [8, 5]])
def test_gradient_of_the_parameters(cls, hidden):
    """Through every link and layer; a wrong factor anywhere shows in one direction."""
    task = TASKS[cls.family]
    data = problem(task, least=cls.target_domain[0])
    loss = cls(**sized(cls, 70.0))
    training = Training(data, loss, task, hidden=hidden, held_out=0.0, batch_size=200)
    slope, difference = slope_and_difference(training, training.train)
    assert slope == pytest.approx(difference, rel=0.01)


def test_gradient_of_the_parameters_through_softmax():
    training = Training(
        problem("multiclass"), fastloss.LogLoss(), "multiclass", held_out=0.0, batch_size=200
    )
    slope, difference = slope_and_difference(training, training.train)
    assert slope == pytest.approx(difference, rel=0.01)


def test_adam_is_what_keras_computes():
    """Against the published algorithm, step by step, in float64."""
    rng = np.random.default_rng(0)
    parameters = rng.normal(size=5).astype(np.float32)
    expected = parameters.astype(np.float64)
    gradient = np.empty(5, np.float32)
    adam = network.Adam(parameters, gradient, learning_rate=0.01)
    mean = square = np.zeros(5)
    for t in range(1, 6):
        gradient[...] = rng.normal(size=5)
        adam.step()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient.astype(np.float64) ** 2
        rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        expected -= rate * mean / (np.sqrt(square) + 1e-7)
        np.testing.assert_allclose(parameters, expected, rtol=1e-5)


@pytest.mark.parametrize("cls", TRAINABLE)
def test_a_step_allocates_no_array(cls):
    task = TASKS[cls.family]
    data = problem(task, rows=1 << 17, least=cls.target_domain[0])
    training = Training(data, cls(), task, held_out=0.0, batch_size=1 << 17, hidden=[16])
    rows = np.arange(1 << 17)
    training._step(rows)
    tracemalloc.start()
    training._step(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The smallest array there could be, of a byte per row, has 128 KiB; NumPy's own room is less.
    assert peak < 100 << 10


@pytest.mark.parametrize("cls", TRAINABLE)
def test_every_loss_learns_its_demonstration(cls, capsys):
    pytest.importorskip("sklearn")
    options = [word for name, x in sized(cls, 80.0).items() for word in (f"--{name}", x)]
    result = run(capsys, "--loss", cls.__name__, "--epochs", 40, "--learning-rate", 0.01, *options)
    assert result["loss"]["name"] == cls.__name__
    assert len(result["epochs"]) == 40
    assert result["epochs"][-1]["train"]["loss"] < result["epochs"][0]["train"]["loss"]
    if TASKS[cls.family] == "regression":
        assert result["held_out"]["r2"] > 0.2
    else:
        assert result["held_out"]["accuracy"] > 0.9


def test_the_default_run(capsys):
    """Ten epochs of the network that beginners meet first."""
    pytest.importorskip("sklearn")
    result = run(capsys)
    assert result["loss"]["name"] == "BinaryCrossEntropy"
    assert result["widths"] == [30, 10, 1]
    assert len(result["epochs"]) == 10
    assert sum(result["rows"].values()) == 569
    assert result["classes"] == ["benign", "malignant"]
    assert result["held_out"]["accuracy"] > 0.85


def test_the_same_seed_gives_the_same_numbers(capsys):
    pytest.importorskip("sklearn")
    first, again, other = (run(capsys, "--seed", seed, "--epochs", 3) for seed in (7, 7, 8))
    assert first == again
    assert first["epochs"] != other["epochs"]


def test_classes_are_held_out_in_proportion():
    dataset = problem("binary")
    share = (dataset.target == "yes").mean()
    training = Training(dataset, fastloss.BinaryCrossEntropy(), "binary", held_out=0.25)
    assert len(training.held_out) == 50
    assert training.held_out.target.mean() == pytest.approx(share, abs=0.02)


def test_features_are_scaled_by_the_training_part():
    training = Training(problem("regression"), fastloss.SquaredError(), "regression")
    np.testing.assert_allclose(training.train.features.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(training.train.features.std(axis=0), 1, rtol=1e-5)
    assert np.abs(training.held_out.features.mean(axis=0)).max() > 1e-3


def test_the_unit_of_the_target_does_not_matter():
    """A target in millionths is learned alike, and Huber's delta is in its unit."""
    plain = problem("regression")
    small = Dataset(plain.name, plain.features, "y", plain.target / 1e6)
    figures = []
    for dataset, delta in ((plain, 20.0), (small, 20e-6)):
        training = Training(dataset, fastloss.Huber(delta=delta), "regression", learning_rate=0.01)
        for _ in range(20):
            list(training.epoch())
        figures.append(training.measure(training.held_out))
    assert figures[1]["r2"] == pytest.approx(figures[0]["r2"], rel=1e-3)
    assert figures[1]["rmse"] * 1e6 == pytest.approx(figures[0]["rmse"], rel=1e-3)


def test_figures_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    training = Training(problem("regression"), fastloss.SquaredError(), "regression")
    part = training.held_out
    figures = training.measure(part)
    prediction, target = training._predict(part, np.arange(len(part)))
    assert figures["r2"] == pytest.approx(metrics.r2_score(target, prediction), rel=1e-5)
    assert figures["mae"] == pytest.approx(metrics.mean_absolute_error(target, prediction))
    squares = metrics.mean_squared_error(target, prediction)
    assert figures["rmse"] == pytest.approx(np.sqrt(squares))
    assert figures["loss"] == pytest.approx(squares, rel=1e-5)


def test_divergence_is_told(capsys):
    pytest.importorskip("sklearn")
    arguments = ["train", "--loss", "mse", "--learning-rate", "1e30", "--quiet"]
    assert main(arguments) == 2
    assert "the network has diverged" in capsys.readouterr().err


# --- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "loss", "chosen"),
    [
        ("regression", None, "SquaredError"),
        ("regression", "huber", "Huber"),
        ("binary", None, "BinaryCrossEntropy"),
        ("binary", "log_loss", "LogLoss"),
        ("binary", "cross_entropy", "CrossEntropy"),
        ("multiclass", "log_loss", "LogLoss"),
        ("multiclass", "cross_entropy", "CrossEntropy"),
    ],
)
def test_own_table(task, loss, chosen, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    path = table(tmp_path / "a.csv", problem(task, rows=300))
    options = ["--loss", loss] if loss else []
    result = run(
        capsys,
        *("--data", path, "--target", "y", "--epochs", 40, "--learning-rate", 0.01, *options),
    )
    assert result["loss"]["name"] == chosen
    assert (
        result["classes"]
        == {
            "regression": [],
            "binary": ["no", "yes"],
            "multiclass": ["0", "1", "2"],
        }[task]
    )
    assert result["held_out"].get("r2", result["held_out"].get("accuracy")) > 0.9


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_kinds_of_tables(suffix, tmp_path, capsys):
    dataset = problem("regression")
    path = tmp_path / f"a{suffix}"
    columns = {**dataset.features, "y": dataset.target}
    if suffix == ".npz":
        np.savez(path, x=np.column_stack(list(dataset.features.values())), y=dataset.target)
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table(columns), path)
    same = run(capsys, "--data", path, "--target", "y", "--loss", "huber")
    pytest.importorskip("pyarrow")
    path = table(tmp_path / "a.csv", dataset)
    csv = run(capsys, "--data", path, "--target", "y", "--loss", "huber")
    assert same["epochs"] == csv["epochs"]


def test_texts_become_categories_and_columns_can_be_dropped(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    dataset = problem("regression")
    words = np.where(dataset.target > 100, "high", "low")
    path = table(tmp_path / "a.csv", dataset, word=words, key=[f"k{i}" for i in range(200)])
    arguments = ["--data", path, "--target", "y"]
    told = complaint(capsys, *arguments)
    assert "column 'key' holds 160 different texts" in told
    assert "--drop key" in told
    assert run(capsys, *arguments, "--drop", "key")["widths"] == [5, 10, 1]
    assert run(capsys, *arguments, "--drop", "key,word")["widths"] == [3, 10, 1]


@pytest.mark.parametrize(
    ("column", "natural"),
    [
        (["a", "b", "a", "b"], "binary"),
        (["a", "b", "c", "c"], "multiclass"),
        ([0, 1, 1, 0], "binary"),
        ([True, False, True, True], "binary"),
        ([0, 1, 2, 3], "regression"),
        ([0.5, 1.5, 2.0, 3.0], "regression"),
    ],
)
def test_what_a_target_looks_like(column, natural):
    texts = isinstance(column[0], str)
    target = np.array(column, dtype=object if texts else None)
    assert natural_task(Dataset("", {}, "y", target)) == natural


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        ("a,y\n1,2\n3,4\n", [], "--data needs --target; the columns are a, y"),
        ("a,y\n1,2\n3,4\n", ["--target", "z"], "no column 'z'; did you mean a, y?"),
        ("a,y\n1,2\n3,4\n", ["--target", "y", "--drop", "b"], "no column 'b'"),
        (
            "a,y\n1,2\n,4\n5,6\n",
            ["--target", "y"],
            "column 'a' has 1 missing values, the first in row 1",
        ),
        (
            "a,y\n1,u\n2,\n5,v\n",
            ["--target", "y"],
            "column 'y' has 1 missing values, the first in row 1",
        ),
        ("y\n1\n2\n", ["--target", "y"], "no column beside 'y'"),
        ("a,y\n", ["--target", "y"], "has no rows"),
        ("a,y\n1,2\n3,4\n", ["--target", "y"], "too few to hold 0.2 of them out"),
        ("a,a,y\n1,2,3\n", ["--target", "y"], "two columns have the same name"),
        ("d,y\n2020-01-01,1\n2020-01-02,2\n", ["--target", "y"], "neither numbers nor texts"),
        (
            "a,y\n1,u\n2,v\n",
            ["--target", "y", "--loss", "mse"],
            "holds texts, and this loss needs numbers",
        ),
        (
            "a,y\n1,u\n2,v\n3,w\n",
            ["--target", "y", "--loss", "focal"],
            "3 different values (u, v, w)",
        ),
        ("a,y\n1,.5\n2,.7\n", ["--target", "y", "--loss", "cross_entropy"], "holds fractions"),
        (
            "a,y\n1,1\n2,2\n3,3\n4,4\n",
            ["--target", "y", "--loss", "cross_entropy"],
            "no classes to learn",
        ),
    ],
)
def test_bad_tables(content, options, told, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert told in complaint(capsys, "--data", path, *options)


def test_options_that_need_a_table(capsys):
    assert "give it with --data" in complaint(capsys, "--target", "y")
    assert "no.npz: No such file" in complaint(capsys, "--data", "no.npz", "--target", "y")
    assert "huber" in complaint(capsys, "--loss", "hubr")
    assert "distances" in complaint(capsys, "--loss", "hinge_embedding")
    assert "logits" in complaint(capsys, "--loss", "negative_log_likelihood")


# --- output -----------------------------------------------------------------------------------


def test_summary_and_progress_lines(capsys):
    pytest.importorskip("sklearn")
    assert main(["train", "--epochs", "2"]) == 0
    out, err = capsys.readouterr()
    assert "Dense(10, relu) -> Dense(1, sigmoid), 321 parameters" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == ["train", "held"]
    assert [line[:9] for line in err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    assert main(["train", "--epochs", "2", "--quiet"]) == 0
    assert capsys.readouterr() == (out, "")


def test_progress_bar_on_a_terminal(monkeypatch, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["train", "--epochs", "2"]) == 0
    err = capsys.readouterr().err
    assert "epoch 2/2 |" in err
    assert "| loss " in err
    assert "; held out 0." in err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main(["train", "--epochs", "2"]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_nothing_held_out(capsys):
    pytest.importorskip("sklearn")
    result = run(capsys, "--held-out", 0, "--epochs", 1)
    assert "held_out" not in result
    assert result["rows"] == {"train": 569, "held_out": 0}


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG\r\n\x1a\n"), (".pdf", b"%PDF")])
def test_plot(suffix, magic, tmp_path, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    path = tmp_path / f"curves{suffix}"
    run(capsys, "--epochs", 2, "--plot", path)
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


def test_bad_plot_is_told_before_the_work(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(cli, "_run_epoch", None)
    assert "must end in one of" in complaint(capsys, "--plot", tmp_path / "a.doc")
    assert "No such file" in complaint(capsys, "--plot", tmp_path / "no" / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "options", "extra"),
    [("sklearn.datasets", [], "demo"), ("matplotlib.backend_bases", ["--plot", "a.png"], "plot")],
)
def test_a_missing_extra_is_named(module, options, extra, monkeypatch, tmp_path, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert f"pip install 'fastloss[{extra}]'" in complaint(capsys, *options)
