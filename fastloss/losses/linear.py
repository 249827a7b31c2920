"""Cross-entropy of a linear layer's outputs, for vocabularies too large to store them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fastloss import kernels
from fastloss.kernels import driver, linear
from fastloss.losses.base import NON_NEGATIVE, POSITIVE, UNIT, Array, Parameters, Reduction
from fastloss.losses.multiclass import check_classes

__all__ = ["LinearCrossEntropy"]

NDArray = npt.NDArray[Any]


class LinearGradients(NamedTuple):
    """Gradients of a linear cross-entropy; None where one was not wanted."""

    hidden: NDArray | None
    weight: NDArray | None
    bias: NDArray | None


class LinearStatistics(NamedTuple):
    """What a linear cross-entropy knows of its rows besides; None where it was not asked for."""

    log_sum_exp: NDArray | None = None
    argmax: NDArray | None = None
    accuracy: float | None = None
    entropy: NDArray | None = None


class LinearCrossEntropy(Parameters):
    """TODO"""

    class_weight: Annotated[Array | None, NON_NEGATIVE] = None
    ignore_index: int | None = -100
    label_smoothing: Annotated[float, UNIT] = 0.0
    z_loss: Annotated[float, NON_NEGATIVE] = 0.0
    soft_cap: Annotated[float | None, POSITIVE] = None
    empty: Literal["nan", "zero"] = "nan"
    memory: Annotated[int | None, POSITIVE] = None

    def _check(self) -> None:
        check_classes(self.class_weight, self.ignore_index)
        # Not fields: what they mean is said by those.
        weight = None if self.class_weight is None else np.array(self.class_weight)
        object.__setattr__(self, "_class_weight", weight)
        object.__setattr__(self, "_level", kernels.active())

    def __call__(
        self,
        hidden: Any,
        weight: Any,
        target: Any,
        bias: Any = None,
        *,
        sample_weight: Any = None,
        reduction: Reduction | None = None,
        denominator: float | None = None,
        n_threads: int | None = None,
    ) -> Any:
        """Return the value alone, with arguments as for :meth:`value_and_grad`."""
        return self._run(
            hidden, weight, target, bias, sample_weight, reduction, denominator, None, (), (),
            n_threads,
        )[0]  # fmt: skip

    def value_and_grad(
        self,
        hidden: Any,
        weight: Any,
        target: Any,
        bias: Any = None,
        *,
        sample_weight: Any = None,
        reduction: Reduction | None = None,
        denominator: float | None = None,
        out: Sequence[NDArray | None] | None = None,
        wrt: Sequence[str] | None = None,
        statistics: Sequence[str] = (),
        n_threads: int | None = None,
    ) -> Any:
        """TODO"""
        results = self._run(
            hidden, weight, target, bias, sample_weight, reduction, denominator, out, wrt,
            statistics, n_threads,
        )  # fmt: skip
        return results if statistics else results[:2]

    def _run(
        self,
        hidden: Any,
        weight: Any,
        target: Any,
        bias: Any,
        sample_weight: Any,
        reduction: Reduction | None,
        denominator: float | None,
        out: Sequence[NDArray | None] | None,
        wrt: Sequence[str] | None,
        statistics: Sequence[str],
        n_threads: int | None,
    ) -> tuple[Any, LinearGradients, LinearStatistics]:
        reduction = self.reduction if reduction is None else driver.checked_reduction(reduction)
        if denominator is not None:
            denominator = driver.checked_denominator(denominator, reduction)
        names = _chosen("statistics", statistics, LinearStatistics._fields)
        arrays = _arrays(hidden, weight, target, bias, sample_weight)
        hidden, weight, target, bias, sample_weight = arrays.values()
        shape, features, classes = target.shape, weight.shape[1], weight.shape[0]
        if self._class_weight is not None and len(self._class_weight) != classes:
            raise ValueError(
                f"class_weight must have one entry for each of the {classes} rows of weight, "
                f"got {len(self._class_weight)}"
            )
        gradients = _gradients(arrays, out, wrt)

        kept, labels = self._labels(target, classes)
        rows = None if kept.all() else np.flatnonzero(kept)
        if rows is not None:
            labels = labels[rows]
        label_weight = np.ones(len(labels))
        if self._class_weight is not None:
            label_weight = self._class_weight[labels]
        row_weight = _row_weight(sample_weight, shape, rows)
        divisor = 1.0
        if reduction == "mean":
            divisor = float((row_weight * label_weight).sum())
            divisor = divisor if denominator is None else denominator

        dtype = np.dtype(np.float32)
        if np.float64 in (_storage("hidden", hidden), _storage("weight", weight)):
            dtype = np.dtype(np.float64)
        rows_of_hidden = hidden.reshape(-1, features)
        grad_hidden = None
        if gradients.hidden is not None:
            grad_hidden = gradients.hidden.reshape(-1, features)
            if rows is not None:
                grad_hidden[~kept.ravel()] = 0
        call = linear.Call(
            dtype=dtype,
            hidden=rows_of_hidden,
            weight=weight,
            bias=_contiguous(bias, dtype),
            class_weight=_contiguous(self._class_weight, dtype),
            labels=labels,
            rows=rows,
            step=row_weight / divisor if divisor else 0 * row_weight,
            label_weight=label_weight,
            smoothing=self.label_smoothing,
            z_loss=self.z_loss,
            soft_cap=self.soft_cap or 0.0,
            entropy="entropy" in names,
            grad_hidden=grad_hidden,
            grad_weight=gradients.weight,
            grad_bias=gradients.bias,
            fixed=0,
        )
        results = linear.run(call, self.memory, self._level, n_threads)
        if grad_hidden is not None and not np.may_share_memory(grad_hidden, gradients.hidden):
            gradients.hidden[...] = grad_hidden.reshape(gradients.hidden.shape)

        values = results.value * row_weight
        if reduction == "none":
            value = _all_rows(values, shape, rows, _storage("hidden", hidden), 0)
        elif divisor == 0:
            value = 0.0 if self.empty == "zero" and not len(labels) else float("nan")
        else:
            value = float(values.sum()) / divisor
        return value, gradients, _statistics(names, results, labels, shape, rows)

    def _labels(self, target: NDArray, classes: int) -> tuple[NDArray, NDArray]:
        """Return which rows count, and all labels as indices."""
        labels = target.astype(np.float64)
        kept = np.ones(target.shape, bool)
        if self.ignore_index is not None:
            kept = labels != self.ignore_index
        wrong = kept & ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
        if wrong.any():
            at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            raise driver.wrong_label(target, at, classes, self.ignore_index)
        return kept.ravel(), np.where(kept, labels, 0).astype(np.intp).ravel()


def _chosen(name: str, given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return names that were checked."""
    given = (given,) if isinstance(given, str) else tuple(given)
    for word in given:
        if word not in known:
            listed = ", ".join(repr(k) for k in known)
            raise ValueError(f"{name} must be of {listed}, got {word!r}")
    return given


