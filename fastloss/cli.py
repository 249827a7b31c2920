"""The command ``fastloss``: train a network, evaluate files, list and draw the losses."""

import argparse
import dataclasses
import inspect
import json
import math
import os
import re
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import fastloss
from fastloss import guide
from fastloss.commands.datasets import Dataset, Task, demonstration, from_file, listed, natural_task
from fastloss.commands.evaluation import Inputs, mean_of, replacing, total_loss, write_gradient
from fastloss.commands.plotting import check_format, expand, plot_losses
from fastloss.commands.tables import InputError, open_array
from fastloss.commands.training import Training, plot_curves, task_of
from fastloss.extras import MissingExtraError, require

#: Prefix of the parsed arguments that are parameters of the loss.
_PARAMETER = "parameter:"

_TRAIN_EXAMPLES = """\
examples:
  fastloss train
      the network that beginners meet first, on real data that comes with scikit-learn
  fastloss train --plot curves.png --epochs 30
      the same for longer, and a picture of loss and accuracy
  fastloss train --loss huber --delta 20
      another loss with a parameter of its own; a data set that suits it is chosen
  fastloss train --data houses.csv --target price --drop id --hidden 32,16
      your own table (.csv, .parquet or .npz); texts become one column per category

The loss decides what is learned: a number, two classes or several. Without --loss it is chosen
by the target: texts and columns of two values are classes, other numbers are numbers.
Needs: pip install 'fastloss[demo]'; for your own tables also 'fastloss[files]'.
"""

_EVAL_EXAMPLES = """\
files:
  a.npy                          an array saved by numpy.save
  a.npz, a.npz:logits            its only array, or the one of that name
  a.csv:score, a.parquet:score   a column
  a.csv:cat,dog,bird             several columns, as the scores of several classes
  a.csv, a.parquet               all columns but the row numbers that pandas writes
  Files of any size are read in blocks, in constant memory. A .csv file without a header has
  columns 0, 1, 2, ...; .csv and .parquet need: pip install 'fastloss[files]'.

examples:
  fastloss eval squared_error --pred pred.npy --target target.npy
  fastloss eval huber --delta 1.5 --pred scored.csv:price --target scored.csv:paid
  fastloss eval cross_entropy --pred logits.npy --target labels.npy --grad gradient.npy
  fastloss eval log_loss --pred p.parquet:p --target t.npy --weight w.npy --json
"""

_LOSSES_EXAMPLES = """\
examples:
  fastloss losses                          every loss in two lines
  fastloss losses huber                    formula, derivatives, parameters of one
  fastloss losses --guide                  which loss for which task, and why
  fastloss losses --guide segmentation     the same for one task
"""

_PLOT_EXAMPLES = """\
examples:
  fastloss plot squared_error huber log_cosh --out robust.png
      several losses, each with its defaults
  fastloss plot huber --param delta=0.5,1,2 --out huber.svg
      one loss with several values of a parameter
  fastloss plot poisson --target 5 --range=-1,4 --out poisson.pdf
      a loss that is no function of the residual, at another target

Losses of a number against a number are drawn over the residual where that is all that matters, else
over the prediction; losses of classes over the logit of the right one of two.
Needs: pip install 'fastloss[plot]'.
"""

_EXAMPLES = """\
examples:
  fastloss train                 train a small network on real data
  fastloss losses --guide        which loss for which task
  fastloss plot huber log_cosh --out picture.png
  fastloss eval mse --pred predictions.npy --target targets.npy

Each command explains itself: fastloss COMMAND --help
"""


