"""Expands formulas and loops into the Cython source of one instruction-set level.

Run by setup.py. The files beside this one are Cython in which ``real`` stands for a floating type:

* a *formula* is a function whose last arguments are ``value, gradient, hessian`` (elementwise),
  ``value, pull, pull_slope`` (of a softmax probability), ``value, pull, bend`` (of a softmax's
  probabilities and the target's, summed over classes), ``value, gradient, spread, bend`` (of a
  whole row at once), or, for two predictions ``a`` and ``b`` that come before ``target``, ``value,
  a_gradient, b_gradient, a_hessian, b_hessian, cross_hessian``;
* a *loop* is a file with ``$`` placeholders, expanded around every formula.

For float and for double every name that they define gets the suffix ``_f32`` or ``_f64``, and a
literal such as ``0.5`` becomes one of that type: as a double it would drag a float loop to half its
width. There is no table of losses: the signatures are the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

HERE = Path(__file__).parent

FAMILIES = (
    "regression", "count", "binary", "multiclass", "margin", "divergence", "distribution",
)  # fmt: skip
TYPES = {"f32": "float", "f64": "double"}
# The loops around an elementwise formula, by what they store. The driver makes every mode of a call
# from them: a gradient alone ignores a Hessian, and all three are two loops over a tile in L1.
LOOPS = ("value", "value_gradient", "gradient_hessian")
# NumPy's names of the types that a tile is loaded from, and their C types.
SOURCES = {
    "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
    "uint8": "uint8_t", "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
    "float32": "float", "float64": "double", "longdouble": "long double",
}  # fmt: skip
# What each of these is in the loop: before it, for an element, after a run of elements, after it.
STREAM = "stream_run({0}, run, stop - run, sizeof(real), {0}_home)"
OUTPUTS = {
    "value": (
        "memcpy(total, lanes, sizeof(total))",
        "value[i] = v; total[lane] += <double>v",
        "",
        "memcpy(lanes, total, sizeof(total))",
    ),
    "gradient": ("", "gradient[i] = g * step[i]", STREAM.format("gradient"), ""),
    "hessian": ("", "hessian[i] = h * step[i]", STREAM.format("hessian"), ""),
}
ELEMENTWISE_OUTPUTS = ["value", "gradient", "hessian"]
# The loops around a formula of two predictions, by what they store, and how they store it.
PAIR_LOOPS = ("value", "value_gradient", "value_gradient_hessian", "product")
PAIR_OUTPUTS = {
    "value": ["value[r] = v"],
    "gradient": ["first_slope[r] = g * step[r]", "second_slope[r] = slope * step[r]"],
    "hessian": ["first_bend[r] = h * step[r]", "second_bend[r] = bend * step[r]"],
    "product": [  # of the Hessian and the tangent
        "first_slope[r] = (product(along[r], h) + product(across[r], cross)) * step[r]",
        "second_slope[r] = (product(along[r], cross) + product(across[r], bend)) * step[r]",
    ],
}
PAIR_STORES = {
    "product": [("first_slope", "first"), ("second_slope", "second")],
    "value": [("value", "<real*>tile.value + start")],
    "gradient": [("first_slope", "first"), ("second_slope", "second")],
    "hessian": [
        ("first_bend", "<real*>tile.hessian + start"),
        ("second_bend", "<real*>tile.hessian + tile.stride + start"),
    ],
}


@dataclass(frozen=True)
class RowShape:
    """A kind of formula for rows of classes: how its arguments begin, and the loops around it."""

    inputs: tuple[str, ...]
    template: str
    loops: tuple[str, ...]
    # What the loops are given besides the formula's own parameters, before them.
    parameters: tuple[tuple[str, str], ...] = ()


# By the formula's outputs.
ROW_SHAPES: dict[tuple[str, ...], RowShape] = {
    ("value", "pull", "pull_slope"): RowShape(
        ("p", "log_p", "complement"), "softmax", ("block", "row")
    ),
    ("value", "pull", "bend"): RowShape(
        ("p", "complement", "q", "log_p", "log_q"),
        "divergence",
        ("row",),
        (("temperature", "double"), ("form", "double")),
    ),
    ("value", "gradient", "spread", "bend"): RowShape(("tile",), "row", ("row",)),
}


@dataclass(frozen=True)
class Formula:
    """A formula as its signature tells it."""

    name: str
    inputs: tuple[str, ...]
    varying: tuple[str, ...]
    # Of its own.
    arguments: tuple[tuple[str, str], ...]
    # Names of the predictions: one for an elementwise formula, none for one of rows of classes.
    predictions: tuple[str, ...]
    row_shape: RowShape | None = None
    # Of one class's probability, and not linear in a target's: soft targets have a loop of their
    # own.
    expected: bool = False

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and types of what its loops are given."""
        return (self.row_shape.parameters if self.row_shape else ()) + self.arguments

    @property
    def elementwise(self) -> bool:
        """Whether it takes one prediction for one target."""
        return len(self.predictions) == 1

    @property
    def loops(self) -> tuple[str, ...]:
        """What follows the formula's name in the names of its loops."""
        if self.row_shape:
            return self.row_shape.loops + ("soft_row",) * self.expected
        return LOOPS if self.elementwise else PAIR_LOOPS


