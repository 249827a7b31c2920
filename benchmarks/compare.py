"""Value and gradient by fastloss and its peers, on the same inputs and as many threads.

    python benchmarks/compare.py --csv compare.csv --table compare.md --plot compare.png
    python benchmarks/compare.py --quick                          # two minutes
    python benchmarks/compare.py --cases 'Cross.*float32' --peers PyTorch JAX
    python benchmarks/compare.py --read compare.csv --plot compare.png

Each library runs in a process of its own, idle while another one is measured. They take turns, a
batch of calls each, round after round; medians are shown. Results are compared with
fastloss.reference in float64 first. Beside them runs what reads and writes the same bytes and
computes nothing: the limit. A result is `allocated` by the call, or written to memory
that is `reused`. pip install 'fastloss[benchmark]' installs all peers; what is missing is named.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import report
import suite
from peers import LIMIT, OURS, RUNTIMES, Runtime
from report import Row
from suite import Case
from worker import Key, Trial, Worker, available_bytes

# Seconds. A batch is long enough for the clock, and for what a call costs in a loop; before it the
# peer works as long, since an idle processor of a virtual machine takes milliseconds to come back.
# The first batches of a case are longer: libraries learn how many threads are worth it.
BATCH, WARM, LEARN = 0.005, 0.01, 0.05


class Effort(NamedTuple):
    """How many rounds there are, and fewer for slow jobs: as many as fit `patience` seconds."""

    rounds: int
    least: int
    patience: float


FULL, QUICK = Effort(11, 3, 2.0), Effort(7, 2, 0.4)
# For threads that wait actively after their work to fall asleep.
PAUSE = 0.005
# Turns that each worker has in a case for which there is not memory enough for all.
VISITS, ROUNDS_OF_A_VISIT = 2, 3


class Comparison:
    """All workers, and what they have in common."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.effort = QUICK if options.quick else FULL
        wanted = [Worker(LIMIT, LIMIT.peers, options.threads)]
        for runtime in RUNTIMES:
            peers = wanted_peers(runtime, options.peers)
            wanted += [Worker(runtime, peers, options.threads)] if peers else []
        self.workers = []
        for each in wanted:
            each.version = each.receive() or ""
            if each.problem:
                print(f"missing  {', '.join(each.peers)}: {each.problem}")
            else:
                self.workers.append(each)
        self.machine = report.machine(options.threads)
        print(" ".join(f"{name} {fact}," for name, fact in self.machine.items())[:-1])
        versions = ((", ".join(w.peers), w.version) for w in self.workers if w.version)
        print(", ".join(" ".join(pair) for pair in versions), "\n", flush=True)

    def rows(self, case: Case) -> list[Row]:
        """Measure one case."""
        try:
            found = Measurement(self, case).rows()
        except ImportError as missing:
            print(f"{case.name}: {missing}")
            return []
        report.relate(found)
        for each in self.workers:
            if each.problem:  # it must not spoil the cases to come
                print(f"{each.runtime.module}: {each.problem}", flush=True)
                each.stop()
                each.start()
                each.receive()
        return found

    def close(self) -> None:
        for each in self.workers:
            each.stop()