def _storage(name: str, array: NDArray) -> np.dtype[Any]:
    """Return the type of an argument's gradient."""
    if array.dtype.kind in "biu":
        return np.dtype(np.float64)
    if array.dtype.kind == "f" and array.itemsize > 8:
        raise TypeError(
            f"{name} must be float16, bfloat16, float32 or float64, got dtype {array.dtype}"
        )
    return array.dtype.newbyteorder("=")


def _arrays(
    hidden: Any, weight: Any, target: Any, bias: Any, sample_weight: Any
) -> dict[str, NDArray | None]:
    """Return the arguments as arrays whose shapes agree."""
    given = {"hidden": hidden, "weight": weight, "target": target, "bias": bias,
             "sample_weight": sample_weight}  # fmt: skip
    arrays = {n: None if a is None else driver.real_array(n, a) for n, a in given.items()}
    hidden, weight, target, bias, sample_weight = arrays.values()
    if weight.ndim != 2 or weight.shape[0] == 0:
        raise ValueError(
            f"weight must have shape (classes, features) with at least one class, got {weight.shape}"
        )
    classes, features = weight.shape
    if hidden.ndim == 0 or hidden.shape[-1] != features:
        raise ValueError(
            f"hidden must have the weight's {features} features as its last axis, "
            f"got shape {hidden.shape}"
        )
    rows = hidden.shape[:-1]
    if target.shape != rows:
        raise ValueError(
            f"target must have shape {rows} for a hidden of shape {hidden.shape}, got {target.shape}"
        )
    if bias is not None and bias.shape != (classes,):
        raise ValueError(f"bias must have shape {(classes,)}, got {bias.shape}")
    if sample_weight is not None and sample_weight.shape not in (rows, rows[:1]):
        raise ValueError(
            f"sample_weight must have shape {rows}"
            + (f" or {rows[:1]}" if len(rows) > 1 else "")
            + f", got {sample_weight.shape}"
        )
    return arrays


