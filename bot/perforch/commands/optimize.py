"""`perforch optimize`: the main job on any git checkout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perforch.commands import terminal
from perforch.result import Metric, Stage

if TYPE_CHECKING:
    from perforch.changes.git import Git
    from perforch.result import Result
    from perforch.settings import Settings

STAGES = ("auto", *(stage.value for stage in Stage))


@click.command()
@click.option(
    "--repo", type=click.Path(path_type=Path), default=Path(), show_default="here", help="A git checkout."
)
@click.option("--base", help="Revision to compare with.  [default: the default branch]")
@click.option("--head", default="HEAD", show_default=True, help="Revision to work on.")
@click.option(
    "--function",
    "functions",
    multiple=True,
    metavar="PATH::NAME",
    help="Only this function; may be repeated.",
)
@click.option("--stage", type=click.Choice(STAGES), default="auto", show_default=True, help="What to do.")
@click.option(
    "--metric",
    type=click.Choice([metric.value for metric in Metric]),
    help="What to improve.  [default: from the configuration]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file.  [default: .github/perforch.yml of the base]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("perforch-out"),
    show_default=True,
    help="Where results go.",
)
@terminal.json_option
def optimize(
    repo: Path,
    base: str | None,
    head: str,
    functions: tuple[str, ...],
    stage: str,
    metric: str | None,
    config: Path | None,
    out: Path,
    as_json: bool,
) -> int:
    """Prove faster versions of the functions that a change touches.

    Writes result.json, review.md, report.html and one .patch a proposal into --out. Your checkout is not touched.
    """
    from perforch.changes.git import Git

    git = Git.open(repo)
    base_revision = base or git.default_branch()
    base_sha, head_sha = git.resolve(base_revision), git.resolve(head)
    settings = read_settings(git, base_sha, config)
    if metric is not None:
        settings = settings.model_copy(update={"metric": Metric(metric)})
    wanted = None if stage == "auto" else Stage(stage)
    result = run(git, base_sha, head_sha, settings, out, functions=functions, stage=wanted)
    return finish(result, out, as_json=as_json)


def read_settings(git: Git, base_sha: str, config: Path | None) -> Settings:
    """The configuration: the file named on the command line, else that of the base revision, else the defaults."""
    from perforch import settings
    from perforch.errors import ConfigError

    if config is not None:
        try:
            return settings.parse(config.read_bytes(), source=str(config))
        except OSError as error:
            message = f"{config} cannot be read: {error.strerror}"
            raise ConfigError(message) from error
    data = git.read(base_sha, [settings.PATH]).get(settings.PATH)
    return settings.Settings() if data is None else settings.parse(data)


def run(
    git: Git,
    base_sha: str,
    head_sha: str,
    settings: Settings,
    out: Path,
    *,
    functions: tuple[str, ...] = (),
    stage: Stage | None = None,
) -> Result:
    """Prepare the output folder and the sandbox, and run the orchestrator with progress on stderr."""
    from perforch.commands.progress import Reporter
    from perforch.sandbox import open_sandbox
    from perforch.stages.orchestrator import Request, optimize
    from perforch.workloads.options import Options

    sandbox = open_sandbox(settings.sandbox)
    folder = prepare(out)
    request = Request(git, base_sha, head_sha, settings, folder, functions, stage)
    options = Options(environment_root=git.root, cache=folder / "cache")
    with Reporter() as reporter:
        result = optimize(request, sandbox, options, reporter.say)
    save(result, folder)
    return result


def save(result: Result, folder: Path) -> None:
    """Write the result and its surfaces; patches of an earlier run go."""
    from perforch.report.files import write

    for stale in folder.glob("*.patch"):
        stale.unlink()
    write(result, folder)


def prepare(out: Path) -> Path:
    """Make the output folder, invisible to git, and take the one lock on it.

    Raises:
        UsageError: it cannot be made, or another run is using it.
    """
    import fcntl

    from perforch.errors import UsageError

    folder = out.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"--out {out} cannot be used: {error.strerror}"
        raise UsageError(message) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"another perforch is working in {out}"
        raise UsageError(message, hint="Wait for it, or choose another --out.") from error
    return folder  # the lock is held until this process ends


def finish(result: Result, out: Path, *, as_json: bool) -> int:
    """Print the result and return the exit code."""
    import json

    from perforch.errors import BudgetExhaustedError
    from perforch.report.terminal import summary
    from perforch.stages.orchestrator import nothing_done

    def human(console: object) -> None:
        from rich.console import Console

        assert isinstance(console, Console)
        for part in summary(result):
            console.print(part)
        console.print(
            f"\nReport: {out / 'report.html'}   Comment: {out / 'review.md'}   Data: {out / 'result.json'}"
        )

    terminal.emit(json.loads(result.dump()), as_json=as_json, human=human)
    if nothing_done(result):
        message = "the budget was used up before any model could be asked"
        raise BudgetExhaustedError(
            message, hint="Raise budget.usd, budget.calls or budget.minutes in .github/perforch.yml."
        )
    return 0
