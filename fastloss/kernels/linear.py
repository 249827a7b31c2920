"""Cross-entropy of hidden @ weight.T + bias, tile by tile of the vocabulary.

Matrix products are NumPy's BLAS's; what lies between them is in driver_parts/linear.pxi. A first
pass over the tiles gathers each row's maximum and sum of exponentials, a second one makes the tile
of the logits' gradient G and multiplies it:

    grad_weight[tile] = G.T @ hidden        grad_hidden += G @ weight[tile]

The second pass wants the logits again. A product to compute them anew costs a third of the three
that there must be, so as many as possible are kept:

* where grad_weight's tile will stand, which nobody needs before. It has room for the tile's logits
  of as many rows as a row of the weight has numbers;
* in `memory`, as far as it goes;
* those of the last tile of all rows, with which the second pass begins: they are there still.

With more rows than that the call goes in stages, each with some of the rows, which use `memory` in
turn. The stages after the first add to grad_weight and read the weight anew; that costs as much as
computing some hundred rows of logits again, whatever the sizes. `plan` weighs the one against the
other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss.kernels import driver

Array = NDArray[Any]

# Bytes beyond what a call needs at the least.
DEFAULT_MEMORY = 64 * 2**20
# Widths of a tile in classes. A wide tile takes memory from the logits; a narrow one lets the sums
# over tiles come more often.
WIDTHS = (64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
# What was measured, in rows of one product: another stage, a product besides its rows, and a row of
# a stage for each tile.
STAGE_COST = 130
PRODUCT_COST = 50
TILE_COST = 150
# Numbers between the rows of a tile: at a distance of 4096 bytes they would share a cache's sets.
PADDING = 16
# What the passes take for a logit on one thread, about.
SECONDS = 1e-9
# Bytes that a row takes beside its logits throughout: labels, weights, results; and in its stage:
# the state and what is made of it.
ROW_BYTES = 128
STAGE_ROW_BYTES = 192


@dataclass(frozen=True)
class Needs:
    """What decides how much memory a call takes beside its arguments and results."""

    rows: int
    classes: int
    features: int
    size: int  # bytes of a number in the products
    fixed: int  # bytes whatever the plan
    gradients: bool
    grad_hidden: bool
    grad_weight: bool
    grad_weight_direct: bool  # written by the BLAS
    spare_rows: int  # whose logits fit where grad_weight will stand
    one_stage: bool  # several would round grad_weight to a short type in between
    hidden_buffer: bool
    grad_buffer: bool  # of the hidden's gradient
    weight_buffer: bool

    def product_numbers(self, width: int, stages: int, largest: int) -> int:
        """Return how many numbers the largest product has that is added to another."""
        rows = min(piece(width), largest) if self.grad_hidden else 0
        if self.grad_weight and (stages > 1 or not self.grad_weight_direct):
            rows = max(rows, width)
        return rows * self.features

    def bytes(self, width: int, stages: int, largest: int) -> int:
        """Return the memory that a plan takes, without kept logits."""
        numbers = self.product_numbers(width, stages, largest)
        numbers += self.weight_buffer * width * self.features
        numbers += (self.hidden_buffer + self.grad_buffer) * largest * self.features
        numbers += largest * (width + PADDING)
        rows = ROW_BYTES * self.rows + STAGE_ROW_BYTES * largest
        return self.fixed + rows + numbers * self.size


class Plan(NamedTuple):
    """How wide a tile is, where stages begin and end, and how many rows' logits `memory` keeps."""

    width: int
    bounds: tuple[int, ...]
    kept: int


