"""Tables made ready to learn from: features and target as float32 and labels, split and scaled."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastloss.commands.tables import InputError, read_columns
from fastloss.extras import require

Array = NDArray[Any]
Task = Literal["regression", "binary", "multiclass"]

#: More different texts than this in a column look like names or keys, not like categories.
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Dataset:
    """Columns of features and one of targets, as they stand in the table.

    Attributes
    ----------
    name : str
    features : dict of str to array
        Numbers, booleans, or texts as an object array of str.
    target_name : str
    target : array
    """

    name: str
    features: dict[str, Array]
    target_name: str
    target: Array


@dataclass(frozen=True)
class Part:
    """Rows to train on, or held out.

    Attributes
    ----------
    features : array of float32, (rows, inputs)
    target : array, (rows,)
        float32, or int64 labels for several classes.
    """

    features: Array
    target: Array

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.target)


def demonstration(task: Task) -> Dataset:
    """Load the real data that comes with scikit-learn and suits a task.

    Parameters
    ----------
    task : {"regression", "binary", "multiclass"}
        Progress of diabetes (442 patients, 10 measurements), breast cancer (569 tumours, 30
        measurements, benign or malignant), or handwritten digits (1797 images of 8 x 8 pixels).
    """
    data = require("sklearn.datasets", "demo")
    name, target_name, load = {
        "regression": ("diabetes", "progression", data.load_diabetes),
        "binary": ("breast cancer", "diagnosis", data.load_breast_cancer),
        "multiclass": ("digits", "digit", data.load_digits),
    }[task]
    bunch = load()
    target = bunch.target
    if task == "binary":
        # By name, sorted, the finding is the positive class; scikit-learn's 1 means benign.
        target = bunch.target_names[target].astype(object)
    features = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    return Dataset(f"{name} (scikit-learn)", features, target_name, target)


def from_file(path: Path, target: str | None, drop: list[str]) -> Dataset:
    """Read a table and set the target column apart.

    Parameters
    ----------
    path : Path
        A .csv, .parquet or .npz file.
    target : str or None
        Name of the column to predict.
    drop : list of str
        Columns to leave out.

    Raises
    ------
    InputError
        For a column that is not there, for missing values, and for columns that cannot be learned
        from.
    """
    columns = read_columns(path)
    if target is None:
        raise InputError(f"--data needs --target; the columns are {', '.join(columns)}")
    for name in [target, *drop]:
        if name not in columns:
            near = difflib.get_close_matches(name, columns, n=3) or list(columns)
            raise InputError(f"{path}: no column {name!r}; did you mean {', '.join(near)}?")
    kept = {name: column for name, column in columns.items() if name not in drop}
    for name, column in kept.items():
        _refuse_missing(path, name, column)
        if column.dtype.kind not in "biufO":
            raise InputError(
                f"{path}: column {name!r} holds {column.dtype}, which is neither numbers nor "
                f"texts; leave it out with --drop {name}"
            )
    if not len(kept[target]):
        raise InputError(f"{path}: has no rows")
    features = {name: column for name, column in kept.items() if name != target}
    if not features:
        raise InputError(f"{path}: has no column beside {target!r} to learn from")
    return Dataset(str(path), features, target, kept[target])


def _refuse_missing(path: Path, name: str, column: Array) -> None:
    if column.dtype.kind == "O":
        missing = np.array([cell is None for cell in column], dtype=bool)
    else:
        missing = np.isnan(column) if column.dtype.kind == "f" else np.zeros(0, dtype=bool)
    if missing.any():
        raise InputError(
            f"{path}: column {name!r} has {missing.sum()} missing values, the first in row "
            f"{missing.argmax()} (rows count from 0); fill them, or leave the column out with "
            f"--drop {name}"
        )


def encode_target(dataset: Dataset, task: Task) -> tuple[Array, tuple[str, ...]]:
    """Turn the target column into what a loss of the task takes.

    Parameters
    ----------
    dataset : Dataset
    task : {"regression", "binary", "multiclass"}

    Returns
    -------
    target : array
        float32; for several classes int64 labels, which count the classes in sorted order.
    classes : tuple of str
        Names of the classes; empty for numbers and for probabilities.
    """
    column = dataset.target
    described = f"{dataset.name}: the target {dataset.target_name!r}"
    if task == "regression":
        if column.dtype.kind == "O":
            raise InputError(f"{described} holds texts, and this loss needs numbers")
        return column.astype(np.float32), ()
    classes, labels = np.unique(column, return_inverse=True)
    names = tuple(map(str, classes))
    if task == "binary":
        numeric = column.dtype.kind in "iuf"
        if numeric and len(classes) > 1 and classes[0] >= 0 and classes[-1] <= 1:
            # Already 0 and 1, or probabilities, which these losses take as well.
            return column.astype(np.float32), ("0", "1") if set(classes) == {0, 1} else ()
        if len(classes) != 2:
            raise InputError(
                f"{described} has {len(classes)} different values ({listed(names)}), and this "
                "loss needs two"
            )
        return labels.astype(np.float32), names
    if column.dtype.kind == "f" and (column != np.rint(column)).any():
        raise InputError(f"{described} holds fractions, and this loss needs classes")
    if len(classes) < 2 or len(classes) > max(2, len(column) // 2):
        raise InputError(
            f"{described} has {len(classes)} different values in {len(column)} rows, which are "
            "no classes to learn"
        )
    return labels.astype(np.int64), names


def natural_task(dataset: Dataset) -> Task:
    """Say what a target looks like: texts and two values are classes, other numbers are numbers."""
    distinct = len(np.unique(dataset.target))
    if distinct == 2:
        return "binary"
    return "multiclass" if dataset.target.dtype.kind == "O" else "regression"


def split(
    dataset: Dataset, target: Array, task: Task, held_out: float, rng: np.random.Generator
) -> tuple[Part, Part]:
    """Hold rows out at random, and scale the features by what the other rows show.

    Parameters
    ----------
    dataset : Dataset
    target : array
        The encoded target.
    task : {"regression", "binary", "multiclass"}
        Classes are held out in proportion.
    held_out : float
        The share to hold out, 0 to below 1.
    rng : numpy.random.Generator

    Returns
    -------
    train, held_out : Part
        Numbers less the training rows' mean, divided by their standard deviation; texts as one
        column per category of the training rows.
    """
    aside = np.zeros(len(target), dtype=bool)
    strata = {"regression": aside, "binary": target > 0.5, "multiclass": target}[task]
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        aside[rows[: round(held_out * len(rows))]] = True
    if aside.all() or (held_out and not aside.any()):
        raise InputError(
            f"{dataset.name}: its {len(target)} rows are too few to hold {held_out:g} of them out"
        )
    columns = [
        scaled
        for name, column in dataset.features.items()
        for scaled in _scale(dataset.name, name, column, ~aside)
    ]
    features = np.column_stack(columns)
    parts = (Part(np.ascontiguousarray(features[rows]), target[rows]) for rows in (~aside, aside))
    return next(parts), next(parts)


def _scale(table: str, name: str, column: Array, train: Array) -> list[Array]:
    """Scale one column; a column of texts becomes one column per category."""
    if column.dtype.kind == "O":
        categories = np.unique(column[train])
        if len(categories) > MOST_CATEGORIES:
            raise InputError(
                f"{table}: column {name!r} holds {len(categories)} different texts, too many for "
                f"categories; leave it out with --drop {name}"
            )
        return [(column == category).astype(np.float32) for category in categories]
    numbers = column.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise InputError(f"{table}: column {name!r} holds infinite numbers")
    center, spread = numbers[train].mean(), numbers[train].std()
    # A constant column has nothing to say and nothing to divide by.
    return [((numbers - center) / (spread if spread > 0 else 1.0)).astype(np.float32)]


def listed(names: tuple[str, ...], most: int = 5) -> str:
    """Write out the first few names."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
