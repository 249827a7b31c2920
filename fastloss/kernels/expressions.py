"""Formulas as text: read into SymPy, differentiated there, and kept in digits.

Text is read with Python's own parser, from whose tree only numbers, names that are known here and
arithmetic are taken: nothing of it is ever run. SymPy's ``sign``, ``Max`` and ``Piecewise`` have
derivatives with Dirac deltas, and its conditions solve themselves; here they are functions of our
own, as are the words of the vector maths, each with its derivative.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastloss.extras import require
from fastloss.reference import gamma_function

sympy: Any = require("sympy", "custom")
_distribute: Any = require("sympy.core.parameters", "custom").distribute

PREDICTION = sympy.Symbol("prediction", real=True)
TARGET = sympy.Symbol("target", real=True)
INPUTS = {"p": PREDICTION, "prediction": PREDICTION, "y": TARGET, "target": TARGET}
CONSTANTS = {"pi": sympy.pi}


def _function(name: str, **methods: Any) -> Any:
    """Return a class of SymPy's functions; real, so that powers of it simplify."""
    return type(sympy.Function)(name, (sympy.Function,), {"is_extended_real": True, **methods})


def _word(name: str, derivative: Callable[[Any], Any]) -> Any:
    """Return a function of one argument by its derivative."""
    return _function(name, nargs=(1,), fdiff=lambda self, argindex=1: derivative(self.args[0]))


def _flat(name: str, arguments: int) -> Any:
    """Return a function whose derivative is zero wherever it has one."""
    return _function(name, nargs=(arguments,), _eval_derivative=lambda self, x: sympy.S.Zero)


sign = _flat("sign", 1)
absolute = _word("absolute", lambda u: sign(u))
log1p = _word("log1p", lambda u: 1 / (1 + u))
expm1 = _word("expm1", lambda u: sympy.exp(u))
sigmoid: Any = _word("sigmoid", lambda u: sigmoid(u) * sigmoid(-u))
softplus = _word("softplus", lambda u: sigmoid(u))
sinh: Any = _word("sinh", lambda u: cosh(u))
cosh: Any = _word("cosh", lambda u: sinh(u))
tanh: Any = _word("tanh", lambda u: sech_squared(u))
sech_squared: Any = _word("sech_squared", lambda u: -2 * tanh(u) * sech_squared(u))
log_cosh = _word("log_cosh", lambda u: tanh(u))
erf = _word("erf", lambda u: 2 / sympy.sqrt(sympy.pi) * sympy.exp(-(u**2)))
sin = _word("sin", lambda u: cos(u))
cos: Any = _word("cos", lambda u: -sin(u))
atan = _word("atan", lambda u: 1 / (1 + u**2))
lgamma = _word("lgamma", lambda u: digamma(u))
digamma: Any = _word("digamma", lambda u: trigamma(u))


def _no_derivative(u: Any) -> Any:
    raise ValueError(
        "formula: of the prediction lgamma has two derivatives here, digamma one, trigamma none; "
        f"a loss needs two: trigamma({u})"
    )


trigamma: Any = _word("trigamma", _no_derivative)
# x log y, and 0 at x = 0.
xlogy = _function(
    "xlogy",
    nargs=(2,),
    fdiff=lambda self, i=1: sympy.log(self.args[1]) if i == 1 else self.args[0] / self.args[1],
)

less = _flat("less", 2)
less_equal = _flat("less_equal", 2)
equal = _flat("equal", 2)
both = _flat("both", 2)
either = _flat("either", 2)
negation = _flat("negation", 1)
CONDITIONS = (less, less_equal, equal, both, either, negation)
NAMES_OF_CONDITIONS = tuple(c.__name__ for c in CONDITIONS)


def _where(cls: Any, condition: Any, then: Any, otherwise: Any) -> Any:
    return then if then == otherwise else None


where: Any = _function(
    "where",
    nargs=(3,),
    eval=classmethod(_where),
    _eval_derivative=lambda self, x: where(
        self.args[0], self.args[1].diff(x), self.args[2].diff(x)
    ),
)


def _larger(self: Any, x: Any) -> Any:
    # Zero at a tie, like the derivative of an absolute value.
    a, b = self.args
    if isinstance(self, minimum):
        first, second = less(a, b), less(b, a)
    else:
        first, second = less(b, a), less(a, b)
    return where(first, a.diff(x), where(second, b.diff(x), sympy.S.Zero))


minimum = _function("minimum", nargs=(2,), _eval_derivative=_larger)
maximum = _function("maximum", nargs=(2,), _eval_derivative=_larger)


def _fold(function: Any) -> Callable[..., Any]:
    return lambda first, *rest: reduce(function, rest, first)


