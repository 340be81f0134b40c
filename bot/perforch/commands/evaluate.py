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
_SUITES = {"humanevalpack": "humaneval-x", "effibench-x": "effibench-x"}


@click.command()
@click.option("--suite", "suite_name", required=True, help="humanevalpack or effibench-x.")
@click.option("--data", type=click.Path(path_type=Path), help="Directory of the suite's files.")
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
    strategy: str,
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
    rows: list[dict[str, Any]] = []
    for language in languages or [x.value for x in Language]:
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
        "table18": _calls(memory, list(languages) or [x.value for x in Language]) if mode == "full" else [],
    }
    terminal.emit(document, as_json=as_json, human=lambda console: _print(console, document))


def _calls(memory: Memory, languages: list[str]) -> list[dict[str, Any]]:
    """Predicted calls of the refine stage for execution time, from the counts of tables 16."""
    from perforch.profiling import panel

    rows = []
    for record_suite, problems in (("humaneval-x", 164), ("effibench-x", 336)):
        for language in languages:
            first = memory.agent("PerfOrch(Top1 Only)", "time", language, record_suite)
            total = memory.agent("PerfOrch", "time", language, record_suite)
            rows.append(
                {
                    "simulated": True,
                    "suite": record_suite,
                    "language": language,
                    "calls": round(panel.refine_calls(problems, first, total), 1),
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
            f"simulated: refine for time, {row['suite']}, {row['language']}: {row['calls']:.0f} calls when every "
            "problem enters"
        )
