"""Files that untrusted programs, or a checkout, have put below a folder: read and listed without being led anywhere else.

Every component is opened by itself and never through a link (openat(2), O_NOFOLLOW), so nothing that is exchanged meanwhile matters.
Pipes, devices and sockets are not waited for, and what is larger than expected is not read. Hard links need no care: a
sandboxed program can make none to what it does not already see.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 16 * 1024**2
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20


def read(root: Path, path: PurePath | str, *, most: int = MOST) -> bytes | None:
    """The content of a plain file; None when there is none, when a link is on the way, or when it is too large.

    Args:
        root: the folder that nothing may lead out of; the way to it is trusted.
        path: below `root`, absolute or relative to it.
        most: bytes.
    """
    try:
        return load(root, path, most=most)
    except OSError:
        return None


def load(root: Path, path: PurePath | str, *, most: int = MOST) -> bytes:
    """Like `read`, with the reason when there is nothing to read.

    Raises:
        OSError: ENOENT, ELOOP or ENOTDIR (a link on the way), EISDIR, ENXIO (no plain file), EFBIG, EACCES; EXDEV outside `root`.
    """
    parts = _parts(root, path)
    if not parts:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _opened(root, parts[:-1]) as folder:
        file = os.open(parts[-1], _FILE, dir_fd=folder)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                number = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.ENXIO
                raise OSError(number, os.strerror(number), str(path))
            if found.st_size > most:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
            content = bytearray()
            while chunk := os.read(file, min(_CHUNK, most + 1 - len(content))):
                content += chunk
                if len(content) > most:  # it grew meanwhile
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
            return bytes(content)
        finally:
            os.close(file)


def is_file(root: Path, path: PurePath | str) -> bool:
    """Is a plain file there, with no link on the way?"""
    try:
        parts = _parts(root, path)
        if not parts:
            return False
        with _opened(root, parts[:-1]) as folder:
            return stat.S_ISREG(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def names(root: Path, path: PurePath | str, *, suffix: str = "", most: int = 10_000) -> tuple[str, ...]:
    """Names of the plain files directly in a folder, sorted; empty when there is no such folder or a link is on the way.

    Args:
        most: entries looked at; a folder can hold millions.
    """
    found = []
    with (
        contextlib.suppress(OSError),
        _opened(root, _parts(root, path)) as folder,
        os.scandir(folder) as entries,
    ):
        for count, entry in enumerate(entries):
            if count >= most:
                break
            if entry.name.endswith(suffix) and entry.is_file(follow_symlinks=False):
                found.append(entry.name)
    return tuple(sorted(found))


def _parts(root: Path, path: PurePath | str) -> tuple[str, ...]:
    pure = PurePath(path)
    if pure.is_absolute():
        if not pure.is_relative_to(root):
            raise OSError(errno.EXDEV, "it lies outside", str(path))
        pure = pure.relative_to(root)
    if ".." in pure.parts or "\0" in str(pure):
        raise OSError(errno.EXDEV, "it leads outside", str(path)[:300].replace("\0", "?"))
    return pure.parts


@contextlib.contextmanager
def _opened(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)
