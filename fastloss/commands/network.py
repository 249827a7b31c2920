"""A dense network in NumPy with its optimiser, and the step from its output to a loss.

Everything that a step writes to is made beforehand, so a step allocates no array; NumPy takes some
32 KiB of its own where it casts or broadcasts, whatever the size of the batch.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.links import Link

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


class Output:
    """The step from the network's output to the loss: in the target's unit, then through a link.

    So a loss's parameters, such as Huber's delta, are in the target's unit, while the network
    neither has to grow to it nor to travel to it, whatever the unit is. Both ways work in place.

    Parameters
    ----------
    link : Link
        From any number to what the loss takes.
    center, spread : float, default 0.0 and 1.0
        The score of an output of 0, and how far one of 1 is from it.
    logarithm : bool, default False
        Whether the prediction is the logarithm of what the targets are.
    """

    def __init__(
        self, link: Link, center: float = 0.0, spread: float = 1.0, logarithm: bool = False
    ) -> None:
        self.link = link
        self._center, self._spread, self._logarithm = center, spread, logarithm
        self._response = np.empty(0, np.float32)

    def predict(self, output: Floats) -> None:
        """Turn the network's output into the prediction that the loss takes."""
        if self._spread != 1:
            np.multiply(output, self._spread, out=output)
        if self._center:
            np.add(output, self._center, out=output)
        self.link.predict(output)

    def chain(self, prediction: Floats, gradient: Floats) -> None:
        """Turn the gradient of the prediction into that of the network's output."""
        self.link.chain(prediction, gradient)
        if self._spread != 1:
            np.multiply(gradient, self._spread, out=gradient)

    def response(self, prediction: Floats) -> Floats:
        """Return what metrics compare with the target."""
        if not self._logarithm:
            return prediction
        if len(self._response) < len(prediction):
            self._response = np.empty_like(prediction)
        return np.exp(prediction, out=self._response[: len(prediction)])
