"""Which tests of a Go module name a function: static reading of its test files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.result import Language
from perforch.workloads import builds, go_project
from perforch.workloads.naming import callers, far_callers, is_generic, naming

if TYPE_CHECKING:
    from perforch.changes.function import Function
    from perforch.workloads.go_project import Module
    from perforch.workloads.model import Tree


def named(tree: Tree, module: Module, function: Function) -> tuple[str, ...]:
    """Ids (`import/path.TestName`) of the tests, checked examples and benchmarks that name the function, or a caller in its
    file. A benchmark checks nothing: without a test or example beside it, nothing is named.
    """
    files = go_project.test_files(tree, module)
    simple = function.simple_name
    home = str(PurePosixPath(function.path).parent)
    near = {path: text for path, text in files.items() if str(PurePosixPath(path).parent) == home}
    package = module.package(home)
    far = {path: text for path, text in files.items() if path not in near and package.encode() in text}
    owner = function.name.rpartition(".")[0]
    context = {owner} if owner and is_generic(simple) else set()
    found = naming(Language.GO, near, {simple}, context=context, shared=near)
    found += naming(Language.GO, far, {simple}, context=context)
    checked = [one for one in found if go_project.is_checked(one.definition, files[one.path])]
    if not checked:
        others = callers(Language.GO, builds.read(tree.source, function.path), simple)
        found += naming(Language.GO, near, set(others), shared=near) if others else ()
        checked = [one for one in found if go_project.is_checked(one.definition, files[one.path])]
    if not checked:
        others = far_callers(Language.GO, _package(tree, home), simple)
        found += naming(Language.GO, near, set(others), shared=near) if others else ()
        checked = [one for one in found if go_project.is_checked(one.definition, files[one.path])]
    if not checked:
        return ()
    measured = [one for one in found if go_project.is_benchmark(one.definition.simple_name)]
    ids = [
        f"{module.package(str(PurePosixPath(one.path).parent))}.{one.definition.simple_name}"
        for one in (*checked, *measured)
        if one.definition.simple_name != "TestMain"
    ]
    return tuple(dict.fromkeys(ids))


def _package(tree: Tree, folder: str) -> dict[str, bytes]:
    """The package's files without its tests."""
    place = tree.source / folder
    names = [one.name for one in sorted(place.glob("*.go")) if not one.name.endswith("_test.go")]
    return {name: builds.read(tree.source, folder, name) for name in names}
