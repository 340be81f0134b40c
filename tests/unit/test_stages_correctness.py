from __future__ import annotations

import pytest

from perforch.result import Outcome
from perforch.stages.correctness import CORRECT, Baseline, baseline, judge
from perforch.workloads.model import Failure, TestReport


def report(built: bool = True, stopped: str = "", **outcomes: str) -> TestReport:
    failures = tuple(
        Failure(test, f"{test} is wrong") for test, outcome in outcomes.items() if outcome == "failed"
    )
    return TestReport(built=built, outcomes=outcomes, failures=failures, stopped=stopped)  # type: ignore[arg-type]


BASE = Baseline(report(a="passed", b="failed", c="skipped", d="passed"), flaky=frozenset({"d"}))


@pytest.mark.parametrize(
    ("candidate", "wanted", "outcome"),
    [
        (report(a="passed", b="failed", c="skipped", d="passed"), (), None),
        (report(a="passed", b="passed", c="skipped", d="passed"), ("b",), None),
        (report(a="passed", b="failed", c="skipped", d="passed"), ("b",), Outcome.TESTS_FAILED),
        (report(a="failed", b="passed", c="skipped", d="passed"), ("b",), Outcome.TESTS_FAILED),
        (report(a="skipped", b="passed", c="skipped", d="passed"), (), Outcome.TESTS_FAILED),
        (report(b="passed", c="skipped", d="passed"), (), Outcome.TESTS_FAILED),  # a disappeared
        (report(a="passed", b="failed", c="skipped", d="failed"), (), None),  # d is flaky
        (report(a="passed", b="failed", c="skipped"), (), None),  # d is flaky and missing
        (report(a="passed", b="failed", c="skipped", d="passed"), ("c",), None),  # skipped everywhere
        (
            report(a="passed", b="failed", c="skipped", d="passed", stopped="timeout"),
            (),
            Outcome.TESTS_FAILED,
        ),
        (report(built=False), (), Outcome.DOES_NOT_COMPILE),
    ],
)
def test_judge(candidate: TestReport, wanted: tuple[str, ...], outcome: Outcome | None) -> None:
    assert judge(candidate, BASE, wanted).outcome is outcome


def test_a_wanted_test_must_exist() -> None:
    judgement = judge(BASE.report, BASE, ("new",))
    assert judgement.outcome is Outcome.TESTS_FAILED
    assert "disappeared" in judgement.detail


def test_the_detail_quotes_the_first_failure() -> None:
    assert "a is wrong" in judge(report(a="failed", b="failed", c="skipped"), BASE, ()).detail


def test_two_runs_find_the_flaky_tests() -> None:
    found = baseline(report(a="passed", b="passed"), report(a="passed", b="failed", c="passed"))
    assert found.flaky == {"b", "c"}
    assert found.must_pass == {"a"}


def test_the_same_report_is_correct() -> None:
    same = report(a="passed")
    assert judge(same, baseline(same, same), ("a",)) == CORRECT


def test_reports_survive_the_journal() -> None:
    original = report(a="failed", b="passed")
    assert TestReport.from_json(original.to_json()) == original
