"""Results as `perforch optimize` would write them, for the pull request of the fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from github_diff import git

from perforch.report.patch import patch
from perforch.report.suggestions import suggest
from perforch.result import FunctionResult, Language, Measurement, Metric, Regression, Result, Stage, Verdict

if TYPE_CHECKING:
    from github_fake import Fake

LANGUAGES = {
    "src/a.py": Language.PYTHON,
    "src/A.java": Language.JAVA,
    "src/b.cpp": Language.CPP,
    "src/c.go": Language.GO,
    "src/d.rs": Language.RUST,
    "docs/with space é.py": Language.PYTHON,
}
TIME = Measurement(
    unit="ms", before=40, after=20, ratio=2.0, ci_low=1.9, ci_high=2.1, pairs=12, noise=1.03, confidence=0.99
)


def head_text(fake: Fake, path: str) -> str:
    return git(fake.repo, "show", f"{fake.head}:{path}") + "\n"


def improved(text: str) -> str:
    """The 'benchmarked' file: the second and third line are rewritten, with back-ticks and one line more."""
    lines = text.split("\n")
    lines[1:2] = [lines[1] + "  // ```", "", "  more"]
    return "\n".join(lines)


def proposal(fake: Fake, path: str, *, suggestions: bool = True, name: str = "f") -> FunctionResult:
    old = head_text(fake, path)
    new = improved(old)
    hunks = {path: fake.hunks(path) or []}
    return FunctionResult(
        path=path,
        name=name,
        language=LANGUAGES[path],
        start_line=1,
        end_line=4,
        stage=Stage.REFINE,
        verdict=Verdict.IMPROVED,
        measurements={Metric.TIME: TIME},
        tests=("t1", "t2"),
        explanation="Less work. Fixes #1, @octocat.",
        patch=patch(path, old.encode(), new.encode()),
        suggestions=suggest(path, old, new, hunks=hunks) if suggestions else (),
    )


def result(fake: Fake, *functions: FunctionResult, regressions: tuple[Regression, ...] = ()) -> Result:
    return Result(
        perforch="0.1.0",
        repo="acme/rows",
        base_sha=fake.base,
        head_sha=fake.head,
        functions=functions,
        regressions=regressions,
    )
