"""Shows from the disassembly that every elementwise loop and all vector maths are vectorised.

    python benchmarks/vectorisation.py [--level v3 v4]

Needs ``objdump`` (binutils) and modules whose symbols were not stripped. For each loop it counts
the floating-point instructions on the level's registers, on narrower ones, and the calls. A loop is
vectorised when its packed arithmetic is full width and it calls nothing. Single-element arithmetic
may stand in front of it, where parameters are unpacked, and Clang puts a narrower loop behind it.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
from dataclasses import dataclass

from fastloss import kernels

# The registers that a level computes in.
REGISTER = {"v2": "%xmm", "v3": "%ymm", "v4": "%zmm"}
SYMBOL = re.compile(r"<.*\dlevel_(?:v\d_)?(\w+?)(?:\.\w+)*>:?$")
ARITHMETIC = re.compile(r"v?(?:add|sub|mul|div|max|min|fn?m(?:add|sub)\d+)(p[sd]|s[sd])$")


@dataclass
class Loop:
    """What one loop's machine code consists of."""

    name: str
    packed: int = 0
    narrow: int = 0
    scalar: int = 0
    calls: int = 0

    @property
    def vectorised(self) -> bool:
        """Whether the loop computes on whole registers of the level."""
        return self.packed > self.narrow and self.calls == 0


def loop_names() -> list[str]:
    """Return the symbols' last parts of all loops over formulas and words."""
    from fastloss.kernels.expand import LOOPS, PAIR_LOOPS, TYPES

    names = [
        f"{formula}_{stored}_{suffix}"
        for formula, entry in kernels.active().formulas.items()
        if entry["predictions"]
        for stored in (LOOPS if entry["elementwise"] else PAIR_LOOPS)
        for suffix in TYPES
    ]
    return names + [f"{word}_loop_{suffix}" for word in kernels.vocabulary() for suffix in TYPES]


def loops(level: str) -> dict[str, Loop]:
    """Read the loops of one level from its module's disassembly."""
    spec = importlib.util.find_spec(f"fastloss.kernels.level_{level}")
    assert spec is not None
    assert spec.origin is not None
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", spec.origin],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    wanted = set(loop_names())
    found: dict[str, Loop] = {}
    same: dict[str, str] = {}
    current: Loop | None = None
    for line in text.splitlines():
        symbol = SYMBOL.search(line)
        if line.endswith(">:"):
            current = None
            if symbol and symbol[1] in wanted:
                current = found.setdefault(symbol[1], Loop(symbol[1]))
            continue
        parts = line.split("\t")
        if current is None or len(parts) < 2:
            continue
        instruction, _, operands = parts[1].partition(" ")
        other = SYMBOL.search(operands)
        if instruction == "jmp" and other and other[1] != current.name:
            # The compiler found two functions to be the same one.
            same[current.name] = other[1]
        kind = ARITHMETIC.match(instruction)
        if kind and kind[1][0] == "p":
            if REGISTER[level] in operands:
                current.packed += 1
            else:
                current.narrow += 1
        elif kind:
            current.scalar += 1
        elif instruction.startswith("call"):
            current.calls += 1
    return found | {one: found[other] for one, other in same.items() if other in found}


def main() -> None:
    """Print a table of all loops, those that are not vectorised marked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", nargs="+", default=["v3", "v4"], choices=list(REGISTER))
    for level in parser.parse_args().level:
        found = loops(level)
        missing = [name for name in loop_names() if name not in found]
        scalar = [loop.name for loop in found.values() if not loop.vectorised]
        print(f"{level}: {len(found)} loops, {len(found) - len(scalar)} vectorised")
        for name in sorted(missing):
            print(f"  no symbol     {name}")
        for name in sorted(scalar):
            print(f"  not vectorised {found[name]}")


if __name__ == "__main__":
    main()
