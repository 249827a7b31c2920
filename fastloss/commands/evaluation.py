"""The loss over arrays in files, block by block: constant memory for files of any size."""

import errno
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

import fastloss
from fastloss.commands.tables import InputError, Source

Array = NDArray[Any]

#: Numbers of the prediction per block: enough to keep the threads busy, small beside any memory.
#: Fixed, so that the sum, and with it the value's last bit, does not depend on the machine.
BLOCK_SIZE = 1 << 20


@dataclass(frozen=True)
class Inputs:
    """The arrays of one evaluation, which lie side by side row by row.

    Attributes
    ----------
    prediction, target : Source
    weight : Source or None
    """

    prediction: Source
    target: Source
    weight: Source | None = None

    @property
    def sources(self) -> list[Source]:
        """The arrays that there are."""
        return [each for each in (self.prediction, self.target, self.weight) if each is not None]

    @property
    def rows_per_block(self) -> int:
        """The length of a block."""
        return max(1, BLOCK_SIZE // max(1, math.prod(self.prediction.row_shape)))

    def blocks(self) -> Iterator[tuple[int, list[Array]]]:
        """Yield the number of a block's first row, and the block's arrays in the sources' order."""
        self._check_lengths([source.rows for source in self.sources])
        start = 0
        passes = (source.blocks(self.rows_per_block) for source in self.sources)
        for block in itertools.zip_longest(*passes, fillvalue=np.empty(0)):
            self._check_lengths([start + len(array) for array in block])
            yield start, list(block)
            start += len(block[0])

    def _check_lengths(self, lengths: list[int | None]) -> None:
        pairs = zip(lengths, self.sources, strict=True)
        known = sorted(((n, s.name) for n, s in pairs if n is not None), key=itemgetter(0))
        if known and known[0][0] != known[-1][0]:
            (less, short), (more, long) = known[0], known[-1]
            raise InputError(f"{short} has {less} rows and {long} has {more} or more; they differ")


def total_loss(
    loss: fastloss.Loss,
    inputs: Inputs,
    *,
    allow_nan: bool = False,
    advance: Callable[[int], object] = int,
) -> tuple[fastloss.Partial, int]:
    """Sum the loss over files.

    Parameters
    ----------
    loss : Loss
    inputs : Inputs
    allow_nan : bool
        Accept NaN in the prediction; the total is then NaN.
    advance : callable
        Called after each block with its number of rows.

    Returns
    -------
    total : Partial
        Total, weight and count.
    rows : int
        How many rows there are, ignored ones too.

    Raises
    ------
    InputError
        For arrays that do not fit each other or the loss, and for NaN; it says in which row.
    """
    _check_axis(loss, inputs.prediction)
    total, rows = fastloss.Partial(0.0, 0.0, 0), 0
    for start, block in inputs.blocks():
        for array, source in zip(block[1:], inputs.sources[1:], strict=True):
            _refuse_nan(start, array, source)
        with _located(start, block, inputs):
            part = loss.partial(*block)
        # The sum is a cheap witness: only where it is NaN can a row that counts hold one.
        if math.isnan(part.total) and not allow_nan:
            _refuse_nan(start, block[0], inputs.prediction, " (--allow-nan lets it through)")
        total += part
        rows += len(block[0])
        advance(len(block[0]))
    return total, rows


def mean_of(loss: fastloss.Loss, inputs: Inputs, total: fastloss.Partial) -> float:
    """Divide a total by its weight; where nothing counts, the loss says what the mean is."""
    if total.count:
        return total.mean
    nothing = [np.empty((0, *each.row_shape), each.dtype) for each in inputs.sources]
    return float(loss.value(*nothing, reduction="mean"))


def write_gradient(
    file: IO[bytes],
    rows: int,
    loss: fastloss.Loss,
    inputs: Inputs,
    *,
    denominator: float,
    advance: Callable[[int], object] = int,
) -> None:
    """Write the gradient with respect to the prediction as an .npy stream.

    Parameters
    ----------
    file : binary file
        Written from its start to its end, never held in memory: unlike a memory map, that reports
        a full disk as an error.
    rows : int
        As `total_loss` returned it.
    loss, inputs, advance
        As for `total_loss`, which has to have accepted them.
    denominator : float
        What the gradient of the sum is divided by; where the weights add up to 0 the gradient
        is 0, as that of the loss itself.
    """
    if not 0 <= denominator < math.inf:
        raise InputError(f"the weights add up to {denominator}, by which nothing can be divided")
    prediction = inputs.prediction
    dtype = prediction.dtype if prediction.dtype.kind == "f" else np.dtype(np.float64)
    dtype = dtype.newbyteorder("=")
    header = {
        "descr": npy.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (rows, *prediction.row_shape),
    }
    npy.write_array_header_1_0(file, header)
    gradient = np.zeros((inputs.rows_per_block, *prediction.row_shape), dtype)
    for start, block in inputs.blocks():
        part = gradient[: len(block[0])]
        if denominator:
            with _located(start, block, inputs):
                loss.grad(*block, reduction="mean", denominator=denominator, out=part)
        file.write(part.reshape(-1).view(np.uint8).data)
        advance(len(part))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when everything went well, and only then.

    Parameters
    ----------
    path : Path
        Untouched until the very end; whatever happens before, the new file is removed.
    """
    whole = path.resolve()
    if whole.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # In the same folder, for a rename is atomic only within one file system.
    new = whole.with_name(f".{whole.name}.{os.getpid()}.new")
    try:
        file = new.open("xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with file:
            yield file
        new.replace(whole)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def _check_axis(loss: fastloss.Loss, prediction: Source) -> None:
    """Refuse classes on the axis along which files are cut into blocks."""
    axes = 1 + len(prediction.row_shape)
    if (axes == 1 and loss.class_axis in ("always", "parameters")) or (
        axes > 1 and getattr(loss, "axis", 1) in (0, -axes)
    ):
        raise InputError(
            f"{prediction.name}: its first axis has to be one of rows, and the classes on another"
        )


def _refuse_nan(start: int, block: Array, source: Source, hint: str = "") -> None:
    # The minimum passes a NaN on, and needs no array of booleans to find out.
    if block.dtype.kind != "f" or not block.size or not np.isnan(block.min()):
        return
    row, *rest = np.argwhere(np.isnan(block))[0].tolist()
    column = ""
    if source.columns:
        # The one column there is may hold lists.
        column = f", column {source.columns[rest[0] if len(source.columns) > 1 else 0]!r}"
    elif rest:
        column = f", column {rest[0] if len(rest) == 1 else tuple(rest)}"
    raise InputError(
        f"{source.name}: row {start + row}{column} is NaN or missing{hint}; rows count from 0"
    )


@contextmanager
def _located(start: int, block: list[Array], inputs: Inputs) -> Iterator[None]:
    """Tell an error in a block as one in the whole files."""
    try:
        yield
    except (ValueError, TypeError, IndexError) as error:
        message, places = re.subn(
            r"(?<=\bposition )(\(?)(\d+)", lambda at: f"{at[1]}{start + int(at[2])}", str(error)
        )
        for source, array in zip(inputs.sources, block, strict=True):
            if source.rows is not None:
                message = message.replace(str(array.shape), str((source.rows, *source.row_shape)))
        if not places and start:
            message = f"rows {start} to {start + len(block[0]) - 1}: {message}"
        raise InputError(message) from error
