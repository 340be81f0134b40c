from __future__ import annotations

import copy
import gzip
import json
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


@pytest.mark.parametrize("name", ["pull_request", "issue_comment"])
def test_variants(name: str) -> None:
    count = 0
    for payload in PAYLOADS[name][:3]:
        for variant in variants(payload, payload):
            ends_politely(name, json.dumps(variant).encode())
            count += 1
    assert count >= 350


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"null", b"1", b"\xff", b"[" * 100_000, b'{"a": ' * 2000, b" " * (31 * 1024 * 1024)],
)
def test_odd_payloads(payload: bytes) -> None:
    for name in ("pull_request", "issue_comment", "push", "schedule", ""):
        assert isinstance(events.read(name, payload), str)
