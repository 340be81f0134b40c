"""Tree-sitter as the rest of the room uses it: parse, walk without recursion, cut text out of nodes."""

from __future__ import annotations

import functools
import importlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tree_sitter import Language as TreeSitterLanguage
from tree_sitter import Parser

from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tree_sitter import Node, Tree

_KEPT_BYTES = 2_000_000
MAX_DEPTH = 60  # of classes and namespaces around a function; deeper ones are not looked into
_GRAMMARS = {
    Language.PYTHON: "tree_sitter_python",
    Language.JAVA: "tree_sitter_java",
    Language.CPP: "tree_sitter_cpp",
    Language.GO: "tree_sitter_go",
    Language.RUST: "tree_sitter_rust",
}
_TODO = re.compile(
    r"\b(todo|fixme|not[ _-]?(yet[ _-]?)?implemented|unimplemented|implement (me|this)|your code here)\b",
    re.IGNORECASE,
)


@functools.cache
def _grammar(language: Language) -> TreeSitterLanguage:
    return TreeSitterLanguage(importlib.import_module(_GRAMMARS[language]).language())


def parse(language: Language, source: bytes) -> Tree:
    """The concrete syntax tree; there is always one, with error nodes where the source is not understood."""
    return _parse(language, source) if len(source) < _KEPT_BYTES else _parse.__wrapped__(language, source)


@functools.lru_cache(maxsize=4)
def _parse(language: Language, source: bytes) -> Tree:
    # Who asks for the functions of a file mostly goes on to ask for tokens or names of the same bytes.
    return Parser(_grammar(language)).parse(source)


@dataclass(slots=True)
class Found:
    """A function as a language module finds it; `definition.build` makes a `Definition` of it."""

    owner: str
    simple_name: str
    node: Node  # the declaration from its first modifier or `template` to its end
    body: Node | None
    first: Node  # where the documentation or the first decorator begins
    parameters: Node | None = None
    returns: Node | None = None
    documentation: Sequence[Node] = ()
    hidden: list[Node] = field(
        default_factory=list
    )  # annotations inside the declaration that the signature leaves out
    declaration: Node | None = None  # where the signature begins, when not at `node`
    body_from: Node | None = (
        None  # where the signature ends, when before `body` (member initialisers) or without it
    )
    is_stub: bool = False
    is_test: bool = False
    is_test_case: bool = False
    has_error: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the shared walks must know about one language: names of node types.

    `atomic` nodes are one token, whatever is inside; `sequences` hold statements that end with the line.
    """

    separator: str
    find: Callable[[Node], Iterator[Found]]
    plain_documentation: Callable[[Sequence[Node]], str]
    imports: Callable[[Node], Iterator[str]]
    comments: frozenset[str]
    sequences: frozenset[str]
    atomic: frozenset[str]
    identifiers: frozenset[str]
    types: frozenset[str]
    calls: dict[str, str]  # node type -> field that holds what is called
    loops: frozenset[str]
    branches: frozenset[str]
    returns: frozenset[str]
    subscripts: frozenset[str]
    literals: dict[str, str]  # node type -> kind
    indented: bool = False  # Python: blocks are indented and documentation is a statement


def walk(root: Node, *, skip: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Every node from `root` down, in source order, without recursion; `skip` types are not entered."""
    cursor = root.walk()
    while True:
        node = cursor.node
        assert node is not None
        yield node
        if node.type not in skip and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def wrong(root: Node) -> Iterator[Node]:
    """Errors and missing tokens below `root`; what is inside an error is not looked into."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            stack.extend(node.children)


def blank(content: bytes) -> bytes:
    """Spaces of the same length, line ends kept."""
    return re.sub(rb"[^\r\n]", b" ", content)


def text(node: Node | None) -> str:
    """The node's source as text, "" for None."""
    if node is None or node.text is None:
        return ""
    return node.text.decode("utf-8", "replace")


def fold(value: str) -> str:
    """Whitespace folded to single spaces."""
    return " ".join(value.split())


def child(node: Node, *types: str) -> Node | None:
    """The first child of one of these types."""
    for candidate in node.children:
        if candidate.type in types:
            return candidate
    return None


def says_todo(value: str) -> bool:
    """Does this text say that something is not written yet?"""
    return _TODO.search(value) is not None


def statements(body: Node, comments: frozenset[str]) -> tuple[list[Node], list[Node]]:
    """Named children of a body: statements, and comments apart."""
    inside: list[Node] = []
    remarks: list[Node] = []
    for node in body.named_children:
        (remarks if node.type in comments else inside).append(node)
    return inside, remarks


class Preceding:
    """Collects the comments and attributes that stand directly above the next declaration."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        self._nodes: list[Node] = []
        self._last_row = -1

    def see(self, node: Node) -> bool:
        """True when the node is a comment or attribute (and kept); otherwise nothing happens."""
        if node.type not in self._kinds:
            return False
        if "comment" in node.type and node.start_point.row == self._last_row and not self._nodes:
            return True  # a remark behind other code belongs to that code
        if self._nodes and node.start_point.row > _last_line(self._nodes[-1]) + 1:
            self._nodes = []
        self._nodes.append(node)
        return True

    def passed(self, node: Node) -> None:
        """Another node went by: what was collected belonged to it."""
        self._nodes = []
        self._last_row = node.end_point.row

    def above(self, node: Node) -> list[Node]:
        """What stands directly above `node`, in order."""
        nodes = self._nodes
        if nodes and node.start_point.row > _last_line(nodes[-1]) + 1:
            return []
        return list(nodes)


def _last_line(node: Node) -> int:
    # A Rust line comment contains its newline and so ends on the next row at column 0.
    return node.end_point.row - (
        1 if node.end_point.column == 0 and node.end_point.row > node.start_point.row else 0
    )