def read(name: str) -> str:
    """Return the text of a source file beside this one."""
    return (HERE / f"{name}.pxi").read_text()


def pair_outputs(names: list[str]) -> list[str]:
    """Return how the arguments of a formula of two predictions end."""
    return ["value", *(f"{n}_{d}" for d in ("gradient", "hessian") for n in names), "cross_hessian"]


def formulas(text: str) -> list[Formula]:
    """Return the formulas that a family's file defines."""
    found = []
    for match in re.finditer(r"cdef inline void (\w+)\(([^)]*)\) noexcept nogil:", text):
        arguments = [a.split() for a in match[2].replace("\n", " ").split(",")]
        names = [a[-1] for a in arguments]
        predictions: tuple[str, ...] = ()
        outputs = 3
        if names[-3:] == ELEMENTWISE_OUTPUTS:
            predictions = ("prediction",)
        elif names[-6:] == pair_outputs(names[:2]):
            predictions, outputs = tuple(names[:2]), 6
        row_shape = None
        for ending, shape in ROW_SHAPES.items():
            if tuple(names[-len(ending) :]) == ending:
                row_shape, outputs = shape, len(ending)
        if not predictions and not row_shape:
            continue
        inputs = row_shape.inputs if row_shape else (*predictions, "target")
        if tuple(names[: len(inputs)]) != inputs:
            raise ValueError(f"formula {match[1]} must begin with the arguments {inputs}")
        rest = arguments[len(inputs) : -outputs]
        body = text[match.end() :].partition("\ncdef ")[0]
        found.append(
            Formula(
                name=match[1],
                inputs=inputs,
                varying=tuple(a[1] for a in rest if a[0] == "varying"),
                arguments=tuple((a[1], a[0]) for a in rest if a[0] != "varying"),
                predictions=predictions,
                row_shape=row_shape,
                expected=names[-1] == "pull_slope" and "    pull[0] = 1.0\n" not in body,
            )
        )
    return found


def check_literals(family: str, text: str) -> None:
    """Refuse whole-number literals in formulas: Cython would make doubles of them."""
    for number, line in enumerate(text.split("\n"), 1):
        code = line.partition("#")[0].replace("[0]", "")
        if re.search(r"(?<![\w.])(?<!\de[+-])\d+(?:e[+-]?\d+)?(?![\w.])", code):
            raise ValueError(f"{family}.pxi:{number}: write a whole number as 1.0, not as 1")


