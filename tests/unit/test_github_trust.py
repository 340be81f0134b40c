from __future__ import annotations

import difflib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perforch.errors import UsageError
from perforch.github import trust
from perforch.github.anchors import Diff
from perforch.report.patch import patch
from perforch.report.suggestions import suggest
from perforch.result import (
    FunctionResult,
    Language,
    Measurement,
    Metric,
    Regression,
    Result,
    Suggestion,
    Verdict,
)

LINES = st.lists(st.sampled_from(["a", "b", "  c", "", "\td", "é", "@@", "-x"]), min_size=1, max_size=20)
TIME = Measurement(
    unit="ms", before=40, after=20, ratio=2.0, ci_low=1.9, ci_high=2.1, pairs=12, noise=1.03, confidence=0.99
)


def function(old: str, new: str, suggestions: tuple[Suggestion, ...]) -> FunctionResult:
    return FunctionResult(
        path="src/f.py", name="f", language=Language.PYTHON, start_line=1, end_line=9, verdict=Verdict.IMPROVED,
        measurements={Metric.TIME: TIME}, patch=patch("src/f.py", old.encode(), new.encode()), suggestions=suggestions,
    )  # fmt: skip


def record(*functions: FunctionResult) -> Result:
    return Result(perforch="x", head_sha="a" * 40, functions=functions)


def shown(base: str, head: str) -> Diff:
    lines = difflib.unified_diff(base.split("\n")[:-1], head.split("\n")[:-1], lineterm="")
    return Diff([{"filename": "src/f.py", "status": "modified", "patch": "\n".join(list(lines)[2:])}])


@given(LINES, LINES, LINES, st.data())
def test_honest_records_pass_and_changed_ones_do_not(
    base: list[str], head: list[str], new: list[str], data: st.DataObject
) -> None:
    before, old, after = ("\n".join(lines) + "\n" for lines in (base, head, new))
    assume(before != old != after)
    diff = shown(before, old)
    honest = function(old, after, suggest("src/f.py", old, after, hunks=diff.hunks))
    (kept,) = trust.believable(record(honest), diff).functions
    assert kept == honest
    if honest.suggestions:
        index = data.draw(st.integers(0, len(honest.suggestions) - 1))
        other = honest.suggestions[index]
        bodies = st.sampled_from([other.body + "\n", other.body + "x", "", other.body + "\nos.system('x')"])
        body = data.draw(bodies)
        assume(body != other.body)
        forged = other.model_copy(update={"body": body})
        items = (*honest.suggestions[:index], forged, *honest.suggestions[index + 1 :])
        (refused,) = trust.believable(
            record(honest.model_copy(update={"suggestions": items})), diff
        ).functions
        assert (refused.verdict, refused.patch, refused.suggestions) == (Verdict.FAILED, None, ())


@given(LINES, LINES, st.integers(0, 30), st.integers(0, 30), st.text(max_size=9))
def test_any_suggestion_is_looked_at_without_an_error(
    base: list[str], head: list[str], first: int, last: int, body: str
) -> None:
    before, old = "\n".join(base) + "\n", "\n".join(head) + "\n"
    assume(before != old)
    diff = shown(before, old)
    item = Suggestion(path="src/f.py", start_line=first, end_line=last, body=body)
    (found,) = trust.believable(record(function(old, old + "new\n", (item,))), diff).functions
    shown_lines = diff.lines("src/f.py")
    if (
        found.verdict is Verdict.IMPROVED
        and 1 <= first <= last
        and all(n in shown_lines for n in range(first, last + 1))
    ):
        lines = old.split("\n")
        lines[first - 1 : last] = body.split("\n") if body else []
        assert "\n".join(lines) == old + "new\n"


def test_an_honest_regression_stays() -> None:
    slower = TIME.model_copy(
        update={"before": 20.0, "after": 40.0, "ratio": 0.5, "ci_low": 0.45, "ci_high": 0.55}
    )
    item = Regression(
        path="a.py",
        name="f",
        language=Language.PYTHON,
        start_line=1,
        end_line=2,
        measurements={Metric.TIME: slower},
    )
    result = record().model_copy(update={"regressions": (item, item.model_copy(update={"path": "/a.py"}))})
    assert trust.believable(result, None).regressions == (item,)


def test_what_is_not_claimed_needs_no_evidence() -> None:
    for verdict in (Verdict.NO_CHANGE, Verdict.FAILED, Verdict.SKIPPED, Verdict.NOT_MEASURABLE):
        one = function("a\n", "b\n", ()).model_copy(
            update={"verdict": verdict, "measurements": {}, "patch": None}
        )
        assert trust.believable(record(one), None).functions == (one,)


@pytest.mark.parametrize("verdict", [Verdict.FIXED, Verdict.GENERATED])
def test_what_did_not_work_before_needs_a_patch_and_no_numbers(verdict: Verdict) -> None:
    one = function("a\n", "b\n", ()).model_copy(update={"verdict": verdict, "measurements": {}})
    assert trust.believable(record(one), None).functions == (one,)
    (bare,) = trust.believable(record(one.model_copy(update={"patch": None})), None).functions
    assert bare.verdict is Verdict.FAILED


def test_the_base_is_where_the_commits_begin() -> None:
    commits = [
        {"sha": "c1", "parents": [{"sha": "b" * 40}]},
        {"sha": "c2", "parents": [{"sha": "c1"}, {"sha": "d" * 40}]},
    ]
    for sha, known in (("b" * 40, True), ("d" * 40, True), ("e" * 40, False), ("", False)):
        result = record().model_copy(update={"base_sha": sha})
        assert (trust.based(result, commits).base_sha == sha) == (known or not sha)
    many = [{"sha": str(number), "parents": []} for number in range(250)]
    assert trust.based(record().model_copy(update={"base_sha": "e" * 40}), many).base_sha
    assert trust.based(record().model_copy(update={"base_sha": "e" * 40}), []).base_sha == ""


def test_whose_record_it_is() -> None:
    result = record().model_copy(update={"repo": "Acme/Rows"})
    trust.belongs(result, repository="acme/rows", head="a" * 40)
    trust.belongs(record(), repository="acme/rows", head="a" * 40)
    with pytest.raises(UsageError):
        trust.belongs(result, repository="acme/other", head="a" * 40)
    with pytest.raises(UsageError):
        trust.belongs(result, repository="acme/rows", head="b" * 40)
