"""`fastloss eval`: files of every kind agree with arrays in memory, whatever is wrong is told."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastloss
from cases import CLASSES, Case, default_cases, sample, sample_weight
from fastloss.cli import main
from fastloss.commands import evaluation
from fastloss.commands.tables import InputError, open_array, read_columns

#: Of the tests that need a loss, but no particular one.
CASE = Case(fastloss.Huber, {"delta": 0.5}, "numbers")


def run(capsys, *arguments):
    """Run `fastloss eval` in this process; return what its JSON says."""
    assert main(["eval", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys, *arguments):
    """Run `fastloss eval`, which has to fail with one line; return the line."""
    assert main(["eval", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastloss: error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def files(tmp_path):
    """Save arrays as .npy files; return their paths."""

    def save(**arrays):
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        return [tmp_path / f"{name}.npy" for name in arrays]

    return save


@pytest.fixture
def small_blocks(monkeypatch):
    """Let a test's few rows be many blocks, the last one short."""
    monkeypatch.setattr(evaluation, "BLOCK_SIZE", 77)


@pytest.mark.parametrize("case", default_cases(), ids=lambda case: case.id)
def test_every_loss_agrees_with_arrays_in_memory(case, files, small_blocks, tmp_path, capsys):
    loss = case.loss()
    prediction, target = sample(case, np.float32, 1000)
    weight = sample_weight(1000)
    p, t, w = files(p=prediction, t=target, w=weight)
    g = tmp_path / "g.npy"
    result = run(
        capsys, case.loss_class.__name__, "--pred", p, "--target", t, "--weight", w, "--grad", g
    )
    value, gradient = loss.value_and_grad(prediction, target, weight)
    whole = loss.partial(prediction, target, weight)
    assert result["value"] == pytest.approx(value, rel=1e-13)
    assert result["weight"] == pytest.approx(whole.weight, rel=1e-13)
    assert result["count"] == whole.count
    written = np.load(g)
    assert written.dtype == gradient.dtype
    np.testing.assert_allclose(written, gradient, rtol=4 * np.finfo(gradient.dtype).eps)


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i2"])
def test_one_block_is_the_library_call_bit_for_bit(dtype, files, tmp_path, capsys):
    loss = CASE.loss()
    prediction, target = sample(CASE, np.float32, 1000)
    prediction = prediction.astype(dtype)
    p, t = files(p=prediction, t=target)
    g = tmp_path / "g.npy"
    result = run(capsys, "huber", "--delta", 0.5, "--pred", p, "--target", t, "--grad", g)
    value, gradient = loss.value_and_grad(prediction, target)
    assert result["value"] == value
    assert result["loss"] == {"name": "Huber", "parameters": {"delta": 0.5, "hessian": "exact"}}
    assert np.load(g).dtype == gradient.dtype
    assert np.load(g).tobytes() == gradient.tobytes()


@pytest.mark.parametrize(
    ("options", "divisor"), [(["--reduction", "sum"], 1), (["--denominator", "7"], 7)]
)
def test_reductions(options, divisor, files, small_blocks, tmp_path, capsys):
    loss = fastloss.SquaredError()
    prediction, target = sample(CASE, np.float32, 1000)
    p, t = files(p=prediction, t=target)
    g = tmp_path / "g.npy"
    result = run(capsys, "mse", "--pred", p, "--target", t, "--grad", g, *options)
    total, gradient = loss.value_and_grad(prediction, target, reduction="sum")
    assert result["value"] == pytest.approx(total / divisor, rel=1e-13)
    np.testing.assert_allclose(np.load(g), gradient / divisor, rtol=1e-6)


def test_text_output(files, capsys):
    p, t = files(p=np.array([0.0, 2.0]), t=np.array([0, 0]))
    assert main(["eval", "squared_error", "--pred", str(p), "--target", str(t)]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["mean"] == "2.0"
    assert rows["count"] == "2"
    assert rows["weight"].split() == ["sum", "2.0"]


def test_parameters_with_several_numbers(files, capsys):
    loss = fastloss.CrossEntropy(class_weight=[1, 2, 3, 4, 5], label_smoothing=0.1)
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(300, 5)), rng.integers(0, 5, 300)
    p, t = files(p=prediction, t=target)
    result = run(
        capsys,
        *("cross_entropy", "--pred", p, "--target", t),
        *("--class-weight", "1,2,3,4,5", "--label-smoothing", "0.1"),
    )
    assert result["value"] == pytest.approx(loss(prediction, target), rel=1e-13)
    assert result["weight"] == (target + 1.0).sum()


