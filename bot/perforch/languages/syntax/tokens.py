"""Source as a stream of tokens: what is left when comments and layout are taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    begin, finish = span if span is not None else (root.start_byte, root.end_byte)
    out: list[bytes] = []
    cursor = root.walk()
    inside: list[_Around] = []
    while True:
        node = cursor.node
        assert node is not None
        if node.start_byte >= finish > begin:
            break
        kind = node.type
        parent = inside[-1] if inside else None
        if (
            node.end_byte > begin
            and kind not in grammar.comments
            and not (grammar.indented and kind == "expression_statement" and _is_documentation(node, inside))
        ):
            whole = node.start_byte >= begin and node.end_byte <= finish
            if kind not in grammar.atomic and node.child_count and cursor.goto_first_child():
                marked = whole and kind in grammar.sequences
                if marked:
                    out.append(_OPEN)
                inside.append(_Around(kind, marked))
                continue
            if whole and not (parent is not None and parent.kind in grammar.sequences and kind in _ENDS):
                content = (node.text or b"").replace(b"\r\n", b"\n")
                out.append(content if kind in grammar.atomic else content.strip())
                if parent is not None and parent.marked:
                    out.append(_END)
        if parent is not None and kind not in grammar.comments:
            parent.begun = True
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return b" ".join(filter(None, out))
            if inside.pop().marked:
                out.append(_CLOSE)
            if inside:
                inside[-1].begun = True
                if inside[-1].marked:
                    out.append(_END)
    return b" ".join(filter(None, out))


def _is_documentation(node: Node, inside: list[_Around]) -> bool:
    """A string as the first statement of a Python module, class or function."""
    if not inside or inside[-1].begun or node.child_count != 1 or "string" not in node.children[0].type:
        return False
    if inside[-1].kind == "module":
        return True
    around = inside[-2].kind if len(inside) > 1 else ""
    return inside[-1].kind == "block" and around in _DOCUMENTED
