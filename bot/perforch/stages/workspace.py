"""Trees on disk: head, its variants and the candidates. The user's checkout and its `.git` are never touched."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.changes.checkout import checkout
from perforch.sandbox import cleaning
from perforch.workloads.model import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from perforch.changes.git import Git


@dataclass(frozen=True, slots=True)
class Workspace:
    """A private folder that holds one directory a tree."""

    root: Path

    @classmethod
    def fresh(cls, root: Path) -> Workspace:
        """An empty workspace; what a killed run left behind is removed."""
        remove(root)
        root.mkdir(parents=True)
        # Nobody else on this machine gets at what untrusted programs leave here, whatever modes they give it.
        root.chmod(0o700)
        return cls(root)

    def checkout(self, git: Git, sha: str, label: str) -> Tree:
        """Materialise a revision."""
        tree = self._tree(label)
        checkout(git, sha, tree.source)
        return tree

    def variant(self, origin: Tree, label: str, files: Mapping[str, bytes]) -> Tree:
        """`origin` with some files replaced. Unchanged files are hard links: trees are only ever mounted read-only or copied."""
        tree = self._tree(label)
        tree.source.rmdir()
        shutil.copytree(origin.source, tree.source, symlinks=True, copy_function=_link)
        for path, data in files.items():
            target = tree.source / path
            mode = target.stat().st_mode
            target.unlink()
            target.write_bytes(data)
            target.chmod(mode)
        return tree

    def discard(self, tree: Tree) -> None:
        """Remove a tree that is no longer needed."""
        remove(tree.source.parent)

    def clear(self) -> None:
        """Remove everything."""
        remove(self.root)

    def _tree(self, label: str) -> Tree:
        directory = self.root / label
        source, output = directory / "src", directory / "out"
        for folder in (directory, source, output):
            folder.mkdir()
            folder.chmod(0o755)
        return Tree(source=source, output=output, label=label)


def _link(source: str, target: str) -> str:
    os.link(source, target, follow_symlinks=False)
    return target


def remove(path: Path) -> None:
    """Delete a directory tree, read-only folders (such as Go's module cache) included, whatever programs have left there."""
    cleaning.remove(path)