def test_ignored_rows_may_hold_nan_and_nothing_counted_follows_the_loss(files, capsys):
    logits = np.zeros((3, 2))
    logits[1] = np.nan
    p, t, none = files(p=logits, t=[0, -100, 1], none=[-100] * 3)
    result = run(capsys, "cross_entropy", "--pred", p, "--target", t)
    assert result["value"] == pytest.approx(math.log(2))
    assert result["count"] == 2
    result = run(capsys, "cross_entropy", "--pred", p, "--target", none)
    assert (result["value"], result["count"]) == (None, 0)
    result = run(capsys, "cross_entropy", "--pred", p, "--target", none, "--empty", "zero")
    assert (result["value"], result["count"]) == (0.0, 0)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0]])
def test_weights_that_add_up_to_nothing(weights, files, tmp_path, capsys):
    prediction, target = np.array([1.0, 2.0]), np.zeros(2)
    p, t, w = files(p=prediction, t=target, w=np.array(weights))
    g = tmp_path / "g.npy"
    result = run(capsys, "mse", "--pred", p, "--target", t, "--weight", w, "--grad", g)
    value, gradient = fastloss.SquaredError().value_and_grad(prediction, target, weights)
    assert math.isnan(value)
    assert result["value"] is None
    np.testing.assert_array_equal(np.load(g), gradient)


@pytest.mark.parametrize("weights", [[np.inf, 1.0], [-1.0, 0.0]])
def test_weights_that_nothing_can_be_divided_by(weights, files, tmp_path, capsys):
    p, t, w = files(p=np.ones(2), t=np.zeros(2), w=np.array(weights))
    arguments = ["mse", "--pred", p, "--target", t, "--weight", w, "--grad", tmp_path / "g.npy"]
    assert "the weights add up to" in complaint(capsys, *arguments)


# --- kinds of files ---------------------------------------------------------------------------


def save_npz(path, columns):
    np.savez(path, **columns)


def save_compressed(path, columns):
    np.savez_compressed(path, **columns)


def save_csv(path, columns):
    arrow, writer = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.csv")
    columns = {name: column.astype(np.float64) for name, column in columns.items()}
    writer.write_csv(arrow.table(columns), path)


