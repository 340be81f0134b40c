"""One line of the table for a metric that is measured in pairs."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from perforch.measure import pairs, verdict
from perforch.measure.model import Estimate
from perforch.result import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.measure.model import Pair, Sample

_LEAST = 1e-9  # stands for a value that was too small to be measured


def value(sample: Sample, metric: Metric) -> float:
    """Task-clock in ms, or CPUs utilised; never zero."""
    return max(sample.cpus if metric is Metric.CPU else sample.task_clock_ms, _LEAST)


def log_ratio(pair: Pair, metric: Metric) -> float:
    """ln(before / after)."""
    return math.log(value(pair.before, metric) / value(pair.after, metric))


def paired(measured: Sequence[Pair], metric: Metric, level: float, cap: int) -> Estimate:
    """Median, bounds that invert the test of `verdict` at `level` and `cap`, and the noise of successive runs of the before side.

    Medians of the sides scatter with the drift between pairs; the median ratio of the pairs does not. Both values are therefore
    put symmetrically around the median pair, so that before / after is that ratio.
    """
    logs = [log_ratio(pair, metric) for pair in measured]
    ratio = math.exp(median(logs))
    middle = math.exp(
        median(math.log(value(pair.before, metric) * value(pair.after, metric)) / 2 for pair in measured)
    )
    low, high = verdict.invert(logs, level, cap)
    return Estimate(
        unit="CPUs" if metric is Metric.CPU else "ms",
        before=middle * math.sqrt(ratio),
        after=middle / math.sqrt(ratio),
        ratio=ratio,
        low=low,
        high=high,
        confidence=1 - level,
        pairs=len(logs),
        noise=pairs.noise([value(pair.before, metric) for pair in measured]),
    )
