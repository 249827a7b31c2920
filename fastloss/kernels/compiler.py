"""Formulas made of SymPy's expressions become tile functions, compiled by LLVM.

A tile function is what the driver calls, as `tiles.pxi` says. Here it is a few loops over a part of
the tile that stays in the first cache: vector instructions for the arithmetic, written as such, so
that no loop is left to a compiler's judgement, and between them calls of the vector maths that the
built-in losses use, from buffer to buffer::

    for each part of the tile
        loop     arithmetic of prediction and target up to the arguments of words
        words    exp, log, ...
        loop     arithmetic of their results, up to the next arguments or the outputs

Nothing is contracted or reordered: an element has the same bits wherever it stands.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np

from fastloss.extras import require
from fastloss.kernels import expressions
from fastloss.kernels.expressions import PREDICTION, TARGET, sympy

llvm: Any = require("llvmlite.binding", "custom")

# As in tiles.pxi.
LANES = 32
# Elements that go through all loops together, and are streamed.
PART = 128
# What instruction set a level's loops are made of, and the bytes of its registers.
MACHINES = {"v2": ("x86-64-v2", 16), "v3": ("x86-64-v3", 32), "v4": ("x86-64-v4", 64)}
# C's functions, one element at a time, for what the vector maths lacks.
LIBRARY = ("sin", "cos", "atan", "erf")

Node = int


@dataclass
class Graph:
    """A formula as operations on earlier ones, each of them once.

    An operation is its name and its operands; those of "coefficient", "constant" and "word" have a
    number or a name first.
    """

    operations: list[tuple[Any, ...]] = field(default_factory=list)
    places: dict[tuple[Any, ...], Node] = field(default_factory=dict)
    coefficients: list[Any] = field(default_factory=list)
    known: dict[Any, Node] = field(default_factory=dict)
    # Arguments of log_cosh: for them tanh shares its parts.
    log_cosh_of: set[Any] = field(default_factory=set)
    has_selects: bool = False

    def make(self, *operation: Any) -> Node:
        if operation not in self.places:
            self.places[operation] = len(self.operations)
            self.operations.append(operation)
        return self.places[operation]

    def constant(self, value: float) -> Node:
        return self.make("constant", float(value))

    def negative(self, a: Node) -> Node:
        kind, *operands = self.operations[a]
        if kind == "negative":
            return int(operands[0])
        if kind == "subtract":
            return self.make("subtract", operands[1], operands[0])
        return self.make("negative", a)

    def absolute(self, a: Node) -> Node:
        kind, *operands = self.operations[a]
        if kind == "subtract":
            # One of x - y and y - x.
            return self.make("absolute", self.make("subtract", *sorted(operands)))
        return self.make("absolute", operands[0] if kind == "negative" else a)

    def word(self, name: str, a: Node) -> Node:
        return self.make("word", name, a)

    def add(self, expression: Any) -> Node:
        """Return the node of a SymPy expression."""
        if expression not in self.known:
            self.known[expression] = self.build(expression)
        return self.known[expression]

    def build(self, expression: Any) -> Node:
        if expression == PREDICTION:
            return self.make("prediction")
        if expression == TARGET:
            return self.make("target")
        if not expression.has(PREDICTION, TARGET):
            number = self.coefficient(expression)
            if isinstance(expression, expressions.CONDITIONS):
                # Decided in double, once; here it has to be one of elements.
                return self.make("less", self.constant(0.0), number)
            return number
        match expression:
            case sympy.Add():
                return self.sum(expression)
            case sympy.Mul():
                return self.product(expression)
            case sympy.Pow():
                return self.power(*expression.args)
            case sympy.exp():
                return self.word("exp", self.add(expression.args[0]))
            case sympy.log():
                return self.word("log", self.add(expression.args[0]))
        name = type(expression).__name__
        build = getattr(self, f"build_{name}", None)
        if build is not None:
            return int(build(*expression.args))
        operands = [self.add(argument) for argument in expression.args]
        if name in expressions.NAMES_OF_CONDITIONS:
            return self.make(name, *operands)
        if len(operands) == 1:
            return self.word(name, operands[0])
        raise NotImplementedError(name)

    def coefficient(self, expression: Any) -> Node:
        """Return a number: computed in double before it becomes a float."""
        if not expression.free_symbols:
            return self.constant(float(expressions.evaluate(expression, {})))
        if expression not in self.coefficients:
            self.coefficients.append(expression)
        return self.make("coefficient", self.coefficients.index(expression))

    def sum(self, expression: Any) -> Node:
        # Terms that differ by a coefficient alone are one; inputs come first: p - y - 1.
        coefficients: dict[Any, Any] = {}
        for term in expression.args:
            coefficient, rest = term.as_independent(PREDICTION, TARGET, as_Add=False)
            coefficients[rest] = coefficients.get(rest, 0) + coefficient
        constant = coefficients.pop(sympy.S.One, None)
        signed = []
        for rest, coefficient in coefficients.items():
            minus = coefficient.could_extract_minus_sign()
            signed.append((minus, self.scaled(-coefficient if minus else coefficient, rest)))
        if constant is not None:
            minus = constant.could_extract_minus_sign()
            signed.append((minus, self.coefficient(-constant if minus else constant)))
        leaves = ("prediction", "target")
        signed.sort(key=lambda term: (self.operations[term[1]][0] not in leaves, term[0]))
        first_minus, total = signed[0]
        if first_minus:
            plus = next((i for i, (minus, _) in enumerate(signed) if not minus), None)
            if plus is None:
                total = self.negative(total)
                signed = [(True, node) for _, node in signed]
            else:
                total = signed[plus][1]
                signed.insert(0, signed.pop(plus))
        for minus, node in signed[1:]:
            total = self.make("subtract" if minus else "add", total, node)
        return total

    def scaled(self, coefficient: Any, rest: Any) -> Node:
        node = self.add(rest)
        if coefficient == 1:
            return node
        if coefficient == -1:
            return self.negative(node)
        return self.make("multiply", self.coefficient(coefficient), node)

    def product(self, expression: Any) -> Node:
        coefficient, rest = expression.as_independent(PREDICTION, TARGET, as_Add=False)
        if coefficient != 1:
            return self.scaled(coefficient, rest)
        above, below = [], []
        for factor in rest.args if isinstance(rest, sympy.Mul) else [rest]:
            base, exponent = factor.as_base_exp()
            if isinstance(factor, sympy.Pow) and exponent.is_number and exponent < 0:
                below.append(self.power(base, -exponent))
            else:
                above.append(self.add(factor))
        result = self.chain(above) if above else self.constant(1.0)
        if below:
            result = self.make("divide", result, self.chain(below))
        for factor in rest.args if isinstance(rest, sympy.Mul) else []:
            base, _ = factor.as_base_exp()
            if isinstance(base, expressions.sign):
                # At a tie the derivative is 0, whatever it is multiplied with.
                zero = self.constant(0.0)
                tie = self.make("equal", self.add(base.args[0]), zero)
                result = self.select(tie, zero, result)
        return result

    def chain(self, nodes: list[Node]) -> Node:
        total = nodes[0]
        for node in nodes[1:]:
            total = self.make("multiply", total, node)
        return total

    def power(self, base: Any, exponent: Any) -> Node:
        if exponent.is_number and exponent < 0:
            return self.make("divide", self.constant(1.0), self.power(base, -exponent))
        if exponent.is_number and (2 * exponent).is_integer and exponent <= 64:
            x = self.add(base)
            whole, half = divmod(int(2 * exponent), 2)
            parts = [self.make("root", x)] if half else []
            while whole:
                if whole & 1:
                    parts.append(x)
                x, whole = self.make("multiply", x, x), whole >> 1
            return self.chain(parts[::-1])
        # A power of a positive number; 0 to a positive power is exp(-inf).
        scaled = self.make("multiply", self.add(exponent), self.add(sympy.log(base)))
        return self.word("exp", scaled)

    # Words of the formulas that are made of the vocabulary's, sharing what they can.

    def one_plus(self, node: Node) -> Node:
        return self.make("add", node, self.constant(1.0))

    def decay(self, size: Node) -> Node:
        return self.word("exp_nonpositive", self.negative(size))

    def select(self, condition: Node, then: Node, otherwise: Node) -> Node:
        return self.make("select", condition, then, otherwise)

    def build_absolute(self, u: Any) -> Node:
        return self.absolute(self.add(u))

    def build_sigmoid(self, u: Any) -> Node:
        x = self.add(u)
        e = self.decay(self.absolute(x))
        share = self.make("divide", self.constant(1.0), self.one_plus(e))
        at_most = self.make("less", x, self.constant(0.0))
        return self.select(at_most, self.make("multiply", e, share), share)

    def build_softplus(self, u: Any) -> Node:
        x = self.add(u)
        e = self.decay(self.absolute(x))
        return self.make("add", self.larger(x, self.constant(0.0)), self.word("log1p_unit", e))

    def double_decay(self, x: Node) -> Node:
        root = self.decay(self.absolute(x))
        return self.make("multiply", root, root)

    def near(self, x: Node) -> Node:
        return self.make("less", self.absolute(x), self.constant(1.0))

    def build_sech_squared(self, u: Any) -> Node:
        e = self.double_decay(self.add(u))
        below = self.one_plus(e)
        above = self.make("multiply", self.constant(4.0), e)
        return self.make("divide", above, self.make("multiply", below, below))

    def build_log_cosh(self, u: Any) -> Node:
        # As the built-in loss of this name.
        x = self.add(u)
        size = self.absolute(x)
        rest = self.make("subtract", size, self.constant(0.6931471805599453))
        beyond = self.make("add", rest, self.word("log1p_unit", self.double_decay(x)))
        return self.select(self.near(x), self.word("log_cosh_unit", size), beyond)

    def build_tanh(self, u: Any) -> Node:
        x = self.add(u)
        if u not in self.log_cosh_of and -u not in self.log_cosh_of:
            return self.word("tanh", x)
        e = self.double_decay(x)
        d = self.word("expm1_nonpositive", self.negative(self.absolute(x)))
        low = self.make("multiply", d, self.make("add", d, self.constant(2.0)))
        rest = self.make("subtract", self.constant(0.0), low)
        high = self.make("subtract", self.constant(1.0), e)
        slope = self.make("divide", self.select(self.near(x), rest, high), self.one_plus(e))
        negative = self.make("less", x, self.constant(0.0))
        return self.select(negative, self.negative(slope), slope)

    def build_cosh(self, u: Any) -> Node:
        # exp(|x|/2) squared: exp(|x|) overflows before the result does.
        half = self.constant(0.5)
        root = self.word("exp", self.make("multiply", half, self.absolute(self.add(u))))
        grown = self.make("multiply", self.make("multiply", half, root), root)
        return self.make("add", grown, self.make("divide", self.make("divide", half, root), root))

    def build_sinh(self, u: Any) -> Node:
        # 2 sinh(x/2) cosh(x/2).
        x = self.add(u)
        half = self.constant(0.5)
        d = self.word("expm1", self.make("multiply", half, self.absolute(x)))
        root = self.one_plus(d)
        # d / root, where both may be infinite, is 1 long before.
        large = self.make("less", self.constant(2.0**30), d)
        share = self.select(large, self.constant(1.0), self.make("divide", d, root))
        sinh = self.make("add", d, share)
        cosh = self.make("add", root, self.make("divide", self.constant(1.0), root))
        size = self.make("multiply", self.make("multiply", half, sinh), cosh)
        negative = self.make("less", x, self.constant(0.0))
        return self.select(negative, self.negative(size), size)

    def build_sign(self, u: Any) -> Node:
        # Zero at zero, NaN at NaN.
        x, zero = self.add(u), self.constant(0.0)
        below = self.select(self.make("less", x, zero), self.constant(-1.0), x)
        return self.select(self.make("less", zero, x), self.constant(1.0), below)

    def build_xlogy(self, a: Any, b: Any) -> Node:
        # Zero at x = 0, but NaN where the other is.
        x, y, zero = self.add(a), self.add(b), self.constant(0.0)
        product = self.make("multiply", x, self.word("log", y))
        at_zero = self.make("both", self.make("equal", x, zero), self.make("equal", y, y))
        return self.select(at_zero, zero, product)

    def build_where(self, condition: Any, then: Any, otherwise: Any) -> Node:
        self.has_selects = True
        return self.select(self.add(condition), self.add(then), self.add(otherwise))

    def larger(self, a: Node, b: Node) -> Node:
        # A NaN stays: as `a` it is not less than b, as `b` it is asked for.
        chosen = self.select(self.make("less", a, b), b, a)
        if self.operations[b][0] in ("constant", "coefficient"):
            return chosen
        return self.select(self.make("nan", b, b), b, chosen)

    def build_maximum(self, u: Any, v: Any) -> Node:
        a, b = self.add(u), self.add(v)
        return self.larger(b, a) if self.is_number(a) else self.larger(a, b)

    def build_minimum(self, u: Any, v: Any) -> Node:
        a, b = self.add(u), self.add(v)
        a, b = (b, a) if self.is_number(a) else (a, b)
        chosen = self.select(self.make("less", b, a), b, a)
        return chosen if self.is_number(b) else self.select(self.make("nan", b, b), b, chosen)

    def is_number(self, node: Node) -> bool:
        return self.operations[node][0] in ("constant", "coefficient")


class Source:
    """The LLVM source of one tile function."""

    # Worth a buffer when a later loop needs it again; the rest is computed again.
    DEAR = ("divide", "root")

    def __init__(self, graph: Graph, suffix: str, level: Any, register: int) -> None:
        self.graph = graph
        self.real = "float" if suffix == "f32" else "double"
        self.size = 4 if suffix == "f32" else 8
        self.bytes = register
        self.width = register // self.size
        self.vector = f"<{self.width} x {self.real}>"
        self.mask = f"<{self.width} x i1>"
        self.suffix = suffix
        self.level = level
        self.lines: list[str] = []
        self.number = 0
        self.stages = self.find_stages()

    def operands(self, node: Node) -> list[Node]:
        kind, *rest = self.graph.operations[node]
        if kind in ("constant", "coefficient", "prediction", "target"):
            return []
        return rest[1:] if kind == "word" else rest

    def find_stages(self) -> list[int]:
        """Return after how many rounds of words each node is known."""
        stages: list[int] = []
        for node, operation in enumerate(self.graph.operations):
            stage = max((stages[operand] for operand in self.operands(node)), default=0)
            stages.append(stage + (operation[0] == "word"))
        return stages

    def needed(self, outputs: list[Node]) -> list[Node]:
        """Return the nodes that the outputs are made of, operands first."""
        seen: set[Node] = set()
        todo = list(outputs)
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += self.operands(node)
        return sorted(seen)

    def let(self, text: str) -> str:
        self.number += 1
        self.lines.append(f"  %v{self.number} = {text}")
        return f"%v{self.number}"

    def literal(self, value: float) -> str:
        with np.errstate(over="ignore"):
            number = float(np.float32(value)) if self.real == "float" else value
        return f"splat ({self.real} 0x{struct.pack('>d', number).hex().upper()})"

    def function(self, name: str, outputs: dict[str, Node]) -> str:
        """Return a tile function that stores the outputs: "value", "gradient", "hessian"."""
        self.lines, self.number = [], 0
        needed = self.needed(list(outputs.values()))
        words = [node for node in needed if self.graph.operations[node][0] == "word"]
        last = max(self.stages[node] for node in outputs.values())
        final = self.last_uses(needed, outputs, last)
        dear = [
            node
            for node in needed
            if self.graph.operations[node][0] in self.DEAR and final[node] > self.stages[node]
        ]
        self.buffers: dict[Node, str] = {}
        head = [
            f"define void @{name}(ptr noalias readonly %prediction, ptr noalias readonly %target, "
            "ptr noalias readonly %step, ptr %varying, ptr noalias readonly %parameters, i64 %n, "
            "ptr noalias %value, ptr noalias %gradient, ptr noalias %hessian, ptr %lanes, "
            "ptr %gradient_home, ptr %hessian_home) nounwind {",
            "entry:",
        ]
        arguments = sorted({self.graph.operations[word][2] for word in words})
        for node in [*words, *dear, *arguments]:
            if self.is_buffered(node) and node not in self.buffers:
                self.buffers[node] = f"%buffer{node}"
                head.append(f"  %buffer{node} = alloca [{PART} x {self.real}], align 64")
        self.coefficients(needed)
        self.lines.append("  br label %part")
        self.lines.append("part:")
        self.lines.append("  %run = phi i64 [ 0, %entry ], [ %next, %done ]")
        self.lines.append("  %left = sub i64 %n, %run")
        self.lines.append(f"  %m = call i64 @llvm.umin.i64(i64 %left, i64 {PART})")
        before = "part"
        for stage in range(last + 1):
            store = [n for n in dear if self.stages[n] == stage]
            store += [a for a in arguments if self.stages[a] == stage and self.is_buffered(a)]
            before = self.loop(stage, before, sorted(set(store)), outputs if stage == last else {})
            for word in words:
                if self.stages[word] == stage + 1:
                    self.call(word)
        for which in ("gradient", "hessian"):
            if which in outputs:
                before = self.stream(which, before)
        self.lines += [
            "  br label %done",
            "done:",
            "  %next = add i64 %run, %m",
            "  %more = icmp ult i64 %next, %n",
            "  br i1 %more, label %part, label %end",
            "end:",
            "  ret void",
            "}",
        ]
        return "\n".join([*head, *self.lines])

    def is_buffered(self, node: Node) -> bool:
        # A word may be of an input as it stands.
        return self.graph.operations[node][0] not in ("prediction", "target")

    def last_uses(self, needed: list[Node], outputs: dict[str, Node], last: int) -> dict[Node, int]:
        """Return the loop in which each node is wanted last."""
        final = dict.fromkeys(needed, 0)
        for node in outputs.values():
            final[node] = last
        for node in reversed(needed):
            word = self.graph.operations[node][0] == "word"
            for operand in self.operands(node):
                # Cheap arithmetic is repeated in the loop that wants its result.
                wanted = self.stages[node] - 1 if word else final[node]
                final[operand] = max(final[operand], wanted)
        return final

    def coefficients(self, needed: list[Node]) -> None:
        """Spread the parameters over registers."""
        self.spread: dict[Node, str] = {}
        for node in needed:
            kind, *rest = self.graph.operations[node]
            if kind != "coefficient":
                continue
            place = self.let(f"getelementptr double, ptr %parameters, i64 {rest[0]}")
            number = self.let(f"load double, ptr {place}")
            if self.real == "float":
                number = self.let(f"fptrunc double {number} to float")
            one = self.let(f"insertelement {self.vector} poison, {self.real} {number}, i64 0")
            self.spread[node] = self.let(
                f"shufflevector {self.vector} {one}, {self.vector} poison, "
                f"<{self.width} x i32> zeroinitializer"
            )

    def loop(self, stage: int, before: str, store: list[Node], outputs: dict[str, Node]) -> str:
        if not store and not outputs:
            return before
        label = f"loop{stage}"
        groups = LANES // self.width if "value" in outputs else 1
        sums = f"<{self.width} x double>"
        lanes = [self.place("%lanes", str(g * self.width), "double") for g in range(groups)]
        if "value" in outputs:
            starts = [self.let(f"load {sums}, ptr {lane}, align 8") for lane in lanes]
        self.lines += [
            f"  br label %{label}",
            f"{label}:",
            f"  %i{stage} = phi i64 [ 0, %{before} ], [ %i{stage}.next, %{label} ]",
        ]
        if "value" in outputs:
            self.lines += [
                f"  %sum{g} = phi {sums} [ {starts[g]}, %{before} ], [ %sum{g}.next, %{label} ]"
                for g in range(groups)
            ]
        for group in range(groups):
            self.index = self.let(f"add i64 %i{stage}, {group * self.width}")
            self.at = self.let(f"add i64 %run, {self.index}")
            self.group(stage, group, store, outputs)
        self.lines += [
            f"  %i{stage}.next = add nuw i64 %i{stage}, {groups * self.width}",
            f"  %more{stage} = icmp ult i64 %i{stage}.next, %m",
            f"  br i1 %more{stage}, label %{label}, label %after{stage}",
            f"after{stage}:",
        ]
        if "value" in outputs:
            for g, lane in enumerate(lanes):
                self.lines.append(f"  store {sums} %sum{g}.next, ptr {lane}, align 8")
        return f"after{stage}"

    def group(self, stage: int, group: int, store: list[Node], outputs: dict[str, Node]) -> None:
        """Write what a loop does to one register's elements."""
        values: dict[Node, str] = {}
        for node in store:
            result = self.node(node, stage, values)
            place = self.place(self.buffers[node], self.index)
            self.lines.append(f"  store {self.vector} {result}, ptr {place}, align {self.bytes}")
        nan = None
        if outputs and self.graph.has_selects:
            # A select may have dropped it.
            inputs = [self.input(name, stage, values) for name in ("prediction", "target")]
            nan = self.let(f"fcmp uno {self.vector} {inputs[0]}, {inputs[1]}")
        for which, node in outputs.items():
            result = self.node(node, stage, values)
            if nan is not None:
                hole = self.literal(float("nan"))
                result = self.let(
                    f"select {self.mask} {nan}, {self.vector} {hole}, {self.vector} {result}"
                )
            if which == "value":
                wide = result
                if self.real == "float":
                    wide = self.let(f"fpext {self.vector} {result} to <{self.width} x double>")
                self.lines.append(
                    f"  %sum{group}.next = fadd <{self.width} x double> %sum{group}, {wide}"
                )
            else:
                step = self.load("%step", self.at)
                result = self.let(f"fmul {self.vector} {result}, {step}")
            place = self.place(f"%{which}", self.at)
            self.lines.append(f"  store {self.vector} {result}, ptr {place}, align {self.size}")

    def place(self, base: str, index: str, kind: str = "") -> str:
        return self.let(f"getelementptr {kind or self.real}, ptr {base}, i64 {index}")

    def load(self, base: str, index: str, align: int = 0) -> str:
        return self.let(
            f"load {self.vector}, ptr {self.place(base, index)}, align {align or self.size}"
        )

    def input(self, name: str, stage: int, values: dict[Node, str]) -> str:
        return self.node(self.graph.make(name), stage, values)

    def node(self, node: Node, stage: int, values: dict[Node, str]) -> str:
        """Return the register that holds a node in this loop."""
        if node not in values:
            if node in self.buffers and self.known(node, stage):
                values[node] = self.load(self.buffers[node], self.index, self.bytes)
            else:
                values[node] = self.operate(node, stage, values)
        return values[node]

    def known(self, node: Node, stage: int) -> bool:
        return self.graph.operations[node][0] == "word" or self.stages[node] < stage

    def operate(self, node: Node, stage: int, values: dict[Node, str]) -> str:
        kind, *rest = self.graph.operations[node]
        if kind == "constant":
            return self.literal(rest[0])
        if kind == "coefficient":
            return self.spread[node]
        if kind in ("prediction", "target"):
            return self.load(f"%{kind}", self.at)
        operands = [self.node(operand, stage, values) for operand in rest]
        arithmetic = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
        comparisons = {"less": "olt", "less_equal": "ole", "equal": "oeq", "nan": "uno"}
        if kind in arithmetic:
            return self.let(f"{arithmetic[kind]} {self.vector} {', '.join(operands)}")
        if kind in comparisons:
            return self.let(f"fcmp {comparisons[kind]} {self.vector} {', '.join(operands)}")
        match kind:
            case "negative":
                return self.let(f"fneg {self.vector} {operands[0]}")
            case "absolute" | "root":
                name = {"absolute": "fabs", "root": "sqrt"}[kind]
                kinds = f"v{self.width}{self.suffix}"
                return self.let(
                    f"call {self.vector} @llvm.{name}.{kinds}({self.vector} {operands[0]})"
                )
            case "both" | "either":
                word = {"both": "and", "either": "or"}[kind]
                return self.let(f"{word} {self.mask} {', '.join(operands)}")
            case "negation":
                return self.let(f"xor {self.mask} {operands[0]}, splat (i1 true)")
            case "select":
                condition, then, otherwise = operands
                return self.let(
                    f"select {self.mask} {condition}, {self.vector} {then}, "
                    f"{self.vector} {otherwise}"
                )
        raise NotImplementedError(kind)

    def call(self, word: Node) -> None:
        _, name, argument = self.graph.operations[word]
        source = self.buffers.get(argument)
        if source is None:
            source = self.place(f"%{self.graph.operations[argument][0]}", "%run")
        function = f"@library_{name}_{self.suffix}"
        if name in self.level.vocabulary:
            function = f"inttoptr (i64 {self.level.vocabulary[name][self.suffix]} to ptr)"
        self.lines.append(f"  call void {function}(ptr {source}, i64 %m, ptr {self.buffers[word]})")

    def stream(self, which: str, before: str) -> str:
        """Send what was written to its home past the caches, if it has one."""
        stream = self.level.addresses[self.suffix]["stream_run_tile"]
        self.lines += [
            f"  %{which}.stay = icmp eq ptr %{which}_home, null",
            f"  br i1 %{which}.stay, label %{which}.stayed, label %{which}.go",
            f"{which}.go:",
            f"  %{which}.bytes = mul i64 %m, {self.size}",
        ]
        home = self.place(f"%{which}_home", "%run")
        tile = self.place(f"%{which}", "%run")
        self.lines += [
            f"  call void inttoptr (i64 {stream} to ptr)(ptr {home}, ptr {tile}, "
            f"i64 %{which}.bytes)",
            f"  br label %{which}.stayed",
            f"{which}.stayed:",
        ]
        return f"{which}.stayed"


