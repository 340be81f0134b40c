"""Which bubblewrap is started: the system's own, and nobody else's."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import SandboxUnavailableError

if TYPE_CHECKING:
    import os

INSTALL = "Run runner-config/install-packages.sh, or: apt-get install bubblewrap"
_ELF = b"\x7fELF"


def binary() -> Path:
    """The `bwrap` that PATH names, links resolved: a program that belongs to root, writable by nobody else, not setuid.

    Raises:
        SandboxUnavailableError: it is missing, or could have been put there by somebody.
    """
    found = shutil.which("bwrap")
    if found is None:
        message = "bubblewrap (bwrap) is not installed, or not on PATH"
        raise SandboxUnavailableError(message, hint=INSTALL)
    try:
        path = Path(found).resolve(strict=True)
        mode = path.stat().st_mode
        with path.open("rb") as file:
            is_program = file.read(len(_ELF)) == _ELF
    except OSError as error:
        message = f"{found} cannot be examined: {error.strerror}"
        raise SandboxUnavailableError(message, hint=INSTALL) from error
    if not is_program:
        message = f"{found} is a script, not bubblewrap"
        raise SandboxUnavailableError(message, hint=f"Remove it from PATH. {INSTALL}")
    for part in (path, *path.parents):
        if _others_may_write(part.stat()):
            message = f"{found} can be changed by somebody other than root"
            raise SandboxUnavailableError(message, hint=f"Remove it from PATH. {INSTALL}")
    if mode & (stat.S_ISUID | stat.S_ISGID):
        message = f"{found} is setuid"
        raise SandboxUnavailableError(message, hint=f"Run: chmod u-s {path} (user namespaces replace it).")
    return path


def _others_may_write(found: os.stat_result) -> bool:
    open_to_all = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    sticky = (
        stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    )  # such as /tmp: entries stay their owner's
    return found.st_uid != 0 or bool(open_to_all and not sticky)
