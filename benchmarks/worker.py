"""The process in which `compare.py` runs one of the peers' modules: its inside and its outside."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import sys
import tempfile
import timeit
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from peers import Runtime
from suite import Case, Job, error

Key = tuple[str, str]  # peer and output

# Seconds in which any answer must come, compilation included.
TIMEOUT = 300.0


class Trial(NamedTuple):
    """A job that has run once: what it says, and how wrong its results are.

    The error is in units of what is tolerated. A problem stands for all of that.
    """

    statement: str = ""
    calls: int = 1
    error: float = 0.0
    problem: str = ""


def available_bytes() -> float:
    """Memory that there is without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    facts = dict(line.split(":") for line in lines)
    return int(facts["MemAvailable"].split()[0]) * 1024


class Bench:
    """The jobs of one case at a time."""

    def __init__(self, module: str, threads: int) -> None:
        if hasattr(os, "sched_setaffinity"):  # not all libraries can be told their threads
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        self.runtime = importlib.import_module(f"peers.{module}")
        self.runtime.start(threads)
        self.jobs: dict[Key, Job] = {}

    def load(self, case: Case, peers: tuple[str, ...]) -> dict[Key, str]:
        """Make inputs and jobs; say what cannot be done, and why."""
        self.case = case
        spare = available_bytes() - case.bytes
        if spare < 0:
            return {(peer, ""): no_memory(case.bytes) for peer in peers}
        problems: dict[Key, str] = {}
        make = getattr(self.runtime, case.jobs, None)
        for job in make(case, *case.inputs()) if make else ():
            needed = job.temporaries * case.temporary_bytes
            if job.peer not in peers:
                continue
            if needed > spare:
                problems[job.peer, job.output] = no_memory(needed)
            else:
                self.jobs[job.peer, job.output] = job
        return problems

    def trial(self, truth: tuple[Any, ...] | None) -> dict[Key, Trial]:
        """Run each job for the first time, which compiles it, and compare with the truth."""
        found = {}
        for key, job in self.jobs.items():
            try:
                names = dict(job.names)
                exec(f"{job.setup}\n{job.statement}", names)
                wrong = 0.0
                if truth is not None:
                    results = [job.to_numpy(names[name]) for name in self.case.results]
                    wrong = error(self.case, truth, results)
                    del results
                del names
                found[key] = Trial(job.statement, job.calls, wrong)
            except Exception as failure:
                reason = (str(failure).strip().splitlines() or [""])[0]
                found[key] = Trial(problem=f"{type(failure).__name__}: {reason}")
        return found

    def seconds(self, key: Key, repeat: int, warm: int) -> float:
        """Time of a job's statement, run `repeat` times after `warm` times that do not count.

        Those wake threads and processors and touch new pages. No garbage is collected meanwhile.
        """
        job = self.jobs[key]
        setup = f"{job.setup}\nfor _ in range({warm}): {job.statement}"
        return timeit.Timer(job.statement, setup, globals=job.names).timeit(repeat) / repeat

    def release(self) -> None:
        """Give the case's memory back."""
        self.jobs.clear()
        gc.collect()


def no_memory(size: float) -> str:
    return f"would need {size / 1e9:.1f} GB more than there is"


class Worker:
    """A peer's process, seen from outside. After a problem it does and answers nothing."""

    def __init__(self, runtime: Runtime, peers: tuple[str, ...], threads: int) -> None:
        self.runtime, self.peers, self.threads = runtime, peers, threads
        self.version = ""
        # The jobs that are to have more rounds.
        self.keys: list[Key] = []
        self.errors = tempfile.NamedTemporaryFile()  # noqa: SIM115
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.problem = ""
        arguments = theirs, self.runtime.module, self.threads, self.errors.name
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def send(self, *message: Any) -> None:
        if not self.problem:
            self.connection.send(message)

    def receive(self) -> Any:
        """The answer; None where there is a problem."""
        if self.problem:
            return None
        try:
            if not self.connection.poll(TIMEOUT):
                raise EOFError(f"no answer in {TIMEOUT:.0f} s")
            result, self.problem = self.connection.recv()
        except (EOFError, ConnectionError) as failure:
            self.stop()
            last = Path(self.errors.name).read_text(errors="replace").splitlines()[-1:]
            reasons = (f"exit code {self.process.exitcode}", str(failure), *last)
            self.problem = "its process ended: " + "; ".join(filter(None, reasons))
            return None
        return result

    def ask(self, *message: Any) -> Any:
        self.send(*message)
        return self.receive()

    def stop(self) -> None:
        self.connection.close()
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def serve(connection: Connection, module: str, threads: int, errors: str) -> None:
    """Answer (method, arguments) with (result, problem); one of them is empty.

    What libraries say goes to a file, whose last words matter only if they are the last.
    """
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.stderr.fileno())
    try:
        bench = Bench(module, threads)
    except Exception as failure:
        connection.send((None, f"{type(failure).__name__}: {failure}"))
        return
    connection.send((bench.runtime.VERSION, ""))
    while True:
        try:
            method, *arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send((getattr(bench, method)(*arguments), ""))
        except Exception:
            connection.send((None, traceback.format_exc()))