def _gradients(
    arrays: dict[str, NDArray | None],
    out: Sequence[NDArray | None] | None,
    wrt: Sequence[str] | None,
) -> LinearGradients:
    """Return the arrays for the gradients, the caller's or new ones."""
    fields = LinearGradients._fields
    if wrt is None:
        wrt = [name for name in fields if arrays[name] is not None]
    wrt = _chosen("wrt", wrt, fields)
    given = (None,) * len(fields) if out is None else tuple(out)
    if len(given) != len(fields):
        raise ValueError(f"out must hold 3 arrays or None, for {', '.join(fields)}, got {len(given)}")
    gradients: dict[str, NDArray | None] = {}
    for name, array in zip(fields, given, strict=True):
        of = arrays[name]
        if name not in wrt:
            if array is not None:
                raise ValueError(f"out.{name} must be None, since wrt is {wrt}")
            gradients[name] = None
            continue
        if of is None:
            raise ValueError(f"wrt names {name!r}, but there is no {name}")
        dtype = _storage(name, of)
        if array is None:
            gradients[name] = np.empty_like(of, dtype=dtype, subok=False)
            continue
        array = driver.checked_output(f"out.{name}", array, of.shape, dtype)
        others = [(n, a) for n, a in arrays.items() if a is not None]
        others += [(f"out.{n}", a) for n, a in gradients.items() if a is not None]
        for other, taken in others:
            if driver.share_memory(array, taken):
                raise ValueError(f"out.{name} must not share memory with {other}")
        gradients[name] = array
    return LinearGradients(**gradients)


def _row_weight(weight: NDArray | None, shape: tuple[int, ...], rows: NDArray | None) -> NDArray:
    """Return the weight of each row that counts."""
    if weight is None:
        return np.ones(int(np.prod(shape)) if rows is None else len(rows))
    weight = weight.astype(np.float64)
    weight = np.broadcast_to(weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)), shape)
    return weight.ravel() if rows is None else weight.ravel()[rows]


def _contiguous(array: NDArray | None, dtype: np.dtype[Any]) -> NDArray | None:
    return None if array is None else np.ascontiguousarray(array, dtype)


def _all_rows(
    found: NDArray, shape: tuple[int, ...], rows: NDArray | None, dtype: Any, ignored: float
) -> NDArray:
    """Return results per row that counts as an array of the target's shape."""
    if rows is None:
        return found.astype(dtype, copy=False).reshape(shape)
    every = np.full(int(np.prod(shape)), ignored, dtype)
    every[rows] = found
    return every.reshape(shape)


def _statistics(
    names: Sequence[str],
    results: linear.Results,
    labels: NDArray,
    shape: tuple[int, ...],
    rows: NDArray | None,
) -> LinearStatistics:
    chosen: dict[str, Any] = {}
    for name in names:
        if name == "accuracy":
            hits = results.argmax == labels
            chosen[name] = float(hits.mean()) if len(hits) else float("nan")
        elif name == "argmax":
            chosen[name] = _all_rows(results.argmax, shape, rows, np.intp, -1)
        else:
            chosen[name] = _all_rows(getattr(results, name), shape, rows, np.float64, np.nan)
    return LinearStatistics(**chosen)
