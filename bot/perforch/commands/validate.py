"""`perforch validate`: a suite's own solutions through our test runners."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import terminal
from perforch.result import Language

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 10  # unexpected outcomes a language; --json has all


@click.command()
@click.option("--suite", "suite_name", required=True, help="humanevalpack or effibench-x.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Directory of the suite's files. Default: fetched and checked.",
)
@click.option(
    "--solutions", type=click.Choice(["canonical", "buggy"]), default="canonical", show_default=True
)
@click.option("--language", "languages", multiple=True, type=click.Choice([x.value for x in Language]))
@click.option("--limit", type=click.IntRange(min=1), help="Only the first problems of every language.")
@click.option("--jobs", type=click.IntRange(min=1), help="Programs at the same time. Default: all CPUs.")
@click.option("--isolated", is_flag=True, help="Compile every program alone, as candidates are.")
@click.option(
    "--sandbox", type=click.Choice(["required", "weak-ok", "none"]), default="required", show_default=True
)
@terminal.json_option
def validate(
    suite_name: str,
    data: Path | None,
    solutions: str,
    languages: tuple[str, ...],
    limit: int | None,
    jobs: int | None,
    isolated: bool,
    sandbox: str,
    as_json: bool,
) -> int:
    """Run a suite's own solutions: canonical ones must pass, buggy ones must fail.

    The exit code is 1 when they do not; known exceptions are named, not hidden.
    """
    from perforch.profiling import suite as suites
    from perforch.profiling.checking import Checker
    from perforch.profiling.validating import validate as run
    from perforch.sandbox import open_sandbox

    suite = suites.find(suite_name)
    wanted = [Language(name) for name in languages] or list(suite.languages)
    problems = suite.load(data, wanted)
    if limit is not None:
        problems = tuple(problem for problem in problems if problem.number < limit)
    place = open_sandbox(sandbox)  # type: ignore[arg-type]  # click checked it
    started = time.monotonic()
    checker = Checker(place, jobs=jobs or os.cpu_count() or 1, isolated=isolated)
    with terminal.stderr().status(f"{len(problems)} programs"):
        found = run(suite, problems, solutions, checker)  # type: ignore[arg-type]
    document = {**found.document(), "seconds": round(time.monotonic() - started, 2), "sandbox": place.level}
    terminal.emit(document, as_json=as_json, human=lambda console: _print(console, document))
    return 0 if found.as_expected else 1


def _print(console: Console, document: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("language", "passed", "failed", "flaky", "of", "failures by kind"):
        table.add_column(heading, justify="left" if heading in ("language", "failures by kind") else "right")
    for language, counts in document["languages"].items():
        kinds = ", ".join(f"{number} {kind}" for kind, number in counts["kinds"].items())
        numbers = (str(counts[name]) for name in ("passed", "failed", "flaky", "total"))
        table.add_row(language, *numbers, kinds)
    console.print(f"{document['suite']}, {document['solutions']} solutions, sandbox {document['sandbox']}")
    console.print(table)
    bad = "failed" if document["solutions"] == "canonical" else "passed"
    for counts in document["languages"].values():
        wrong = [task for task in counts["tasks"] if task["outcome"] == bad]
        for task in wrong[:_SHOWN]:
            detail = " ".join(task.get("detail", "").split())[:160]
            console.print(f"unexpected: {task['id']} {task['outcome']} {detail}")
        if len(wrong) > _SHOWN:
            console.print(f"unexpected: {len(wrong) - _SHOWN} more, see --json")
        for exception in counts["exceptions"]:
            console.print(f"known: {exception['id']} {exception['note']}")
    console.print(f"{document['seconds']} s")
