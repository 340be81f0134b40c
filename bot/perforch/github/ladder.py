"""The fallback ladder: for each proposal the best place that GitHub will accept.

1. suggestions inside the diff, 2. a comment with the patch at the nearest line of the diff, 3. a comment on
the file, 4. the summary comment, which shows every proposal anyway. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from perforch.github.anchors import Anchor, Diff
from perforch.report import escape, files, inline, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.result import FunctionResult, Result

LIMIT = 60_000


class Rung(StrEnum):
    """Where a finding ended up."""

    SUGGESTION = "suggestion"
    NEARBY = "nearby"
    FILE = "file"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Remark:
    """One comment of a review. `anchor` is None for a comment on the file as a whole."""

    fingerprint: str
    path: str
    body: str
    rung: Rung
    anchor: Anchor | None = None


def climb(result: Result, diff: Diff, *, limit: int) -> tuple[Remark, ...]:
    """The comments for the `limit` largest proposals; those that fit nowhere stay in the summary alone."""
    remarks: list[Remark] = []
    taken: list[Anchor] = []
    for function in words.proven(result)[:limit]:
        if any(remark.fingerprint == inline.fingerprint(function) for remark in remarks):
            continue  # the same change twice
        suggested = _suggestions(function, result, diff, taken)
        if suggested:
            taken += [remark.anchor for remark in suggested if remark.anchor]
            remarks += suggested
        elif function.patch:
            remarks += _elsewhere(function, result, diff)
    return tuple(remark for remark in remarks if len(remark.body.encode()) <= LIMIT)


def _suggestions(
    function: FunctionResult, result: Result, diff: Diff, taken: Sequence[Anchor]
) -> list[Remark]:
    """All suggestions of a function, or none: half of a rewrite is worse than no rewrite."""
    anchors = [Anchor(item.path, item.start_line, item.end_line) for item in function.suggestions]
    if not anchors or any(anchor.path != function.path or not diff.holds(anchor) for anchor in anchors):
        return []
    if any(escape.deceptive(item.body) for item in function.suggestions):
        return []
    others = list(taken)
    for anchor in anchors:
        if any(_overlap(anchor, other) for other in others):
            return []
        others.append(anchor)
    remarks = [
        Remark(
            fingerprint=inline.fingerprint(function, part),
            path=item.path,
            body=inline.suggestion(function, item, result, part=part, parts=len(anchors)),
            rung=Rung.SUGGESTION,
            anchor=anchor,
        )
        for part, (item, anchor) in enumerate(zip(function.suggestions, anchors, strict=True))
    ]
    return remarks if all(len(remark.body.encode()) <= LIMIT for remark in remarks) else []


def _elsewhere(function: FunctionResult, result: Result, diff: Diff) -> list[Remark]:
    if function.path not in diff.hunks:
        return []
    anchor = diff.nearest(function.path, function.start_line)
    body = inline.nearby(function, result, patch_name=files.patch_name(function))
    rung = Rung.NEARBY if anchor else Rung.FILE
    return [Remark(inline.fingerprint(function), function.path, body, rung, anchor)]


def _overlap(one: Anchor, other: Anchor) -> bool:
    return one.path == other.path and one.start <= other.end and other.start <= one.end