def save_parquet(path, columns):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table(columns)
    parquet.write_table(table, path, row_group_size=min(max(130, len(table) // 100), 100_000))


@pytest.mark.parametrize(
    ("suffix", "save"),
    [
        (".npz", save_npz),
        (".npz", save_compressed),
        (".csv", save_csv),
        (".parquet", save_parquet),
    ],
)
def test_kinds_of_files(suffix, save, small_blocks, tmp_path, capsys):
    loss = fastloss.SquaredError()
    prediction, target = sample(CASE, np.float32, 1000)
    weight = sample_weight(1000)
    path = tmp_path / f"data{suffix}"
    save(path, {"a": target, "b": weight, "c": prediction})
    result = run(
        capsys, "mse", "--pred", f"{path}:c", "--target", f"{path}:a", "--weight", f"{path}:b"
    )
    assert result["value"] == pytest.approx(loss(prediction, target, weight), rel=1e-6)


@pytest.mark.parametrize(("suffix", "save"), [(".csv", save_csv), (".parquet", save_parquet)])
def test_columns_are_class_scores(suffix, save, small_blocks, tmp_path, capsys):
    loss = fastloss.CrossEntropy()
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(1000, CLASSES)), rng.integers(0, CLASSES, 1000)
    scores, target = tmp_path / f"scores{suffix}", tmp_path / f"target{suffix}"
    save(scores, {f"c{k}": logits[:, k] for k in range(CLASSES)})
    save(target, {"label": labels})
    expected = pytest.approx(loss(logits, labels), rel=1e-6)
    assert run(capsys, "cross_entropy", "--pred", scores, "--target", target)["value"] == expected
    order = ",".join(f"c{k}" for k in range(CLASSES))
    result = run(capsys, "cross_entropy", "--pred", f"{scores}:{order}", "--target", target)
    assert result["value"] == expected
    order = ",".join(f"c{k}" for k in reversed(range(CLASSES)))
    result = run(capsys, "cross_entropy", "--pred", f"{scores}:{order}", "--target", target)
    assert result["value"] == pytest.approx(loss(logits[:, ::-1], labels), rel=1e-6)


@pytest.mark.parametrize("fixed", [False, True])
def test_a_parquet_cell_may_hold_all_scores_of_a_row(fixed, small_blocks, tmp_path, capsys):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    scores = np.arange(60.0).reshape(20, 3)
    kind = arrow.list_(arrow.float64(), 3 if fixed else -1)
    parquet.write_table(
        arrow.table({"s": arrow.array(scores.tolist(), kind)}), tmp_path / "a.parquet"
    )
    path = tmp_path / "a.parquet"
    blocks = list(open_array(str(path)).blocks(7))
    assert [len(block) for block in blocks] == [7, 7, 6]
    np.testing.assert_array_equal(np.concatenate(blocks), scores)
    scores[11, 2] = np.nan
    np.save(tmp_path / "t.npy", np.zeros(20, int))
    parquet.write_table(arrow.table({"s": arrow.array(scores.tolist(), kind)}), path)
    told = complaint(capsys, "cross_entropy", "--pred", path, "--target", tmp_path / "t.npy")
    assert "row 11, column 's' is NaN" in told


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i1", "?", "f2"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(10,), (10, 3), (10, 2, 2), (0,), (0, 3), (3, 0)])
def test_numpy_files_come_back_whole(save, dtype, order, shape, tmp_path):
    array = np.asarray(np.arange(math.prod(shape)).reshape(shape) % 2, dtype, order=order)
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, array)
    source = open_array(str(path))
    blocks = list(source.blocks(4))
    assert (source.rows, source.row_shape, source.dtype) == (shape[0], shape[1:], array.dtype)
    assert all(len(block) == 4 for block in blocks[:-1])
    np.testing.assert_array_equal(
        np.concatenate([np.empty((0, *shape[1:]), dtype), *blocks]), array
    )


def test_csv_without_header_and_with_another_delimiter(tmp_path, capsys):
    pytest.importorskip("pyarrow")
    np.savetxt(tmp_path / "a.csv", [[1, 2], [3, 5]], delimiter=";")
    result = run(capsys, "mse", "--pred", tmp_path / "a.csv:0", "--target", tmp_path / "a.csv:1")
    assert (result["value"], result["count"]) == (2.5, 2)


def test_the_index_that_pandas_writes_is_left_out(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.csv").write_text(",x,y\n0,1,2\n1,3,4\n")
    assert open_array(str(tmp_path / "a.csv")).columns == ("x", "y")
    assert list(read_columns(tmp_path / "a.csv")) == ["x", "y"]
    save_parquet(tmp_path / "a.parquet", {"x": np.zeros(3), "__index_level_0__": np.arange(3)})
    assert open_array(str(tmp_path / "a.parquet")).columns == ("x",)
    assert list(read_columns(tmp_path / "a.parquet")) == ["x"]


def test_csv_types_may_change_after_the_first_block(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 700_000 + "0.5\n")
    blocks = list(open_array(str(tmp_path / "a.csv")).blocks(500_000))
    assert [len(block) for block in blocks] == [500_000, 200_001]
    assert blocks[1][-1] == 0.5


def test_a_colon_in_the_path_is_no_choice(tmp_path, capsys):
    np.save(tmp_path / "a.csv:b.npy", np.zeros(3))
    path = tmp_path / "a.csv:b.npy"
    assert run(capsys, "mse", "--pred", path, "--target", path)["value"] == 0


# --- bad input --------------------------------------------------------------------------------


@pytest.fixture
def good(files):
    """A prediction and a target that fit; most tests of complaints spoil one of them."""
    return files(p=np.zeros(300), t=np.ones(300))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.npy", None, "missing.npy: No such file"),
        ("a.txt", b"1 2 3", "must end in one of .npy, .npz, .csv, .parquet"),
        ("noise.npy", b"noise" * 100, "not an array that NumPy saved"),
        ("noise.npz", b"noise" * 100, "noise.npz: File is not a zip file"),
        ("noise.parquet", b"noise" * 100, "noise.parquet: "),
        ("empty.npy", b"", "not an array that NumPy saved"),
        ("empty.csv", b"", "first line is empty"),
        ("binary.csv", b"a\n\xff\xfe\x00\n", "binary.csv: "),
        ("text.csv", b"a\n1\n2\nx\n", "Row #4: CSV conversion error to double: invalid value 'x'"),
        ("ragged.csv", b"a,b\n1,2\n3\n", "Row #3: Expected 2 columns, got 1"),
        ("missing.csv", b"a,b\n1,2\n,3\n", "row 1, column 'a' is NaN or missing"),
    ],
)
def test_unreadable_files(name, content, told, good, tmp_path, capsys):
    if name.endswith((".csv", ".parquet")):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert told in complaint(capsys, "mse", "--pred", path, "--target", path)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array(["a", "b"]), "holds <U1, and real numbers are needed"),
        (np.zeros(3, complex), "holds complex128, and real numbers are needed"),
        (np.array(1.5), "holds a single number"),
        (np.zeros(301), "has 300 rows and"),
        (np.zeros(299), "has 299 rows and"),
        (np.zeros((300, 1)), "(300, 1)"),
    ],
)
def test_arrays_that_do_not_fit(array, told, good, small_blocks, tmp_path, capsys):
    np.save(tmp_path / "bad.npy", array)
    assert told in complaint(capsys, "mse", "--pred", good[0], "--target", tmp_path / "bad.npy")


