"""Rust: functions, inherent and trait implementations, default methods, inline modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages.syntax.remarks import plain
from perforch.languages.syntax.tree import (
    MAX_DEPTH,
    Found,
    Grammar,
    Preceding,
    fold,
    says_todo,
    statements,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_COMMENTS = frozenset({"line_comment", "block_comment"})
_ABOVE = _COMMENTS | {"attribute_item"}
_FUNCTIONS = frozenset({"function_item", "function_signature_item"})
_NAMED = {"mod_item": "name", "trait_item": "name", "impl_item": "type", "foreign_mod_item": ""}
_PLACES = frozenset({"source_file", "declaration_list", "ERROR"})
_DEFAULTS = frozenset(
    {"integer_literal", "float_literal", "boolean_literal", "string_literal", "unit_expression"}
)


def _find(root: Node) -> Iterator[Found]:
    stack: list[tuple[Node, tuple[str, ...], bool, list[Node]]] = [(root, (), False, [])]
    while stack:
        node, owner, tested, above = stack.pop()
        if node.type in _FUNCTIONS:
            yield _function(node, owner, above, tested=tested)
        elif node.type in _NAMED:
            body = node.child_by_field_name("body")
            if body is None or len(owner) >= MAX_DEPTH:
                continue
            where = _NAMED[node.type]
            name = _type_name(node.child_by_field_name(where)) if where else ""
            inside = tested or any(_is_test_attribute(text(part)) for part in above)
            stack.append((body, (*owner, name) if name else owner, inside, []))
        elif node.type in _PLACES:
            preceding = Preceding(_ABOVE)
            inner: list[tuple[Node, tuple[str, ...], bool, list[Node]]] = []
            for part in node.named_children:
                if not preceding.see(part):
                    inner.append((part, owner, tested, preceding.above(part)))
                    preceding.passed(part)
            stack.extend(reversed(inner))


def _type_name(node: Node | None) -> str:
    """The name of a type without path and generics; references and slices as written."""
    for _ in range(MAX_DEPTH):
        if node is None:
            return ""
        if node.type == "generic_type":
            node = node.child_by_field_name("type")
        elif node.type == "scoped_type_identifier":
            node = node.child_by_field_name("name")
        elif node.type == "reference_type":
            node = node.child_by_field_name("type")
        else:
            break
    return fold(text(node))


def _is_test_attribute(attribute: str) -> bool:
    words = "".join(attribute.split())
    if not words.startswith("#["):
        return False
    return (
        words in {"#[test]", "#[bench]"}
        or words.startswith(("#[cfg(test", "#[cfg(all(test", "#[cfg(any(test"))
        or _is_case(words)
    )


def _is_case(words: str) -> bool:
    name = words.removeprefix("#[").partition("(")[0].rstrip("]")
    return name == "test" or name.endswith("::test") or name in {"rstest", "quickcheck", "test_case"}


def _function(node: Node, owner: tuple[str, ...], above: list[Node], *, tested: bool) -> Found:
    body = node.child_by_field_name("body")
    kept = _belonging(above)
    attributes = [text(part) for part in kept if part.type == "attribute_item"]
    returns = node.child_by_field_name("return_type")
    case = any(_is_case("".join(attribute.split())) for attribute in attributes)
    return Found(
        owner="::".join(owner),
        simple_name=text(node.child_by_field_name("name")),
        node=node,
        body=body,
        first=kept[0] if kept else node,
        parameters=node.child_by_field_name("parameters"),
        returns=returns,
        documentation=[part for part in kept if _is_documentation(part)],
        is_stub=body is not None and _is_stub(body, returns),
        is_test=tested or case or any(_is_test_attribute(attribute) for attribute in attributes),
        is_test_case=case,
        has_error=node.has_error,
    )


def _is_documentation(node: Node) -> bool:
    content = text(node)
    if node.type == "line_comment":
        return content.startswith("///") and not content.startswith("////")
    return node.type == "block_comment" and content.startswith("/**") and not content.startswith("/***")


def _belonging(above: list[Node]) -> list[Node]:
    for index, node in enumerate(above):
        if node.type == "attribute_item" or _is_documentation(node):
            return above[index:]
    return []


def _is_stub(body: Node, returns: Node | None) -> bool:
    inside, remarks = statements(body, _COMMENTS)
    todo = any(says_todo(text(remark)) for remark in remarks)
    if not inside:
        return todo or (returns is not None and text(returns) != "()")
    if len(inside) > 1:
        return False
    only = inside[0]
    if only.type == "expression_statement" and only.named_children:
        only = only.named_children[0]
    if only.type == "macro_invocation":
        macro = text(only.child_by_field_name("macro"))
        return macro in {"todo", "unimplemented"} or (macro == "panic" and says_todo(text(only)))
    if only.type == "return_expression" and only.named_children:
        only = only.named_children[0]
    default = only.type in _DEFAULTS or text(only) in {
        "None",
        "Vec::new()",
        "String::new()",
        "Default::default()",
        "vec![]",
    }
    return todo and default


def _imports(root: Node) -> Iterator[str]:
    for node in root.named_children:
        if node.type == "use_declaration":
            yield from _use(node.child_by_field_name("argument"))
        elif node.type == "extern_crate_declaration":
            yield text(node.child_by_field_name("name"))


def _use(node: Node | None) -> Iterator[str]:
    stack: list[tuple[Node | None, str]] = [(node, "")]
    while stack:
        tree, prefix = stack.pop()
        if tree is None:
            continue
        if tree.type == "scoped_use_list":
            path = fold(text(tree.child_by_field_name("path")))
            stack.append((tree.child_by_field_name("list"), f"{prefix}{path}::"[:1000]))
        elif tree.type == "use_list":
            stack.extend((part, prefix) for part in tree.named_children)
        elif tree.type == "use_as_clause":
            stack.append((tree.child_by_field_name("path"), prefix))
        elif tree.type == "use_wildcard" or tree.type not in _COMMENTS:
            yield prefix + fold(text(tree))


GRAMMAR = Grammar(
    separator="::",
    find=_find,
    plain_documentation=plain,
    imports=_imports,
    comments=_COMMENTS,
    sequences=frozenset(),
    atomic=frozenset({"string_literal", "raw_string_literal", "char_literal"}),
    identifiers=frozenset(
        {"identifier", "field_identifier", "type_identifier", "shorthand_field_identifier"}
    ),
    types=frozenset({"type_identifier", "primitive_type"}),
    calls={"call_expression": "function", "macro_invocation": "macro"},
    loops=frozenset({"for_expression", "while_expression", "loop_expression"}),
    branches=frozenset({"if_expression", "match_arm"}),
    returns=frozenset({"return_expression"}),
    subscripts=frozenset({"index_expression"}),
    literals={
        "integer_literal": "integer",
        "float_literal": "float",
        "string_literal": "string",
        "raw_string_literal": "string",
        "char_literal": "char",
        "boolean_literal": "boolean",
        "array_expression": "list",
        "tuple_expression": "tuple",
        "closure_expression": "lambda",
    },
)
