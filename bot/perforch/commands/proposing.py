"""`perforch rankings compare` and `propose`: what new evidence changes, as a table and as a pull request."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from perforch.commands import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from perforch.settings import ModelSettings, Settings

BRANCH = "perforch/rankings"


@click.command()
@click.option("--before", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--after", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--config", type=click.Path(path_type=Path), help="Rank the models of this configuration.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Markdown file to write.")
@click.option(
    "--changed",
    type=click.Path(path_type=Path),
    help="Directory that gets a copy of every file that differs.",
)
@terminal.json_option
def compare(
    before: Path, after: Path, config: Path | None, out: Path | None, changed: Path | None, as_json: bool
) -> int:
    """Say what the evidence in --after changes in the orders that --before gives; the shipped evidence counts in both.

    The text also goes to the job summary.
    """
    from perforch import assets
    from perforch.github import context
    from perforch.rankings import changes, store, summary

    shipped = assets.directory("rankings")
    old = store.load_directories([shipped, before])
    new = store.load_directories([shipped, after])
    settings = _settings(config)
    models = _models(settings, {record.model for record in new if record.source != "paper"})
    found = changes.compare(old, new, models, metric=settings.metric, strategy=settings.strategy)
    text = summary.markdown(found)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        store.replace(out, text + "\n")
    for file in store.files(after) if changed is not None else ():
        assert changed is not None
        name = file.relative_to(after)
        if not (before / name).is_file() or (before / name).read_bytes() != file.read_bytes():
            (changed / name).parent.mkdir(parents=True, exist_ok=True)
            (changed / name).write_bytes(file.read_bytes())
    context.summarise(os.environ, text)
    document = asdict(found) | {"moved": len(found.moved)}
    terminal.emit(document, as_json=as_json, human=lambda console: console.print(text))
    return 0


def _settings(config: Path | None) -> Settings:
    from perforch import settings

    if config is None or not config.is_file():
        return settings.Settings()
    return settings.parse(config.read_bytes(), source=str(config))


def _models(settings: Settings, measured: set[str]) -> list[ModelSettings]:
    """The configured models and all others that were measured."""
    from perforch.settings import ModelSettings

    configured = {model.name for model in settings.models}
    others = sorted(measured - configured)
    return [*settings.models, *(ModelSettings(name=name, provider="openai") for name in others)]


@click.command()
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Evidence files, laid out as they shall lie below --path; nothing is new if it is not there.",
)
@click.option(
    "--path", "place", default=".github/perforch/rankings", show_default=True, help="In the repository."
)
@click.option("--summary", type=click.Path(path_type=Path), required=True, help="Markdown for people.")
@click.option("--base", required=True, help="Branch to propose to.")
@click.option(
    "--revision", required=True, help="Its commit that the evidence was added to, 40 hexadecimal digits."
)
@terminal.json_option
def propose(evidence: Path, place: str, summary: Path, base: str, revision: str, as_json: bool) -> int:
    """Open a pull request with evidence files, or bring the one that is open up to date; runs and checks out nothing.

    Every file is read as evidence first; one that is not is refused, and nothing is proposed then.
    """
    from perforch.errors import UsageError
    from perforch.github import context
    from perforch.github.proposal import Proposal
    from perforch.github.proposal import propose as ask
    from perforch.rankings import store
    from perforch.rankings.evidence import read

    where = PurePosixPath(place)
    if where.is_absolute() or ".." in where.parts:
        message = f"--path must lie in the repository, not at {place}"
        raise UsageError(message)
    try:
        text = summary.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{summary} cannot be read: {error.strerror}"
        raise UsageError(message) from error
    found: dict[str, bytes | None] = {}
    for file in store.files(evidence):
        read(file)
        found[str(where / file.relative_to(evidence).as_posix())] = file.read_bytes()
    if not found:
        terminal.emit({"pull_request": ""}, as_json=as_json, human=lambda out: out.print("no new evidence"))
        return 0
    client = context.client(os.environ)
    click.get_current_context().call_on_close(client.close)
    links = context.links(os.environ)
    body = f"{text}\n\n<sub>Measured by [this run]({links.run}); made by perforch.</sub>\n"
    proposal = Proposal(base, revision, BRANCH, "Update the rankings of models", body, found)
    address = ask(client, proposal)

    def human(console: Console) -> None:
        console.print(f"pull request: {address}")

    terminal.emit({"pull_request": address}, as_json=as_json, human=human)
    if os.environ.get("GITHUB_OUTPUT"):
        from perforch.github.door import write_outputs

        write_outputs(Path(os.environ["GITHUB_OUTPUT"]), {"pull-request-url": address})
    return 0
