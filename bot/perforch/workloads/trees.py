"""Trees as the sandbox sees them: read-only, or a private writable copy for builds that write beside their sources."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.sandbox import cleaning
from perforch.sandbox.spec import OUTPUT, SOURCE, Mount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.workloads.model import Tree

LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache", ".pytest_cache"}
)  # fmt: skip

_signatures: dict[Path, int] = {}
_locks: dict[Path, threading.Lock] = {}
_guard = threading.Lock()


def readonly(tree: Tree) -> Mount:
    """The tree at `SOURCE`, read-only."""
    return Mount(tree.source, SOURCE)


def private(tree: Tree, name: str) -> Path:
    """A directory of this tree for `name` that is mounted nowhere else, made when it is not there.

    It lies beside `tree.output`, which untrusted programs may write: nothing planted there can redirect what we write here.
    """
    place = tree.output.parent / f"{tree.output.name}.{name}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def output(tree: Tree) -> Mount:
    """The tree's output directory at `OUTPUT`, writable."""
    tree.output.mkdir(parents=True, exist_ok=True)
    return Mount(tree.output, OUTPUT, writable=True)


def writable(tree: Tree) -> tuple[Mount, ...]:
    """A private copy of the tree, writable at `SOURCE`, and the output directory.

    The copy is kept between commands, so that builds are incremental, and made anew when the tree has changed. Candidates
    never share one.
    """
    return Mount(copied(tree, "tree"), SOURCE, writable=True), output(tree)


def copied(tree: Tree, name: str) -> Path:
    """A private copy of the tree's files; version control and environments are left out, links are kept as links."""
    place = tree.output.parent / f"{tree.output.name}.{name}"
    with _guard:
        lock = _locks.setdefault(place, threading.Lock())
    with lock:
        signature = _signature(tree.source)
        if _signatures.get(place) != signature or not place.is_dir():
            # A copy that a build has written to is thrown away whole: writing into it could follow its links.
            cleaning.remove(place)
            shutil.copytree(tree.source, place, symlinks=True, ignore=_ignored)
            _signatures[place] = signature
    return place


def _ignored(_directory: str, names: list[str]) -> set[str]:
    return {".git", ".hg", ".svn", "__pycache__"}.intersection(names)


def _signature(source: Path) -> int:
    seen = []
    for path in files(source):
        status = path.lstat()
        seen.append((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
    return hash(tuple(seen))


def files(root: Path, *, most: int = 100_000) -> Iterator[Path]:
    """Files below `root` in a stable order; links are not followed, version control and environments are skipped."""
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            one for one in folders if one not in LEFT_OUT and not Path(folder, one, "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink():
                yield path
                count += 1
                if count >= most:
                    return
