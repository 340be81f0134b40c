"""The paper's tables 8, 16 and 18 as printed, to set simulations and measurements beside them."""

from __future__ import annotations

import csv
from functools import cache

from perforch import assets


@cache
def table(number: int) -> tuple[dict[str, str], ...]:
    """Rows by column name; numbers as printed."""
    path = assets.directory("rankings") / "paper-tables" / f"table-{number:02d}.tsv"
    with path.open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file, delimiter="\t"))


def pass_rate(model: str, suite: str, language: str) -> float:
    """Table 8, in per cent."""
    return next(float(row[f"{suite}/{language}"]) for row in table(8) if row["model"] == model)


def refinements(agent: str, metric: str, suite: str, language: str) -> int:
    """Table 16: functions that an agent improved."""
    return _find(16, agent, metric, suite, language)


def calls(agent: str, metric: str, suite: str, language: str) -> int:
    """Table 18: LLM calls of an agent."""
    return _find(18, agent, metric, suite, language)


def _find(number: int, agent: str, metric: str, suite: str, language: str) -> int:
    return next(
        int(row[f"{suite}/{language}"])
        for row in table(number)
        if (row["agent"], row["metric"]) == (agent, metric)
    )
