"""The folder that `--out` names: results for people in it, everything of our own in `.perforch` below it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from perforch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.changes.git import Git
    from perforch.result import Result

PRIVATE = ".perforch"  # journal, replies, work trees, caches


def prepare(out: Path, git: Git, head: str) -> Path:
    """Make the output folder and the private folder in it, and take the one lock on it.

    A folder that is made here is invisible to git; in one that existed, only the private folder is. Nothing that lies
    there is removed.

    Returns:
        The private folder.

    Raises:
        UsageError: it cannot be made, another run is using it, or the repository's own files are in the way.
    """
    import fcntl

    folder = out.absolute()
    _not_of_the_repository(folder, git, head)
    private = folder / PRIVATE
    try:
        fresh = not folder.exists() or not any(folder.iterdir())
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            (folder / ".gitignore").write_text("*\n")
        private.mkdir(mode=0o700, exist_ok=True)
        if private.is_symlink():
            message = f"--out {out} cannot be used: {PRIVATE} in it is a symbolic link"
            raise UsageError(message, hint="Choose another folder.")
        (private / ".gitignore").write_text("*\n")
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(private / "lock", flags, 0o600)
    except OSError as error:
        message = f"--out {out} cannot be used: {error.strerror}"
        raise UsageError(message, hint="Choose a folder that can be written.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"another perforch is working in {out}"
        raise UsageError(message, hint="Wait for it, or choose another --out.") from error
    return private  # the lock is held until this process ends


def _not_of_the_repository(folder: Path, git: Git, head: str) -> None:
    """A pull request must not bring the folder, or a link to elsewhere, along."""
    place, root = folder.resolve(), git.root.resolve()
    for one in {folder, place}:
        if not one.is_relative_to(root) or one == root:
            continue
        relative = one.relative_to(root)
        taken = {str(relative / PRIVATE), *(str(part) for part in (relative, *relative.parents))}
        for path in git.tree(head):
            if path in taken or path.startswith(f"{relative / PRIVATE}/"):
                message = f"--out {folder} cannot be used: the repository has {path} there"
                raise UsageError(message, hint="Choose another folder.")


def save(result: Result, out: Path) -> None:
    """Write the result and its surfaces; the patches of the result that lay there before go."""
    from perforch.report.files import patches, write
    from perforch.result import load

    try:
        earlier = patches(load(out / "result.json"))
    except UsageError:
        earlier = {}
    for name in earlier:
        (out / name).unlink(missing_ok=True)
    write(result, out)
