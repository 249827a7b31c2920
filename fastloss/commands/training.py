"""A training loop in NumPy: batches and metrics here, loss and gradient by fastloss."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

import fastloss
from fastloss.commands.datasets import Dataset, Part, Task, encode_target, split
from fastloss.commands.network import Adam, Floats, Network, Output
from fastloss.commands.tables import InputError
from fastloss.extras import require
from fastloss.links import Exponential, Sigmoid, link_of, of_logarithm

Array = NDArray[Any]


class Scores(ABC):
    """Metrics summed over batches."""

    #: The metric that a progress bar and a plot show.
    leading = ""

    @abstractmethod
    def add(self, prediction: Floats, target: Array) -> None:
        """Count a batch in."""

    @abstractmethod
    def figures(self) -> dict[str, float]:
        """Return the metrics of everything counted so far."""


class Accuracy(Scores):
    """The share of rows whose class is the most probable one."""

    leading = "accuracy"

    def __init__(self, rows: int, threshold: float) -> None:
        self._threshold = threshold
        self._hit, self._positive = np.empty(rows, bool), np.empty(rows, bool)
        self._class = np.empty(rows, np.intp)
        self._right = self._rows = 0

    def add(self, prediction: Floats, target: Array) -> None:
        """Count a batch in: one score per row, or one per row and class."""
        n = len(target)
        hit, positive, label = self._hit[:n], self._positive[:n], self._class[:n]
        if prediction.ndim == 1:
            np.greater(prediction, self._threshold, out=hit)
            np.greater(target, 0.5, out=positive)
            np.equal(hit, positive, out=hit)
        else:
            np.argmax(prediction, axis=1, out=label)
            np.equal(label, target, out=hit)
        self._right += int(np.count_nonzero(hit))
        self._rows += n

    def figures(self) -> dict[str, float]:
        """Return the accuracy."""
        return {"accuracy": self._right / self._rows}


class Deviations(Scores):
    """How far predictions of a number lie from it: RMSE, MAE and R²."""

    leading = "rmse"

    def __init__(self, rows: int) -> None:
        self._residual, self._target = np.empty(rows), np.empty(rows)
        self._rows = 0
        self._sums = np.zeros(4)

    def add(self, prediction: Floats, target: Array) -> None:
        """Count a batch in, in float64."""
        residual, goal = self._residual[: len(target)], self._target[: len(target)]
        goal[...] = target
        np.subtract(prediction, goal, out=residual)
        sums = self._sums
        sums[0] += np.dot(residual, residual)
        sums[2] += goal.sum()
        sums[3] += np.dot(goal, goal)
        np.abs(residual, out=residual)
        sums[1] += residual.sum()
        self._rows += len(target)

    def figures(self) -> dict[str, float]:
        """Return root mean square, mean absolute value, and the share of variance explained."""
        squares, absolutes, total, total_squares = self._sums.tolist()
        variation = total_squares - total * total / self._rows
        return {
            "rmse": math.sqrt(squares / self._rows),
            "mae": absolutes / self._rows,
            "r2": 1 - squares / variation if variation > 0 else math.nan,
        }


#: What the network learns, by the family that a loss belongs to.
TASKS: dict[str, Task] = {
    "regression": "regression",
    "count": "regression",
    "binary": "binary",
    "multiclass": "multiclass",
}


class Training:
    """A network that learns a data set.

    Parameters
    ----------
    dataset : Dataset
    loss : Loss
        Of the families regression, count, binary or multiclass.
    task : {"regression", "binary", "multiclass"}
        See `task_of`.
    hidden : sequence of int
        Units of the hidden layers.
    batch_size : int
    learning_rate : float
    held_out : float
        Share of the rows to measure on and not to learn from.
    seed : int
        The same seed gives the same numbers, bit for bit.

    Attributes
    ----------
    train, held_out : Part
    network : Network
    classes : tuple of str
    """

    def __init__(
        self,
        dataset: Dataset,
        loss: fastloss.Loss,
        task: Task,
        *,
        hidden: Sequence[int] = (10,),
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        held_out: float = 0.2,
        seed: int = 0,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._loss = loss
        self._batch_size = batch_size
        self._task = task
        target, self.classes = encode_target(dataset, task)
        self.train, self.held_out = split(dataset, target, task, held_out, self._rng)
        outputs = len(self.classes) if task == "multiclass" else 1
        self._most_rows = max(batch_size, 1024)
        widths = (self.train.features.shape[1], *hidden, outputs)
        self.network = Network(widths, self._most_rows, self._rng)
        # The unit of a number may be small, and so the gradient; Adam itself is free of scale.
        epsilon = float(np.finfo(np.float32).tiny) if task == "regression" else 1e-7
        vectors = self.network.parameters, self.network.gradient
        self._optimizer = Adam(*vectors, learning_rate, epsilon)
        self.output = self._make_output()
        self._target = np.empty(self._most_rows, target.dtype)
        self._order = np.arange(len(self.train))
        self._scores = self._make_scores()
        self._value_sum, self._rows_done = 0.0, 0

    def _make_output(self) -> Output:
        link = link_of(self._loss, classes=self._task == "multiclass")
        if self._task != "regression":
            return Output(link)
        target = self.train.target
        mean = float(target.mean(dtype=np.float64))
        if of_logarithm(self._loss):
            return Output(link, Exponential().start(mean), logarithm=True)
        if not link.identity:
            return Output(link, link.start(mean))
        # The network itself learns a target of mean 0 and spread 1.
        return Output(link, mean, float(target.std(dtype=np.float64)) or 1.0)

    @property
    def activation(self) -> str:
        """Name of what stands after the network's last layer, here or in the loss."""
        within = {"regression": "", "binary": "sigmoid", "multiclass": "softmax"}[self._task]
        return self.output.link.name or ("exp" if of_logarithm(self._loss) else within)

    def _make_scores(self) -> Scores:
        if self._task == "regression":
            return Deviations(self._most_rows)
        return Accuracy(
            self._most_rows, threshold=0.5 if isinstance(self.output.link, Sigmoid) else 0.0
        )

    @property
    def leading_metric(self) -> str:
        """Name of the metric to show beside the loss."""
        return self._scores.leading

    @property
    def batches(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.train) // self._batch_size)

    def epoch(self) -> Iterator[None]:
        """Go through the training rows once, in a new order; yields after each batch."""
        self._scores = self._make_scores()
        self._value_sum, self._rows_done = 0.0, 0
        self._rng.shuffle(self._order)
        for start in range(0, len(self.train), self._batch_size):
            self._step(self._order[start : start + self._batch_size])
            yield

    def running(self) -> dict[str, float]:
        """Return loss and metrics over the batches of this epoch, each as it was met."""
        return {"loss": self._value_sum / self._rows_done, **self._scores.figures()}

    @np.errstate(over="ignore", invalid="ignore")
    def measure(self, part: Part) -> dict[str, float]:
        """Return loss and metrics of the network as it is now."""
        scores = self._make_scores()
        losses = fastloss.Partial(0.0, 0.0, 0)
        for start in range(0, len(part), self._most_rows):
            rows = np.arange(start, min(start + self._most_rows, len(part)))
            prediction, target = self._predict(part, rows)
            losses += self._loss.partial(prediction, target)
            scores.add(self.output.response(prediction), target)
        return {"loss": losses.mean, **scores.figures()}

    def _predict(self, part: Part, rows: Array) -> tuple[Floats, Array]:
        n = len(rows)
        target = self._target[:n]
        # Rows are in range; the default mode "raise" would buffer to keep `out` whole on an error.
        np.take(part.features, rows, axis=0, out=self.network.input(n), mode="clip")
        np.take(part.target, rows, out=target, mode="clip")
        output = self.network.forward(n)
        prediction = output if self._task == "multiclass" else output.reshape(-1)
        self.output.predict(prediction)
        return prediction, target

    # Whoever trains looks at the loss and sees that it diverges; warnings would only repeat it.
    @np.errstate(over="ignore", invalid="ignore")
    def _step(self, rows: Array) -> None:
        prediction, target = self._predict(self.train, rows)
        gradient = self.network.output_gradient(len(rows)).reshape(prediction.shape)
        value, _ = self._loss.value_and_grad(prediction, target, reduction="mean", out=gradient)
        self.output.chain(prediction, gradient)
        self.network.backward(len(rows))
        self._optimizer.step()
        self._value_sum += value * len(rows)
        self._rows_done += len(rows)
        self._scores.add(self.output.response(prediction), target)


