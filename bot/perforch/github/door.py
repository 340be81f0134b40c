"""The gate's side that talks to GitHub: asks for permission, answers, reacts, and hands outputs to the workflow."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import ValidationError

from perforch.errors import GitHubError
from perforch.github import commands, gate
from perforch.github.client import Missing, PermissionDenied
from perforch.github.conversation import Conversation
from perforch.github.events import CommentEvent, PullRequest, PullRequestEvent
from perforch.github.gate import Decision, Kind
from perforch.github.publish import ignored
from perforch.report import escape, markdown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from perforch.github.client import Client, Json
    from perforch.github.conversation import Said


@dataclass(frozen=True, slots=True)
class Door:
    """One event at the door of one repository; `forks`: see `gate.decide_pull`."""

    client: Client
    forks: bool = False

    def decide(self, event: PullRequestEvent | CommentEvent | str) -> Decision:
        """Ask GitHub as little as the event allows; strangers and other people's comments cost nothing."""
        if isinstance(event, str):
            return gate.ignore(event)
        if isinstance(event, PullRequestEvent):
            first = gate.decide_pull(event, ["anything.py"], forks=self.forks)
            if first.kind is Kind.IGNORE:
                return first
            files = self.client.pages(f"pulls/{event.pull_request.number}/files")
            paths = [str(file.get("filename", "")) for file in files]
            return gate.decide_pull(event, paths, forks=self.forks)
        parsed = commands.parse(event.comment.body or "")
        reason = gate.addressed(event, parsed)
        if reason or parsed is None or event.comment.user is None:
            return gate.ignore(reason)
        may_write = self.may_write(event.comment.user.login)
        pull = self.pull(event.issue.number) if may_write else None
        return gate.decide_comment(event, parsed, may_write=may_write, pull=pull)

    def may_write(self, login: str) -> bool:
        """Whether the account may push, by the API's own word; any error means no.

        The boolean map is read: the older `permission` word folds maintain into write and triage into read.
        """
        try:
            answer = self.client.get(f"collaborators/{quote(login, safe='')}/permission")
        except (Missing, PermissionDenied):
            return False
        user = answer.get("user") if isinstance(answer, dict) else None
        rights = user.get("permissions") if isinstance(user, dict) else None
        return isinstance(rights, dict) and rights.get("push") is True

    def pull(self, number: int) -> PullRequest:
        """The pull request as it stands now.

        Raises:
            GitHubError: GitHub's answer has no head.
        """
        try:
            return PullRequest.model_validate(self.client.get(f"pulls/{number}"))
        except ValidationError as error:
            message = f"GitHub's answer on pull request {number} cannot be read"
            raise GitHubError(message) from error

    def act(self, decision: Decision) -> str:
        """Everything that a person sees of the decision; returns the answer given, if any."""
        if decision.kind is Kind.IGNORE:
            return ""
        if decision.comment:
            self.react(
                decision.comment, "eyes" if decision.kind is not Kind.REPLY or not decision.reply else "-1"
            )
        reply = decision.reply
        if decision.kind is Kind.REMEMBER and decision.command:
            reply = self._remember(decision.pull, decision.command.functions[0], decision.head)
        elif decision.kind is Kind.REPLY and not reply:
            reply = self._status(decision)
        if reply:
            self._answer(decision, reply)
        return reply

    def react(self, comment: int, content: str) -> None:
        """A reaction; a courtesy, so a token that may not react changes nothing."""
        try:
            self.client.write("POST", f"issues/comments/{comment}/reactions", {"content": content})
        except GitHubError:
            return

    def _answer(self, decision: Decision, reply: str) -> None:
        """One answer a command, whatever happens between."""
        marker = f"<!-- perforch:reply to={decision.comment} -->"
        conversation = Conversation(self.client, decision.pull)

        def find() -> Json | None:
            return next(
                ({"id": c.number} for c in conversation.comments() if c.body.startswith(marker)), None
            )

        if find() is None:
            body = {"body": f"{marker}\n{reply}\n"}
            self.client.write("POST", f"issues/{decision.pull}/comments", body, find=find)

    def _summary(self, pull: int) -> Said | None:
        said = Conversation(self.client, pull).comments()
        return next((c for c in said if c.body.startswith(markdown.MARKER)), None)

    def _status(self, decision: Decision) -> str:
        said = self._summary(decision.pull)
        if said is None:
            return "Nothing has been measured on this pull request yet. Ask with `/perforch optimize`."
        head = str(markdown.read_data_line(said.body).get("head", ""))
        state = "which is the current head" if head == decision.head else "but the head has moved since"
        return f"Last measured at {escape.code(head[:7])}, {state}: see the summary comment above."

    def _remember(self, pull: int, function: str, head: str) -> str:
        """Add a function to the hidden list in the summary comment, which the publisher heeds."""
        said = self._summary(pull)
        memory = markdown.read_data_line(said.body) if said else {}
        names = sorted({*ignored(memory), function})
        line = markdown.data_line(
            head=str(memory.get("head", head)), run=str(memory.get("run", "")), extra={"ignored": names}
        )
        if said is None:
            body = f"{markdown.MARKER}\n{line}\n### perforch: nothing measured yet\n"

            def find() -> Json | None:
                found = self._summary(pull)
                return {"id": found.number} if found else None

            self.client.write("POST", f"issues/{pull}/comments", {"body": body}, find=find)
        else:
            lines = [text for text in said.body.split("\n") if not text.startswith("<!-- perforch:data ")]
            body = "\n".join([lines[0], line, *lines[1:]])
            self.client.write("PATCH", f"issues/comments/{said.number}", {"body": body})
        return "That function will be left alone on this pull request from now on."


def write_outputs(path: Path, values: Mapping[str, str]) -> None:
    """Append to GITHUB_OUTPUT, each value between random delimiters that it cannot hold."""
    with path.open("a", encoding="utf-8") as file:
        for name, value in values.items():
            end = f"end_{secrets.token_hex(16)}"
            file.write(f"{name}<<{end}\n{value}\n{end}\n")
