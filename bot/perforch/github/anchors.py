"""Where a review comment may sit: lines of the new side that the pull request's diff shows.

Pure. GitHub accepts a comment only inside a hunk (added and context lines), and a range only inside one hunk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Span = tuple[int, int]
# A content line of a diff starts with a space, `+`, `-` or a backslash, so this matches only heads of hunks.
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Lines `start..end` of the new side of `path`."""

    path: str
    start: int
    end: int

    def fields(self) -> dict[str, object]:
        """As the API takes it: `start_line` only for a real range, because an equal one is refused."""
        place: dict[str, object] = {"path": self.path, "line": self.end, "side": "RIGHT"}
        if self.start < self.end:
            place |= {"start_line": self.start, "start_side": "RIGHT"}
        return place


class Diff:
    """The new-side lines of every hunk, by path; a path without text (binary, too large) has none."""

    def __init__(self, files: Iterable[Mapping[str, object]]) -> None:
        """Read the items of `GET pulls/{n}/files`; `patch` is absent for binary and very large files."""
        self.hunks: dict[str, tuple[Span, ...]] = {}
        self._patches: dict[str, str] = {}
        for file in files:
            path, patch = file.get("filename"), file.get("patch")
            if isinstance(path, str) and file.get("status") != "removed":
                self._patches[path] = patch if isinstance(patch, str) else ""
                self.hunks[path] = hunks(self._patches[path])

    def lines(self, path: str) -> dict[int, str]:
        """What GitHub shows of the new side of a file: the text of each line, without its end, by number."""
        shown: dict[int, str] = {}
        number = 0
        for line in self._patches.get(path, "").split("\n"):
            if found := _HUNK.match(line):
                number = int(found[1])
            elif line[:1] in (" ", "+"):
                shown[number] = line[1:].removesuffix("\r")
                number += 1
        return shown

    def holds(self, anchor: Anchor) -> bool:
        """Whether the whole range lies in one hunk."""
        return anchor.start <= anchor.end and any(
            first <= anchor.start and anchor.end <= last for first, last in self.hunks.get(anchor.path, ())
        )

    def nearest(self, path: str, line: int) -> Anchor | None:
        """The line of the diff closest to `line`; None if the diff shows no line of the file."""
        candidates = [min(max(line, first), last) for first, last in self.hunks.get(path, ())]
        best = min(candidates, key=lambda candidate: abs(candidate - line), default=None)
        return None if best is None else Anchor(path, best, best)


def hunks(patch: str) -> tuple[Span, ...]:
    """Ranges of new-side lines of one file's patch; a hunk that only deletes has none."""
    spans = []
    for found in _HUNK.finditer(patch):
        first, length = int(found[1]), int(found[2] or 1)
        if length:
            spans.append((first, first + length - 1))
    return tuple(spans)
