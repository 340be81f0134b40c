"""Java: methods and constructors of classes, interfaces, enums and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages.syntax.remarks import plain
from perforch.languages.syntax.tree import (
    MAX_DEPTH,
    Found,
    Grammar,
    Preceding,
    child,
    says_todo,
    statements,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_COMMENTS = frozenset({"line_comment", "block_comment"})
_TYPES = frozenset(
    {
        "class_declaration",
        "interface_declaration",
        "enum_declaration",
        "record_declaration",
        "annotation_type_declaration",
    }
)
_METHODS = frozenset(
    {
        "method_declaration",
        "constructor_declaration",
        "compact_constructor_declaration",
        "annotation_type_element_declaration",
    }
)
_PLACES = frozenset(
    {
        "program",
        "class_body",
        "interface_body",
        "enum_body",
        "enum_body_declarations",
        "annotation_type_body",
        "ERROR",
    }
)
_ANNOTATIONS = frozenset({"marker_annotation", "annotation"})
_DEFAULTS = frozenset(
    {
        "null_literal",
        "decimal_integer_literal",
        "decimal_floating_point_literal",
        "true",
        "false",
        "string_literal",
    }
)
_CASES = frozenset({"Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate", "Property"})
_FIXTURES = _CASES | {
    "BeforeEach",
    "AfterEach",
    "BeforeAll",
    "AfterAll",
    "Before",
    "After",
    "BeforeClass",
    "AfterClass",
}


def _find(root: Node) -> Iterator[Found]:
    stack: list[tuple[Node, tuple[str, ...], list[Node]]] = [(root, (), [])]
    while stack:
        node, owner, above = stack.pop()
        if node.type in _METHODS:
            yield _method(node, owner, above)
        elif node.type in _TYPES or node.type == "enum_constant":
            body, name = node.child_by_field_name("body"), node.child_by_field_name("name")
            if body is not None and len(owner) < MAX_DEPTH:
                stack.append((body, (*owner, text(name)), []))
        elif node.type in _PLACES:
            preceding = Preceding(_COMMENTS)
            inner: list[tuple[Node, tuple[str, ...], list[Node]]] = []
            for part in node.named_children:
                if not preceding.see(part):
                    inner.append((part, owner, preceding.above(part)))
                    preceding.passed(part)
            stack.extend(reversed(inner))


def _method(node: Node, owner: tuple[str, ...], above: list[Node]) -> Found:
    body = node.child_by_field_name("body")
    modifiers = child(node, "modifiers")
    annotations = (
        [part for part in modifiers.children if part.type in _ANNOTATIONS] if modifiers is not None else []
    )
    names = {text(part.child_by_field_name("name")).rpartition(".")[2] for part in annotations}
    returns = node.child_by_field_name("type")
    documentation = _javadoc(above)
    return Found(
        owner=".".join(owner),
        simple_name=text(node.child_by_field_name("name")),
        node=node,
        declaration=_after_annotations(node, modifiers),
        body=body,
        first=documentation[0] if documentation else node,
        parameters=node.child_by_field_name("parameters"),
        returns=returns,
        documentation=documentation,
        hidden=annotations,
        is_stub=body is not None and _is_stub(body, returns),
        is_test=bool(names & _FIXTURES),
        is_test_case=bool(names & _CASES),
        has_error=node.has_error,
    )


def _javadoc(above: list[Node]) -> list[Node]:
    for index, node in enumerate(above):
        if node.type == "block_comment" and text(node).startswith("/**"):
            return above[index:]
    return []


def _after_annotations(node: Node, modifiers: Node | None) -> Node:
    if modifiers is None:
        return node
    for part in modifiers.children:
        if part.type not in _ANNOTATIONS and part.type not in _COMMENTS:
            return part
    following = modifiers.next_sibling
    while following is not None and following.type in _COMMENTS:
        following = following.next_sibling
    return following if following is not None else node


def _is_stub(body: Node, returns: Node | None) -> bool:
    inside, remarks = statements(body, _COMMENTS)
    todo = any(says_todo(text(remark)) for remark in remarks)
    if not inside:
        return todo or (returns is not None and returns.type != "void_type")
    if len(inside) > 1:
        return False
    only = inside[0]
    if only.type == "throw_statement":
        words = text(only)
        return "UnsupportedOperationException" in words or "NotImplemented" in words or says_todo(words)
    if only.type == "return_statement":
        values = only.named_children
        return todo and (not values or values[0].type in _DEFAULTS)
    return False


def _imports(root: Node) -> Iterator[str]:
    for node in root.named_children:
        if node.type == "import_declaration":
            name = text(child(node, "scoped_identifier", "identifier"))
            yield f"{name}.*" if child(node, "asterisk") is not None else name


GRAMMAR = Grammar(
    separator=".",
    find=_find,
    plain_documentation=plain,
    imports=_imports,
    comments=_COMMENTS,
    sequences=frozenset(),
    atomic=frozenset({"string_literal", "character_literal"}),
    identifiers=frozenset({"identifier", "type_identifier"}),
    types=frozenset({"type_identifier", "integral_type", "floating_point_type", "boolean_type"}),
    calls={"method_invocation": "name", "object_creation_expression": "type"},
    loops=frozenset({"for_statement", "enhanced_for_statement", "while_statement", "do_statement"}),
    branches=frozenset({"if_statement", "ternary_expression", "switch_label"}),
    returns=frozenset({"return_statement", "yield_statement"}),
    subscripts=frozenset({"array_access"}),
    literals={
        "decimal_integer_literal": "integer",
        "hex_integer_literal": "integer",
        "octal_integer_literal": "integer",
        "binary_integer_literal": "integer",
        "decimal_floating_point_literal": "float",
        "hex_floating_point_literal": "float",
        "string_literal": "string",
        "character_literal": "char",
        "true": "boolean",
        "false": "boolean",
        "null_literal": "null",
        "array_initializer": "list",
        "array_creation_expression": "list",
        "lambda_expression": "lambda",
    },
)
