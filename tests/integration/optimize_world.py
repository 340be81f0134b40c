"""Small repositories, hostile and friendly model servers' settings, and `perforch optimize` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perforch.result import Result, load

if TYPE_CHECKING:
    from pathlib import Path

SLOW = '''def unique(items):
    """Return the items without repetitions, in order."""
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
'''
TEST = """from lists import unique


def test_unique():
    assert unique([1, 2, 1]) == [1, 2]
    assert len(unique(list(range(600)) * 2)) == 600
"""
FAST = "```python\ndef unique(items):\n    return list(dict.fromkeys(items))\n```\n"
QUICK = "acceptance: {max_pairs: 8, max_seconds: 6}\n"
IDENTITY = (
    "-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main",
    "-c", "protocol.file.allow=always", "-c", "core.autocrlf=false",
)  # fmt: skip


class Repository:
    """A repository with `base` on main and `head` on the branch `change`, which is checked out."""

    def __init__(self, path: Path, base: dict[str, str | bytes], head: dict[str, str | bytes]) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet")
        self.commit(base, "base")
        self.git("switch", "--quiet", "--create", "change")
        if head:
            self.commit(head, "head")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *IDENTITY, *arguments], cwd=self.path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, files: dict[str, str | bytes], message: str) -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def fingerprint(self) -> dict[str, object]:
        """Everything below the folder, `.git` included: contents, modes, links; times excluded."""
        found: dict[str, object] = {}
        for place in sorted(self.path.rglob("*")):
            name = str(place.relative_to(self.path))
            if place.is_symlink():
                found[name] = str(place.readlink())
            elif place.is_file():
                found[name] = (place.stat().st_mode, place.read_bytes())
            else:
                found[name] = place.stat().st_mode
        return found


def lists(path: Path, *, config: str = "", head: dict[str, str | bytes] | None = None) -> Repository:
    """The repository whose change adds the quadratic `unique` and its test."""
    base: dict[str, str | bytes] = {"README.md": "lists\n"}
    if config:
        base[".github/perforch.yml"] = config
    return Repository(path, base, {"lists.py": SLOW, "test_lists.py": TEST, **(head or {})})


@dataclass(frozen=True)
class Done:
    """What a run left: exit code, stdout, stderr, the folder of results."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def result(self) -> Result:
        return load(self.folder / "result.json")

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def verdicts(self) -> dict[str, str]:
        return {function.name: function.verdict.value for function in self.result.functions}


def argv(repository: Path, out: Path, *arguments: str, base: str | None = "main") -> list[str]:
    compared = () if base is None else ("--base", base)
    place = ("--repo", str(repository), *compared, "--out", str(out))
    return [sys.executable, "-m", "perforch", "optimize", *place, *arguments]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", **more}


def optimize(
    repository: Path,
    out: Path,
    *arguments: str,
    base: str | None = "main",
    cwd: Path | None = None,
    **variables: str,
) -> Done:
    done = subprocess.run(
        argv(repository, out, *arguments, base=base),
        cwd=cwd or out.parent,
        capture_output=True,
        env=environment(**variables),
        timeout=240,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode(), out)


def write_replies(folder: Path, replies: dict[str, str]) -> Path:
    for name, text in replies.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def models(url: str, *names: str, provider: str = "openai-compatible", **more: object) -> str:
    """The `models:` section for models at one loopback address; JSON is YAML."""
    base = url + ("/v1" if provider.startswith("openai") else "")
    found = [{"name": name, "provider": provider, "base_url": base, **more} for name in names]
    return f"models: {json.dumps(found)}\n"


WRONG = '''def double(items):
    """Return twice each item."""
    return [item + item + 1 for item in items]
'''
WRONG_TEST = """from pairs import double


def test_double():
    assert double([1, 2]) == [2, 4]
"""
RIGHT = "```python\ndef double(items):\n    return [2 * item for item in items]\n```\n"


def pairs(path: Path) -> Repository:
    """The repository whose change adds `double`, which fails its test: a fix needs no measuring, so runs are short."""
    return Repository(path, {"README.md": "pairs\n"}, {"pairs.py": WRONG, "test_pairs.py": WRONG_TEST})
