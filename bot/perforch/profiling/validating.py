"""A suite's own solutions through our runners: canonical ones must pass, buggy ones must fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perforch.profiling.humanevalpack import VARYING
from perforch.profiling.suite import Checked, Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.profiling.checking import Checker
    from perforch.profiling.suite import Problem, Solutions, Suite
    from perforch.result import Language


@dataclass(frozen=True, slots=True)
class Validation:
    """Outcomes by task id, in the suite's order."""

    suite: str
    solutions: Solutions
    outcomes: Mapping[str, tuple[Problem, Checked]]
    known: Mapping[str, str]

    @property
    def as_expected(self) -> bool:
        """Canonical solutions pass and buggy ones fail; known flaky ones may do either."""
        bad = "failed" if self.solutions == "canonical" else "passed"
        return all(checked.state != bad for _, checked in self.outcomes.values())

    def document(self) -> dict[str, Any]:
        """For `--json`: per language counts and the tasks with their outcomes."""
        languages: dict[Language, list[dict[str, Any]]] = {}
        for key, (problem, checked) in self.outcomes.items():
            entry: dict[str, Any] = {"id": key, "outcome": checked.state}
            if checked.kind:
                entry["kind"] = checked.kind
            if checked.runs > 1:
                entry |= {"runs": checked.runs, "passes": checked.passes}
            if checked.detail:
                entry["detail"] = checked.detail
            if key in self.known:
                entry["known"] = self.known[key]
            languages.setdefault(problem.language, []).append(entry)
        return {
            "suite": self.suite,
            "solutions": self.solutions,
            "as_expected": self.as_expected,
            "languages": {str(language): _counts(tasks) for language, tasks in languages.items()},
        }


def _counts(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    states = Counter(task["outcome"] for task in tasks)
    kinds = Counter(task["kind"] for task in tasks if "kind" in task)
    return {
        "total": len(tasks),
        **{state: states[state] for state in ("passed", "failed", "flaky")},
        "kinds": dict(sorted(kinds.items())),
        "exceptions": [{"id": task["id"], "note": task["known"]} for task in tasks if "known" in task],
        "tasks": list(tasks),
    }


def validate(suite: Suite, problems: Sequence[Problem], solutions: Solutions, checker: Checker) -> Validation:
    """Run every problem's own solution."""
    programs = [
        Program(
            key=f"k{place}",
            problem=problem,
            code=problem.head + problem.solution(solutions),
            repeats=VARYING.get(problem.id, 1),
        )
        for place, problem in enumerate(problems)
    ]
    checked = checker.check(programs)
    outcomes = {program.problem.id: (program.problem, checked[program.key]) for program in programs}
    known = suite.known(solutions)
    return Validation(suite.name, solutions, outcomes, {key: known[key] for key in outcomes if key in known})
