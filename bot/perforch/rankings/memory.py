"""The Memory: evidence summed into cells of (model, stage, metric, language, category)."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from perforch.rankings import catalogue, posterior, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from perforch.rankings.catalogue import Catalogue
    from perforch.rankings.evidence import Evidence

FEWEST_MODELS = 3  # in a category whose spread over models says something
OUTDATED = 0.5  # weight of a profile per newer profile of the same cell


class Key(NamedTuple):
    """What a cell is about; `category` is "" for the whole language."""

    model: str
    stage: str
    metric: str
    language: str
    category: str = ""


@dataclass(slots=True)
class Cell:
    """Weighted sums. `attempts` counts a try after others failed as kappa of a try, because it only saw hard
    cases.

    `raw_*` are plain counts without weights; `improvement` is the paper's weighted sum (equation 4), known
    for `improvement_successes` of the successes.
    """

    attempts: float = 0.0
    successes: float = 0.0
    raw_attempts: int = 0
    raw_successes: int = 0
    log_gain: float = 0.0
    log_gain_successes: float = 0.0
    improvement: float = 0.0
    improvement_successes: int = 0
    cost: float = 0.0
    cost_attempts: int = 0
    seconds: float = 0.0
    sources: set[str] = field(default_factory=set)


class Memory:
    """All evidence, ready to be asked."""

    def __init__(self, records: Iterable[Evidence], *, models: Catalogue | None = None) -> None:
        self.catalogue = models or catalogue.shipped()
        self.cells: Mapping[Key, Cell] = _sum(records)
        self._by_cell: dict[tuple[str, str, str, str], dict[str, Cell]] = defaultdict(dict)
        self._spreads: dict[tuple[str, str, str], float] = {}
        self._difficulties: dict[tuple[str, str, str, str], float] = {}
        for key, cell in self.cells.items():
            if key.model not in self.catalogue.agents:
                self._by_cell[key[1:]][key.model] = cell

    @classmethod
    def load(cls, repository: Path | None = None) -> Memory:
        """The shipped evidence plus, when given, the repository's own; see `store.load`."""
        return cls(store.load(repository))

    @property
    def models(self) -> tuple[str, ...]:
        """Every model with evidence, agents left out."""
        return tuple(sorted({key.model for key in self.cells} - set(self.catalogue.agents)))

    def cell(self, model: str, stage: str, metric: str, language: str, category: str = "") -> Cell | None:
        """The sums of one cell, or None where nothing is known."""
        return self.cells.get(Key(model, stage, metric, language, category))

    def peers(self, stage: str, metric: str, language: str, category: str = "") -> Mapping[str, Cell]:
        """The cells of all models of one kind."""
        return self._by_cell.get((stage, metric, language, category), {})

    def stage_mean(self, stage: str, metric: str, language: str) -> float:
        """Mean success rate over models, each counted once; one half where nothing is known."""
        rates = [
            cell.successes / cell.attempts
            for cell in self.peers(stage, metric, language).values()
            if cell.attempts
        ]
        return sum(rates) / len(rates) if rates else 0.5

    def stage_gain(self, stage: str, metric: str, language: str) -> float:
        """Mean ln(before/after) given success over models; ln 1.2 where nothing is known."""
        gains = [
            cell.log_gain / cell.log_gain_successes
            for cell in self.peers(stage, metric, language).values()
            if cell.log_gain_successes
        ]
        return sum(gains) / len(gains) if gains else posterior.log_gain(1 - 1 / 1.2)

    def difficulty(self, stage: str, metric: str, language: str, category: str) -> float:
        """How much a category moves all models' rates, in logits: mean over models with evidence in both."""
        key = (stage, metric, language, category)
        if key not in self._difficulties:
            self._difficulties[key] = self._difficulty(*key)
        return self._difficulties[key]

    def category_sd(self, stage: str, metric: str, language: str) -> float:
        """How much models differ between categories beyond chance and difficulty, in logits; see `posterior.category_sd`."""
        key = (stage, metric, language)
        if key not in self._spreads:
            self._spreads[key] = posterior.category_sd(self._shifts(*key))
        return self._spreads[key]

    def _shifts(self, stage: str, metric: str, language: str) -> Iterator[tuple[float, float]]:
        whole = self.peers(stage, metric, language)
        for found in [key for key in self._by_cell if key[:3] == (stage, metric, language) and key[3]]:
            cells = {
                name: cell for name, cell in self._by_cell[found].items() if name in whole and cell.attempts
            }
            if len(cells) < FEWEST_MODELS:
                continue
            difficulty = self.difficulty(*found)
            # The mean over models has been taken out, and with it one degree of freedom.
            freedom = len(cells) / (len(cells) - 1)
            for name, cell in cells.items():
                rate = posterior.smoothed(cell.successes, cell.attempts)
                overall = posterior.smoothed(whole[name].successes, whole[name].attempts)
                shift = posterior.logit(rate) - posterior.logit(overall) - difficulty
                yield shift * math.sqrt(freedom), posterior.shift_variance(cell.attempts, rate)

    def _difficulty(self, stage: str, metric: str, language: str, category: str) -> float:
        whole = self.peers(stage, metric, language)
        moves = [
            posterior.logit(posterior.smoothed(cell.successes, cell.attempts))
            - posterior.logit(posterior.smoothed(whole[model].successes, whole[model].attempts))
            for model, cell in self.peers(stage, metric, language, category).items()
            if model in whole and cell.attempts
        ]
        return sum(moves) / len(moves) if moves else 0.0


