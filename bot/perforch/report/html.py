"""report.html: one file without external resources that a stranger can read."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.report import blocks, escape, numbers, words
from perforch.report.links import Links
from perforch.result import Metric, Outcome

if TYPE_CHECKING:
    from jinja2 import Environment

    from perforch.result import FunctionResult, Measurement, Regression, Result

_TONES = {"improved": "good", "fixed": "good", "generated": "good", "failed": "bad", "not_measurable": "warn"}
_PLOT_LEFT, _PLOT_WIDTH, _ROW, _TICK = 250, 470, 30, 44


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the overview: a function or a regression, ready to print."""

    name: str
    place: str
    language: str
    categories: str
    address: str
    verdict: str
    tone: str
    before: str
    after: str
    speed: str
    bound: str
    memory: str
    noise: str
    checks: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the interval plot, in SVG units."""

    y: float
    name: str
    low: float
    high: float
    point: float
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class Plot:
    """The interval plot: speed-up on a logarithmic axis."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    one: float
    width: int
    height: int


def page(result: Result, *, links: Links | None = None) -> str:
    """The whole report. Everything from the result is escaped by the template engine."""
    links = links or Links()
    proposals = words.proven(result)
    rest = [function for function in result.functions if function.verdict not in words.PROVEN]
    rows = [_regression_row(regression, result, links) for regression in result.regressions]
    rows += [_function_row(function, result, links) for function in [*proposals, *rest]]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            links=links,
            headline=words.headline(result),
            rows=rows,
            plot=_plot(result),
            proposals=[_proposal(function, result) for function in proposals],
            rejected=[
                (function.name, attempt, words.OUTCOMES[attempt.outcome], numbers.money(attempt.cost_usd))
                for function in result.functions
                for attempt in function.attempts
                if attempt.outcome is not Outcome.ACCEPTED
            ],
            total=blocks.total(result),
            how=words.HOW,
            metric=words.METRICS[result.metric],
        )
    )


