from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perforch.report.suggestions import apply, suggest
from perforch.result import Suggestion

LINE = st.sampled_from(["a", "b", "", "  c", "\td é", "`x`", "```", "/x"])
WHOLE = {"f": ((1, 1000),)}


ENDS = st.sampled_from([("\n", "\n"), ("", ""), ("\n", ""), ("", "\n")])


@given(st.lists(LINE, min_size=1, max_size=12), st.lists(LINE, min_size=1, max_size=12), ENDS, st.data())
def test_applied_suggestions_give_the_measured_file(
    old: list[str], new: list[str], ends: tuple[str, str], data: st.DataObject
) -> None:
    before, after = "\n".join(old) + ends[0], "\n".join(new) + ends[1]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(old)), max_size=6)))
    hunks = tuple(zip(cuts[::2], cuts[1::2], strict=False))
    suggestions = suggest("f", before, after, hunks={"f": hunks})
    if suggestions:
        assert apply(before, suggestions) == after
        for item in suggestions:
            assert any(first <= item.start_line <= item.end_line <= last for first, last in hunks)


def test_one_suggestion_a_hunk() -> None:
    old = "".join(f"line {n}\n" for n in range(1, 31))
    new = old.replace("line 3\n", "three\n").replace("line 5\n", "").replace("line 20\n", "twenty\nmore\n")
    suggestions = suggest("f", old, new, hunks={"f": ((1, 8), (18, 24))})
    assert suggestions == (
        Suggestion(path="f", start_line=3, end_line=5, body="three\nline 4"),
        Suggestion(path="f", start_line=20, end_line=20, body="twenty\nmore"),
    )


def test_a_deletion_has_an_empty_body_and_an_insertion_holds_on_to_a_line() -> None:
    assert suggest("f", "a\nb\nc\n", "a\nc\n", hunks=WHOLE) == (
        Suggestion(path="f", start_line=2, end_line=2, body=""),
    )
    assert suggest("f", "a\nc\n", "a\nb\nc\n", hunks=WHOLE) == (
        Suggestion(path="f", start_line=1, end_line=1, body="a\nb"),
    )


def test_what_cannot_be_said_exactly_is_not_suggested() -> None:
    for old, new in [
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a\nb\n\x0c", "a\nc\n\x0c"),
        ("a\x00\nb\n", "a\x00\nc\n"),
        ("a\nb", "a\nc"),
        ("a\nb\n", "a\nc"),
        ("a\n", "a \u202e\n"),
        ("a\n", "a\n"),
    ]:
        assert suggest("f", old, new, hunks=WHOLE) == ()


def test_a_last_line_without_its_newline_stays_as_it_is() -> None:
    assert suggest("f", "a\nb\nc", "a\nx\nc", hunks=WHOLE) == (
        Suggestion(path="f", start_line=2, end_line=2, body="x"),
    )
    assert suggest("f", "a\nb", "a\n\nb", hunks=WHOLE) == (
        Suggestion(path="f", start_line=1, end_line=1, body="a\n"),
    )
    assert suggest("f", "a\nb", "a\nb\nc", hunks=WHOLE) == ()
    assert suggest("f", "b", "\nb", hunks=WHOLE) == ()


def test_outside_the_hunk_or_the_function_is_not_suggested() -> None:
    assert suggest("f", "a\nb\nc\n", "x\nb\nc\n", hunks={"f": ((2, 3),)}) == ()
    assert suggest("f", "a\nb\nc\n", "x\nb\nc\n", hunks={}) == ()
    assert suggest("f", "a\nb\nc\n", "x\nb\nc\n", span=(2, 3), hunks=WHOLE) == ()
