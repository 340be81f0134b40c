"""The workflows as they are, from the event to what a person sees on the pull request."""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from act import Run, World, call, commit_workflows, permissions
from events import commit, pushed, said
from github_fake import REPO, Fake, Server, git

from perforch import __version__
from perforch.github import workflow
from perforch.llm.replay import ReplayServer
from perforch.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG = '''def double(items):
    """Return twice each item."""
    return [item + item + 1 for item in items]
'''
TEST = """from pairs import double


def test_double():
    assert double([1, 2]) == [2, 4]
"""
SLOW = '''def unique(items):
    """Return the items without repetitions, in order."""
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
'''
SLOW_TEST = """from lists import unique


def test_unique():
    assert unique([1, 2, 1]) == [1, 2]
    assert len(unique(list(range(2000)) * 2)) == 2000
"""
FAST = "```python\ndef unique(items):\n    return list(dict.fromkeys(items))\n```\n"
RIGHT = "```python\ndef double(items):\n    return [2 * item for item in items]\n```\n"


@pytest.fixture
def models(tmp_path: Path) -> Iterator[ReplayServer]:
    folder = tmp_path / "replies" / "m-1" / "fix"
    folder.mkdir(parents=True)
    (folder / "pairs.py__double.md").write_text(RIGHT)
    with ReplayServer(tmp_path / "replies") as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, models: ReplayServer) -> Iterator[World]:
    """A pull request that adds a function which fails its test; its repository asks one replayed model."""
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "--quiet")
    model = {
        "name": "m-1",
        "provider": "openai-compatible",
        "base_url": f"{models.url}/v1",
        "api_key_env": "OPENAI_API_KEY",
    }
    config = f"models: {json.dumps([model])}\nacceptance: {{max_pairs: 8, max_seconds: 6}}\n"
    commit(repo, {"README.md": "pairs\n", ".github/perforch.yml": config}, "start")
    fake = Fake(repo, "", "")
    commit_workflows(fake)
    fake.base = git(repo, "rev-parse", "HEAD")
    git(repo, "switch", "--quiet", "--create", "topic")
    fake.head = commit(repo, {"pairs.py": WRONG, "test_pairs.py": TEST}, "head")
    server = Server(fake)
    yield World(fake, tmp_path, secrets={"OPENAI_API_KEY": "sk-replayed"})
    server.close()
    shutil.rmtree(tmp_path / "repo")
    assert not fake.problems


def test_a_pull_request_gets_a_comment_and_a_review_and_a_push_edits_and_repeats_nothing(
    world: World,
) -> None:
    fake = world.fake
    first = world.run("perforch.yml", "pull_request", pushed(fake))
    assert first.green, first.log
    assert set(first.jobs) == {"gate", "optimize", "publish"}
    assert len(fake.comments) == len(fake.reviews) == len(fake.threads) == 1
    assert fake.head[:7] in fake.comments[0]["body"]
    assert "```suggestion\n    return [2 * item for item in items]\n```" in fake.threads[0]["body"]
    assert "`double`" in first.summary
    assert f"perforch <code>{__version__}" in html.unescape(fake.comments[0]["body"])
    assert "sk-replayed" not in first.log + json.dumps([fake.comments, fake.threads])
    fake.head = commit(fake.repo, {"README.md": "pairs of things\n"}, "words")
    again = world.run("perforch.yml", "pull_request", pushed(fake, "synchronize"))
    assert again.green, again.log
    assert len(fake.comments) == len(fake.threads) == 1
    assert fake.head[:7] in fake.comments[0]["body"]


@pytest.mark.timing
def test_a_pull_request_that_can_be_faster_gets_numbers_and_a_suggestion(
    world: World, tmp_path: Path
) -> None:
    fake = world.fake
    place = tmp_path / "replies" / "m-1" / "refine" / "lists.py__unique.md"
    place.parent.mkdir()
    place.write_text(FAST)
    git(fake.repo, "switch", "--quiet", "main")
    config = (fake.repo / ".github" / "perforch.yml").read_text()
    patient = config.replace("max_pairs: 8, max_seconds: 6", "max_pairs: 16, max_seconds: 40")
    fake.base = commit(fake.repo, {".github/perforch.yml": patient}, "measure longer")
    git(fake.repo, "switch", "--quiet", "--create", "faster")
    fake.head = commit(fake.repo, {"lists.py": SLOW, "test_lists.py": SLOW_TEST}, "head")
    done = world.run("perforch.yml", "pull_request", pushed(fake))
    assert done.green, done.log
    (summary,) = fake.comments
    assert "`unique`" in summary["body"]
    assert "× faster" in summary["body"]
    (thread,) = fake.threads
    assert "return list(dict.fromkeys(items))" in thread["body"]
    assert "× faster" in done.summary


def test_other_actions_of_a_pull_request_start_nothing(world: World) -> None:
    for action in ("labeled", "closed", "edited"):
        assert not world.run("perforch.yml", "pull_request", pushed(world.fake, action)).jobs
    assert not world.fake.log


def test_a_maintainer_commands(world: World, models: ReplayServer) -> None:
    fake = world.fake
    event = said(fake, "/perforch optimize pairs.py::double --stage fix")
    done = world.run("perforch-command.yml", "issue_comment", event)
    assert done.green, done.log
    assert fake.reactions == [(55, "eyes"), (55, "rocket")]
    assert len(fake.comments) == len(fake.threads) == 1
    assert models.log == [("m-1", "fix", "pairs.py::double")]


