"""Byte code of installed packages. Some installers leave none, and a read-only mount would then be compiled anew on every start:
seconds a run, on one side or the other."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.sandbox import cleaning
from perforch.sandbox.spec import OUTPUT, Command, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Sandbox

_SECONDS = 300.0
_LEFT_OUT = {"__pycache__"}


def is_compiled(packages: Path, version: tuple[int, int]) -> bool:
    """Does the first package found have byte code for this version?"""
    tag = f"cpython-{version[0]}{version[1]}"
    for package in sorted(packages.glob("*/__init__.py"))[:20]:
        return any((package.parent / "__pycache__").glob(f"__init__.{tag}*.pyc"))
    return True  # nothing to compile


def compiled(
    sandbox: Sandbox, path: str, mounts: Sequence[Mount], sources: Sequence[Path], folder: Path | None
) -> Path | None:
    """A copy of package folders with byte code, made once and kept; None when it cannot be made.

    Args:
        path, mounts: the interpreter inside the sandbox.
        sources: package folders and single modules; one folder alone stands for the folder that holds packages.
        folder: where copies are kept.
    """
    kept = (folder if folder is not None else _temporary()) / "bytecode"
    key = "\0".join([path, *(f"{source}:{source.stat().st_mtime_ns}" for source in sources)])
    target = kept / hashlib.sha256(key.encode()).hexdigest()[:16]
    if target.is_dir():
        return target
    kept.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=kept))
    draft.chmod(0o755)
    for source in sources:
        if source.is_file():
            _link(str(source), str(draft / source.name))
            continue
        place = draft / source.name if len(sources) > 1 else draft
        shutil.copytree(
            source, place, copy_function=_link, ignore=_left_out, symlinks=True, dirs_exist_ok=True
        )
    # `compileall` reads and compiles; it runs nothing of what it compiles.
    done = sandbox.run(
        Command(
            (path, "-I", "-m", "compileall", "-q", "-j", "2", OUTPUT),
            cwd="/",
            mounts=(*mounts, Mount(draft, OUTPUT, writable=True)),
            limits=Limits(wall_seconds=_SECONDS),
        )
    )
    if done.stopped:
        cleaning.remove(draft)
        return None
    try:
        draft.rename(target)
    except OSError:  # another run was faster
        cleaning.remove(draft)
    return target


def _left_out(_directory: str, names: list[str]) -> set[str]:
    return _LEFT_OUT.intersection(names)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


@cache
def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="perforch-"))