def typed(text: str, suffix: str) -> str:
    """Expand ``text``, written for ``real``, for one type."""
    ctype = TYPES[suffix]
    names = set(re.findall(r"^cdef (?:inline )?\w+\*? (\w+)\(", text, re.MULTILINE))
    names |= set(re.findall(r"^    (?:real|void) (\w+)\(", text, re.MULTILINE))
    text = re.sub(rf"\b({'|'.join(sorted(names))})(?=\()", rf"\1_{suffix}", text)
    # Cython makes a C loop of range() only when it knows the step's sign.
    for name, number in re.findall(r"^    ([A-Z_]+) = (\d+)$", read("tiles"), re.MULTILINE):
        text = re.sub(rf"(range\(.*, ){name}\)", rf"\g<1>{number})", text)
    # Code only: a comment keeps its numbers.
    lines = []
    for line in text.split("\n"):
        code, mark, comment = line.partition("#")
        code = re.sub(r"(?<![\w.])(\d+\.\d*(?:e[+-]?\d+)?)(?![\w.])", rf"<{ctype}>\1", code)
        code = re.sub(r"\b(real|varying)\b", ctype, code)
        lines.append(code + mark + comment)
    return "\n".join(lines)


def parameter_lines(formula: Formula) -> str:
    """Return the declarations that unpack a formula's parameters in a loop."""
    lines = [
        f"cdef {kind} {name} = <{kind}>parameters[{i}]"
        for i, (name, kind) in enumerate(formula.parameters)
    ]
    lines += [
        f"cdef const real* {name} = <const real*>varying_[{i}]"
        for i, name in enumerate(formula.varying)
    ]
    return "\n    ".join(lines)


def elementwise_loops(formula: Formula, signature_order: list[str]) -> list[str]:
    """Return the loops around an elementwise formula."""
    arguments = ", ".join(
        name if name in dict(formula.parameters) else f"{name}[i]" for name in signature_order
    )
    loops = []
    for name in LOOPS:
        lines = zip(*(OUTPUTS[output] for output in name.split("_")), strict=True)
        before, element, run, after = (list(filter(None, part)) or ["pass"] for part in lines)
        loops.append(
            Template(read("loops/elementwise")).substitute(
                loop=f"{formula.name}_{name}",
                formula=formula.name,
                declarations=parameter_lines(formula),
                arguments=arguments,
                before="\n    ".join(before),
                element="\n                ".join(element),
                run="\n        ".join(run),
                after="\n    ".join(after),
            )
        )
    return loops


def row_loops(formula: Formula) -> str:
    """Return the loops around a formula of rows of classes."""
    assert formula.row_shape is not None
    declarations = parameter_lines(formula).replace("parameters[", "tile.parameters[")
    arguments = "".join(f", {name}" for name, _ in formula.arguments)
    text = Template(read(f"loops/{formula.row_shape.template}")).substitute(
        {f"loop_{name}": f"{formula.name}_{name}" for name in formula.loops},
        formula=formula.name,
        declarations=declarations,
        arguments=arguments,
    )
    if formula.expected:
        typed_ = "".join(f", {kind} {name}" for name, kind in formula.arguments)
        text += "\n\n" + Template(read("loops/expected")).substitute(
            formula=formula.name, typed=typed_, arguments=arguments
        )
        text += "\n\n" + Template(read("loops/divergence")).substitute(
            loop_row=f"{formula.name}_soft_row",
            formula=f"{formula.name}_expected",
            declarations="cdef double temperature = 1\n    cdef double form = 0\n    "
            + declarations,
            arguments=arguments,
        )
    return text


def pair_loops(formula: Formula) -> list[str]:
    """Return the loops around a formula of two predictions for one target."""
    loops = []
    for name in PAIR_LOOPS:
        stored = name.split("_")
        element = [line for output in stored for line in PAIR_OUTPUTS[output]]
        stores = [store for output in stored for store in PAIR_STORES[output]]
        loops.append(
            Template(read("loops/pairs")).substitute(
                loop=f"{formula.name}_{name}",
                formula=formula.name,
                declarations=parameter_lines(formula).replace("parameters[", "tile.parameters["),
                arguments="".join(f", {name}" for name, _ in formula.parameters),
                tangent="tangent" if name == "product" else "logits",
                element="\n            ".join(element),
                stores="\n        ".join(
                    f"memcpy({place}, {lanes}, sizeof({lanes}))" for lanes, place in stores
                ),
            )
        )
    return loops


def argument_names(text: str, formula: Formula) -> list[str]:
    """Return the names of a formula's arguments in their order, without the outputs."""
    match = re.search(rf"cdef inline void {formula.name}\(([^)]*)\)", text)
    assert match is not None
    return [a.split()[-1] for a in match[1].replace("\n", " ").split(",")][:-3]


