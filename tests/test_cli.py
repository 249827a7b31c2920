"""The command itself: help, catalogue, exit statuses, and what it does when interrupted."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

import fastloss
from fastloss import cli
from fastloss.cli import main

COMMANDS = ["train", "eval", "losses", "plot", "info"]

#: Errors of writing come late where the output is buffered, as it is by default.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def fastloss_command(*arguments, **options):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "fastloss", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: fastloss")


def test_no_command_shows_the_help(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"fastloss {fastloss.__version__}\n"


def test_info_shows_the_configuration():
    done = fastloss_command("info")
    assert (done.returncode, done.stderr) == (0, "")
    assert fastloss.__version__ in done.stdout


@pytest.mark.parametrize("cls", fastloss.losses())
def test_catalogue_has_every_loss(cls, capsys):
    assert main(["losses", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    entry = entries[cls.__name__]
    fields = {field.name for field in dataclasses.fields(cls)} - {"reduction"}
    assert set(entry["parameters"]) == fields
    assert entry["meaning"].endswith(".")
    assert main(["losses"]) == 0
    text = capsys.readouterr().out
    assert f"  {cls.__name__}(" in text
    assert entry["meaning"] in text
    assert all(alias in text for alias in cls.aliases)


@pytest.mark.parametrize("cls", fastloss.losses())
@pytest.mark.parametrize("command", ["train", "eval"])
def test_every_parameter_is_an_option(cls, command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    for field in dataclasses.fields(cls):
        if field.name != "reduction":
            assert f"--{field.name.replace('_', '-')}" in shown


@pytest.mark.parametrize("cls", fastloss.losses())
def test_one_loss_in_full(cls, capsys):
    assert main(["losses", cls.__name__]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{cls.__name__}(")
    assert "Annotated" not in out.partition("\n")[0]
    assert main(["losses", cls.__name__, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == cls.__name__


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("1.5", 1.5),
        ("1e-3", 1e-3),
        ("none", None),
        ("1,2.5", [1, 2.5]),
        ("inf", float("inf")),
    ],
)
def test_values_of_parameters(text, value):
    assert cli._parameter(text) == value


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["losses", "hubr"], "huber"),
        (["losses", "--guide", "fishing"], "no task 'fishing' in the guide"),
        (["losses", "huber", "--guide", "ranking"], "not both"),
        (
            ["train", "--epochs", "0"],
            "argument --epochs: must be a whole number, 1 or more, not '0'",
        ),
        (["train", "--epochs", "x"], "not 'x'"),
        (["train", "--held-out", "1"], "argument --held-out"),
        (["train", "--learning-rate", "nan"], "argument --learning-rate"),
        (["train", "--hidden", "3,-1"], "argument --hidden"),
        (["train", "--seed", "-1"], "argument --seed"),
        (["train", "extra"], "unrecognized arguments: extra (see fastloss train --help)"),
        (["plot", "huber", "--delta", "2", "--out", "x.png"], "--delta 2 (see fastloss plot"),
        (["eval"], "the following arguments are required"),
    ],
)
def test_bad_arguments_are_one_line(arguments, told, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastloss: error: ")
    assert err.count("\n") == 1
    assert told in err


def test_status_of_the_process():
    done = fastloss_command("eval", "mse", "--pred", "no.npy", "--target", "no.npy")
    assert done.returncode == 2
    assert done.stderr == "fastloss: error: no.npy: No such file or directory\n"


def test_interrupt_ends_quietly(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_info", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_broken_pipe_is_silent():
    command = f"{sys.executable} -m fastloss losses | true; exit ${{PIPESTATUS[0]}}"
    command = ["bash", "-c", command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=BUFFERED)
    assert done.stderr == ""
    assert done.returncode in (0, 141)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full")
def test_full_disk_is_told():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "fastloss", "losses"]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=BUFFERED
        )
    assert done.returncode == 2
    assert done.stderr.startswith("fastloss: error: ")
    assert done.stderr.count("\n") == 1
