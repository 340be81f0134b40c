"""The publisher under random faults and kills: never two comments, never two reviews, never a lost finding."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from conftest import FILES
from github_answers import Limits
from github_fake import REPO, Fake, Fault
from publishing import Time, client, counts, summaries
from samples import proposal, result

from perforch.errors import GitHubError
from perforch.github.client import Client, Clock
from perforch.github.publish import Report, Task, publish
from perforch.report import inline
from perforch.report.links import Links

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.result import Result

Make = Callable[..., Fake]
SEEDS, PARTS = 200, 4
LIMITED = {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "x"}]}
BROKEN = {"data": None, "errors": [{"message": "Something went wrong while executing your query."}]}
KINDS = (
    Fault(429, {"Retry-After": "1"}), Fault(429), Fault(403, {"Retry-After": "1"}), Fault(403),
    Fault(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000300"}),
    Fault(422, body={"message": "x", "errors": [{"code": "abuse"}]}), Fault(422, body={"message": "x", "code": "abuse"}),
    Fault(502), Fault(502, after=True), Fault(503, after=True), Fault(500, after=True), Fault(0), Fault(0, after=True),
    Fault(200, body="<html>a proxy says hello</html>"), Fault(200, body="<html>", after=True),
    Fault(200, body=LIMITED), Fault(200, body=BROKEN),
)  # fmt: skip


class Killed(BaseException):
    """The publisher dies between two requests."""


class Mortal(Client):
    """A client that dies before its n-th request."""

    __slots__ = ("life",)

    def __init__(self, other: Client, life: int, clock: Clock) -> None:
        super().__init__(other.token, other.repository, other.api_url, other.graphql_url, clock)
        self.life = life

    def _once(self, *arguments: Any, **options: Any) -> Any:
        self.life -= 1
        if self.life < 0:
            raise Killed
        return super()._once(*arguments, **options)


def findings(fake: Fake, record: Result) -> list[str]:
    """The fingerprints on threads, and that every proposal is named in the one summary."""
    (summary,) = summaries(fake)
    for function in record.functions:
        assert f"`{function.name}`" in summary
    return sorted(inline.finding(thread["body"]) for thread in fake.threads)


def survive(fake: Fake, record: Result, generator: random.Random) -> Report:
    """Publish until it is done, with faults, jumps of the clock and deaths on the way."""
    for _ in range(40):
        time = Time()

        def sleep(seconds: float, time: Time = time) -> None:
            time.sleep(seconds)
            if generator.random() < 0.2:
                time.seconds += generator.choice([-1e6, -3600, 3600, 1e6])

        life = generator.randrange(1, 25) if generator.random() < 0.6 else 10_000
        ours = Mortal(client(fake, time), life, Clock(lambda time=time: time.seconds, sleep))
        fake.limits = Limits()  # the jumps are the client's; GitHub's clock goes on
        try:
            return publish(ours, record, Task(fake.pull, record.head_sha, Links(), limit=10))
        except (Killed, GitHubError):
            continue
        finally:
            ours.close()
    pytest.fail("never finished")


@pytest.mark.parametrize("part", range(PARTS))
def test_random_schedules(make_fake: Make, part: int) -> None:
    fake = make_fake(dialect=("2024", "2026")[part % 2])
    # Two suggestions, one comment at the nearest line, and one that GitHub refuses in some schedules.
    elsewhere = proposal(fake, "src/a.py", suggestions=False, name="elsewhere").model_copy(
        update={"start_line": 20, "end_line": 24}
    )
    record = result(
        fake, *(proposal(fake, path, name=path[-1]) for path in ("src/d.rs", "src/b.cpp")), elsewhere
    )
    whole = [inline.fingerprint(function) for function in record.functions]
    refused = inline.fingerprint(record.functions[1])
    faults = 0
    for seed in range(part, SEEDS, PARTS):
        generator = random.Random(seed)
        fake.comments, fake.reviews, fake.threads = [], [], []
        bad = generator.random() < 0.3
        fake.rejects = (lambda comment: comment["path"] == "src/b.cpp") if bad else None
        schedule = generator.choices(
            [None, *KINDS], [len(KINDS) / 2, *[1] * len(KINDS)], k=generator.randrange(1, 30)
        )
        faults += sum(fault is not None for fault in schedule)
        fake.faults = [*schedule]
        survive(fake, record, generator)
        assert counts(fake)[:2] == (1, 1), seed
        assert findings(fake, record) == sorted({*whole} - ({refused} if bad else set())), seed
    assert faults > 300


@pytest.mark.parametrize("refuse", [False, True])
def test_death_at_every_request(make_fake: Make, refuse: bool) -> None:
    """The first run dies before its n-th request, for every n; the second does what is left."""
    fake = make_fake()
    fake.rejects = (lambda comment: comment["path"] == "src/b.cpp") if refuse else None
    record = result(fake, *(proposal(fake, path, name=path[-1]) for path in FILES))
    for life in range(100):
        fake.comments, fake.reviews, fake.threads = [], [], []
        time = Time()
        mortal = Mortal(client(fake, time), life, Clock(lambda time=time: time.seconds, time.sleep))
        died = False
        for ours in (mortal, client(fake, time)):
            try:
                publish(ours, record, Task(fake.pull, record.head_sha, Links(), limit=10))
            except Killed:
                died = True
            ours.close()
        assert counts(fake) == (1, 1, len(FILES) - refuse), life
        assert len(set(findings(fake, record))) == len(FILES) - refuse, life
        if not died:
            break
    assert life > 8


def test_a_process_that_is_killed(make_fake: Make, tmp_path: Path) -> None:
    """SIGKILL while GitHub is serving the first request, then the second of the next run, and so on until one ends."""
    fake = make_fake(rejects=lambda comment: comment["path"] == "src/b.cpp")
    record = result(fake, *(proposal(fake, path, name=path[-1]) for path in FILES))
    file = tmp_path / "result.json"
    file.write_text(record.dump(), newline="")
    environment = {
        "PATH": os.environ["PATH"], "GITHUB_TOKEN": "secret", "GITHUB_REPOSITORY": REPO, "GITHUB_API_URL": fake.url,
        "GITHUB_GRAPHQL_URL": f"{fake.url}/graphql", "PERFORCH_PAUSE": "0",
    }  # fmt: skip
    command = [sys.executable, "-I", "-c", "from perforch.cli import main; main()", "publish"]
    command += ["--result", str(file), "--pull-request", "7", "--head", fake.head, "--limit", "10"]
    for deadly in range(1, 60):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        first = len(fake.log)

        def kill(process: subprocess.Popen[bytes] = process, at: int = first + deadly - 1) -> None:
            if len(fake.log) == at:
                process.send_signal(signal.SIGKILL)

        fake.before = kill
        if process.wait() == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert deadly > 8
    assert counts(fake) == (1, 1, len(FILES) - 1)
    assert len(set(findings(fake, record))) == len(FILES) - 1
