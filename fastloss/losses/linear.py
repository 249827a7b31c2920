"""Cross-entropy of a linear layer's outputs, for vocabularies too large to store them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, overload

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
    r"""Cross-entropy of hidden @ weight.T + bias, without ever storing the logits.

    For a language model's last layer, whose N times V logits would be the largest array by far.
    With logits :math:`z = c \tanh((H W^T + b) / c)` for a soft cap c (without one
    :math:`z = H W^T + b`), P = softmax(z) of a row over V classes, y its label, w class weights,
    e label smoothing and :math:`\zeta` the z-loss:

    .. math::
        \ell &= -(1 - e) w_y \log P_y - \frac{e}{V} \sum_k w_k \log P_k
            + \zeta w_y \left(\log \sum_k \exp z_k\right)^2 \\
        G_k &= \left(M P_k - q_k\right) \left(1 - (z_k / c)^2\right), \quad
            q_k = (1 - e) w_y [k = y] + \frac{e}{V} w_k, \quad
            M = \sum_k q_k + 2 \zeta w_y \log \sum_k \exp z_k \\
        \nabla_H &= G W, \quad \nabla_W = G^T H, \quad \nabla_b = \sum_n G_n

    That is :class:`CrossEntropy` of what the layer gives, which has the same options.

    Parameters
    ----------
    class_weight : array-like or None, default None
        One weight per class, not negative.
    ignore_index : int or None, default -100
        Rows with this label count for nothing: they are not read, cost 0, take no time and get an
        exact zero gradient. None ignores no label.
    label_smoothing : float, default 0.0
        In [0, 1]: the share of each target that is spread evenly over all classes.
    z_loss : float, default 0.0
        Factor of the squared log-sum-exp, which keeps the logits from drifting; 1e-4 in PaLM. A row
        counts in it with its weight and its label's class weight, as in the rest of the loss.
    soft_cap : float or None, default None
        Bound that the logits approach, as in Gemma 2 (there 30).
    empty : {"nan", "zero"}, default "nan"
        The mean of no rows at all: NaN as in PyTorch, or 0.
    memory : int or None, default None
        Upper bound in bytes for what a call allocates beside its results. More makes a call faster,
        up to the size of the logits. None: 64 MiB more than the least that the call can do with.
    reduction : {"mean", "sum", "none"}, default "mean"

    Raises
    ------
    IndexError
        If a label is neither a class nor `ignore_index`; found before anything is read with it.
    ValueError
        If a call cannot do with `memory`; the message says what it needs.

    Notes
    -----
    The matrix products are NumPy's, on as many threads as its BLAS takes; `n_threads` is about the
    rest. Hidden and weight may be float16, bfloat16, float32 or float64: products and sums are in
    float64 if one of the two is, else in float32, and a gradient has the type of its argument. A
    weight that is stored transposed, as ``kernel.T``, is not copied, and neither is hidden unless
    rows are ignored or its type is another.

    A value that keeps its digits for confident rows, infinities and NaN, and the mean's divisor are
    those of :class:`CrossEntropy`. The same bits for any `n_threads`; the BLAS decides whether its
    own threads change the last bits of a product.

    Three products there must be, for the logits and two gradients. The gradients want the logits
    again when their normalisers are known; those of as many rows as hidden has columns are kept
    where the weight's gradient will stand, others in `memory`, and only what is left is computed
    twice.

    See Also
    --------
    CrossEntropy : the same on logits.

    References
    ----------
    E. Wijmans et al., *Cut Your Losses in Large-Vocabulary Language Models*, ICLR 2025,
    arXiv:2411.09009, for the idea on GPUs. A. Chowdhery et al., *PaLM*, arXiv:2204.02311 (z-loss).
    Gemma Team, *Gemma 2*, arXiv:2408.00118 (soft cap).

    Examples
    --------
    >>> import numpy as np, fastloss as fl
    >>> hidden, weight = np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> loss = fl.LinearCrossEntropy()
    >>> value, gradients = loss.value_and_grad(hidden, weight, [0, 1])
    >>> round(value, 6)
    0.551445
    >>> gradients.hidden.round(3)
    array([[-0.212,  0.106],
           [ 0.106, -0.212]])
    >>> gradients.weight.shape, gradients.bias
    ((3, 2), None)
    """

    class_weight: Annotated[Array | None, NON_NEGATIVE] = None
    ignore_index: int | None = -100
    label_smoothing: Annotated[float, UNIT] = 0.0
    z_loss: Annotated[float, NON_NEGATIVE] = 0.0
    soft_cap: Annotated[float | None, POSITIVE] = None
    empty: Literal["nan", "zero"] = "nan"
    memory: Annotated[int | None, POSITIVE] = None

    aliases: ClassVar[dict[str, dict[str, Any]]] = {}
    family: ClassVar[str] = "linear"

    def _check(self) -> None:
        check_classes(self.class_weight, self.ignore_index)
        _ = self._level  # the one that is active now

    @cached_property
    def _level(self) -> driver.Level:
        return kernels.active()

    @cached_property
    def _class_weights(self) -> NDArray | None:
        return None if self.class_weight is None else np.array(self.class_weight)

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

    @overload
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
        statistics: tuple[()] = (),
        n_threads: int | None = None,
    ) -> tuple[Any, LinearGradients]: ...
    @overload
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
        statistics: Sequence[str],
        n_threads: int | None = None,
    ) -> tuple[Any, LinearGradients, LinearStatistics]: ...
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
        """Return value and gradients, and where asked what else is known of the rows.

        Parameters
        ----------
        hidden : array-like, shape (..., D)
            A row of features for each target.
        weight : array-like, shape (V, D)
            A row for each class.
        target : array-like, shape (...)
            Labels of any integer type, or whole numbers of a floating type.
        bias : array-like, shape (V,), optional
        sample_weight : array-like, optional
            Of the target's shape, or that of its leading axis.
        reduction : {"mean", "sum", "none"}, optional
            Instead of the loss's own.
        denominator : float, optional
            What a mean divides by, instead of the sum of the weights.
        out : sequence of three, optional
            Arrays for the gradients of hidden, weight and bias (two without a bias); None for one
            that is allocated or not wanted.
        wrt : sequence of {"hidden", "weight", "bias"}, optional
            The gradients that are wanted; all of those that there are, by default.
        statistics : sequence of {"log_sum_exp", "argmax", "accuracy", "entropy"}, optional
            What else to return, from the same pass.
        n_threads : int, optional
            At most so many threads besides the BLAS's; results do not depend on it.

        Returns
        -------
        value : float, or ndarray with reduction "none"
        gradients : (hidden, weight, bias)
            A named tuple; None for what was not wanted.
        statistics : (log_sum_exp, argmax, accuracy, entropy)
            Only if some were asked for: a named tuple. `accuracy` is the share of rows, among those
            that are not ignored and whatever their weights, whose label is the largest logit; the
            others are arrays of the target's shape, NaN and -1 for rows that are ignored.

        Examples
        --------
        >>> import numpy as np, fastloss as fl
        >>> hidden, weight = np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        >>> value, gradients, statistics = fl.LinearCrossEntropy().value_and_grad(
        ...     hidden, weight, [0, 2], wrt=["hidden"], statistics=["accuracy", "argmax"])
        >>> gradients.weight is None, statistics.accuracy, statistics.argmax
        (True, 0.5, array([0, 1]))
        """
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
        arguments = Arguments.of(hidden, weight, target, bias, sample_weight)
        gradients = _gradients(arguments, out, wrt)
        shape, (classes, features) = arguments.target.shape, arguments.weight.shape
        if self._class_weights is not None and len(self._class_weights) != classes:
            raise ValueError(
                f"class_weight must have one entry for each of the {classes} rows of weight, "
                f"got {len(self._class_weights)}"
            )
        kept, labels = self._labels(arguments.target, classes)
        rows = None if kept.all() else np.flatnonzero(kept)
        labels = labels if rows is None else labels[rows]
        label_weight = np.ones(len(labels))
        if self._class_weights is not None:
            label_weight = self._class_weights[labels]
        row_weight = _row_weight(arguments.sample_weight, shape, rows)
        divisor = 1.0 if denominator is None else denominator
        if reduction == "mean" and denominator is None:
            divisor = float((row_weight * label_weight).sum())

        wide = np.float64 in (arguments.dtype("hidden"), arguments.dtype("weight"))
        dtype: np.dtype[Any] = np.dtype(np.float64 if wide else np.float32)
        copies = Copies()
        grad_hidden = gradients.hidden
        if grad_hidden is not None:
            grad_hidden = copies.rows(grad_hidden, features)
            if rows is not None:
                grad_hidden[~kept] = 0
        call = linear.Call(
            dtype=dtype,
            hidden=copies.rows(arguments.hidden, features),
            weight=arguments.weight,
            bias=copies.contiguous(arguments.bias, dtype),
            class_weight=copies.contiguous(self._class_weights, dtype),
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
            fixed=copies.bytes,
        )
        results = linear.run(call, self.memory, self._level, n_threads)
        if grad_hidden is not None and gradients.hidden is not None:
            # The same memory, unless the caller's has no view with one axis of rows.
            np.copyto(gradients.hidden, grad_hidden.reshape(gradients.hidden.shape))

        values = results.value * row_weight
        value: Any
        if reduction == "none":
            value = _all_rows(values, shape, rows, arguments.dtype("hidden"), 0)
        elif divisor == 0:
            value = 0.0 if self.empty == "zero" and not len(labels) else math.nan
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


class Arguments(NamedTuple):
    """The arrays of a call, whose shapes agree."""

    hidden: NDArray
    weight: NDArray
    target: NDArray
    bias: NDArray | None
    sample_weight: NDArray | None

    @classmethod
    def of(cls, hidden: Any, weight: Any, target: Any, bias: Any, sample_weight: Any) -> Arguments:
        """Return a call's arguments as arrays, checked."""
        found = cls(
            driver.real_array("hidden", hidden),
            driver.real_array("weight", weight),
            driver.real_array("target", target),
            None if bias is None else driver.real_array("bias", bias),
            None if sample_weight is None else driver.real_array("sample_weight", sample_weight),
        )
        found.check()
        return found

    def check(self) -> None:
        """Check that the shapes agree."""
        hidden, weight, target, bias, sample_weight = self
        if weight.ndim != 2 or 0 in weight.shape:
            raise ValueError(
                "weight must have shape (classes, features) with at least one of each, "
                f"got {weight.shape}"
            )
        classes, features = weight.shape
        if hidden.ndim == 0 or hidden.shape[-1] != features:
            raise ValueError(
                f"hidden must have the weight's {features} features on its last axis, "
                f"got shape {hidden.shape}"
            )
        rows = hidden.shape[:-1]
        if target.shape != rows:
            raise ValueError(
                f"target must have shape {rows} for a hidden of shape {hidden.shape}, "
                f"got {target.shape}"
            )
        if bias is not None and bias.shape != (classes,):
            raise ValueError(f"bias must have shape {(classes,)}, got {bias.shape}")
        if sample_weight is not None and sample_weight.shape not in (rows, rows[:1]):
            raise ValueError(
                f"sample_weight must have shape {rows}"
                + (f" or {rows[:1]}" if len(rows) > 1 else "")
                + f", got {sample_weight.shape}"
            )

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the type of an argument's gradient."""
        dtype = getattr(self, name).dtype
        if dtype.kind in "biu":
            return np.dtype(np.float64)
        if dtype.kind == "f" and dtype.itemsize > 8:
            raise TypeError(
                f"{name} must be float16, bfloat16, float32 or float64, got dtype {dtype}"
            )
        native: np.dtype[Any] = dtype.newbyteorder("=")
        return native


