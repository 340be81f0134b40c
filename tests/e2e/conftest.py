from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from typing import TYPE_CHECKING

from github_fake import Fake, Server, git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FILES = {
    "src/a.py": "def f(x):\n    out = []\n    for i in x:\n        out.append(i)\n    return out\n\n\n"
    + "# pad\n" * 20,
    "src/A.java": "class A {\n    int f(int x) {\n        int y = x;\n        return y;\n    }\n}\n",
    "src/b.cpp": "int f(int x) {\n\tint y = x;\n\treturn y;\n}\n",
    "src/c.go": "package c\n\nfunc F(x int) int {\n\ty := x\n\treturn y\n}\n",
    "src/d.rs": "pub fn f(x: i32) -> i32 {\n    let y = x;\n    y\n}\n",
    "docs/with space é.py": "def g():\n    return 1\n",
}
CHANGED = {
    path: text.replace("x", "value", 1).replace("return 1", "return 2") for path, text in FILES.items()
}


@pytest.fixture(params=["2024", "2026"])
def dialect(request: pytest.FixtureRequest) -> str:
    """GitHub's wording of errors in two years; nothing may depend on it."""
    return str(request.param)


@pytest.fixture
def make_fake(tmp_path: Path) -> Iterator[Callable[..., Fake]]:
    """A served fake whose pull request changes `before` into `after`; by default every file of FILES at its top."""
    servers: list[Server] = []
    fakes: list[Fake] = []

    def make(
        before: Mapping[str, str | bytes] | None = None,
        after: Mapping[str, str | bytes | None] | None = None,
        **options: object,
    ) -> Fake:
        repo = tmp_path / f"repo{len(servers)}"
        repo.mkdir()
        git(repo, "init", "--quiet")
        commit(repo, before or FILES, "base")
        base = git(repo, "rev-parse", "HEAD")
        commit(repo, after or CHANGED, "head")
        fake = Fake(repo, base, git(repo, "rev-parse", "HEAD"), **options)  # type: ignore[arg-type]
        servers.append(Server(fake))
        fakes.append(fake)
        return fake

    yield make
    for server in servers:
        server.close()
    assert not [problem for fake in fakes for problem in fake.problems]


def commit(repo: Path, files: Mapping[str, str | bytes | None], message: str) -> str:
    """A commit that writes these files, byte for byte; None removes one."""
    for path, content in files.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            (repo / path).unlink()
        else:
            (repo / path).write_bytes(content.encode() if isinstance(content, str) else content)
    git(repo, "add", "-A")
    git(repo, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")
