"""`perforch rankings`: show the Memory and its orders, check evidence files, merge them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import terminal
from perforch.commands.proposing import compare, propose
from perforch.result import Language, Metric, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from perforch.rankings.memory import Memory
    from perforch.rankings.order import Ranked
    from perforch.settings import ModelSettings

_STRATEGIES = ("paper", "cost", "best-of-n")


@click.group()
def rankings() -> None:
    """Show, check and merge the Memory: the evidence about models."""


@rankings.command()
@click.option("--stage", type=click.Choice([*(stage.value for stage in Stage), "categorise"]), required=True)
@click.option("--language", type=click.Choice([language.value for language in Language]), required=True)
@click.option("--category", "categories", multiple=True, help="May be given several times.")
@click.option(
    "--metric", type=click.Choice([metric.value for metric in Metric]), default="time", show_default=True
)
@click.option("--strategy", type=click.Choice(_STRATEGIES), help="Default: as configured, else cost.")
@click.option("--failed", multiple=True, help="A model that already failed on this task.")
@click.option("--generator", help="The model whose code is being fixed.")
@click.option("--limit", type=click.IntRange(min=1), help="Length of the order. Default: all models.")
@click.option("--model", "names", multiple=True, help="Rank these instead of every model in the Memory.")
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False),
    help="Add this repository's own evidence and models.",
)
@terminal.json_option
def show(
    stage: str,
    language: str,
    categories: tuple[str, ...],
    metric: str,
    strategy: str | None,
    failed: tuple[str, ...],
    generator: str | None,
    limit: int | None,
    names: tuple[str, ...],
    repo: Path | None,
    as_json: bool,
) -> None:
    """Print the order of models for one kind of task, with each term of the score."""
    from perforch.categories.names import parse
    from perforch.rankings.memory import Memory
    from perforch.rankings.order import order

    memory = Memory.load(repo)
    chosen, configured = _models(memory, names, repo)
    strategy = strategy or configured
    labels = tuple(str(parse(category)) for category in categories)
    ranked = order(
        memory,
        chosen,
        stage=stage,
        language=language,
        categories=labels,
        metric=metric,
        strategy=strategy,
        failed=failed,
        generator=generator,
        limit=limit,
    )
    document = {
        "stage": str(stage),
        "language": str(language),
        "categories": list(labels),
        "metric": str(metric),
        "strategy": strategy,
        "order": [_entry(rank, entry) for rank, entry in enumerate(ranked, start=1)],
    }
    terminal.emit(document, as_json=as_json, human=lambda console: _table(console, document, ranked))


def _models(memory: Memory, names: Sequence[str], repo: Path | None) -> tuple[list[ModelSettings], str]:
    from perforch import settings

    if names:
        return [settings.ModelSettings(name=name, provider="openai") for name in names], "cost"
    if repo is not None and (repo / settings.PATH).is_file():
        configured = settings.parse((repo / settings.PATH).read_bytes())
        if configured.models:
            return list(configured.models), configured.strategy
    return [settings.ModelSettings(name=name, provider="openai") for name in memory.models], "cost"


def _entry(rank: int, entry: Ranked) -> dict[str, Any]:
    return {
        "rank": rank,
        "model": entry.name,
        "score": round(entry.score, 6),
        "terms": {name: round(value, 6) for name, value in entry.terms.items()},
        "why": entry.why,
    }


def _table(console: Console, document: dict[str, Any], ranked: Sequence[Ranked]) -> None:
    from rich.table import Table

    about = [document["stage"], document["language"], *document["categories"]]
    if document["stage"] == "refine":
        about.append(document["metric"])
    console.print(f"{', '.join(about)} (strategy {document['strategy']})")
    if not ranked:
        console.print("No model is left to rank.")
        return
    table = Table(box=None, pad_edge=False)
    same = _same(ranked)
    terms = [term for term in ranked[0].terms if term not in same]
    for heading in ("", "model", "score", *(term.replace("_", " ") for term in terms)):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for rank, entry in enumerate(ranked, start=1):
        numbers = (_number(term, entry.terms[term]) for term in terms)
        table.add_row(str(rank), entry.name, f"{entry.score:.4f}", *numbers)
    console.print(table)
    if same:
        equal = ", ".join(f"{term.replace('_', ' ')} {value:g}" for term, value in same.items())
        console.print(f"The same for all: {equal}.")
    console.print()
    for rank, entry in enumerate(ranked, start=1):
        console.print(f"{rank}. {entry.name}: {entry.why}")


def _same(ranked: Sequence[Ranked]) -> dict[str, float]:
    """Terms that tell no models apart; they need no column."""
    first = ranked[0].terms
    if len(ranked) == 1:
        return {}
    return {term: value for term, value in first.items() if all(one.terms[term] == value for one in ranked)}


def _number(term: str, value: float) -> str:
    return f"{value:.0f}" if term in ("attempts", "successes") else f"{value:.4f}"


@rankings.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@terminal.json_option
def validate(directory: Path | None, as_json: bool) -> int:
    """Check every evidence file below DIRECTORY (default: the shipped ones)."""
    from perforch import assets
    from perforch.rankings import catalogue, store

    root = directory or assets.directory("rankings")
    records, problems = store.validate(root)
    if (root / "models.yml").is_file():
        catalogue.read(root / "models.yml")
    document = {
        "directory": str(root),
        "records": records,
        "errors": [_problem(problem) for problem in problems],
    }

    def human(console: Console) -> None:
        console.print(
            f"{records} records in {root}: {'valid' if not problems else f'{len(problems)} files refused'}"
        )
        for problem in problems:
            console.print(f"  {problem.message}")

    terminal.emit(document, as_json=as_json, human=human)
    return 2 if problems else 0


@rankings.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), required=True)
@terminal.json_option
def merge(sources: tuple[Path, ...], into: Path, as_json: bool) -> int:
    """Add the evidence of FILEs (or directories) to a directory.

    Intact files are merged even when others are not; every refused file is named and the exit code is 2 then.
    """
    from perforch.rankings import store

    merged = store.merge(sources, into)
    document = {
        "into": str(into),
        "records": merged.records,
        "added": merged.added,
        "errors": [_problem(problem) for problem in merged.problems],
    }

    def human(console: Console) -> None:
        console.print(f"{merged.added} records added, {merged.records} in {into}")

    terminal.emit(document, as_json=as_json, human=human)
    errors = terminal.stderr()
    for problem in merged.problems:
        errors.print(f"perforch: {problem.message}")
        if problem.hint:
            errors.print(f"  {problem.hint}")
    return 2 if merged.problems else 0


def _problem(problem: Any) -> dict[str, str]:
    return {"message": problem.message, "hint": problem.hint}


@rankings.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--date", "day", help="Day of the runs, YYYY-MM-DD. Default: today, UTC.")
@terminal.json_option
def learn(results: tuple[Path, ...], out: Path, day: str | None, as_json: bool) -> None:
    """Turn the attempts in result.json files into an evidence file, ready for `merge`."""
    import datetime

    from perforch import result
    from perforch.rankings import evidence, store
    from perforch.rankings.learn import from_result

    date = day or datetime.datetime.now(datetime.UTC).date().isoformat()
    records = evidence.union(*(from_result(result.load(path), date=date) for path in results))
    out.parent.mkdir(parents=True, exist_ok=True)
    store.replace(out, evidence.dumps(records))
    document = {"out": str(out), "records": len(records)}
    terminal.emit(
        document, as_json=as_json, human=lambda console: console.print(f"{len(records)} records in {out}")
    )


rankings.add_command(compare)
rankings.add_command(propose)
