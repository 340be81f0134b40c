"""From walked cases to the paper's tables 8, 9, 16, 17 and 18, with confidence intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Any

from perforch.rankings import posterior

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perforch.profiling.evaluating import Case

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
FIXERS = 5
AGENTS = ("PerfOrch", "PerfOrch(Best-of-Five)", "PerfOrch(Top1 Only)")


@dataclass(frozen=True, slots=True)
class PassRate:
    """One cell of table 8; per cent with Wilson's interval at `CONFIDENCE`. Problems that nobody answered do not count."""

    model: str
    language: str
    passed: int
    problems: int
    pass_percent: float
    low: float
    high: float
    calls: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Refine:
    """One cell of tables 9, 16, 17 and 18 for execution time; improvements in per cent, equation 3.

    `low` and `high` bound the median at `CONFIDENCE` or more; None where there are too few.
    """

    agent: str
    language: str
    functions: int
    improved: int
    calls: int
    median_improvement: float | None
    low: float | None
    high: float | None
    smallest: float | None
    largest: float | None


def pass_rates(label: str, cases: Iterable[Case]) -> list[PassRate]:
    """Table 8: one row a language."""
    rows = []
    for language, group in _by_language(cases).items():
        counted = [case for case in group if case.answered]
        passed = sum(case.passed for case in counted)
        low, high = posterior.wilson(passed, len(counted), z=_Z)
        rows.append(
            PassRate(
                label,
                language,
                passed,
                len(counted),
                100 * passed / len(counted) if counted else 0.0,
                100 * low,
                100 * high,
                sum(case.calls - len(case.refinements) for case in group),
                sum(case.cost_usd for case in group),
            )
        )
    return rows


def refines(cases: Iterable[Case]) -> list[Refine]:
    """Tables 9, 16, 17 and 18: what the three agents make of the same five candidates a function."""
    rows = []
    for language, group in _by_language(cases).items():
        entered = [case for case in group if case.refinements]
        for agent in AGENTS:
            gains, calls = [], 0
            for case in entered:
                asked, gain = _agent(agent, [one.improvement for one in case.refinements])
                calls += asked
                if gain is not None:
                    gains.append(100 * gain)
            gains.sort()
            low, high = median_interval(gains)
            rows.append(
                Refine(
                    agent,
                    language,
                    len(entered),
                    len(gains),
                    calls,
                    median(gains) if gains else None,
                    low,
                    high,
                    gains[0] if gains else None,
                    gains[-1] if gains else None,
                )
            )
    return rows


def improvements(cases: Iterable[Case]) -> dict[str, list[float]]:
    """Per cent of every first accepted refinement, by language."""
    found: dict[str, list[float]] = {}
    for language, group in _by_language(cases).items():
        gains = [
            _agent(AGENTS[0], [one.improvement for one in case.refinements])[1]
            for case in group
            if case.refinements
        ]
        proven = [100 * gain for gain in gains if gain is not None]
        if proven:
            found[language] = proven
    return found


def _agent(agent: str, improvements: Sequence[float | None]) -> tuple[int, float | None]:
    """Calls and gain of one function."""
    if agent.endswith("(Top1 Only)"):
        return 1, improvements[0]
    if agent.endswith("(Best-of-Five)"):
        return len(improvements), max((one for one in improvements if one is not None), default=None)
    first = next((place for place, one in enumerate(improvements) if one is not None), None)
    return (len(improvements), None) if first is None else (first + 1, improvements[first])


def median_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float | None, float | None]:
    """Order statistics that enclose the median of sorted values with at least `confidence` (binomial, exact)."""
    count = len(values)
    tail = 0.0
    place = -1
    for k in range(count // 2):
        tail += math.comb(count, k) / 2**count
        if tail > (1 - confidence) / 2:
            break
        place = k
    return (None, None) if place < 0 else (values[place], values[count - 1 - place])


def _by_language(cases: Iterable[Case]) -> Mapping[str, list[Case]]:
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[str(case.problem.language)].append(case)
    return groups


def document(rates: Sequence[PassRate], refined: Sequence[Refine]) -> dict[str, Any]:
    """For `--json`."""
    rows = [asdict(row) for row in refined]
    return {
        "table8": [asdict(row) for row in rates],
        "table9": [
            _pick(row, "improved", "smallest", "largest", "median_improvement")
            for row in rows
            if row["agent"] == "PerfOrch"
        ],
        "table16": [_pick(row, "functions", "improved") for row in rows],
        "table17": [_pick(row, "median_improvement", "low", "high") for row in rows],
        "table18": [_pick(row, "calls") for row in rows],
    }


def _pick(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {
        "agent": row["agent"],
        "language": row["language"],
        "metric": "time",
        **{name: row[name] for name in names},
    }
