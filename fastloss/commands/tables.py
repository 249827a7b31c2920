"""Arrays and tables in files: .npy, .npz, .csv and .parquet.

`open_array` reads blocks of rows at constant memory, whatever the size of the file; `read_columns`
reads a whole table, for training. A file's columns or its array are chosen after a colon:
``scores.csv:prediction``, ``scores.parquet:cat,dog,bird``, ``arrays.npz:logits``.
"""

import csv
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fastloss.extras import require

Array = NDArray[Any]

#: What each suffix needs beside NumPy comes with this extra.
_EXTRA = "files"


class InputError(ValueError):
    """Bad input, told in one sentence for the person who gave it."""


@dataclass(frozen=True)
class Source:
    """An array in a file, read in blocks of rows.

    Attributes
    ----------
    name : str
        The file, and what is chosen in it, as the user wrote it.
    dtype : numpy.dtype
    row_shape : tuple of int
        The shape without the leading axis.
    rows : int or None
        Length of the leading axis; None where only reading to the end can tell (.csv).
    columns : tuple of str
        Names of the columns, where the file has some.
    blocks : callable
        ``blocks(n)`` starts a pass over the file: an iterator of arrays of n rows each, the last
        one shorter. An array is valid until the next one is asked for.
    """

    name: str
    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    rows: int | None
    columns: tuple[str, ...]
    blocks: Callable[[int], Iterator[Array]]


def open_array(spec: str) -> Source:
    """Open an array for reading in blocks.

    Parameters
    ----------
    spec : str
        ``file.npy``, ``file.npz`` or ``file.npz:array``, ``file.csv`` or ``file.csv:column,…``,
        ``file.parquet`` or ``file.parquet:column,…``. Several columns are the columns of a
        two-dimensional array, such as class scores.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        For a file that does not hold the array, or does not hold numbers.
    OSError
        For a file that cannot be opened.
    """
    path, choice = _split(spec)
    with _readable(path):
        return _ARRAY_FORMATS[_format_of(path)](spec, path, choice)


def read_columns(path: Path) -> dict[str, Array]:
    """Read a whole table.

    Parameters
    ----------
    path : Path
        A .csv, .parquet or .npz file. Of an .npz file each one-dimensional array is a column, and
        each two-dimensional array ``x`` the columns ``x[0]``, ``x[1]``, …

    Returns
    -------
    dict of str to array
        Numbers and booleans as such, a missing one as NaN; texts as an object array of str, a
        missing one as None.
    """
    with _readable(path):
        kind = _format_of(path)
        if kind == ".npy":
            raise InputError(f"{path}: a table needs named columns: give a .csv, .parquet or .npz")
        if kind == ".npz":
            return _columns_of_npz(path)
        return _columns_of_table(_read_arrow(path, kind), path)


def _split(spec: str) -> tuple[Path, str]:
    """Separate the file's path from what is chosen in it."""
    path, colon, choice = spec.rpartition(":")
    # A colon may belong to the path (C:\data.npy), so it separates only after a known suffix.
    if colon and Path(path).suffix.lower() in _ARRAY_FORMATS and not Path(spec).exists():
        return Path(path), choice
    return Path(spec), ""


def _format_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _ARRAY_FORMATS:
        known = ", ".join(_ARRAY_FORMATS)
        raise InputError(f"{path}: the name must end in one of {known}, to say what the file holds")
    return suffix


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a reader raises for a damaged file into one sentence."""
    try:
        yield
    except (InputError, OSError):
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, csv.Error) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error


def _check_numeric(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf":
        raise InputError(f"{name}: holds {dtype}, and real numbers are needed")


def _choose(name: str, wanted: str, present: Iterable[str]) -> list[str]:
    """Check the names in a choice such as ``a,b`` against the names in the file."""
    present = list(present)
    chosen = wanted.split(",") if wanted not in present else [wanted]
    for column in chosen:
        if column not in present:
            raise InputError(f"{name}: no {column!r} in the file; it has {', '.join(present)}")
    return chosen


def _without_index(names: Iterable[str]) -> list[str]:
    """Leave out the row numbers that pandas writes beside a table, for they are no data.

    Taken for a feature, they tell the classes of a sorted table; taken for scores, they are one
    class too many.
    """
    return [name for name in names if name not in ("", "__index_level_0__")]


# --- .npy -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Header:
    """What stands at the head of an .npy stream; `offset` is where the numbers begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _read_header(name: str, stream: IO[bytes]) -> _Header:
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise InputError(f"{name}: not an array that NumPy saved ({error})") from error
    _check_numeric(name, dtype)
    if not shape:
        raise InputError(f"{name}: holds a single number, and an array is needed")
    # In one dimension the two orders are the same, and the C reader is the cheaper one.
    return _Header(shape, fortran and len(shape) > 1, dtype, stream.tell())


