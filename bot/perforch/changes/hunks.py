"""Where a review comment may sit: the new side's lines of every hunk of a diff."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

if TYPE_CHECKING:
    from collections.abc import Iterator

_ESCAPE = re.compile(rb'\\([0-7]{1,3}|[abtnvfr"\\])')
_NAMED = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}


def hunks(diff: bytes) -> dict[str, tuple[tuple[int, int], ...]]:
    """Added and context lines of the new side as inclusive ranges, one a hunk, by path.

    Deleted files, renames without change and binary files have no entry. Names that git quotes are decoded.

    Raises:
        ValueError: this is not a unified diff.
    """
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    try:
        patch = PatchSet(_lines(diff))
    except UnidiffParseError as error:
        message = f"not a unified diff: {error}"
        raise ValueError(message) from error
    for file in patch:
        name = _unquote(file.target_file or "")
        if name == "/dev/null":
            continue
        ranges = tuple(
            (hunk.target_start, hunk.target_start + hunk.target_length - 1)
            for hunk in file
            if hunk.target_length > 0
        )
        if ranges:
            found[name.removeprefix("b/")] = ranges
    return found


def _lines(diff: bytes) -> Iterator[str]:
    # Only the line feed ends a line: carriage returns, form feeds and Unicode separators are content.
    for line in diff.split(b"\n"):
        yield line[:10_000].decode("utf-8", "surrogateescape") + "\n"


def _unquote(name: str) -> str:
    name = name.rstrip("\t")
    if not (name.startswith('"') and name.endswith('"') and len(name) > 1):
        return name
    raw = name[1:-1].encode("utf-8", "surrogateescape")
    plain = _ESCAPE.sub(
        lambda found: bytes([_NAMED[found[1]] if found[1] in _NAMED else int(found[1], 8) & 255]), raw
    )
    return plain.decode("utf-8", "surrogateescape")
