"""Python: functions, methods, documentation strings, imports."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import MAX_DEPTH, Found, Grammar, child, says_todo, statements, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

_COMMENTS = frozenset({"comment"})
_PLACES = frozenset(
    {
        "if_statement",
        "elif_clause",
        "else_clause",
        "try_statement",
        "except_clause",
        "except_group_clause",
        "finally_clause",
        "with_statement",
        "for_statement",
        "while_statement",
        "match_statement",
        "case_clause",
        "block",
        "module",
        "ERROR",
    }
)
_DECLARING = frozenset({"overload", "abstractmethod", "abstractproperty"})
_DEFAULTS = frozenset({"none", "integer", "float", "string", "true", "false", "list", "dictionary", "tuple"})


def _find(root: Node) -> Iterator[Found]:
    imports = {name.partition(".")[0] for name in _imports(root)}
    tested = bool(imports & {"pytest", "unittest", "hypothesis"})
    stack: list[tuple[Node, tuple[str, ...], str]] = [(root, (), "")]
    while stack:
        node, owner, kind = stack.pop()
        if node.type in {"function_definition", "decorated_definition", "class_definition"}:
            inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
            if inner is None:
                continue
            if inner.type == "class_definition":
                body, name = inner.child_by_field_name("body"), inner.child_by_field_name("name")
                if body is not None and len(owner) < MAX_DEPTH:
                    kind = _class_kind(inner, text(name))
                    stack.append((body, (*owner, text(name)), kind))
            elif inner.type == "function_definition":
                yield _function(node, inner, owner, kind, tested=tested)
        elif node.type in _PLACES:
            stack.extend((part, owner, kind) for part in reversed(node.named_children))


def _class_kind(node: Node, name: str) -> str:
    bases = text(node.child_by_field_name("superclasses"))
    if "TestCase" in bases:
        return "test"
    if "Protocol" in bases:
        return "protocol"
    return "test?" if name.startswith("Test") else ""


def _function(outer: Node, node: Node, owner: tuple[str, ...], kind: str, *, tested: bool) -> Found:
    body = node.child_by_field_name("body")
    name = text(node.child_by_field_name("name"))
    inside, remarks = statements(body, _COMMENTS) if body is not None else ([], [])
    documentation: list[Node] = []
    if inside and _is_string(inside[0]):
        documentation.append(inside.pop(0))
    decorators = {
        text(part).lstrip("@").partition("(")[0].strip().rpartition(".")[2]
        for part in outer.children
        if part.type == "decorator"
    }
    stub = _is_stub(inside, remarks)
    declared = stub and (bool(decorators & _DECLARING) or kind == "protocol")
    case = name.startswith("test") and (
        kind == "test"
        or (name.startswith("test_") and (tested or _asserts(inside)) and (not owner or kind == "test?"))
    )
    return Found(
        owner=".".join(owner),
        simple_name=name,
        node=outer,
        declaration=node,
        body=None if declared else body,
        body_from=body,
        first=outer,
        parameters=node.child_by_field_name("parameters"),
        returns=node.child_by_field_name("return_type"),
        documentation=documentation,
        is_stub=stub,
        is_test=case or kind == "test" or "fixture" in decorators,
        is_test_case=case,
        has_error=outer.has_error,
    )


def _asserts(inside: list[Node]) -> bool:
    return any(node.type == "assert_statement" for node in inside)


def _is_string(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and len(node.children) == 1
        and node.children[0].type
        in {
            "string",
            "concatenated_string",
        }
    )


def _is_stub(inside: list[Node], remarks: list[Node]) -> bool:
    if not inside:
        return True
    if len(inside) > 1:
        return False
    only = inside[0]
    if only.type == "pass_statement":
        return True
    if only.type == "expression_statement":
        return len(only.children) == 1 and only.children[0].type == "ellipsis"
    if only.type == "raise_statement":
        return "NotImplementedError" in text(only) or says_todo(text(only))
    if only.type == "return_statement":
        values = only.named_children
        default = not values or (len(values) == 1 and values[0].type in _DEFAULTS)
        return default and any(says_todo(text(remark)) for remark in remarks)
    return False


def _documentation(nodes: Sequence[Node]) -> str:
    if not nodes:
        return ""
    string = nodes[0].children[0]
    parts = string.named_children if string.type == "concatenated_string" else [string]
    content = "".join(
        text(piece)
        for part in parts
        for piece in part.children
        if piece.type not in {"string_start", "string_end"}
    )
    return inspect.cleandoc(content).strip()


def _imports(root: Node) -> Iterator[str]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "import_statement":
            for part in node.children_by_field_name("name"):
                yield text(part.child_by_field_name("name") if part.type == "aliased_import" else part)
        elif node.type in {"import_from_statement", "future_import_statement"}:
            module = text(node.child_by_field_name("module_name")) or "__future__"
            yield module
            for part in node.children_by_field_name("name"):
                name = text(part.child_by_field_name("name") if part.type == "aliased_import" else part)
                yield f"{module}.{name}" if not module.endswith(".") else f"{module}{name}"
            if child(node, "wildcard_import") is not None:
                yield f"{module}.*"
        elif node.type in _PLACES or node.type in {
            "function_definition",
            "class_definition",
            "decorated_definition",
        }:
            stack.extend(node.named_children)


GRAMMAR = Grammar(
    separator=".",
    find=_find,
    plain_documentation=_documentation,
    imports=_imports,
    comments=_COMMENTS | {"line_continuation"},
    sequences=frozenset({"module", "block"}),
    indented=True,
    atomic=frozenset({"string"}),
    identifiers=frozenset({"identifier"}),
    types=frozenset({"type"}),
    calls={"call": "function"},
    loops=frozenset({"for_statement", "while_statement", "for_in_clause"}),
    branches=frozenset({"if_statement", "elif_clause", "conditional_expression", "case_clause", "if_clause"}),
    returns=frozenset({"return_statement", "yield"}),
    subscripts=frozenset({"subscript"}),
    literals={
        "integer": "integer",
        "float": "float",
        "string": "string",
        "true": "boolean",
        "false": "boolean",
        "none": "null",
        "list": "list",
        "dictionary": "dict",
        "set": "set",
        "tuple": "tuple",
        "lambda": "lambda",
        "list_comprehension": "comprehension",
        "dictionary_comprehension": "comprehension",
        "set_comprehension": "comprehension",
        "generator_expression": "comprehension",
    },
)
