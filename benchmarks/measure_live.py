"""The engine and other decision rules on real runs, side by side: identical programs, and a work loop with 5 % and 10 % less work.

    uv run python benchmarks/measure_live.py [--same 300] [--different 100] [--beside 30] [--load 3] [--record FILE]

The numbers in the docs were taken with the counts above; the defaults are a tenth of them, for a look in minutes.

`--load` keeps so many CPUs busy meanwhile. `--record` appends every decision to a file at once, and goes on from what is there.
The first table is the engine as users run it: claims, lower bounds above the true ratio, pairs, seconds.
The second puts the decision rules of other tools beside it, in the same minutes: after every decision both programs run
again in blocks, as those tools run them, on the same CPU and timed by the same task-clock, which favours them: they use elapsed time.
hyperfine and pyperf are also judged by elapsed time; hyperfine itself runs where it is installed.
The true ratio is that of the loop counts; start-up (under a millisecond) dilutes it by less than 1 %.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean

import measure
import numpy as np
from rich.console import Console
from rich.table import Table

from perforch.measure import machine, perf
from perforch.measure.compare import compare
from perforch.measure.model import Decision
from perforch.measure.pairs import seed_env
from perforch.measure.session import Session
from perforch.result import Metric
from perforch.sandbox.spec import Launch, Limits
from perforch.settings import Acceptance

SOURCE = """
#include <stdint.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  uint64_t x = 88172645463325252ull;
  for (long i = atol(argv[1]); i > 0; i--) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
  return x == 42;
}
"""
WORK = 20_000_000
BLOCK = 30
OURS = "perforch"
TOOL = "hyperfine itself (10 runs)"


@dataclass(frozen=True)
class Loop:
    program: Path
    count: int

    @property
    def argv(self) -> tuple[str, str]:
        return str(self.program), str(self.count)

    def launch(self, seed: int) -> Launch:
        return Launch(argv=self.argv, env={**os.environ, **seed_env(seed)}, limits=Limits(wall_seconds=60))


@dataclass(frozen=True)
class Outcome:
    """One decision of ours, and those of other rules in the same minute (claim, runs, seconds)."""

    label: str
    decision: str
    reason: str
    low: float | None
    pairs: int
    seconds: float
    others: dict[str, tuple[bool, int, float]] = field(default_factory=dict)


@dataclass
class Effect:
    """Everything about one pair of programs."""

    label: str
    share: float
    count: int
    outcomes: list[Outcome] = field(default_factory=list)

    def claims(self, decision: Decision) -> int:
        return sum(outcome.decision == decision for outcome in self.outcomes)


def blocks(session: Session, sides: tuple[Loop, Loop]) -> np.ndarray:
    """(side, clock, run): task-clock and elapsed ms of `BLOCK` runs of one side, then of the other."""
    rows = []
    for side in sides:
        session.time(side.launch(1))
        samples = [session.time(side.launch(1)).sample for _ in range(BLOCK)]
        rows.append([[s.task_clock_ms for s in samples], [s.wall_ms for s in samples]])
    return np.array(rows)


def others(values: np.ndarray) -> dict[str, tuple[bool, int, float]]:
    """Apply every rule to the first runs of the blocks."""
    found = {}
    for label, (rule, size) in measure.OTHERS.items():
        for place, clock in enumerate(("CPU time", "elapsed")):
            before, after = values[:, place, :size]
            claim = bool(rule(before[None, :], after[None, :])[0])
            found[f"{label}, {clock}"] = (claim, 2 * size, float(values[:, 1, :size].sum()) / 1000)
    return found


def hyperfine(sides: tuple[Loop, Loop], cpus: tuple[int, ...]) -> tuple[bool, int, float]:
    """hyperfine with one warm-up and ten runs a side: a claim where "N times faster" excludes 1 by its own spread."""
    commands = [" ".join(side.argv) for side in sides]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        began = time.monotonic()
        subprocess.run(
            ("hyperfine", "-N", "-w1", "-r10", "--export-json", file.name, *commands),
            check=True, capture_output=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )  # fmt: skip
        seconds = time.monotonic() - began
        results = json.loads(Path(file.name).read_text())["results"]
    before, after = (np.array(result["times"])[None, :] for result in results)
    return bool(measure.hyperfine(before, after)[0]), 22, seconds


def decide(effect: Effect, program: Path, beside: bool) -> Outcome:
    sides = Loop(program, WORK), Loop(program, int(WORK * effect.share))
    found = compare(*sides, metric=Metric.TIME, acceptance=Acceptance(), only_faster=True, weigh=False)
    low = found.estimates[Metric.TIME].low if Metric.TIME in found.estimates else None
    rivals = {}
    if beside:
        with Session() as session:
            rivals = others(blocks(session, sides))
            if shutil.which("hyperfine"):
                rivals[TOOL] = hyperfine(sides, session.plan.measuring)
    return Outcome(
        effect.label, found.decision.value, found.reason, low, len(found.pairs), found.seconds, rivals
    )


def first_table(effects: list[Effect]) -> Table:
    table = Table(title="perforch bench, as people run it (99 %, minimum effect 5 %)")
    for column in (
        "programs",
        "decisions",
        "faster",
        "slower",
        "bound above truth",
        "median low / truth",
        "pairs",
        "s",
    ):
        table.add_column(column, justify="left" if column == "programs" else "right")
    for effect in effects:
        truth = 1 / effect.share
        lows = [outcome.low or 1 for outcome in effect.outcomes if outcome.decision == Decision.FASTER]
        table.add_row(
            effect.label,
            str(len(effect.outcomes)),
            str(effect.claims(Decision.FASTER)),
            str(effect.claims(Decision.SLOWER)),
            str(sum(1 for value in lows if value > truth)),
            f"{np.median(lows):.3f} / {truth:.3f}" if lows else "-",
            f"{mean(outcome.pairs for outcome in effect.outcomes):.1f}",
            f"{mean(outcome.seconds for outcome in effect.outcomes):.2f}",
        )
    return table


def second_table(effects: list[Effect]) -> Table:
    table = Table(
        title="Rules side by side in the same minutes: claims of decisions; runs and seconds a decision"
    )
    table.add_column("rule")
    for effect in effects:
        table.add_column(effect.label, justify="right")
        table.add_column("runs / s", justify="right")
    names = dict.fromkeys(
        name for effect in effects for outcome in effect.outcomes for name in outcome.others
    )
    for name in (OURS, *names):
        cells: list[str] = []
        for effect in effects:
            rows = [
                (outcome.decision == Decision.FASTER, 2 * outcome.pairs + 2, outcome.seconds)
                if name == OURS
                else outcome.others[name]
                for outcome in effect.outcomes
                if outcome.others and (name == OURS or name in outcome.others)
            ]
            if not rows:
                cells += ["-", "-"]
                continue
            cells += [
                f"{sum(claim for claim, _, _ in rows)}/{len(rows)}",
                f"{mean(runs for _, runs, _ in rows):.0f} / {mean(seconds for _, _, seconds in rows):.2f}",
            ]
        table.add_row(name, *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--same", type=int, default=30)
    parser.add_argument("--different", type=int, default=15)
    parser.add_argument("--beside", type=int, default=5, help="decisions a kind that other rules take too")
    parser.add_argument("--load", type=int, default=0, help="busy loops meanwhile")
    parser.add_argument("--record", type=Path, help="file of decisions, one JSON document a line; continued")
    options = parser.parse_args()
    effects = [
        Effect("identical", 1.0, options.same),
        Effect("5 % less work", 0.95, options.different),
        Effect("10 % less work", 0.9, options.different),
    ]
    if options.record and options.record.exists():
        known = [Outcome(**json.loads(line)) for line in options.record.read_text().splitlines()]
        for effect in effects:
            effect.outcomes = [outcome for outcome in known if outcome.label == effect.label][: effect.count]
    busy = [
        subprocess.Popen(("nice", "-n", "5", "sh", "-c", "while :; do :; done")) for _ in range(options.load)
    ]
    try:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "loop"
            (Path(folder) / "loop.c").write_text(SOURCE)
            subprocess.run(("gcc", "-O1", "-o", program, f"{program}.c"), check=True)
            for effect in effects:
                while len(effect.outcomes) < effect.count:
                    outcome = decide(effect, program, len(effect.outcomes) < options.beside)
                    effect.outcomes.append(outcome)
                    if options.record:
                        with options.record.open("a") as file:
                            print(json.dumps(asdict(outcome)), file=file)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    console = Console(width=150)
    console.print(
        f"{machine.cpu_model()}, {os.cpu_count()} CPUs, kernel {platform.release()}, perf {perf.version()}, Python {platform.python_version()}, "
        f"{options.load} CPUs kept busy, load average {os.getloadavg()[1]:.1f} over five minutes at the end"
    )
    console.print(first_table(effects))
    if any(outcome.others for effect in effects for outcome in effect.outcomes):
        console.print(second_table(effects))
    for effect in effects:
        for outcome in effect.outcomes:
            if outcome.decision == Decision.INCONCLUSIVE:
                console.print(f"{effect.label}, inconclusive: {outcome.reason}")


if __name__ == "__main__":
    main()
