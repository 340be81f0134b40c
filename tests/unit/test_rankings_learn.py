"""Runs and reactions as evidence."""

from __future__ import annotations

import math

import pytest

from perforch.rankings import evidence
from perforch.rankings.learn import from_reaction, from_result
from perforch.result import (
    Attempt,
    FunctionResult,
    Language,
    Measurement,
    Metric,
    Outcome,
    Result,
    Stage,
    Verdict,
)


def attempt(stage: Stage, model: str, outcome: Outcome) -> Attempt:
    return Attempt(stage=stage, model=model, outcome=outcome, cost_usd=0.01, seconds=2.0)


FUNCTION = FunctionResult(
    path="src/secret_project/a.py",
    name="SecretName.method",
    language=Language.PYTHON,
    start_line=1,
    end_line=2,
    categories=("Sorting",),
    verdict=Verdict.IMPROVED,
    attempts=(
        attempt(Stage.FIX, "a", Outcome.TESTS_FAILED),
        attempt(Stage.FIX, "b", Outcome.PROVIDER_ERROR),
        attempt(Stage.FIX, "c", Outcome.ACCEPTED),
        attempt(Stage.REFINE, "a", Outcome.NOT_FASTER),
        attempt(Stage.REFINE, "c", Outcome.ACCEPTED),
    ),
    measurements={Metric.TIME: Measurement(unit="ms", before=2, after=1, ratio=2.0)},
)
RESULT = Result(perforch="0.1", repo="secret/repo", head_sha="a" * 40, functions=(FUNCTION,))


def test_attempts_become_records_with_their_place_in_the_chain() -> None:
    records = from_result(RESULT, date="2026-11-21")
    assert [(r.stage, r.model, r.successes, r.position, r.failed_before) for r in records] == [
        ("fix", "a", 0, 0, ()),
        ("fix", "c", 1, 1, ("a",)),
        ("refine", "a", 0, 0, ()),
        ("refine", "c", 1, 1, ("a",)),
    ]
    assert records[-1].log_gain_sum == pytest.approx(math.log(2))
    assert records[-1].metric == "time"
    assert records[0].metric == "correctness"
    assert all(record.tags == ("Sorting",) and record.weight == 1 for record in records)


def test_the_same_run_twice_is_one_run() -> None:
    one, two = from_result(RESULT, date="2026-11-21"), from_result(RESULT, date="2026-11-21")
    assert len(evidence.union(one, two)) == 4


def test_nothing_private_is_in_evidence() -> None:
    text = evidence.dumps(from_result(RESULT, date="2026-11-21")).lower()
    assert "secret" not in text
    assert "a.py" not in text


@pytest.mark.parametrize(
    ("reaction", "expected"), [("merged", [(1, 1.0)]), ("dismissed", [(0, 0.35)]), ("ignored", [])]
)
def test_reactions_are_evidence_on_acceptance_only(reaction: str, expected: list[tuple[int, float]]) -> None:
    records = from_reaction(
        "c",
        reaction,  # type: ignore[arg-type]
        stage=Stage.REFINE,
        function=FUNCTION,
        item="x",
        date="2026-11-21",
    )
    assert [(record.successes, record.weight) for record in records] == expected
    assert all(record.metric == "acceptance" for record in records)
