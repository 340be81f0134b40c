"""`perforch bench`: the measurement engine alone, on two command lines."""

from __future__ import annotations

import os
import random
import shlex
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perforch.commands import terminal
from perforch.errors import UsageError
from perforch.result import Metric
from perforch.sandbox import cleaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from perforch.measure.model import Comparison, Estimate, Launcher, Progress
    from perforch.result import Environment

EXIT_CODES = {"faster": 0, "no_change": 10, "slower": 11, "inconclusive": 12}
_BYTECODE = "/perforch/bytecode"  # inside the sandbox
_WARMING = {"java"}  # programs that use several CPUs by themselves


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command that the person at the keyboard typed, run as it is: their environment, their directory.

    Python byte code goes to a directory of its own, empty at the start: a stale or unwritable cache on one side would slow
    that side several times.
    """

    argv: tuple[str, ...]
    bytecode: Path

    def launch(self, seed: int) -> Any:
        """A fresh start with this seed."""
        return self.launch_with(seed, ())

    def launch_with(self, seed: int, prefix: tuple[str, ...]) -> Any:
        """The same below another program, such as valgrind."""
        from perforch.measure.pairs import seed_env
        from perforch.sandbox.spec import Launch, Limits

        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        env |= {"PYTHONPYCACHEPREFIX": str(self.bytecode), **seed_env(seed)}
        return Launch(argv=(*prefix, *self.argv), env=env, limits=Limits(wall_seconds=3600))


@dataclass(frozen=True, slots=True)
class SandboxedLine:
    """The same inside the sandbox, with the current directory mounted read-only, so byte code beside the sources could never be renewed."""

    argv: tuple[str, ...]
    sandbox: Any
    bytecode: Path

    def launch(self, seed: int) -> Any:
        """A fresh start with this seed."""
        return self.launch_with(seed, ())

    def launch_with(self, seed: int, prefix: tuple[str, ...]) -> Any:
        """The same below another program, such as valgrind."""
        from perforch.measure.pairs import seed_env
        from perforch.sandbox.spec import SOURCE, Command, Limits, Mount

        return self.sandbox.launch(
            Command(
                argv=(*prefix, *self.argv),
                cwd=SOURCE,
                env={"PYTHONPYCACHEPREFIX": _BYTECODE, **seed_env(seed)},
                mounts=(Mount(Path.cwd(), SOURCE), Mount(self.bytecode, _BYTECODE, writable=True)),
                limits=Limits(wall_seconds=3600),
            )
        )


class _Percent(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            number = float(str(value).strip().removesuffix("%"))
        except ValueError:
            self.fail(f"{value!r} is not a percentage, such as 5 or 5%", param, ctx)
        if not 0 <= number <= 1000:
            self.fail(f"{value!r} is not between 0 and 1000 percent", param, ctx)
        return number


@click.command()
@click.option(
    "--before", required=True, metavar="CMD", help="The baseline, split like a shell would; no shell runs it."
)
@click.option("--after", required=True, metavar="CMD", help="The command to compare with it.")
@click.option(
    "--metric", type=click.Choice([metric.value for metric in Metric]), default="time", show_default=True
)
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), default=120.0, show_default=True)
@click.option(
    "--min-effect",
    type=_Percent(),
    default=5.0,
    show_default=True,
    help="The smallest effect that matters, in percent.",
)
@click.option(
    "--sandbox",
    type=click.Choice(["none", "required"]),
    default="none",
    show_default=True,
    help="`none` runs the commands as you typed them, with your rights; `required` isolates them and mounts this directory.",
)
@click.option(
    "--cpus",
    type=click.IntRange(1, 1024),
    default=None,
    help="CPUs to reserve for a program with several threads.",
)
@click.option("--seed", type=int, default=None, help="Repeat the same coin tosses and hash seeds.")
@click.option(
    "--canary/--no-canary",
    default=None,
    help="Also compare BEFORE with itself (default: one time in twenty).",
)
@click.option(
    "--exit-code",
    "by_verdict",
    is_flag=True,
    help="Exit with 0 faster, 10 no change, 11 slower, 12 inconclusive.",
)
@terminal.json_option
def bench(
    before: str,
    after: str,
    metric: str,
    max_seconds: float,
    min_effect: float,
    sandbox: str,
    cpus: int | None,
    seed: int | None,
    canary: bool | None,
    by_verdict: bool,
    as_json: bool,
) -> int:
    """Compare two command lines and say which one is faster, if either is.

    Runs them in pairs, in an order decided by coin tosses, on a reserved CPU, until an exact sequential test has decided.
    """
    from perforch.measure import machine, pairs
    from perforch.measure.compare import compare
    from perforch.measure.cpus import plan
    from perforch.settings import Acceptance

    lines = {"before": split(before, "--before"), "after": split(after, "--after")}
    threads = cpus or (2 if any(Path(argv[0]).name in _WARMING for argv in lines.values()) else 1)
    acceptance = Acceptance(min_effect=min_effect / 100, max_seconds=min(max_seconds, 7200.0))
    with ExitStack() as stack:
        level, sides = _launchers(lines, sandbox, stack)
        with progress_bar() as tell:
            found = compare(
                sides["before"],
                sides["after"],
                metric=Metric(metric),
                acceptance=acceptance,
                threads=threads,
                seconds=max_seconds,
                progress=tell,
                seed=seed,
            )
            if canary is None:
                canary = pairs.is_canary(random.Random(seed))
            control = None
            left = max_seconds - found.seconds
            if canary and found.pairs and left > found.seconds:
                control = compare(
                    sides["before"],
                    sides["before"],
                    metric=Metric(metric),
                    acceptance=acceptance,
                    threads=threads,
                    seconds=left,
                    progress=tell,
                    seed=None if seed is None else seed + 1,
                    canary=True,
                    weigh=False,
                )
    environment = machine.environment(plan(threads), sandbox=level)
    document = _document(found, control, environment, Metric(metric))
    terminal.emit(
        document, as_json=as_json, human=lambda console: _show(console, found, environment, Metric(metric))
    )
    return EXIT_CODES[found.decision.value] if by_verdict else 0


def split(command: str, option: str) -> tuple[str, ...]:
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        message = f"{option} cannot be split into words: {error}"
        raise UsageError(message, hint="Quote it as for a shell; no shell runs it.") from error
    if not argv or not argv[0]:
        message = f"{option} is empty"
        raise UsageError(message, hint='Give a program and its arguments, such as "python3 script.py".')
    if shutil.which(argv[0]) is None:
        message = f"{option}: there is no program {argv[0]!r}"
        raise UsageError(
            message, hint='Programs are run without a shell; for shell syntax write: sh -c "...".'
        )
    return argv


def _launchers(
    lines: dict[str, tuple[str, ...]], sandbox: str, stack: ExitStack
) -> tuple[str, dict[str, Launcher]]:
    folder = stack.enter_context(cleaning.temporary("perforch-bench-"))
    caches = {side: folder / side for side in lines}
    if sandbox == "required":
        from perforch.sandbox import open_sandbox

        for cache in caches.values():
            cache.mkdir()
        inside = open_sandbox("required")
        return inside.level, {side: SandboxedLine(argv, inside, caches[side]) for side, argv in lines.items()}
    return "none", {side: CommandLine(argv, caches[side]) for side, argv in lines.items()}


class progress_bar:
    """A progress bar on stderr where that is a terminal, silence elsewhere."""

    def __enter__(self) -> Callable[[Progress], None]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = terminal.stderr()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._bar.start()
        task = self._bar.add_task("starting", total=None)

        def tell(progress: Progress) -> None:
            words = "waiting for another benchmark" if progress.step == "waiting" else progress.step
            self._bar.update(task, description=words, completed=progress.done, total=progress.total or None)

        return tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _measurement(estimate: Estimate, verdict: str | None) -> dict[str, Any]:
    return {
        "unit": estimate.unit,
        "before": estimate.before,
        "after": estimate.after,
        "ratio": estimate.ratio,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "pairs": estimate.pairs,
        "noise": estimate.noise,
        "confidence": estimate.confidence,
        "verdict": verdict,
    }


def _document(
    found: Comparison, control: Comparison | None, environment: Environment, metric: Metric
) -> dict[str, Any]:
    false_claim = control is not None and control.decision.value in {"faster", "slower"}
    return {
        "verdict": found.decision.value,
        "reason": found.reason,
        "metric": metric.value,
        "measurements": {
            key.value: _measurement(estimate, found.decision.value if key is metric else None)
            for key, estimate in found.estimates.items()
        },
        "peak_memory": _measurement(found.peak_memory, None) if found.peak_memory else None,
        "samples": [asdict(pair) for pair in found.pairs],
        "memory_samples": {
            side: [asdict(memory) for memory in runs] for side, runs in found.memory_runs.items()
        },
        "instructions": found.instructions,
        "canaries": {"decisions": int(control is not None), "false_claims": int(false_claim), "level": 0.02},
        "environment": environment.model_dump(mode="json"),
        "notes": list(found.notes),
        "seconds": found.seconds,
    }


def _show(console: Console, found: Comparison, environment: Environment, metric: Metric) -> None:
    from rich.table import Table

    from perforch.measure import plot

    console.print(f"{found.decision.value.replace('_', ' ').upper()}: {found.reason}")
    if found.estimates:
        table = Table(box=None, pad_edge=False, header_style="bold")
        level = max(estimate.confidence for estimate in found.estimates.values())
        for name in ("metric", "before", "after", "ratio", f"bounds ({level:.4g})", "noise", "runs"):
            table.add_column(name, justify="left" if name == "metric" else "right")
        rows = [(key.value, estimate) for key, estimate in found.estimates.items()]
        if found.peak_memory:
            rows.append(("peak-resident", found.peak_memory))
        for name, estimate in rows:
            table.add_row(name, *_cells(estimate))
        console.print(table)
    if picture := plot.text(found.pairs, metric if metric is Metric.CPU else Metric.TIME):
        console.print(picture)
    if found.instructions:
        console.print(f"Instructions: {found.instructions}.")
    for note in found.notes:
        console.print(f"Note: {note}.")
    where = ",".join(map(str, environment.cpus))
    console.print(
        f"{environment.cpu}, CPU {where}{'' if environment.pinned else ' (not pinned)'}, sandbox {environment.sandbox}"
    )


def _cells(estimate: Estimate) -> tuple[str, ...]:
    digits = 0 if estimate.unit == "KiB" else 3 if estimate.unit == "CPUs" else 2
    bounds = "-"
    if estimate.low is not None and estimate.high is not None:
        bounds = f"{estimate.low:.2f}-{estimate.high:.2f}×"
    return (
        f"{estimate.before:.{digits}f} {estimate.unit}",
        f"{estimate.after:.{digits}f} {estimate.unit}",
        f"{estimate.ratio:.2f}×",
        bounds,
        "-" if estimate.noise is None else f"±{estimate.noise - 1:.1%}",
        str(estimate.pairs),
    )
