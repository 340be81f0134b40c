"""Which tests of a Rust project name a function: static reading, macros of the file that make tests included."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import parse, text, walk
from perforch.result import Language
from perforch.workloads import builds
from perforch.workloads.naming import callers, far_callers, is_generic, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

    from perforch.changes.function import Function
    from perforch.workloads.model import Tree
    from perforch.workloads.rust_project import Project

_MAKES_TESTS = re.compile(r"#\s*\[\s*test\s*\].*?\bfn\s+\$(\w+)", re.DOTALL)
_FIRST = re.compile(r"[({\[]\s*(\w+)\s*[:,;=]")
_EACH = re.compile(r"(?:^\s*[({\[]|[,;])\s*(\w+)\s*(?::(?!:)|=>)", re.MULTILINE)


def named(tree: Tree, project: Project, function: Function) -> Iterator[tuple[str, str]]:
    """File and qualified name inside it of the tests that name the function, or a caller in its file."""
    files = {
        path: source
        for path, source in builds.sources(tree, project.root, (".rs",)).items()
        if b"test" in source and (not project.file or path == project.file)
    }
    owner = function.name.rpartition("::")[0].rpartition("::")[2]
    simple = function.simple_name
    stem = PurePosixPath(function.path).stem
    context = {owner or stem, stem} if is_generic(simple) else set()
    found = list(_all(files, {simple}, context))
    if not found:
        others = callers(Language.RUST, builds.read(tree.source, function.path), simple)
        found = list(_all(files, set(others), set())) if others else []
    if not found:
        home = stem.encode() if stem not in {"lib", "main", "mod"} else simple.encode()
        around = {
            path: source
            for path, source in builds.sources(tree, project.root, (".rs",)).items()
            if home in source and not path.startswith(f"{project.root}/tests/".lstrip("/"))
        }
        others = far_callers(Language.RUST, around, simple)
        found = list(_all(files, set(others), set())) if others else []
    yield from found


def _all(files: Mapping[str, bytes], names: set[str], context: set[str]) -> Iterator[tuple[str, str]]:
    for one in naming(Language.RUST, files, names, context=context):
        yield one.path, one.definition.name
    for path, source in files.items():
        if b"macro_rules!" in source and (not context or any(word.encode() in source for word in context)):
            yield from ((path, name) for name in by_macros(source, names))


def module_end(source: bytes, test: str) -> int:
    """Where the module of a test ends, before its brace; the end of the file for tests outside modules."""
    owner = test.split("::")[:-1]
    for node in walk(parse(Language.RUST, source).root_node):
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type != "mod_item" or name is None or body is None:
            continue
        if [*_modules(node), text(name)] == owner:
            return body.end_byte - 1
    return len(source)


def by_macros(source: bytes, names: set[str] | None = None) -> tuple[str, ...]:
    """Tests that a macro of this file makes, when the macro or its call mentions one of the names; all when None.

    The name of a test is what its macro is called with first, or what stands before a colon or arrow in every part of the call.
    """
    root = parse(Language.RUST, source).root_node
    nodes = list(walk(root))
    makers: dict[str, bool] = {}  # name of a macro, and whether it mentions a name itself
    for node in nodes:
        name = node.child_by_field_name("name")
        if node.type == "macro_definition" and name is not None and _MAKES_TESTS.search(text(node)):
            makers[text(name)] = _mentions(node, names)
    found: list[str] = []
    for node in nodes:
        called = node.child_by_field_name("macro")
        if node.type != "macro_invocation" or called is None or text(called) not in makers:
            continue
        if not makers[text(called)] and not _mentions(node, names):
            continue
        arguments = text(node)[len(text(called)) + 1 :]
        first = _FIRST.search(arguments)
        made = _EACH.findall(arguments) or ([first.group(1)] if first else [])
        found += ["::".join((*_modules(node), one)) for one in made]
    return tuple(dict.fromkeys(found))


def _mentions(node: Node, names: set[str] | None) -> bool:
    return names is None or not names.isdisjoint(re.findall(r"\w+", text(node)))


def _modules(node: Node) -> list[str]:
    found: list[str] = []
    parent = node.parent
    while parent is not None:
        name = parent.child_by_field_name("name")
        if parent.type == "mod_item" and name is not None:
            found.insert(0, text(name))
        parent = parent.parent
    return found
