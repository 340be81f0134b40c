from __future__ import annotations

import importlib.util
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.measure.model import Decision
from perforch.measure.verdict import Rule, boundary, crossing_probability, invert, least_pairs

_spec = importlib.util.spec_from_file_location("noise", Path(__file__).parents[1] / "noise.py")
assert _spec
assert _spec.loader
noise = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(noise)

COUNT = 4000


def outcomes(
    name: str, effect: float, count: int = COUNT, **options: object
) -> tuple[dict[Decision, float], float, list[Rule]]:
    """Shares of the decisions, mean pairs, and the rules as they stopped."""
    shares = dict.fromkeys(Decision, 0.0)
    rules = []
    for logs in noise.log_ratios(name, effect=effect, count=count).tolist():
        rule = Rule(**options)
        for value in logs:
            if rule.update(value):
                break
        assert rule.decision is not None
        shares[rule.decision] += 1 / count
        rules.append(rule)
    return shares, float(np.mean([rule.pairs for rule in rules])), rules


def test_boundary_has_the_exact_values() -> None:
    needed = boundary(0.01, 60)
    places = (8, 10, 12, 15, 20, 25, 30, 40, 50, 60)
    assert [needed[n - 1] for n in places] == [8, 10, 12, 14, 18, 21, 24, 30, 36, 42]
    assert needed[6] == 8  # seven pairs are never enough
    assert [boundary(0.01, 20)[n - 1] for n in (8, 10, 12, 15, 18, 20)] == [8, 10, 11, 13, 15, 17]


@pytest.mark.parametrize("level", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("cap", [8, 20, 60, 200])
def test_boundary_keeps_its_level_exactly(level: float, cap: int) -> None:
    assert crossing_probability(boundary(level, cap)) <= level


def test_crossing_probability_agrees_with_simulated_coins() -> None:
    needed = np.array(boundary(0.05, 30))
    tosses = np.random.default_rng(5).random((40_000, 30)) < 0.5
    crossed = (tosses.cumsum(axis=1) >= needed).any(axis=1).mean()
    assert crossed == pytest.approx(crossing_probability(tuple(needed)), abs=0.004)


def test_more_rows_cost_few_pairs() -> None:
    assert [least_pairs(0.01 / rows, 60) for rows in (1, 5, 10)] == [8, 10, 11]
    assert least_pairs(0.01, 6) is None


@pytest.mark.parametrize(("level", "cap"), [(0.0, 10), (1.0, 10), (0.01, 0)])
def test_boundary_refuses_nonsense(level: float, cap: int) -> None:
    with pytest.raises(ValueError, match="boundary needs"):
        boundary(level, cap)


@pytest.mark.parametrize("name", noise.usable())
def test_identical_programs_are_hardly_ever_told_apart_and_cheaply(name: str) -> None:
    shares, pairs, _ = outcomes(name, 1.0)
    assert shares[Decision.FASTER] <= 0.001
    assert shares[Decision.SLOWER] <= 0.002
    assert pairs <= 16


@pytest.mark.parametrize("name", noise.usable())
def test_five_percent_is_found(name: str) -> None:
    shares, pairs, rules = outcomes(name, 0.95)
    assert shares[Decision.FASTER] >= (0.98 if name.startswith("reserved") else 0.94)
    assert pairs <= 27
    too_high = sum(1 for rule in rules if (rule.bound().low or 0) > 1 / 0.95)
    assert too_high / len(rules) <= 0.01


@pytest.mark.parametrize("name", noise.usable())
def test_ten_percent_is_always_found(name: str) -> None:
    shares, pairs, _ = outcomes(name, 0.9, 500)
    assert shares[Decision.FASTER] >= 0.998
    assert pairs <= 12


@pytest.mark.parametrize("name", noise.usable())
def test_slowdown_is_named_and_never_called_faster(name: str) -> None:
    shares, _, _ = outcomes(name, 1.1, 500)
    assert shares[Decision.FASTER] == 0
    assert shares[Decision.SLOWER] >= 0.97


def test_short_java_runs_have_little_power_but_no_more_false_claims() -> None:
    same, _, _ = outcomes(noise.JAVA, 1.0, 500)
    assert same[Decision.FASTER] <= 0.004
    five, _, _ = outcomes(noise.JAVA, 0.95, 500)
    assert five[Decision.FASTER] < 0.5
    assert five[Decision.INCONCLUSIVE] > 0.5


def test_effects_below_the_minimum_are_not_claimed() -> None:
    shares, _, _ = outcomes("reserved_cpp200", 0.9, 300, min_effect=0.2)
    assert shares[Decision.FASTER] <= 0.01
    assert shares[Decision.NO_CHANGE] >= 0.99


def test_only_faster_stops_at_once_on_a_slowdown() -> None:
    _, both, _ = outcomes("contended_cpp10", 1.05, 300)
    _, one, _ = outcomes("contended_cpp10", 1.05, 300, only_faster=True)
    assert one < 0.5 * both


def test_rule_refuses_pairs_after_its_decision() -> None:
    rule = Rule()
    while rule.update(0.2) is None:
        pass
    assert rule.decision is Decision.FASTER
    assert rule.pairs == 8
    with pytest.raises(ValueError, match="has decided"):
        rule.update(0.2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_rule_refuses_what_is_not_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Rule().update(value)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=60))
def test_bounds_enclose_the_median_and_a_claim_lies_above_the_margin(logs: list[float]) -> None:
    rule = Rule()
    for value in logs:
        if rule.update(value):
            break
    low, high = rule.bound()
    if low is not None and high is not None:
        assert low <= rule.ratio * 1.0001
        assert high >= rule.ratio * 0.9999
    if rule.decision is Decision.FASTER:
        assert low is not None
        assert low > 1.02


@given(st.lists(st.floats(-3, 3), min_size=60, max_size=60))
def test_swapping_the_sides_swaps_a_claim(logs: list[float]) -> None:
    ends = []
    for sign in (1, -1):
        rule = Rule()
        for value in logs:
            if rule.update(sign * value):
                break
        ends.append(rule.decision)
    swapped = {Decision.FASTER: Decision.SLOWER, Decision.SLOWER: Decision.FASTER}
    assert ends[1] is swapped.get(ends[0], ends[1])


def test_drift_does_not_become_a_claim() -> None:
    """A machine that gets 3 % slower with every single run: the coin decides who suffers."""
    claims = 0
    for seed in range(400):
        source = random.Random(seed)
        rule = Rule()
        while rule.update(0.03 if source.random() < 0.5 else -0.03) is None:
            pass
        claims += rule.decision in {Decision.FASTER, Decision.SLOWER}
    assert claims / 400 <= 0.025


def test_inverting_too_few_pairs_gives_no_bound() -> None:
    assert invert([0.1] * 7, 0.01, 60) == (None, None)
    assert invert([0.1] * 8, 0.01, 60) == (pytest.approx(math.exp(0.1)), pytest.approx(math.exp(0.1)))
