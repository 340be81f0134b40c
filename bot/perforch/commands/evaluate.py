"""`perforch evaluate`: the paper's evaluation tables, measured with the models at hand or simulated."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import keyrings, terminal
from perforch.errors import UsageError
from perforch.result import Language, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from perforch.profiling.evaluating import Case, Order
    from perforch.profiling.suite import Problem
    from perforch.rankings.memory import Memory
    from perforch.settings import ModelSettings

_PROBLEMS = 164


@click.command()
@click.option("--suite", "suite_name", required=True, help="humanevalpack or effibench-x.")
@click.option("--data", type=click.Path(path_type=Path), help="Directory of the suite's files.")
@click.option("--mode", type=click.Choice(["single", "pipeline", "full"]), default="full", show_default=True)
@click.option(
    "--strategy", type=click.Choice(["paper", "cost", "best-of-n"]), default="paper", show_default=True
)
@click.option("--language", "languages", multiple=True, type=click.Choice([x.value for x in Language]))
@click.option("--config", type=click.Path(path_type=Path), help="Evaluate the models of this configuration.")
@click.option("--model", "names", multiple=True, help="A model of the configuration. Default: all of them.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first problems of every language.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for the tables, plots and progress.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Programs at the same time. Default: all CPUs.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of simulations.")
@click.option(
    "--repetitions", type=click.IntRange(1, 10_000), default=60, show_default=True, help="Of simulations."
)
@terminal.json_option
def evaluate(
    suite_name: str,
    data: Path | None,
    mode: str,
    strategy: str,
    languages: tuple[str, ...],
    config: Path | None,
    names: tuple[str, ...],
    limit: int | None,
    out: Path | None,
    jobs: int | None,
    seed: int,
    repetitions: int,
    as_json: bool,
) -> int:
    """Print the paper's tables 8, 9, 16, 17 and 18.

    With --config they are measured with the models of that configuration, with confidence intervals beside them. Without it a
    panel with the paper's published rates is simulated, and every line says so; with --data the panel's answers are real code
    that goes through the real pipeline.
    """
    from perforch.profiling import suite as suites
    from perforch.rankings.memory import Memory

    suite = suites.find(suite_name)
    wanted = [Language(name) for name in languages] or list(suite.languages)
    memory = Memory.load()
    if config is None:
        if names or suite.name != "humanevalpack":
            message = (
                "--model needs --config"
                if names
                else "the panel's rates were published for humanevalpack only"
            )
            raise UsageError(message, hint="Give the configuration that lists the models with --config.")
        problems = _first(suite.load(data, wanted), limit) if data is not None and mode == "full" else ()
        document = _simulate(memory, mode, strategy, wanted, seed, repetitions, problems, jobs)
    else:
        problems = _first(suite.load(data, wanted), limit)
        document = _measure(problems, memory, mode, strategy, config, names, out, jobs)
    document = {"suite": suite.name, "mode": mode, "strategy": strategy, **document}
    if out is not None:
        _write(document, out)
    terminal.emit(document, as_json=as_json, human=lambda console: _print(console, document))
    return 1 if document["unanswered"] else 0


def _first(problems: Sequence[Problem], limit: int | None) -> tuple[Problem, ...]:
    return tuple(
        problem
        for problem in problems
        if (limit is None or problem.number < limit) and Stage.GENERATE not in problem.left_out
    )


def _order(memory: Memory, models: Callable[[Problem], Sequence[ModelSettings]], strategy: str) -> Order:
    from perforch.profiling.evaluating import FIXERS
    from perforch.rankings.order import order

    def chosen(
        stage: Stage, problem: Problem, failed: Sequence[str], generator: str | None
    ) -> Sequence[ModelSettings]:
        ranked = order(
            memory,
            models(problem),
            stage=stage,
            language=problem.language,
            categories=problem.categories,
            strategy=strategy,
            failed=failed,
            generator=None if strategy == "paper" else generator,
            limit=FIXERS,
        )
        return [one.model for one in ranked]

    return chosen


def _measure(
    problems: Sequence[Problem],
    memory: Memory,
    mode: str,
    strategy: str,
    config: Path,
    names: tuple[str, ...],
    out: Path | None,
    jobs: int | None,
) -> dict[str, Any]:
    from perforch.commands.profile import chosen_models, read_settings
    from perforch.llm.client import Client
    from perforch.profiling import collecting, tables
    from perforch.profiling.checking import Checker
    from perforch.profiling.evaluating import Evaluation
    from perforch.profiling.refining import Refiner
    from perforch.sandbox import open_sandbox

    if out is None:
        message = "measuring needs --out, the directory for replies and measurements"
        raise UsageError(
            message, hint="An evaluation that was stopped goes on where it was with the same --out."
        )
    out.mkdir(parents=True, exist_ok=True)
    settings = read_settings(config)
    models = chosen_models(settings, names, config)
    keyring = keyrings.of(settings)
    sandbox = open_sandbox(settings.sandbox)
    checker = Checker(sandbox, jobs=jobs or os.cpu_count() or 1, isolated=True)
    rates, walked = [], []
    with (
        Client(out / "replies", settings.budget, run=f"evaluate {mode}", environment=keyring) as client,
        Refiner(sandbox, checker, settings.acceptance) as refiner,
        terminal.stderr().status(f"{len(problems)} problems"),
    ):
        evaluation = Evaluation(
            lambda model, item: client.complete(model, collecting.prompt(item)),
            _order(memory, lambda _: models, strategy),
            checker,
            refiner,
            collecting.Progress(out / "progress.jsonl"),
        )
        if mode == "full":
            walked = asyncio.run(evaluation.full(problems))
            rates += tables.pass_rates("PerfOrch", walked)
        else:
            for model in models:
                walk = evaluation.single if mode == "single" else evaluation.pipeline
                label = model.name if mode == "single" else f"PerfOrch({model.name})"
                rates += tables.pass_rates(label, asyncio.run(walk(problems, model)))
    refined = tables.refines(walked)
    return {"simulated": False, **tables.document(rates, refined), "strategies": [], "unanswered": evaluation.unanswered,
            "improvements": tables.improvements(walked)}  # fmt: skip


def _simulate(
    memory: Memory,
    mode: str,
    strategy: str,
    wanted: Sequence[Language],
    seed: int,
    repetitions: int,
    problems: Sequence[Problem],
    jobs: int | None,
) -> dict[str, Any]:
    from perforch.profiling import panel, simulated

    languages = [language.value for language in wanted]
    full = mode == "full"
    return {
        "simulated": True,
        "rho": panel.RHO,
        "seed": seed,
        "table8": simulated.table8(
            memory, mode=mode, languages=languages, problems=_PROBLEMS, seed=seed, repetitions=repetitions
        ),
        "table18": simulated.table18(languages) if full else [],
        "strategies": simulated.strategies(memory, seed=seed, languages=languages, problems=repetitions * 10)
        if full
        else [],
        "driven": _drive(memory, strategy, seed, problems, jobs) if problems else [],
        "unanswered": [],
    }


def _drive(
    memory: Memory, strategy: str, seed: int, problems: Sequence[Problem], jobs: int | None
) -> list[dict[str, Any]]:
    """The panel's answers as code through the real pipeline: what it counts must be what was drawn."""
    import tempfile

    from perforch.profiling import collecting, simulated, tables
    from perforch.profiling.checking import Checker
    from perforch.profiling.evaluating import Evaluation
    from perforch.profiling.refining import Refiner
    from perforch.sandbox import open_sandbox
    from perforch.settings import Acceptance

    sandbox = open_sandbox("required")
    checker = Checker(sandbox, jobs=jobs or os.cpu_count() or 1, isolated=True)
    answers = simulated.Answers(memory, seed)
    by_language = {language: simulated.models(memory, language) for language in Language}
    with (
        tempfile.TemporaryDirectory(prefix="perforch-evaluate-") as place,
        Refiner(sandbox, checker, Acceptance()) as refiner,
        terminal.stderr().status(f"{len(problems)} problems, simulated models"),
    ):
        evaluation = Evaluation(
            answers.ask,
            _order(memory, lambda problem: by_language[problem.language], strategy),
            checker,
            refiner,
            collecting.Progress(Path(place) / "progress.jsonl"),
        )
        cases: list[Case] = asyncio.run(evaluation.full(problems, refine=False))
    return [
        {
            "simulated": True,
            **row,
            "drawn": sum(
                case.problem.id in answers.solved
                for case in cases
                if str(case.problem.language) == row["language"]
            ),
        }
        for row in tables.document(tables.pass_rates("PerfOrch", cases), [])["table8"]
    ]


