"""The loss over arrays in files, block by block: constant memory for files of any size."""

import bisect
import itertools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

import fastloss
from fastloss.tables import InputError, Source

Array = NDArray[Any]
Block = tuple[Array, Array, Array | None]

#: Numbers of the prediction per block: enough to keep the threads busy, small beside any memory.
#: Fixed, so that the sum, and with it the value's last bit, does not depend on the machine.
BLOCK_SIZE = 1 << 20


def total_loss(
    loss: fastloss.Loss,
    prediction: Source,
    target: Source,
    weight: Source | None = None,
    *,
    allow_nan: bool = False,
    advance: Callable[[int], object] | None = None,
) -> tuple[fastloss.Partial, int]:
    """Sum the loss over files.

    Parameters
    ----------
    loss : Loss
    prediction, target : Source
    weight : Source, optional
    allow_nan : bool
        Accept NaN in the prediction; the total is then NaN.
    advance : callable, optional
        Called with the number of rows done, after each block.

    Returns
    -------
    total : Partial
        Total, weight and count.
    rows : int
        How many rows there are.

    Raises
    ------
    InputError
        For arrays that do not fit each other or the loss, and for NaN; it says in which row.
    """
    whole, rows = fastloss.Partial(0.0, 0.0, 0), 0
    for start, block in _blocks(prediction, target, weight):
        _refuse_nan(start, block[1], target)
        if weight is not None and block[2] is not None:
            _refuse_nan(start, block[2], weight)
        try:
            part = loss.partial(*block)
        except (ValueError, TypeError, IndexError) as error:
            raise _located(error, loss, start, block, prediction, target, weight) from error
        # The sum is a cheap witness: only where it is NaN can a row that counts hold one.
        if math.isnan(part.total) and not allow_nan:
            _refuse_nan(start, block[0], prediction, hint=" (--allow-nan lets it through)")
        whole += part
        rows += len(block[0])
        if advance is not None:
            advance(len(block[0]))
    return whole, rows


def write_gradient(
    file: IO[bytes],
    rows: int,
    loss: fastloss.Loss,
    prediction: Source,
    target: Source,
    weight: Source | None = None,
    *,
    denominator: float,
    advance: Callable[[int], object] | None = None,
) -> None:
    """Write the gradient with respect to the prediction as an .npy stream.

    Parameters
    ----------
    file : binary file
        Written from its start to its end, never held in memory: unlike a memory map, that reports
        a full disk as an error.
    rows : int
        How many rows the prediction has.
    loss, prediction, target, weight, advance
        As for `total_loss`, which has to have accepted the same files.
    denominator : float
        What the gradient of the sum is divided by.
    """
    dtype = prediction.dtype if prediction.dtype.kind == "f" else np.dtype(np.float64)
    dtype = dtype.newbyteorder("=")
    header = {
        "descr": npy.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (rows, *prediction.row_shape),
    }
    npy.write_array_header_1_0(file, header)
    gradient = np.empty((_rows_per_block(prediction), *prediction.row_shape), dtype)
    for _, block in _blocks(prediction, target, weight):
        part = gradient[: len(block[0])]
        loss.grad(*block, reduction="mean", denominator=denominator, out=part)
        file.write(part.reshape(-1).view(np.uint8).data)
        if advance is not None:
            advance(len(part))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when everything went well, and only then.

    Parameters
    ----------
    path : Path
        Untouched until the very end; whatever happens before, the new file is removed.
    """
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file's name is expected")
    # In the same folder, for a rename is atomic only within one file system.
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("xb") as file:
            yield file
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def _rows_per_block(prediction: Source) -> int:
    return max(1, BLOCK_SIZE // max(1, math.prod(prediction.row_shape)))


def _blocks(
    prediction: Source, target: Source, weight: Source | None
) -> Iterator[tuple[int, Block]]:
    """Yield the files' rows side by side, with the number of the first row of each block."""
    sources = [prediction, target] + ([weight] if weight is not None else [])
    _check_lengths(sources, [source.rows for source in sources])
    rows = _rows_per_block(prediction)
    start = 0
    for blocks in itertools.zip_longest(*(source.blocks(rows) for source in sources)):
        lengths = [0 if block is None else len(block) for block in blocks]
        _check_lengths(sources, [start + length for length in lengths])
        yield start, (blocks[0], blocks[1], blocks[2] if weight is not None else None)
        start += lengths[0]


def _check_lengths(sources: list[Source], lengths: list[int | None]) -> None:
    known = [(n, source) for n, source in zip(lengths, sources, strict=True) if n is not None]
    for length, source in known:
        if length != known[0][0]:
            short, long = sorted([known[0], (length, source)], key=lambda pair: pair[0])
            raise InputError(
                f"{short[1].name} has {short[0]} rows, and {long[1].name} has {long[0]} "
                "or more: they must have the same number"
            )


def _refuse_nan(start: int, block: Array, source: Source, hint: str = "") -> None:
    # The minimum passes a NaN on, and needs no array of booleans to find out.
    if block.dtype.kind != "f" or not block.size or not np.isnan(block.min()):
        return
    row, *rest = np.argwhere(np.isnan(block))[0].tolist()
    column = ""
    if source.columns and len(source.columns) >= len(rest):
        column = f", column {source.columns[rest[0] if rest else 0]!r}"
    elif rest:
        column = f", column {rest[0] if len(rest) == 1 else tuple(rest)}"
    raise InputError(
        f"{source.name}: row {start + row}{column} is NaN or missing{hint}; rows count from 0"
    )


def _located(
    error: Exception,
    loss: fastloss.Loss,
    start: int,
    block: Block,
    prediction: Source,
    target: Source,
    weight: Source | None,
) -> InputError:
    """Say what was wrong: with the shapes of the whole files, or with one row of them."""

    def refuses(rows: slice) -> Exception | None:
        try:
            loss.partial(*(None if array is None else array[rows] for array in block))
        except (ValueError, TypeError, IndexError) as error:
            return error
        return None

    if refuses(slice(0)):
        shapes = ", ".join(
            f"{source.name} ({block_.dtype}, a row's shape is {source.row_shape})"
            for source, block_ in zip((prediction, target, weight), block, strict=True)
            if source is not None and block_ is not None
        )
        return InputError(f"{shapes}: {error}")
    # The blocks of rows 0…k are refused from the first bad row on, so bisection finds it.
    row = bisect.bisect_left(
        range(len(block[0])), True, key=lambda k: refuses(slice(k + 1)) is not None
    )
    alone = refuses(slice(row, row + 1)) or error
    return InputError(f"row {start + row} (rows count from 0): {alone}")
