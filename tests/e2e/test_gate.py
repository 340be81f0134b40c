"""The gate as a process against a stateful GitHub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from github_fake import Fake
from samples import proposal, result

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Fake]


def perforch(
    fake: Fake, tmp_path: Path, *arguments: str, **more: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    output = tmp_path / "output"
    output.write_text("")
    environment = {
        "PATH": os.environ["PATH"], "GITHUB_TOKEN": "secret", "GITHUB_REPOSITORY": "acme/rows", "GITHUB_API_URL": fake.url,
        "GITHUB_GRAPHQL_URL": f"{fake.url}/graphql", "GITHUB_OUTPUT": str(output), "PERFORCH_PAUSE": "0",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_RUN_ID": "1", **more,
    }  # fmt: skip
    command = [sys.executable, "-I", "-c", "from perforch.cli import main; main()", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    ), output.read_text()


def comment(tmp_path: Path, body: str, login: str = "maintainer") -> dict[str, str]:
    user = {"login": login, "id": 1, "type": "User"}
    document: dict[str, Any] = {
        "action": "created", "comment": {"id": 55, "body": body, "user": user}, "issue": {"number": 7, "pull_request": {}},
        "repository": {"full_name": "acme/rows"}, "sender": user,
    }  # fmt: skip
    path = tmp_path / "event.json"
    path.write_text(json.dumps(document))
    return {"GITHUB_EVENT_NAME": "issue_comment", "GITHUB_EVENT_PATH": str(path)}


def test_a_maintainer_is_served(make_fake: Make, tmp_path: Path) -> None:
    fake = make_fake()
    done, output = perforch(
        fake, tmp_path, "gate", "--json", **comment(tmp_path, "/perforch optimize src/a.py::f --metric cpu")
    )
    assert done.returncode == 0, done.stderr
    decision = json.loads(done.stdout)
    assert (decision["run"], decision["head-sha"], decision["functions"]) == (
        "true",
        fake.head,
        "src/a.py::f",
    )
    assert fake.reactions == [(55, "eyes")]
    assert fake.head in output


@pytest.mark.parametrize(
    "body", ["/perforch optimize", "/perforch help", "/perforch nonsense", "hello", "> /perforch optimize"]
)
def test_a_stranger_gets_nothing(make_fake: Make, tmp_path: Path, body: str) -> None:
    fake = make_fake()
    done, _ = perforch(fake, tmp_path, "gate", "--json", **comment(tmp_path, body, "stranger"))
    assert json.loads(done.stdout)["run"] == "false"
    assert not fake.reactions + fake.comments
    assert len(fake.log) == (1 if body.startswith("/") else 0)


def test_a_moved_head_is_refused_and_answered_once(make_fake: Make, tmp_path: Path) -> None:
    fake = make_fake()
    for _ in range(2):
        done, _ = perforch(
            fake, tmp_path, "gate", "--json", **comment(tmp_path, f"/perforch optimize {'0' * 40}")
        )
        assert json.loads(done.stdout)["run"] == "false"
    assert len(fake.comments) == 1
    assert fake.head in fake.comments[0]["body"]
    assert fake.reactions == [(55, "-1")]


@pytest.mark.parametrize("head_repo", [True, False])
def test_a_fork_needs_the_commit(make_fake: Make, tmp_path: Path, head_repo: bool) -> None:
    fake = make_fake(fork=True, head_repo=head_repo)
    done, _ = perforch(fake, tmp_path, "gate", "--json", **comment(tmp_path, "/perforch optimize"))
    assert json.loads(done.stdout)["run"] == "false"
    done, _ = perforch(
        fake, tmp_path, "gate", "--json", **comment(tmp_path, f"/perforch optimize {fake.head}")
    )
    assert json.loads(done.stdout)["run"] == "true"


def test_recheck(make_fake: Make, tmp_path: Path) -> None:
    fake = make_fake()
    event = comment(tmp_path, "x")
    assert (
        perforch(fake, tmp_path, "gate", "--recheck", fake.head, "--pull-request", "7", **event)[0].returncode
        == 0
    )
    assert (
        perforch(fake, tmp_path, "gate", "--recheck", "0" * 40, "--pull-request", "7", **event)[0].returncode
        == 2
    )


def test_ignore_is_remembered_by_the_publisher(make_fake: Make, tmp_path: Path) -> None:
    fake = make_fake()
    perforch(fake, tmp_path, "gate", **comment(tmp_path, "/perforch ignore src/a.py::f"))
    file = tmp_path / "result.json"
    file.write_text(result(fake, proposal(fake, "src/a.py"), proposal(fake, "src/d.rs", name="g")).dump())
    done, _ = perforch(
        fake, tmp_path, "publish", "--result", str(file), "--pull-request", "7", "--head", fake.head
    )
    assert done.returncode == 0, done.stderr
    assert {thread["path"] for thread in fake.threads} == {"src/d.rs"}


def test_publish_reacts_and_writes_the_job_summary(make_fake: Make, tmp_path: Path) -> None:
    fake = make_fake(permissions={"pull_requests": "read"}, fork=True)
    file = tmp_path / "result.json"
    file.write_text(result(fake, proposal(fake, "src/a.py")).dump())
    done, _ = perforch(
        fake, tmp_path, "publish", "--result", str(file), "--pull-request", "7", "--head", fake.head
    )
    assert done.returncode == 0, done.stderr
    assert "2.00× faster" in (tmp_path / "summary.md").read_text()
    assert not fake.comments
    fake.fork = False
    done, _ = perforch(
        fake, tmp_path, "publish", "--result", str(file), "--pull-request", "7", "--head", fake.head
    )
    assert done.returncode == 5
    assert "issues: write" in done.stderr
    fake.permissions = {"pull_requests": "write", "issues": "write"}
    arguments = ("publish", "--pull-request", "7", "--head", fake.head, "--comment-id", "55")
    assert perforch(fake, tmp_path, *arguments, "--result", str(file))[0].returncode == 0
    assert perforch(fake, tmp_path, *arguments, "--result", str(tmp_path / "missing"))[0].returncode == 2
    assert (
        perforch(fake, tmp_path, *arguments, "--result", str(file), "--sha256", "0" * 64)[0].returncode == 2
    )
    assert fake.reactions == [(55, "rocket"), (55, "confused")]


def test_the_same_command_twice(make_fake: Make, tmp_path: Path) -> None:
    """A job that is run again reacts no second time and says nothing."""
    fake = make_fake()
    for _ in range(2):
        done, _ = perforch(fake, tmp_path, "gate", "--json", **comment(tmp_path, "/perforch optimize"))
        assert json.loads(done.stdout)["run"] == "true"
    assert fake.reactions == [(55, "eyes")]
    assert not fake.comments


@pytest.mark.parametrize(
    "origin",
    [
        {"fork": True},
        {"fork": True, "head_repo": False},
        {"author": {"login": "dependabot[bot]", "id": 9, "type": "Bot"}},
    ],
)
def test_a_read_only_token_leaves_the_result_in_the_job_summary(
    make_fake: Make, tmp_path: Path, origin: dict[str, Any]
) -> None:
    """Forks and Dependabot: no failure, nothing posted, nothing lost."""
    fake = make_fake(permissions={"pull_requests": "read", "issues": "read"}, **origin)
    file = tmp_path / "result.json"
    file.write_text(result(fake, proposal(fake, "src/a.py")).dump())
    arguments = ("publish", "--result", str(file), "--pull-request", "7", "--head", fake.head, "--json")
    done, _ = perforch(fake, tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert "job summary" in json.loads(done.stdout)["remarks"][0]
    assert "can be made 2.00× faster" in (tmp_path / "summary.md").read_text()
    assert not fake.comments + fake.reviews + fake.threads
