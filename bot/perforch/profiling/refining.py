"""Is a candidate faster than a suite's own solution? The problem's test is the workload, repeated in one process.

Benchmarks run one at a time on the reserved CPUs. The whole-process ratio that the paper reports is kept beside the
decision, labelled, and never decides.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Self

from perforch.measure.compare import compare
from perforch.measure.model import Decision
from perforch.measure.pairs import seed_env
from perforch.profiling import amplified, amplified_stdio, builds
from perforch.profiling.checking import HARNESS
from perforch.profiling.sources import DONE
from perforch.result import Metric
from perforch.sandbox import cleaning
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from perforch.profiling.amplified import Loop
    from perforch.profiling.checking import Checker
    from perforch.profiling.suite import Program
    from perforch.sandbox.spec import Completed, Launch, Sandbox
    from perforch.settings import Acceptance

MIN_SECONDS = 0.2  # CPU time of the repetitions in one run, start-up not counted
MAX_COUNT = 10**8  # a test that is still shorter than MIN_SECONDS takes 2 ns: the compiler has folded it away
WHOLE_RUNS = 5  # runs of each side for the ratio of whole processes
_LIMITS = Limits(wall_seconds=120, memory_bytes=2 << 30, processes=256)


class ImpossibleError(Exception):
    """Why this problem cannot be measured; never leaves this package."""


@dataclass(frozen=True, slots=True)
class Refined:
    """What measuring said.

    Attributes:
        ratio: before/after of the medians with the bound `low` of the decision; None when nothing was measured.
        whole: before/after of whole processes that run the test once, as the paper measures; start-up included.
        start_up: share of the baseline's run that is not the test.
    """

    decision: Decision
    reason: str
    ratio: float | None = None
    low: float | None = None
    whole: float | None = None
    start_up: float = 0.0

    @property
    def faster(self) -> bool:
        """Proven."""
        return self.decision is Decision.FASTER


@dataclass(frozen=True, slots=True)
class _Side:
    """A built amplified program; makes a fresh start for every run."""

    sandbox: Sandbox
    loop: Loop
    work: Path
    count: int = 0

    def command(self, *arguments: str) -> Command:
        mounts = (
            Mount(self.work / "src", SOURCE),
            Mount(self.work / "out", OUTPUT),
            Mount(HARNESS, "/harness"),
        )
        return Command(
            argv=(*self.loop.argv, *arguments),
            cwd="/",
            env={"HX_SEED": builds.SEED},
            mounts=mounts,
            limits=_LIMITS,
        )

    def launch(self, seed: int) -> Launch:
        command = self.command(str(self.count))
        return self.sandbox.launch(replace(command, env={**command.env, **seed_env(seed)}))

    def run(self, count: int) -> Completed:
        """Run once, and see that it came to its end.

        Raises:
            ImpossibleError: it did not.
        """
        command = self.command(str(count), "check")
        completed = self.sandbox.run(replace(command, env={**command.env, **seed_env(0)}))
        if completed.returncode != DONE or completed.stopped:
            words = completed.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            message = f"repeated {count} times, its test does not pass: {completed.stopped or words or completed.returncode}"
            raise ImpossibleError(message)
        return completed


class Refiner:
    """Measures candidates against a suite's own solutions; a baseline is built once."""

    def __init__(self, sandbox: Sandbox, checker: Checker, acceptance: Acceptance) -> None:
        self._sandbox = sandbox
        self._checker = checker
        self._acceptance = acceptance
        self._stack = ExitStack()
        self._baselines: dict[str, tuple[_Side, float] | str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def impossible(self, program: Program) -> str:
        """Why the suite's own solution cannot be measured, "" when it can."""
        found = self._baseline(program)
        return found if isinstance(found, str) else ""

    def refine(self, before: Program, after: Program) -> Refined:
        """Decide whether `after` is faster than `before`, in pairs, with the rule of `measure.verdict`."""
        found = self._baseline(before)
        if isinstance(found, str):
            return Refined(Decision.INCONCLUSIVE, found)
        baseline, start_up = found
        with cleaning.temporary("perforch-refine-") as folder:
            try:
                candidate = replace(self._build(after, folder), count=baseline.count)
                candidate.run(baseline.count)
                whole = _whole(baseline, candidate)
            except ImpossibleError as error:
                return Refined(Decision.INCONCLUSIVE, str(error), start_up=start_up)
            comparison = compare(
                baseline,
                candidate,
                metric=Metric.TIME,
                acceptance=self._acceptance,
                threads=baseline.loop.threads,
                only_faster=True,
                weigh=False,
            )
        estimate = comparison.estimates.get(Metric.TIME)
        return Refined(
            comparison.decision,
            comparison.reason,
            ratio=estimate.ratio if estimate else None,
            low=estimate.low if estimate else None,
            whole=whole,
            start_up=start_up,
        )

    def _baseline(self, program: Program) -> tuple[_Side, float] | str:
        key = f"{program.problem.id}\0{program.code}"
        if key not in self._baselines:
            self._baselines[key] = self._prepare(program)
        return self._baselines[key]

    def _prepare(self, program: Program) -> tuple[_Side, float] | str:
        reason = amplified.impossible(program) if program.problem.cases is None else ""
        if reason:
            return reason
        folder = self._stack.enter_context(cleaning.temporary("perforch-refine-"))
        try:
            side = self._build(program, folder)
            idle = side.run(0).cpu_seconds
            count, spent = _enough(side, idle)
        except ImpossibleError as error:
            return str(error)
        return replace(side, count=count), idle / (idle + spent)

    def _build(self, program: Program, work: Path) -> _Side:
        (work / "src").mkdir()
        (work / "out").mkdir()
        writer = amplified if program.problem.cases is None else amplified_stdio
        loop = writer.write(program, work / "src", HARNESS)
        words = self._checker.build(loop.builds, work)
        if words:
            message = f"its repeated test does not compile: {words[:300]}"
            raise ImpossibleError(message)
        return _Side(self._sandbox, loop, work)


def _enough(side: _Side, idle: float) -> tuple[int, float]:
    """Repetitions that take `MIN_SECONDS`, and the seconds they took."""
    count = 1
    while True:
        spent = side.run(count).cpu_seconds - idle
        if spent >= MIN_SECONDS:
            return count, spent
        if count == MAX_COUNT:
            message = f"{MAX_COUNT} repetitions take {max(spent, 0):.3f} s: the compiler computes its test in advance"
            raise ImpossibleError(message)
        factor = 10.0 if spent < MIN_SECONDS / 10 else 1.3 * MIN_SECONDS / spent
        count = min(MAX_COUNT, max(count + 1, int(count * factor)))


def _whole(before: _Side, after: _Side) -> float:
    """Ratio of whole processes that run the test once; a few runs, so only a label."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(WHOLE_RUNS):
        for side, found in zip((before, after), seconds, strict=True):
            found.append(side.run(1).cpu_seconds)
    return median(seconds[0]) / max(median(seconds[1]), 1e-9)