def _write(document: dict[str, Any], out: Path) -> None:
    import json

    from perforch.profiling import plots

    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    title = "simulated, the paper's rates" if document["simulated"] else "measured"
    (out / "table8.svg").write_text(plots.pass_rates(document["table8"], title), encoding="utf-8")
    if document.get("improvements"):
        (out / "improvements.svg").write_text(
            plots.improvements(document["improvements"], title), encoding="utf-8"
        )


def _print(console: Console, document: dict[str, Any]) -> None:
    word = "simulated: " if document["simulated"] else ""
    for row in document["table8"]:
        interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
        console.print(
            f"{word}{row['model']}, {row['language']}: {row['pass_percent']:.2f} % {interval}, {row['calls']:.0f} calls"
        )
    for row in document.get("driven", ()):
        console.print(
            f"simulated, real code: {row['language']}: {row['passed']} of {row['problems']} passed, {row['drawn']} were drawn to, "
            f"{row['calls']} calls"
        )
    for row in document["table18"] if document["simulated"] else ():
        console.print(
            f"simulated: refine for time, {row['suite']}, {row['language']}: {row['calls']:.0f} calls, "
            f"the paper counted {row['published']} ({row['deviation_percent']:+.1f} %)"
        )
    for row in document["strategies"]:
        console.print(
            f"simulated: strategy {row['strategy']}, {row['language']}: {row['pass_percent']:.2f} %, "
            f"{row['calls_per_problem']:.2f} calls, ${row['usd_per_problem']:.5f} a problem"
        )
    for row, calls in zip(document.get("table17", ()), document["table18"], strict=False):
        counted = next(
            one
            for one in document["table16"]
            if (one["agent"], one["language"]) == (row["agent"], row["language"])
        )
        middle = "none" if row["median_improvement"] is None else f"median {row['median_improvement']:.2f} %"
        bounds = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
        console.print(
            f"{row['agent']}, {row['language']}: {counted['improved']} of {counted['functions']} improved in time, {middle}{bounds}, "
            f"{calls['calls']} calls"
        )
    for line in document["unanswered"][:10]:
        console.print(f"no answer: {line}")
