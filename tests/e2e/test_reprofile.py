"""From a schedule to a pull request with new rankings: plan, shards, merge, branch, table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from act import World, commit_workflows
from events import commit
from github_fake import REPO, Fake, Server, git

from perforch.llm.replay import ReplayServer
from perforch.rankings.evidence import Evidence, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("double", "halve", "negate")
PLACE = "rankings/profile/m-1.jsonl"


def problem(number: int, name: str) -> dict[str, Any]:
    """A problem of the suite: return the argument twice."""
    declaration = f"def {name}(x: int) -> int:\n"
    description = "Return x + x."
    return {
        "task_id": f"Python/{number}",
        "prompt": f'{declaration}    """{description}"""\n',
        "declaration": declaration,
        "canonical_solution": "    return x + x\n",
        "buggy_solution": "    return x\n",
        "test": f"def check(f):\n    assert f(3) == 6\n\ncheck({name})\n",
        "signature": f"{name}(x: int) -> int",
        "entry_point": name,
        "docstring": description,
    }


@pytest.fixture
def models(tmp_path: Path) -> Iterator[ReplayServer]:
    """m-1 repairs everything, m-2 says it cannot."""
    for stage in ("fix", "generate"):
        folder = tmp_path / "replies" / "m-1" / stage
        folder.mkdir(parents=True)
        for name in NAMES:
            text = f"```python\ndef {name}(x: int) -> int:\n    return 2 * x\n```\n"
            (folder / f"solution.py__{name}.md").write_text(text)
    with ReplayServer(tmp_path / "replies") as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, models: ReplayServer) -> Iterator[World]:
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "--quiet")
    listed = [
        {"name": name, "provider": "openai-compatible", "base_url": f"{models.url}/v1"}
        for name in ("m-1", "m-2")
    ]
    rows = "".join(json.dumps(problem(number, name)) + "\n" for number, name in enumerate(NAMES))
    empty = {f".github/perforch/data/{language}.jsonl": "" for language in ("java", "cpp", "go", "rust")}
    files = {
        ".github/perforch.yml": f"models: {json.dumps(listed)}\n",
        ".github/perforch/data/python.jsonl": rows,
    }
    commit(repo, files | empty, "start")
    fake = Fake(repo, "", "", may_open=True)
    commit_workflows(fake)
    fake.base = fake.head = git(repo, "rev-parse", "HEAD")
    server = Server(fake)
    yield World(fake, tmp_path)
    server.close()
    assert not fake.problems


def dispatched(**inputs: str) -> dict[str, Any]:
    return {
        "inputs": inputs,
        "ref": "refs/heads/main",
        "repository": {"full_name": REPO, "default_branch": "main"},
    }


def test_a_schedule_proposes_rankings_and_a_rerun_brings_the_same_pull_request_up_to_date(
    world: World, models: ReplayServer
) -> None:
    fake = world.fake
    main = git(fake.repo, "rev-parse", "main")
    first = world.run("reprofile.yml", "workflow_dispatch", dispatched(stages="fix", shards="2"))
    assert first.green, first.log
    assert set(first.jobs) == {"plan", "profile", "merge", "propose"}
    (pull,) = fake.opened
    assert (pull["into"], pull["ref"]) == ("main", "perforch/rankings")
    assert "| fix | python | `m-1` | new → 1 |" in pull["body"]
    tip = git(fake.repo, "rev-parse", "perforch/rankings")
    assert git(fake.repo, "rev-parse", f"{tip}^", "main") == f"{main}\n{main}"
    assert git(fake.repo, "diff", "--name-only", "main", tip).split() == [PLACE, "rankings/profile/m-2.jsonl"]
    assert git(fake.repo, "show", f"{tip}:{PLACE}").count('"stage": "fix"') == 3
    assert tip in git(fake.repo, "log", "--format=%H", "--all")
    again = world.run("reprofile.yml", "schedule", {"schedule": "17 3 * * 1"})
    assert again.green, again.log
    (same,) = fake.opened
    assert "| generate | python | `m-1` |" in same["body"]
    assert git(fake.repo, "show", f"perforch/rankings:{PLACE}").count('"stage": "generate"') == 3
    assert git(fake.repo, "rev-parse", "main", "perforch/rankings^") == f"{main}\n{main}"


def test_a_repository_that_lets_workflows_open_no_pull_requests_is_told_where_to_allow_it(
    world: World,
) -> None:
    world.fake.may_open = False
    done = world.run("reprofile.yml", "workflow_dispatch", dispatched(stages="fix", shards="1", problems="1"))
    assert done.jobs == {"plan": "success", "profile": "success", "merge": "success", "propose": "failure"}, (
        done.log
    )
    assert "Allow GitHub Actions to create and approve pull requests" in done.log
    assert git(world.fake.repo, "rev-parse", "--verify", "perforch/rankings")
    assert not world.fake.opened


def evidence(model: str) -> str:
    record = {
        "model": model, "stage": "fix", "metric": "correctness", "language": "go", "attempts": 9, "successes": 8,
        "source": "profile", "date": "2026-01-01",
    }  # fmt: skip
    return dumps([Evidence.model_validate(record)])


def test_a_shard_that_was_cut_off_is_left_out_and_earlier_attempts_count(world: World) -> None:
    artifacts = {
        "evidence-1-1-of-3": {"humanevalpack-1-of-3.jsonl": evidence("m-1")},
        "evidence-2-2-of-3": {"humanevalpack-2-of-3.jsonl": evidence("m-2")},
        "evidence-2-3-of-3": {"humanevalpack-3-of-3.jsonl": evidence("m-3")[:-30]},
    }
    given = {"plan": {"matrix": "{}"}, "profile": {}}
    done = world.run(
        "reprofile.yml", "schedule", {"schedule": "17 3 * * 1"}, job="merge", given=given, artifacts=artifacts
    )
    assert done.jobs["merge"] == "success", done.log
    assert "humanevalpack-3-of-3.jsonl is truncated" in done.log
    assert "2 new records on 2 models" in done.summary
    assert "m-3" not in done.summary


@pytest.mark.parametrize("text", ["#!/bin/sh\n", evidence("m-1").replace('"successes": 8', '"successes": 9')])
def test_what_is_no_evidence_is_not_proposed(world: World, text: str) -> None:
    artifacts = {"rankings-1": {"rankings/profile/m-1.jsonl": text, "summary.md": "Trust me."}}
    given = {"plan": {}, "profile": {}, "merge": {"artifact": "rankings-1"}}
    done = world.run(
        "reprofile.yml", "schedule", {"schedule": "17 3 * * 1"}, given=given, artifacts=artifacts
    )
    assert done.jobs["propose"] == "failure", done.log
    assert not world.fake.opened
    assert not [line for line in world.fake.log if line.startswith(("POST", "PATCH", "PUT"))]


def test_nothing_new_is_not_proposed(world: World) -> None:
    given = {"plan": {}, "profile": {}, "merge": {"artifact": "rankings-1"}}
    done = world.run(
        "reprofile.yml", "schedule", {"schedule": "17 3 * * 1"},
        given=given, artifacts={"rankings-1": {"summary.md": "No new evidence."}},
    )  # fmt: skip
    assert done.jobs["propose"] == "success", done.log
    assert not world.fake.log
