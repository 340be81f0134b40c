"""C++: free functions, members, constructors, operators, templates, cases of gtest and Catch2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perforch.languages.syntax.cpp_gaps import only_gaps
from perforch.languages.syntax.cpp_names import scopes
from perforch.languages.syntax.remarks import plain
from perforch.languages.syntax.tree import (
    MAX_DEPTH,
    Found,
    Grammar,
    Preceding,
    child,
    fold,
    says_todo,
    statements,
    text,
    walk,
    wrong,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_COMMENTS = frozenset({"comment"})
_CLASSES = frozenset({"class_specifier", "struct_specifier", "union_specifier"})
_PLACES = frozenset(
    {
        "translation_unit",
        "declaration_list",
        "field_declaration_list",
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
        "preproc_elif",
        "preproc_elifdef",
        "ERROR",
        "friend_declaration",
    }
)
_HOLDERS = frozenset({"declaration", "field_declaration", "type_definition"})
_DECLARATORS = frozenset(
    {
        "pointer_declarator",
        "reference_declarator",
        "parenthesized_declarator",
        "attributed_declarator",
        "init_declarator",
    }
)
_TESTS = frozenset(
    {
        "TEST",
        "TEST_F",
        "TEST_P",
        "TYPED_TEST",
        "TYPED_TEST_P",
        "BOOST_AUTO_TEST_CASE",
        "BOOST_FIXTURE_TEST_CASE",
    }
)
_BLOCK_TESTS = frozenset(
    {"TEST_CASE", "SCENARIO", "TEMPLATE_TEST_CASE", "TEST_CASE_METHOD", "TEST_CASE_FIXTURE"}
)
_DEFAULTS = frozenset(
    {"number_literal", "null", "true", "false", "string_literal", "initializer_list", "char_literal"}
)


def _find(root: Node) -> Iterator[Found]:
    stack: list[tuple[Node, Node, tuple[str, ...], list[Node]]] = [(root, root, (), [])]
    while stack:
        node, outer, owner, above = stack.pop()
        if len(owner) > MAX_DEPTH:
            continue
        if node.type == "function_definition":
            found = _function(node, outer, owner, above)
            if found is not None:
                yield found
        elif node.type == "template_declaration":
            inner = node.named_children[-1] if node.named_children else None
            if inner is not None and inner.type not in {"template_parameter_list", "ERROR"}:
                stack.append((inner, outer, owner, above))
        elif node.type == "namespace_definition":
            body = node.child_by_field_name("body")
            if body is not None:
                name = "".join(text(node.child_by_field_name("name")).split()).replace("inline", "")
                stack.append((body, body, (*owner, *(part for part in name.split("::") if part)), []))
        elif node.type == "linkage_specification":
            body = node.child_by_field_name("body")
            if body is not None:
                stack.append((body, node if body.type != "declaration_list" else body, owner, above))
        elif node.type in _CLASSES:
            body = node.child_by_field_name("body")
            if body is not None:
                stack.append((body, body, (*owner, *scopes(node.child_by_field_name("name"))), []))
        elif node.type in _HOLDERS:
            kind = node.child_by_field_name("type")
            if kind is not None and kind.type in _CLASSES:
                stack.append((kind, kind, owner, []))
            elif node.type != "type_definition":
                yield from _prototypes(node, outer, owner, above)
        elif node.type in _PLACES:
            around = owner[:-1] if node.type == "friend_declaration" else owner
            preceding = Preceding(_COMMENTS)
            inside: list[tuple[Node, Node, tuple[str, ...], list[Node]]] = []
            previous: Node | None = None
            for part in node.named_children:
                if preceding.see(part):
                    continue
                case = _block_test(previous, part)
                if case is not None:
                    stack.extend(reversed(inside))
                    inside = []
                    yield case
                nested = outer if node.type == "friend_declaration" else part
                inside.append(
                    (
                        part,
                        nested,
                        around,
                        above if node.type == "friend_declaration" else preceding.above(part),
                    )
                )
                preceding.passed(part)
                previous = part
            stack.extend(reversed(inside))


def _prototypes(node: Node, outer: Node, owner: tuple[str, ...], above: list[Node]) -> Iterator[Found]:
    """Functions that are declared; variables and pointers to functions are none."""
    for declarator in node.children_by_field_name("declarator"):
        inner = _declares(declarator)
        if inner is None or inner.type not in {"function_declarator", "operator_cast"}:
            continue
        found = _found(node, inner, outer, owner, above)
        if found is None or found.has_error:
            continue
        name = found.simple_name
        # Without a type only constructors, destructors and conversions are functions; the rest are macros.
        if found.returns is not None or name.startswith(("~", "operator")) or owner[-1:] == (name,):
            yield found


def _declares(declarator: Node | None) -> Node | None:
    """The innermost declarator of a function, or what else is declared."""
    for _ in range(MAX_DEPTH):
        if declarator is None:
            return None
        if declarator.type == "function_declarator":
            inner = declarator.child_by_field_name("declarator")
            if inner is None or inner.type != "parenthesized_declarator":
                break
            # `int (*f(int))(char)`: the parameters of f are those of the inner declarator.
            nested = next((part for part in walk(inner) if part.type == "function_declarator"), None)
            if nested is None:
                return inner
            declarator = nested
        elif declarator.type in _DECLARATORS:
            declarator = declarator.child_by_field_name("declarator") or (
                declarator.named_children[-1] if declarator.named_children else None
            )
        else:
            break
    return declarator


def _function(node: Node, outer: Node, owner: tuple[str, ...], above: list[Node]) -> Found | None:
    declarator = _declares(node.child_by_field_name("declarator"))
    return _found(node, declarator, outer, owner, above)


def _found(
    node: Node, declarator: Node | None, outer: Node, owner: tuple[str, ...], above: list[Node]
) -> Found | None:
    if declarator is None:
        return None
    named = (
        declarator.child_by_field_name("declarator")
        if declarator.type == "function_declarator"
        else declarator
    )
    parts = scopes(named)
    if not parts:
        return None
    parameters = declarator.child_by_field_name("parameters")
    if parameters is None:
        parameters = next((part for part in walk(declarator) if part.type == "parameter_list"), None)
        if parameters is None:
            return None
    # The grammar keeps the body of `A() try : a(1) { } catch (...) { }` in a statement.
    body = node.child_by_field_name("body") or child(node, "try_statement")
    returns = node.child_by_field_name("type")
    name, around = parts[-1], (*owner, *parts[:-1])
    case = False
    if returns is None and name in _TESTS:
        case = True
        words = [fold(part) for part in text(parameters).strip("()").split(",")]
        name, around = ".".join(words[:2]), ()
    return Found(
        owner="::".join(around),
        simple_name=name,
        node=outer,
        body=body,
        body_from=child(node, "field_initializer_list"),
        first=above[0] if above else outer,
        parameters=parameters,
        returns=returns,
        documentation=above,
        is_stub=body is not None and _is_stub(body, returns),
        is_test=case,
        is_test_case=case,
        # An unknown macro in front of the declaration is an error to the grammar, but not to us.
        has_error=_is_broken(node, declarator)
        or (body is not None and body.has_error and not only_gaps(body)),
    )


def _is_broken(node: Node, declarator: Node) -> bool:
    """Are there errors before the body? A word too many in front is a macro."""
    kind = node.child_by_field_name("type")
    if kind is not None and kind.type in _CLASSES and kind.child_by_field_name("body") is not None:
        return True  # no function returns what it defines: something between the two was lost
    for part in wrong(node):
        if part.end_byte <= declarator.start_byte and not re.fullmatch(r"\s*[\w:]*\s*", text(part)):
            return True
    if not declarator.has_error:
        return False
    # The grammar misses a type in front of the braces of `f(Options o = {})`.
    parts = wrong(declarator)
    return any(part.is_error or part.type != "type_identifier" for part in parts) and not only_gaps(
        declarator
    )


def _block_test(previous: Node | None, block: Node) -> Found | None:
    """`TEST_CASE("name") { ... }` is a call and a block to the grammar."""
    if previous is None or block.type != "compound_statement" or previous.type != "expression_statement":
        return None
    call = previous.named_children[0] if previous.named_children else None
    if (
        call is None
        or call.type != "call_expression"
        or text(call.child_by_field_name("function")) not in _BLOCK_TESTS
    ):
        return None
    arguments = call.child_by_field_name("arguments")
    string = (
        next((part for part in arguments.named_children if part.type == "string_literal"), None)
        if arguments
        else None
    )
    return Found(
        owner="",
        simple_name=text(string).strip('"') or "TEST_CASE",
        node=block,
        declaration=previous,
        body=block,
        first=previous,
        parameters=arguments,
        is_test=True,
        is_test_case=True,
        has_error=block.has_error,
    )


def _is_stub(body: Node, returns: Node | None) -> bool:
    if body.type != "compound_statement":
        return False
    inside, remarks = statements(body, _COMMENTS)
    todo = any(says_todo(text(remark)) for remark in remarks)
    if not inside:
        return todo or (returns is not None and text(returns) != "void")
    if len(inside) > 1:
        return False
    only = inside[0]
    words = text(only)
    if only.type == "throw_statement":
        return says_todo(words)
    if only.type == "expression_statement":
        return words.startswith(("assert(", "throw ", "std::abort(", "abort(")) and (says_todo(words) or todo)
    if only.type == "return_statement":
        values = [value for value in only.named_children if value.type not in _COMMENTS]
        return todo and (not values or values[0].type in _DEFAULTS)
    return False


def _imports(root: Node) -> Iterator[str]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "preproc_include":
            yield text(node.child_by_field_name("path")).strip('<>"')
        elif node.type in _PLACES or node.type in {"namespace_definition", "linkage_specification"}:
            stack.extend(node.named_children)


GRAMMAR = Grammar(
    separator="::",
    find=_find,
    plain_documentation=plain,
    imports=_imports,
    comments=_COMMENTS,
    sequences=frozenset(),
    atomic=frozenset({"string_literal", "raw_string_literal", "char_literal", "system_lib_string"}),
    identifiers=frozenset({"identifier", "field_identifier", "type_identifier", "namespace_identifier"}),
    types=frozenset({"type_identifier", "primitive_type", "sized_type_specifier"}),
    calls={"call_expression": "function"},
    loops=frozenset({"for_statement", "for_range_loop", "while_statement", "do_statement"}),
    branches=frozenset({"if_statement", "conditional_expression", "case_statement"}),
    returns=frozenset({"return_statement", "co_return_statement", "co_yield_statement"}),
    subscripts=frozenset({"subscript_expression"}),
    literals={
        "string_literal": "string",
        "raw_string_literal": "string",
        "char_literal": "char",
        "true": "boolean",
        "false": "boolean",
        "null": "null",
        "nullptr": "null",
        "initializer_list": "list",
        "lambda_expression": "lambda",
    },
)