# What a formula may call: the function, and how many arguments it takes at least and at most.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (sympy.Abs, 1, 1),
    "sign": (sign, 1, 1),
    "exp": (sympy.exp, 1, 1),
    "expm1": (expm1, 1, 1),
    "log": (sympy.log, 1, 1),
    "log1p": (log1p, 1, 1),
    "xlogy": (xlogy, 2, 2),
    "sqrt": (sympy.sqrt, 1, 1),
    "square": (lambda u: u**2, 1, 1),
    "sigmoid": (sigmoid, 1, 1),
    "softplus": (softplus, 1, 1),
    "log_sigmoid": (lambda u: -softplus(-u), 1, 1),
    "relu": (lambda u: maximum(u, sympy.S.Zero), 1, 1),
    "sinh": (sinh, 1, 1),
    "cosh": (cosh, 1, 1),
    "tanh": (tanh, 1, 1),
    "log_cosh": (log_cosh, 1, 1),
    "sin": (sin, 1, 1),
    "cos": (cos, 1, 1),
    "atan": (atan, 1, 1),
    "erf": (erf, 1, 1),
    "lgamma": (lgamma, 1, 1),
    "digamma": (digamma, 1, 1),
    "trigamma": (trigamma, 1, 1),
    "min": (_fold(minimum), 2, 9),
    "minimum": (minimum, 2, 2),
    "max": (_fold(maximum), 2, 9),
    "maximum": (maximum, 2, 2),
    "clip": (lambda u, lower, upper: minimum(maximum(u, lower), upper), 3, 3),
    "where": (where, 3, 3),
}  # fmt: skip

_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: less,
    ast.LtE: less_equal,
    ast.Gt: lambda a, b: less(b, a),
    ast.GtE: lambda a, b: less_equal(b, a),
    ast.Eq: equal,
    ast.NotEq: lambda a, b: negation(equal(a, b)),
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: _power(a, b),
}


class _Reader:
    """Makes SymPy's expressions of the tree of a text."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.text = text
        self.names = {**CONSTANTS, **INPUTS, **names}
        self.used: set[str] = set()

    def fail(self, node: ast.AST, message: str) -> ValueError:
        part = ast.get_source_segment(self.text, node)
        return ValueError(f"formula: {message}" + (f": {part!r}" if part else ""))

    def read(self) -> Any:
        try:
            body = ast.parse(self.text.strip(), mode="exec").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"formula {self.text!r} cannot be read: {error}") from None
        self.text = self.text.strip()
        for statement in body[:-1]:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
                raise self.fail(statement, "lines before the last must read name = expression")
            if target.id in self.names or target.id in FUNCTIONS:
                raise self.fail(target, "this name has a meaning already")
            self.names[target.id] = self.expression(statement.value)
        if not body or not isinstance(body[-1], ast.Expr):
            raise ValueError(f"formula {self.text!r} must end with an expression")
        return self.number(body[-1].value)

    def number(self, node: ast.expr) -> Any:
        found = self.expression(node)
        if isinstance(found, CONDITIONS):
            raise self.fail(node, "a number is needed here, and this is a condition")
        return found

    def condition(self, node: ast.expr) -> Any:
        found = self.expression(node)
        if not isinstance(found, CONDITIONS):
            raise self.fail(node, "a condition is needed here, and this is a number")
        return found

    def expression(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                raise self.fail(node, "no number")
            case ast.Constant(value=int() | float() as value):
                return _constant(value)
            case ast.Name(id=name):
                if name not in self.names:
                    known = ", ".join(sorted({*self.names}))
                    raise self.fail(node, f"unknown name (known are {known})")
                self.used.add(name)
                return self.names[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.number(operand)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return negation(self.condition(operand))
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                return both(self.condition(left), self.condition(right))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return either(self.condition(left), self.condition(right))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
                return _ARITHMETIC[type(operator)](self.number(left), self.number(right))
            case ast.BoolOp(op=operator, values=values):
                join = both if isinstance(operator, ast.And) else either
                return reduce(join, [self.condition(value) for value in values])
            case ast.Compare(left=left, ops=operators, comparators=comparators):
                sides = [self.number(side) for side in (left, *comparators)]
                if any(type(operator) not in _COMPARISONS for operator in operators):
                    raise self.fail(node, "no comparison of numbers")
                compare = [_COMPARISONS[type(operator)] for operator in operators]
                return reduce(both, [c(*s) for c, s in zip(compare, pairwise(sides), strict=True)])
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                return where(self.condition(test), self.number(then), self.number(otherwise))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(node, name, arguments)
        raise self.fail(node, "not arithmetic")

    def call(self, node: ast.expr, name: str, arguments: list[ast.expr]) -> Any:
        if name == "Piecewise":
            return self.piecewise(node, arguments)
        if name not in FUNCTIONS:
            known = ", ".join(sorted([*FUNCTIONS, "Piecewise"]))
            raise self.fail(node, f"unknown function {name} (known are {known})")
        function, least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            takes = f"{least}" if least == most else f"{least} or more"
            raise self.fail(node, f"{name} takes {takes} arguments")
        if name == "where":
            return where(self.condition(arguments[0]), *map(self.number, arguments[1:]))
        return function(*map(self.number, arguments))

    def piecewise(self, node: ast.expr, arguments: list[ast.expr]) -> Any:
        """Read SymPy's notation: pairs of expression and condition, of which the last is True."""
        pairs = [a.elts for a in arguments if isinstance(a, ast.Tuple) and len(a.elts) == 2]
        if len(pairs) != len(arguments) or not pairs:
            raise self.fail(node, "Piecewise takes pairs (expression, condition)")
        last = pairs[-1][1]
        if not (isinstance(last, ast.Constant) and last.value is True):
            raise self.fail(node, "the last condition of Piecewise must be True")
        found = self.number(pairs[-1][0])
        for expression, condition in reversed(pairs[:-1]):
            found = where(self.condition(condition), self.number(expression), found)
        return found


