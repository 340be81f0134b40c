"""`perforch doctor`: what this runner can resolve, and what stands in the way."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import bench, terminal
from perforch.errors import SandboxUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from perforch.measure.doctor import Check, Resolution


@dataclass(frozen=True, slots=True)
class _Plain:
    argv: tuple[str, ...]

    def launch(self, seed: int) -> Any:
        from perforch.measure.pairs import seed_env
        from perforch.sandbox.spec import Launch

        return Launch(argv=self.argv, env={**os.environ, **seed_env(seed)})


@click.command()
@click.option(
    "--command",
    default=None,
    metavar="CMD",
    help="Your own workload instead of the built-in one; run as you typed it.",
)
@click.option(
    "--pairs",
    "count",
    type=click.IntRange(4, 1000),
    default=20,
    show_default=True,
    help="Identical pairs to run.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="What a comparison may take.",
)
@terminal.json_option
def doctor(command: str | None, count: int, max_seconds: float, as_json: bool) -> int:
    """Say whether this runner is fit to measure."""
    from perforch.measure import cpus
    from perforch.measure import doctor as checks

    plan = cpus.plan()
    walls, refused = _sandbox_checks()
    found = [*walls, *checks.machine_checks(plan)]
    argv = bench.split(command, "--command") if command is not None else checks.reference_argv()
    with bench.progress_bar() as tell:
        resolution = checks.resolution(_Plain(argv), count=count, seconds=max_seconds, progress=tell)
    document = {
        "fit": resolution.fit
        and all(check.ok is not False for check in found if check.name.startswith("sandbox")),
        "checks": [asdict(check) for check in found],
        "resolution": {**asdict(resolution), "fit": resolution.fit},
    }
    terminal.emit(document, as_json=as_json, human=lambda console: _show(console, found, resolution))
    if refused is not None:
        raise refused
    return 0


def _sandbox_checks() -> tuple[list[Check], SandboxUnavailableError | None]:
    """Every wall, and the error with which other commands would refuse."""
    from perforch.measure.doctor import Check
    from perforch.sandbox import open_sandbox, probe, runner

    def shown(room: str, found: Iterable[probe.Check]) -> list[Check]:
        return [Check(f"{room}-{one.name}", one.ok, one.saw, one.good, one.remedy) for one in found]

    beside = shown("runner", runner.checks())
    try:
        walls = probe.probe()
    except SandboxUnavailableError as error:
        missing = Check("sandbox", False, error.message, "bubblewrap starts and holds", error.hint)
        return [missing, *beside], error
    checks = [*shown("sandbox", walls), *beside]
    try:
        open_sandbox("required")
    except SandboxUnavailableError as error:
        return checks, error
    return checks, None


def _show(console: Console, found: list[Check], resolution: Resolution) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "check", "saw", "good"):
        table.add_column(name)
    words = {True: "ok", False: "NO", None: "?"}
    for check in found:
        table.add_row(words[check.ok], check.name, check.saw, check.good)
    console.print(table)
    remedies = [check for check in found if check.ok is False and check.remedy]
    for check in remedies:
        console.print(f"{check.name}: {check.remedy}")
    smallest = resolution.smallest_effect
    able = "nothing" if smallest is None else f"effects of {smallest:.1%} or more"
    console.print(
        f"{resolution.pairs} pairs of identical runs ({resolution.run_ms:.0f} ms each, {resolution.source}) scatter by "
        f"±{resolution.scatter:.1%}: a comparison of {resolution.cap} pairs resolves {able}."
    )
    if smallest is None:
        console.print("Too few pairs fit into the time: use a shorter workload, or allow more seconds.")
    elif not resolution.fit:
        console.print("Not fit for effects of 5 %: use a longer workload or a quieter machine.")
