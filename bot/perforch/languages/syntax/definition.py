"""From what a language module finds to `Definition`: spans as whole lines, folded signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages.syntax.model import Definition
from perforch.languages.syntax.tree import fold, text, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.languages.syntax.tree import Found, Grammar

_MARKS = (b"//", b"/*", b"#")


def line_starts(source: bytes) -> list[int]:
    """Offset of every line's first byte, and the end of the source."""
    starts = [0]
    position = source.find(b"\n")
    while position >= 0:
        starts.append(position + 1)
        position = source.find(b"\n", position + 1)
    starts.append(len(source))
    return starts


def build(found: Found, grammar: Grammar, source: bytes, starts: Sequence[int]) -> Definition:
    """Measure and describe one function."""
    node, body = found.node, found.body
    first_row, last_row = found.first.start_point.row, node.end_point.row
    declared = found.declaration or node
    body_node = found.body_from or body
    header_end = body_node.start_byte if body_node is not None else node.end_byte
    owner = found.owner
    return Definition(
        name=f"{owner}{grammar.separator}{found.simple_name}" if owner else found.simple_name,
        simple_name=found.simple_name,
        owner=owner,
        signature=_signature(found, grammar, source, declared.start_byte, header_end),
        start_line=first_row + 1,
        end_line=last_row + 1,
        start_byte=starts[first_row],
        end_byte=starts[last_row + 1] if last_row + 1 < len(starts) else len(source),
        declaration_start=declared.start_byte,
        body_start=header_end if body is not None else -1,
        body_end=body.end_byte if body is not None else -1,
        first_byte=found.first.start_byte,
        last_byte=node.end_byte,
        parameters=fold(text(found.parameters)),
        returns=fold(text(found.returns)),
        docstring=grammar.plain_documentation(found.documentation),
        is_stub=found.is_stub,
        is_test=found.is_test,
        is_test_case=found.is_test_case,
        has_error=found.has_error,
    )


def _signature(found: Found, grammar: Grammar, source: bytes, start: int, end: int) -> str:
    hidden = [(part.start_byte, part.end_byte) for part in found.hidden]
    header = source[start:end]
    if any(mark in header for mark in _MARKS):
        skip = grammar.atomic | ({found.body.type} if found.body is not None else frozenset())
        for node in walk(found.node, skip=frozenset(skip)):
            if node.type in grammar.comments and start <= node.start_byte < end:
                hidden.append((node.start_byte, node.end_byte))
    pieces: list[bytes] = []
    position = start
    for begin, finish in sorted(hidden):
        if begin >= position and begin < end:
            pieces.append(source[position:begin])
            position = finish
    pieces.append(source[position:end])
    folded = fold(b" ".join(pieces).decode("utf-8", "replace"))
    return folded.rstrip(":;").rstrip() if found.body is None or grammar.separator == "." else folded
