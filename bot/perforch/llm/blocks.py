"""Code blocks of a reply, fenced or not, complete or cut off."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPEN = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """The text between two fences; `closed` is False when the reply ended first."""

    code: str
    closed: bool


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
        code = [line.removeprefix(indent) for line in lines[start:place]]
        found.append(Block("\n".join(code) + "\n", closed=place < len(lines)))
        place += 1
    return tuple(found) or (Block(text if text.endswith("\n") else text + "\n", closed=True),)
