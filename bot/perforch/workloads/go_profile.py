"""How often the lines of one Go function run under its tests, from a coverage profile in count mode.

Format: https://pkg.go.dev/cmd/cover and https://pkg.go.dev/golang.org/x/tools/cover
(`file:line.column,line.column statements count`). Counts are the same on every run of the same tests, unlike samples of a clock.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"^(\S.*):(\d+)\.(\d+),(\d+)\.(\d+) (\d+) (\d+)$", re.MULTILINE)
_SHOWN = 5


def text(profile: str, file: str, source: bytes, start: int, end: int) -> str:
    """The lines of lines `start` to `end` that run most often, for the refine prompt; "" when nothing was counted.

    Args:
        profile: what `-test.coverprofile` wrote.
        file: the file as the profile names it (import path of the package and name of the file).
        source: the file's text.
    """
    lines = source.decode("utf-8", "replace").split("\n")
    counts: dict[int, int] = {}
    calls = None
    for first, last, count in sorted(_blocks(profile, file)):
        if first < start or last > end + 1:
            continue
        calls = count if calls is None else calls
        for number in range(first, min(last, end, len(lines)) + 1):
            if _says_something(lines[number - 1]):
                counts[number] = max(counts.get(number, 0), count)
    if not calls:
        return ""
    hot = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:_SHOWN]
    told = [f"called {calls} times by the tests; line: executions, source"]
    told += [f"{number}: {count}x, {lines[number - 1].strip()[:120]}" for number, count in hot if count]
    return trimmed("\n".join(told))


def _blocks(profile: str, file: str) -> Iterator[tuple[int, int, int]]:
    """First line, last line and executions of the blocks of a file."""
    for name, first, _, last, column, _, count in _BLOCK.findall(profile):
        if name == file:
            # A block that ends with the brace of the next one says nothing of that line.
            yield int(first), int(last) - (int(column) <= 2 and int(last) > int(first)), int(count)


def _says_something(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and stripped not in {"}", "{", "})", ")"} and not stripped.startswith("//")
