"""What a pull request changes, read from `git diff` in a few lines of the fake's own."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_WORDS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed", "C": "copied"}
_IDENTITY = (
    *("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"),
    *("-c", "core.autocrlf=false", "-c", "core.quotePath=false", "-c", "commit.gpgSign=false"),
)


def git_bytes(repo: Path, *arguments: str, data: bytes = b"") -> bytes:
    """What git prints, byte for byte."""
    command = ["git", *_IDENTITY, "-C", str(repo), *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def git(repo: Path, *arguments: str, text: str = "") -> str:
    """What git prints, without the last newline."""
    return git_bytes(repo, *arguments, data=text.encode()).decode().strip()


@dataclass(frozen=True)
class Changed:
    """One file of a diff. `patch` begins at the first hunk; None for a binary file or a mere rename."""

    path: str
    status: str
    previous: str
    text: str

    @property
    def patch(self) -> str | None:
        start = self.text.find("\n@@ ")
        return None if start < 0 else self.text[start + 1 :].removesuffix("\n")

    def hunks(self, side: str = "RIGHT") -> list[tuple[int, int]]:
        """First and last line of each hunk that has lines on this side."""
        spans: list[list[int]] = []
        for line in (self.patch or "").split("\n"):
            if line.startswith("@@"):
                numbers = line.split(" ")[2 if side == "RIGHT" else 1]
                here = int(numbers[1:].split(",")[0])
                spans.append([here, here - 1])
            elif line[:1] in (" ", "+" if side == "RIGHT" else "-"):
                spans[-1][1] += 1
        return [(first, last) for first, last in spans if last >= first]

    def added(self, line: int) -> bool:
        """Whether the line of the new side is one that the pull request wrote."""
        here = 0
        for text in (self.patch or "").split("\n"):
            if text.startswith("@@"):
                here = int(text.split(" ")[2][1:].split(",")[0]) - 1
            elif text[:1] in (" ", "+"):
                here += 1
                if here == line:
                    return text[0] == "+"
        return False


@functools.cache
def commits(repo: Path, base: str, head: str) -> set[str]:
    """Commits between two revisions."""
    return set(git(repo, "rev-list", f"{base}..{head}").split())


@functools.cache
def history(repo: Path, base: str, head: str) -> list[list[str]]:
    """Each commit between two revisions with its parents, oldest first."""
    lines = git(repo, "log", "--reverse", "--format=%H %P", f"{base}..{head}").split("\n")
    return [line.split() for line in lines if line]


@functools.cache
def changed(repo: Path, base: str, head: str) -> list[Changed]:
    """The files between two revisions, in git's order; renames are found as GitHub finds them."""
    names = git_bytes(repo, "diff", "--raw", "-z", "-M", f"{base}...{head}").decode().split("\0")[:-1]
    whole = git_bytes(repo, "diff", "-M", f"{base}...{head}").decode(errors="replace")
    texts = iter(re.split(r"^(?=diff --git )", whole, flags=re.MULTILINE)[1:])
    found, rest = [], iter(names)
    for fields in rest:
        letter = fields.rsplit(" ", 1)[1][0]
        previous = next(rest) if letter in "RC" else ""
        found.append(Changed(next(rest), _WORDS[letter], previous, next(texts)))
    return found
