"""Pictures of a comparison: plain text for terminals, SVG for pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from perforch.measure.verdict import MARGIN
from perforch.result import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.measure.model import Pair

_WIDTH, _HEIGHT = 72, 13


def ratios(pairs: Sequence[Pair], metric: Metric = Metric.TIME) -> list[float]:
    """before/after of every pair, in the order they ran."""
    if metric is Metric.CPU:
        return [pair.before.cpus / max(pair.after.cpus, 1e-9) for pair in pairs]
    return [pair.before.task_clock_ms / max(pair.after.task_clock_ms, 1e-9) for pair in pairs]


def text(pairs: Sequence[Pair], metric: Metric = Metric.TIME, *, width: int = _WIDTH) -> str:
    """A plot of the pairs' ratios in plain characters, "" for fewer than two pairs."""
    values = ratios(pairs, metric)
    if len(values) < 2:
        return ""
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.theme("clear")
    figure.plot_size(width, _HEIGHT)
    figure.title("before/after of every pair (above 1: after is better)")
    numbers = list(range(1, len(values) + 1))
    figure.draw(figure.signal([1, len(values)], [1.0, 1.0], marker="-").lines())
    figure.draw(figure.signal(numbers, values, marker="o"))
    drawn = figure.build()
    return "\n".join(line.rstrip() for line in plotext.uncolorize(str(drawn)).splitlines())


def svg(
    pairs: Sequence[Pair],
    metric: Metric = Metric.TIME,
    *,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """The same as a small SVG document, with the margin and the confidence bounds shaded."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    values = ratios(pairs, metric)
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.axhspan(1 - MARGIN, 1 + MARGIN, color="0.9", label="margin")
    if low is not None and high is not None:
        axes.axhspan(low, high, color="tab:blue", alpha=0.15, label="confidence bounds")
    axes.axhline(1, color="0.4", linewidth=0.8)
    axes.plot(range(1, len(values) + 1), values, "o", color="tab:blue", markersize=4, label="pairs")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:.2f}×")
    axes.yaxis.set_minor_formatter("{x:.2f}×")
    axes.set_xlabel("pair")
    axes.set_ylabel("before / after")
    axes.legend(loc="best", fontsize="small", frameon=False)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
