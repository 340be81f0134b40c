"""The evaluation's tables as pictures (SVG)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def pass_rates(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    """Table 8: pass rate of every model and language with its interval."""
    languages = list(dict.fromkeys(row["language"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure = Figure(
        figsize=(7, 1.5 + 0.22 * len(models) * max(len(languages), 1) ** 0.5), layout="constrained"
    )
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    for place, language in enumerate(languages):
        mine = [row for row in rows if row["language"] == language]
        heights = [models.index(row["model"]) + 0.12 * (place - len(languages) / 2) for row in mine]
        middle = [row["pass_percent"] for row in mine]
        spread = [
            [max(0.0, row["pass_percent"] - row["low"]) for row in mine],
            [max(0.0, row["high"] - row["pass_percent"]) for row in mine],
        ]
        axes.errorbar(middle, heights, xerr=spread, fmt="o", markersize=4, label=language)
    axes.set_yticks(range(len(models)), models)
    axes.invert_yaxis()
    axes.set_xlabel("problems that pass their tests (%)")
    axes.set_title(title)
    axes.legend(fontsize="small", frameon=False)
    return _svg(figure)


def improvements(groups: Mapping[str, Sequence[float]], title: str) -> str:
    """Figure 5: how large proven improvements are, by language."""
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.boxplot(list(groups.values()), tick_labels=list(groups), orientation="horizontal")
    axes.set_xlabel("proven improvement of execution time (%)")
    axes.set_title(title)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
