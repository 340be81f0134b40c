"""Dependencies that a C++ build would download, from where they already are on this machine: builds have no network."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox.spec import SOURCE, Mount
from perforch.workloads import builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.workloads.cpp_project import Project
    from perforch.workloads.model import Tree

_INSIDE = "/perforch/fetched"
_DECLARED = re.compile(rb"(?i)\bFetchContent_Declare\s*\(\s*([\w.+-]+)")
_SUBMODULE = re.compile(rb"(?m)^\s*path\s*=\s*(\S+)\s*$")
_PACKAGED = {name: Path("/usr/src/googletest") for name in ("googletest", "gtest", "google_test")}
_MOST = 50


def submodules(tree: Tree, checkout: Path | None) -> tuple[Mount, ...]:
    """Submodules of the user's checkout, for those that the tree only has as empty folders."""
    if checkout is None:
        return ()
    found = []
    for name in _SUBMODULE.findall(builds.read(tree.source, ".gitmodules"))[:_MOST]:
        path = PurePosixPath(name.decode("utf-8", "replace"))
        if path.is_absolute() or ".." in path.parts or ".git" in path.parts or not path.parts:
            continue
        place, there = tree.source / path, checkout / path
        # A `.git` that is a file has no configuration, so no credentials, below it.
        if (
            _plain(tree.source, place)
            and not any(place.iterdir())
            and _plain(checkout, there)
            and (there / ".git").is_file()
        ):
            found.append(Mount(there, f"{SOURCE}/{path}"))
    return tuple(found)


def flags(
    tree: Tree, project: Project, checkout: Path | None
) -> tuple[tuple[str, ...], tuple[Mount, ...], tuple[str, ...]]:
    """CMake's options for what FetchContent declares, the mounts they need, and what was found nowhere.

    Sources come from a build folder of the user's checkout or from the distribution's packages; installed packages are preferred to
    downloads that cannot happen (https://cmake.org/cmake/help/latest/module/FetchContent.html).
    """
    declared = {
        name.decode().lower()
        for text in builds.sources(tree, project.root, ("CMakeLists.txt", ".cmake")).values()
        for name in _DECLARED.findall(text)
    }
    options = ["-DFETCHCONTENT_FULLY_DISCONNECTED=ON", "-DFETCHCONTENT_TRY_FIND_PACKAGE_MODE=ALWAYS"]
    mounts = []
    missing = []
    for name in sorted(declared)[:_MOST]:
        place = next(_fetched(checkout, project, name), None)
        packaged = _PACKAGED.get(name)
        if place is not None:
            mounts.append(Mount(place, f"{_INSIDE}/{name}"))
            options.append(f"-DFETCHCONTENT_SOURCE_DIR_{name.upper()}={_INSIDE}/{name}")
        elif packaged is not None and (packaged / "CMakeLists.txt").is_file():
            options.append(f"-DFETCHCONTENT_SOURCE_DIR_{name.upper()}={packaged}")
        else:
            missing.append(name)
    return tuple(options), tuple(mounts), tuple(missing)


def _fetched(checkout: Path | None, project: Project, name: str) -> Iterator[Path]:
    if checkout is None:
        return
    for depth in ("_deps", "*/_deps", "*/*/_deps"):
        for place in sorted((checkout / project.root).glob(f"{depth}/{name}-src")):
            if _plain(checkout, place):
                yield place


def _plain(root: Path, place: Path) -> bool:
    """A folder below `root` that no link leads to."""
    return place.is_dir() and place.resolve() == root.resolve() / place.relative_to(root)
