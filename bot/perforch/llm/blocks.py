"""Code blocks of a reply, fenced or not, complete or cut off."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

_LONGER = 4
_OPEN = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """The text between two fences; `closed` is False when the reply ended first.

    `longer` holds what it would be if a fence line inside a docstring had not ended it, shortest first.
    """

    code: str
    closed: bool
    longer: tuple[str, ...] = ()


def blocks(text: str) -> tuple[Block, ...]:
    """Every fenced block in order; the whole text as one block where there is no fence."""
    found: list[Block] = []
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        opening = _OPEN.match(lines[place])
        place += 1
        if opening is None:
            continue
        indent, fence = opening.group(1), opening.group(2)
        closing = re.compile(rf"^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
        start = place
        while place < len(lines) and not closing.match(lines[place]):
            place += 1
        later = (number for number in range(place + 1, len(lines)) if closing.match(lines[number]))
        longer = tuple(_code(lines[start:end], indent) for end in islice(later, _LONGER))
        found.append(Block(_code(lines[start:place], indent), place < len(lines), longer))
        place += 1
    return tuple(found) or (Block(text if text.endswith("\n") else text + "\n", closed=True),)


def _code(lines: list[str], indent: str) -> str:
    return "\n".join(line.removeprefix(indent) for line in lines) + "\n"