def library(name: str, suffix: str) -> str:
    """Return a word that is a function of C's."""
    real, letter = ("float", "f") if suffix == "f32" else ("double", "")
    return f"""
declare {real} @{name}{letter}({real})
define internal void @library_{name}_{suffix}(ptr noalias %x, i64 %n, ptr noalias %y) nounwind {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %from = getelementptr {real}, ptr %x, i64 %i
  %u = load {real}, ptr %from
  %v = call {real} @{name}{letter}({real} %u)
  %to = getelementptr {real}, ptr %y, i64 %i
  store {real} %v, ptr %to
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}"""


LOOPS = {
    "value": ("value",),
    "value_gradient": ("value", "gradient"),
    "gradient_hessian": ("gradient", "hessian"),
}


@dataclass(frozen=True)
class Compiled:
    """The tile functions of a formula at one level; they live as long as this."""

    functions: dict[str, tuple[int, ...]]
    engine: Any


@cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@lru_cache(256)
def graph_of(text: str, names: tuple[str, ...]) -> tuple[Graph, dict[str, Node]]:
    """Return a formula's operations, and where its outputs are among them."""
    graph = Graph()
    try:
        formula = expressions.read(text, names)
        graph.log_cosh_of = {found.args[0] for found in formula.value.atoms(expressions.log_cosh)}
        return graph, {
            "value": graph.add(formula.value),
            "gradient": graph.add(formula.gradient),
            "hessian": graph.add(formula.hessian),
        }
    except RecursionError:
        raise ValueError(f"formula: too long or too deep: {text[:40]!r} and so on") from None