def _constant(value: float) -> Any:
    # Exact where it is short, so that x**0.5 is a square root and 2.0 * x / 2 is x.
    if abs(value) < 2**20 and value * 2**10 == int(value * 2**10):
        return sympy.Rational(int(value * 2**10), 2**10)
    return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)


def _power(base: Any, exponent: Any) -> Any:
    # Numbers to the power of numbers would be computed in whole, however long.
    if exponent.is_number and abs(exponent) > 1000:
        raise ValueError(f"formula: the exponent {exponent} is too large")
    if base.is_number and exponent.is_number:
        return sympy.Float(base) ** exponent
    return base**exponent


def stable(expression: Any) -> Any:
    """Spell the usual sources of overflow and cancellation otherwise."""
    if not expression.args:
        return expression
    arguments = [stable(argument) for argument in expression.args]
    match expression:
        case sympy.Abs():
            return absolute(*arguments)
        case sympy.log():
            return _stable_log(arguments[0])
        case sympy.Add():
            return _stable_sum(sympy.Add(*arguments))
        case sympy.Mul():
            return _stable_product(sympy.Mul(*arguments))
        case sympy.Pow() if arguments[1] == -1:
            # 1 / (1 + exp(u))
            u = _exponent(arguments[0] - 1)
            return 1 / arguments[0] if u is None else sigmoid(-u)
    return expression.func(*arguments)


def _exponent(expression: Any) -> Any:
    """Return u of exp(u), or None."""
    return expression.args[0] if isinstance(expression, sympy.exp) else None


def _stable_log(argument: Any) -> Any:
    if isinstance(argument, cosh):
        return log_cosh(argument.args[0])
    if isinstance(argument, sigmoid):
        return -softplus(-argument.args[0])
    if isinstance(argument, sympy.Add) and argument.args[0] == 1:
        rest = argument - 1
        u = _exponent(rest)
        return log1p(rest) if u is None else softplus(u)
    return sympy.log(argument)


def _stable_sum(total: Any) -> Any:
    total = _factored(total)
    if not isinstance(total, sympy.Add):
        return total
    terms = list(total.args)
    for term in terms:
        coefficient, factor = term.as_coeff_Mul()
        if -coefficient not in terms:
            continue
        rest = total - term + coefficient
        if _exponent(factor) is not None:
            # exp(u) - 1
            return rest + coefficient * expm1(factor.args[0])
        if isinstance(factor, sigmoid) and coefficient == -1:
            # 1 - sigmoid(u)
            return rest + sigmoid(-factor.args[0])
    return total


def _factored(total: Any) -> Any:
    """Take out what all terms have in common: 1 / B - x / B**2 with B = 1 + x is 1 / B**2."""
    if not isinstance(total, sympy.Add):
        return total
    powers = []
    for term in total.args:
        found: dict[Any, Any] = {}
        for factor in sympy.Mul.make_args(term):
            base, exponent = factor, sympy.S.One
            if isinstance(factor, sympy.Pow) and factor.exp.is_number:
                base, exponent = factor.args
            found[base] = exponent
        powers.append(found)
    shared = [
        base ** min(found[base] for found in powers)
        for base in powers[0]
        if base.args and base.has(PREDICTION) and all(base in found for found in powers)
    ]
    if not shared:
        return total
    factor = sympy.Mul(*shared)
    return factor * sympy.Add(*(term / factor for term in total.args))


