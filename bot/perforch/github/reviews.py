"""The one review of a head revision, and what becomes of comments that GitHub will not take.

A review is all or nothing: one comment that GitHub cannot place refuses the rest with it, unnamed.
The body of the review remembers which comments are still to be posted one by one, so that a killed run can be
continued.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perforch.errors import GitHubError
from perforch.github.client import Missing, Unprocessable
from perforch.github.ladder import Rung
from perforch.report import inline, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.github.client import Client, Json
    from perforch.github.conversation import Conversation, Said, Thread
    from perforch.github.ladder import Remark
    from perforch.github.publish import Task
    from perforch.result import Result


@dataclass(slots=True)
class Outcome:
    """Where the review is, and on which rung each comment ended up, by fingerprint."""

    url: str = ""
    placed: dict[str, Rung] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every step needs."""

    client: Client
    conversation: Conversation
    task: Task
    result: Result

    def ours(self) -> Said | None:
        """The submitted review of this head revision."""
        marker = inline.marker(self.task.head)
        reviews = self.conversation.reviews()
        return next((r for r in reviews if r.body.startswith(marker) and r.state != "PENDING"), None)

    def create(self, remarks: Sequence[Remark], left: Sequence[str], bodies: Sequence[str] = ()) -> Json:
        """Submit the review at once (`event` is always given: without it the review stays pending)."""
        body = inline.review(self.result, left=left, bodies=bodies, data_run=self.task.run)
        comments = [{"body": remark.body, **remark.anchor.fields()} for remark in remarks if remark.anchor]
        document: Json = {"commit_id": self.task.head, "event": "COMMENT", "body": body, "comments": comments}

        def find() -> Json | None:
            found = self.ours()
            return {"html_url": found.url, "body": found.body} if found else None

        return self.client.write("POST", f"pulls/{self.task.pull}/reviews", document, find=find)


def put(
    client: Client, conversation: Conversation, task: Task, result: Result, remarks: Sequence[Remark]
) -> Outcome:
    """Post the comments that are new, in one review; then tidy up what is outdated."""
    desk = _Desk(client, conversation, task, result)
    _remove_pending(desk)
    threads = conversation.threads()
    known = {inline.finding(thread.body) for thread in threads}
    outcome = Outcome(
        placed={remark.fingerprint: remark.rung for remark in remarks if remark.fingerprint in known}
    )
    fresh = [remark for remark in remarks if remark.fingerprint not in known]
    existing = desk.ours()
    if existing:
        outcome.url = existing.url
        _continue(desk, existing.body, fresh, outcome)
    elif fresh:
        _create(desk, fresh, outcome)
    wanted = {remark.fingerprint for remark in remarks}
    for thread in threads:
        stale = thread.outdated and not (thread.resolved or thread.replies or thread.minimized)
        if stale and inline.finding(thread.body) and inline.finding(thread.body) not in wanted:
            _attempt_minimize(conversation, thread)
    return outcome


def _remove_pending(desk: _Desk) -> None:
    """A pending review of ours would block every other one; we make none, but one may have been left."""
    for review in desk.conversation.reviews():
        if review.state == "PENDING" and review.body.startswith(inline.REVIEW):
            try:
                desk.client.write("DELETE", f"pulls/{desk.task.pull}/reviews/{review.number}", None)
            except Missing:
                continue


def _create(desk: _Desk, fresh: list[Remark], outcome: Outcome) -> None:
    """The whole review; if refused, one half of it, the other half one by one; at last the text alone."""
    inside = [remark for remark in fresh if remark.anchor]
    single = [remark for remark in fresh if not remark.anchor]
    half = (len(inside) + 1) // 2
    splits: list[tuple[list[Remark], list[Remark]]] = [(inside, [])] if inside else []
    if len(inside) > 1:
        splits += [(inside[:half], inside[half:]), (inside[half:], inside[:half])]
    for chosen, rest in splits:
        left = [remark.fingerprint for remark in [*rest, *single]]
        try:
            made = desk.create(chosen, left)
        except Unprocessable:
            continue
        outcome.url = str(made.get("html_url", ""))
        outcome.placed |= {remark.fingerprint: remark.rung for remark in chosen}
        _continue(desk, str(made.get("body", "")), [*rest, *single], outcome)
        return
    left = [remark.fingerprint for remark in single]
    try:
        made = desk.create([], left, [remark.body for remark in inside])
    except Unprocessable:
        # The summary comment has every proposal with its patch; nothing is lost.
        return
    outcome.url = str(made.get("html_url", ""))
    _continue(desk, str(made.get("body", "")), single, outcome)


def _continue(desk: _Desk, body: str, fresh: list[Remark], outcome: Outcome) -> None:
    """Post the comments that the review still lists, each on its own; a refused one stays in the summary."""
    left = markdown.read_data_line(body.replace("\r\n", "\n")).get("left")
    waiting = set(left) if isinstance(left, list) else set()
    for remark in fresh:
        if remark.fingerprint not in waiting:
            continue
        place: Json = (
            remark.anchor.fields() if remark.anchor else {"path": remark.path, "subject_type": "file"}
        )
        document = {"body": remark.body, "commit_id": desk.task.head, **place}

        def find(fingerprint: str = remark.fingerprint) -> Json | None:
            threads = desk.conversation.threads()
            return {} if any(inline.finding(thread.body) == fingerprint for thread in threads) else None

        try:
            desk.client.write("POST", f"pulls/{desk.task.pull}/comments", document, find=find)
        except Unprocessable:
            outcome.placed[remark.fingerprint] = Rung.SUMMARY
        else:
            outcome.placed[remark.fingerprint] = remark.rung


def _attempt_minimize(conversation: Conversation, thread: Thread) -> None:
    """Folding old comments is a courtesy: a token that may not do it changes nothing that matters."""
    try:
        conversation.minimize(thread)
    except GitHubError:
        return