def _sum(records: Iterable[Evidence]) -> dict[Key, Cell]:
    grouped: dict[Key, list[Evidence]] = defaultdict(list)
    for record in records:
        base = (record.model, record.stage, record.metric, record.language)
        grouped[Key(*base, record.category)].append(record)
        for tag in record.tags:
            grouped[Key(*base, tag)].append(record)
    return {key: _cell(group, key.stage) for key, group in grouped.items()}


def _cell(records: list[Evidence], stage: str) -> Cell:
    cell = Cell()
    profiles = sorted({record.date for record in records if record.source == "profile"})
    later = sum(record.attempts for record in records if record.source == "pull-request")
    for record in sorted(records, key=lambda record: (record.date, record.id)):
        weight = record.weight
        if record.source == "pull-request":
            later -= record.attempts
            weight *= posterior.FORGETTING**later
        elif record.source == "profile":
            weight *= OUTDATED ** (len(profiles) - 1 - profiles.index(record.date))
        _add(cell, record, weight, stage)
    return cell


def _add(cell: Cell, record: Evidence, weight: float, stage: str) -> None:
    exposure = posterior.AFTER_FAILURE[stage] if record.failed_before else 1.0
    successes = weight * record.successes
    cell.attempts += max(weight * record.attempts * exposure, successes)
    cell.successes += successes
    cell.raw_attempts += record.attempts
    cell.raw_successes += record.successes
    gain, improvement = _gains(record)
    if gain is not None:
        cell.log_gain += weight * gain
        cell.log_gain_successes += successes
    if improvement is not None:
        cell.improvement += improvement
        cell.improvement_successes += record.successes
    if record.cost_usd > 0:
        cell.cost += record.cost_usd
        cell.cost_attempts += record.attempts
    cell.seconds += record.seconds
    cell.sources.add(record.source)


def _gains(record: Evidence) -> tuple[float | None, float | None]:
    """Sum of log gains and sum of improvements; one is derived from the other, or from the median."""
    successes = record.successes
    gain, improvement = record.log_gain_sum, record.improvement_sum
    if improvement is None and record.improvement_median is not None:
        improvement = successes * record.improvement_median
    if gain is None and improvement is not None and successes:
        gain = successes * posterior.log_gain(improvement / successes)
    if improvement is None and gain is not None and successes:
        improvement = successes * (1 - math.exp(-gain / successes))
    if record.stage != "refine":
        improvement = float(successes)
    return gain, improvement