def task_of(loss: fastloss.Loss, natural: Task | None = None) -> Task:
    """Say what a network learns with a loss.

    Parameters
    ----------
    loss : Loss
    natural : {"regression", "binary", "multiclass"}, optional
        What the data look like; decides for a loss that takes two classes and more.
    """
    if loss.family not in TASKS:
        known = ", ".join(TASKS)
        raise InputError(
            f"train knows losses of the families {known}; {loss} is of {loss.family!r}"
        )
    if loss.of_distance:
        raise InputError(f"{type(loss).__name__} is of distances, which a network's output is not")
    if loss.of_log_probabilities:
        raise InputError(
            f"{type(loss).__name__} is of logarithms of probabilities; a network's outputs are "
            "logits, whose loss is CrossEntropy"
        )
    if loss.class_axis == "optional" and natural in ("regression", "multiclass"):
        # Other numbers than 0 and 1 can only be meant as classes.
        return "multiclass"
    return TASKS[loss.family]


def plot_curves(
    history: Sequence[dict[str, dict[str, float]]], metric: str, file: IO[bytes], suffix: str
) -> None:
    """Draw loss and metric by epoch.

    Parameters
    ----------
    history : sequence of dict
        Per epoch the figures of ``"train"`` and, where there is one, of ``"held_out"``.
    metric : str
        The figure to draw beside the loss.
    file : binary file
    suffix : str
        Of the file's name, such as ``".png"``: the format.
    """
    figure_type = require("matplotlib.figure", "plot").Figure
    ticks = require("matplotlib.ticker", "plot")
    figure = figure_type(figsize=(9, 3.6), layout="constrained")
    epochs = range(1, len(history) + 1)
    for axes, name in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        for part, label in (("train", "train"), ("held_out", "held out")):
            if part in history[0]:
                curve = [epoch[part][name] for epoch in history]
                axes.plot(epochs, curve, marker="o", markersize=4, label=label)
        axes.set_xlabel("epoch")
        axes.set_title({"rmse": "RMSE"}.get(name, name))
        axes.xaxis.set_major_locator(ticks.MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(file, dpi=150, format=suffix.lstrip("."))
