"""The slices of webhook payloads that decide something.

Read leniently: real payloads break GitHub's own schemas, so all but the few fields we need are optional,
unknown fields are ignored, and what cannot be read is ignored with one line of explanation, never an error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 30 * 1024 * 1024  # GitHub caps payloads at 25 MB


class _Slice(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class User(_Slice):
    """An account."""

    login: str
    id: int = 0
    type: str = "User"


class Repository(_Slice):
    """A repository; only its full name matters."""

    full_name: str
    default_branch: str = ""


class Ref(_Slice):
    """One end of a pull request. `repo` is None once a fork has been deleted."""

    sha: str = Field(pattern=r"^[0-9a-f]{40}$")
    ref: str = ""
    repo: Repository | None = None


class Label(_Slice):
    """A label."""

    name: str = ""


class PullRequest(_Slice):
    """A pull request as an event or the API shows it."""

    number: int
    state: str = "open"
    draft: bool | None = False
    locked: bool | None = False
    user: User | None = None
    labels: tuple[Label, ...] = ()
    head: Ref
    base: Ref


class PullRequestEvent(_Slice):
    """`pull_request`."""

    action: str = ""
    pull_request: PullRequest
    repository: Repository
    sender: User | None = None


class Comment(_Slice):
    """A comment."""

    id: int
    body: str | None = ""
    user: User | None = None


class Issue(_Slice):
    """An issue; `pull_request` is set if it is one."""

    number: int
    state: str = "open"
    locked: bool | None = False
    pull_request: dict[str, object] | None = None


class CommentEvent(_Slice):
    """`issue_comment`."""

    action: str = ""
    comment: Comment
    issue: Issue
    repository: Repository
    sender: User | None = None


_MODELS: dict[str, type[PullRequestEvent | CommentEvent]] = {
    "pull_request": PullRequestEvent,
    "issue_comment": CommentEvent,
}


def read(name: str, payload: bytes) -> PullRequestEvent | CommentEvent | str:
    """The event, or one line that says why it is ignored."""
    model = _MODELS.get(name)
    if model is None:
        return f"event {name[:40]!r} is none of ours"
    if len(payload) > MAX_BYTES:
        return f"the payload has more than {MAX_BYTES} bytes"
    try:
        return model.model_validate(json.loads(payload))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{name}: {'.'.join(map(str, first['loc'])) or 'payload'}: {first['msg']}"
    except (ValueError, RecursionError):
        return f"{name}: the payload is not JSON"


def read_file(name: str, path: Path) -> PullRequestEvent | CommentEvent | str:
    """Like `read`, from the file that the runner names in GITHUB_EVENT_PATH."""
    try:
        with path.open("rb") as file:
            return read(name, file.read(MAX_BYTES + 1))
    except OSError as error:
        return f"the event file cannot be read: {error.strerror}"
