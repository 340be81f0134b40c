"""Is a candidate as correct as the tree it came from? Pure comparison of test reports.

Identical sets of test ids are demanded: a test that disappears is a failure, or a candidate could win by losing tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perforch.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from perforch.workloads.model import TestReport


@dataclass(frozen=True, slots=True)
class Baseline:
    """What must stay true: the tests of the head tree.

    Attributes:
        report: the first run.
        flaky: ids whose outcome differed between two runs of the same tree; they decide nothing.
    """

    report: TestReport
    flaky: frozenset[str] = frozenset()

    @property
    def must_pass(self) -> frozenset[str]:
        """Tests that passed every time."""
        return self.report.passed - self.flaky

    @property
    def ids(self) -> frozenset[str]:
        """Every test seen."""
        return frozenset(self.report.outcomes)

    def only(self, tests: Collection[str]) -> Baseline:
        """The baseline of these tests alone."""
        kept = {test: outcome for test, outcome in self.report.outcomes.items() if test in tests}
        return Baseline(replace(self.report, outcomes=kept), self.flaky)


def baseline(first: TestReport, second: TestReport) -> Baseline:
    """Two runs of the same tree; tests that differ are flaky."""
    flaky = {
        test
        for test in set(first.outcomes) | set(second.outcomes)
        if first.outcomes.get(test) != second.outcomes.get(test)
    }
    return Baseline(report=first, flaky=frozenset(flaky))


@dataclass(frozen=True, slots=True)
class Judgement:
    """`outcome` is None when the candidate is correct."""

    outcome: Outcome | None
    detail: str = ""


CORRECT = Judgement(None)


def judge(report: TestReport, base: Baseline, wanted: Collection[str]) -> Judgement:
    """Compare a candidate's report with the baseline.

    Args:
        wanted: tests of the function itself; they must pass whatever they did before (flaky ones excepted).
    """
    if not report.built:
        message = report.failures[0].message if report.failures else "the build failed"
        return Judgement(Outcome.DOES_NOT_COMPILE, message)
    if report.stopped:
        return Judgement(Outcome.TESTS_FAILED, f"the tests were stopped: {report.stopped}")
    missing = sorted((base.ids | set(wanted)) - set(report.outcomes) - base.flaky)
    if missing:
        return Judgement(Outcome.TESTS_FAILED, f"tests disappeared: {_some(missing)}")
    broken = sorted((base.must_pass | (set(wanted) - base.flaky)) - report.passed)
    # A wanted test that is skipped everywhere says nothing about the candidate.
    broken = [
        test for test in broken if not (report.outcomes[test] == "skipped" == base.report.outcomes.get(test))
    ]
    if broken:
        messages = {failure.test: failure.message for failure in report.failures}
        first = next((messages[test] for test in broken if messages.get(test)), "")
        return Judgement(Outcome.TESTS_FAILED, f"{_some(broken)}: {first}" if first else _some(broken))
    return CORRECT


def _some(tests: list[str]) -> str:
    shown = ", ".join(tests[:3])
    return f"{shown} and {len(tests) - 3} more" if len(tests) > 3 else shown