def address(name: str) -> str:
    """Return the expression for a function's address as a Python integer."""
    return f"<size_t>&{name}"


def expand() -> str:
    """Return the Cython source that every level compiles."""
    families = {family: read(family) for family in FAMILIES}
    vocabulary = read("vocabulary")
    words = re.findall(r"^    real (\w+)\(real x\)$", vocabulary, re.MULTILINE)
    shared = (
        "tile_arithmetic", "softmax_rows", "softmax_soft_targets", "linear_softmax", "rows",
    )  # fmt: skip
    body = [vocabulary, *(read(f"loops/{name}") for name in shared)]
    body += families.values()
    body += [Template(read("loops/unary")).substitute(loop=f"{w}_loop", formula=w) for w in words]
    body += [
        Template(read("loops/convert")).substitute(loop=f"{name}_in", source=ctype)
        for name, ctype in SOURCES.items()
    ]
    everything = {}
    for family, text in families.items():
        check_literals(family, text)
        for formula in formulas(text):
            everything[formula.name] = (family, formula)
            if formula.elementwise:
                body += elementwise_loops(formula, argument_names(text, formula))
            elif formula.predictions:
                body += pair_loops(formula)
            else:
                body.append(row_loops(formula))
    text = "\n\n".join(body)
    half = read("loops/half_out")
    labels = [read("loops/labels")]
    labels += [
        Template(read("loops/convert")).substitute(loop=f"{name}_label", source=ctype)
        for name, ctype in SOURCES.items()
        if "int" in name
    ]
    source = [read("loops/level_prologue"), read("tiles"), read("loops/lanes")]
    source += [typed(text, suffix) for suffix in TYPES]
    source.append(typed(half, "f32"))
    source += [re.sub(r"\breal\b", "int64_t", loop) for loop in labels]
    source.append(table(everything, words, text, "\n".join(labels)))
    return "\n\n".join(source)


def table(
    everything: dict[str, tuple[str, Formula]], words: list[str], text: str, labels: str
) -> str:
    """Return the module's tables: names to the addresses of tile functions."""
    lines = ["FORMULAS = {"]
    for name, (family, formula) in everything.items():
        lines.append(f"    {name!r}: {{")
        lines.append(f"        'family': {family!r}, 'elementwise': {formula.elementwise},")
        lines.append(f"        'predictions': {formula.predictions!r},")
        lines.append(f"        'parameters': {tuple(n for n, _ in formula.parameters)!r},")
        lines.append(f"        'varying': {formula.varying!r}, 'loops': {formula.loops!r},")
        for suffix in TYPES:
            functions = ", ".join(address(f"{name}_{part}_{suffix}") for part in formula.loops)
            lines.append(f"        {suffix!r}: ({functions},),")
        lines.append("    },")
    lines.append("}")
    lines.append("TOOLS = {")
    tools = re.findall(r"^cdef (?:void|Py_ssize_t) (\w+_(?:tile|in|out))\(", text, re.MULTILINE)
    tools += ["soft_targets_block", "soft_targets_row"]
    label_tools = re.findall(r"^cdef (?:void|Py_ssize_t) (\w+)\(", labels, re.MULTILINE)
    for suffix in TYPES:
        lines.append(f"    {suffix!r}: {{")
        lines += [f"        {tool!r}: {address(f'{tool}_{suffix}')}," for tool in tools]
        if suffix == "f32":
            lines += [f"        {t!r}: {address(f'{t}_f32')}," for t in ("half_out", "bfloat_out")]
        lines.append("    },")
    lines.append("    'labels': {")
    lines += [f"        {name!r}: {address(name)}," for name in label_tools]
    lines.append("    },")
    lines.append("}")
    lines.append("VOCABULARY = {")
    for word in words:
        pair = ", ".join(f"{suffix!r}: {address(f'{word}_loop_{suffix}')}" for suffix in TYPES)
        lines.append(f"    {word!r}: {{{pair}}},")
    lines.append("}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(expand())