class Copies:
    """Arrays as the kernels want them, and the bytes that copies took."""

    def __init__(self) -> None:
        self.bytes = 0

    def rows(self, array: NDArray, features: int) -> NDArray:
        """Return an array with its leading axes as one."""
        return self._counted(array, array.reshape(-1, features))

    def contiguous(self, array: NDArray | None, dtype: np.dtype[Any]) -> NDArray | None:
        """Return an array of one axis, side by side and of one type."""
        return None if array is None else self._counted(array, np.ascontiguousarray(array, dtype))

    def _counted(self, array: NDArray, other: NDArray) -> NDArray:
        self.bytes += 0 if np.may_share_memory(array, other) else other.nbytes
        return other


def _chosen(name: str, given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return names, checked."""
    given = (given,) if isinstance(given, str) else tuple(given)
    for word in given:
        if word not in known:
            listed = ", ".join(repr(k) for k in known)
            raise ValueError(f"{name} must be of {listed}, got {word!r}")
    return given


def _gradients(
    arguments: Arguments, out: Sequence[NDArray | None] | None, wrt: Sequence[str] | None
) -> LinearGradients:
    """Return the arrays for the gradients, the caller's or new ones."""
    fields = LinearGradients._fields
    if wrt is None:
        wrt = [name for name in fields if getattr(arguments, name) is not None]
    wrt = _chosen("wrt", wrt, fields)
    given = (None,) * len(fields) if out is None else tuple(out)
    if arguments.bias is None and len(given) == len(fields) - 1:
        given = (*given, None)
    if len(given) != len(fields):
        raise ValueError(f"out must hold an array or None for each of {fields}, got {len(given)}")
    gradients: dict[str, NDArray | None] = dict.fromkeys(fields)
    for name, array in zip(fields, given, strict=True):
        if name not in wrt:
            if array is not None:
                raise ValueError(f"out must hold None for {name}, which is not in wrt={wrt}")
            continue
        of = getattr(arguments, name)
        if of is None:
            raise ValueError(f"wrt names {name!r}, but there is no {name}")
        dtype = arguments.dtype(name)
        if array is None:
            # A weight may be stored transposed, and then its gradient is as well.
            order: Any = "K" if name == "weight" else "C"
            gradients[name] = np.empty_like(of, dtype=dtype, order=order, subok=False)
            continue
        place = f"out.{name}"
        array = driver.checked_output(place, array, of.shape, dtype)
        others = {**arguments._asdict(), **{f"out.{n}": a for n, a in gradients.items()}}
        for other, taken in others.items():
            if taken is not None and driver.share_memory(array, taken):
                raise ValueError(f"{place} must not share memory with {other}")
        gradients[name] = array
    return LinearGradients(**gradients)


def _row_weight(weight: NDArray | None, shape: tuple[int, ...], rows: NDArray | None) -> NDArray:
    """Return the weight of each row that counts."""
    if weight is None:
        return np.ones(math.prod(shape) if rows is None else len(rows))
    weight = weight.astype(np.float64)
    weight = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    weight = np.broadcast_to(weight, shape).ravel()
    return weight if rows is None else weight[rows]


def _all_rows(
    found: NDArray, shape: tuple[int, ...], rows: NDArray | None, dtype: Any, ignored: float
) -> NDArray:
    """Return results of the rows that count as an array of the target's shape."""
    if rows is not None:
        counted = found
        found = np.full(math.prod(shape), ignored, dtype)
        found[rows] = counted
    return found.astype(dtype, copy=False).reshape(shape)


def _statistics(
    names: Sequence[str],
    results: linear.Results,
    labels: NDArray,
    shape: tuple[int, ...],
    rows: NDArray | None,
) -> LinearStatistics:
    found: dict[str, Any] = {}
    for name in names:
        if name == "accuracy":
            found[name] = float((results.argmax == labels).mean()) if len(labels) else math.nan
        elif name == "argmax":
            found[name] = _all_rows(results.argmax, shape, rows, np.intp, -1)
        else:
            found[name] = _all_rows(getattr(results, name), shape, rows, np.float64, math.nan)
    return LinearStatistics(**found)
