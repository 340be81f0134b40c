"""Source as a stream of tokens: what is left when comments and layout are taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from perforch.languages.syntax.tree import Grammar

# Where line ends or indentation mean something (Python, Go) the sequence of statements is marked here.
_OPEN, _CLOSE, _END = b"\x02", b"\x03", b"\x04"
_ENDS = frozenset({";", "\n"})
_DOCUMENTED = frozenset({"function_definition", "class_definition"})


@dataclass(slots=True)
class _Around:
    """A node that the walk is inside of."""

    kind: str
    marked: bool  # a sequence of statements, wholly inside the span
    begun: bool = False  # a statement has gone by


def tokens(root: Node, grammar: Grammar, *, span: tuple[int, int] | None = None) -> bytes:
    """Tokens below `root` (only those inside `span`), joined by single spaces."""
    return b" ".join(stream(root, grammar, span=span))


def stream(root: Node, grammar: Grammar, *, span: tuple[int, int] | None = None) -> Iterator[bytes]:
    """Tokens below `root` (only those inside `span`), none of them empty.

    The walk begins at the smallest node that holds the span, so its time does not depend on the rest of the file.
    """
    begin, finish = span if span is not None else (root.start_byte, root.end_byte)
    top = root
    if span is not None and begin < finish:
        top = root.descendant_for_byte_range(begin, finish) or root
    found = (_ordered if grammar.sequences else _leaves)(top, grammar, begin, finish)
    return filter(None, found)


def _ordered(top: Node, grammar: Grammar, begin: int, finish: int) -> Iterator[bytes]:
    """Tokens of a language in which line ends or indentation mean something."""
    comments, atomic, sequences = grammar.comments, grammar.atomic, grammar.sequences
    cursor = top.walk()
    inside: list[_Around] = []
    while True:
        node = cursor.node
        assert node is not None
        kind = node.type
        parent = inside[-1] if inside else None
        start, end = node.start_byte, node.end_byte
        if start >= finish > begin:
            return
        if (
            end > begin
            and kind not in comments
            and not (grammar.indented and kind == "expression_statement" and _is_documentation(node, inside))
        ):
            whole = start >= begin and end <= finish
            skipped: int | None = 0
            if kind not in atomic and (
                cursor.goto_first_child()
                if whole
                else (skipped := cursor.goto_first_child_for_byte(begin)) is not None
            ):
                marked = whole and kind in sequences
                if marked:
                    yield (_OPEN)
                inside.append(_Around(kind, marked, bool(skipped)))
                continue
            if whole and not (parent is not None and parent.kind in sequences and kind in _ENDS):
                content = node.text or b""
                if b"\r" in content:
                    content = content.replace(b"\r\n", b"\n")
                yield (content if kind in atomic else content.strip())
                if parent is not None and parent.marked:
                    yield (_END)
        if parent is not None and kind not in comments:
            parent.begun = True
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            if inside.pop().marked:
                yield (_CLOSE)
            if inside:
                inside[-1].begun = True
                if inside[-1].marked:
                    yield (_END)


def _leaves(top: Node, grammar: Grammar, begin: int, finish: int) -> Iterator[bytes]:
    """Tokens of a language in which layout means nothing."""
    comments, atomic = grammar.comments, grammar.atomic
    cursor = top.walk()
    while True:
        node = cursor.node
        assert node is not None
        kind = node.type
        if node.start_byte >= finish > begin:
            return
        if kind not in comments and node.end_byte > begin:
            if kind in atomic or not cursor.goto_first_child():
                content = node.text
                if content and node.start_byte >= begin and node.end_byte <= finish:
                    if b"\r" in content:
                        content = content.replace(b"\r\n", b"\n")
                    yield content if kind in atomic else content.strip()
            else:
                continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _is_documentation(node: Node, inside: list[_Around]) -> bool:
    """A string as the first statement of a Python module, class or function."""
    if not inside or inside[-1].begun or node.child_count != 1 or "string" not in node.children[0].type:
        return False
    if inside[-1].kind == "module":
        return True
    around = inside[-2].kind if len(inside) > 1 else ""
    return inside[-1].kind == "block" and around in _DOCUMENTED
