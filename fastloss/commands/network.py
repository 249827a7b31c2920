"""A dense network in NumPy with its optimiser, and the links from its output to a loss.

Everything that a step writes to is made beforehand, so a step allocates no array; NumPy takes some
32 KiB of its own where it casts or broadcasts, whatever the size of the batch.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Array = NDArray[Any]


class Network:
    """Dense layers with ReLU between them.

    Parameters
    ----------
    widths : sequence of int
        Inputs, units of each hidden layer, outputs.
    rows : int
        The most rows that pass through at once.
    rng : numpy.random.Generator
        Draws the weights, uniformly as Glorot and Bengio (2010) have it; biases begin at 0.

    Attributes
    ----------
    parameters, gradient : array of float32
        All weights and biases in one vector each, for an optimiser to work on in one go.
    """

    def __init__(self, widths: Sequence[int], rows: int, rng: np.random.Generator) -> None:
        pairs = list(itertools.pairwise(widths))
        self.widths = tuple(widths)
        self.parameters = np.zeros(sum((m + 1) * n for m, n in pairs), np.float32)
        self.gradient = np.zeros_like(self.parameters)
        self._weights, self._biases = self._views(self.parameters)
        self._weight_gradients, self._bias_gradients = self._views(self.gradient)
        for weight, (m, n) in zip(self._weights, pairs, strict=True):
            limit = math.sqrt(6 / (m + n))
            weight[...] = rng.uniform(-limit, limit, weight.shape)
        self._values = [np.empty((rows, width), np.float32) for width in widths]
        self._deltas = [np.empty((rows, width), np.float32) for width in widths]
        self._idle = [np.empty((rows, width), bool) for width in widths]

    def _views(self, vector: Floats) -> tuple[list[Floats], list[Floats]]:
        weights, biases, start = [], [], 0
        for m, n in itertools.pairwise(self.widths):
            weights.append(vector[start : start + m * n].reshape(m, n))
            biases.append(vector[start + m * n : start + (m + 1) * n])
            start += (m + 1) * n
        return weights, biases

    def input(self, rows: int) -> Floats:
        """Return the array to put a batch of so many rows into."""
        return self._values[0][:rows]

    def output_gradient(self, rows: int) -> Floats:
        """Return the array to put the gradient with respect to the output into."""
        return self._deltas[-1][:rows]

    def forward(self, rows: int) -> Floats:
        """Pass the input through; the output is the caller's to change in place."""
        layers = zip(itertools.pairwise(self._values), self._weights, self._biases, strict=True)
        for (before, after), weight, bias in layers:
            value = after[:rows]
            np.matmul(before[:rows], weight, out=value)
            np.add(value, bias, out=value)
            if after is not self._values[-1]:
                np.maximum(value, 0, out=value)
        return value

    def backward(self, rows: int) -> None:
        """Fill `gradient`, from the output's gradient and the last forward pass."""
        for k in reversed(range(len(self._weights))):
            value, delta = self._values[k][:rows], self._deltas[k + 1][:rows]
            np.matmul(value.T, delta, out=self._weight_gradients[k])
            np.sum(delta, axis=0, out=self._bias_gradients[k])
            if k > 0:
                before, idle = self._deltas[k][:rows], self._idle[k][:rows]
                np.matmul(delta, self._weights[k].T, out=before)
                np.less_equal(value, 0, out=idle)
                np.copyto(before, 0, where=idle)


class Adam:
    """The optimiser of Kingma and Ba (2015), with Keras's defaults, on one vector of parameters.

    Parameters
    ----------
    parameters, gradient : array of float32
        Read and changed in place by `step`.
    learning_rate : float
    epsilon : float
        Gradients much smaller than this no longer count.
    """

    def __init__(
        self, parameters: Floats, gradient: Floats, learning_rate: float, epsilon: float = 1e-7
    ) -> None:
        self._parameters, self._gradient = parameters, gradient
        self._learning_rate, self._epsilon = learning_rate, epsilon
        self._mean = np.zeros_like(parameters)
        self._square = np.zeros_like(parameters)
        self._scratch = np.empty_like(parameters)
        self._steps = 0

    def step(self, decay: float = 0.9, square_decay: float = 0.999) -> None:
        """Move the parameters against the gradient."""
        self._steps += 1
        scratch = self._scratch
        np.subtract(self._gradient, self._mean, out=scratch)
        np.multiply(scratch, 1 - decay, out=scratch)
        np.add(self._mean, scratch, out=self._mean)
        np.multiply(self._gradient, self._gradient, out=scratch)
        np.subtract(scratch, self._square, out=scratch)
        np.multiply(scratch, 1 - square_decay, out=scratch)
        np.add(self._square, scratch, out=self._square)
        np.sqrt(self._square, out=scratch)
        np.add(scratch, self._epsilon, out=scratch)
        np.divide(self._mean, scratch, out=scratch)
        # Both averages start at 0; this undoes the bias that it gives them.
        unbias = math.sqrt(1 - square_decay**self._steps) / (1 - decay**self._steps)
        np.multiply(scratch, self._learning_rate * unbias, out=scratch)
        np.subtract(self._parameters, scratch, out=self._parameters)


