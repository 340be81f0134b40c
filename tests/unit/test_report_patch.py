from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perforch.report.patch import patch, read

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


@settings(deadline=None, max_examples=200)
@given(TEXT.filter(bool), TEXT.filter(bool))
def test_reading_gives_what_was_written(old: str, new: str) -> None:
    if old == new:
        return
    before = old.split("\n")
    lines = [line + "\n" for line in before[:-1]] + [before[-1]] * bool(before[-1])
    for hunk in reversed(read("src/a b.py", patch("src/a b.py", old.encode(), new.encode()))):
        assert tuple(lines[hunk.start - 1 : hunk.start - 1 + len(hunk.old)]) == hunk.old
        lines[hunk.start - 1 : hunk.start - 1 + len(hunk.old)] = hunk.new
    assert "".join(lines) == new


GOOD = patch("a.py", b"a\nb\nc\n", b"a\nx\nc\n")


@pytest.mark.parametrize(
    "text",
    [
        "", "x", GOOD.replace("a.py", "b.py"), GOOD + GOOD, GOOD + patch("z.py", b"a\n", b"b\n"), GOOD[:-1], GOOD[:-3],
        GOOD.replace("--- a", "old mode 100644\nnew mode 100755\n--- a"), GOOD.replace("-1,3", "-1,4"), GOOD.replace("-1,3", "-0,3"),
        GOOD.replace("+1,3", "+7,3"), GOOD.replace("@@\n", "@@\n\\ No newline at end of file\n"), GOOD + "@@ -1 +1 @@\n-a\n+b\n",
        GOOD.replace("@@ -1,3 +1,3 @@", "@@ -" + "9" * 5000 + " +1 @@"), GOOD.replace("+++ b/a.py", "+++ b/../a.py"),
        GOOD.replace("diff --git", "rename from x\ndiff --git"), GOOD + "\n", GOOD + "GIT binary patch\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the patch"):
        read("a.py", text)


@given(st.text(alphabet="@-+ \\,123\nabNo", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(ValueError):
        read("a.py", GOOD[: GOOD.index("@@")] + text)