def _open_npy(name: str, path: Path, choice: str) -> Source:
    if choice:
        raise InputError(f"{name}: an .npy file holds one array, so nothing can be chosen in it")
    with path.open("rb") as stream:
        header = _read_header(name, stream)
        held = stream.seek(0, 2) - header.offset
    if held < header.size:
        raise InputError(f"{name}: cut short, {held} of {header.size} bytes of numbers are there")
    rows, *row_shape = header.shape

    def blocks(length: int) -> Iterator[Array]:
        if header.fortran or not header.size:
            whole = np.load(path, mmap_mode="r" if header.size else None)
            yield from (whole[start : start + length] for start in range(0, rows, length))
            return
        row_bytes = header.size // rows
        for start in range(0, rows, length):
            # One mapping per block: neither address space nor resident memory grows with the file.
            yield np.memmap(
                path,
                mode="r",
                dtype=header.dtype,
                offset=header.offset + start * row_bytes,
                shape=(min(length, rows - start), *row_shape),
            ).view(np.ndarray)

    return Source(name, header.dtype, tuple(row_shape), rows, (), blocks)


# --- .npz -------------------------------------------------------------------------------------


def _open_npz(name: str, path: Path, choice: str) -> Source:
    with zipfile.ZipFile(path) as archive:
        arrays = [member.removesuffix(".npy") for member in archive.namelist()]
        if not choice and len(arrays) != 1:
            listed = ", ".join(arrays)
            raise InputError(f"{name}: holds {listed}: choose one with {path}:NAME")
        member = _choose(name, choice or arrays[0], arrays)[0] + ".npy"
        with archive.open(member) as stream:
            header = _read_header(name, stream)
    rows, *row_shape = header.shape

    def blocks(length: int) -> Iterator[Array]:
        if header.fortran:
            # Rows of a compressed Fortran array lie scattered over it: it has to be read whole.
            with np.load(path) as arrays:
                whole = arrays[member]
            yield from (whole[start : start + length] for start in range(0, rows, length))
            return
        with _readable(path), zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            stream.read(header.offset)
            for start in range(0, rows, length):
                block = np.empty((min(length, rows - start), *row_shape), header.dtype)
                _fill(name, stream, block)
                yield block

    return Source(name, header.dtype, tuple(row_shape), rows, (), blocks)


def _fill(name: str, stream: IO[bytes], block: Array) -> None:
    """Read a block's bytes; a decompressing stream may give fewer than it was asked for."""
    room = block.reshape(-1).view(np.uint8).data
    while len(room):
        piece = stream.read(len(room))
        if not piece:
            raise InputError(f"{name}: cut short, {len(room)} bytes of numbers are missing")
        room[: len(piece)] = piece
        room = room[len(piece) :]


def _columns_of_npz(path: Path) -> dict[str, Array]:
    columns: dict[str, Array] = {}
    with np.load(path) as arrays:
        for name, array in arrays.items():
            if array.ndim == 2:
                columns.update({f"{name}[{k}]": array[:, k] for k in range(array.shape[1])})
            elif array.ndim == 1:
                columns[name] = array.astype(object) if array.dtype.kind == "U" else array
            else:
                raise InputError(f"{path}: {name} has {array.ndim} axes, and a table has 1 or 2")
    if len(lengths := {name: len(column) for name, column in columns.items()}) and (
        len(set(lengths.values())) > 1
    ):
        raise InputError(f"{path}: the arrays differ in length: {lengths}")
    return columns


# --- .csv and .parquet, through Apache Arrow --------------------------------------------------