def plan(needs: Needs, memory: int | None) -> Plan:
    """Return the cheapest plan within `memory`, or raise."""
    spare = min(needs.spare_rows, needs.rows)
    widths = [w for w in WIDTHS if w < needs.classes]
    if needs.classes <= WIDTHS[-1]:
        widths.append(needs.classes)
    numbers = (1,) if needs.one_stage else numbers_of_stages(needs.rows)
    splits = [(stages, -(-(needs.rows - spare) // stages)) for stages in numbers]
    least = min(needs.bytes(widths[0], stages, spare + more) for stages, more in splits)
    bound = least + DEFAULT_MEMORY if memory is None else memory
    plans = []
    for stages, more in splits:
        for width in widths:
            left = bound - needs.bytes(width, stages, spare + more)
            if left < 0:
                break
            kept, again = 0, 0.0
            if needs.gradients and width < needs.classes:
                kept = min(left // (needs.classes * needs.size), more)
            if needs.gradients and kept < more:
                again = (more - kept + PRODUCT_COST) * (1 - width / needs.classes)
            cost = stages * again + STAGE_COST * (stages - 1) + TILE_COST * needs.rows / width
            plans.append((cost, width, more, kept))
    if not plans:
        raise ValueError(f"memory must be at least {least} bytes for this call, got {memory}")
    _, width, more, kept = min(plans)
    return Plan(width, (0, *range(spare + more, needs.rows, max(more, 1)), needs.rows), kept)


def numbers_of_stages(rows: int) -> Iterator[int]:
    """Return numbers of stages to try: all small ones, and some of the large ones."""
    number = 1
    while number <= max(rows // 16, 1):
        yield number
        number += 1 + number // 8


class Call(NamedTuple):
    """Arguments that were checked; a row that is ignored is in none of those of length n."""

    dtype: np.dtype[Any]  # of the products
    hidden: Array  # (N, D)
    weight: Array  # (V, D)
    bias: Array | None  # (V,) contiguous, of `dtype`
    class_weight: Array | None  # (V,) likewise
    labels: Array  # (n,)
    rows: Array | None  # (n,) where they are in hidden; None: they are all
    step: Array  # (n,) a row's weight over the reduction's divisor
    label_weight: Array  # (n,) the class weight of the row's label
    smoothing: float
    z_loss: float
    soft_cap: float  # 0: none
    entropy: bool
    grad_hidden: Array | None  # (N, D)
    grad_weight: Array | None  # (V, D)
    grad_bias: Array | None  # (V,)
    fixed: int  # bytes that were taken for these


class Results(NamedTuple):
    """What is known of each row that counts."""

    value: Array
    log_sum_exp: Array
    entropy: Array
    argmax: Array


def is_matrix(array: Array, dtype: np.dtype[Any]) -> bool:
    """Return whether the BLAS takes an array, or a tile of it, as it is."""
    across, along = sorted(array.strides, reverse=True)
    size = array.itemsize
    return (
        array.dtype == dtype
        and array.dtype.isnative
        and array.flags.aligned
        and along == size
        and across % size == 0
        and across >= size * array.shape[array.strides.index(along)]
    )


def needs_of(call: Call) -> Needs:
    """Return what a call's arguments need."""
    (classes, features), size = call.weight.shape, call.dtype.itemsize
    copied = call.rows is not None
    grad_hidden, grad_weight = call.grad_hidden, call.grad_weight
    in_place = grad_hidden is not None and not copied and grad_hidden.flags.c_contiguous
    direct = grad_weight is not None and is_matrix(grad_weight, call.dtype)
    spare = 0
    if grad_weight is not None and grad_weight.flags.aligned:
        if grad_weight.flags.c_contiguous and grad_weight.ctypes.data % size == 0:
            spare = features * grad_weight.itemsize // size
        elif direct and grad_weight.flags.f_contiguous:
            spare = features
    return Needs(
        rows=len(call.labels),
        classes=classes,
        features=features,
        size=size,
        fixed=call.fixed + 8 * classes * (call.grad_bias is not None),
        gradients=any(g is not None for g in (grad_hidden, grad_weight, call.grad_bias)),
        grad_hidden=grad_hidden is not None,
        grad_weight=grad_weight is not None,
        grad_weight_direct=direct,
        spare_rows=spare,
        one_stage=grad_weight is not None and grad_weight.itemsize < size,
        hidden_buffer=copied or not is_matrix(call.hidden, call.dtype),
        grad_buffer=grad_hidden is not None
        and not (in_place and is_matrix(grad_hidden, call.dtype)),
        weight_buffer=not is_matrix(call.weight, call.dtype),
    )


class Run:
    """A call on its way: buffers, and the stage that it is in."""

    def __init__(
        self, call: Call, needs: Needs, planned: Plan, level: driver.Level, team: driver.Team
    ) -> None:
        self.call, self.needs, self.planned = call, needs, planned
        self.level, self.team = level, team
        self.stages = [slice(*pair) for pair in itertools.pairwise(planned.bounds)]
        largest = self.stages[0].stop
        self.hidden_buffer = self.buffer(needs.hidden_buffer * largest * needs.features)
        self.grad_buffer = self.buffer(needs.grad_buffer * largest * needs.features)
        self.weight_buffer = self.buffer(needs.weight_buffer * planned.width * needs.features)
        self.product_buffer = self.buffer(
            needs.product_numbers(planned.width, len(self.stages), largest)
        )
        self.logits_buffer = self.buffer(largest * (planned.width + PADDING))
        self.kept_buffer = self.buffer(planned.kept * needs.classes)
        self.tiles = slices(needs.classes, planned.width)
        self.bias_sums = np.zeros(needs.classes if call.grad_bias is not None else 0)
        self.results = np.empty((3, needs.rows))
        self.argmax = np.empty(needs.rows, np.intp)

    def buffer(self, numbers: int) -> Array:
        """Return uninitialised numbers of the products' type."""
        return np.empty(numbers, self.call.dtype)

    def run(self) -> Results:
        """Compute everything."""
        for number, stage in enumerate(self.stages):
            self.stage, self.first = stage, number == 0
            self.n = stage.stop - stage.start
            call, classes = self.call, self.needs.classes
            self.sweep = driver.LinearSweep(
                self.level,
                self.team,
                call.dtype,
                call.labels[stage],
                call.bias,
                call.class_weight if call.smoothing else None,
                call.smoothing / classes,
                call.soft_cap,
                call.entropy,
            )
            self.hidden = self.hidden_rows()
            self.reduce()
            self.finish()
            if self.needs.gradients:
                self.derive()
        if self.call.grad_bias is not None:
            self.call.grad_bias[...] = self.bias_sums
        value, log_sum_exp, entropy = self.results
        return Results(value, log_sum_exp, entropy, self.argmax)

    def hidden_rows(self) -> Array:
        """Return the stage's rows of hidden as the BLAS takes them."""
        hidden, rows = self.call.hidden, self.call.rows
        if not self.needs.hidden_buffer:
            return hidden[self.stage]
        copy = matrix(self.hidden_buffer, self.n, self.needs.features)
        for part in slices(self.n, WIDTHS[0]):
            there = slice(self.stage.start + part.start, self.stage.start + part.stop)
            self.sweep.convert(hidden[there] if rows is None else hidden[rows[there]], copy[part])
        return copy

    def weight_tile(self, tile: slice) -> Array:
        """Return a tile of the weight as the BLAS takes it."""
        weight = self.call.weight[tile]
        if not self.needs.weight_buffer:
            return weight
        copy = matrix(self.weight_buffer, *weight.shape)
        self.sweep.convert(weight, copy)
        return copy

    def kept(self, tile: slice) -> list[Array]:
        """Return where the logits of the first rows are kept, as one matrix for each place."""
        needs = self.needs
        if not needs.gradients or tile is self.tiles[-1]:
            return []
        places = []
        columns, left = tile.stop - tile.start, self.n
        grad = self.call.grad_weight
        if self.first and grad is not None and needs.spare_rows:
            spare = min(needs.spare_rows, left)
            if grad.flags.c_contiguous:
                bytes_ = grad[tile].reshape(-1).view(np.uint8)[: spare * columns * needs.size]
                places.append(matrix(bytes_.view(self.call.dtype), spare, columns))
            else:
                places.append(grad.T[:spare, tile])
            left -= spare
        if self.planned.kept and left:
            kept = matrix(self.kept_buffer, self.planned.kept, needs.classes)
            places.append(kept[:left, tile])
        return places

    def logits(self, tile: slice) -> Array:
        """Return the place of a tile's logits, and later of their gradient."""
        rows = matrix(self.logits_buffer, self.n, self.planned.width + PADDING)
        return rows[:, : tile.stop - tile.start]

    def reduce(self) -> None:
        """Pass over the logits for the first time."""
        call, classes = self.call, self.needs.classes
        share_before = 0.0
        for tile in self.tiles:
            logits = self.logits(tile)
            np.matmul(self.hidden, self.weight_tile(tile).T, out=logits)
            self.sweep.reduce(logits, tile.start, share_before, self.kept(tile))
            if call.smoothing:
                weights = 1.0 * (tile.stop - tile.start)
                if call.class_weight is not None:
                    weights = float(call.class_weight[tile].sum(dtype=np.float64))
                share_before += call.smoothing / classes * weights
        self.share_sum = share_before

    def finish(self) -> None:
        """Make of a row's sums its value, and the numbers that the second pass wants."""
        call = self.call
        label_weight, given_step = call.label_weight[self.stage], call.step[self.stage]
        maximum, rest, at_label, spread, disorder, mass, step, hit = self.sweep.state
        # A maximum of +-inf is no number to begin from.
        rest += maximum - maximum
        total = 1 + rest
        log_total = np.log1p(rest)
        log_sum_exp = maximum + log_total
        distance = maximum - at_label
        exponential = np.exp(-distance)
        complement = np.where(distance == 0, rest, total - exponential) / total

        hard = (1 - call.smoothing) * label_weight
        pull = np.full(self.n, self.share_sum)
        value = np.where(hard == 0, 0 * rest, hard * (log_total + distance))
        value += self.share_sum * log_total + spread
        if call.z_loss:
            # Not for a factor of 0: the square of a large logarithm is infinite.
            value += call.z_loss * label_weight * log_sum_exp**2
            pull += 2 * call.z_loss * label_weight * log_sum_exp

        share: Any = call.smoothing / self.needs.classes
        if call.class_weight is not None and call.smoothing:
            share = share * call.class_weight[call.labels[self.stage]]
        step[:] = given_step
        mass[:] = (hard + pull) * step / total
        hit[:] = (pull * exponential / total - hard * complement - share) * step
        self.results[:, self.stage] = value, log_sum_exp, log_total + disorder / total
        self.argmax[self.stage] = self.sweep.argmax

    def derive(self) -> None:
        """Pass over the logits again, for the gradients."""
        call, needs = self.call, self.needs
        for tile in reversed(self.tiles):
            gradient, weight, kept = self.logits(tile), self.weight_tile(tile), self.kept(tile)
            last = tile is self.tiles[-1]
            again = slice(self.n if last else sum(map(len, kept)), self.n)
            if again.start < self.n:
                np.matmul(self.hidden[again], weight.T, out=gradient[again])
            self.sweep.derive(gradient, tile.start, kept)
            if call.grad_weight is not None:
                self.add_grad_weight(call.grad_weight[tile], gradient)
            if call.grad_bias is not None:
                self.sweep.column_sums(gradient, self.bias_sums[tile])
            if call.grad_hidden is not None:
                self.add_grad_hidden(call.grad_hidden, gradient, weight, last)
        if call.grad_hidden is None or not needs.grad_buffer:
            return
        total = matrix(self.grad_buffer, self.n, needs.features)
        if call.rows is None:
            self.sweep.convert(total, call.grad_hidden[self.stage])
        else:
            call.grad_hidden[call.rows[self.stage]] = total

    def add_grad_hidden(self, grad: Array, gradient: Array, weight: Array, first: bool) -> None:
        """Write a tile's part of grad_hidden, or add it."""
        features = self.needs.features
        total = grad[self.stage]
        if self.needs.grad_buffer:
            total = matrix(self.grad_buffer, self.n, features)
        for part in slices(self.n, piece(self.planned.width)):
            if first:
                np.matmul(gradient[part], weight, out=total[part])
                continue
            product = matrix(self.product_buffer, part.stop - part.start, features)
            np.matmul(gradient[part], weight, out=product)
            self.sweep.accumulate(product, total[part])

    def add_grad_weight(self, grad: Array, gradient: Array) -> None:
        """Write a tile of grad_weight, or add to it."""
        hidden = self.hidden
        if self.first and self.needs.grad_weight_direct:
            np.matmul(gradient.T, hidden, out=grad)
            return
        if grad.strides[0] < grad.strides[1]:
            # Of a weight that is stored transposed: its rows are columns in memory.
            product = matrix(self.product_buffer, *grad.T.shape)
            np.matmul(hidden.T, gradient, out=product)
            grad = grad.T
        else:
            product = matrix(self.product_buffer, *grad.shape)
            np.matmul(gradient.T, hidden, out=product)
        if self.first:
            self.sweep.convert(product, grad)
        elif self.needs.grad_weight_direct:
            self.sweep.accumulate(product, grad)
        else:
            grad += product


def run(call: Call, memory: int | None, level: driver.Level, n_threads: int | None) -> Results:
    """Compute a call's results and fill its gradients."""
    needs = needs_of(call)
    planned = plan(needs, memory)
    # Of the passes alone; the products have threads of their own.
    seconds = SECONDS * needs.rows * needs.classes
    with np.errstate(all="ignore"), driver.Team(seconds, n_threads) as team:
        return Run(call, needs, planned, level, team).run()


def piece(width: int) -> int:
    """Return how many rows of grad_hidden a product adds to at a time."""
    return min(2 * width, 1024)


def matrix(numbers: Array, rows: int, columns: int) -> Array:
    """Return the beginning of a buffer as a matrix."""
    return numbers[: rows * columns].reshape(rows, columns)


def slices(n: int, width: int) -> list[slice]:
    """Return [0, n) in parts."""
    return [slice(start, min(start + width, n)) for start in range(0, n, width)]
