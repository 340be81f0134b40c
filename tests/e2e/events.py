"""Commits on the fake's repository, and the events that a runner would be given for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from github_fake import REPO, Fake, git

if TYPE_CHECKING:
    from pathlib import Path


def commit(repo: Path, files: dict[str, str], message: str) -> str:
    for name, text in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def user(login: str = "dev", number: int = 2) -> dict[str, Any]:
    return {"login": login, "id": number, "type": "User"}


def pushed(fake: Fake, action: str = "opened") -> dict[str, Any]:
    """The event of a push to the pull request."""
    home = "stranger/rows" if fake.fork else REPO
    pull = {
        "number": fake.pull, "state": "open", "draft": False, "locked": False, "user": user(), "labels": [],
        "head": {"sha": fake.head, "ref": "topic", "repo": {"full_name": home}},
        "base": {"sha": fake.base, "ref": "main", "repo": {"full_name": REPO}},
    }  # fmt: skip
    repository = {"full_name": REPO, "default_branch": "main"}
    return {
        "action": action,
        "number": fake.pull,
        "pull_request": pull,
        "repository": repository,
        "sender": user(),
    }


def said(fake: Fake, body: str, login: str = "maintainer") -> dict[str, Any]:
    """The event of a comment on the pull request."""
    author = user(login, 1)
    return {
        "action": "created",
        "comment": {"id": 55, "body": body, "user": author},
        "issue": {
            "number": fake.pull,
            "state": "open",
            "locked": False,
            "pull_request": {},
            "user": user(),
        },
        "repository": {"full_name": REPO, "default_branch": "main"},
        "sender": author,
    }
