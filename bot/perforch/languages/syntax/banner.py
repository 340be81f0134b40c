"""What a file says about itself at its top: comments there, and annotations of its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from perforch.languages.syntax.tree import Grammar

_ANNOTATIONS = frozenset({"marker_annotation", "annotation"})
_FUNCTIONS = frozenset({"function_definition", "function_declaration", "method_declaration", "function_item"})
_INSIDE = frozenset({"preproc_if", "preproc_ifdef", "preproc_else"})  # an include guard is around everything
_ENDS = _FUNCTIONS | {
    "class_definition",
    "decorated_definition",
    "template_declaration",
    "namespace_definition",
    "class_specifier",
    "struct_specifier",
    "impl_item",
    "trait_item",
    "mod_item",
    "struct_item",
    "enum_item",
    "type_declaration",
}


def banner(root: Node, grammar: Grammar) -> bytes:
    """Comments before the first function or type, without those that document a function further down."""
    found: list[bytes] = []
    waiting: list[Node] = []  # comments right above what comes next
    begun = False
    for node in _top(root):
        if node.type in grammar.comments:
            if waiting and node.start_point.row > waiting[-1].end_point.row + 1:
                found += _texts(waiting)
                waiting = []
            waiting.append(node)
            continue
        attached = bool(waiting) and node.start_point.row <= waiting[-1].end_point.row + 1
        if not (attached and begun and node.type in _FUNCTIONS):
            found += _texts(waiting)
        waiting = []
        if node.type.endswith("_declaration") and (modifiers := node.named_child(0)) is not None:
            found += _texts([part for part in modifiers.children if part.type in _ANNOTATIONS])
        elif grammar.indented and not begun and node.child_count == 1 and node.children[0].type == "string":
            found.append(node.text or b"")
        if node.type in _ENDS or node.type.endswith(("class_declaration", "interface_declaration")):
            return b"\n".join(found)
        begun = True
    return b"\n".join([*found, *_texts(waiting)])


def _texts(nodes: list[Node]) -> list[bytes]:
    return [node.text or b"" for node in nodes]


def _top(root: Node) -> Iterator[Node]:
    stack = list(reversed(root.children))
    while stack:
        node = stack.pop()
        if node.type in _INSIDE:
            stack.extend(reversed(node.children))
        else:
            yield node
