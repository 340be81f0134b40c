"""`perforch evaluate`: the paper's evaluation tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import terminal
from perforch.errors import UsageError
from perforch.result import Language

if TYPE_CHECKING:
    from rich.console import Console

    from perforch.rankings.memory import Memory

_PROBLEMS = {"humanevalpack": 164, "effibench-x": 336}
_STRATEGIES = ("paper", "cost", "best-of-n")


@click.command()
@click.option("--suite", "suite_name", required=True, help="humanevalpack or effibench-x.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Directory of the suite's files. Default: fetched and checked.",
)
@click.option("--mode", type=click.Choice(["single", "pipeline", "full"]), default="full", show_default=True)
@click.option(
    "--strategy", type=click.Choice(["paper", "cost", "best-of-n"]), default="paper", show_default=True
)
@click.option("--language", "languages", multiple=True, type=click.Choice([x.value for x in Language]))
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--repetitions", type=click.IntRange(1, 10_000), default=60, show_default=True)
@terminal.json_option
def evaluate(
    suite_name: str,
    data: Path | None,
    mode: str,
    strategy: str | None,
    languages: tuple[str, ...],
    seed: int,
    repetitions: int,
    as_json: bool,
) -> None:
    """Print pass rates and calls (tables 8, 16 and 18) of a simulated panel with the paper's published rates.

    Nothing is asked of a model: every line says "simulated". Use `perforch profile` to measure models.
    """
    from perforch.profiling import panel
    from perforch.profiling import suite as suites
    from perforch.rankings.memory import Memory

    suite = suites.find(suite_name)
    if suite.name != "humanevalpack":
        message = "the panel's rates were published for humanevalpack only"
        raise UsageError(message, hint="Use --suite humanevalpack.")
    if data is not None:
        suite.load(data, [Language(name) for name in languages] or list(suite.languages))
    memory = Memory.load()
    wanted = list(languages) or [language.value for language in Language]
    rows: list[dict[str, Any]] = []
    for language in wanted:
        found = panel.table(
            memory,
            mode=mode,
            language=language,
            problems=_PROBLEMS[suite.name],
            seed=seed,
            repetitions=repetitions,
        )
        rows += [
            {
                "simulated": True,
                "model": row.label,
                "language": row.language,
                "pass_percent": round(row.rate, 2),
                "low": round(row.low, 2),
                "high": round(row.high, 2),
                "calls": round(row.calls, 1),
            }
            for row in found
        ]
    document = {
        "suite": suite.name,
        "mode": mode,
        "strategy": strategy,
        "simulated": True,
        "rho": panel.RHO,
        "seed": seed,
        "table8": rows,
        "table18": _calls(wanted) if mode == "full" else [],
        "strategies": _strategies(memory, seed, wanted, repetitions * 10, strategy) if mode == "full" else [],
    }
    terminal.emit(document, as_json=as_json, human=lambda console: _print(console, document))


def _calls(languages: list[str]) -> list[dict[str, Any]]:
    """Predicted calls of the refine stage for execution time (table 18) from the counts of table 16."""
    from perforch.profiling import panel, published

    rows = []
    for suite in ("humaneval-x", "effibench-x"):
        for language in languages:
            entered = published.calls("PerfOrch(Best-of-Five)", "time", suite, language) / panel.FIXERS
            first = published.refinements("PerfOrch(Top1 Only)", "time", suite, language)
            total = published.refinements("PerfOrch", "time", suite, language)
            paper = published.calls("PerfOrch", "time", suite, language)
            predicted = panel.refine_calls(entered, first, total)
            rows.append(
                {
                    "simulated": True,
                    "suite": suite,
                    "language": language,
                    "calls": round(predicted, 1),
                    "published": paper,
                    "deviation_percent": round(100 * (predicted / paper - 1), 2),
                }
            )
    return rows


def _strategies(
    memory: Memory, seed: int, languages: list[str], problems: int, only: str | None
) -> list[dict[str, Any]]:
    """Every strategy on the same simulated problems."""
    from perforch.profiling import worlds

    rows = []
    for language in languages:
        made = worlds.world(memory, tau=0.3, hardness=0, language=language, seed=seed)
        for strategy, outcome in worlds.play(
            made, (only,) if only else _STRATEGIES, problems=problems
        ).items():
            rows.append(
                {
                    "simulated": True,
                    "strategy": strategy,
                    "language": language,
                    "pass_percent": round(outcome.solved, 2),
                    "calls_per_problem": round(outcome.calls, 3),
                    "usd_per_problem": round(outcome.cost, 6),
                }
            )
    return rows


def _print(console: Console, document: dict[str, Any]) -> None:
    console.print(f"simulated panel, {document['suite']}, mode {document['mode']}, seed {document['seed']}")
    for row in document["table8"]:
        interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
        console.print(
            f"simulated: {row['model']}, {row['language']}: {row['pass_percent']:.2f} % {interval}, "
            f"{row['calls']:.0f} calls"
        )
    for row in document["table18"]:
        console.print(
            f"simulated: refine for time, {row['suite']}, {row['language']}: {row['calls']:.0f} calls, "
            f"the paper counted {row['published']} ({row['deviation_percent']:+.1f} %)"
        )
    for row in document["strategies"]:
        console.print(
            f"simulated: strategy {row['strategy']}, {row['language']}: {row['pass_percent']:.2f} %, "
            f"{row['calls_per_problem']:.2f} calls, ${row['usd_per_problem']:.5f} a problem"
        )