def test_classes_must_not_lie_on_the_axis_of_the_rows(files, capsys):
    square, row, t = files(square=np.zeros((3, 3)), row=np.zeros(3), t=np.zeros(3))
    arguments = ["cross_entropy", "--target", t, "--pred"]
    for options in ([square, "--axis", 0], [square, "--axis", -2], [row]):
        assert "its first axis has to be one of rows" in complaint(capsys, *arguments, *options)


def test_a_csv_that_ends_early_or_late(good, small_blocks, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    for rows in (299, 301, 308):
        np.savetxt(tmp_path / "t.csv", np.zeros(rows))
        told = complaint(capsys, "mse", "--pred", good[0], "--target", tmp_path / "t.csv")
        assert "they differ" in told


def test_cut_short(good, capsys):
    p, t = good
    content = p.read_bytes()
    p.write_bytes(content[:-8])
    assert "cut short, 2392 of 2400 bytes" in complaint(capsys, "mse", "--pred", p, "--target", t)


@pytest.mark.parametrize("array", ["p", "t", "w"])
def test_nan_is_told_with_its_row(array, files, small_blocks, tmp_path, capsys):
    arrays = {"p": np.zeros(300), "t": np.ones(300), "w": np.ones(300)}
    arrays[array][[211, 250]] = np.nan
    p, t, w = files(**arrays)
    g = tmp_path / "g.npy"
    arguments = ["mse", "--pred", p, "--target", t, "--weight", w]
    told = complaint(capsys, *arguments, "--grad", g)
    assert f"{array}.npy: row 211 is NaN or missing" in told
    assert ("--allow-nan" in told) == (array == "p")
    if array == "p":
        result = run(capsys, *arguments, "--allow-nan", "--grad", g)
        assert result["value"] is None
        assert np.flatnonzero(np.isnan(np.load(g))).tolist() == [211, 250]
    else:
        complaint(capsys, *arguments, "--allow-nan")
        assert not g.exists()


def test_label_out_of_range_is_told_with_its_row(files, small_blocks, capsys):
    labels = np.arange(300) % 3
    labels[[217, 250]] = 3
    p, t = files(p=np.zeros((300, 3)), t=labels)
    told = complaint(capsys, "cross_entropy", "--pred", p, "--target", t)
    assert "the label 3 at position 217" in told


def test_probability_out_of_range_is_told_with_its_row(files, small_blocks, capsys):
    probabilities = np.full(300, 0.5)
    probabilities[288] = 1.5
    p, t = files(p=probabilities, t=np.zeros(300))
    assert "position 288" in complaint(capsys, "log_loss", "--pred", p, "--target", t)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["hubr"], "huber"),
        (["huber", "--gamma", "2"], "huber has no parameter --gamma; its parameters: --delta"),
        (["huber", "--delta", "-1"], "delta"),
        (["huber", "--delta", "wide"], "argument --delta: must be a number"),
        (["mse", "--delt", "1"], "unrecognized arguments: --delt"),
        (["mse", "--reduction", "median"], "invalid choice: 'median'"),
        (["mse", "--denominator", "0"], "argument --denominator: must be above 0, not '0'"),
        (["mse", "--reduction", "sum", "--denominator", "2"], "--denominator"),
    ],
)
def test_bad_options(options, told, good, capsys):
    assert told in complaint(capsys, *options, "--pred", good[0], "--target", good[1])


def test_what_is_chosen_in_a_file_must_be_there(tmp_path, good, capsys):
    np.savez(tmp_path / "a.npz", x=np.zeros(300), y=np.zeros(300))
    for choice, told in [("", "holds x, y: choose one"), (":z", "no 'z' in the file; it has x, y")]:
        pred = f"{tmp_path / 'a.npz'}{choice}"
        assert told in complaint(capsys, "mse", "--pred", pred, "--target", good[1])
    told = complaint(capsys, "mse", "--pred", f"{good[0]}:x", "--target", good[1])
    assert "holds one array" in told


