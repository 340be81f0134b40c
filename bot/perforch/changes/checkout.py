"""A revision as plain files in a folder, without touching the repository it comes from."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.changes.git import SUBMODULE, SYMLINK
from perforch.errors import RepositoryError

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.changes.git import Entry, Git


def checkout(git: Git, revision: str, directory: Path) -> tuple[str, ...]:
    """Write every file of `revision` below `directory`, which is created or empty.

    Contents are the stored bytes: no filter, no LFS download, no line-end conversion, no submodule. Exec
    bits stay.
    Symbolic links that stay inside are made last, so that nothing is written through one.

    Returns:
        Paths that were left out: submodules, links that leave the tree, names that no checkout may have.

    Raises:
        RepositoryError: the folder is not empty, or the revision cannot be read.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        message = f"{directory} is not empty"
        raise RepositoryError(message, hint="Name a new folder.")
    left_out: list[str] = []
    files: dict[str, list[tuple[str, Entry]]] = {}
    links: list[tuple[str, str]] = []
    for path, entry in git.tree(revision).items():
        if entry.mode == SUBMODULE or not _is_safe(path):
            left_out.append(path)
        elif entry.mode == SYMLINK:
            links.append((path, entry.sha))
        else:
            files.setdefault(entry.sha, []).append((path, entry))
    for sha, content in git.blobs(files):
        for path, entry in files.pop(sha):
            _write(directory / path, content, executable=entry.mode == "100755")
    if files:
        message = f"{len(files)} files of {revision} are not in this clone"
        raise RepositoryError(message, hint="Clone without --filter.")
    targets = dict(git.blobs({sha for _, sha in links}, limit=4096))
    for path, sha in links:
        target = targets.get(sha, b"").decode("utf-8", "surrogateescape")
        if _stays_inside(path, target):
            place = directory / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        else:
            left_out.append(path)
    return tuple(sorted(left_out))


def _write(place: Path, content: bytes, *, executable: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(place, flags, 0o755 if executable else 0o644), "wb") as stream:
        stream.write(content)


def _is_safe(path: str) -> bool:
    parts = path.split("/")
    return not any(part in {"", ".", ".."} or part.lower() == ".git" or "\0" in part for part in parts)


def _stays_inside(path: str, target: str) -> bool:
    """Leading `..` count against the link's folder; a later one could pass through another link: refused."""
    if not target or target.startswith("/") or "\0" in target:
        return False
    parts = [part for part in target.split("/") if part not in {"", "."}]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    depth = len(PurePosixPath(path).parts) - 1
    return ups <= depth and ".." not in parts[ups:] and not any(part.lower() == ".git" for part in parts)
