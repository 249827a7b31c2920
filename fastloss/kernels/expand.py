"""Expands formulas and loops into the Cython source of one instruction-set level.

Run by setup.py. The files beside this one are Cython in which ``real`` stands for a floating type:

* a *formula* is a function of one of these shapes, by its first arguments and its outputs:
  ``prediction, target … value, gradient, hessian``: elementwise;
  ``p, log_p, complement … value, pull, pull_slope``: of the probability that a softmax gives to the
  target's class;
  ``p, complement, q, log_p, log_q … value, pull, curve``: a sum over classes, of a softmax's
  probabilities and the target's;
  ``tile … value, gradient, spread``: of a whole row at once;
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

FAMILIES = ("regression", "count", "binary", "multiclass", "margin", "divergence")
TYPES = {"f32": "float", "f64": "double"}
# The loops around an elementwise formula, by what they store. The driver makes every mode of a call
# from them: a gradient alone ignores a Hessian, and all three are two loops over a tile that is in L1.
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


@dataclass(frozen=True)
class Shape:
    """A kind of formula: its first arguments, its outputs, and the loop around it."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    loop: str
    # The tile functions that the loop defines; None: one for each of LOOPS.
    parts: tuple[str, ...] | None = None
    # Parameters of the loop, before the formula's own.
    parameters: tuple[tuple[str, str], ...] = ()


SHAPES = (
    Shape(("prediction", "target"), ("value", "gradient", "hessian"), "elementwise"),
    Shape(
        ("p", "log_p", "complement"), ("value", "pull", "pull_slope"), "softmax", ("block", "row")
    ),
    Shape(
        ("p", "complement", "q", "log_p", "log_q"),
        ("value", "pull", "curve"),
        "divergence",
        ("row",),
        (("temperature", "double"), ("form", "double")),
    ),
    Shape(("tile",), ("value", "gradient", "spread"), "row", ("row",)),
)


@dataclass(frozen=True)
class Formula:
    """A formula as its signature tells it."""

    name: str
    shape: Shape
    varying: tuple[str, ...]
    # Those of its own.
    arguments: tuple[tuple[str, str], ...]

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and types of what the tile function is given."""
        return self.shape.parameters + self.arguments

    @property
    def elementwise(self) -> bool:
        """Whether it is of one number against one number."""
        return self.shape is SHAPES[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """The last words of its tile functions' names."""
        return self.shape.parts or LOOPS


def read(name: str) -> str:
    """Return the text of a source file beside this one."""
    return (HERE / f"{name}.pxi").read_text()


def formulas(text: str) -> list[Formula]:
    """Return the formulas that a family's file defines."""
    found = []
    for match in re.finditer(r"cdef inline void (\w+)\(([^)]*)\) noexcept nogil:", text):
        arguments = [a.split() for a in match[2].replace("\n", " ").split(",")]
        names = tuple(a[-1] for a in arguments)
        shapes = [s for s in SHAPES if names[-len(s.outputs) :] == s.outputs]
        if not shapes:
            continue
        shape = shapes[0]
        if names[: len(shape.inputs)] != shape.inputs:
            raise ValueError(f"formula {match[1]} must begin with the arguments {shape.inputs}")
        rest = arguments[len(shape.inputs) : -len(shape.outputs)]
        found.append(
            Formula(
                name=match[1],
                shape=shape,
                varying=tuple(a[1] for a in rest if a[0] == "varying"),
                arguments=tuple((a[1], a[0]) for a in rest if a[0] != "varying"),
            )
        )
    return found


def check_literals(family: str, text: str) -> None:
    """Refuse whole-number literals in formulas: Cython would make doubles of them."""
    for number, line in enumerate(text.split("\n"), 1):
        code = line.partition("#")[0].replace("[0]", "")
        if re.search(r"(?<![\w.])\d+(?![\w.])", code):
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
    names = {f"loop_{part}": f"{formula.name}_{part}" for part in formula.parts}
    return Template(read(f"loops/{formula.shape.loop}")).substitute(
        names,
        formula=formula.name,
        declarations=parameter_lines(formula).replace("parameters[", "tile.parameters["),
        arguments="".join(f", {name}" for name, _ in formula.arguments),
    )


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
        lines.append(f"        'parameters': {tuple(n for n, _ in formula.parameters)!r},")
        lines.append(f"        'varying': {formula.varying!r}, 'parts': {formula.parts!r},")
        for suffix in TYPES:
            functions = ", ".join(address(f"{name}_{part}_{suffix}") for part in formula.parts)
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
