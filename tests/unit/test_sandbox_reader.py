"""What a program leaves behind is read without being led anywhere."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.sandbox import reader


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def refusal(root: Path, path: str | Path, *, most: int = reader.MOST) -> int | None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what is returned
        reader.load(root, path, most=most)
    assert reader.read(root, path, most=most) is None
    assert not reader.is_file(root, path) or caught.value.errno in (errno.EFBIG, errno.EACCES)
    return caught.value.errno


def test_plain_files_are_read(root: Path) -> None:
    assert reader.read(root, "a/b/file") == b"content"
    assert reader.read(root, root / "a" / "b" / "file") == b"content"
    assert reader.is_file(root, "a/b/file")
    assert reader.names(root, "a/b") == ("file",)


def test_the_way_to_the_root_may_hold_links(root: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(root)
    assert reader.read(tmp_path / "way", "a/b/file") == b"content"


@pytest.mark.parametrize(
    "target", ["../secret", "{outside}/secret", "a/b/file", "gone", "link", "/proc/self/environ"]
)
def test_links_are_not_followed(root: Path, tmp_path: Path, target: str) -> None:
    (root / "link").symlink_to(target.format(outside=tmp_path))
    assert refusal(root, "link") == errno.ELOOP


@pytest.mark.parametrize("target", ["{outside}", "a", "/", "/proc/self"])
def test_links_on_the_way_are_not_followed(root: Path, tmp_path: Path, target: str) -> None:
    (root / "way").symlink_to(target.format(outside=tmp_path))
    for path in ("way/secret", "way/b/file", "way/etc/passwd", "way/environ"):
        assert refusal(root, path) in (errno.ELOOP, errno.ENOTDIR)
    assert reader.names(root, "way") == ()


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd", "a/b/../b/file", "a\0b"])
def test_nothing_outside_is_reached(root: Path, path: str) -> None:
    assert refusal(root, path) == errno.EXDEV


def test_pipes_sockets_folders_and_devices_are_no_files(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert refusal(root, "pipe") == errno.ENXIO
        assert refusal(root, "socket") == errno.ENXIO
    assert refusal(root, "a") == errno.EISDIR
    assert refusal(root, "") == errno.EISDIR
    assert refusal(Path("/dev"), "null") == errno.ENXIO
    assert reader.names(root, "") == ()


def test_large_and_sparse_files_are_left(root: Path) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(root, "sparse") == errno.EFBIG
    assert refusal(root, "a/b/file", most=6) == errno.EFBIG
    assert reader.read(root, "a/b/file", most=7) == b"content"
    # Says that it is empty, and is not.
    assert refusal(Path("/proc/self"), "maps", most=10) == errno.EFBIG


def test_a_folder_of_millions_is_bounded(root: Path) -> None:
    for number in range(50):
        (root / f"{number}.xml").touch()
    assert len(reader.names(root, ".", suffix=".xml", most=20)) <= 20
    assert len(reader.names(root, ".", suffix=".xml")) == 50


@given(st.text(max_size=300))
def test_no_name_does_more_than_fail(name: str) -> None:
    try:
        found = reader.read(Path("/proc/self/fdinfo"), name, most=1)
    except (UnicodeError, ValueError) as error:
        pytest.fail(f"{name!r}: {error}")
    assert found is None
