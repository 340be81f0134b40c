"""Good C++ that the grammar does not know: what it marks as wrong there is no reason to leave a function out."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import blank, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_GAP = re.compile(
    r"\boperator\b"  # called by name: `return &operator*();`, `this->operator[](i)`
    r"|->\*|\.\*|::\s*\*"  # pointers to members
    r"|\btypename\b|\*\s*=\s*(nullptr|0)\b"  # in expressions and defaults
    r"|\b(unsigned|signed|int|long|short|char|bool|float|double)\s*\("  # `unsigned(x) & 1`
    r"|\bif\s*!?\s*consteval\b|\b__try\b|\b__catch\b|\b__extension__\b|\basm\b|\b__asm\w*\b|\b__attribute__\b"
    r"|\b([A-Z_][A-Z0-9_]{3,}|PRI[a-zA-Z])\w*\b"  # macros: `"%" PRIu64`, `CHECK_EACH(x) { }`
)
_WHOLE = ("_statement", "declaration", "field_initializer_list", "initializer_list")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_OPENS = {ord(close): ord(opens) for close, opens in _PAIRS.items()}


def only_gaps(node: Node) -> bool:
    """Are all errors below `node` known gaps of the grammar, and all brackets closed?"""
    counts: Counter[str] = Counter()
    for part in walk(node):
        if part.is_missing:
            if part.type in "()[]{}" or not _is_gap(part, node):
                return False
        elif part.is_error:
            if not _is_gap(part, node):
                return False
        elif part.child_count == 0 and len(part.type) == 1 and part.type in "()[]{}":
            counts[part.type] += 1
    return all(counts[close] == counts[opens] for close, opens in _PAIRS.items())


def _is_gap(wrong: Node, top: Node) -> bool:
    """Does the statement around say something that the grammar does not know?"""
    around: Node | None = wrong
    while around is not None and around.id != top.id and around.type != "compound_statement":
        if around.type.endswith(_WHOLE):
            return _GAP.search(text(around)) is not None
        around = around.parent
    return _GAP.search(text(wrong)) is not None


_OPAQUE = re.compile(
    rb"//[^\n]*|/\*.*?\*/|\bR\"(\w{0,16})\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n]){1,8}'",
    re.DOTALL,
)


def emptied(block: bytes) -> bytes:
    """One function with nothing in its body, when what was there is closed and holds a known gap; else nothing.

    Lengths and line ends stay.
    """
    plain = _OPAQUE.sub(lambda found: blank(found[0]), block)
    stack: list[int] = []
    begin = end = -1
    for place in re.finditer(rb"[()\[\]{}]", plain):
        mark = place[0]
        if mark in b"([{":
            stack.append(place.start())
            continue
        if not stack or plain[stack[-1]] != _OPENS[mark[0]]:
            return b""
        opened = stack.pop()
        if mark == b"}" and not stack:
            if begin >= 0:
                return b""
            begin, end = opened + 1, place.start()
    if stack or begin < 0 or plain[end + 1 :].strip(b" \t\r\n;") or b")" not in plain[:begin]:
        return b""
    if _GAP.search(block[begin:end].decode("utf-8", "replace")) is None:
        return b""
    return block[:begin] + blank(block[begin:end]) + block[end:]
