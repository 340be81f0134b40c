"""One walk that collects what a piece of source is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages.syntax.model import Features
from perforch.languages.syntax.tree import text

if TYPE_CHECKING:
    from tree_sitter import Node

    from perforch.languages.syntax.tree import Grammar

_WORD_OPERATORS = frozenset({"and", "or", "not", "in", "is", "not in", "is not", "instanceof"})
_PUNCTUATION = frozenset("(){}[];,.:'\"`@#\\") | {"::", "->", "=>", "...", "..", "?.", "\n", "/*", "*/", "//"}
_NUMBERS = frozenset({"number_literal"})


def features_of(root: Node, grammar: Grammar) -> Features:
    """Walk once; time grows linearly with the number of nodes."""
    identifiers: set[str] = set()
    called: set[str] = set()
    qualified: set[str] = set()
    types: set[str] = set()
    operators: set[str] = set()
    literals: set[str] = set()
    strings: set[str] = set()
    loops = branches = returns = subscripts = depth = deepest = 0
    cursor = root.walk()
    while True:
        node = cursor.node
        assert node is not None
        kind = node.type
        descend = True
        if kind in grammar.comments:
            descend = False
        elif node.is_named:
            if kind in grammar.identifiers:
                identifiers.add(text(node))
            if kind in grammar.types:
                types.add(text(node)[:200])
            if kind in grammar.calls:
                _called(node, grammar, called, qualified)
            if kind in grammar.literals:
                literals.add(grammar.literals[kind])
                if grammar.literals[kind] == "string":
                    strings.add(text(node)[:200])
                    descend = kind not in grammar.atomic or "interpolation" in {
                        part.type for part in node.named_children
                    }
            elif kind in _NUMBERS:
                value = text(node).lower()
                whole = value.startswith("0x") or not any(mark in value for mark in ".ep")
                literals.add("integer" if whole else "float")
            if kind in grammar.loops:
                loops += 1
                depth += 1
                deepest = max(deepest, depth)
            branches += kind in grammar.branches
            returns += kind in grammar.returns
            subscripts += kind in grammar.subscripts
        elif (
            node.child_count == 0
            and kind not in _PUNCTUATION
            and (not kind[:1].isalpha() or kind in _WORD_OPERATORS)
        ):
            operators.add(kind)
        if descend and cursor.goto_first_child():
            continue
        depth -= node.is_named and kind in grammar.loops
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Features(
                    identifiers=frozenset(identifiers),
                    calls=frozenset(called),
                    qualified_calls=frozenset(qualified),
                    types=frozenset(types),
                    operators=frozenset(operators),
                    literals=frozenset(literals),
                    strings=frozenset(strings),
                    loops=loops,
                    loop_depth=deepest,
                    branches=branches,
                    returns=returns,
                    subscripts=subscripts,
                )
            parent = cursor.node
            assert parent is not None
            depth -= parent.is_named and parent.type in grammar.loops


def _called(node: Node, grammar: Grammar, called: set[str], qualified: set[str]) -> None:
    target = node.child_by_field_name(grammar.calls[node.type])
    if target is None:
        return
    written = "".join(text(target).split())[:300]
    receiver = node.child_by_field_name("object")  # Java keeps the receiver beside the name
    if receiver is not None:
        written = f"{''.join(text(receiver).split())[:200]}.{written}"
    last = written
    for mark in ("<", "("):  # template arguments, calls that are called
        last = last.partition(mark)[0] if not last.startswith(mark) else last
    for separator in ("::", "->", "."):
        last = last.rpartition(separator)[2]
    if last.replace("_", "").replace("$", "").isalnum():
        called.add(last)
        qualified.add(written)
