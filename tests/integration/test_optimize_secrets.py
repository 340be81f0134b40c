"""Secrets in the code of a change never reach a model, and never stand in what a run leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from optimize_world import WRONG, WRONG_TEST, Repository, models, optimize
from recording import serving

from perforch.result import Outcome

if TYPE_CHECKING:
    from pathlib import Path

PEM = "-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEAx4fm7dngEmOULNmAs1IGZ9Apfzh\\n-----END RSA PRIVATE KEY-----"
VALUES = {
    "AWS access key": ("AKIAIOSFODNN7EXAMPLE", 'client = ("s3", "{}")'),
    "named password or key": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 'aws_secret_access_key = "{}"'),
    "private key": (PEM, 'pem = "{}"'),
    "GitHub token": ("ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", 'headers = ("token", "{}")'),
    "random text that looks like a key": ("q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRW", 'x = "{}"'),
}


@pytest.mark.parametrize(
    ("kind", "where"), [*((kind, "code") for kind in VALUES), ("AWS access key", "tests")]
)
def test_a_secret_stays_here(tmp_path: Path, kind: str, where: str) -> None:
    value, line = VALUES[kind]
    said = f"    {line.format(value)}\n"
    code, test = WRONG, WRONG_TEST
    if where == "code":
        code = code.replace("    return", f"{said}    return")
    else:
        test = test.replace("    assert", f"{said}    assert")
    repository = Repository(
        tmp_path / "repository", {"README.md": "x"}, {"pairs.py": code, "test_pairs.py": test}
    )
    with serving() as server:
        config = tmp_path / "perforch.yml"
        config.write_text(models(server.url, "m", "n"))
        done = optimize(
            repository.path, tmp_path / "out", "--config", str(config), "--stage", "fix", "--json"
        )
        bodies = server.bodies
    assert done.code == 0, done.err
    assert not bodies
    (function,) = done.result.functions
    assert function.attempts
    assert {one.outcome for one in function.attempts} == {Outcome.UNSAFE}
    assert all(kind in one.detail for one in function.attempts)
    secret = value.split("\\n")[1 if "\\n" in value else 0]
    left = [
        path for path in (tmp_path / "out").rglob("*") if path.is_file() and ".perforch/work" not in str(path)
    ]
    assert left
    for path in left:
        assert secret.encode() not in path.read_bytes(), path
    assert secret not in done.out + done.err


def test_the_same_code_without_it_is_asked_about(tmp_path: Path) -> None:
    repository = Repository(
        tmp_path / "repository", {"README.md": "x"}, {"pairs.py": WRONG, "test_pairs.py": WRONG_TEST}
    )
    with serving() as server:
        config = tmp_path / "perforch.yml"
        config.write_text(models(server.url, "m"))
        done = optimize(repository.path, tmp_path / "out", "--config", str(config), "--stage", "fix")
        assert server.bodies
    assert done.verdicts == {"double": "fixed"}