def _csv_layout(path: Path) -> tuple[str, list[str] | None]:
    """Find a CSV file's delimiter, and the names of its columns where no header gives them."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        line = stream.readline()
    if not line.strip():
        raise InputError(f"{path}: its first line is empty, and the columns' names are expected")
    delimiter = max(",;\t", key=line.count)
    cells = next(csv.reader([line], delimiter=delimiter))
    # A first line of nothing but numbers is data, as numpy.savetxt writes it.
    return delimiter, [str(k) for k in range(len(cells))] if all(map(_is_number, cells)) else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _csv_options(path: Path, block_size: int) -> dict[str, Any]:
    arrow = require("pyarrow.csv", _EXTRA)
    delimiter, names = _csv_layout(path)
    return {
        # One thread, or Arrow's errors could not say which row they mean.
        "read_options": arrow.ReadOptions(
            column_names=names, block_size=block_size, use_threads=False
        ),
        "parse_options": arrow.ParseOptions(delimiter=delimiter),
    }


def _open_csv(name: str, path: Path, choice: str) -> Source:
    arrow, csv_reader = require("pyarrow", _EXTRA), require("pyarrow.csv", _EXTRA)
    options = _csv_options(path, block_size=1 << 20)
    with csv_reader.open_csv(path, **options) as reader:
        schema = reader.schema
    chosen = _choose(name, choice, schema.names) if choice else _without_index(schema.names)
    # Arrow guesses the types from the first block alone, and the first 0.5 may come after it.
    convert = csv_reader.ConvertOptions(
        include_columns=chosen,
        column_types={
            column: arrow.bool_() if schema.field(column).type == "bool" else arrow.float64()
            for column in chosen
        },
    )

    def pieces() -> Iterator[Array]:
        with (
            _readable(path),
            csv_reader.open_csv(path, convert_options=convert, **options) as reader,
        ):
            yield from map(_from_arrow, reader)

    return _table_source(name, chosen, None, lambda rows: _rebatch(pieces(), rows), pieces)


def _open_parquet(name: str, path: Path, choice: str) -> Source:
    parquet = require("pyarrow.parquet", _EXTRA)
    with parquet.ParquetFile(path) as file:
        names, rows = file.schema_arrow.names, file.metadata.num_rows
    chosen = _choose(name, choice, names) if choice else _without_index(names)

    def pieces(length: int = 1024) -> Iterator[Array]:
        with _readable(path), parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(length, columns=chosen):
                yield _from_arrow(batch.select(chosen))

    return _table_source(name, chosen, rows, lambda n: _rebatch(pieces(n), n), pieces)


def _table_source(
    name: str,
    columns: list[str],
    rows: int | None,
    blocks: Callable[[int], Iterator[Array]],
    pieces: Callable[[], Iterator[Array]],
) -> Source:
    """Make the source of a table; its first piece shows the dtype and the shape."""
    shape = () if len(columns) == 1 else (len(columns),)
    first = next(pieces(), np.empty((0, *shape)))
    _check_numeric(name, first.dtype)
    return Source(name, first.dtype, first.shape[1:], rows, tuple(columns), blocks)


def _from_arrow(batch: Any) -> Array:
    """Turn a batch of columns into an array: one column one axis, several columns two."""
    arrays = [
        _numbers_of(column, name)
        for column, name in zip(batch.columns, batch.schema.names, strict=True)
    ]
    return arrays[0] if len(arrays) == 1 else np.column_stack(arrays)


def _numbers_of(column: Any, name: str) -> Array:
    types = require("pyarrow.types", _EXTRA)
    kind = column.type
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        # A row of class scores may lie in one cell.
        values = _numbers_of(column.flatten(), name)
        if len(column) == 0:
            return values.reshape(0, 1)
        if column.null_count or len(values) % len(column) or _ragged(column):
            raise InputError(f"column {name!r}: its lists differ in length")
        return values.reshape(len(column), -1)
    if types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if types.is_decimal(kind) or types.is_null(kind) or (column.null_count and kind == "bool"):
        column = column.cast("float64")
    elif not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        raise InputError(f"column {name!r} holds {kind}, and numbers are needed")
    array: Array = column.to_numpy(zero_copy_only=False)
    return array


def _ragged(column: Any) -> bool:
    lengths = require("pyarrow.compute", _EXTRA).list_value_length(column).to_numpy()
    return bool((lengths != lengths[0]).any())


def _rebatch(pieces: Iterable[Array], rows: int) -> Iterator[Array]:
    """Cut pieces of any length into blocks of `rows` rows."""
    held: list[Array] = []
    count = 0
    for piece in pieces:
        while len(piece):
            part, piece = piece[: rows - count], piece[rows - count :]
            held.append(part)
            count += len(part)
            if count == rows:
                yield _join(held)
                held, count = [], 0
    if held:
        yield _join(held)


def _join(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _read_arrow(path: Path, kind: str) -> Any:
    if kind == ".parquet":
        return require("pyarrow.parquet", _EXTRA).read_table(path)
    reader = require("pyarrow.csv", _EXTRA)
    # The whole file is one block, as far as Arrow allows: so every row has a say in the types.
    size = min(max(path.stat().st_size + 1, 1 << 20), 2**31 - 1)
    return reader.read_csv(
        path,
        convert_options=reader.ConvertOptions(strings_can_be_null=True),
        **_csv_options(path, size),
    )


def _columns_of_table(table: Any, path: Path) -> dict[str, Array]:
    types = require("pyarrow.types", _EXTRA)
    if len(set(table.column_names)) < table.num_columns:
        raise InputError(f"{path}: two columns have the same name")
    columns: dict[str, Array] = {}
    for name in _without_index(table.column_names):
        column = table[name].combine_chunks()
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if types.is_string(column.type) or types.is_large_string(column.type):
            columns[name] = column.to_numpy(zero_copy_only=False)
        elif types.is_temporal(column.type):
            columns[name] = column.to_numpy(zero_copy_only=False).astype("datetime64[ns]")
        else:
            columns[name] = _numbers_of(column, name)
    return columns


_ARRAY_FORMATS: dict[str, Callable[[str, Path, str], Source]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".csv": _open_csv,
    ".parquet": _open_parquet,
}
