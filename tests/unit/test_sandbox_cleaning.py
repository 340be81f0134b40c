"""Whatever a program leaves behind can be removed, and nothing else is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from perforch.sandbox import cleaning

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def left(tmp_path: Path) -> Path:
    folder = tmp_path / "left"
    folder.mkdir()
    return folder


def deepen(top: Path, depth: int, name: str = "d" * 100) -> None:
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(os.open("file", os.O_CREAT, dir_fd=folder))
        os.close(folder)
        folder = inner
    os.close(folder)


def test_a_depth_that_no_path_and_no_stack_holds(left: Path) -> None:
    deepen(left, sys.getrecursionlimit() + 100)
    cleaning.remove(left)
    assert not left.exists()


def test_folders_that_cannot_be_read_or_written(left: Path) -> None:
    for mode in (0o000, 0o100, 0o300, 0o400, 0o500):
        folder = left / f"{mode:o}"
        (folder / "inner" / "more").mkdir(parents=True)
        (folder / "inner" / "file").touch()
        (folder / "inner").chmod(mode)
        folder.chmod(mode)
    left.chmod(0o500)
    cleaning.remove(left)
    assert not left.exists()


def test_folders_that_an_ordinary_user_cannot_read(left: Path) -> None:
    """As somebody whom modes bind, which root is not."""
    (left / "work" / "inner" / "more").mkdir(parents=True)
    (left / "work" / "inner" / "file").touch()
    (left / "work" / "inner").chmod(0)
    (left / "work").chmod(0o500)
    # What perforch itself lies in may be closed to others.
    code = left.parent / "code"
    code.mkdir()
    shutil.copy(cleaning.__file__, code / "cleaning.py")
    for path in (code, code / "cleaning.py"):
        path.chmod(0o755)
    script = f"""
import sys
sys.path.insert(0, {str(code)!r})
from pathlib import Path
import cleaning
cleaning.remove(Path({str(left / "work")!r}))
"""
    who = {}
    if os.getuid() == 0:
        for path in (left, *left.rglob("*")):
            os.chown(path, 65534, 65534)
        for path in left.parents:
            if path.is_relative_to(tempfile.gettempdir()) and path.stat().st_uid == 0:
                path.chmod(path.stat().st_mode | 0o011)
        who = {"user": 65534, "group": 65534, "extra_groups": []}
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", script], check=False, capture_output=True, text=True, **who
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    assert list(left.iterdir()) == []


def test_links_are_removed_and_not_what_they_lead_to(left: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o750)
    (precious / "file").write_text("kept")
    (left / "inner").mkdir()
    for place in (left, left / "inner"):
        (place / "folder").symlink_to(precious)
        (place / "file").symlink_to(precious / "file")
        (place / "gone").symlink_to("nowhere")
        (place / "itself").symlink_to("itself")
        os.link(precious / "file", place / "hard")
    cleaning.remove(left / "folder")
    cleaning.remove(left)
    assert not left.exists()
    assert (precious / "file").read_text() == "kept"
    assert precious.stat().st_mode & 0o777 == 0o750


def test_odd_names_pipes_and_sockets(left: Path) -> None:
    for name in ("-rf", "\udcff\udcfe", "new\nline", "*", " ", "\x1b[31m", "\u202e", "a" * 255):
        (left / name).mkdir()
        (left / name / name).touch()
    os.mkfifo(left / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(left, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    cleaning.remove(left)
    assert not left.exists()


def test_nothing_there_is_fine(tmp_path: Path) -> None:
    cleaning.remove(tmp_path / "gone" / "deeper")
    cleaning.remove(tmp_path / "gone")
    (tmp_path / "file").touch()
    cleaning.remove(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_goes_with_all_it_holds(tmp_path: Path) -> None:
    with cleaning.temporary("x-", folder=tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        deepen(folder, 50)
        (folder / "d").mkdir(mode=0)
    assert list(tmp_path.iterdir()) == []