@functools.cache
def _environment() -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("perforch.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _function_row(function: FunctionResult, result: Result, links: Links) -> Row:
    sign, word = words.VERDICTS[function.verdict]
    found = words.main_measurement(function.measurements, result.metric)
    return _row(
        function,
        result,
        links,
        found=found,
        verdict=f"{sign} {word}",
        tone=_TONES.get(function.verdict.value, "quiet"),
        memory=words.memory(function) if function.verdict in words.PROVEN else "–",
        checks=numbers.count(len(function.tests), "test") if function.tests else "–",
        categories=", ".join(function.categories),
        proven=function.verdict in words.PROVEN or bool(function.against_base and not function.attempts),
    )


def _regression_row(regression: Regression, result: Result, links: Links) -> Row:
    found = words.main_measurement(regression.measurements, result.metric)
    memory = regression.measurements.get(Metric.MAX_MEMORY)
    return _row(
        regression,
        result,
        links,
        found=found,
        verdict="⚠️ regression",
        tone="bad",
        memory=numbers.change(memory) if memory else "–",
        checks="base → head",
        categories="",
    )


def _row(
    item: FunctionResult | Regression,
    result: Result,
    links: Links,
    *,
    found: tuple[Metric, Measurement] | None,
    verdict: str,
    tone: str,
    memory: str,
    checks: str,
    categories: str,
    proven: bool = True,
) -> Row:
    before = after = noise = "–"
    speed = bound = ""
    if found:
        metric, measurement = found
        before, after = numbers.pair(measurement.before, measurement.after, measurement.unit)
        noise, bound = numbers.noise(measurement), numbers.interval(measurement)
        speed = numbers.speed(measurement.ratio, metric)
        if not proven:  # numbers of a rejected candidate are no numbers of this function
            after, speed, bound = "–", "", ""
    return Row(
        name=escape.shorten(escape.plain(item.name), 120),
        place=escape.shorten(escape.plain(f"{item.path}:{item.start_line}"), 160),
        language=item.language.value,
        categories=categories,
        address=links.lines(item.path, result.head_sha, item.start_line, item.end_line),
        verdict=verdict,
        tone=tone,
        before=before,
        after=after,
        speed=speed,
        bound=bound,
        memory=memory,
        noise=noise,
        checks=checks,
        reason="" if bound else escape.shorten(escape.plain(item.reason), 600),
    )


def _proposal(function: FunctionResult, result: Result) -> dict[str, object]:
    kinds = {"+": "add", "-": "del", "@": "at"}
    lines = escape.block(function.patch or "").rstrip("\n").split("\n")
    shown = [line for line in lines if not line.startswith(("diff --git ", "index "))]
    return {
        "name": escape.plain(function.name),
        "path": escape.plain(function.path),
        "explanation": escape.plain(function.explanation),
        "lines": [
            (kinds.get(line[:1], "") if not line.startswith(("+++ ", "--- ")) else "file", line)
            for line in shown
            if line
        ],
        "deceptive": escape.deceptive(function.patch or ""),
        "tests": [escape.plain(test) for test in function.tests[:200]],
        "more_tests": max(0, len(function.tests) - 200),
        "evidence": blocks.evidence(function, result),
        "attempts": function.attempts,
        "cost": blocks.cost(function),
        "reproduce": escape.block(blocks.reproduce(function, result)),
        "measurements": [
            (
                words.METRICS[metric],
                *numbers.pair(measurement.before, measurement.after, measurement.unit),
                numbers.speed(measurement.ratio, metric),
                numbers.interval(measurement),
                numbers.noise(measurement),
                measurement.pairs,
            )
            for metric, measurement in function.measurements.items()
        ],
    }


def _plot(result: Result) -> Plot | None:
    """Speed-ups with their intervals, of whatever was measured; None where that is nothing."""
    found: list[tuple[str, Metric, Measurement, str]] = []
    for function in result.functions:
        main = words.main_measurement(function.measurements, result.metric)
        proven = function.verdict in words.PROVEN
        if proven and main and main[1].ratio > 0 and main[1].ci_low is not None:
            found.append((function.name, *main, _TONES.get(function.verdict.value, "quiet")))
    for regression in result.regressions:
        main = words.main_measurement(regression.measurements, result.metric)
        if main and main[1].ratio > 0:
            found.append((regression.name, *main, "bad"))
    if not found:
        return None
    found = found[:40]
    ends = [1.0]
    for _, _, measurement, _ in found:
        ends += [
            v for v in (measurement.ratio, measurement.ci_low, measurement.ci_high) if v is not None and v > 0
        ]
    low, high = min(ends) / 1.08, max(ends) * 1.08

    def x(ratio: float) -> float:
        share = math.log(min(max(ratio, low), high) / low) / math.log(high / low)
        return round(_PLOT_LEFT + _PLOT_WIDTH * share, 1)

    bars = tuple(
        Bar(
            y=_ROW * (index + 0.5) + 8,
            name=escape.shorten(escape.plain(name), 34),
            low=x(measurement.ci_low or measurement.ratio),
            high=x(measurement.ci_high or high),
            point=x(measurement.ratio),
            label=numbers.speed(measurement.ratio, metric),
            tone=tone,
        )
        for index, (name, metric, measurement, tone) in enumerate(found)
    )
    scale = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000, 10_000)
    ticks: list[tuple[float, str]] = []
    for value in sorted(
        scale, key=lambda value: abs(math.log(value))
    ):  # from 1 outwards, as long as there is room
        if low <= value <= high and all(abs(x(value) - place) >= _TICK for place, _ in ticks):
            ticks.append((x(value), f"{value:g}×"))
    return Plot(bars, tuple(ticks), x(1.0), _PLOT_LEFT + _PLOT_WIDTH + 120, _ROW * len(bars) + 40)
