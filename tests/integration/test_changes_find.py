"""A repository of 5,000 files with a known change: the command line names exactly its functions and what it left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from changes_templates import MATERIALS
from changes_world import EDITS, Truth, World
from optimize_world import IDENTITY

if TYPE_CHECKING:
    from pathlib import Path

FILES = 1000  # in each language


def write(repository: Path, truth: Truth) -> None:
    """Both commits through `git fast-import`: quicker than a work tree."""
    stream = bytearray()
    for number, (name, files) in enumerate((("main", truth.base), ("change", truth.head))):
        stream += f"commit refs/heads/{name}\nmark :{number + 1}\ncommitter T <t@example.com> {1_700_000_000 + number} +0000\ndata 1\nx\n".encode()
        stream += b"from :1\ndeleteall\n" if number else b""
        for path, content in files.items():
            stream += f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
    subprocess.run(["git", *IDENTITY, "init", "--quiet", str(repository)], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], input=bytes(stream), cwd=repository, check=True)


def ask(repository: Path, base: str, head: str) -> tuple[Any, list[str]]:
    command = [
        sys.executable,
        "-m",
        "perforch",
        "functions",
        "--repo",
        str(repository),
        "--base",
        base,
        "--head",
        head,
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    return json.loads(done.stdout), done.stderr.decode().splitlines()


def rows(document: Any) -> list[tuple[Any, ...]]:
    keys = ("path", "name", "language", "start_line", "end_line", "change")
    return sorted(tuple(one[key] for key in keys) for one in document["functions"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    truth = World(seed=1).build(FILES)
    repository = tmp_path_factory.mktemp("world")
    write(repository, truth)
    return repository, truth


def differences(found: list[Any], expected: list[Any]) -> list[tuple[str, Any]]:
    """What is too much and what is missing, repetitions counted; the first few."""
    have, want = Counter(found), Counter(expected)
    return [*(("extra", row) for row in have - want), *(("missing", row) for row in want - have)][:10]


def test_exactly_the_changed_functions(world: tuple[Path, Truth]) -> None:
    repository, truth = world
    document, said = ask(repository, "main", "change")
    assert differences(rows(document), truth.functions) == []
    skipped = [(one["path"], one["name"], one["reason"]) for one in document["skipped"]]
    assert differences([row for row in skipped if row[2] != "cannot be parsed"], truth.skipped) == []
    # The broken function may be named, and nothing else.
    broken = {(row[0], row[1].lower()) for row in skipped if row[2] == "cannot be parsed"}
    assert broken <= {
        (path, name) for path in truth.broken for name in ("broken", "broken.broken", "broken.")
    }
    assert differences([line.split(":")[1].strip() for line in said], truth.broken) == []


def test_the_repository_is_what_it_claims(world: tuple[Path, Truth]) -> None:
    _, truth = world
    for material in MATERIALS.values():
        assert sum(path.endswith(material.suffix) for path in truth.base | truth.head) >= FILES
        for _, templates in material.places:
            for template in templates:
                assert {edit for text, edit in truth.edits if text == template.text} >= {"body"} & set(EDITS)
    assert len(truth.functions) > 5000
    assert {edit for _, edit in truth.edits} == set(EDITS)