def test_a_stranger_commands_in_vain(world: World, models: ReplayServer) -> None:
    fake = world.fake
    done = world.run("perforch-command.yml", "issue_comment", said(fake, "/perforch optimize", "stranger"))
    assert done.jobs == {"gate": "success"}, done.log
    assert fake.log == [f"GET /repos/{REPO}/collaborators/stranger/permission"]
    assert not models.log + fake.comments + fake.reactions


def test_other_comments_start_no_job(world: World) -> None:
    assert not world.run("perforch-command.yml", "issue_comment", said(world.fake, "Looks good")).jobs
    assert not world.fake.log


def test_a_head_that_moved_before_the_command_is_refused(world: World, models: ReplayServer) -> None:
    fake = world.fake
    looked_at = fake.head
    fake.head = commit(fake.repo, {"pairs.py": "import os\n"}, "something else")
    body = f"/perforch optimize {looked_at}"
    done = world.run("perforch-command.yml", "issue_comment", said(fake, body))
    assert done.jobs == {"gate": "success"}, done.log
    assert fake.reactions == [(55, "-1")]
    assert fake.head in fake.comments[0]["body"]
    assert not models.log


def test_a_head_that_moves_after_the_gate_is_refused(world: World, models: ReplayServer) -> None:
    fake = world.fake
    event = pushed(fake)
    fake.head = commit(fake.repo, {"pairs.py": "import os\n"}, "something else")
    done = world.run("perforch.yml", "pull_request", event)
    assert done.jobs["gate"] == "success"
    assert done.jobs["optimize"] == "failure"
    assert "the head of pull request 7 is" in done.log
    assert not models.log + fake.comments + fake.reviews


def generated() -> dict[str, str]:
    """The workflows that `perforch init` writes for a repository with OpenAI's models."""
    made = workflow.files({}, sha="0" * 40, version="1.2.3", provider="openai", reprofile=True)
    return {path.rpartition("/")[2]: text for path, text in made.items() if "/workflows/" in path}


@pytest.mark.parametrize("name", generated())
def test_what_init_writes_hands_on_every_permission_that_is_asked_for(tmp_path: Path, name: str) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / name).write_text(generated()[name])
    call(folder / name)
    assert "publish" in (jobs := permissions(folder / name)) or "propose" in jobs


def test_a_fork_is_left_alone_and_the_summary_says_how_to_ask(world: World, models: ReplayServer) -> None:
    fake = world.fake
    fake.fork = True
    done = world.run("perforch.yml", "pull_request", pushed(fake), fork=True)
    assert done.jobs == {"gate": "success"}, done.log
    assert f"/perforch optimize {fake.head}" in done.summary
    assert not models.log + fake.log


def test_a_fork_with_a_runner_of_its_own_is_measured_without_secrets_and_published_nowhere(
    world: World, models: ReplayServer
) -> None:
    fake = world.fake
    fake.fork = True
    git(fake.repo, "switch", "--quiet", "main")
    text = generated()["perforch.yml"].replace(
        "    secrets:", "    with: {fork-runner: hosted}\n    secrets:"
    )
    commit_workflows(fake, {"caller.yml": text})
    done = world.run("caller.yml", "pull_request", pushed(fake), fork=True)
    assert done.green, done.log
    assert set(done.jobs) == {"gate", "optimize", "publish"}
    assert "double" in done.summary
    assert not models.log + fake.comments + fake.reviews + fake.reactions


def published(world: World, artifacts: dict[str, dict[str, str]], **outputs: str) -> Run:
    """The publishing job of a command alone, with these artifacts and these outputs of optimize."""
    gate = {
        "run": "true", "pull-request": "7", "head-sha": world.fake.head, "base-ref": "main", "command": "optimize",
        "asked": "true", "comment-id": "55",
    }  # fmt: skip
    given = {"gate": gate, "optimize": {"artifact": "perforch-1", **outputs}}
    event = said(world.fake, "/perforch optimize")
    return world.run("perforch-command.yml", "issue_comment", event, given=given, artifacts=artifacts)


def recorded(fake: Fake) -> str:
    return Result(perforch="0.1.0", repo=REPO, base_sha=fake.base, head_sha=fake.head).dump()


def test_a_result_that_was_replaced_between_the_jobs_is_not_posted(world: World) -> None:
    fake = world.fake
    text = recorded(fake)
    artifacts = {"perforch-1": {"result.json": text}}
    replaced = published(world, artifacts, sha256="0" * 64)
    assert replaced.jobs["publish"] == "failure"
    assert not fake.comments
    untouched = published(world, artifacts, sha256=hashlib.sha256(text.encode()).hexdigest())
    assert untouched.jobs["publish"] == "success", untouched.log
    assert len(fake.comments) == 1
    assert [content for _, content in fake.reactions] == ["confused", "rocket"]


def test_a_job_that_left_nothing_is_answered_with_a_reaction_and_no_comment(world: World) -> None:
    done = published(world, {})
    assert done.jobs["publish"] == "failure"
    assert world.fake.reactions == [(55, "confused")]
    assert not world.fake.comments


HOSTILE = "::error::$(touch pwned)`id`%0A::set-output name=run::true"


@pytest.mark.parametrize("body", [f"/perforch optimize {HOSTILE}", f"/perforch help\n{HOSTILE}"])
def test_nothing_that_was_typed_is_expanded_or_repeated(world: World, body: str) -> None:
    fake = world.fake
    done = world.run("perforch-command.yml", "issue_comment", said(fake, body))
    assert done.jobs == {"gate": "success"}, done.log
    (answer,) = fake.comments
    assert "pwned" not in answer["body"] + done.log + done.summary
    assert not list(world.folder.rglob("pwned"))
