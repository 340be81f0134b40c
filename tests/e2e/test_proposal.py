"""Files as a branch and a pull request: made once, moved and edited after that, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from github_fake import REPO, Fake, Fault, git

from perforch.errors import GitHubError
from perforch.github.client import Client, Clock
from perforch.github.proposal import Proposal, propose

Make = Callable[..., Fake]
FILES: dict[str, bytes | None] = {
    "rankings/m.jsonl": b"one\n",
    "rankings/\xe9 2.jsonl": b"\x00\xff",
    "src/b.cpp": None,
}


@contextmanager
def connected(fake: Fake) -> Iterator[Client]:
    clock = Clock(sleep=lambda _: None)
    client = Client("secret", REPO, fake.url, f"{fake.url}/graphql", clock=clock, pause=0)
    try:
        yield client
    finally:
        client.close()


def ask(fake: Fake, proposal: Proposal) -> str:
    with connected(fake) as client:
        return propose(client, proposal)


def proposal(fake: Fake, body: str = "Numbers.", files: dict[str, bytes | None] = FILES) -> Proposal:
    return Proposal(
        "main", git(fake.repo, "rev-parse", "main"), "perforch/rankings", "New evidence", body, files
    )


@pytest.fixture
def fake(make_fake: Make) -> Fake:
    rights = {"contents": "write", "pull_requests": "write"}
    return make_fake(may_open=True, permissions=rights)


def test_a_branch_and_a_pull_request(fake: Fake) -> None:
    main = git(fake.repo, "rev-parse", "main")
    address = ask(fake, proposal(fake))
    (pull,) = fake.opened
    assert address.endswith(f"/pull/{pull['number']}")
    changed = git(
        fake.repo, "-c", "core.quotePath=false", "diff", "--name-status", "main", "perforch/rankings"
    )
    assert changed.split("\n") == ["A\trankings/m.jsonl", "A\trankings/\xe9 2.jsonl", "D\tsrc/b.cpp"]
    assert git(fake.repo, "rev-parse", "perforch/rankings^", "main") == f"{main}\n{main}"
    assert git(fake.repo, "log", "-1", "--format=%s", "perforch/rankings") == "New evidence"


def test_again_moves_the_branch_and_edits_the_pull_request(fake: Fake) -> None:
    first = ask(fake, proposal(fake))
    again = ask(fake, proposal(fake, "Other numbers.", {"rankings/m.jsonl": b"two\n"}))
    assert first == again
    (pull,) = fake.opened
    assert pull["body"] == "Other numbers."
    assert git(fake.repo, "diff", "--name-only", "main", "perforch/rankings") == "rankings/m.jsonl"


def test_a_pull_request_that_a_person_closed_is_followed_by_a_new_one(fake: Fake) -> None:
    ask(fake, proposal(fake))
    fake.opened[0]["state"] = "closed"
    ask(fake, proposal(fake, "Other numbers."))
    assert [pull["state"] for pull in fake.opened] == ["closed", "open"]


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("after", [True, False])
def test_failures_before_and_after_an_effect_repeat_nothing(fake: Fake, place: int, after: bool) -> None:
    fake.faults = [*[None] * place, Fault(502, after=after)]
    ask(fake, proposal(fake))
    assert len(fake.opened) == 1
    assert not fake.faults
    assert git(fake.repo, "show", "perforch/rankings:rankings/m.jsonl") == "one"


def test_the_setting_of_the_repository_is_named(fake: Fake) -> None:
    fake.may_open = False
    with pytest.raises(GitHubError) as caught:
        ask(fake, proposal(fake))
    assert "Allow GitHub Actions to create and approve pull requests" in caught.value.hint
    assert "the branch perforch/rankings is ready" in caught.value.message
    assert git(fake.repo, "rev-parse", "--verify", "perforch/rankings")
