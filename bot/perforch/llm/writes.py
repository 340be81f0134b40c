"""What a function writes to that outlives its call: fields, globals, arguments. Names declared inside do not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import parse, text, walk
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


@dataclass(frozen=True, slots=True)
class _Rules:
    """Node types of one language: where names are declared (type -> field, "" for the whole node), and what writes."""

    declares: dict[str, str]
    parameters: frozenset[str]
    writes: dict[str, str]
    calls: dict[
        str, tuple[str, str]
    ]  # call node -> fields of the object and of the method; "" object: inside the function field
    members: dict[str, str]  # member access, subscript, dereference -> field of the object
    by_value: bool = False  # a parameter without & or * in its declaration is the function's own


_RULES = {
    Language.PYTHON: _Rules(
        declares={
            "assignment": "left", "for_statement": "left", "for_in_clause": "left", "as_pattern_target": "",
            "named_expression": "name", "function_definition": "name", "lambda_parameters": "", "class_definition": "name",
        },
        parameters=frozenset({"parameters"}),
        writes={"assignment": "left", "augmented_assignment": "left", "delete_statement": ""},
        calls={"call": ("", "function")},
        members={"attribute": "object", "subscript": "value", "call": "function", "parenthesized_expression": ""},
    ),
    Language.JAVA: _Rules(
        declares={
            "variable_declarator": "name", "enhanced_for_statement": "name", "catch_formal_parameter": "name", "resource": "name",
            "inferred_parameters": "", "lambda_expression": "parameters", "instanceof_expression": "name",
        },
        parameters=frozenset({"formal_parameter", "spread_parameter"}),
        writes={"assignment_expression": "left", "update_expression": ""},
        calls={"method_invocation": ("object", "name")},
        members={"field_access": "object", "array_access": "array", "method_invocation": "object", "parenthesized_expression": ""},
    ),
    Language.CPP: _Rules(
        declares={
            "init_declarator": "declarator", "declaration": "declarator", "for_range_loop": "declarator",
            "structured_binding_declarator": "", "lambda_capture_initializer": "left", "catch_clause": "parameters",
        },
        parameters=frozenset({"parameter_declaration", "optional_parameter_declaration"}),
        writes={"assignment_expression": "left", "update_expression": "argument"},
        calls={"call_expression": ("", "function")},
        members={
            "field_expression": "argument", "subscript_expression": "argument", "pointer_expression": "argument",
            "call_expression": "function", "parenthesized_expression": "",
        },
        by_value=True,
    ),
    Language.GO: _Rules(
        declares={
            "short_var_declaration": "left", "var_spec": "name", "const_spec": "name", "range_clause": "left",
            "type_switch_statement": "alias",
        },
        parameters=frozenset({"parameter_declaration", "variadic_parameter_declaration"}),
        writes={"assignment_statement": "left", "inc_statement": "", "dec_statement": ""},
        calls={"call_expression": ("", "function")},
        members={
            "selector_expression": "operand", "index_expression": "operand", "unary_expression": "operand",
            "slice_expression": "operand", "call_expression": "function", "parenthesized_expression": "",
        },
    ),
    Language.RUST: _Rules(
        declares={
            "let_declaration": "pattern", "for_expression": "pattern", "let_condition": "pattern", "match_arm": "pattern",
            "closure_parameters": "",
        },
        parameters=frozenset({"parameter"}),
        writes={"assignment_expression": "left", "compound_assignment_expr": "left"},
        calls={"call_expression": ("", "function")},
        members={
            "field_expression": "value", "index_expression": "", "unary_expression": "", "call_expression": "function",
            "try_expression": "", "reference_expression": "value", "parenthesized_expression": "",
        },
        by_value=True,
    ),
}  # fmt: skip

# Methods that change the object they are called on.
_EVERYWHERE = "add append extend insert update pop remove clear sort reverse push set put swap merge"
_MUTATORS = {
    Language.PYTHON: f"{_EVERYWHERE} setdefault popitem discard appendleft extendleft popleft rotate move_to_end difference_update "
    "intersection_update symmetric_difference_update subtract write",
    Language.JAVA: f"{_EVERYWHERE} addAll addFirst addLast removeAll removeIf removeFirst removeLast retainAll replaceAll putAll putIfAbsent "
    "computeIfAbsent computeIfPresent compute offer offerFirst offerLast poll pollFirst pollLast setLength insertElementAt getAndIncrement "
    "incrementAndGet addAndGet getAndAdd compareAndSet lock write",
    Language.CPP: f"{_EVERYWHERE} push_back pop_back push_front pop_front emplace emplace_back emplace_front insert_or_assign try_emplace "
    "erase assign replace resize reserve shrink_to_fit splice store fetch_add exchange lock write",
    Language.GO: "Store LoadOrStore Swap CompareAndSwap Add Set Put Delete Push Pop Reset Write WriteString WriteByte Lock",
    Language.RUST: f"{_EVERYWHERE} insert_str push_str push_back push_front pop_back pop_front entry get_or_insert_with get_or_init "
    "extend_from_slice truncate drain retain dedup store fetch_add replace take lock write borrow_mut get_mut",
}
# Functions of the standard library that change their first argument, by the name they are found under.
_IN_PLACE = {
    Language.PYTHON: {
        "heapq": "heapify heappush heappop heapreplace heappushpop",
        "bisect": "insort insort_left insort_right",
        "": "heapify heappush heappop heapreplace heappushpop insort insort_left insort_right",
    },
    Language.JAVA: {
        "Collections": "sort reverse shuffle swap fill addAll rotate replaceAll",
        "Arrays": "sort fill setAll parallelSort parallelPrefix",
    },
    Language.CPP: {
        "std": "sort stable_sort partial_sort nth_element reverse rotate fill fill_n iota swap iter_swap make_heap push_heap pop_heap "
        "sort_heap shuffle unique remove remove_if replace replace_if inplace_merge next_permutation prev_permutation partition",
        "": "sort stable_sort reverse rotate fill iota swap make_heap push_heap pop_heap sort_heap next_permutation",
    },
    Language.GO: {
        "sort": "Ints Strings Float64s Sort Stable Slice SliceStable",
        "slices": "Sort SortFunc SortStableFunc Reverse",
        "heap": "Init Push Pop Fix Remove",
        "": "copy clear delete",
    },
    Language.RUST: {},
}
# What Java passes by reference and nobody can change.
_IMMUTABLE = frozenset(
    "String BigInteger BigDecimal Integer Long Double Character Boolean LocalDate Duration Instant Pattern".split()
)
_NAMES = frozenset({"identifier", "self", "this", "super", "shorthand_field_identifier"})
_SELF = frozenset({"self", "this", "super", "cls"})


def own_names(language: Language, root: Node) -> tuple[set[str], set[str]]:
    """Names declared inside, and parameters that share an object with the caller."""
    rules = _RULES[language]
    inside: set[str] = set()
    shared: set[str] = set()
    outermost = True
    own = next((node for node in walk(root) if node.type == "function_definition"), None)
    for node in walk(root):
        if node.type in rules.declares and node != own:
            wanted = rules.declares[node.type]
            parts = node.children_by_field_name(wanted) if wanted else [node]
            for part in parts:
                inside |= set(_declared(part, rules))
        if node.type in rules.parameters:
            nested = not outermost and _is_nested(node, root)
            names = set(_declared(node, rules))
            if language is Language.GO and _is_result(node):
                inside |= names
                continue
            kind = node.child_by_field_name("type")
            fixed = language is Language.JAVA and kind is not None and text(kind) in _IMMUTABLE
            alias = not fixed and (not rules.by_value or "&" in text(node) or "*" in text(node))
            (shared if alias and not nested else inside).update(names)
            outermost = False
    for node in walk(root):
        if node.type == "global_statement":
            inside -= {text(child) for child in node.named_children}
    return inside, shared - inside


def _is_result(node: Node) -> bool:
    """Is this parameter of Go one that the function returns?"""
    group = node.parent
    owner = None if group is None else group.parent
    return owner is not None and owner.child_by_field_name("result") == group


def _is_nested(node: Node, root: Node) -> bool:
    functions = 0
    parent = node.parent
    while parent is not None and parent != root.parent:
        if parent.type in {
            "function_definition",
            "lambda",
            "lambda_expression",
            "func_literal",
            "closure_expression",
            "method_declaration",
        }:
            functions += 1
        parent = parent.parent
    return functions > 1


def _declared(node: Node, rules: _Rules) -> Iterator[str]:
    """Identifiers of a pattern; of `a.b` or `a[i]` on a left side nothing is declared."""
    if node.type in rules.members and node.type != "parenthesized_expression":
        return
    if node.type in {"identifier", "shorthand_field_identifier"}:
        yield text(node)
        return
    if node.type in {"init_declarator", "default_parameter", "typed_default_parameter"}:
        first = node.named_children[0] if node.named_children else None
        if first is not None:
            yield from _declared(first, rules)
        return
    for child in node.named_children:
        if (
            child.type
            not in {
                "type",
                "type_identifier",
                "type_arguments",
                "template_type",
                "argument_list",
                "parameter_list",
            }
            or node.type == "type"
        ):
            yield from _declared(child, rules)


def written(language: Language, code: str) -> frozenset[str]:
    """Places outside the call that the code writes to, such as `self.cache`, `CACHE` or `items` (an argument)."""
    root = parse(language, code.encode()).root_node
    rules = _RULES[language]
    inside, shared = own_names(language, root)
    found: set[str] = set()
    for node in walk(root):
        for target, direct in _targets(language, node, rules):
            name, member = _place(target, rules)
            if not name or name == "_" or (name in inside and name not in _SELF):
                continue
            if direct and not member and (name in shared or name in _SELF):
                continue  # a parameter is given another value: the caller does not see it
            found.add(f"{name}.{member}" if member and (name in _SELF or name not in shared) else name)
    return frozenset(found)


def _targets(language: Language, node: Node, rules: _Rules) -> Iterator[tuple[Node, bool]]:
    if node.type in rules.writes:
        wanted = rules.writes[node.type]
        parts = node.children_by_field_name(wanted) if wanted else node.named_children[:1]
        for part in parts:
            spread = part.type in {"expression_list", "pattern_list", "tuple_pattern", "list_pattern"}
            for one in part.named_children if spread else [part]:
                yield one, one.type in _NAMES
    if node.type in rules.calls:
        object_field, method_field = rules.calls[node.type]
        method = node.child_by_field_name(method_field)
        if method is None:
            return
        if object_field:
            owner, name = node.child_by_field_name(object_field), text(method)
        else:
            owner = _object(method, rules)
            name = text(method.named_children[-1]) if method.named_children else text(method)
        library = _IN_PLACE[language]
        if name in library.get(_library(method, owner), "").split():
            arguments = node.child_by_field_name("arguments")
            if arguments is not None and arguments.named_children:
                yield arguments.named_children[0], False
        elif owner is not None and name in _MUTATORS[language].split():
            yield owner, False


def _library(method: Node, owner: Node | None) -> str:
    """What a called name is qualified with: `sort` of `sort.Ints`, `std` of `std::sort`; "" for a bare name."""
    if method.type == "qualified_identifier":
        return text(method).rpartition("::")[0]
    return text(owner).rpartition(".")[2] if owner is not None else ""


def _object(node: Node, rules: _Rules) -> Node | None:
    if node.type not in rules.members:
        return None
    wanted = rules.members[node.type]
    return (
        node.child_by_field_name(wanted)
        if wanted
        else (node.named_children[0] if node.named_children else None)
    )


def _place(node: Node, rules: _Rules) -> tuple[str, str]:
    """Root name and first member of a chain: `self.cache[k]` is ("self", "cache")."""
    members: list[str] = []
    current: Node | None = node
    while current is not None and current.type not in _NAMES:
        if current.type in {"qualified_identifier", "scoped_identifier"}:
            return text(current), ""
        if (
            current.type in {"attribute", "field_access", "field_expression", "selector_expression"}
            and current.named_children
        ):
            members.append(text(current.named_children[-1]))
        current = _object(current, rules)
    return (text(current), members[-1] if members else "") if current is not None else ("", "")