class Link:
    """What lies between the network's output and the loss; both ways work in place.

    This one changes nothing: losses of logits have sigmoid and softmax inside.

    Parameters
    ----------
    name : str
        The output layer's activation, as a summary names it.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    def predict(self, output: Floats) -> None:
        """Turn the network's output into the prediction that the loss takes."""

    def chain(self, prediction: Floats, gradient: Floats) -> None:
        """Turn the gradient of the prediction into that of the network's output."""

    def response(self, prediction: Floats) -> Floats:
        """Return what metrics compare with the target."""
        return prediction


class Affine(Link):
    """The target's own unit: the network itself learns a target of mean 0 and spread 1.

    So a loss's parameters, such as Huber's delta, are in the target's unit, while the network
    neither has to grow to it nor to travel to it, whatever the unit is.
    """

    def __init__(self, target: Array) -> None:
        super().__init__()
        self._center = float(target.mean(dtype=np.float64))
        self._spread = float(target.std(dtype=np.float64)) or 1.0

    def predict(self, output: Floats) -> None:
        """Scale and shift."""
        np.multiply(output, self._spread, out=output)
        np.add(output, self._center, out=output)

    def chain(self, prediction: Floats, gradient: Floats) -> None:
        """Scale."""
        np.multiply(gradient, self._spread, out=gradient)


class Log(Link):
    """The logarithm of a mean, for losses of counts; the network starts at the mean count."""

    def __init__(self, target: Array, rows: int) -> None:
        super().__init__("exp")
        self._scratch = np.empty(rows, np.float32)
        self._offset = math.log(max(float(target.mean(dtype=np.float64)), 1e-6))

    def predict(self, output: Floats) -> None:
        """Shift."""
        np.add(output, self._offset, out=output)

    def response(self, prediction: Floats) -> Floats:
        """Return the mean count."""
        return np.exp(prediction, out=self._scratch[: len(prediction)])


class Above(Link):
    """Numbers above a bound: an exponential more; the network starts at the mean target."""

    def __init__(self, target: Array, rows: int, bound: float) -> None:
        super().__init__("exp")
        self._scratch = np.empty(rows, np.float32)
        self._bound = bound
        self._offset = math.log(max(float(target.mean(dtype=np.float64)) - bound, 1e-6))

    def predict(self, output: Floats) -> None:
        """Shift, and add the exponential to the bound."""
        np.add(output, self._offset, out=output)
        with np.errstate(over="ignore"):
            np.exp(output, out=output)
        np.add(output, self._bound, out=output)

    def chain(self, prediction: Floats, gradient: Floats) -> None:
        """Multiply by the exponential."""
        slope = self._scratch[: len(prediction)]
        np.subtract(prediction, self._bound, out=slope)
        np.multiply(gradient, slope, out=gradient)


class Sigmoid(Link):
    """A probability, for losses that take one."""

    def __init__(self, rows: int) -> None:
        super().__init__("sigmoid")
        self._scratch = np.empty(rows, np.float32)

    def predict(self, output: Floats) -> None:
        """Apply the sigmoid; exp overflows to infinity where the probability is 0."""
        np.negative(output, out=output)
        with np.errstate(over="ignore"):
            np.exp(output, out=output)
        np.add(output, 1, out=output)
        np.reciprocal(output, out=output)

    def chain(self, prediction: Floats, gradient: Floats) -> None:
        """Multiply by p (1 - p)."""
        slope = self._scratch[: len(prediction)]
        np.multiply(prediction, prediction, out=slope)
        np.subtract(prediction, slope, out=slope)
        np.multiply(gradient, slope, out=gradient)


class Softmax(Link):
    """Probabilities of several classes, for losses that take them."""

    def __init__(self, rows: int, classes: int) -> None:
        super().__init__("softmax")
        self._scratch = np.empty((rows, classes), np.float32)
        self._row = np.empty((rows, 1), np.float32)

    def predict(self, output: Floats) -> None:
        """Apply the softmax."""
        row = self._row[: len(output)]
        np.max(output, axis=1, keepdims=True, out=row)
        np.subtract(output, row, out=output)
        np.exp(output, out=output)
        np.sum(output, axis=1, keepdims=True, out=row)
        np.divide(output, row, out=output)

    def chain(self, prediction: Floats, gradient: Floats) -> None:
        """Multiply by the softmax's Jacobian: p (g - sum(p g))."""
        scratch, row = self._scratch[: len(prediction)], self._row[: len(prediction)]
        np.multiply(prediction, gradient, out=scratch)
        np.sum(scratch, axis=1, keepdims=True, out=row)
        np.subtract(gradient, row, out=gradient)
        np.multiply(gradient, prediction, out=gradient)
