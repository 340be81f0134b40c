"""C++ names: scopes, operators, conversions and destructors, without template arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import MAX_DEPTH, fold, text

if TYPE_CHECKING:
    from tree_sitter import Node


def scopes(node: Node | None) -> tuple[str, ...]:
    """The parts of a possibly qualified name, without template arguments."""
    parts: list[str] = []
    for _ in range(MAX_DEPTH):
        if node is None:
            return tuple(parts)
        if node.type in {"qualified_identifier"}:
            parts += _plain_name(node.child_by_field_name("scope"))
            node = node.child_by_field_name("name")
        elif node.type == "parenthesized_declarator" and node.named_children:
            node = node.named_children[0]
        else:
            return (*parts, *_plain_name(node))
    return tuple(parts)


def _plain_name(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    if node.type in {"template_type", "template_function", "template_method", "dependent_name"}:
        inner = node.child_by_field_name("name") or (node.named_children[0] if node.named_children else None)
        return _plain_name(inner) if inner is not None and inner.type != node.type else (fold(text(inner)),)
    if node.type == "operator_cast":
        return (
            f"operator {fold(text(node.child_by_field_name('type')))}"
            + _stars(node.child_by_field_name("declarator")),
        )
    if node.type == "operator_name":
        symbol = fold(text(node).removeprefix("operator"))
        if symbol.startswith('""'):
            return (f'operator""{symbol[2:].strip()}',)
        spaced = symbol[:1].isalpha()
        return (f"operator {symbol}" if spaced else "operator" + symbol.replace(" ", ""),)
    if node.type == "destructor_name":
        return ("~" + text(node).lstrip("~ "),)
    if node.type in {"identifier", "field_identifier", "type_identifier", "namespace_identifier"}:
        return (text(node),)
    return ()


def _stars(node: Node | None) -> str:
    marks = ""
    for _ in range(MAX_DEPTH):
        if node is None or "function_declarator" in node.type:
            return marks
        marks += "*" if "pointer" in node.type else "&" if "reference" in node.type else ""
        node = next((part for part in node.named_children if "declarator" in part.type), None)
    return marks
