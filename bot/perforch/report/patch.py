"""A unified diff in git's format that `git apply` takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTEXT = 3
_OPEN = "\\ No newline at end of file"
_HEAD = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of the old file from `start` on (1-based) become `new`; the last line of a file may lack its newline."""

    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def patch(path: str, old: bytes, new: bytes) -> str:
    """The change of one existing file; "" if nothing changes.

    Write it with `newline=""` (or as bytes): a file with CRLF endings has CR in its lines.

    Raises:
        ValueError: the file is not UTF-8, which a JSON record cannot carry.
    """
    if old == new:
        return ""
    before, after = _lines(old.decode("utf-8")), _lines(new.decode("utf-8"))
    return _header(path) + "".join(_hunks(before, after))


def read(path: str, text: str) -> tuple[Hunk, ...]:
    """The hunks of a patch that `patch` wrote for this path.

    Raises:
        ValueError: it is anything else: another or a second file, a change of mode, counts that are wrong.
    """
    head = _header(path)
    if not text.startswith(head):
        message = "the patch is not one of this file"
        raise ValueError(message)
    lines = text[len(head) :].split("\n")
    found: list[Hunk] = []
    at, shift = 0, 0
    while at < len(lines) - 1:
        numbers = _HEAD.fullmatch(lines[at])
        if numbers is None:
            message = "the patch holds more than hunks"
            raise ValueError(message)
        start, old, target, new = (int(text) if text else 1 for text in numbers.groups())
        hunk, at = _read_hunk(lines, at + 1, start + (not old), old, new)
        if (found and start < found[-1].start + len(found[-1].old)) or target + (
            not new
        ) != hunk.start + shift:
            message = "the hunks of the patch are out of order"
            raise ValueError(message)
        shift += new - old
        found.append(hunk)
    if not found or lines[-1]:
        message = "the patch is cut off"
        raise ValueError(message)
    return tuple(found)


def _read_hunk(lines: list[str], at: int, start: int, old: int, new: int) -> tuple[Hunk, int]:
    """The hunk whose first line is `lines[at]`, and where it ends."""
    sides: dict[str, list[str]] = {"-": [], "+": []}
    last = ""
    while len(sides["-"]) < old or len(sides["+"]) < new or lines[at] == _OPEN:
        line = lines[at]
        if line == _OPEN and last:
            for sign in last:
                sides[sign][-1] = sides[sign][-1].removesuffix("\n")
        elif line[:1] in (" ", "+", "-"):
            last = "-+" if line[0] == " " else line[0]
            for sign in last:
                sides[sign].append(line[1:] + "\n")
        else:
            break
        at += 1
        if at >= len(lines):
            break
    if (len(sides["-"]), len(sides["+"])) != (old, new):
        message = "the lines of the patch are not as many as it says"
        raise ValueError(message)
    return Hunk(start, tuple(sides["-"]), tuple(sides["+"])), at


def _header(path: str) -> str:
    source, target = _name(f"a/{path}"), _name(f"b/{path}")
    # git ends a name that holds a space with a tab, so that it can tell where the name ends.
    end = "\t" if " " in path and not source.startswith('"') else ""
    return f"diff --git {source} {target}\n--- {source}{end}\n+++ {target}{end}\n"


def _name(path: str) -> str:
    """A path as git writes it: a C string if it holds a quote, a backslash or a control character."""
    if not any(character in _ESCAPES or ord(character) < 32 or ord(character) == 127 for character in path):
        return path
    quoted = "".join(
        _ESCAPES.get(c) or (f"\\{ord(c):03o}" if ord(c) < 32 or ord(c) == 127 else c) for c in path
    )
    return f'"{quoted}"'


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _hunks(before: list[str], after: list[str]) -> Iterator[str]:
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    matcher.opcodes = _opcodes(before, after, head, tail)  # type: ignore[attr-defined]
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from (_line(" ", line) for line in before[i:j])
            else:
                yield from (_line("-", line) for line in before[i:j])
                yield from (_line("+", line) for line in after[k:m])


def _opcodes(
    before: list[str], after: list[str], head: int, tail: int
) -> list[tuple[str, int, int, int, int]]:
    """Common ends as they are, only the middle compared: comparing costs quadratic time.

    The ends must stay aligned: git takes a hunk with less context after it than before it for one at the end of the file.
    """
    old, new = len(before) - tail, len(after) - tail
    middle = SequenceMatcher(None, before[head:old], after[head:new], autojunk=False).get_opcodes()
    found = [("equal", 0, head, 0, head)] if head else []
    found += [(tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in middle]
    if tail:
        found.append(("equal", old, len(before), new, len(after)))
    return found


def _range(start: int, end: int) -> str:
    """`first,count` as in POSIX diff -u: an empty range names the line before it."""
    length = end - start
    first = start + 1 if length else start
    return str(first) if length == 1 else f"{first},{length}"


def _line(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n{_OPEN}\n"
