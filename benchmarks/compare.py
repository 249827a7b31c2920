"""Value and gradient by fastloss and its peers, on the same inputs and as many threads.

    python benchmarks/compare.py --csv compare.csv --table compare.md --plot compare.png
    python benchmarks/compare.py --quick                          # two minutes
    python benchmarks/compare.py --cases 'Cross.*float32' --peers PyTorch JAX
    python benchmarks/compare.py --read compare.csv --plot compare.png

Each library runs in a process of its own, idle while another one is measured. They take turns, a
batch of calls each, round after round; medians are shown. Results are compared with
fastloss.reference in float64 first. Beside them runs what reads and writes the same bytes and
computes nothing: the memory's limit. A result is `allocated` by the call, or written to memory
that is `reused`. pip install 'fastloss[benchmark]' installs all peers; what is missing is named.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import report
import suite
import worker
from peers import MEMORY, OURS, RUNTIMES, Runtime
from report import Row
from suite import Case
from worker import Key, Trial, available_bytes

# Seconds. A batch is long enough for the clock, and for what a call costs in a loop; before it the
# peer works as long, since an idle processor of a virtual machine takes milliseconds to come back.
# The first batches of a case are longer: libraries learn how many threads are worth it.
BATCH, WARM, LEARN = 0.005, 0.01, 0.05


class Effort(NamedTuple):
    """How many rounds there are, and fewer for slow jobs: as many as fit `patience` seconds."""

    rounds: int
    least: int
    patience: float


FULL, QUICK = Effort(15, 3, 3.0), Effort(7, 2, 0.5)
# For threads that wait actively after their work to fall asleep.
PAUSE = 0.005
HOLD = 10.0
TIMEOUT = 300.0


class Worker:
    """A peer's process, seen from here."""

    def __init__(self, runtime: Runtime, threads: int) -> None:
        self.runtime, self.threads = runtime, threads
        self.version, self.problem = "", ""
        self.keys: list[Key] = []
        self.errors = tempfile.NamedTemporaryFile()  # noqa: SIM115
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        arguments = theirs, self.runtime.module, self.threads, self.errors.name
        self.process = context.Process(target=worker.serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def send(self, *message: Any) -> None:
        self.connection.send(message)

    def receive(self) -> Any:
        """The answer; None, with a problem, where there is none."""
        try:
            if not self.connection.poll(TIMEOUT):
                raise EOFError(f"no answer in {TIMEOUT:.0f} s")
            result, problem = self.connection.recv()
        except (EOFError, ConnectionError) as failure:
            self.stop()
            last = Path(self.errors.name).read_text(errors="replace").splitlines()[-1:]
            code = self.process.exitcode
            result, problem = None, f"process ended, exit code {code}: {failure} {''.join(last)}"
        if problem:
            self.problem = problem
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


class Turn:
    """Takes turns with others who measure or build on this machine and lock the same file."""

    def __init__(self, path: Path | None) -> None:
        self.file = path.open("a") if path else None
        self.since = 0.0
        self.waited = 0.0

    def share(self) -> None:
        """Let others build, but not measure."""
        self._lock("LOCK_SH")
        self.since = 0.0

    def take(self) -> None:
        """Be alone; give the others a chance from time to time."""
        if time.monotonic() - self.since > HOLD:
            self._lock("LOCK_UN")
            self._lock("LOCK_EX")
            self.since = time.monotonic()

    def _lock(self, kind: str) -> None:
        if self.file:
            import fcntl

            began = time.monotonic()
            fcntl.flock(self.file, getattr(fcntl, kind))
            self.waited += time.monotonic() - began


class Comparison:
    """All workers, and the rows they made."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.effort = QUICK if options.quick else FULL
        self.turn = Turn(options.lock)
        self.turn.share()
        wanted = [*(r for r in RUNTIMES if wanted_peers(r, options.peers)), MEMORY]
        started = [Worker(runtime, options.threads) for runtime in wanted]
        self.workers = []
        for each in started:
            each.version = each.receive()
            if each.problem:
                print(f"missing  {', '.join(each.runtime.peers)}: {each.problem}")
            else:
                self.workers.append(each)
        self.machine = report.machine(options.threads)
        print(" ".join(f"{name} {fact}," for name, fact in self.machine.items())[:-1])
        versions = ((", ".join(w.runtime.peers), w.version) for w in self.workers if w.version)
        print(", ".join(" ".join(pair) for pair in versions), "\n", flush=True)

    def rows(self, case: Case) -> list[Row]:
        """Measure one case."""
        try:
            suite.dtype_of(case.dtype)
        except ImportError as missing:
            print(f"{case.name}: {missing}")
            return []
        truth = suite.expected(case)
        # Where not all of them can have their arrays at once, each loads them for its turn.
        together = 6 * case.bytes * len(self.workers) < available_bytes()
        trials: dict[Key, Trial] = {}
        times: dict[Key, list[float]] = {}
        self.turn.share()
        for group in [self.workers] if together else [[each] for each in self.workers]:
            for each in group:
                each.send("load", case, wanted_peers(each.runtime, self.options.peers))
            for each in group:
                problems = each.receive() or {}
                trials |= {key: Trial(problem=reason) for key, reason in problems.items()}
                each.send("trial", None if each.runtime is MEMORY else truth)
            for each in group:
                found = each.receive() or {}
                each.keys = [key for key, trial in found.items() if not trial.problem]
                trials |= found
                if not together:
                    each.ask("release")
        seconds: dict[Key, float] = {}
        for number in range(self.effort.rounds + 1):
            self.turn.take()
            # In another order each time: who comes after whom matters to memory and caches.
            start = number % len(self.workers)
            for each in (*self.workers[start:], *self.workers[:start]):
                if each.keys and not each.problem:
                    self._measure(each, case, together, seconds, times)
        for each in self.workers:
            if together:
                each.ask("release")
            if each.problem:
                print(f"{each.runtime.module}: {each.problem}", flush=True)
                self._restart(each)
        return self._rows(case, trials, times)

    def _measure(
        self, each: Worker, case: Case, together: bool, seconds: dict[Key, float],
        times: dict[Key, list[float]],
    ) -> None:  # fmt: skip
        """A worker's turn in a round; the first one finds how long its jobs take."""
        if not together:
            self.turn.share()
            each.ask("load", case, wanted_peers(each.runtime, self.options.peers))
            self.turn.take()
        time.sleep(PAUSE)
        for key in each.keys:
            if key not in seconds:
                found = each.ask("seconds", key, 1, 1)
                if not each.problem and found < LEARN:
                    found = each.ask("seconds", key, *(math.ceil(LEARN / found),) * 2)
                seconds[key] = found
            else:
                repeat = math.ceil(BATCH / seconds[key])
                warm = math.ceil(WARM / seconds[key]) if seconds[key] < 10 * WARM else 0
                found = each.ask("seconds", key, repeat, warm)
                times.setdefault(key, []).append(found)
            if each.problem:
                return
        each.keys = [
            key
            for key in each.keys
            if len(times.get(key, ()))
            < max(self.effort.least, self.effort.patience / (seconds[key] + BATCH + WARM))
        ]
        if not together:
            each.ask("release")

    def _restart(self, each: Worker) -> None:
        """A case that ended a process, or confused it, must not end the others'."""
        if each.process.is_alive():
            each.stop()
        each.problem = ""
        each.start()
        each.receive()

    def _rows(
        self, case: Case, trials: dict[Key, Trial], times: dict[Key, list[float]]
    ) -> list[Row]:
        limits = {
            key[1]: statistics.median(list_) / trials[key].calls
            for key, list_ in times.items()
            if key[0] in MEMORY.peers
        }
        memory = min(limits, key=limits.__getitem__, default="")
        limit = limits.get(memory, math.nan)
        rows = []
        for (peer, output), trial in trials.items():
            if peer in MEMORY.peers:
                continue
            problem = trial.problem
            if trial.error > 1:
                problem = f"wrong by {trial.error:.2g} times the tolerance"
            list_ = [t / trial.calls for t in times.get((peer, output), [])]
            median = statistics.median(list_) if list_ else math.nan
            quartiles = statistics.quantiles(list_) if len(list_) > 1 else [median] * 3
            version = next(w.version for w in self.workers if peer in w.runtime.peers)
            rows.append(
                Row(
                    **self.machine, case=case.name, loss=case.loss, mode=case.mode,
                    n=case.size, dtype=case.dtype, peer=peer, version=version, output=output,
                    statement=trial.statement, rounds=len(list_), median=median,
                    lower_quartile=quartiles[0], upper_quartile=quartiles[2],
                    error=trial.error, problem=problem, bytes=case.bytes,
                    limit=limit, memory=memory,
                )
            )  # fmt: skip
        report.relate(rows)
        return rows

    def close(self) -> None:
        for each in self.workers:
            each.stop()


def wanted_peers(runtime: Runtime, asked: Sequence[str] | None) -> tuple[str, ...]:
    """The runtime's peers that were asked for; ourselves always."""
    return tuple(
        peer for peer in runtime.peers if not asked or peer in (*asked, OURS) or runtime is MEMORY
    )


def chosen_cases(options: argparse.Namespace) -> Iterator[Case]:
    everything = suite.quick_cases() if options.quick and not options.cases else suite.cases()
    for case in everything:
        if not options.cases or re.search(options.cases, case.name):
            yield case


def environment(threads: int) -> None:
    """Tell every library's threads; what it leaves open, the worker's processors decide."""
    libraries = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "NUMEXPR_MAX")
    for library in libraries:
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    os.environ["NUMEXPR_MAX_THREADS"] = str(threads)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    description, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [peer for runtime in RUNTIMES for peer in runtime.peers]
    add = parser.add_argument
    add("--quick", action="store_true", help="few cases, and few rounds of any")
    add("--cases", metavar="PATTERN", help="only cases whose name has this regular expression")
    add("--peers", nargs="+", choices=names, metavar="PEER", help=", ".join(names))
    add("--threads", type=int, default=os.cpu_count() or 1, help="for each peer (default: all)")
    add("--csv", type=Path, metavar="FILE", help="write all there is to know")
    add("--table", type=Path, metavar="FILE", help="write a Markdown table")
    add("--plot", type=Path, metavar="FILE", help="draw times over sizes")
    add("--read", type=Path, metavar="FILE", help="measure nothing, take this CSV file")
    add("--list", action="store_true", help="list the cases")
    add("--lock", type=Path, metavar="FILE", help="on a shared machine: lock FILE while measuring")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> list[Row]:
    environment(options.threads)
    chosen = list(chosen_cases(options))
    began = time.monotonic()
    comparison = Comparison(options)
    rows: list[Row] = []
    try:
        for number, case in enumerate(chosen, 1):
            found = comparison.rows(case)
            rows += found
            passed = time.monotonic() - began - comparison.turn.waited
            title = f"{case.name}  [{number}/{len(chosen)}, {passed:.0f} s]"
            print(report.lines(found, title), flush=True)
            if options.csv:
                report.write_csv(rows, options.csv)
    except KeyboardInterrupt:
        print("interrupted: what there is, is reported", file=sys.stderr)
    finally:
        comparison.close()
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.list:
        print(*(case.name for case in chosen_cases(options)), sep="\n")
        return
    rows = report.read_csv(options.read) if options.read else measure(options)
    table = report.table(rows)
    print(table)
    if options.table:
        options.table.write_text(table)
    if options.plot:
        report.plot(rows, options.plot)


if __name__ == "__main__":
    main()