class Measurement:
    """One case: who takes which turn, and what comes of it."""

    def __init__(self, comparison: Comparison, case: Case) -> None:
        self.case, self.comparison = case, comparison
        self.effort, self.workers = comparison.effort, comparison.workers
        self.truth = case.expected()
        self.tried: list[Worker] = []
        self.trials: dict[Key, Trial] = {}
        # Of a statement: about, and as measured.
        self.seconds: dict[Key, float] = {}
        self.times: dict[Key, list[float]] = {}
        if 6 * case.bytes * len(self.workers) < available_bytes():
            self._prepare(self.workers)
            for number in range(self.effort.rounds + 1):
                for each in self._in_turn(number):
                    self._round(each)
            for each in self.workers:
                each.ask("release")
            return
        # Not all of them can have their arrays at once: each comes for some rounds, and again.
        for number in range(VISITS):
            for each in self._in_turn(number):
                self._prepare([each])
                for _ in range(ROUNDS_OF_A_VISIT + (number == 0)):
                    self._round(each)
                each.ask("release")

    def _in_turn(self, number: int) -> tuple[Worker, ...]:
        """All workers, in another order each time: it matters who comes after whom."""
        start = number % len(self.workers)
        return (*self.workers[start:], *self.workers[:start])

    def _prepare(self, group: Sequence[Worker]) -> None:
        """Let them make their arrays and, once, run and check their jobs; all at the same time."""
        for each in group:
            each.send("load", self.case, each.peers)
        new = []
        for each in group:
            problems = each.receive() or {}
            if each not in self.tried:
                new.append(each)
                self.trials |= {key: Trial(problem=reason) for key, reason in problems.items()}
                each.send("trial", None if each.runtime is LIMIT else self.truth)
        for each in new:
            found = each.receive() or {}
            self.trials |= found
            each.keys = [key for key, trial in found.items() if not trial.problem]
        self.tried += new

    def _round(self, each: Worker) -> None:
        """One batch of each of its jobs; the first finds how long they take."""
        if not each.keys:
            return
        time.sleep(PAUSE)
        for key in each.keys:
            if key not in self.seconds:
                found = each.ask("seconds", key, 1, 1)
                if found and found < LEARN:
                    found = each.ask("seconds", key, *(math.ceil(LEARN / found),) * 2)
                self.seconds[key] = found or math.inf
            else:
                about = self.seconds[key]
                warm = math.ceil(WARM / about) if about < 10 * WARM else 0
                found = each.ask("seconds", key, math.ceil(BATCH / about), warm)
                self.times.setdefault(key, []).append(found or math.inf)
        each.keys = [] if each.problem else [key for key in each.keys if self._worth_more(key)]

    def _worth_more(self, key: Key) -> bool:
        batch = self.seconds[key] + BATCH + WARM
        return len(self.times.get(key, ())) < max(self.effort.least, self.effort.patience / batch)

    def rows(self) -> list[Row]:
        limits = {
            key[1]: statistics.median(list_) / self.trials[key].calls
            for key, list_ in self.times.items()
            if key[0] in LIMIT.peers
        }
        nearest = min(limits, key=limits.__getitem__, default="")
        return [
            self._row(each, key, limits.get(nearest, math.nan), nearest)
            for each in self.workers
            if each.runtime is not LIMIT
            for key in self.trials
            if key[0] in each.peers
        ]

    def _row(self, each: Worker, key: Key, limit: float, limit_by: str) -> Row:
        case, trial = self.case, self.trials[key]
        times = [t / trial.calls for t in self.times.get(key, [])]
        problem = trial.problem
        if trial.error > 1:
            problem = f"wrong by {trial.error:.2g} times the tolerance"
        if not times or math.inf in times:
            times, problem = [math.nan], problem or each.problem.strip().split("\n")[-1]
        quartiles = statistics.quantiles(times) if len(times) > 1 else times * 3
        return Row(
            **self.comparison.machine,
            case=case.name, loss=case.loss, mode=case.mode, n=case.size, dtype=case.dtype,
            peer=key[0], version=each.version, output=key[1], statement=trial.statement,
            rounds=len(times), median=statistics.median(times), lower_quartile=quartiles[0],
            upper_quartile=quartiles[2], error=trial.error, problem=problem, bytes=case.bytes,
            limit=limit, limit_by=limit_by,
        )  # fmt: skip


def wanted_peers(runtime: Runtime, asked: Sequence[str] | None) -> tuple[str, ...]:
    """The runtime's peers that were asked for; ourselves always."""
    return tuple(peer for peer in runtime.peers if not asked or peer in (*asked, OURS))


def chosen_cases(options: argparse.Namespace) -> Iterator[Case]:
    everything = suite.quick_cases() if options.quick and not options.cases else suite.cases()
    for case in everything:
        if not options.cases or re.search(options.cases, case.name):
            yield case


def environment(threads: int) -> None:
    """Tell every library's threads; what it leaves open, the worker's processors decide."""
    for library in ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "NUMBA_NUM", "NUMEXPR_MAX"):
        os.environ[f"{library}_THREADS"] = str(threads)


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
            passed = time.monotonic() - began
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
