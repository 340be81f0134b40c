"""The last screen of a run on a terminal; returns what rich can render, prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.report import blocks, escape, numbers, words
from perforch.result import Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

    from perforch.result import Measurement, Metric, Result

_STYLES = {Verdict.FAILED: "red", Verdict.NOT_MEASURABLE: "yellow"}


def summary(result: Result) -> list[RenderableType]:
    """The verdict, a table of functions and regressions, the cost, and remarks."""
    from rich.table import Table
    from rich.text import Text

    proven = bool(words.proven(result))
    renderables: list[RenderableType] = [
        Text(words.headline(result), style="bold green" if proven else "bold")
    ]
    if result.functions or result.regressions:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        table.add_column("Function", overflow="fold", ratio=1)
        for name in ("Before", "After", "Change", "Noise"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("Verdict", overflow="fold")
        reasons = []
        for function in result.functions:
            good = function.verdict in words.PROVEN
            style = "green" if good else _STYLES.get(function.verdict, "dim")
            found = words.main_measurement(function.measurements, result.metric)
            label = Text(words.VERDICTS[function.verdict][1], style=style)
            table.add_row(Text(_short(function.name)), *map(Text, _cells(found, proven=good)), label)
            if function.reason:
                place = _short(f"{function.path}::{function.name}")
                reasons.append(
                    Text(f"  {place}: {escape.shorten(escape.plain(function.reason), 300)}", style="dim")
                )
        for regression in result.regressions:
            found = words.main_measurement(regression.measurements, result.metric)
            label = Text("regression, base → head", style="red")
            table.add_row(Text(_short(regression.name)), *map(Text, _cells(found, proven=True)), label)
        renderables += [table, *reasons]
    if result.skipped:
        renderables.append(Text(f"{numbers.count(len(result.skipped), 'change')} left alone", style="dim"))
    renderables.append(Text(blocks.total(result), style="dim"))
    renderables += [Text(escape.plain(note)) for note in result.notes]
    return renderables


def _short(text: str) -> str:
    return escape.shorten(escape.plain(text), 100)


def _cells(found: tuple[Metric, Measurement] | None, *, proven: bool) -> list[str]:
    if found is None:
        return ["–", "–", "–", "–"]
    metric, measurement = found
    before, after = numbers.pair(measurement.before, measurement.after, measurement.unit)
    if not proven:
        return [before, "–", "–", numbers.noise(measurement)]
    bound = numbers.interval(measurement)
    change = numbers.speed(measurement.ratio, metric) + (f"\n{bound}" if bound else "")
    return [before, after, change, numbers.noise(measurement)]
