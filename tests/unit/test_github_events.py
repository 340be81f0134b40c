from __future__ import annotations

import copy
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from perforch.github import commands, events, gate

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOADS: dict[str, list[Any]] = json.loads(
    gzip.decompress((Path(__file__).parents[1] / "data" / "webhooks.json.gz").read_bytes())
)["events"]


def ends_politely(name: str, payload: bytes) -> None:
    event = events.read(name, payload)
    if isinstance(event, str):
        assert event
        assert "\n" not in event
    elif isinstance(event, events.PullRequestEvent):
        assert gate.decide_pull(event, ["a.py"]).reason
    else:
        parsed = commands.parse(event.comment.body or "")
        assert gate.addressed(event, parsed) or parsed


def test_every_real_payload() -> None:
    payloads = [(name, payload) for name, examples in PAYLOADS.items() for payload in examples]
    assert len(payloads) == 329
    for name, payload in payloads:
        ends_politely(name, json.dumps(payload).encode())


def variants(document: Any, at: Any, depth: int = 0) -> Iterator[Any]:
    """Each value nulled, and each field dropped, one at a time, to a depth of three."""
    if not isinstance(at, dict) or depth > 2:
        return
    for key in list(at):
        value = at.pop(key)
        yield copy.deepcopy(document)
        at[key] = None
        yield copy.deepcopy(document)
        at[key] = value
        yield from variants(document, value, depth + 1)


def made() -> dict[str, list[Any]]:
    """What the real payloads lack: comments on pull requests by all sorts of people, forks, and a deleted fork."""
    issues, pulls = copy.deepcopy((PAYLOADS["issue_comment"], PAYLOADS["pull_request"]))
    for number, payload in enumerate(issues):
        payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/o/r/pulls/1"}
        payload["issue"]["state"], payload["action"] = "open", "created"
        payload["comment"]["body"] = (
            "/perforch optimize",
            "/perforch optimise",
            f"/perforch bench {'a' * 40}",
        )[number % 3]
        payload["comment"]["author_association"] = ("NONE", "CONTRIBUTOR", "MEMBER")[number % 3]
        payload["sender"] = payload["comment"]["user"]
    for number, payload in enumerate(pulls):
        fork = payload["pull_request"]["head"]["repo"]
        payload["pull_request"]["head"]["repo"] = (
            None if number % 2 else fork and fork | {"full_name": "stranger/r"}
        )
        payload["action"] = "synchronize"
    return {"issue_comment": issues, "pull_request": pulls}


def test_variants() -> None:
    """Every event that is read, real and made, with each field missing and each field null."""
    counts = Counter[str]()
    for source in (PAYLOADS, made()):
        for name in ("pull_request", "issue_comment"):
            for payload in source[name][:3]:
                for variant in variants(payload, payload):
                    ends_politely(name, json.dumps(variant).encode())
                    counts[name] += 1
    assert counts["pull_request"] > 700
    assert counts["issue_comment"] > 700


def test_what_was_made_means_something() -> None:
    """A comment with a command gets as far as the question who may ask; a fork's push is left alone."""
    for payload in made()["issue_comment"]:
        event = events.read("issue_comment", json.dumps(payload).encode())
        assert isinstance(event, events.CommentEvent)
        assert gate.addressed(event, commands.parse(event.comment.body or "")) == ""
    for payload in made()["pull_request"]:
        event = events.read("pull_request", json.dumps(payload).encode())
        assert isinstance(event, events.PullRequestEvent)
        assert gate.decide_pull(event, ["a.py"]).kind is gate.Kind.IGNORE


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"null", b"1", b"\xff", b"[" * 100_000, b'{"a": ' * 2000, b" " * (31 * 1024 * 1024)],
)
def test_odd_payloads(payload: bytes) -> None:
    for name in ("pull_request", "issue_comment", "push", "schedule", ""):
        assert isinstance(events.read(name, payload), str)
