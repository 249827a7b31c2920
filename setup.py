"""Builds the compiled modules: the driver, the processor test, and one module of tile functions
for each instruction-set level.

Environment variables read here:

FASTLOSS_OPENMP=0   build without OpenMP: one thread, no runtime library
FASTLOSS_LEVELS     levels to build, such as ``v3,v4``; the default is all of this processor family
"""

from __future__ import annotations

import os
import platform
import runpy
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
KERNELS = Path("fastloss") / "kernels"
GENERATED = Path("build") / "kernels"

# Contraction is off so that an element has the same bits in a vector and outside one; formulas ask
# for fused operations where they want them. Trapping and errno only forbid vectorising selects and
# square roots. Nothing here changes what floating-point arithmetic means.
UNIX_FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off",
              "-fno-strict-aliasing", "-fvisibility=hidden", "-g0"]  # fmt: skip
MSVC_FLAGS = ["/O2", "/fp:precise"]
LEVEL_FLAGS = {
    "unix": {
        "v2": ["-march=x86-64-v2"],
        "v3": ["-march=x86-64-v3"],
        # Without the width GCC and Clang stay at 256 bits for most of these processors.
        "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
        "neon": [],
        "generic": [],
    },
    # MSVC has no switch for SSE4.2; its baseline serves.
    "msvc": {"v2": [], "v3": ["/arch:AVX2"], "v4": ["/arch:AVX512"], "neon": [], "generic": []},
}
EMPTY_PROGRAM = "int main(void) { return 0; }\n"
OPENMP_PROGRAM = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
# A formula is a long chain of operations that wait for each other. GCC leaves scheduling before
# register allocation off for fear of spills, but mixing what does not wait makes most loops faster,
# up to a third. Of selects that share a condition it threads two ways through all that follows, and
# a vector loop goes both. Clang has no such switches.
GCC_FLAGS = ["-fschedule-insns", "-fsched-pressure", "--param=sched-pressure-algorithm=2",
             "-fno-thread-jumps"]  # fmt: skip


def machine_levels() -> list[str]:
    """Return the levels to build for the processor family that is built for."""
    asked = os.environ.get("FASTLOSS_LEVELS", "")
    if asked:
        return [name.strip() for name in asked.split(",")]
    target = sysconfig.get_platform().lower() + " " + platform.machine().lower()
    if "x86_64" in target or "amd64" in target:
        return ["v2", "v3", "v4"]
    if "arm64" in target or "aarch64" in target:
        return ["neon"]
    return ["generic"]


def write(path: Path, text: str) -> str:
    """Write a generated source unless it is there already, and return its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return str(path)


def module(name: str, source: str, depends: list[str], **macros: str) -> Extension:
    """Return the extension module ``name`` of the package's kernels."""
    return Extension(
        f"fastloss.kernels.{name}",
        [source],
        include_dirs=[np.get_include(), str(KERNELS)],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
                       ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION"), *macros.items()],
        depends=depends,
    )  # fmt: skip


def extensions() -> list[Extension]:
    """Return all modules. Those of the levels are one C source, compiled under their flags."""
    expand = runpy.run_path(str(KERNELS / "expand.py"))["expand"]
    write(GENERATED / "level.pxi", expand())
    # A directive only counts at the head of a module, not in what it includes.
    stub = '# cython: freethreading_compatible = True\ninclude "level.pxi"\n'
    sources = {name: str(KERNELS / f"{name}.pyx") for name in ("cpu", "dlpack", "driver", "xla")}
    sources["level"] = write(GENERATED / "level.pyx", stub)
    # Modules built for other choices are out of date, though their sources are not; and whatever
    # is included makes a module out of date.
    names = ("CC", "CFLAGS", "LDFLAGS", "FASTLOSS_OPENMP")
    choices = write(
        GENERATED / "choices.txt", "".join(f"{n}={os.environ.get(n, '')}\n" for n in names)
    )
    included = (str(p) for p in KERNELS.rglob("*") if p.suffix in (".pxi", ".h"))
    depends = ["setup.py", choices, *included]
    *modules, level = cythonize(
        [module(name, source, depends) for name, source in sources.items()],
        build_dir="build",
        include_path=[str(KERNELS), str(GENERATED)],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": False,
            "freethreading_compatible": True,
        },
    )
    for name in machine_levels():
        # All but the name that Python looks for is the same.
        macros = {"PyInit_level": f"PyInit_level_{name}"}
        modules.append(module(f"level_{name}", level.sources[0], depends, **macros))
    return modules


class BuildExt(build_ext):
    """build_ext with the flags that each module and each compiler needs."""

    def build_extensions(self) -> None:
        msvc = self.compiler.compiler_type == "msvc"
        common = MSVC_FLAGS if msvc else UNIX_FLAGS
        levels = LEVEL_FLAGS["msvc" if msvc else "unix"]
        openmp_compile, openmp_link = self.openmp_flags(msvc)
        gcc = not msvc and self.links(EMPTY_PROGRAM, ["-Werror", *GCC_FLAGS], [])
        for extension in self.extensions:
            name = extension.name.rpartition(".")[2]
            flags = list(common)
            if name.startswith("level_"):
                flags += levels[name.removeprefix("level_")] + (GCC_FLAGS if gcc else [])
            elif name == "driver":
                flags += openmp_compile
                extension.extra_link_args = openmp_link
            elif name == "cpu":
                text = " ".join(common + openmp_compile)
                extension.define_macros.append(("FASTLOSS_FLAGS", f'"{text}"'))
            extension.extra_compile_args = flags
        if self.parallel is None:
            self.parallel = os.cpu_count()
        super().build_extensions()

    def openmp_flags(self, msvc: bool) -> tuple[list[str], list[str]]:
        """Return what compiles and links OpenMP, or nothing where the compiler has none."""
        if os.environ.get("FASTLOSS_OPENMP", "1") == "0":
            return [], []
        candidates = [(["-fopenmp"], ["-fopenmp"])]
        if msvc:
            candidates = [(["/openmp"], [])]
        elif sys.platform == "darwin":
            # Apple's clang has the pragmas but no runtime; a libomp from elsewhere serves.
            candidates = [(["-Xpreprocessor", "-fopenmp"], ["-lomp"]), *candidates]
        for compile_flags, link_flags in candidates:
            if self.links(OPENMP_PROGRAM, compile_flags, link_flags):
                return compile_flags, link_flags
        print(
            "fastloss: this compiler has no OpenMP runtime; building for one thread. "
            "Set FASTLOSS_OPENMP=0 to say that this is meant.",
            file=sys.stderr,
        )
        return [], []

    def links(self, program: str, compile_flags: list[str], link_flags: list[str]) -> bool:
        """Return whether a program compiles and links with these flags."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "program.c"
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=compile_flags
                )
                self.compiler.link_executable(
                    objects, "program", output_dir=folder, extra_postargs=link_flags
                )
            except Exception:  # each compiler class raises its own
                return False
        return True


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
