"""From a model's scores, which are any numbers, to what a loss takes as its prediction, and back.

Losses of probabilities or of positive numbers need a sigmoid, a softmax or an exponential between
the model and them; all others take the scores as they are. `link_of` knows from the loss which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss.losses.base import Loss

__all__ = [
    "Each",
    "Exponential",
    "Link",
    "Sigmoid",
    "Softmax",
    "input_domains",
    "link_of",
    "of_logarithm",
]

Floats = NDArray[Any]


class Link:
    """What lies between scores and loss. All work in place; the Jacobian J is symmetric.

    This one changes nothing: losses of logits have sigmoid and softmax inside.

    Parameters
    ----------
    name : str
        The output layer's activation, as a summary names it.
    """

    #: Whether the prediction is the score itself.
    identity = True

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._memory: dict[int, Floats] = {}

    def predict(self, score: Floats) -> None:
        """Turn scores into predictions."""

    def chain(self, prediction: Floats, vector: Floats) -> None:
        """Multiply by J: a gradient with respect to predictions, or a direction among scores."""

    def bend(self, prediction: Floats, gradient: Floats, tangent: Floats) -> None:
        """Turn a gradient into its product with the link's second derivative.

        Parameters
        ----------
        prediction : array
        gradient : array
            With respect to the prediction; what comes out takes its place.
        tangent : array
            How the prediction moves: J times the direction among scores.
        """
        gradient[...] = 0

    def start(self, mean: float) -> float:
        """Return the score whose prediction is the mean of the targets."""
        return mean

    def _scratch(self, like: Floats, width: int = 0) -> Floats:
        """Return memory of an array's shape, or that with a last axis of the width; kept."""
        shape = (*like.shape[:-1], width) if width else like.shape
        held = self._memory.get(width)
        if held is None or held.dtype != like.dtype or held[: len(like)].shape != shape:
            held = self._memory[width] = np.empty(shape, like.dtype)
        return held[: len(like)]


class Exponential(Link):
    """Numbers above a bound: an exponential more than it."""

    identity = False

    def __init__(self, bound: float = 0.0) -> None:
        super().__init__("exp")
        self._bound = bound

    def predict(self, score: Floats) -> None:
        """Add the exponential to the bound."""
        with np.errstate(over="ignore"):
            np.exp(score, out=score)
        if self._bound:
            np.add(score, self._bound, out=score)

    def chain(self, prediction: Floats, vector: Floats) -> None:
        """Multiply by the exponential."""
        if not self._bound:
            np.multiply(vector, prediction, out=vector)
            return
        slope = self._scratch(prediction)
        np.subtract(prediction, self._bound, out=slope)
        np.multiply(vector, slope, out=vector)

    def bend(self, prediction: Floats, gradient: Floats, tangent: Floats) -> None:
        """Multiply by the tangent: an exponential is its own derivative."""
        np.multiply(gradient, tangent, out=gradient)

    def start(self, mean: float) -> float:
        """Return the logarithm."""
        return math.log(max(mean - self._bound, 1e-6))


class Sigmoid(Link):
    """A probability, for losses that take one."""

    identity = False

    def __init__(self) -> None:
        super().__init__("sigmoid")

    def predict(self, score: Floats) -> None:
        """Apply the sigmoid; exp overflows to infinity where the probability is 0."""
        np.negative(score, out=score)
        with np.errstate(over="ignore"):
            np.exp(score, out=score)
        np.add(score, 1, out=score)
        np.reciprocal(score, out=score)

    def chain(self, prediction: Floats, vector: Floats) -> None:
        """Multiply by p (1 - p)."""
        slope = self._scratch(prediction)
        np.multiply(prediction, prediction, out=slope)
        np.subtract(prediction, slope, out=slope)
        np.multiply(vector, slope, out=vector)

    def bend(self, prediction: Floats, gradient: Floats, tangent: Floats) -> None:
        """Multiply by (1 - 2 p) and the tangent."""
        slope = self._scratch(prediction)
        np.multiply(prediction, -2, out=slope)
        np.add(slope, 1, out=slope)
        np.multiply(slope, tangent, out=slope)
        np.multiply(gradient, slope, out=gradient)

    def start(self, mean: float) -> float:
        """Return the logit."""
        share = min(max(mean, 1e-6), 1 - 1e-6)
        return math.log(share / (1 - share))


