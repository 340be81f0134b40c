"""What a Go test binary says, as outcomes of its top-level tests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perforch.workloads import builds, go_binary
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perforch.sandbox.spec import Command, Completed, Sandbox
    from perforch.workloads.model import TestOutcome

BENCHMARK = 30.0  # seconds in which one iteration of a package's benchmarks should be done
FAILING = "this benchmark fails"
LATE = "one iteration of this benchmark takes too long"
# A test that prints without a newline stands before the mark on its line. Marks of subtests carry a slash.
_LINE = re.compile(r"--- (PASS|FAIL|SKIP|BENCH): (\S+)(?: \(\d[\d.]*s\))?$")
_STARTED = re.compile(r"^\x16?=== (?:RUN|CONT|PAUSE|NAME)\s+(\S+)")
_MEASURED = re.compile(r"^(Benchmark\w+)\S*\s+\d+\s+[\d.]+ \S")
_WORDS: dict[str, TestOutcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped", "BENCH": "passed"}


@dataclass(slots=True)
class Ran:
    """What became of some tests of one package; `unfit` are benchmarks that cannot be used, and why: they check nothing, and
    `go test` does not run them, so nothing is wrong with the code.
    """

    outcomes: dict[str, TestOutcome] = field(default_factory=dict)
    told: dict[str, tuple[str, str]] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    seconds: float = 0.0


def run(sandbox: Sandbox, names: Sequence[str], command: Callable[[tuple[str, ...]], Command]) -> Ran:
    """Run tests once, and benchmarks with one iteration, each kind in one process as long as none ends it.

    Args:
        command: runs the package's binary with these arguments.
    """
    ran = Ran()
    for kind, group in go_binary.kinds(names):
        rest = group
        # A panic ends the whole binary: the tests after it run again without the one that panicked.
        while rest:
            asked = command(go_binary.arguments(kind, rest))
            if kind == "bench":
                wall = min(BENCHMARK, asked.limits.wall_seconds)
                asked = builds.with_limits(asked, replace(asked.limits, wall_seconds=wall))
            done = sandbox.run(asked)
            found, told, unreached = outcomes(done, rest)
            ran.seconds += done.seconds
            ran.outcomes |= found
            ran.told |= told
            if kind == "bench":
                bad = [name for name in found if found[name] == "failed"]
                bad += unreached if done.stopped else ()
                ran.unfit |= dict.fromkeys(bad, LATE if done.stopped else FAILING)
            elif done.stopped:
                ran.stopped = done.stopped
                ran.outcomes |= dict.fromkeys(unreached, "failed")
            rest = () if done.stopped else unreached
    return ran


def outcomes(
    done: Completed, names: Sequence[str]
) -> tuple[dict[str, TestOutcome], dict[str, tuple[str, str]], tuple[str, ...]]:
    """Outcomes of top-level tests from the verbose log, what the failed ones said, and the tests a crash left unreached.

    A binary that ends with a status other than 0 although no test failed has failed as a whole, as `go test` has it.
    """
    reported: dict[str, TestOutcome] = {}
    said: dict[str, list[str]] = {}
    current = ""
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        measured = _MEASURED.match(line)
        if measured and measured.group(1) in names:
            current = measured.group(1)
            reported.setdefault(current, "passed")
            continue
        started = _STARTED.match(line)
        if started:
            current = started.group(1).split("/")[0]
            continue
        ended = _LINE.search(line)
        name = ended.group(2).partition("/")[0].partition("-")[0] if ended else ""
        if ended and name in names and (name == ended.group(2) or name.startswith("Benchmark")):
            current = name
            outcome = _WORDS[ended.group(1)]
            reported[current] = "failed" if reported.get(current) == "failed" else outcome
            continue
        if current and len(said.setdefault(current, [])) < 200:
            said[current].append(line)
    missing = [name for name in names if name not in reported]
    # The runtime reports the failure of the test that panics before the process ends.
    blamed = current in missing or reported.get(current) == "failed"
    crashed = "" if not missing else current if blamed else missing[0]
    found = dict(reported)
    if crashed:
        found[crashed] = "failed"
    if missing and not current:  # not even the first one was started: the others would not be, either
        found |= dict.fromkeys(missing, "failed")
        missing = []
    if done.returncode and "failed" not in found.values():
        found |= dict.fromkeys(names, "failed")
        crashed = names[0]
    told: dict[str, tuple[str, str]] = {}
    for name, outcome in found.items():
        if outcome == "failed":
            words = trimmed("\n".join(said.get(name, []))).strip()
            error = trimmed(done.stderr) if name == crashed else ""
            ended_early = builds.how_it_ended(done) if name == crashed and not error else ""
            first = next(
                (line for line in error.splitlines() if line.startswith(("panic:", "fatal error:"))), ""
            )
            message = (
                "\n".join(part for part in (words, first, ended_early) if part) or error or "the test failed"
            )
            told[name] = (message, error)
    return found, told, tuple(name for name in missing if name != crashed)