#: The loss that people reach for first.
_USUAL_LOSS: dict[Task, str] = {
    "regression": "SquaredError",
    "binary": "BinaryCrossEntropy",
    "multiclass": "CrossEntropy",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the command line.

    Returns
    -------
    int
        Exit status: 0, 2 for bad input, 130 after Ctrl-C.
    """
    try:
        with _clean_end_on_signals():
            parser = _parser()
            chosen = parser.parse_args(arguments)
            if chosen.command is None:
                parser.print_help()
            else:
                chosen.command(chosen)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except (InputError, MissingExtraError, OSError, MemoryError) as error:
        _give_up_output()
        if isinstance(error, BrokenPipeError):
            # Nobody reads on, as in `fastloss losses | head`: the status of SIGPIPE, and no word.
            return 128 + 13
        print(f"fastloss: error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _give_up_output() -> None:
    """Where the output cannot be written, keep the interpreter from trying again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory. {error}".rstrip(". ")
    return " ".join(str(error).split())


@contextmanager
def _clean_end_on_signals() -> Iterator[None]:
    """End by an exception when told to end, so that unfinished files are removed."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {}
    # Only the main thread may set handlers, and Windows has no SIGHUP.
    if threading.current_thread() is threading.main_thread():
        for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):
            number = getattr(signal, name)
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- arguments --------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Complain of what is not known here, where a command's parser would hand it back."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastloss",
        description="Fast losses with gradients: train with them, evaluate files, choose.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastloss {fastloss.__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], None], about: str, **more: Any
    ) -> _Parser:
        added: _Parser = commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **more,
        )
        added.set_defaults(command=command)
        return added

    _add_train_options(
        add(
            "train",
            _train,
            "train a small network with any loss",
            usage="fastloss train [--data FILE --target COLUMN] [--loss LOSS] [OPTION ...]",
            epilog=_TRAIN_EXAMPLES,
        )
    )
    _add_eval_options(
        add(
            "eval",
            _eval,
            "the loss of predictions in files, and its gradient",
            usage="fastloss eval LOSS --pred FILE --target FILE [--weight FILE] [OPTION ...]",
            epilog=_EVAL_EXAMPLES,
        )
    )
    losses = add(
        "losses",
        _losses,
        "list the losses with their parameters and other names",
        usage="fastloss losses [LOSS | --guide [TASK]] [--json]",
        epilog=_LOSSES_EXAMPLES,
    )
    losses.add_argument("loss", metavar="LOSS", nargs="?", help="explain this loss in full")
    losses.add_argument(
        "--guide", metavar="TASK", nargs="?", const="", help="tell which loss suits a task"
    )
    losses.add_argument("--json", action="store_true", help="print JSON")
    _add_plot_options(
        add(
            "plot",
            _plot,
            "draw value, gradient and Hessian of losses",
            usage="fastloss plot LOSS [LOSS ...] --out FILE.png [OPTION ...]",
            epilog=_PLOT_EXAMPLES,
        )
    )
    add("info", _info, "tell how fastloss was built and what it chose for this machine")
    return parser


def _add_train_options(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="FILE", type=Path, help="your own table")
    data.add_argument("--target", metavar="COLUMN", help="the column to predict")
    data.add_argument(
        "--drop", metavar="COLUMN,...", type=_names, default=[], help="columns to leave out"
    )
    data.add_argument(
        "--held-out",
        metavar="SHARE",
        type=_number(float, "at least 0 and below 1", lambda x: 0 <= x < 1),
        default=0.2,
        help="share of the rows to measure on and not to learn from (default %(default)s)",
    )
    network = parser.add_argument_group("network and training")
    network.add_argument("--loss", metavar="LOSS", help="its name; fastloss losses lists them")
    network.add_argument(
        "--hidden",
        metavar="UNITS,...",
        type=_widths,
        default=[10],
        help="units of each hidden layer; 0 for none (default 10)",
    )
    positive = _number(int, "a whole number, 1 or more", lambda x: x >= 1)
    network.add_argument(
        "--epochs", metavar="N", type=positive, default=10, help="default %(default)s"
    )
    network.add_argument(
        "--batch-size", metavar="N", type=positive, default=32, help="default %(default)s"
    )
    network.add_argument(
        "--learning-rate",
        metavar="X",
        type=_number(float, "above 0", lambda x: 0 < x < math.inf),
        default=1e-3,
        help="of Adam (default %(default)s)",
    )
    network.add_argument(
        "--seed",
        metavar="N",
        type=_number(int, "a whole number, 0 or more", lambda x: x >= 0),
        default=0,
        help="the same seed gives the same numbers (default %(default)s)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--plot", metavar="FILE.png", type=Path, help="draw the curves of loss and metric"
    )
    _add_output_options(output)
    _add_loss_parameters(parser)


def _add_eval_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("loss", metavar="LOSS", help="its name; fastloss losses lists them")
    arrays = parser.add_argument_group("arrays")
    arrays.add_argument("--pred", metavar="FILE", required=True, help="the predictions")
    arrays.add_argument("--target", metavar="FILE", required=True, help="the targets")
    arrays.add_argument("--weight", metavar="FILE", help="a weight per row or per element")
    arrays.add_argument(
        "--allow-nan", action="store_true", help="let a NaN prediction make the value NaN"
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--grad", metavar="OUT.npy", type=Path, help="write the gradient by the prediction"
    )
    output.add_argument(
        "--reduction",
        choices=("mean", "sum"),
        default="mean",
        help="mean: the sum of weight x loss divided by the sum of weights (default %(default)s)",
    )
    output.add_argument(
        "--denominator",
        metavar="X",
        type=_number(float, "above 0", lambda x: 0 < x < math.inf),
        help="what the mean divides by instead",
    )
    _add_output_options(output)
    _add_loss_parameters(parser)


def _add_plot_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("losses", metavar="LOSS", nargs="+", help="fastloss losses lists them")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="the picture: .png, .svg, .pdf, ..."
    )
    parser.add_argument(
        "--param",
        metavar="NAME=X,...",
        type=_assignment,
        action="append",
        default=[],
        help="a parameter and its values, for every loss that has it; may be given again",
    )
    parser.add_argument(
        "--target", metavar="X", type=_number(float, "a number", math.isfinite), help="the target"
    )
    parser.add_argument(
        "--range", metavar="FROM,TO", type=_range, help="of the horizontal axis, as --range=-1,4"
    )


def _add_output_options(group: Any) -> None:
    group.add_argument("--json", action="store_true", help="print JSON")
    group.add_argument("--quiet", action="store_true", help="no progress, only the result")


def _parameters(loss: type[Any]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(loss) if field.name != "reduction"]


#: The most losses with the same default that a parameter's help names.
MOST_NAMED = 5


def _add_loss_parameters(parser: argparse.ArgumentParser) -> None:
    """Add an option for each parameter that some loss has."""
    fields: dict[str, dict[str, dataclasses.Field[Any]]] = {}
    for loss in fastloss.losses():
        for field in _parameters(loss):
            fields.setdefault(field.name, {})[loss.__name__] = field
    group = parser.add_argument_group(
        "parameters of the loss, and their defaults (fastloss losses LOSS explains them)"
    )
    for name, losses in fields.items():
        defaults = [field.default for field in losses.values()]
        option: dict[str, Any] = {
            "dest": _PARAMETER + name,
            "default": argparse.SUPPRESS,
            "help": _defaults(losses).replace("%", "%%"),
        }
        flag = "--" + name.replace("_", "-")
        if all(isinstance(default, bool) for default in defaults):
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **option)
        elif all(isinstance(default, str) for default in defaults):
            group.add_argument(flag, metavar="WORD", **option)
        else:
            group.add_argument(flag, metavar="X", type=_parameter, **option)


def _defaults(fields: dict[str, dataclasses.Field[Any]]) -> str:
    """Tell which losses have a parameter, and with what default: many by their number."""
    losses: dict[str, list[str]] = {}
    for loss, field in fields.items():
        losses.setdefault(repr(field.default), []).append(loss)
    return "; ".join(
        f"{default} of {', '.join(those) if len(those) <= MOST_NAMED else f'{len(those)} losses'}"
        for default, those in losses.items()
    )


def _parameter(text: str) -> float | list[float] | None:
    """Read a parameter's value: a number, numbers with commas between them, or none."""
    if text.lower() == "none":
        return None
    try:
        numbers = [_int_or_float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number, several with commas between them, or none; not {text!r}"
        ) from None
    return numbers if "," in text else numbers[0]


def _assignment(text: str) -> tuple[str, list[Any]]:
    """Read a parameter's name and values."""
    name, equals, values = text.partition("=")
    if not equals or not name or not values:
        raise argparse.ArgumentTypeError(f"must be NAME=X or NAME=X,Y,..., not {text!r}")
    return name.replace("-", "_"), [_word(part) for part in values.split(",")]


def _word(text: str) -> Any:
    known = {"none": None, "true": True, "false": False}
    if text.lower() in known:
        return known[text.lower()]
    try:
        return _int_or_float(text)
    except ValueError:
        return text


def _range(text: str) -> tuple[float, float]:
    try:
        start, stop = map(float, text.split(","))
    except ValueError:
        start, stop = 0.0, 0.0
    if not (math.isfinite(start) and math.isfinite(stop) and start < stop):
        raise argparse.ArgumentTypeError(f"must be two numbers, the lower first, not {text!r}")
    return start, stop


def _int_or_float(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _number(kind: type[float], rule: str, holds: Callable[[float], bool]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not holds(number):
            raise argparse.ArgumentTypeError(f"must be {rule}, not {text!r}")
        return number

    return parse


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _widths(text: str) -> list[int]:
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = [-1]
    if widths != [0] and min(widths) < 1:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers with commas between them, as 32,16; not {text!r}"
        )
    return [] if widths == [0] else widths


def _make_loss(name: str, options: argparse.Namespace) -> fastloss.Loss:
    loss = _make_any_loss(name, options)
    if not isinstance(loss, fastloss.Loss):
        raise InputError(
            f"{name} takes a layer's input and weight, not predictions: it is for programs alone"
        )
    return loss


def _make_any_loss(name: str, options: argparse.Namespace) -> Any:
    given = {
        key.removeprefix(_PARAMETER): value
        for key, value in vars(options).items()
        if key.startswith(_PARAMETER)
    }
    try:
        known = {field.name for field in _parameters(type(fastloss.get(name)))}
        for parameter in given.keys() - known:
            has = ", ".join("--" + each.replace("_", "-") for each in sorted(known)) or "none"
            raise InputError(
                f"{name} has no parameter --{parameter.replace('_', '-')}; its parameters: {has}"
            )
        return fastloss.get(name, **given)
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error


# --- output -----------------------------------------------------------------------------------


class _NoBar:
    """Stands in for a progress bar where none is wanted."""

    def update(self, n: float = 1) -> None:
        """Show nothing."""

    def set_description_str(self, text: str, refresh: bool = True) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Close nothing."""


def _bar(quiet: bool, **options: Any) -> Any:
    """Return a tqdm bar on a terminal, where tqdm is installed; it is never needed."""
    if quiet or not sys.stderr.isatty():
        return _NoBar()
    try:
        tqdm = require("tqdm", "demo").tqdm
    except MissingExtraError:
        return _NoBar()
    # tqdm shows nothing where a terminal says that it is 0 columns wide; this makes them 80.
    return tqdm(file=sys.stderr, ncols=shutil.get_terminal_size().columns, **options)


def _print_json(result: object) -> None:
    print(json.dumps(_without_nan(result), indent=2, allow_nan=False))


def _without_nan(value: Any) -> Any:
    """Replace what JSON cannot say by null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _without_nan(value.tolist()) if hasattr(value, "tolist") else str(value)


def _describe(loss: fastloss.Loss) -> dict[str, Any]:
    parameters = {field.name: getattr(loss, field.name) for field in _parameters(type(loss))}
    return {"name": type(loss).__name__, "parameters": parameters}


def _print_rows(rows: dict[str, object]) -> None:
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        print(f"{name:{width}}{value}")


# --- the commands -----------------------------------------------------------------------------


def _info(_: argparse.Namespace) -> None:
    fastloss.show_config()


def _losses(options: argparse.Namespace) -> None:
    if options.guide is not None:
        if options.loss is not None:
            raise InputError("the guide is about tasks: give a LOSS or --guide, not both")
        _print_guide(options.guide, options.json)
        return
    if options.loss is not None:
        loss = type(_make_any_loss(options.loss, options))
        if options.json:
            _print_json(_catalogue_entry(loss))
        else:
            described = inspect.signature(loss).parameters.values()
            plain = inspect.Signature([p.replace(annotation=p.empty) for p in described])
            print(f"{loss.__name__}{plain}\n\n{inspect.getdoc(loss)}")
            print(f"\nfor: {', '.join(guide.tasks_of(loss.__name__)) or 'no task of the guide'}")
        return
    every = (*fastloss.losses(), fastloss.LinearCrossEntropy)
    entries = [_catalogue_entry(loss) for loss in every]
    if options.json:
        _print_json(entries)
        return
    shown = ""
    for entry in entries:
        if entry["family"] != shown:
            print(f"{'' if not shown else chr(10)}{entry['family']}")
            shown = entry["family"]
        parameters = ", ".join(f"{name}={value!r}" for name, value in entry["parameters"].items())
        print(f"  {entry['name']}({parameters})")
        print(f"      {entry['meaning']}")
        if entry["aliases"]:
            print(f"      also: {', '.join(entry['aliases'])}")


def _catalogue_entry(loss: type[Any]) -> dict[str, Any]:
    return {
        "name": loss.__name__,
        "family": loss.family,
        "meaning": re.sub(r":\w+:`(\w+)`", r"\1", (inspect.getdoc(loss) or "").partition("\n")[0]),
        "parameters": {field.name: field.default for field in _parameters(loss)},
        "aliases": loss.aliases,
        "tasks": guide.tasks_of(loss.__name__),
    }


def _print_guide(task: str, as_json: bool) -> None:
    try:
        tasks = [guide.find(task)] if task else list(guide.TASKS)
    except ValueError as error:
        raise InputError(str(error)) from error
    if as_json:
        _print_json([dataclasses.asdict(each) for each in tasks])
        return
    width = max(len(choice.loss) for each in tasks for choice in each.choices) + 4
    # As wide as the terminal, within what is pleasant to read.
    columns = max(60, min(shutil.get_terminal_size().columns, 100))
    for number, each in enumerate(tasks):
        print(("\n" if number else "") + each.name)
        print(textwrap.indent(textwrap.fill(each.about, columns - 2), "  "))
        for choice in each.choices:
            typical = "; ".join(f"{name} {values}" for name, values in choice.values())
            start = f"  {choice.loss}".ljust(width)
            for text in filter(None, (choice.why, typical and f"try {typical}")):
                for line in textwrap.wrap(text, columns - width):
                    print(start + line)
                    start = " " * width
        if each.example and task:
            print("\n" + textwrap.indent(each.example.rstrip(), "  "))


def _plot(options: argparse.Namespace) -> None:
    names = [name for name, _ in options.param]
    if len(set(names)) < len(names):
        raise InputError("--param: give each parameter once, with all its values")
    try:
        losses = expand(options.losses, dict(options.param))
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    with replacing(options.out) as picture:
        check_format(options.out.suffix, "--out")
        plot_losses(losses, picture, options.out.suffix, span=options.range, target=options.target)


def _eval(options: argparse.Namespace) -> None:
    if options.reduction == "sum" and options.denominator is not None:
        raise InputError("--denominator is what the mean divides by, and --reduction is sum")
    loss = _make_loss(options.loss, options)
    names = (options.pred, options.target, options.weight)
    inputs = Inputs(*(open_array(name) for name in names if name is not None))
    with ExitStack() as stack:
        # Opened before the work, so that a folder without room or rights is found out first.
        gradient = stack.enter_context(replacing(options.grad)) if options.grad else None
        steps = inputs.prediction.rows and inputs.prediction.rows * (2 if gradient else 1)
        # Nobody wants a bar for what takes less than a second.
        bar = _bar(options.quiet, total=steps, unit=" rows", unit_scale=True, delay=1, leave=False)
        stack.callback(bar.close)
        total, rows = total_loss(loss, inputs, allow_nan=options.allow_nan, advance=bar.update)
        divisor = options.denominator or (1.0 if options.reduction == "sum" else total.weight)
        if gradient:
            write_gradient(gradient, rows, loss, inputs, denominator=divisor, advance=bar.update)
    if options.reduction == "mean" and options.denominator is None:
        value = mean_of(loss, inputs, total)
    else:
        value = total.total / divisor
    if options.json:
        result = {"loss": _describe(loss), "reduction": options.reduction, "value": value}
        result |= {"total": total.total, "count": total.count, "weight": total.weight}
        _print_json(result | ({"gradient": str(options.grad)} if options.grad else {}))
        return
    shown = {"loss": loss, options.reduction: value, "count": total.count}
    shown["weight sum"] = total.weight
    _print_rows(shown | ({"gradient": options.grad} if options.grad else {}))


def _train(options: argparse.Namespace) -> None:
    dataset, loss, training = _prepare(options)
    with ExitStack() as stack:
        # Opened before the work, so that a folder without room or rights is found out first.
        picture = stack.enter_context(replacing(options.plot)) if options.plot else None
        if picture:
            check_format(options.plot.suffix, "--plot")
        if not options.json:
            _print_rows(_set_up(dataset, loss, training))
            print(flush=True)
        history = [_run_epoch(training, k, options) for k in range(1, options.epochs + 1)]
        if picture:
            plot_curves(history, training.leading_metric, picture, options.plot.suffix)
    parts = {"train": training.train, "held_out": training.held_out}
    final = {name: training.measure(part) for name, part in parts.items() if len(part)}
    if not options.json:
        _print_figures(final)
        if options.plot:
            print(f"\ncurves in {options.plot}")
        return
    _print_json(
        {
            "data": dataset.name,
            "target": dataset.target_name,
            "classes": training.classes,
            "rows": {name: len(part) for name, part in parts.items()},
            "loss": _describe(loss),
            "widths": training.network.widths,
            "seed": options.seed,
            "epochs": history,
            **final,
        }
    )


def _prepare(options: argparse.Namespace) -> tuple[Dataset, fastloss.Loss, Training]:
    """Bring data and loss together; where one is not given, it is chosen to suit the other."""
    own = options.data is not None
    if not own and (options.target or options.drop):
        raise InputError("--target and --drop belong to your own table: give it with --data")
    natural = None
    if own:
        dataset = from_file(options.data, options.target, options.drop)
        natural = natural_task(dataset)
    loss = _make_loss(options.loss or _USUAL_LOSS[natural or "binary"], options)
    task = task_of(loss, natural)
    if not own:
        dataset = demonstration(task)
    training = Training(
        dataset,
        loss,
        task,
        hidden=options.hidden,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        held_out=options.held_out,
        seed=options.seed,
    )
    return dataset, loss, training


def _set_up(dataset: Dataset, loss: fastloss.Loss, training: Training) -> dict[str, object]:
    classes = listed(training.classes)
    units = [f"Dense({units}, relu)" for units in training.network.widths[1:-1]]
    last = f", {training.activation}" if training.activation else ""
    network = " -> ".join([*units, f"Dense({training.network.widths[-1]}{last})"])
    return {
        "data": f"{dataset.name}, {len(dataset.features)} columns",
        "target": dataset.target_name + (f": {classes}" if classes else ""),
        "rows": f"{len(training.train)} to learn from, {len(training.held_out)} held out",
        "network": f"{network}, {training.network.parameters.size} parameters",
        "loss": loss,
    }


def _run_epoch(
    training: Training, number: int, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Train for an epoch, with a bar as it goes; return its figures."""
    label = f"epoch {number:{len(str(options.epochs))}}/{options.epochs}"
    # Short enough for a terminal of 80 columns.
    layout = label + " |{bar:6}| {desc}"
    bar = _bar(options.quiet, total=training.batches, bar_format=layout)
    for _ in training.epoch():
        bar.set_description_str(_inline(training, training.running()), refresh=False)
        bar.update()
    figures = {"train": training.running()}
    if not math.isfinite(figures["train"]["loss"]):
        bar.close()
        raise InputError(
            f"the loss is {figures['train']['loss']} in epoch {number}: the network has diverged; "
            f"try a --learning-rate below {options.learning_rate:g}"
        )
    text = _inline(training, figures["train"])
    if len(training.held_out):
        figures["held_out"] = training.measure(training.held_out)
        text += f"; held out {_inline(training, figures['held_out'], named=False)}"
    bar.set_description_str(text)
    bar.close()
    if isinstance(bar, _NoBar) and not options.quiet:
        print(f"{label}  {text}", file=sys.stderr)
    return figures


def _inline(training: Training, figures: dict[str, float], named: bool = True) -> str:
    names = ("loss", training.leading_metric)
    return ", ".join((f"{name} " if named else "") + f"{figures[name]:#.4g}" for name in names)


def _print_figures(parts: dict[str, dict[str, float]]) -> None:
    print(" " * 10 + "".join(f"{name:>12}" for name in parts["train"]))
    for part, figures in parts.items():
        numbers = "".join(f"{value:12.5g}" for value in figures.values())
        print(f"{part.replace('_', ' '):10}{numbers}")
