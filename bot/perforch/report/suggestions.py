"""A verified file as review suggestions: the smallest edits that GitHub can apply, or none at all.

GitHub replaces exactly the lines `start_line..end_line` of the head revision by the body of the block, and
offers that only inside one hunk of the pull request's diff. The text is never repaired here: it is the text
that was compiled, tested and timed, and applying the suggestions must give that file byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from perforch.report import escape
from perforch.result import Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Span = tuple[int, int]

_LINE_BREAKERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines `start..end` (0-based, end exclusive) of the old file become `lines`."""

    start: int
    end: int
    lines: tuple[str, ...]


def suggest(
    path: str, old: str, new: str, *, span: Span | None = None, hunks: Mapping[str, Sequence[Span]]
) -> tuple[Suggestion, ...]:
    """The edits that turn `old` into `new`, one a hunk; () where suggestions cannot say it exactly.

    Args:
        path: of the file at the head revision.
        old: the whole file at the head revision.
        new: the whole file as it was verified.
        span: first and last line (1-based, inclusive) of the function; an edit outside is refused.
        hunks: for each path the lines that the diff shows (1-based, inclusive, new side with context).
    """
    if old == new or not _plain_text(old) or not _plain_text(new):
        return ()
    before, after = _lines(old), _lines(new)
    edits = _edits(before, after)
    if not old.endswith("\n") and any(edit.end == len(before) for edit in edits):
        return ()  # GitHub would end the last line
    if any(escape.deceptive(line) for edit in edits for line in edit.lines):
        return ()
    if span is not None and not all(_within(edit, span) for edit in edits):
        return ()
    # A body of one empty line is nothing to GitHub, so an edit may have to take a neighbour along: not the open end.
    whole = len(before) - (not old.endswith("\n"))
    placed = _place(edits, before[:whole], hunks.get(path, ()))
    suggestions = tuple(
        Suggestion(path=path, start_line=edit.start + 1, end_line=edit.end, body="\n".join(edit.lines))
        for edit in placed
    )
    return suggestions if _reproduces(old, new, suggestions) else ()


def apply(text: str, suggestions: Iterable[Suggestion]) -> str:
    """`text` after GitHub has applied all `suggestions` in one batch; an empty body deletes the lines.

    Raises:
        ValueError: two overlap, or one reaches outside the file.
    """
    lines = text.split("\n")
    limit = len(text.split("\n")) + 1
    for suggestion in sorted(suggestions, key=lambda item: item.start_line, reverse=True):
        first, last = suggestion.start_line, suggestion.end_line
        if not 1 <= first <= last < min(limit, len(lines) + 1):
            message = (
                f"{suggestion.path}: lines {first} to {last} overlap another suggestion or leave the file"
            )
            raise ValueError(message)
        lines[first - 1 : last] = suggestion.body.split("\n") if suggestion.body else []
        limit = first
    return "\n".join(lines)


def _plain_text(text: str) -> bool:
    """No character that a tool on the way takes for a line end, drops or changes, such as CR, FF and NUL."""
    return _LINE_BREAKERS.search(text) is None


def _lines(text: str) -> list[str]:
    """The lines of a file, the last of which may have no newline."""
    return text.removesuffix("\n").split("\n")


def _edits(before: list[str], after: list[str]) -> list[_Edit]:
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        _Edit(head + i, head + j, tuple(new[k:m]))
        for tag, i, j, k, m in matcher.get_opcodes()
        if tag != "equal"
    ]


def _within(edit: _Edit, span: Span) -> bool:
    return span[0] - 1 <= edit.start and edit.end <= span[1]


def _place(edits: list[_Edit], before: list[str], hunks: Sequence[Span]) -> list[_Edit]:
    """One edit a hunk, because half of a rewrite would break the program; [] if one edit fits nowhere."""
    groups: dict[Span, list[_Edit]] = {}
    for edit in edits:
        home = next((hunk for hunk in hunks if hunk[0] - 1 <= edit.start and edit.end <= hunk[1]), None)
        if home is None:
            return []
        groups.setdefault(home, []).append(edit)
    placed = [_widen(_merge(group, before), before, hunk) for hunk, group in groups.items()]
    return [edit for edit in placed if edit is not None] if None not in placed else []


def _merge(edits: list[_Edit], before: list[str]) -> _Edit:
    lines: list[str] = []
    position = edits[0].start
    for edit in edits:
        lines += [*before[position : edit.start], *edit.lines]
        position = edit.end
    return _Edit(edits[0].start, position, tuple(lines))


def _widen(edit: _Edit, before: list[str], hunk: Span) -> _Edit | None:
    """An insertion needs a line to hold on to, and one empty line as a body would read as a deletion."""
    if edit.start < edit.end and edit.lines != ("",):
        return edit
    if edit.start >= hunk[0]:
        return _Edit(edit.start - 1, edit.end, (before[edit.start - 1], *edit.lines))
    if edit.end < min(hunk[1], len(before)):
        return _Edit(edit.start, edit.end + 1, (*edit.lines, before[edit.end]))
    return None


def _reproduces(old: str, new: str, suggestions: tuple[Suggestion, ...]) -> bool:
    try:
        return apply(old, suggestions) == new
    except ValueError:
        return False
