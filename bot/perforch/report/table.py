"""The table of the summary comment: at most ten rows, the largest saving first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.report import escape, numbers, words
from perforch.result import FunctionResult, Metric

if TYPE_CHECKING:
    from perforch.report.links import Links
    from perforch.result import Measurement, Regression, Result

# The change stands next to the name: on a telephone the rest is reached by scrolling.
_HEAD = "| Function | {what} | Before | After | Memory | Noise | Checks |\n|---|--:|--:|--:|--:|--:|---|"
ROWS = 10


def table(result: Result, links: Links, rows: int = ROWS) -> str:
    """Regressions (base against head), then proposals, then the rest; "" if there is nothing to list."""
    proposals = words.proven(result)
    rest = [function for function in result.functions if function.verdict not in words.PROVEN]
    items: list[FunctionResult | Regression] = [*result.regressions, *proposals, *rest]
    if not items:
        return ""
    lines = [
        _function_row(item, result, links)
        if isinstance(item, FunctionResult)
        else _regression_row(item, result, links)
        for item in items[:rows]
    ]
    what = words.METRICS[result.metric]
    text = "\n".join([_HEAD.format(what=_stiff(what[0].upper() + what[1:])), *lines])
    more = len(items) - rows
    return f"{text}\n\n*{numbers.count(more, 'more row')} in the full report.*" if more > 0 else text


def function_cell(item: FunctionResult | Regression, result: Result, links: Links) -> str:
    """The name, linked to its lines at head where they are known, and its place below."""
    name = escape.code(item.name, 80)
    address = links.lines(item.path, result.head_sha, item.start_line, item.end_line)
    if address and len(address) <= 300:
        name = f"[{name}]({address})"
    return f"{name}<br><sub>{escape.html(f'{item.path}:{item.start_line}', 100)}</sub>"


def _function_row(function: FunctionResult, result: Result, links: Links) -> str:
    found = words.main_measurement(function.measurements, result.metric)
    before = after = noise = speed = "–"
    if found:
        metric, measurement = found
        before, after = numbers.pair(measurement.before, measurement.after, measurement.unit)
        noise = numbers.noise(measurement)
        if function.verdict in words.PROVEN:
            speed = _speed(metric, measurement)
        else:
            after = "–"
    cells = [speed, before, after, words.memory(function), noise, words.checks(function)]
    return _row([function_cell(function, result, links), *map(_stiff, cells)])


def _regression_row(regression: Regression, result: Result, links: Links) -> str:
    found = words.main_measurement(regression.measurements, result.metric)
    before = after = noise = speed = "–"
    if found:
        metric, measurement = found
        before, after = numbers.pair(measurement.before, measurement.after, measurement.unit)
        noise, speed = numbers.noise(measurement), _speed(metric, measurement)
    memory = regression.measurements.get(Metric.MAX_MEMORY)
    change = numbers.change(memory) if memory else "–"
    cells = [speed, before, after, change, noise, "⚠️ regression, base → head"]
    return _row([function_cell(regression, result, links), *map(_stiff, cells)])


def _speed(metric: Metric, measurement: Measurement) -> str:
    bound = numbers.interval(measurement)
    return f"**{numbers.speed(measurement.ratio, metric)}**" + (f"<br>{bound}" if bound else "")


def _stiff(text: str) -> str:
    """Not broken between a number and its unit, however narrow the screen: the table scrolls instead."""
    return text.replace(" ", "\u00a0")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
