"""Memory of both sides, from runs of their own, and the rule for believing a difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from perforch.measure import verdict
from perforch.measure.model import Decision, Estimate
from perforch.result import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.measure.sampler import Memory

UNIT = "KiB"
TABLE_RUNS = 2  # a side, when memory is only shown
_SPIKE = 0.05  # of the maximum: a spike that was not seen and is worth a word
FLOOR_KIB = 64  # differences below this are allocator noise


@dataclass(frozen=True, slots=True)
class Weights:
    """Memory of both sides: one entry a run."""

    before: tuple[Memory, ...]
    after: tuple[Memory, ...]

    @property
    def shortfall(self) -> str:
        """Why the mean must not be shown; "" when it may be."""
        return next((memory.shortfall for memory in (*self.before, *self.after) if memory.shortfall), "")

    @property
    def spike(self) -> str:
        """A word on address space that rose and fell between two samples; "" without."""
        runs = [m for m in (*self.before, *self.after) if m.unseen_kib > max(FLOOR_KIB, _SPIKE * m.max_kib)]
        if not runs:
            return ""
        most = max(memory.unseen_kib for memory in runs)
        return (
            f"address space rose by a further {most} {UNIT} for less than a millisecond, which no sample saw"
        )


def runs_needed(level: float) -> int:
    """Runs a side so that identical programs give ranges disjoint in the claimed direction with chance at most `level`.

    Under exchangeability that chance is 1 / C(2n, n).
    """
    return next(n for n in range(3, 40) if 1 / math.comb(2 * n, n) <= level)


def estimates(weights: Weights, level: float) -> tuple[dict[Metric, Estimate], Estimate]:
    """Mean and maximum of VmData + VmStk (the mean only where it was sampled well), and peak resident memory."""
    table = {
        Metric.MAX_MEMORY: _estimate(
            [m.max_kib for m in weights.before], [m.max_kib for m in weights.after], level
        )
    }
    if not weights.shortfall:
        table[Metric.MEAN_MEMORY] = _estimate(
            [m.mean_kib for m in weights.before], [m.mean_kib for m in weights.after], level
        )
    peak = _estimate([m.peak_rss_kib for m in weights.before], [m.peak_rss_kib for m in weights.after], level)
    return table, peak


def _estimate(before: Sequence[float], after: Sequence[float], level: float) -> Estimate:
    enough = 1 / math.comb(2 * len(before), len(before)) <= level
    middle_before, middle_after = max(median(before), 1e-9), max(median(after), 1e-9)
    return Estimate(
        unit=UNIT,
        before=middle_before,
        after=middle_after,
        ratio=middle_before / middle_after,
        low=min(before) / max(*after, 1e-9) if enough else None,
        high=max(before) / max(min(after), 1e-9) if enough else None,
        confidence=1 - level,
        pairs=len(before),
        noise=max(before) / max(min(before), 1e-9) if min(before) > 0 else None,
    )


def judge(metric: Metric, weights: Weights, *, level: float, min_effect: float) -> tuple[Decision, str]:
    """Decide on a memory metric: it and peak resident memory must both fall, in ranges that do not touch.

    Address space alone is no claim: a reserved gigabyte that is never touched costs nothing.
    """
    if weights.shortfall and metric is Metric.MEAN_MEMORY:
        return Decision.INCONCLUSIVE, f"mean memory cannot be stated: {weights.shortfall}"
    if len(weights.before) < runs_needed(level):
        needed = runs_needed(level)
        return (
            Decision.INCONCLUSIVE,
            f"{len(weights.before)} memory runs a side are too few, {needed} are needed",
        )
    table, peak = estimates(weights, level)
    seen = table[metric]
    least = 1 + max(verdict.MEDIAN_SHARE * min_effect, verdict.MARGIN)
    if _apart(seen) and _apart(peak) and seen.ratio >= least and (peak.low or 0) >= 1 + verdict.MARGIN:
        return Decision.FASTER, (
            f"{metric.value} ≥ {seen.low:.2f}× lower ({seen.confidence:.1%}), median {seen.ratio:.2f}×; peak resident memory {peak.ratio:.2f}× lower"
        )
    if (seen.high or 1) < 1 / least and seen.after - seen.before > FLOOR_KIB:
        return Decision.SLOWER, f"{metric.value} is {1 / seen.ratio:.2f}× higher in every run"
    if _apart(seen) and seen.ratio >= least:
        return Decision.NO_CHANGE, (
            f"{metric.value} is {seen.ratio:.2f}× lower but peak resident memory is not ({peak.ratio:.2f}×): reserved, not used"
        )
    return (
        Decision.NO_CHANGE,
        f"{metric.value} shows no difference of {least - 1:.0%} in {seen.pairs} runs a side",
    )


def _apart(estimate: Estimate) -> bool:
    return estimate.low is not None and estimate.low > 1 and estimate.before - estimate.after > FLOOR_KIB
