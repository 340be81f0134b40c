"""What new evidence does to the orders of models: ranks before and after, how sure they are, what the evidence cost.

How sure a rank is: every success rate is drawn from its posterior (Jeffreys) and every mean gain from a normal
distribution with its standard error, the order is computed anew, and the middle 90 % of the ranks are shown.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.rankings import posterior
from perforch.rankings.memory import Memory
from perforch.rankings.order import order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perforch.rankings.evidence import Evidence
    from perforch.settings import ModelSettings

DRAWS = 200
STAGES = ("generate", "fix", "refine")
LANGUAGES = ("python", "java", "cpp", "go", "rust")


@dataclass(frozen=True, slots=True)
class Rank:
    """One model in one order.

    Attributes:
        before: its rank without the new evidence, 1 first; None if nothing at all was known about the model here.
        after: its rank with it; low, high: the middle 90 % of its ranks, see the module.
        attempts, successes: counted for it here, older evidence with less weight; rate_low, rate_high: 95 % interval of
            its rate (Wilson).
        gain: before/after that a success is expected to bring in refine; None elsewhere.
        price: USD of one call, as the order reckons.
    """

    stage: str
    language: str
    model: str
    before: int | None
    after: int
    low: int
    high: int
    attempts: float
    successes: float
    rate_low: float
    rate_high: float
    gain: float | None
    price: float


@dataclass(frozen=True, slots=True)
class Changes:
    """All ranks in the orders that new evidence touches, and the new evidence itself, summed.

    Attributes:
        added, removed: records; models: how many models the new ones are about.
        attempts, cost_usd, seconds: of the new records.
    """

    ranks: tuple[Rank, ...]
    added: int
    removed: int
    models: int
    attempts: int
    cost_usd: float
    seconds: float

    @property
    def moved(self) -> tuple[Rank, ...]:
        """Those whose rank changed."""
        return tuple(rank for rank in self.ranks if rank.before not in (None, rank.after))


def compare(
    before: Sequence[Evidence],
    after: Sequence[Evidence],
    models: Sequence[ModelSettings],
    *,
    metric: str = "time",
    strategy: str = "cost",
    draws: int = DRAWS,
) -> Changes:
    """Rank `models` with the evidence of before and after in every stage and language that it touches.

    Args:
        before, after: the whole Memory, shipped evidence included.
        metric: what refine optimises.
    """
    known = {record.id for record in before}
    new = [record for record in after if record.id not in known]
    old, present = Memory(before), Memory(after)
    touched = {(record.stage, record.language) for record in new}
    pairs = [(stage, language) for stage in STAGES for language in LANGUAGES if (stage, language) in touched]
    sampled = _sampled(after, models, pairs, metric, strategy, draws)
    ranks = []
    for stage, language in pairs:
        first = _order(old, models, stage, language, metric, strategy)
        second = _order(present, models, stage, language, metric, strategy)
        for place, (name, terms) in enumerate(second.items(), start=1):
            # A model about which nothing was known had a place, but no rank worth comparing with.
            earlier = list(first).index(name) + 1 if first[name]["attempts"] else None
            ranks.append(_rank(stage, language, name, earlier, place, sampled[stage, language, name], terms))
    return Changes(
        ranks=tuple(ranks),
        added=len(new),
        removed=len(known - {record.id for record in after}),
        models=len({record.model for record in new}),
        attempts=sum(record.attempts for record in new),
        cost_usd=sum(record.cost_usd for record in new),
        seconds=sum(record.seconds for record in new),
    )


def _order(
    memory: Memory, models: Sequence[ModelSettings], stage: str, language: str, metric: str, strategy: str
) -> dict[str, dict[str, float]]:
    ranked = order(
        memory, models, stage=stage, language=language, metric=metric, strategy=strategy, limit=None
    )
    return {entry.name: dict(entry.terms) for entry in ranked}


def _rank(
    stage: str,
    language: str,
    name: str,
    before: int | None,
    after: int,
    spread: Sequence[int],
    terms: dict[str, float],
) -> Rank:
    attempts, successes = terms["attempts"], terms["successes"]
    low, high = posterior.wilson(successes, attempts)
    edge = len(spread) // 20
    return Rank(
        stage=stage,
        language=language,
        model=name,
        before=before,
        after=after,
        low=min(spread[edge], after),
        high=max(spread[-1 - edge], after),
        attempts=attempts,
        successes=successes,
        rate_low=low,
        rate_high=high,
        gain=math.exp(terms["gain"]) if stage == "refine" and "gain" in terms else None,
        price=terms["price"],
    )


def _sampled(
    records: Iterable[Evidence],
    models: Sequence[ModelSettings],
    pairs: Sequence[tuple[str, str]],
    metric: str,
    strategy: str,
    draws: int,
) -> dict[tuple[str, str, str], list[int]]:
    """The ranks of every model over all draws, sorted."""
    chance = random.Random(0)
    wanted = {(stage, language, metric if stage == "refine" else "correctness") for stage, language in pairs}
    pooled = _pooled(record for record in records if (record.stage, record.language, record.metric) in wanted)
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for _ in range(max(draws, 1)):
        memory = Memory([_drawn(record, chance) for record in pooled])
        for stage, language in pairs:
            names = _order(memory, models, stage, language, metric, strategy)
            for place, name in enumerate(names, start=1):
                found[stage, language, name].append(place)
    return {key: sorted(places) for key, places in found.items()}


def _pooled(records: Iterable[Evidence]) -> list[Evidence]:
    """Records of single problems summed: one for each model, stage, metric, language, source, date and weight."""
    groups: dict[tuple[object, ...], list[Evidence]] = defaultdict(list)
    for record in records:
        if not record.category:
            key = (record.model, record.stage, record.metric, record.language, record.source, record.date)
            groups[*key, record.weight, bool(record.failed_before)].append(record)
    return [_sum(group) for group in groups.values()]


def _sum(group: Sequence[Evidence]) -> Evidence:
    gains = [record for record in group if record.log_gain_sum is not None]
    changes: dict[str, object] = {
        "attempts": sum(record.attempts for record in group),
        "successes": sum(record.successes for record in group),
        "cost_usd": sum(record.cost_usd for record in group),
        "seconds": sum(record.seconds for record in group),
        "tags": (),
        "item": "",
    }
    if gains:
        changes["log_gain_sum"] = math.fsum(record.log_gain_sum or 0.0 for record in gains)
        changes["log_gain_squares"] = math.fsum(record.log_gain_squares or 0.0 for record in gains)
        changes["improvement_sum"] = changes["improvement_median"] = None
    return group[0].model_copy(update=changes)


def _drawn(record: Evidence, chance: random.Random) -> Evidence:
    """The same record as it might have been: rate and mean gain drawn from what the counts leave open."""
    if not record.attempts:
        return record
    rate = chance.betavariate(record.successes + 0.5, record.attempts - record.successes + 0.5)
    successes = round(rate * record.attempts)
    changes: dict[str, object] = {"successes": successes}
    if record.log_gain_sum is not None and record.successes:
        mean = record.log_gain_sum / record.successes
        squares = record.log_gain_squares or 0.0
        variance = max(squares / record.successes - mean * mean, 0.0)
        drawn = chance.gauss(mean, math.sqrt(variance / record.successes)) if variance else mean
        changes["log_gain_sum"] = drawn * successes
    elif record.improvement_sum is not None and record.successes:
        changes["improvement_sum"] = record.improvement_sum / record.successes * successes
    return record.model_copy(update=changes)
