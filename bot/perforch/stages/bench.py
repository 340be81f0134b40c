"""Benchmarks of the pipeline: one at a time on the reserved CPUs, every finished comparison in the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter

from perforch.measure.compare import compare
from perforch.measure.model import Decision
from perforch.measure.pairs import CANARY_SHARE, seed_env
from perforch.result import Canaries, Measurement, Metric
from perforch.workloads.model import REPORTING

if TYPE_CHECKING:
    from perforch.measure.model import Comparison, Estimate
    from perforch.sandbox.spec import Launch, Sandbox
    from perforch.settings import Acceptance
    from perforch.stages.journal import Journal
    from perforch.workloads.model import TimedCommand

# A candidate is screened at a looser level; only the fresh pairs of its confirmation, at the full level split over all
# rows, can make a claim, so screening cannot raise the false-positive rate of what is posted.
SCREENING_LEVEL = 0.05


class Trial(BaseModel):
    """A finished comparison as the journal keeps it; `ok` means that the metric got better by at least the minimum effect."""

    model_config = ConfigDict(frozen=True)

    decision: Decision
    reason: str
    measurements: dict[Metric, Measurement]
    peak_memory: Measurement | None = None

    @property
    def ok(self) -> bool:
        """Proven better."""
        return self.decision is Decision.FASTER


TRIAL = TypeAdapter(Trial)


@dataclass(frozen=True, slots=True)
class _Launcher:
    """Starts one side: a fresh sandbox and a fresh process for every sample."""

    sandbox: Sandbox
    timed: TimedCommand

    def launch(self, seed: int) -> Launch:
        """Prepare one run with the pair's seed."""
        return self.launch_with(seed, ())

    def launch_with(self, seed: int, prefix: tuple[str, ...]) -> Launch:
        """The same below another program, such as valgrind."""
        command = self.timed.command
        argv = (*prefix, *command.argv)
        env = {**command.env, **seed_env(seed), **({REPORTING: "1"} if prefix else {})}
        return self.sandbox.launch(replace(command, argv=argv, env=env))


class Bench:
    """Serial access to the reserved CPUs.

    Args:
        rows: decisions that may be posted together; the false-positive level is split over them.
    """

    def __init__(
        self, *, sandbox: Sandbox, acceptance: Acceptance, metric: Metric, journal: Journal, rows: int
    ) -> None:
        self._sandbox = sandbox
        self._acceptance = acceptance
        level = max(acceptance.max_false_positive, SCREENING_LEVEL)
        self._screening = acceptance.model_copy(update={"max_false_positive": level})
        self._metric = metric
        self._journal = journal
        self._rows = max(1, rows)
        self._turn = asyncio.Lock()
        # Where in the first twenty the first one comes is chance, the same after the run was killed: short runs have their share too.
        self._decisions = int(journal.token, 16) % CANARY_SHARE
        self.canaries = Canaries(level=min(2 * acceptance.max_false_positive / self._rows, 1.0))

    async def compare(
        self,
        key: str,
        before: TimedCommand,
        after: TimedCommand,
        *,
        confirm: bool = False,
        only_faster: bool = True,
    ) -> Trial:
        """Decide one before/after question, or recall the decision of a killed run.

        Args:
            key: names the question by content.
            confirm: the winner of an earlier comparison is measured again; only fresh pairs count.
            only_faster: stop as soon as a gain is excluded, without telling "slower" from "no change".
        """
        async with self._turn:
            known = self._journal.recall(key)
            if known is None:
                trial = await asyncio.to_thread(self._run, before, after, confirm, only_faster)
                self._journal.record(key, TRIAL.dump_python(trial, mode="json"))
            else:
                trial = TRIAL.validate_python(known)
            self._decisions += 1
            if self._decisions % CANARY_SHARE == 0:
                await self._canary(f"{key}/canary", before)
            return trial

    async def _canary(self, key: str, side: TimedCommand) -> None:
        known = self._journal.recall(key)
        if known is None:
            comparison = await asyncio.to_thread(self._compare, side, side, confirm=True, canary=True)
            known = comparison.decision in {Decision.FASTER, Decision.SLOWER}
            self._journal.record(key, known)
        counts = {
            "decisions": self.canaries.decisions + 1,
            "false_claims": self.canaries.false_claims + int(known),
        }
        self.canaries = self.canaries.model_copy(update=counts)

    def _run(self, before: TimedCommand, after: TimedCommand, confirm: bool, only_faster: bool) -> Trial:
        return _trial(self._compare(before, after, confirm=confirm, only_faster=only_faster), self._metric)

    def _compare(
        self,
        before: TimedCommand,
        after: TimedCommand,
        *,
        confirm: bool,
        canary: bool = False,
        only_faster: bool = False,
    ) -> Comparison:
        return compare(
            _Launcher(self._sandbox, before),
            _Launcher(self._sandbox, after),
            metric=self._metric,
            acceptance=self._acceptance if confirm or canary else self._screening,
            rows=self._rows if confirm or canary else 1,
            threads=max(before.threads, after.threads),
            confirm=confirm,
            canary=canary,
            only_faster=only_faster,
            weigh=confirm and not canary,
        )


def _trial(comparison: Comparison, decided: Metric) -> Trial:
    measurements = {
        metric: measurement(estimate, comparison.decision if metric is decided else None)
        for metric, estimate in comparison.estimates.items()
    }
    if comparison.instructions and Metric.TIME in measurements:
        labelled = measurements[Metric.TIME].model_copy(update={"note": comparison.instructions})
        measurements[Metric.TIME] = labelled
    return Trial(
        decision=comparison.decision,
        reason=comparison.reason,
        measurements=measurements,
        peak_memory=None if comparison.peak_memory is None else measurement(comparison.peak_memory, None),
    )


def measurement(estimate: Estimate, decision: Decision | None) -> Measurement:
    """An estimate in the words of `result.json`."""
    return Measurement(
        unit=estimate.unit,
        before=estimate.before,
        after=estimate.after,
        ratio=estimate.ratio,
        ci_low=estimate.low,
        ci_high=estimate.high,
        pairs=estimate.pairs,
        noise=estimate.noise,
        confidence=estimate.confidence,
        verdict=None if decision is None else decision.value,
    )
