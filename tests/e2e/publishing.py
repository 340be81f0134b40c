"""The publisher against the fake, with a clock that only moves when someone sleeps."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx
from github_answers import REPO

from perforch.github.client import Client, Clock
from perforch.github.publish import Report, Task, publish
from perforch.report import markdown
from perforch.report.links import Links

if TYPE_CHECKING:
    from github_fake import Fake

    from perforch.result import Result


class Time:
    """A clock that only moves when someone sleeps, and may jump."""

    def __init__(self) -> None:
        self.seconds, self.slept = 1_000_000.0, 0.0

    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds <= 900
        self.slept += seconds
        self.seconds += seconds


def client(fake: Fake, time: Time | None = None, *, pause: float = 1.0) -> Client:
    """A client of the bot; the fake reads the same clock."""
    time = time or Time()
    fake.now = lambda: time.seconds
    clock = Clock(lambda: time.seconds, time.sleep)
    return Client("secret", REPO, fake.url, f"{fake.url}/graphql", clock, pause)


def post(
    fake: Fake,
    record: Result,
    *,
    asked: bool = False,
    limit: int = 10,
    time: Time | None = None,
    pause: float = 1.0,
) -> Report:
    """Publish once."""
    with contextlib.closing(client(fake, time, pause=pause)) as ours:
        return publish(ours, record, Task(fake.pull, record.head_sha, Links(), asked=asked, limit=limit))


def summaries(fake: Fake) -> list[str]:
    """Our summary comments."""
    return [c["body"] for c in fake.comments if c["mine"] and c["body"].startswith(markdown.MARKER)]


def counts(fake: Fake) -> tuple[int, int, int]:
    """Summary comments, reviews and threads of ours."""
    return len(summaries(fake)), len(fake.reviews), len(fake.threads)


def ask(
    fake: Fake, method: str, tail: str, body: Any = None, *, content: str | None = None, **headers: str
) -> httpx.Response:
    """One request of a client that knows nothing of the bot."""
    address = f"{fake.url}{tail}" if tail.startswith("/") else f"{fake.url}/repos/{REPO}/{tail}"
    given = {"Authorization": "Bearer secret"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return httpx.request(
        method, address, json=body, content=content, headers=given, verify=False, trust_env=False
    )