class Softmax(Link):
    """Probabilities of the classes along the last axis, for losses that take them."""

    identity = False

    def __init__(self) -> None:
        super().__init__("softmax")

    def predict(self, score: Floats) -> None:
        """Apply the softmax."""
        row = self._scratch(score, 1)
        np.max(score, axis=-1, keepdims=True, out=row)
        np.subtract(score, row, out=score)
        np.exp(score, out=score)
        np.sum(score, axis=-1, keepdims=True, out=row)
        np.divide(score, row, out=score)

    def chain(self, prediction: Floats, vector: Floats) -> None:
        """Take p (v - sum(p v))."""
        self._center(prediction, vector)
        np.multiply(vector, prediction, out=vector)

    def bend(self, prediction: Floats, gradient: Floats, tangent: Floats) -> None:
        """Take t (g - sum(p g)) - p sum(t g), with t the tangent."""
        row = self._scratch(prediction, 1)
        product = self._scratch(prediction)
        self._center(prediction, gradient)
        # The tangent sums to 0, so that the centre makes no difference to the sum.
        np.multiply(gradient, tangent, out=gradient)
        np.sum(gradient, axis=-1, keepdims=True, out=row)
        np.multiply(prediction, row, out=product)
        np.subtract(gradient, product, out=gradient)

    def start(self, mean: float) -> float:
        """Return 0: all classes alike."""
        return 0.0

    def _center(self, prediction: Floats, vector: Floats) -> None:
        row, product = self._scratch(prediction, 1), self._scratch(prediction)
        np.multiply(prediction, vector, out=product)
        np.sum(product, axis=-1, keepdims=True, out=row)
        np.subtract(vector, row, out=vector)


class Each(Link):
    """A link for each of several predictions, along the last axis.

    Parameters
    ----------
    links : sequence of Link
    """

    identity = False

    def __init__(self, links: Sequence[Link]) -> None:
        super().__init__(", ".join(link.name or "identity" for link in links))
        self._links = tuple(links)

    def predict(self, score: Floats) -> None:
        """Apply each link to its own column."""
        for k, link in enumerate(self._links):
            link.predict(score[..., k])

    def chain(self, prediction: Floats, vector: Floats) -> None:
        """Apply each link to its own column."""
        for k, link in enumerate(self._links):
            link.chain(prediction[..., k], vector[..., k])

    def bend(self, prediction: Floats, gradient: Floats, tangent: Floats) -> None:
        """Apply each link to its own column."""
        for k, link in enumerate(self._links):
            link.bend(prediction[..., k], gradient[..., k], tangent[..., k])


def of_logarithm(loss: Loss) -> bool:
    """Say whether a loss's prediction is the logarithm of what the targets are.

    Parameters
    ----------
    loss : Loss
    """
    # Of counts the prediction is a logarithm, unless the loss says otherwise.
    counts = loss.family == "count" and loss.target_domain[0] >= 0
    return loss.of_logarithm or getattr(loss, "link", "log" if counts else "identity") == "log"


def input_domains(loss: Loss) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the least and the greatest prediction, and the same of the target.

    Parameters
    ----------
    loss : Loss
    """
    # Where a hyper-parameter changes them, the loss has a method of this name.
    chosen = getattr(loss, "input_domains", None)
    return chosen() if chosen else (loss.prediction_domain, loss.target_domain)


def link_of(loss: Loss, classes: bool = False) -> Link:
    """Choose the link that leads from any scores into the loss's domain.

    Parameters
    ----------
    loss : Loss
    classes : bool
        Whether a row of scores has one for each class.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.links import link_of
    >>> [link_of(loss).name for loss in (fl.Huber(), fl.LogLoss(), fl.SquaredLogError())]
    ['', 'sigmoid', 'exp']
    """
    if loss.domains:
        bounds = [loss.domains.get(name, (-np.inf, np.inf))[0] for name in loss.predictions]
        if np.isfinite(bounds).any():
            return Each([Exponential(b) if np.isfinite(b) else Link() for b in bounds])
    low, high = input_domains(loss)[0]
    if high == 1:
        return Softmax() if classes else Sigmoid()
    return Exponential(low) if np.isfinite(low) else Link()
