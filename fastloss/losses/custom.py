"""Losses of the user's own: from a formula, from functions on arrays, from compiled loops."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fastloss.kernels import driver
from fastloss.losses.base import Loss, Parameters, Reduction, _number

__all__ = ["custom"]

Array = npt.NDArray[Any]
ArrayFunction = Callable[[Array, Array], Any]

_OUTPUTS = ("value", "gradient", "Hessian")
_CAPSULE = b"fastloss.elementwise_function"
# So small that it vanishes beside any number: a complex step has no error of its own.
_COMPLEX_STEP = 2.0**-100


class Custom(Loss):
    """What the losses of :func:`custom` share."""

    family: ClassVar[str] = "custom"

    name: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # The other fields are checked by those who understand them.
        cls._fields = tuple(f for f in cls._fields if f.name == "reduction")

    def __repr__(self) -> str:
        shown = list(self._shown())
        if self.name is not None:
            shown.append(f"name={self.name!r}")
        if self.reduction != "mean":
            shown.append(f"reduction={self.reduction!r}")
        return f"custom({', '.join(shown)})"

    def _shown(self) -> Iterator[str]:
        """Return the other arguments, as they were written."""
        raise NotImplementedError


class FormulaLoss(Custom):
    """A loss given as text, differentiated by SymPy and compiled by LLVM; see :func:`custom`."""

    formula: str = ""
    parameters: tuple[tuple[str, float], ...] = ()

    def _entry(self, level: driver.Level) -> dict[str, Any]:
        from fastloss.kernels import compiler

        compiled = compiler.compiled(self.formula, self._names(), level)
        return {
            "elementwise": True,
            "predictions": ("prediction",),
            "varying": (),
            "parameters": tuple(self._coefficients()),
            "loops": tuple(compiler.LOOPS),
            "compiled": compiled,
            **compiled.functions,
        }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return self._coefficients()

    def _coefficients(self) -> dict[str, float]:
        from fastloss.kernels import compiler

        return compiler.coefficients(self.formula, self._names(), dict(self.parameters))

    def _names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.parameters)

    def _shown(self) -> Iterator[str]:
        yield repr(self.formula)
        yield from (f"{name}={value!r}" for name, value in self.parameters)


class FunctionLoss(Custom):
    """A loss given as functions on arrays; see :func:`custom`."""

    function: ArrayFunction | None = None
    gradient: ArrayFunction | None = None
    hessian: ArrayFunction | None = None

    def _entry(self, level: driver.Level) -> dict[str, Any]:
        return {
            "elementwise": True,
            "predictions": ("prediction",),
            "varying": (),
            "parameters": (),
            "loops": ("all",),
            "f32": (),
            "f64": (),
            "function": partial(_tile, _Parts(self.function, self.gradient, self.hessian)),
        }

    def _shown(self) -> Iterator[str]:
        yield getattr(self.function, "__qualname__", repr(self.function))
        for name in ("gradient", "hessian"):
            function = getattr(self, name)
            if function is not None:
                yield f"{name}={getattr(function, '__qualname__', repr(function))}"


class KernelLoss(Custom):
    """A loss given as compiled loops; see :func:`custom`."""

    float32: Any = None
    float64: Any = None
    parameters: tuple[tuple[str, float], ...] = ()

    def _entry(self, level: driver.Level) -> dict[str, Any]:
        return {
            "elementwise": True,
            "predictions": ("prediction",),
            "varying": (),
            "parameters": tuple(name for name, _ in self.parameters),
            "loops": ("all",),
            "f32": (_address(self.float32),),
            "f64": (_address(self.float64),),
        }

    def _kernel_parameters(self, dtype: np.dtype[Any]) -> dict[str, float]:
        return dict(self.parameters)

    def __reduce__(self) -> tuple[Callable[..., Parameters], tuple[Any, ...]]:
        raise TypeError(f"{self!r} cannot be pickled: its loops are addresses in this process")

    def _shown(self) -> Iterator[str]:
        yield f"({_address(self.float32):#x}, {_address(self.float64):#x})"
        yield from (f"{name}={value!r}" for name, value in self.parameters)


class _Parts:
    """Value, gradient and Hessian of functions on arrays, as far as asked for."""

    def __init__(
        self,
        function: ArrayFunction | None,
        gradient: ArrayFunction | None,
        hessian: ArrayFunction | None,
    ) -> None:
        assert function is not None
        self.function = function
        self.own_gradient = gradient
        self.own_hessian = hessian

    def __call__(self, prediction: Array, target: Array, *wanted: bool) -> tuple[Any, Any, Any]:
        found: tuple[Any, ...] = ()
        if wanted[0] or self.own_gradient is None or self.own_hessian is None:
            found = self.evaluate(prediction, target)
        found += (None,) * (3 - len(found))
        value, gradient, hessian = found
        if wanted[1] and gradient is None:
            gradient = self.gradient(prediction, target)
        if wanted[2] and hessian is None:
            hessian = self.hessian(prediction, target)
        return value, gradient, hessian

    def evaluate(self, prediction: Array, target: Array) -> tuple[Any, ...]:
        found = self.function(prediction, target)
        found = found if isinstance(found, tuple) else (found,)
        if not 1 <= len(found) <= 3:
            raise TypeError(
                "a custom loss's function must return the value, or a tuple of value, gradient and "
                f"Hessian, got {len(found)} things"
            )
        return found

    def gradient(self, prediction: Array, target: Array) -> Any:
        """Return the gradient given, or that of the complex step."""
        if self.own_gradient is not None:
            return self.own_gradient(prediction, target)
        found = self.evaluate(prediction, target)
        if len(found) > 1:
            return found[1]
        return self.step(lambda p, y: self.evaluate(p, y)[0], prediction, target)

    def hessian(self, prediction: Array, target: Array) -> Any:
        if self.own_hessian is not None:
            return self.own_hessian(prediction, target)
        if self.own_gradient is not None:
            return self.step(self.own_gradient, prediction, target)
        if len(self.evaluate(prediction, target)) > 1:
            return self.step(lambda p, y: self.evaluate(p, y)[1], prediction, target)
        # A complex step inside of a central difference: about ten digits.
        prediction = prediction.astype(np.float64)
        h = np.finfo(np.float64).eps ** (1 / 3) * np.maximum(np.abs(prediction), 1)
        above, below = (self.gradient(prediction + side, target) for side in (h, -h))
        return (above - below) / ((prediction + h) - (prediction - h))

    def step(self, function: ArrayFunction, prediction: Array, target: Array) -> Any:
        """Return a derivative by a complex step."""
        moved = prediction.astype(np.complex128)
        moved.imag = _COMPLEX_STEP
        found = function(moved, target.astype(np.float64))
        return np.broadcast_to(np.imag(found) / _COMPLEX_STEP, prediction.shape)


def _tile(
    parts: _Parts, size: int, prediction: int, target: int, step: int, n: int, *outputs: int
) -> None:
    """Compute a tile of n numbers of so many bytes at these addresses; 0 is not wanted."""
    found = parts(
        _copy(prediction, n, size), _copy(target, n, size), *(address != 0 for address in outputs)
    )
    for what, address, part in zip(_OUTPUTS, outputs, found, strict=True):
        if address == 0:
            continue
        if np.shape(part) not in ((), (n,)):
            raise ValueError(
                f"{what} of a custom loss must be one number for each element: for {n} elements it "
                f"has shape {np.shape(part)}"
            )
        output = _view(address, n, size)
        output[:] = part
        if what != "value":
            output *= _view(step, n, size)


def _copy(address: int, n: int, size: int) -> Array:
    # The caller's numbers are not for a function to change, nor the driver's memory to keep.
    array = _view(address, n, size).copy()
    array.flags.writeable = False
    return array


def _view(address: int, n: int, size: int) -> Array:
    memory = (ctypes.c_char * (n * size)).from_address(address)
    return np.frombuffer(memoryview(memory), f"f{size}")


def _address(function: Any) -> int:
    """Return the address of a capsule of `tiles.pxd`, or of a number."""
    if isinstance(function, (int, np.integer)) and 0 < function < 2**64:
        return int(function)
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    try:
        return int(get(function, _CAPSULE))
    except (ValueError, ctypes.ArgumentError):
        raise TypeError(
            "a custom loss's compiled function must be a capsule of fastloss.kernels.tiles's "
            f"tile_function, or an address, got {function!r}"
        ) from None


def custom(
    loss: Any,
    /,
    *,
    name: str | None = None,
    gradient: ArrayFunction | None = None,
    hessian: ArrayFunction | None = None,
    reduction: Reduction = "mean",
    check: bool = True,
    **parameters: float,
) -> Loss:
    r"""Make a loss of your own, of a prediction p and a target y.

    It is a :class:`Loss` like any other: with weights, reductions, ``out=``, threads and all types
    and layouts of arrays.

    Parameters
    ----------
    loss : str, callable, or pair
        *A formula*, such as ``"log(cosh(p - y))"``. SymPy differentiates it, and LLVM compiles it
        around the vector maths of the built-in losses, as fast as they are. It may contain ``p``
        (or ``prediction``), ``y`` (``target``), numbers, ``pi``, the parameters, arithmetic and
        ``**``, comparisons with ``and``, ``or``, ``not``, the functions abs, sign, min, max, clip,
        relu, where(condition, a, b), Piecewise((a, condition), ..., (b, True)), exp, expm1, log,
        log1p, xlogy, sqrt, square, sigmoid, log_sigmoid, softplus, sinh, cosh, tanh, log_cosh,
        lgamma, digamma and trigamma (of the prediction lgamma alone), and, slower, sin, cos, atan
        and erf; and before the last line others that read ``name = expression``. Nothing of it is
        run as Python. Needs ``fastloss[custom]``.

        *A function* of two NumPy arrays, for prototypes: it returns the value of each element, or a
        tuple of value and gradient, or of value, gradient and Hessian. It is called for up to 512
        elements at a time, on one thread.

        *Two compiled functions*, for float32 and for float64, as capsules or addresses:
        docs/custom.md shows how to make them with Cython or Numba.
    name : str, optional
        Part of what is printed.
    gradient, hessian : callable, optional
        Of a function, where it does not return them itself. Otherwise they are found by complex
        steps, which have all digits where a function is analytic: ``np.abs`` is not, ``np.where``
        is. A Hessian of a value alone has about ten digits.
    reduction : {"mean", "sum", "none"}, default "mean"
    check : bool, default True
        Compare gradient and Hessian with finite differences, and float32 with float64, at some
        hundred points.
    **parameters
        The formula's parameters as numbers, in the order in which they are printed; of compiled
        functions, what they find in ``parameters``, in this order.

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        If a formula cannot be read, or a derivative disagrees with finite differences.

    Notes
    -----
    The derivatives of a formula follow the same rules as those of the built-in losses: zero at the
    tie of an absolute value, a sign, a minimum or a maximum, those of the branch that ``where``
    takes, and NaN where prediction or target is NaN. The usual sources of overflow and cancellation
    are spelled otherwise: log(1 + exp(u)), log(1 + u), exp(u) - 1, 1 / (1 + exp(u)), log(cosh(u)),
    sqrt(1 + u) - 1, and sums of fractions. Beyond that a formula has the accuracy that it was
    written with.

    Examples
    --------
    >>> import numpy as np, fastloss as fl
    >>> cauchy = fl.custom("c**2 / 2 * log(1 + ((p - y) / c)**2)", c=2.0)
    >>> cauchy
    custom('c**2 / 2 * log(1 + ((p - y) / c)**2)', c=2.0)
    >>> value, gradient = cauchy.value_and_grad(np.array([1.0, 4.0]), np.array([1.0, 0.0]))
    >>> round(value, 6), gradient
    (1.609438, array([0. , 0.4]))
    >>> prototype = fl.custom(lambda p, y: 2 * np.log1p(((p - y) / 2)**2), name="cauchy")
    >>> prototype.grad(np.array([1.0, 4.0]), np.array([1.0, 0.0]))
    array([0. , 0.4])
    """
    checked = tuple((key, _number(key, value, None)) for key, value in parameters.items())
    made: Loss
    if not isinstance(loss, str) and not isinstance(loss, tuple) and callable(loss):
        if parameters:
            raise TypeError(f"a function has no parameters, got {', '.join(parameters)}")
        made = FunctionLoss(
            name=name, function=loss, gradient=gradient, hessian=hessian, reduction=reduction
        )
    elif gradient is not None or hessian is not None:
        raise TypeError("gradient and hessian are for a loss given as a function on arrays")
    elif isinstance(loss, str):
        made = FormulaLoss(name=name, formula=loss, parameters=checked, reduction=reduction)
    elif isinstance(loss, tuple) and len(loss) == 2:
        made = KernelLoss(
            name=name, float32=loss[0], float64=loss[1], parameters=checked, reduction=reduction
        )
    else:
        raise TypeError(
            "a custom loss must be a formula, a function on arrays, or a pair of compiled "
            f"functions for float32 and float64, got {loss!r}"
        )
    if check:
        _check(made)
    return made


def _check(loss: Loss) -> None:
    """Compare derivatives with finite differences, and float32 with float64."""
    prediction, target = _points()
    value, gradient, hessian = _derivatives(loss, prediction, target)
    finite = np.isfinite(value) & np.isfinite(gradient) & np.isfinite(hessian)
    if not finite.any():
        raise ValueError(
            f"{loss!r} or its derivatives are finite at none of {prediction.size} points, among "
            "them positive numbers and probabilities"
        )
    prediction, target = prediction[finite], target[finite]
    value, gradient, hessian = value[finite], gradient[finite], hessian[finite]
    for what, of, number, function in (
        ("gradient", "value", gradient, lambda p: _derivatives(loss, p, target)[0]),
        ("Hessian", "gradient", hessian, lambda p: _derivatives(loss, p, target)[1]),
    ):
        slope, error = _finite_difference(function, prediction)
        wrong = np.abs(number - slope) > error + 1e-6 * (np.abs(number) + np.abs(slope))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"the {what} of {loss!r} disagrees with finite differences of its {of}: "
                f"at prediction {prediction[at]:.6g} and target {target[at]:.6g} it is "
                f"{number[at]:.6g}, they give {slope[at]:.6g}"
            )
    pairs = zip(
        _OUTPUTS,
        _derivatives(loss, prediction.astype(np.float32), target.astype(np.float32)),
        (value, gradient, hessian),
        strict=True,
    )
    for what, single, double in pairs:
        # One point may be worse conditioned than float32 can bear; most are not.
        if np.mean(~(np.abs(single - double) <= 1e-3 * (np.abs(double) + 1))) > 0.2:
            raise ValueError(f"the {what} of {loss!r} in float32 is not what it is in float64")


def _derivatives(loss: Loss, prediction: Array, target: Array) -> tuple[Array, Array, Array]:
    with np.errstate(all="ignore"):
        return loss.value_grad_hess(prediction, target, reduction="none", n_threads=1)


def _points() -> tuple[Array, Array]:
    """Return predictions and targets of all kinds that losses have, exact in float32."""
    random = np.random.default_rng(0)
    n = 16

    def numbers() -> list[Array]:
        return [3 * random.normal(size=n), random.uniform(0.05, 0.95, n), random.exponential(2, n)]

    predictions, targets = numbers(), numbers()
    labels = random.integers(0, 2, n)
    targets += [labels, 2 * labels - 1]
    prediction = np.concatenate([p for p in predictions for _ in targets])
    target = np.concatenate([y for _ in predictions for y in targets])
    return prediction.astype(np.float32).astype(np.float64), target.astype(np.float32).astype(
        np.float64
    )


def _finite_difference(function: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """Return the derivative by central differences of fourth order, and a bound on its error."""
    eps = np.finfo(np.float64).eps
    middle = function(x)

    def slope(h: Array) -> tuple[Array, Array]:
        sides = [function(x + k * h) for k in (-2, -1, 1, 2)]
        total = sides[0] - 8 * sides[1] + 8 * sides[2] - sides[3]
        # At a kink the slopes of both sides are far apart; elsewhere, as far as a step is long.
        kink = np.abs(sides[1] - 2 * middle + sides[2])
        rounding = 64 * eps * np.max(np.abs(sides), axis=0)
        return total / (12 * h), (kink + rounding) / h

    with np.errstate(all="ignore"):
        h = eps**0.2 * np.maximum(np.abs(x), 0.1)
        # With three steps, a kink beside x cannot lie where two of them happen to agree.
        (long, _), (middling, _), (fine, error) = (slope(h / k) for k in (1, 2, 4))
        error += 10 * np.maximum(np.abs(long - middling), np.abs(middling - fine))
    # Beside the end of the domain there is nothing to compare with.
    known = np.isfinite(error)
    return np.where(known, fine, 0), np.where(known, error, np.inf)
