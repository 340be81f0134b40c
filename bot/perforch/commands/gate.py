"""`perforch gate`: decide what an event asks for and who asks it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from perforch.commands import terminal


@click.command()
@click.option("--event", "name", envvar="GITHUB_EVENT_NAME", required=True, help="Name of the event.")
@click.option(
    "--payload",
    envvar="GITHUB_EVENT_PATH",
    required=True,
    type=click.Path(path_type=Path),
    help="Its JSON file.",
)
@click.option(
    "--recheck", metavar="SHA", help="Only check that the pull request's head is still this commit."
)
@click.option("--pull-request", type=int, help="With --recheck: number of the pull request.")
@click.option(
    "--forks",
    is_flag=True,
    envvar="PERFORCH_FORKS",
    help="Let pull requests from forks through: there is a runner for them, and it is given no secret.",
)
@terminal.json_option
def gate(
    name: str, payload: Path, recheck: str | None, pull_request: int | None, forks: bool, as_json: bool
) -> int:
    """Decide what an event asks for and who asks it; write the decision to GITHUB_OUTPUT.

    Anything that is not meant for perforch is ignored with one line and exit code 0.
    """
    from perforch.errors import UsageError
    from perforch.github import context, door, events
    from perforch.github.gate import Kind, ignore

    if recheck is not None:
        if pull_request is None:
            message = "--recheck needs --pull-request"
            raise UsageError(message)
        client = context.client(os.environ)
        click.get_current_context().call_on_close(client.close)
        head = door.Door(client).pull(pull_request).head.sha
        if head != recheck:
            message = f"the head of pull request {pull_request} is {head[:12]} now, not {recheck[:12]}"
            raise UsageError(message, hint="Comment /perforch optimize again to measure the new head.")
        return 0
    event = events.read_file(name, payload)
    if isinstance(event, str):
        decision = ignore(event)
    else:
        client = context.client(os.environ)
        click.get_current_context().call_on_close(client.close)
        entrance = door.Door(client, forks)
        decision = entrance.decide(event)
        reply = entrance.act(decision) or decision.note
        if reply:
            context.summarise(os.environ, reply)
    outputs = decision.outputs()
    if os.environ.get("GITHUB_OUTPUT"):
        door.write_outputs(Path(os.environ["GITHUB_OUTPUT"]), outputs)
    word = "run" if decision.kind is Kind.RUN else decision.kind.value
    terminal.emit(outputs, as_json=as_json, human=lambda console: console.print(f"{word}: {decision.reason}"))
    return 0
