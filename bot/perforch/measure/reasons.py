"""The sentence that goes with a decision: the bound it was taken with, or what would settle it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.measure import pairs
from perforch.measure.model import Decision
from perforch.result import Metric

if TYPE_CHECKING:
    from perforch.measure.verdict import Rule


def explain(rule: Rule, decision: Decision, metric: Metric, scatter: float) -> str:
    """Why `rule` ended in `decision`; `scatter` is the robust standard deviation of its log ratios."""
    bound = rule.bound()
    count = f"{rule.pairs} pairs"
    better, worse = ("fewer CPUs", "more CPUs") if metric is Metric.CPU else ("faster", "slower")
    percent = f"{rule.confidence * 100:.4g} %"
    if decision is Decision.FASTER:
        return f"≥ {bound.low or 1:.2f}× {better} ({percent}), median {rule.ratio:.2f}×, {count}"
    if decision is Decision.SLOWER:
        return f"≥ {1 / (bound.high or 1):.2f}× {worse} ({percent}), median {1 / rule.ratio:.2f}×, {count}"
    if decision is Decision.NO_CHANGE:
        return f"no gain of {rule.futile_effect:.0%} or more (95 %), median {rule.ratio:.2f}×, {count}"
    resolvable = pairs.smallest_effect(scatter, rule.level, rule.cap)
    limit = "the time ended" if rule.pairs < rule.cap else "the cap was reached"
    able = f"; with this noise {rule.cap} pairs resolve {resolvable:.0%}" if resolvable else ""
    return (
        f"{limit} after {count}: median {rule.ratio:.2f}×, one pair scatters by ±{scatter:.1%}{able}. "
        "A longer workload or a quieter machine would resolve it"
    )