def test_a_missing_extra_is_named(good, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    (tmp_path / "a.csv").write_text("a\n1\n")
    told = complaint(capsys, "mse", "--pred", tmp_path / "a.csv", "--target", good[1])
    assert "pip install 'fastloss[files]'" in told


# --- the gradient's file ----------------------------------------------------------------------


def test_unwritable_gradient(good, tmp_path, capsys):
    arguments = ["mse", "--pred", good[0], "--target", good[1], "--grad"]
    assert "no/g.npy: No such file" in complaint(capsys, *arguments, tmp_path / "no" / "g.npy")
    assert "Is a directory" in complaint(capsys, *arguments, tmp_path)


def test_a_failed_run_leaves_the_old_gradient_alone(files, small_blocks, tmp_path, capsys):
    labels = np.zeros(300, int)
    labels[299] = 7
    p, t = files(p=np.zeros((300, 3)), t=labels)
    g = tmp_path / "g.npy"
    g.write_bytes(b"old")
    before = set(tmp_path.iterdir())
    complaint(capsys, "cross_entropy", "--pred", p, "--target", t, "--grad", g)
    assert g.read_bytes() == b"old"
    assert set(tmp_path.iterdir()) == before


def test_the_gradient_may_replace_its_prediction(good, small_blocks, capsys):
    p, t = good
    run(capsys, "mse", "--pred", p, "--target", t, "--grad", p)
    np.testing.assert_allclose(np.load(p), np.full(300, -2 / 300))


def test_replacing_removes_what_is_unfinished(tmp_path):
    def fail():
        with evaluation.replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise InputError

    with pytest.raises(InputError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with evaluation.replacing(tmp_path / "a") as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def sparse(path, dtype, rows):
    """Save zeros that take no room on the disk."""
    with path.open("wb") as file:
        header = {"descr": dtype, "fortran_order": False, "shape": (rows,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + rows * np.dtype(dtype).itemsize)
    return path


#: One thread each: the stacks and buffers of others are address space too.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
@pytest.mark.parametrize(("number", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_killed_run_leaves_nothing(number, status, tmp_path):
    p, t = sparse(tmp_path / "p.npy", "<f8", 1 << 28), sparse(tmp_path / "t.npy", "<i1", 1 << 28)
    g = tmp_path / "g.npy"
    command = [sys.executable, "-m", "fastloss", "eval", "mse"]
    command += ["--pred", str(p), "--target", str(t), "--grad", str(g)]

    def interruptible():
        # What a shell starts in the background ignores SIGINT, and its children with it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, preexec_fn=interruptible
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".g.npy*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert child.poll() is None, "the run has to be under way"
    child.send_signal(getattr(signal, number))
    _, err = child.communicate(timeout=30)
    assert child.returncode == status
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.npy", "t.npy"]


def test_files_larger_than_memory(tmp_path):
    if sys.platform != "linux":
        pytest.skip("only Linux holds the address space to its limit")
    limit = 700 << 20
    p, t = sparse(tmp_path / "p.npy", "<f8", 1 << 27), sparse(tmp_path / "t.npy", "<i1", 1 << 27)
    assert p.stat().st_size > limit
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))\n"
        "import sys; from fastloss.cli import main; raise SystemExit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "eval", "mse", "--json"]
    command += ["--pred", str(p), "--target", str(t)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["count"] == 1 << 27


@pytest.mark.parametrize(
    ("suffix", "save"), [(".csv", save_csv), (".parquet", save_parquet), (".npz", save_npz)]
)
def test_peak_memory_is_far_below_the_size_of_the_numbers(suffix, save, tmp_path):
    """The files that are no memory maps, with the gradient written too."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process's own peak; getrusage counts its parent's in")
    code = (
        "import re, sys; from fastloss.cli import main; status = main(sys.argv[1:])\n"
        "text = open('/proc/self/status').read()\n"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', text)[1], file=sys.stderr)\n"
        "raise SystemExit(status)"
    )
    rows = 16_000_000
    path = tmp_path / f"a{suffix}"
    save(path, {"a": np.arange(rows) % 100 / 8})
    command = [sys.executable, "-c", code, "eval", "mse", "--json"]
    command += ["--pred", f"{path}:a", "--target", f"{path}:a", "--grad", str(tmp_path / "g.npy")]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] == rows
    # Less than two arrays and a gradient, let alone with the interpreter's and packages' 100 MB.
    assert int(done.stderr) * 1024 < 3 * 8 * rows