def _stable_product(product: Any) -> Any:
    if not isinstance(product, sympy.Mul):
        return product
    powers: dict[Any, Any] = {}
    for factor in product.args:
        base, exponent = factor.args if isinstance(factor, sympy.Pow) else (factor, sympy.S.One)
        powers[base] = powers.get(base, 0) + exponent
    if len(powers) < len(product.args):
        # |u|**q / |u|, which SymPy leaves as it is
        product = sympy.Mul(*(base**exponent for base, exponent in powers.items()))
        if not isinstance(product, sympy.Mul):
            return product
    for factor in product.args:
        u = _exponent(factor)
        if u is not None and sigmoid(-u) in product.args:
            # exp(u) / (1 + exp(u))
            return product / factor / sigmoid(-u) * sigmoid(u)
    return product


def _stable_roots(expression: Any) -> Any:
    """Spell sqrt(1 + x) - 1 without cancellation: for values; their derivatives grow by it."""
    if not expression.args:
        return expression
    expression = expression.func(*map(_stable_roots, expression.args))
    if isinstance(expression, sympy.Add):
        terms = list(expression.args)
        for term in terms:
            coefficient, factor = term.as_coeff_Mul()
            if (
                isinstance(factor, sympy.Pow)
                and factor.exp == sympy.S.Half
                and isinstance(factor.base, sympy.Add)
                and factor.base.args[0] == 1
                and -coefficient in terms
            ):
                rest = expression - term + coefficient
                return rest + coefficient * (factor.base - 1) / (1 + factor)
    return expression


class Formula(NamedTuple):
    """Value, gradient and Hessian as SymPy's expressions, and the parameters in them."""

    value: Any
    gradient: Any
    hessian: Any
    parameters: tuple[str, ...]


def parameter(name: str) -> Any:
    """Return the symbol of a parameter."""
    return sympy.Symbol(f"parameter_{name}", real=True)


def read(text: str, parameters: Iterable[str]) -> Formula:
    """Read and differentiate a formula.

    Parameters
    ----------
    text : str
        An expression in ``p``, ``y`` and the parameters, after lines ``name = expression``, if any.
    parameters : iterable of str
        The names of numbers that it contains.

    Returns
    -------
    Formula

    Raises
    ------
    ValueError
        With what is wrong, and where.
    """
    names = tuple(parameters)
    for name in names:
        if name in INPUTS or name in CONSTANTS or name in FUNCTIONS or name == "Piecewise":
            raise ValueError(f"parameter {name!r}: this name has a meaning in formulas already")
    reader = _Reader(text, {name: parameter(name) for name in names})
    # SymPy would make 0.3 p - 0.3 y of 0.3 (p - y), and lose the digits of the difference.
    with _distribute(False):
        value = stable(reader.read())
        unused = [name for name in names if name not in reader.used]
        if unused:
            raise ValueError(f"formula {text!r} does not contain the parameter {unused[0]!r}")
        gradient = stable(value.diff(PREDICTION))
        hessian = stable(gradient.diff(PREDICTION))
        for what, found in (("value", value), ("gradient", gradient), ("Hessian", hessian)):
            if found.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo):
                raise ValueError(f"formula {text!r} has no finite real {what}: {found}")
        if not value.has(PREDICTION):
            raise ValueError(f"formula {text!r} does not depend on the prediction p")
        return Formula(_stable_roots(value), gradient, hessian, names)


_NUMPY: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "absolute": np.abs,
    "sign": np.sign,
    "sigmoid": lambda u: np.where(u < 0, np.exp(-np.abs(u)), 1) / (1 + np.exp(-np.abs(u))),
    "softplus": lambda u: np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u))),
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sech_squared": lambda u: (2 * np.exp(-np.abs(u)) / (1 + np.exp(-2 * np.abs(u)))) ** 2,
    "log_cosh": lambda u: np.abs(u) + np.log1p(np.exp(-2 * np.abs(u))) - math.log(2),
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "lgamma": gamma_function.lgamma,
    "digamma": gamma_function.digamma,
    "trigamma": gamma_function.trigamma,
    "xlogy": lambda x, y: np.where((x == 0) & (y == y), 0.0, x * np.log(y)),
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "both": np.logical_and,
    "either": np.logical_or,
    "negation": np.logical_not,
    "where": np.where,
    "minimum": np.minimum,
    "maximum": np.maximum,
}


def evaluate(expression: Any, values: dict[Any, Any]) -> Any:
    """Evaluate an expression in NumPy's float64: of parameters alone, and to compare with."""
    match expression:
        case sympy.Symbol():
            return values[expression]
        case _ if not expression.args:
            return np.float64(expression.evalf(20))
    arguments = [evaluate(argument, values) for argument in expression.args]
    with np.errstate(all="ignore"):
        match expression:
            case sympy.Add():
                return reduce(np.add, arguments)
            case sympy.Mul():
                return reduce(np.multiply, arguments)
            case sympy.Pow():
                return np.power(*arguments)
        return _NUMPY[type(expression).__name__](*arguments)
