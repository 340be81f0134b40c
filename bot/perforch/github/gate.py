"""Decide what an event asks for and who asks it, before anything is checked out or paid for.

`decide_pull` and `decide_comment` are pure: the facts that cost a request are passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.github.commands import USAGE, Command, CommandError, Verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perforch.github.events import CommentEvent, PullRequest, PullRequestEvent

MUTE = "skip-perforch"
ACTIONS = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
SUFFIXES = frozenset(
    {".py", ".pyi", ".java", ".go", ".rs", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".ipp"}
)


class Kind(StrEnum):
    """What to do with an event."""

    IGNORE = "ignore"  # nothing at all: no request, no reaction, no answer
    RUN = "run"
    REPLY = "reply"  # answer a person who may ask
    REMEMBER = "remember"  # leave a function alone from now on


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome.

    Attributes:
        kind: what to do.
        reason: one line for the log.
        reply: our own Markdown for the person, if any; holds nothing of what was typed.
        note: our own Markdown for the job summary, where nobody asked and nothing is posted.
        pull: number of the pull request.
        head: 40-hex revision that every later job works on, and no other.
        base: name of the branch it goes to.
        fork: the head lies in another repository.
        command: what was asked for; None for a push.
        comment: id of the comment with the command.
    """

    kind: Kind
    reason: str
    reply: str = ""
    note: str = ""
    pull: int = 0
    head: str = ""
    base: str = ""
    fork: bool = False
    command: Command | None = None
    comment: int = 0

    def outputs(self) -> dict[str, str]:
        """The step's outputs: validated words only, all strings."""
        command = self.command
        return {
            "run": "true" if self.kind is Kind.RUN else "false",
            "reason": self.reason,
            "pull-request": str(self.pull or ""),
            "head-sha": self.head,
            "base-ref": self.base,
            "fork": "true" if self.fork else "false",
            "command": command.verb.value if command else "optimize",
            "functions": "\n".join(command.functions) if command else "",
            "metric": command.metric if command else "",
            "stage": command.stage if command else "",
            "asked": "true" if command else "false",
            "comment-id": str(self.comment or ""),
        }


def ignore(reason: str) -> Decision:
    """Nothing is to be done."""
    return Decision(Kind.IGNORE, reason)


def is_fork(pull: PullRequest, repository: str) -> bool:
    """Whether the head lies elsewhere; a deleted fork has no repository at all."""
    return pull.head.repo is None or pull.head.repo.full_name.lower() != repository.lower()


def decide_pull(event: PullRequestEvent, paths: Iterable[str], *, forks: bool = False) -> Decision:
    """A push to a pull request. `paths` (the files it changes) are asked for only if all else holds.

    Pull requests from forks run only if `forks` says that there is a runner for them, apart from the pinned one.
    """
    pull = event.pull_request
    if event.action not in ACTIONS:
        return ignore("this action of a pull request starts nothing")
    if pull.state != "open" or pull.locked:
        return ignore("the pull request is closed or locked")
    if pull.draft:
        return ignore("the pull request is a draft")
    fork = is_fork(pull, event.repository.full_name)
    if fork and not forks:
        note = (
            "perforch has not run: this pull request comes from a fork. A maintainer who has read the code at its head "
            f"can have it measured with the comment `/perforch optimize {pull.head.sha}`."
        )
        reason = "pull requests from forks are measured only when a maintainer asks with a command"
        return Decision(Kind.IGNORE, reason, note=note)
    if (pull.user and pull.user.type == "Bot") or (event.sender and event.sender.type == "Bot"):
        return ignore("a bot pushed it")
    if MUTE in {label.name for label in pull.labels}:
        return ignore(f"the label {MUTE} is set")
    if not any(PurePosixPath(path).suffix.lower() in SUFFIXES for path in paths):
        return ignore("no source file of a supported language changed")
    reason = "a pull request of this repository changed"
    return Decision(Kind.RUN, reason, pull=pull.number, head=pull.head.sha, base=pull.base.ref, fork=fork)


def addressed(event: CommentEvent, parsed: Command | CommandError | None) -> str:
    """Why a comment is not for us, from the event alone; "" if it may be."""
    if event.action != "created":
        return "only new comments are read"
    if event.issue.pull_request is None:
        return "the comment is not on a pull request"
    if event.issue.state != "open" or event.issue.locked:
        return "the pull request is closed or locked"
    author, sender = event.comment.user, event.sender
    if (
        author is None
        or sender is None
        or author.type != "User"
        or sender.type != "User"
        or author.id != sender.id
    ):
        return "the comment is not one that a person just wrote"
    if "<!-- perforch:" in (event.comment.body or ""):
        return "the comment is one of ours"
    return "" if parsed is not None else "the comment holds no command"


def decide_comment(
    event: CommentEvent, parsed: Command | CommandError, *, may_write: bool, pull: PullRequest | None
) -> Decision:
    """A command, once its author's permission and the pull request as it stands now are known.

    A stranger gets nothing at all. A fork's head must be named in full: what was looked at is what runs.
    """
    if not may_write or pull is None:
        return ignore("the author may not write to this repository")
    fork = is_fork(pull, event.repository.full_name)
    common = Decision(
        Kind.REPLY,
        "",
        pull=pull.number,
        head=pull.head.sha,
        base=pull.base.ref,
        fork=fork,
        comment=event.comment.id,
    )
    if isinstance(parsed, CommandError):
        return replace(
            common, reason="the command is not well-formed", reply=f"{parsed.message}\n\n{usage()}"
        )
    common = replace(common, command=parsed)
    if parsed.verb is Verb.HELP:
        return replace(common, reason="help", reply=usage())
    if parsed.verb is Verb.STATUS:
        return replace(common, reason="status")
    if pull.state != "open" or pull.locked:
        return ignore("the pull request is closed or locked")
    if parsed.verb is Verb.IGNORE:
        return replace(common, kind=Kind.REMEMBER, reason="a function is to be left alone")
    if parsed.sha and parsed.sha != pull.head.sha:
        text = f"The head of this pull request is `{pull.head.sha}` now, not the commit you named. Nothing was run."
        return replace(common, reason="the head has moved", reply=text)
    if fork and not parsed.sha:
        text = (
            "This pull request comes from a fork, so the commit must be named. If you have read the code at the "
            f"current head, comment: `/perforch {parsed.verb} {pull.head.sha}`"
        )
        return replace(common, reason="a fork needs the commit", reply=text)
    return replace(common, kind=Kind.RUN, reason=f"a maintainer asked for {parsed.verb}")


def usage() -> str:
    """The grammar, in a fence so that no line of it is a command."""
    return (
        f"Commands, on the first line of a comment:\n\n```text\n {USAGE.replace(chr(10), chr(10) + ' ')}\n```"
    )
