"""Which tests of a Python project name a function: static reading of its test files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox import reader
from perforch.workloads import trees
from perforch.workloads.naming import callers, far_callers, is_generic, naming, stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from perforch.changes.function import Function
    from perforch.workloads.model import Tree


def named(tree: Tree, root: str, function: Function) -> tuple[str, ...]:
    """Node ids (without parameters) of the tests that name the function, or else a caller of it in its file,
    or else one in files that use its module.
    """
    files = test_files(tree, root)
    shared = {path: source for path, source in files.items() if PurePosixPath(path).name == "conftest.py"}
    owner = function.name.rpartition(".")[0].rpartition(".")[2]
    module = stem(function.path)
    simple = function.simple_name
    if owner and simple.startswith("__") and simple.endswith("__"):
        simple, owner = owner, ""
    for names, near in _wanted(tree, root, function, simple):
        context = {owner or module, module} if near and any(is_generic(name) for name in names) else set()
        fitting = {
            path: source
            for path, source in files.items()
            if owner or not near or _means(source, names, function.path)
        }
        found = naming(Language.PYTHON, fitting, names, context=context, shared=shared) if names else ()
        if found:
            return tuple(dict.fromkeys(_identifier(one.path, one.definition.name) for one in found))
    return ()


def _wanted(tree: Tree, root: str, function: Function, simple: str) -> Iterator[tuple[set[str], bool]]:
    """What tests may name, best first, and whether it stands in the function's own file."""
    yield {simple}, True
    yield set(callers(Language.PYTHON, read(tree.source / function.path), function.simple_name)), True
    base, module = tree.source / root, stem(function.path).encode()
    users = {
        path.relative_to(base).as_posix(): source
        for path in trees.files(base)
        if path.suffix == ".py"
        and not syntax.is_test_path(path.relative_to(base).as_posix())
        and module in (source := read(path))
    }
    yield set(far_callers(Language.PYTHON, users, function.simple_name)), False


def ours(tree: Tree, root: str, name: str) -> bool:
    """Is this a top-level module of the project?"""
    places = (tree.source / root, tree.source / root / "src", tree.source / root / "lib", tree.source)
    return any((place / name).is_dir() or (place / f"{name}.py").is_file() for place in places)


def test_files(tree: Tree, root: str) -> dict[str, bytes]:
    """Test files by their path from the project root."""
    base = tree.source / root
    found = {}
    for path in trees.files(base):
        name = path.relative_to(base).as_posix()
        if path.suffix == ".py" and syntax.is_test_path(name):
            found[name] = read(path)
    return found


def read(path: Path) -> bytes:
    """A file of the tree; empty when it is not a plain file."""
    return reader.read(path.parent, path.name) or b""


def _means(source: bytes, names: set[str], path: str) -> bool:
    """False when the file imports a function of that name from a module that cannot be ours."""
    if not any(name.encode() in source for name in names):
        return True  # it may still use a shared fixture
    parts = {*PurePosixPath(path).with_suffix("").parts}
    homes = [
        home
        for home, _, last in (name.rpartition(".") for name in syntax.imports(Language.PYTHON, source))
        if last in names and home
    ]
    return not homes or any(home.startswith(".") or home.rpartition(".")[2] in parts for home in homes)


def _identifier(path: str, name: str) -> str:
    return "::".join([path, *name.split(".")])