def coefficients(text: str, names: tuple[str, ...], values: dict[str, float]) -> dict[str, float]:
    """Return the numbers that a formula's tile functions expect, made of its parameters."""
    symbols = {expressions.parameter(name): np.float64(value) for name, value in values.items()}
    graph, _ = graph_of(text, names)
    return {str(each): float(expressions.evaluate(each, symbols)) for each in graph.coefficients}


def source(text: str, names: tuple[str, ...], level: Any) -> str:
    """Return the LLVM source of a formula's tile functions at a level."""
    _, register = MACHINES.get(level.name, ("", 16))
    graph, nodes = graph_of(text, names)
    used = {operation[1] for operation in graph.operations if operation[0] == "word"}
    parts = ["declare i64 @llvm.umin.i64(i64, i64)"]
    for suffix in ("f32", "f64"):
        writer = Source(graph, suffix, level, register)
        for name in ("fabs", "sqrt"):
            kinds = f"v{writer.width}{suffix}"
            parts.append(f"declare {writer.vector} @llvm.{name}.{kinds}({writer.vector})")
        parts += [library(name, suffix) for name in LIBRARY if name in used - {*level.vocabulary}]
        for loop, outputs in LOOPS.items():
            parts.append(writer.function(f"{loop}_{suffix}", {o: nodes[o] for o in outputs}))
    return "\n\n".join(parts)


# A megabyte each, which losses that live hold on to by themselves.
@lru_cache(64)
def compiled(text: str, names: tuple[str, ...], level: Any) -> Compiled:
    """Compile the tile functions of a formula for a level."""
    _initialise()
    machine, _ = MACHINES.get(level.name, (llvm.get_host_cpu_name(), 0))
    target = llvm.Target.from_default_triple().create_target_machine(cpu=machine, opt=3, jit=True)
    module = llvm.parse_assembly(source(text, names, level))
    module.verify()
    passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    functions = {
        suffix: tuple(engine.get_function_address(f"{loop}_{suffix}") for loop in LOOPS)
        for suffix in ("f32", "f64")
    }
    return Compiled(functions, engine)
