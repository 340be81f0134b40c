"""The formulas, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.rankings import posterior


def test_language_rate_is_a_beta_mean_with_twenty_prior_attempts() -> None:
    assert posterior.language_rate(0.5, 80, 100) == pytest.approx((10 + 80) / 120)
    assert posterior.language_rate(0.5, 0, 0) == 0.5


def test_successors_inherit_half_way() -> None:
    assert posterior.inherited_rate(0.9, 0.6) == pytest.approx(0.75)
    assert posterior.inherited_rate(None, 0.6) == 0.6


@pytest.mark.parametrize(("attempts", "rate", "low", "high"), [(11, 0.7, 0.3, 0.4), (77, 0.7, 0.7, 0.8)])
def test_category_weight_is_small_for_small_cells(
    attempts: int, rate: float, low: float, high: float
) -> None:
    assert low < posterior.category_weight(attempts, rate) < high


def test_a_category_that_is_hard_for_everyone_changes_nothing() -> None:
    difficulty = posterior.logit(posterior.smoothed(40, 80)) - posterior.logit(0.8)
    assert posterior.category_rate(0.8, [(40, 80, difficulty)]) == pytest.approx(0.8)
    assert posterior.category_rate(0.8, [(40, 80, 0.0)]) < 0.75
    assert posterior.category_rate(0.8, []) == 0.8


def test_failures_of_others_discount() -> None:
    def rate(**flags: bool) -> float:
        base = {"after_failure": False, "same_family": False, "is_generator": False}
        return posterior.conditional_rate(0.8, stage="refine", **base | flags)

    assert rate() == 0.8
    assert rate(after_failure=True) == pytest.approx(0.32)
    assert rate(after_failure=True, same_family=True) == pytest.approx(0.272)
    assert rate(is_generator=True) == pytest.approx(0.64)


def test_gain_shrinks_to_its_prior() -> None:
    assert posterior.mean_gain(0.2, 20 * 0.6, 20) == pytest.approx(0.4)
    assert posterior.log_gain(0.5) == pytest.approx(math.log(2))
    assert math.isfinite(posterior.log_gain(1.0))


@given(st.floats(0, 1), st.floats(0, 1000), st.floats(0, 1))
def test_rates_stay_rates(prior: float, attempts: float, part: float) -> None:
    rate = posterior.language_rate(prior, part * attempts, attempts)
    assert 0 <= rate <= 1
    assert 0 <= posterior.category_rate(rate, [(part * attempts, attempts, 0.3)]) <= 1
    assert 0 <= posterior.lower_bound(part * attempts, attempts) <= 1


def test_lower_bound_of_a_rate() -> None:
    assert posterior.lower_bound(0, 0) == 0
    assert posterior.lower_bound(95, 100) == pytest.approx(0.898, abs=0.005)
