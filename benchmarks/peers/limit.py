"""Not a peer but the limit: the same arrays read and written, or the bare matrix products."""

import ctypes
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from suite import Array, Case, Job, allocate

VERSION = ""
SOURCE = Path(__file__).parent.parent / "stream.c"
# Bytes below which neither threads nor streaming stores can help.
TINY = 1 << 16
# Floats of a cache line, as in stream.c.
LINE = 16

_library: ctypes.CDLL
_threads = 1


def start(threads: int) -> None:
    """Compile for this machine; ImportError where that cannot be done."""
    global _library, _threads
    _threads = threads
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "stream.so"
        command = ["cc", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
        try:
            subprocess.run(
                [*command, str(SOURCE), "-o", str(binary)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError) as error:
            raise ImportError(f"cc: {getattr(error, 'stderr', '') or error}") from error
        _library = ctypes.CDLL(str(binary))
    _library.stream.restype = None


def jobs(case: Case, prediction: Array, target: Array) -> Iterator[Job]:
    reads, writes = case.streams
    n = -(-case.bytes // (4 * (reads + writes) * LINE)) * LINE
    sources = [allocate((n,), "float32", i) for i in range(reads)]
    results = [allocate((n,), "float32", 2 + i) for i in range(writes)]
    for array in (*sources, *results):
        array[:] = 1
    ends = (sources[0], sources[-1], results[0], results[-1])
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in ends]
    # A call from Python costs a microsecond, which is not the memory's fault.
    calls = max(1, 10_000_000 // case.bytes)
    sizes = [ctypes.c_size_t(n), ctypes.c_size_t(calls)]
    variants = [(0, 1)]
    if case.bytes > TINY:
        variants = [(0, 1), (0, _threads), (1, _threads)]
    for streaming, threads in dict.fromkeys(variants):
        store = "streaming" if streaming else "ordinary"
        yield Job(
            "limit",
            f"{reads} read {writes} written, {store} stores, {threads} threads",
            "stream(*arguments)",
            {
                "stream": _library.stream,
                "arguments": (reads, writes, streaming, threads, *sizes, *pointers),
                "keep": ends,
            },
            calls=calls,
        )


def linear_jobs(case: Case, hidden: Array, weight: Array, target: Array) -> Iterator[Job]:
    logits = np.zeros((len(hidden), len(weight)), hidden.dtype)
    hidden_gradient, weight_gradient = case.outputs()
    products = (
        "matmul(hidden, weight.T, out=logits); "
        "matmul(logits, weight, out=hidden_gradient); "
        "matmul(logits.T, hidden, out=weight_gradient)"
    )
    yield Job(
        "limit", "three matrix products of NumPy", products, {"matmul": np.matmul, **locals()}
    )
