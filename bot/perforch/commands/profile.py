"""`perforch profile`: evidence about models from a benchmark suite."""

from __future__ import annotations

import asyncio
import datetime
import os
import platform
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch import __version__
from perforch.commands import keyrings, terminal
from perforch.errors import UsageError
from perforch.result import Language, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.profiling.items import Item
    from perforch.settings import ModelSettings, Settings


@click.command()
@click.option("--suite", "suite_name", required=True, help="humanevalpack or effibench-x.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Directory of the suite's files. Default: fetched and checked.",
)
@click.option("--model", "names", multiple=True, help="A model of the configuration. Default: all of them.")
@click.option("--stage", "stages", multiple=True, type=click.Choice([stage.value for stage in Stage]))
@click.option("--language", "languages", multiple=True, type=click.Choice([x.value for x in Language]))
@click.option("--limit", type=click.IntRange(min=1), help="Only the first problems of every language.")
@click.option("--shard", default="1/1", show_default=True, help="I/N: do the I-th of N shares.")
@click.option("--plan", is_flag=True, help="Print the matrix of shards as JSON and do nothing.")
@click.option("--shards", type=click.IntRange(1, 256), default=4, show_default=True, help="For --plan.")
@click.option(
    "--timings", multiple=True, type=click.Path(path_type=Path), help="Progress files to balance by."
)
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path(".github/perforch.yml"), show_default=True
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Evidence file to write.")
@click.option("--date", "day", help="Day of the profile, YYYY-MM-DD. Default: today, UTC.")
@click.option("--jobs", type=click.IntRange(min=1), help="Programs at the same time. Default: all CPUs.")
@terminal.json_option
def profile(
    suite_name: str,
    data: Path | None,
    names: tuple[str, ...],
    stages: tuple[str, ...],
    languages: tuple[str, ...],
    limit: int | None,
    shard: str,
    plan: bool,
    shards: int,
    timings: tuple[Path, ...],
    config: Path,
    out: Path | None,
    day: str | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Ask models the problems of a suite and write what became of their answers as evidence.

    A profile that is killed goes on where it was when it is started again with the same --out. The exit code
    is 1 when some questions got no answer; start it again to ask them.
    """
    from perforch.profiling import collecting
    from perforch.profiling import suite as suites
    from perforch.profiling.items import STAGES, items, left_out, parse_shard, share

    settings = read_settings(config)
    models = chosen_models(settings, names, config)
    suite = suites.find(suite_name)
    wanted = [Language(name) for name in languages] or list(suite.languages)
    problems = [one for one in suite.load(data, wanted) if limit is None or one.number < limit]
    chosen = tuple(Stage(stage) for stage in stages) or STAGES
    everything = items(models, chosen, problems)
    measured = collecting.measured_seconds(timings)
    if plan:
        return _plan(share(everything, min(shards, max(len(everything), 1)), measured), measured)
    if out is None:
        message = "profile needs --out, the evidence file to write"
        raise UsageError(message)
    number, count = parse_shard(shard)
    mine = share(everything, count, measured)[number - 1]
    date = day or datetime.datetime.now(datetime.UTC).date().isoformat()
    return _collect(
        mine,
        settings,
        out,
        suite.name,
        date,
        jobs or os.cpu_count() or 1,
        left_out(chosen, problems),
        as_json=as_json,
    )


def read_settings(config: Path) -> Settings:
    """The configuration of a profile or evaluation.

    Raises:
        UsageError: it cannot be read or is no configuration.
    """
    from perforch import settings

    try:
        return settings.parse(config.read_bytes(), source=str(config))
    except OSError as error:
        message = f"{config} cannot be read: {error.strerror}"
        raise UsageError(
            message, hint="Give the configuration that lists the models with --config."
        ) from error


def chosen_models(settings: Settings, names: Sequence[str], config: Path) -> list[ModelSettings]:
    """The configured models of these names, or all.

    Raises:
        UsageError: one is not configured, or none is.
    """
    known = {model.name: model for model in settings.models}
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        message = f"{config} lists no model {unknown[0]!r}" if unknown else f"{config} lists no models"
        raise UsageError(message, hint="Models: " + (", ".join(known) or "add some under `models:`."))
    return [known[name] for name in names] if names else list(known.values())


def _plan(shares: Sequence[Sequence[Item]], measured: Any) -> int:
    from perforch.profiling.items import seconds

    include = [
        {
            "shard": f"{number}/{len(shares)}",
            "items": len(one),
            "seconds": round(sum(seconds(item, measured) for item in one), 1),
        }
        for number, one in enumerate(shares, start=1)
    ]
    terminal.emit({"include": include}, as_json=True, human=lambda _: None)
    return 0


def _collect(
    mine: Sequence[Item],
    settings: Settings,
    out: Path,
    suite: str,
    date: str,
    jobs: int,
    left: Mapping[str, str],
    *,
    as_json: bool,
) -> int:
    from perforch.llm.client import Client
    from perforch.profiling import collecting
    from perforch.profiling.checking import Checker
    from perforch.profiling.refining import Refiner
    from perforch.rankings import evidence, store
    from perforch.sandbox import open_sandbox

    out.parent.mkdir(parents=True, exist_ok=True)
    progress = collecting.Progress(out.with_name(f"{out.name}.progress"))
    keyring = keyrings.of(settings)
    sandbox = open_sandbox(settings.sandbox)
    checker = Checker(sandbox, jobs=jobs, isolated=True)
    console = terminal.stderr()
    replies = out.with_name(f"{out.name}.replies")
    with (
        Client(replies, settings.budget, run=f"profile {suite}", environment=keyring) as client,
        Refiner(sandbox, checker, settings.acceptance) as refiner,
        console.status("asking") as status,
    ):
        seen = 0

        def step(count: int) -> None:
            nonlocal seen
            seen += count
            status.update(f"{seen} of {len(mine)} questions")

        asking = collecting.collect(mine, client.complete, checker, progress, refiner=refiner, step=step)
        unanswered = asyncio.run(asking)
    records = collecting.evidence(
        mine,
        progress,
        suite=suite,
        date=date,
        run=date,
        machine=platform.machine(),
        harness=f"perforch {__version__}",
    )
    store.replace(out, evidence.dumps(records))
    rates: list[dict[str, Any]] = [
        {"model": model, "stage": stage, "language": language, "successes": good, "attempts": total}
        for (model, stage, language), (good, total) in collecting.rates(mine, progress).items()
    ]
    document: dict[str, Any] = {
        "out": str(out),
        "records": len(records),
        "unanswered": list(unanswered),
        "rates": rates,
        "refine": collecting.gains(mine, progress),
        "not_measurable": collecting.not_measurable(mine, progress),
        "left_out": dict(left),
    }

    def human(console: Any) -> None:
        for rate in rates:
            share = rate["successes"] / rate["attempts"]
            console.print(
                f"{rate['model']}: {rate['stage']} {rate['language']} {share:.1%} of {rate['attempts']}"
            )
        for problem, reason in document["not_measurable"].items():
            console.print(f"not measured: {problem}: {reason}")
        for reason, count in Counter(left.values()).most_common():
            console.print(f"not asked: {count} because {reason}")
        console.print(f"{len(records)} records in {out}")
        for line in unanswered[:10]:
            console.print(f"no answer: {line}")

    terminal.emit(document, as_json=as_json, human=human)
    return 1 if unanswered else 0
