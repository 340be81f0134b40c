"""Evidence summed into cells."""

from __future__ import annotations

import math

import pytest

from perforch.rankings.evidence import Evidence
from perforch.rankings.memory import Memory


def record(**changes: object) -> Evidence:
    fields = {
        "model": "m",
        "stage": "refine",
        "metric": "time",
        "language": "go",
        "attempts": 1,
        "successes": 0,
        "source": "pull-request",
        "date": "2026-01-02",
    }
    return Evidence.model_validate(fields | changes)


def test_tags_count_for_language_and_categories_and_category_for_itself() -> None:
    memory = Memory([record(tags=["Array", "Math"], source="profile"), record(category="Array", attempts=7)])
    whole, array, math_ = (memory.cell("m", "refine", "time", "go", c) for c in ("", "Array", "Math"))
    assert whole is not None
    assert array is not None
    assert math_ is not None
    assert (whole.raw_attempts, array.raw_attempts, math_.raw_attempts) == (1, 8, 1)


def test_old_pull_requests_fade_two_per_cent_an_observation() -> None:
    old = record(successes=1, date="2026-01-01", item="old", log_gain_sum=0.1)
    memory = Memory([old, *(record(item=str(number), date="2026-02-01") for number in range(10))])
    cell = memory.cell("m", "refine", "time", "go")
    assert cell is not None
    assert cell.successes == pytest.approx(0.98**10)


def test_an_older_profile_weighs_half_of_a_newer_one() -> None:
    def profile(date: str, *, success: int) -> Evidence:
        return record(source="profile", date=date, attempts=100, successes=success * 100, log_gain_sum=1.0)

    cell = Memory([profile("2026-01-01", success=1), profile("2026-07-01", success=0)]).cell(
        "m", "refine", "time", "go"
    )
    assert cell is not None
    assert (cell.successes, cell.attempts) == (50, 150)


def test_a_failure_after_failures_counts_as_part_of_a_failure() -> None:
    cell = Memory([record(failed_before=["other"], position=1)]).cell("m", "refine", "time", "go")
    assert cell is not None
    assert cell.attempts == pytest.approx(0.4)


def test_gains_come_from_what_is_known() -> None:
    cells = [
        Memory([record(attempts=9, successes=4, **given)]).cell("m", "refine", "time", "go")
        for given in (
            {"log_gain_sum": 4 * math.log(2)},
            {"improvement_sum": 2.0},
            {"improvement_median": 0.5},
        )
    ]
    for cell in cells:
        assert cell is not None
        assert cell.log_gain == pytest.approx(4 * math.log(2))
        assert cell.improvement == pytest.approx(2.0)


def test_agents_of_the_paper_are_not_models() -> None:
    memory = Memory.load()
    assert len(memory.models) == 17
    assert memory.cell("PerfOrch", "refine", "time", "go") is not None
    assert "PerfOrch" not in memory.peers("refine", "time", "go")


def test_averages_are_neutral_without_evidence() -> None:
    memory = Memory([])
    assert memory.stage_mean("fix", "correctness", "go") == 0.5
    assert memory.stage_gain("refine", "time", "go") == pytest.approx(math.log(1.2))
    assert memory.difficulty("fix", "correctness", "go", "Array") == 0
