from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perforch.report.patch import patch

TEXT = st.lists(
    st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "\x0c\n", "é\u2028\n", "-- x\n", "end"]), max_size=30
).map("".join)


def applied(path: str, old: bytes, text: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(old)
        command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(command, cwd=root, input=text.encode(), check=True, capture_output=True)
        return (root / path).read_bytes()


@settings(deadline=None, max_examples=60)
@given(TEXT.filter(bool), TEXT.filter(bool))
def test_git_applies_it(old: str, new: str) -> None:
    text = patch("src/a.py", old.encode(), new.encode())
    if old == new:
        assert text == ""
    else:
        assert applied("src/a.py", old.encode(), text) == new.encode()


@pytest.mark.parametrize(
    "path", ["a b.py", 'quo"te.py', "tab\there.py", "back\\slash.py", "dir/é ü.py", "-rf.py"]
)
def test_odd_names(path: str) -> None:
    assert applied(path, b"a\nb\n", patch(path, b"a\nb\n", b"a\nc\n")) == b"a\nc\n"


def test_not_utf8() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        patch("a", b"\xff\n", b"x\n")
