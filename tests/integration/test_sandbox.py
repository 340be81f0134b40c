"""The sandbox with a real bubblewrap: what a hostile program cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.sandbox import open_sandbox
from perforch.sandbox.spec import OUTPUT, Command, Mount

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.sandbox.spec import Sandbox

# Prints each way of making a set-id file that was not refused.
SET_ID = r"""
import os
def attempt(name, action):
    try:
        action()
    except PermissionError:
        return
    print(name)
for bits in (0o4755, 0o2755):
    open("/out/file", "w").close()
    attempt("chmod", lambda: os.chmod("/out/file", bits))
    fd = os.open("/out/file", os.O_RDONLY)
    attempt("fchmod", lambda: os.fchmod(fd, bits))
    attempt("open", lambda: os.open("/out/opened", os.O_CREAT | os.O_WRONLY, bits))
    attempt("tmpfile", lambda: os.open("/out", os.O_TMPFILE | os.O_WRONLY, bits))
    attempt("mknod", lambda: os.mknod("/out/node", 0o100000 | bits))
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


def test_no_set_id_file_is_left_outside(sandbox: Sandbox, tmp_path: Path) -> None:
    out = (Mount(tmp_path, OUTPUT, writable=True),)
    done = sandbox.run(Command(("/usr/bin/python3", "-c", SET_ID), cwd=OUTPUT, mounts=out))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    shell = "cp /bin/sh /out/sh && chmod 755 /out/sh && ! chmod 4755 /out/sh && ! chmod 2755 /out/sh && test -x /out/sh"
    assert sandbox.run(Command(("/bin/sh", "-c", shell), cwd=OUTPUT, mounts=out)).ok
    assert [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o6000] == []
