"""`perforch optimize`: the main job on any git checkout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perforch.commands import comparison, keyrings, outputs, signals, terminal
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
    compared = comparison.begin(repo, base, head, config)
    settings = compared.settings
    if metric is not None:
        settings = settings.model_copy(update={"metric": Metric(metric)})
    wanted = None if stage == "auto" else Stage(stage)
    result = run(compared.git, compared.base, compared.head, settings, out, functions=functions, stage=wanted)
    return finish(result, out, as_json=as_json)


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
    """Prepare the output folder and the sandbox, and run the orchestrator with progress on stderr.

    A run that SIGINT or SIGTERM ends leaves its partial result, and this process ends with 128 + the signal.
    """
    from perforch.commands.progress import Reporter
    from perforch.sandbox import caveat, isolation, open_sandbox
    from perforch.stages.orchestrator import InterruptedRunError, Request, optimize
    from perforch.stages.stopping import Stoppable
    from perforch.workloads.options import Options

    isolation.refuse_own_code_in(git.root)
    keyring = keyrings.of(settings)
    sandbox = Stoppable(open_sandbox(settings.sandbox))
    private = outputs.prepare(out, git, head_sha)
    request = Request(git, base_sha, head_sha, settings, private, functions, stage, keyring)
    options = Options(environment_root=git.root, cache=private / "cache")
    with signals.raised(sandbox.stop) as received, Reporter() as reporter:
        try:
            result = optimize(request, sandbox, options, reporter.say)
        except InterruptedRunError as error:
            outputs.save(error.result, out)
            signals.leave(received, f"what was finished is in {out}; the same command goes on from there")
        except KeyboardInterrupt:
            signals.leave(received, "nothing had been started")
    if said := caveat(sandbox.level):
        result = result.model_copy(update={"notes": (said, *result.notes)})
    outputs.save(result, out)
    return result


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
