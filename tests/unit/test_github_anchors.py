from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from perforch.github.anchors import Anchor, Diff, hunks

TEXT = st.lists(st.sampled_from(["a", "b", "", "@@ -1 +1 @@", "+x", "-y", "\\ z", " é\u2028"]), max_size=40)


def github(old: list[str], new: list[str]) -> str:
    """A patch as the list of files shows it: from the first hunk on, without the names."""
    lines = difflib.unified_diff(old, new, lineterm="")
    return "\n".join(list(lines)[2:])


@given(TEXT, TEXT)
def test_the_lines_shown_are_those_of_the_new_file(old: list[str], new: list[str]) -> None:
    diff = Diff([{"filename": "f", "status": "modified", "patch": github(old, new)}])
    shown = diff.lines("f")
    assert all(new[number - 1] == text for number, text in shown.items())
    inside = {number for first, last in diff.hunks["f"] for number in range(first, last + 1)}
    assert inside == set(shown)
    changed = {
        j + 1
        for tag, _, _, j, k in difflib.SequenceMatcher(None, old, new).get_opcodes()
        if tag != "equal"
        for j in range(j, k)
    }
    assert changed <= inside


@given(TEXT, TEXT, st.integers(0, 50), st.integers(0, 50))
def test_a_range_holds_if_one_hunk_holds_it(old: list[str], new: list[str], first: int, last: int) -> None:
    diff = Diff([{"filename": "f", "status": "modified", "patch": github(old, new)}])
    lines = set(range(first, last + 1))
    expected = first <= last and any(lines <= set(range(a, b + 1)) for a, b in diff.hunks["f"])
    assert diff.holds(Anchor("f", first, last)) == expected


@given(TEXT, TEXT, st.integers(1, 60))
def test_the_nearest_line_is_shown_and_none_is_nearer(old: list[str], new: list[str], line: int) -> None:
    diff = Diff([{"filename": "f", "status": "modified", "patch": github(old, new)}])
    found, shown = diff.nearest("f", line), diff.lines("f")
    if not shown:
        assert found is None
    else:
        assert found is not None
        assert found.start == found.end in shown
        assert abs(found.end - line) == min(abs(number - line) for number in shown)


def test_files_without_a_patch() -> None:
    diff = Diff(
        [
            {"filename": "a", "status": "added"},
            {"filename": "b", "status": "removed", "patch": "@@ -1 +0,0 @@\n-a"},
            {"status": "x"},
        ]
    )
    assert diff.hunks == {"a": ()}
    assert diff.nearest("a", 1) is diff.nearest("c", 1) is None
    assert diff.lines("c") == {}


def test_a_real_range_alone_has_a_start() -> None:
    assert Anchor("f", 3, 3).fields() == {"path": "f", "line": 3, "side": "RIGHT"}
    assert Anchor("f", 3, 5).fields()["start_line"] == 3


@given(st.text(max_size=200))
def test_any_patch(text: str) -> None:
    assert all(first <= last for first, last in hunks(text))
    Diff([{"filename": "f", "status": "modified", "patch": text}]).lines("f")
