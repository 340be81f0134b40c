"""`perforch publish`: post a result to its pull request."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perforch.commands import terminal

if TYPE_CHECKING:
    from perforch.github.client import Client


@click.command()
@click.option(
    "--result",
    "file",
    required=True,
    envvar="PERFORCH_RESULT",
    type=click.Path(path_type=Path),
    help="result.json of perforch optimize.",
)
@click.option(
    "--pull-request",
    type=int,
    required=True,
    envvar="PERFORCH_PULL_REQUEST",
    help="Number of the pull request.",
)
@click.option("--head", required=True, envvar="PERFORCH_HEAD_SHA", help="Commit that was to be measured.")
@click.option("--sha256", envvar="PERFORCH_SHA256", help="Expected digest of the result file.")
@click.option(
    "--asked",
    is_flag=True,
    envvar="PERFORCH_ASKED",
    help="A person asked, so answer even if nothing is proven.",
)
@click.option(
    "--comment-id", type=int, envvar="PERFORCH_COMMENT_ID", help="Comment with the command, to react to."
)
@click.option(
    "--limit",
    type=click.IntRange(0, 10),
    envvar="PERFORCH_LIMIT",
    default=3,
    show_default=True,
    help="Most proposals shown in the review.",
)
@terminal.json_option
def publish(
    file: Path,
    pull_request: int,
    head: str,
    sha256: str | None,
    asked: bool,
    comment_id: int | None,
    limit: int,
    as_json: bool,
) -> int:
    """Post one summary comment, edited in place, and at most one review for this commit; run nothing.

    The job summary gets the same text first, so that nothing is lost whatever GitHub answers.
    """
    from perforch import result as results
    from perforch.errors import GitHubError, UsageError
    from perforch.github import context, trust
    from perforch.github.publish import Report, Task
    from perforch.github.publish import publish as post
    from perforch.report import markdown

    client = context.client(os.environ)
    click.get_current_context().call_on_close(client.close)
    links = context.links(os.environ)
    try:
        result = results.load(file)
        if sha256 and hashlib.sha256(file.read_bytes()).hexdigest() != sha256.lower():
            message = f"{file} is not the file that the measuring job wrote"
            raise UsageError(message, hint="It was replaced between the jobs; nothing was posted.")
        trust.belongs(result, repository=client.repository, head=head)
        shown = trust.believable(result, None)
        context.summarise(os.environ, markdown.review(shown, links=links, budget=context.SUMMARY_LIMIT // 2))
        task = Task(
            pull_request, head, links, asked=asked, limit=limit, run=os.environ.get("GITHUB_RUN_ID", "")
        )
        report = post(client, result, task, say=terminal.stderr().print)
    except (GitHubError, UsageError) as error:
        _react(client, comment_id, "confused")
        if isinstance(error, GitHubError) and _read_only(client, pull_request):
            report = Report(remarks=[f"{error.message}; a fork's token may not write: see the job summary"])
        else:
            raise
    else:
        _react(client, comment_id, "rocket")
    document = {
        "comment_url": report.summary,
        "review_url": report.review,
        "placed": {name: rung.value for name, rung in report.placed.items()},
        "remarks": report.remarks,
    }
    lines = [*(f"summary: {report.summary}" for _ in [0] if report.summary), *report.remarks]
    terminal.emit(
        document, as_json=as_json, human=lambda console: console.print("\n".join(lines) or "posted")
    )
    _outputs(head, report.summary)
    return 0


def _react(client: Client, comment: int | None, content: str) -> None:
    from perforch.github.door import Door

    if comment:
        Door(client).react(comment, content)


def _read_only(client: Client, number: int) -> bool:
    """Whether the pull request comes from where GitHub hands out read-only tokens: forks and Dependabot."""
    from perforch.errors import GitHubError
    from perforch.github.door import Door
    from perforch.github.gate import is_fork

    try:
        pull = Door(client).pull(number)
    except GitHubError:
        return False
    return is_fork(pull, client.repository) or (pull.user is not None and pull.user.type == "Bot")


def _outputs(head: str, comment: str) -> None:
    from perforch.github.door import write_outputs

    if os.environ.get("GITHUB_OUTPUT"):
        write_outputs(Path(os.environ["GITHUB_OUTPUT"]), {"head-sha": head, "comment-url": comment})
