"""Post a result to its pull request: one summary comment, edited in place, and one review a head revision.

Executes nothing and believes nothing of the record that GitHub itself can say. It can be killed between
any two requests and run again: it then does what is left and repeats nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perforch.github import reviews, trust
from perforch.github.anchors import Diff
from perforch.github.conversation import Conversation, Said
from perforch.github.ladder import Rung, climb
from perforch.report import escape, inline, markdown, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from perforch.github.client import Client, Json
    from perforch.report.links import Links
    from perforch.result import Result

MUTE = "skip-perforch"


@dataclass(frozen=True, slots=True)
class Task:
    """What the gate decided, which is all that is known for certain.

    Attributes:
        pull: number of the pull request.
        head: 40-hex revision that was to be measured.
        asked: a person asked for it with a command.
        limit: most proposals that become review comments.
        links: what the texts point to.
        run: id of the workflow run.
    """

    pull: int
    head: str
    links: Links
    asked: bool = False
    limit: int = 3
    run: str = ""


@dataclass(slots=True)
class Report:
    """What was done, for the log and the action's outputs."""

    summary: str = ""
    review: str = ""
    placed: dict[str, Rung] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def publish(
    client: Client, result: Result, task: Task, *, say: Callable[[str], None] = lambda _: None
) -> Report:
    """Post what is worth posting; see the module.

    Raises:
        UsageError: the record belongs to another revision than the gate decided on.
        PermissionDenied: the token may not write here; the caller has the text in the job summary.
        GitHubError: GitHub refused or stayed away.
    """
    trust.belongs(result, repository=client.repository, head=task.head)
    report = Report()
    pull = client.get(f"pulls/{task.pull}")
    reason = _silent(pull, task) or result.canaries.alarm
    if reason:
        report.remarks.append(reason)
        return report
    conversation = Conversation(client, task.pull)
    said = _sticky(conversation)
    memory = markdown.read_data_line(said.body) if said else {}
    result = without(result, ignored(memory))
    moved = _moved(pull, task)
    diff = None
    if not moved:
        diff = Diff(client.pages(f"pulls/{task.pull}/files"))
        # A push after the head was looked at makes it another diff.
        moved = _moved(client.get(f"pulls/{task.pull}"), task)
    result = trust.believable(result, None if moved else diff)
    if not (worth_saying(result) or task.asked or said):
        report.remarks.append("nothing is proven and nobody asked, so nothing was posted")
        return report
    if said is None and not task.asked and _unwanted(conversation):
        report.remarks.append(
            "someone removed the summary comment, so nothing was posted; a command brings it back"
        )
        return report
    result = trust.based(result, client.pages(f"pulls/{task.pull}/commits"))
    body = markdown.review(
        result,
        links=task.links,
        remarks=[moved] if moved else [],
        data=markdown.data_line(head=task.head, run=task.run, extra={"ignored": sorted(ignored(memory))}),
    )
    report.summary = _put_sticky(client, conversation, task.pull, said, body)
    say(f"summary comment: {report.summary}")
    if moved or diff is None or _moved(client.get(f"pulls/{task.pull}"), task):
        report.remarks.append("the head has moved, so no review was posted")
        return report
    remarks = climb(result, diff, limit=task.limit)
    outcome = reviews.put(client, conversation, task, result, remarks)
    report.review, report.placed = outcome.url, outcome.placed
    for function in words.proven(result):
        report.placed.setdefault(escape.plain(f"{function.path}::{function.name}"), Rung.SUMMARY)
    return report


def worth_saying(result: Result) -> bool:
    """Whether there is anything that nobody needs to ask for."""
    return bool(words.proven(result) or result.regressions)


def ignored(memory: Json) -> frozenset[str]:
    """Functions that a maintainer asked us to leave alone, as the summary comment remembers them."""
    listed = memory.get("ignored")
    return (
        frozenset(item for item in listed if isinstance(item, str))
        if isinstance(listed, list)
        else frozenset()
    )


def without(result: Result, names: frozenset[str]) -> Result:
    """The result less the functions that are to be left alone."""
    if not names:
        return result
    kept = tuple(f for f in result.functions if f"{f.path}::{f.name}" not in names)
    regressions = tuple(r for r in result.regressions if f"{r.path}::{r.name}" not in names)
    return result.model_copy(update={"functions": kept, "regressions": regressions})


def _silent(pull: Json, task: Task) -> str:
    """Why nothing may be posted whatever was found; "" if it may."""
    if pull.get("state") != "open":
        return "the pull request is closed, so nothing was posted"
    if pull.get("locked"):
        return "the pull request is locked, so nothing was posted"
    labels = {label.get("name") for label in pull.get("labels") or () if isinstance(label, dict)}
    if MUTE in labels and not task.asked:
        return f"the label {MUTE} is set, so nothing was posted"
    return ""


def _moved(pull: Json, task: Task) -> str:
    """One sentence for people if the head is no longer what was measured; "" if it is."""
    head = str((pull.get("head") or {}).get("sha") or "")
    if head == task.head:
        return ""
    return (
        f"⚠️ Measured at {escape.code(task.head[:7])}, but the head is now {escape.code(head[:7])}. "
        "The numbers may no longer hold; comment `/perforch optimize` to measure again."
    )


def _sticky(conversation: Conversation) -> Said | None:
    """Our summary comment, recognised by authorship and by its first line."""
    return next((said for said in conversation.comments() if said.body.startswith(markdown.MARKER)), None)


def _unwanted(conversation: Conversation) -> bool:
    """Whether our summary was there and is not any more: someone hid it, or deleted it and left the review."""
    hidden = any(said.body.startswith(markdown.MARKER) for said in conversation.comments(hidden=True))
    return hidden or any(
        review.body.startswith(inline.REVIEW) and review.state != "PENDING"
        for review in conversation.reviews()
    )


def _put_sticky(client: Client, conversation: Conversation, pull: int, said: Said | None, body: str) -> str:
    if said is None:

        def find() -> Json | None:
            found = _sticky(conversation)
            return {"html_url": found.url} if found else None

        made = client.write("POST", f"issues/{pull}/comments", {"body": body}, find=find)
        return str(made.get("html_url", ""))
    # GitHub hands text back with CRLF in places and without the last newline.
    if said.body.replace("\r\n", "\n").strip() != body.strip():
        client.write("PATCH", f"issues/comments/{said.number}", {"body": body})
    return said.url
