"""Pairs: coin-tossed order, seeds, how many the time allows, and the noise that identical runs show."""

from __future__ import annotations

import itertools
import math
import random
import secrets
from statistics import NormalDist, median
from typing import TYPE_CHECKING

from perforch.measure import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CANARY_SHARE = 20  # one decision in so many compares a side with itself
_TO_SD = 1.4826  # median absolute deviation -> standard deviation of a normal distribution
_POWER = 0.95


def seed_env(seed: int) -> dict[str, str]:
    """Environment that makes a run repeat itself: the same within a pair, new for every pair (PYTHONHASHSEED, 0 to 2^32 - 1)."""
    return {"PYTHONHASHSEED": str(seed % 2**32)}


def schedule(seed: int | None, *, confirm: bool = False) -> Iterator[tuple[bool, int]]:
    """Endless (before runs first, seed of the pair). Unpredictable without a seed; `confirm` gives other tosses for the same seed."""
    source = random.Random(secrets.randbits(64) if seed is None else f"{seed}/{confirm}")
    while True:
        yield source.random() < 0.5, source.randrange(1, 2**32)


def is_canary(source: random.Random) -> bool:
    """Toss for the next decision: should it compare a side with itself?"""
    return source.randrange(CANARY_SHARE) == 0


def affordable(seconds: float, pair_seconds: float, most: int) -> int:
    """Pairs that fit into `seconds`, at most `most`, at least 1."""
    return max(1, min(most, int(seconds / max(pair_seconds, 1e-6))))


def scatter(logs: Sequence[float]) -> float:
    """Robust standard deviation of log ratios; 0 for fewer than two."""
    if len(logs) < 2:
        return 0.0
    middle = median(logs)
    return _TO_SD * median(abs(value - middle) for value in logs)


def noise(runs: Sequence[float]) -> float | None:
    """Spread of the ratio between successive runs of one program, as a factor: 1.04 means ±4 %. None for fewer than four runs.

    Successive runs of the same side are further apart in time than the two of a pair, and differ in seed: an upper estimate.
    """
    logs = [
        math.log(later / earlier) for earlier, later in itertools.pairwise(runs) if earlier > 0 and later > 0
    ]
    return math.exp(_TO_SD * median(abs(value) for value in logs)) if len(logs) >= 3 else None


def smallest_effect(sd: float, level: float, cap: int, *, margin: float = verdict.MARGIN) -> float | None:
    """The smallest effect (0.05: ratio 1.05) that the cap finds in 95 of 100 comparisons when log ratios scatter by `sd`.

    None when no number of wins within the cap is enough for the level.
    """
    needed = verdict.boundary(level, cap)
    if verdict.least_pairs(level, cap) is None:
        return None
    low, high = 0.5, 1.0
    for _ in range(40):
        p = (low + high) / 2
        low, high = (low, p) if verdict.crossing_probability(needed, p) >= _POWER else (p, high)
    return math.expm1(math.log1p(margin) + sd * NormalDist().inv_cdf(min(high, 1 - 1e-12)))
