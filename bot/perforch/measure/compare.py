"""The entry: two launchers in, a decision with all its evidence out."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from perforch.measure import estimates, instructions, memory, pairs, reasons, verdict
from perforch.measure.model import Comparison, Decision, Estimate, Pair, Progress
from perforch.measure.session import Session
from perforch.result import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perforch.measure.model import Launcher
    from perforch.measure.sampler import Memory
    from perforch.settings import Acceptance

MEMORY = (Metric.MEAN_MEMORY, Metric.MAX_MEMORY)
_SHORT_MS = 50.0  # below this, starting up dilutes the effect
_BESIDE_MS = 3.0  # perf's own time may differ between the sides by so much,
_BESIDE_SHARE = 0.03  # or by this share of the run
_NEARLY = 2 / 3  # of the cap in pairs: so many are good enough
_COUNT_SHARE = 0.1  # of the time budget that instruction counts may take
_MEMORY_SHARE = 0.3  # of the time budget that memory runs may take when memory decides


class _FailedRunError(Exception):
    """A run that does not count ends the comparison without a claim."""


@dataclass(slots=True)
class _State:
    pairs: list[Pair] = field(default_factory=list)
    beside: dict[str, list[float]] = field(default_factory=lambda: {"before": [], "after": []})
    notes: list[str] = field(default_factory=list)


def compare(
    before: Launcher,
    after: Launcher,
    *,
    metric: Metric,
    acceptance: Acceptance,
    rows: int = 1,
    threads: int = 1,
    seconds: float | None = None,
    confirm: bool = False,
    progress: Callable[[Progress], None] | None = None,
    seed: int | None = None,
    canary: bool = False,
    only_faster: bool = False,
    use_perf: bool = True,
    weigh: bool = True,
) -> Comparison:
    """Compare two workloads and decide whether `after` is better in `metric`.

    Waits for other benchmarks on this machine, reserves CPUs, discards a warm-up of each side, then runs pairs in coin-tossed
    order until the rule of `verdict` decides, the cap is reached or the time is over. A run that fails (exit status, orphaned
    processes, timeout) means no claim. Nothing is ever re-run to get a better answer.

    Args:
        before, after: make a fresh `Launch` for every run; same seed for both runs of a pair.
        metric: what decides. Time is always measured; memory is measured when time allows.
        acceptance: minimum effect, false-positive level, caps in pairs and seconds.
        rows: decisions that are posted together and share the false-positive level.
        threads: CPUs the program is expected to use; so many are reserved where the machine has them.
        seconds: time budget once the machine is ours, overrides the one in `acceptance`.
        confirm: these pairs decide on a winner that was chosen on other data: the tosses and seeds differ from those of the
            selection even for the same `seed`, and no earlier pair is reused. A claim about the best of several candidates
            is believed only when a comparison with `confirm=True` says `FASTER`.
        progress: called before every run.
        seed: makes tosses and seeds repeatable; None in production.
        canary: compare `before` with itself (`after` is not started); a claim is then a failure of this engine.
        only_faster: stop as soon as a speedup is excluded, without telling "slower" from "no change".
        use_perf: False measures with wait4 alone.
        weigh: measure memory and count instructions as well; False saves those runs where only a first decision counts. What a
            memory metric needs is always measured.
    """
    budget = acceptance.max_seconds if seconds is None else seconds
    sides = {"before": before, "after": before if canary else after}
    tell = progress or (lambda _: None)
    state = _State()
    with Session(
        threads=threads, use_perf=use_perf, waiting=lambda: tell(Progress("waiting", 0, 0))
    ) as session:
        began = time.monotonic()  # waiting for the machine costs no time of the budget
        if session.source != "perf" and use_perf:
            state.notes.append(f"timed with wait4, launcher included: {session.reason}")
        if not session.plan.pinned:
            state.notes.append("this machine has one CPU: nothing is reserved for measuring")
        run = _Run(
            session, sides, metric, acceptance, rows, began + budget, tell, state, only_faster=only_faster
        )
        tosses = pairs.schedule(seed, confirm=confirm)
        try:
            decision, reason = run.time(tosses)
            weights = run.weigh(tosses) if weigh or metric in MEMORY else None
        except _FailedRunError as failure:
            decision, reason, weights = Decision.INCONCLUSIVE, f"{failure}, so nothing is claimed", None
            run.failed = True
        table, peak = run.table(weights)
        if metric in MEMORY and not run.failed:
            decision, reason = run.judge_memory(weights)
        label = ""
        if not (canary or run.failed) and weigh:
            decision, reason, label = run.count(tosses, decision, reason)
        return Comparison(
            decision,
            reason,
            table,
            peak,
            tuple(state.pairs),
            canary=canary,
            instructions=label,
            seconds=time.monotonic() - began,
            cpus=session.plan.measuring,
            notes=tuple(state.notes),
            memory_runs={} if weights is None else {"before": weights.before, "after": weights.after},
        )


@dataclass(slots=True)
class _Run:
    session: Session
    sides: dict[str, Launcher]
    metric: Metric
    acceptance: Acceptance
    rows: int
    deadline: float
    tell: Callable[[Progress], None]
    state: _State
    only_faster: bool = False
    failed: bool = False
    rule: verdict.Rule | None = None
    clock_rule: verdict.Rule | None = None

    @property
    def level(self) -> float:
        return self.acceptance.max_false_positive / max(self.rows, 1)

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def _pair(self, before_first: bool, seed: int, *, capture: bool = False) -> Pair:
        samples = {}
        for side in ("before", "after") if before_first else ("after", "before"):
            prepare = partial(self.sides[side].launch, seed)
            timed = self.session.time(prepare(), capture=capture, again=prepare)
            if timed.sample.failure or timed.sample.task_clock_ms <= 0:
                detail = timed.stderr.strip().splitlines()[-1:] if capture else []
                words = f": {detail[0][:200]}" if detail else ""
                message = f"the {side} command failed: {timed.sample.failure or 'it took no measurable time'}{words}"
                raise _FailedRunError(message)
            samples[side] = timed.sample
            if not capture:
                self.state.beside[side].append(timed.beside_ms)
        return Pair(samples["before"], samples["after"], before_first, seed)

    def _warm_up(self, tosses: Iterator[tuple[bool, int]]) -> float:
        """Discard one run of each side; the seconds that a pair takes."""
        self.tell(Progress("warm-up", 0, 1))
        started = time.monotonic()
        self._pair(*next(tosses), capture=True)
        return time.monotonic() - started

    def time(self, tosses: Iterator[tuple[bool, int]]) -> tuple[Decision, str]:
        """Run pairs until something is decided."""
        pair_seconds = self._warm_up(tosses)
        share = 1 - _MEMORY_SHARE if self.metric in MEMORY else 1.0
        most = self.acceptance.max_pairs
        least = verdict.least_pairs(self.level, max(most, 20)) or most
        cap = pairs.affordable(self.left() * share, pair_seconds, most)
        if cap < _NEARLY * most and pair_seconds < 0.1 * self.left():
            # The first run may have been a slow one, and a cap taken from it would cost power.
            pair_seconds = min(pair_seconds, self._warm_up(tosses))
            cap = pairs.affordable(self.left() * share, pair_seconds, most)
        if cap < least:
            need = math.ceil(least * pair_seconds)
            return Decision.INCONCLUSIVE, (
                f"{least} pairs are the fewest that can carry a claim and need about {need} s; "
                f"{max(self.left(), 0):.0f} s are left. Allow more seconds, or use a shorter workload"
            )
        stop_at = time.monotonic() + self.left() * share
        self.rule = self._rule(cap)
        self.clock_rule = self._rule(cap) if self.metric is Metric.CPU else None
        decision: Decision | None = None
        while decision is None:
            if time.monotonic() + 0.5 * pair_seconds > stop_at:
                break
            self.tell(Progress("timing", len(self.state.pairs), cap))
            pair = self._pair(*next(tosses))
            self.state.pairs.append(pair)
            decision = self.rule.update(estimates.log_ratio(pair, self.metric))
            if self.clock_rule is not None and self.clock_rule.decision is None:
                self.clock_rule.update(estimates.log_ratio(pair, Metric.TIME))
        self.tell(Progress("timing", len(self.state.pairs), len(self.state.pairs)))
        found = decision or Decision.INCONCLUSIVE
        if found is Decision.FASTER and (doubt := self._doubt()):
            return Decision.INCONCLUSIVE, doubt
        logs = [estimates.log_ratio(pair, self.metric) for pair in self.state.pairs]
        return found, reasons.explain(self.rule, found, self.metric, pairs.scatter(logs))

    def _rule(self, cap: int) -> verdict.Rule:
        return verdict.Rule(
            self.acceptance.min_effect,
            self.acceptance.max_false_positive,
            cap,
            rows=self.rows,
            only_faster=self.only_faster,
        )

    def _doubt(self) -> str:
        """Why a claim that the rule allows must not be made; "" when it may."""
        beside = {side: median(values) for side, values in self.state.beside.items()}
        clock = median(pair.before.task_clock_ms for pair in self.state.pairs)
        if abs(beside["before"] - beside["after"]) > max(_BESIDE_MS, _BESIDE_SHARE * clock):
            return (
                f"perf and wait4 disagree between the sides ({beside['before']:.1f} ms and "
                f"{beside['after']:.1f} ms beside task-clock), so nothing is claimed"
            )
        if self.metric is not Metric.CPU:
            return ""
        assert self.clock_rule is not None
        wall = median(pair.before.wall_ms / pair.after.wall_ms for pair in self.state.pairs)
        if self.clock_rule.decision is Decision.SLOWER or min(self.clock_rule.ratio, wall) < 1 / (
            1 + verdict.MARGIN
        ):
            return f"fewer CPUs are used but time gets worse (task-clock {self.clock_rule.ratio:.2f}×, elapsed {wall:.2f}×)"
        return ""

    def weigh(self, tosses: Iterator[tuple[bool, int]]) -> memory.Weights | None:
        """Memory runs, interleaved like the timed ones; None when there was no time for them."""
        decisive = self.metric in MEMORY
        wanted = memory.runs_needed(self.level) if decisive else memory.TABLE_RUNS
        weights: dict[str, list[Memory]] = {"before": [], "after": []}
        for done in range(wanted):
            longest = max((m.seconds for side in weights.values() for m in side), default=0.0)
            if self.left() < 2 * longest + (0.1 if decisive else 1.0):
                break
            self.tell(Progress("memory", done, wanted))
            before_first, seed = next(tosses)
            for side in ("before", "after") if before_first else ("after", "before"):
                weighed = self.session.weigh(self.sides[side].launch(seed))
                if weighed.memory is None:
                    message = f"the {side} command failed while its memory was sampled: {weighed.failure}"
                    raise _FailedRunError(message)
                weights[side].append(weighed.memory)
        if len(weights["before"]) < 2:
            self.state.notes.append("memory was not measured: no time left")
            return None
        return memory.Weights(tuple(weights["before"]), tuple(weights["after"]))

    def judge_memory(self, weights: memory.Weights | None) -> tuple[Decision, str]:
        """The decision for a memory metric, with a word on time when that got worse."""
        if weights is None:
            return Decision.INCONCLUSIVE, "no time was left to measure memory; allow more seconds"
        decision, reason = memory.judge(
            self.metric, weights, level=self.level, min_effect=self.acceptance.min_effect
        )
        if self.rule is not None and self.rule.decision is Decision.SLOWER:
            reason += f"; but {1 / self.rule.ratio:.2f}× slower"
        return decision, reason

    def count(
        self, tosses: Iterator[tuple[bool, int]], decision: Decision, reason: str
    ) -> tuple[Decision, str, str]:
        """Let instruction counts veto or label a decision on time that is `FASTER` or open; decision, reason and label."""
        open_or_won = decision in {Decision.FASTER, Decision.INCONCLUSIVE}
        if self.metric is not Metric.TIME or not open_or_won or not self.state.pairs:
            return decision, reason, ""
        sides = self.sides["before"], self.sides["after"]
        run_seconds = max(max(pair.before.wall_ms, pair.after.wall_ms) for pair in self.state.pairs) / 1000
        needed = 2 * instructions.SLOWDOWN * run_seconds
        allowed = max(min(self.left(), _COUNT_SHARE * self.acceptance.max_seconds), 0.0)
        if needed > allowed:
            return decision, reason, ""
        self.tell(Progress("instructions", 0, 2))
        counted = instructions.compare(self.session, *sides, seconds=allowed, tosses=tosses)
        if decision is Decision.FASTER:
            return (
                (Decision.INCONCLUSIVE, counted.label, counted.label)
                if counted.veto
                else (decision, reason, counted.label)
            )
        if not counted.fewer:
            return decision, reason, ""
        return decision, f"{counted.label}, but time is not confirmed: {reason}", counted.label

    def table(self, weights: memory.Weights | None) -> tuple[dict[Metric, Estimate], Estimate | None]:
        """The table: time and CPUs always, memory where it was measured."""
        table: dict[Metric, Estimate] = {}
        peak = None
        cap = self.rule.cap if self.rule else len(self.state.pairs)
        if self.state.pairs:
            table[Metric.TIME] = estimates.paired(self.state.pairs, Metric.TIME, self.level, cap)
            table[Metric.CPU] = estimates.paired(self.state.pairs, Metric.CPU, self.level, cap)
            if table[Metric.TIME].before < _SHORT_MS:
                self.state.notes.append(
                    f"one run takes {table[Metric.TIME].before:.0f} ms: starting up dilutes the effect, use a workload of {_SHORT_MS:.0f} ms or more"
                )
        if weights is not None:
            if weights.shortfall:
                self.state.notes.append(f"mean memory is not shown: {weights.shortfall}")
            if weights.spike:
                self.state.notes.append(weights.spike)
            more, peak = memory.estimates(weights, self.level)
            table |= more
        return table, peak
