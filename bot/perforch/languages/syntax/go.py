"""Go: functions and methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages.syntax.remarks import plain
from perforch.languages.syntax.tree import Found, Grammar, Preceding, says_todo, statements, text, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

_COMMENTS = frozenset({"comment"})
_FUNCTIONS = frozenset({"function_declaration", "method_declaration"})
_DEFAULTS = frozenset({"nil", "int_literal", "float_literal", "true", "false", "interpreted_string_literal"})
_PREFIXES = ("Test", "Benchmark", "Fuzz", "Example")


def _find(root: Node) -> Iterator[Found]:
    stack: list[Node] = [root]
    while stack:
        place = stack.pop()
        preceding = Preceding(_COMMENTS)
        for node in place.named_children:
            if preceding.see(node):
                continue
            if node.type in _FUNCTIONS:
                yield _function(node, preceding.above(node))
            elif node.type == "ERROR" and place.type != "ERROR":
                stack.append(node)
            preceding.passed(node)


def _function(node: Node, above: list[Node]) -> Found:
    body = node.child_by_field_name("body")
    parameters = node.child_by_field_name("parameters")
    name = text(node.child_by_field_name("name"))
    receiver = node.child_by_field_name("receiver")
    case = (
        receiver is None
        and any(
            name.startswith(prefix) and not name[len(prefix) : len(prefix) + 1].islower()
            for prefix in _PREFIXES
        )
        and ("*testing." in text(parameters) or name.startswith("Example"))
    )
    returns = node.child_by_field_name("result")
    return Found(
        owner=_receiver(receiver) if receiver is not None else "",
        simple_name=name,
        node=node,
        body=body,
        first=above[0] if above else node,
        parameters=parameters,
        returns=returns,
        documentation=above,
        is_stub=body is not None and _is_stub(body, returns),
        is_test=case or "*testing." in text(parameters) or "testing.TB" in text(parameters),
        is_test_case=case,
        has_error=node.has_error,
    )


def _receiver(receiver: Node) -> str:
    for node in walk(receiver, skip=frozenset({"type_arguments"})):
        if node.type == "type_identifier":
            return text(node)
    return ""


def _is_stub(body: Node, returns: Node | None) -> bool:
    inside: list[Node] = []
    remarks: list[Node] = []
    for part in (body, *(node for node in body.named_children if node.type == "statement_list")):
        more, said = statements(part, _COMMENTS)
        inside += [node for node in more if node.type != "statement_list"]
        remarks += said
    todo = any(says_todo(text(remark)) for remark in remarks)
    if not inside:
        return todo or returns is not None
    if len(inside) > 1:
        return False
    only = inside[0]
    words = text(only)
    if only.type == "expression_statement":
        return words.startswith("panic(") and (says_todo(words) or words == 'panic("")')
    if only.type == "return_statement":
        if "errors.New(" in words or "fmt.Errorf(" in words:
            return says_todo(words)
        values = [
            value
            for part in only.named_children
            for value in (part.named_children if part.type == "expression_list" else [part])
        ]
        return todo and all(value.type in _DEFAULTS for value in values)
    return False


def _documentation(nodes: Sequence[Node]) -> str:
    return plain([node for node in nodes if not text(node).startswith("//go:")])


def _imports(root: Node) -> Iterator[str]:
    for node in root.named_children:
        if node.type == "import_declaration":
            for part in walk(node):
                if part.type == "import_spec":
                    yield text(part.child_by_field_name("path")).strip('"`')


GRAMMAR = Grammar(
    separator=".",
    find=_find,
    plain_documentation=_documentation,
    imports=_imports,
    comments=_COMMENTS,
    sequences=frozenset({"source_file", "block", "statement_list"}),
    atomic=frozenset({"interpreted_string_literal", "raw_string_literal", "rune_literal"}),
    identifiers=frozenset({"identifier", "field_identifier", "type_identifier", "package_identifier"}),
    types=frozenset({"type_identifier"}),
    calls={"call_expression": "function"},
    loops=frozenset({"for_statement"}),
    branches=frozenset({"if_statement", "expression_case", "type_case", "communication_case"}),
    returns=frozenset({"return_statement"}),
    subscripts=frozenset({"index_expression", "slice_expression"}),
    literals={
        "int_literal": "integer",
        "float_literal": "float",
        "interpreted_string_literal": "string",
        "raw_string_literal": "string",
        "rune_literal": "char",
        "true": "boolean",
        "false": "boolean",
        "nil": "null",
        "composite_literal": "list",
        "map_type": "dict",
        "func_literal": "lambda",
    },
)
