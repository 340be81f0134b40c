from __future__ import annotations

from typing import Any

import pytest

from perforch.github import commands, gate
from perforch.github.events import CommentEvent, PullRequest, PullRequestEvent
from perforch.github.gate import Kind

SHA, OTHER = "a" * 40, "b" * 40


def pull(**changes: Any) -> dict[str, Any]:
    repo = {"full_name": "acme/rows"}
    return {
        "number": 7,
        "user": {"login": "dev", "id": 2},
        "head": {"sha": SHA, "repo": repo},
        "base": {"sha": OTHER, "ref": "main"},
    } | changes


FORK = {"head": {"sha": SHA, "repo": {"full_name": "x/rows"}}}
DELETED = {"head": {"sha": SHA, "repo": None}}


@pytest.mark.parametrize(
    ("changes", "action", "paths", "kind"),
    [
        ({}, "opened", ["a.py"], Kind.RUN),
        ({}, "synchronize", ["x/B.JAVA"], Kind.RUN),
        ({}, "ready_for_review", ["a.rs"], Kind.RUN),
        ({}, "labeled", ["a.py"], Kind.IGNORE),
        ({}, "opened", ["README.md"], Kind.IGNORE),
        ({"draft": True}, "opened", ["a.py"], Kind.IGNORE),
        ({"state": "closed"}, "opened", ["a.py"], Kind.IGNORE),
        ({"locked": True}, "opened", ["a.py"], Kind.IGNORE),
        ({"labels": [{"name": "skip-perforch"}]}, "opened", ["a.py"], Kind.IGNORE),
        ({"user": {"login": "b", "type": "Bot"}}, "opened", ["a.py"], Kind.IGNORE),
        (FORK, "opened", ["a.py"], Kind.IGNORE),
        (DELETED, "opened", ["a.py"], Kind.IGNORE),
    ],
)
def test_pushes(changes: dict[str, Any], action: str, paths: list[str], kind: Kind) -> None:
    event = PullRequestEvent.model_validate(
        {"action": action, "pull_request": pull(**changes), "repository": {"full_name": "acme/rows"}}
    )
    assert gate.decide_pull(event, paths).kind is kind


@pytest.mark.parametrize("head", [FORK, DELETED])
def test_forks_run_only_where_there_is_a_runner_for_them(head: dict[str, Any]) -> None:
    event = PullRequestEvent.model_validate(
        {"action": "opened", "pull_request": pull(**head), "repository": {"full_name": "acme/rows"}}
    )
    alone = gate.decide_pull(event, ["a.py"])
    assert (alone.kind, alone.pull, alone.head) == (Kind.IGNORE, 0, "")
    assert f"`/perforch optimize {SHA}`" in alone.note
    measured = gate.decide_pull(event, ["a.py"], forks=True)
    assert measured.outputs()["run"] == measured.outputs()["fork"] == "true"
    assert gate.decide_pull(event, ["README.md"], forks=True).kind is Kind.IGNORE


def comment(body: str, **changes: Any) -> CommentEvent:
    user = {"login": "m", "id": 1, "type": "User"}
    document = {
        "action": "created",
        "comment": {"id": 5, "body": body, "user": user},
        "issue": {"number": 7, "pull_request": {}},
        "repository": {"full_name": "acme/rows"},
        "sender": user,
    }
    return CommentEvent.model_validate(document | changes)


@pytest.mark.parametrize(
    ("body", "may_write", "changes", "kind", "said"),
    [
        ("/perforch optimize", True, {}, Kind.RUN, ""),
        (f"/perforch optimize {SHA}", True, {}, Kind.RUN, ""),
        (f"/perforch optimize {OTHER}", True, {}, Kind.REPLY, SHA),
        ("/perforch optimize", False, {}, Kind.IGNORE, ""),
        ("/perforch nonsense", False, {}, Kind.IGNORE, ""),
        ("/perforch nonsense", True, {}, Kind.REPLY, "help"),
        ("/perforch help", True, {}, Kind.REPLY, "optimize"),
        ("/perforch ignore a.py::f", True, {}, Kind.REMEMBER, ""),
        ("/perforch optimize", True, FORK, Kind.REPLY, f"/perforch optimize {SHA}"),
        ("/perforch optimize", True, DELETED, Kind.REPLY, SHA),
        (f"/perforch optimize {SHA}", True, FORK, Kind.RUN, ""),
        (f"/perforch bench {SHA}", True, FORK, Kind.RUN, ""),
        ("/perforch optimize", True, {"state": "closed"}, Kind.IGNORE, ""),
    ],
)
def test_commands(body: str, may_write: bool, changes: dict[str, Any], kind: Kind, said: str) -> None:
    parsed = commands.parse(body)
    assert parsed is not None
    decision = gate.decide_comment(
        comment(body), parsed, may_write=may_write, pull=PullRequest.model_validate(pull(**changes))
    )
    assert decision.kind is kind
    assert said in decision.reply
    assert not any(line.startswith("/") for line in decision.reply.split("\n"))
    if kind is Kind.RUN:
        assert decision.outputs()["head-sha"] == SHA


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "edited"},
        {"action": "deleted"},
        {"issue": {"number": 7}},
        {"issue": {"number": 7, "pull_request": {}, "state": "closed"}},
        {"issue": {"number": 7, "pull_request": {}, "locked": True}},
        {"sender": {"login": "x", "id": 9}},
        {"sender": {"login": "m", "id": 1, "type": "Bot"}},
        {"comment": {"id": 5, "body": "x"}},
    ],
)
def test_comments_that_cost_nothing(changes: dict[str, Any]) -> None:
    event = comment("/perforch optimize", **changes)
    assert gate.addressed(event, commands.parse(event.comment.body or ""))
