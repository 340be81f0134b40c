"""The table of the summary comment: at most ten rows, the largest saving first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.report import escape, numbers, words
from perforch.result import Metric

if TYPE_CHECKING:
    from perforch.report.links import Links
    from perforch.result import FunctionResult, Measurement, Regression, Result

_HEAD = "| Function | Before | After | {what} | Memory | Noise | Checks |\n|---|--:|--:|--:|--:|--:|---|"
_WHAT = {
    Metric.TIME: "Speed-up",
    Metric.CPU: "CPUs utilised",
    Metric.MEAN_MEMORY: "Mean memory",
    Metric.MAX_MEMORY: "Maximum memory",
}
ROWS = 10


def table(result: Result, links: Links, rows: int = ROWS) -> str:
    """Proposals, then regressions (base against head), then the rest; "" if there is nothing to list."""
    proposals = words.proven(result)
    rest = [function for function in result.functions if function.verdict not in words.PROVEN]
    lines = [_function_row(function, result, links) for function in proposals]
    lines += [_regression_row(regression, result, links) for regression in result.regressions]
    lines += [_function_row(function, result, links) for function in rest]
    if not lines:
        return ""
    text = "\n".join([_HEAD.format(what=_WHAT[result.metric]), *lines[:rows]])
    more = len(lines) - rows
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
    cells = [function_cell(function, result, links), before, after, speed, words.memory(function), noise]
    return _row([*cells, words.checks(function)])


def _regression_row(regression: Regression, result: Result, links: Links) -> str:
    found = words.main_measurement(regression.measurements, result.metric)
    before = after = noise = speed = "–"
    if found:
        metric, measurement = found
        before, after = numbers.pair(measurement.before, measurement.after, measurement.unit)
        noise, speed = numbers.noise(measurement), _speed(metric, measurement)
    memory = regression.measurements.get(Metric.MAX_MEMORY)
    cells = [function_cell(regression, result, links), before, after, speed]
    return _row([*cells, numbers.change(memory) if memory else "–", noise, "⚠️ regression, base → head"])


def _speed(metric: Metric, measurement: Measurement) -> str:
    bound = numbers.interval(measurement)
    return f"**{numbers.speed(measurement.ratio, metric)}**" + (f"<br>{bound}" if bound else "")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
