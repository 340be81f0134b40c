from __future__ import annotations

import math

import pytest

from perforch.measure import memory
from perforch.measure.model import Decision
from perforch.measure.sampler import Memory
from perforch.result import Metric


def run(data: int, resident: int, *, samples: int = 200, coverage: float = 1.0) -> Memory:
    return Memory(data * 0.9, data, resident, samples, samples / 1000, coverage, 1.0, 1.1, 0.03)


def weights(
    before: tuple[int, int], after: tuple[int, int], runs: int = 5, **options: float
) -> memory.Weights:
    return memory.Weights(
        tuple(run(before[0] + i, before[1] + i, **options) for i in range(runs)),
        tuple(run(after[0] + i, after[1] + i, **options) for i in range(runs)),
    )


def decide(found: memory.Weights, metric: Metric = Metric.MAX_MEMORY) -> tuple[Decision, str]:
    return memory.judge(metric, found, level=0.01, min_effect=0.05)


def test_runs_hold_the_level_by_counting_orders() -> None:
    for level in (0.05, 0.01, 0.001):
        n = memory.runs_needed(level)
        assert 1 / math.comb(2 * n, n) <= level


@pytest.mark.parametrize("metric", [Metric.MAX_MEMORY, Metric.MEAN_MEMORY])
def test_less_of_both_is_better(metric: Metric) -> None:
    assert decide(weights((100_000, 90_000), (50_000, 45_000)), metric)[0] is Decision.FASTER


def test_address_space_alone_is_no_claim() -> None:
    decision, reason = decide(weights((1_000_000, 3_000), (10_000, 3_000)))
    assert decision is Decision.NO_CHANGE
    assert "reserved, not used" in reason


def test_resident_memory_alone_is_no_claim() -> None:
    assert decide(weights((100_000, 90_000), (100_000, 45_000)))[0] is Decision.NO_CHANGE


def test_more_is_worse() -> None:
    assert decide(weights((50_000, 45_000), (100_000, 90_000)))[0] is Decision.SLOWER


def test_ranges_that_touch_are_no_claim() -> None:
    found = weights((100_000, 90_000), (50_000, 45_000))
    mixed = memory.Weights(found.before, (*found.after[:-1], run(120_000, 110_000)))
    assert decide(mixed)[0] is Decision.NO_CHANGE


def test_too_few_runs_are_inconclusive() -> None:
    assert decide(weights((100_000, 90_000), (50_000, 45_000), runs=3))[0] is Decision.INCONCLUSIVE


@pytest.mark.parametrize(("options", "named"), [({"samples": 3}, "too short"), ({"coverage": 0.5}, "50%")])
def test_badly_sampled_mean_is_not_stated(options: dict[str, float], named: str) -> None:
    found = weights((100_000, 90_000), (50_000, 45_000), **options)
    decision, reason = decide(found, Metric.MEAN_MEMORY)
    assert decision is Decision.INCONCLUSIVE
    assert named in reason
    table, _ = memory.estimates(found, 0.01)
    assert Metric.MEAN_MEMORY not in table
    assert Metric.MAX_MEMORY in table
