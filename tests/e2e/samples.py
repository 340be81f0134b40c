"""Results as `perforch optimize` would write them, for the pull request of the fake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from github_diff import git_bytes

from perforch.report.patch import patch
from perforch.report.suggestions import suggest
from perforch.result import FunctionResult, Language, Measurement, Metric, Regression, Result, Stage, Verdict

if TYPE_CHECKING:
    from github_fake import Fake

LANGUAGES = {
    "py": Language.PYTHON,
    "java": Language.JAVA,
    "cpp": Language.CPP,
    "go": Language.GO,
    "rs": Language.RUST,
}
TIME = Measurement(
    unit="ms", before=40, after=20, ratio=2.0, ci_low=1.9, ci_high=2.1, pairs=12, noise=1.03, confidence=0.99
)


def head_text(fake: Fake, path: str) -> str:
    return git_bytes(fake.repo, "show", f"{fake.head}:{path}").decode()


def improved(text: str) -> str:
    """The 'benchmarked' file: the second line is rewritten, with back-ticks and two lines more."""
    lines = text.split("\n")
    lines[1:2] = ["".join(lines[1:2]) + "  // ```", "", "  more"]
    return "\n".join(lines)


def proposal(
    fake: Fake, path: str, *, new: str = "", suggestions: bool = True, name: str = "f"
) -> FunctionResult:
    """An accepted candidate that turns the file at head into `new`."""
    old = head_text(fake, path)
    new = new or improved(old)
    hunks = {path: fake.hunks(path) or []}
    return FunctionResult(
        path=path,
        name=name,
        language=LANGUAGES[path.rsplit(".", 1)[1]],
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


def replacing(fake: Fake, path: str, first: int, last: int, body: str) -> FunctionResult:
    """A proposal that replaces these lines of the file; an empty body deletes them."""
    lines = head_text(fake, path).split("\n")
    lines[first - 1 : last] = body.split("\n") if body else []
    return proposal(fake, path, new="\n".join(lines))


def result(fake: Fake, *functions: FunctionResult, regressions: tuple[Regression, ...] = ()) -> Result:
    return Result(
        perforch="0.1.0",
        repo="acme/rows",
        base_sha=fake.base,
        head_sha=fake.head,
        functions=functions,
        regressions=regressions,
    )
