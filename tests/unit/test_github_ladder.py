from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from perforch.github.anchors import Diff
from perforch.github.ladder import LIMIT, Rung, climb
from perforch.report import files, inline
from perforch.result import FunctionResult, Language, Measurement, Metric, Result, Suggestion, Verdict

if TYPE_CHECKING:
    from perforch.github.ladder import Remark

TIME = Measurement(unit="ms", before=40, after=20, ratio=2.0, ci_low=1.9, ci_high=2.1, pairs=12)
DIFF = Diff(
    [
        {
            "filename": "a.py",
            "status": "modified",
            "patch": "@@ -1,9 +1,9 @@\n" + " x\n" * 9 + "@@ -20,5 +20,5 @@\n" + " x\n" * 5,
        },
        {"filename": "binary.py", "status": "modified"},
    ]
)
PATHS = st.sampled_from(["a.py", "binary.py", "elsewhere.py"])


@st.composite
def proposals(draw: st.DrawFn) -> FunctionResult:
    path, start = draw(PATHS), draw(st.integers(1, 40))
    spans = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3))
    items = tuple(
        Suggestion(
            path=draw(st.sampled_from([path, "a.py"])),
            start_line=a,
            end_line=b,
            body=draw(st.sampled_from(["", "x", "```"])),
        )
        for a, b in spans
    )
    size = draw(st.sampled_from([1, 10, 3000]))
    patch = draw(st.sampled_from([None, "+" + "x" * size]))
    return FunctionResult(
        path=path, name=draw(st.sampled_from("fgh")), language=Language.PYTHON, start_line=start, end_line=start + 2,
        verdict=draw(st.sampled_from([Verdict.IMPROVED, Verdict.FIXED, Verdict.NO_CHANGE])), measurements={Metric.TIME: TIME},
        patch=patch, suggestions=items, explanation="e" * size,
    )  # fmt: skip


def climbed(functions: list[FunctionResult], limit: int) -> tuple[Remark, ...]:
    return climb(Result(perforch="x", functions=tuple(functions)), DIFF, limit=limit)


@given(st.lists(proposals(), max_size=6), st.integers(0, 6))
def test_github_takes_every_comment(functions: list[FunctionResult], limit: int) -> None:
    remarks = climbed(functions, limit)
    anchors = [remark.anchor for remark in remarks if remark.rung is Rung.SUGGESTION]
    for remark in remarks:
        assert remark.path in DIFF.hunks
        assert remark.anchor is None or DIFF.holds(remark.anchor)
        assert (remark.anchor is None) == (remark.rung is Rung.FILE)
        assert len(remark.body.encode()) <= LIMIT
        assert inline.finding(remark.body) == remark.fingerprint
        assert ("suggestion\n" in remark.body) == (remark.rung is Rung.SUGGESTION)
    for index, one in enumerate(anchors):
        for other in anchors[index + 1 :]:
            assert one
            assert other
            assert one.end < other.start or other.end < one.start


@given(st.lists(proposals(), max_size=6))
def test_a_rewrite_is_suggested_whole_or_not_at_all(functions: list[FunctionResult]) -> None:
    remarks = climbed(functions, 6)
    prints = [remark.fingerprint for remark in remarks]
    assert len(prints) == len(set(prints))
    suggested = {remark.fingerprint for remark in remarks if remark.rung is Rung.SUGGESTION}
    for function in functions:
        ours = {inline.fingerprint(function, part) for part in range(len(function.suggestions))}
        twins = [one for one in functions if inline.fingerprint(one) == inline.fingerprint(function)]
        assert not ours & suggested or ours <= suggested or len(twins) > 1


def test_two_functions_of_one_name() -> None:
    """Such as two branches of an `if` that define it: each has its own comment and its own patch."""
    one = FunctionResult(
        path="a.py", name="f", language=Language.PYTHON, start_line=1, end_line=2, verdict=Verdict.IMPROVED, patch="+x"
    )  # fmt: skip
    other = one.model_copy(update={"patch": "+y", "start_line": 20})
    remarks = climbed([one, other], 2)
    assert [remark.anchor and remark.anchor.start for remark in remarks] == [1, 20]
    assert len(files.patches(Result(perforch="x", functions=(one, other)))) == 2
    assert len(climbed([one, one], 2)) == 1


def test_a_long_comment_is_left_to_the_summary() -> None:
    item = Suggestion(path="a.py", start_line=1, end_line=1, body="x" * 70_000)
    one = FunctionResult(
        path="a.py", name="f", language=Language.PYTHON, start_line=1, end_line=2, verdict=Verdict.IMPROVED, patch="+x" * 40_000,
        suggestions=(item,),
    )  # fmt: skip
    (remark,) = climbed([one], 1)
    assert remark.rung is Rung.NEARBY
    assert "too long to show here" in remark.body


def test_a_bidirectional_suggestion_is_a_patch() -> None:
    item = Suggestion(path="a.py", start_line=1, end_line=1, body="\u202ex")
    one = FunctionResult(
        path="a.py", name="f", language=Language.PYTHON, start_line=1, end_line=2, verdict=Verdict.IMPROVED, patch="+x", suggestions=(item,)
    )  # fmt: skip
    assert [remark.rung for remark in climbed([one], 1)] == [Rung.NEARBY]
