"""Folders that untrusted programs have written to, removed whatever they left: depth, modes, links, names.

Nothing is followed and nothing recurses: folders are moved up beside each other before they are emptied, so a path that no system
call takes and a depth that no stack holds are both fine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing there is fine.

    Raises:
        OSError: something stays, such as files of another user or a mounted file system.
    """
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove(parent, path.name)
    finally:
        os.close(parent)


@contextlib.contextmanager
def temporary(prefix: str, *, folder: Path | None = None) -> Iterator[Path]:
    """A new private folder that is gone afterwards, like `tempfile.TemporaryDirectory` but for hostile contents."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            remove(path)


def _remove(parent: int, name: str) -> None:
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
            return
    except FileNotFoundError:
        return
    top = _open(parent, name)
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _empty(top: int) -> None:
    """Empty a folder: everything below it is brought up into it, one level at a time."""
    mark = secrets.token_hex(8)
    waiting = _sweep(top, None, mark, 0)
    count = len(waiting)
    while waiting:
        name = waiting.pop()
        folder = _open(top, name)
        try:
            risen = _sweep(folder, top, mark, count)
        finally:
            os.close(folder)
        count += len(risen)
        waiting += risen
        os.rmdir(name, dir_fd=top)


def _sweep(folder: int, top: int | None, mark: str, count: int) -> list[str]:
    """Unlink what is no folder; move folders to `top`, or leave them where they are. Returns the names they have there."""
    left = []
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in names:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
            continue
        with contextlib.suppress(OSError):  # most are empty, or hold a few files
            os.rmdir(name, dir_fd=folder)
            continue
        if top is None:
            left.append(name)
            continue
        risen = f"{mark}-{count + len(left)}"
        os.close(_open(folder, name))  # a folder must be writable to get another parent
        os.rename(name, risen, src_dir_fd=folder, dst_dir_fd=top)
        left.append(risen)
    return left


def _open(parent: int, name: str) -> int:
    """Open a folder that can be listed and written, whatever modes it has."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        _unlock(parent, name)
        folder = os.open(name, _FOLDER, dir_fd=parent)
    with contextlib.suppress(PermissionError):  # another user's: the next step says so
        if os.fstat(folder).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(folder, stat.S_IRWXU)
    return folder


def _unlock(parent: int, name: str) -> None:
    # A folder that its owner may not read cannot be opened to change that, and chmod by name follows links: one is looked for before.
    # Programs that could exchange it are gone by now.
    if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        return
    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
