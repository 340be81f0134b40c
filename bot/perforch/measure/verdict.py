"""The decision rule: an exact sequential sign test with a margin, on log ratios of pairs.

Pair i gives `l_i = ln(before_i / after_i)`. When both sides are the same program and a fair coin decides which one runs first,
every sign of `l_i` is a fair coin whatever the drift, the distribution or the autocorrelation of the noise. Wins against a margin
`#{l_i > ln(1 + margin)}` are therefore at most as many as heads of a fair coin, and boundaries `k_n` computed exactly
for the coin hold the false-positive level over every moment at which the rule may stop, up to a cap fixed beforehand.

Sources: group-sequential spending after Lan & DeMets, Biometrika 70 (1983); inversion of a sequential test into a
confidence sequence after Robbins, Ann. Math. Statist. 41 (1970); the pairing after Bulej et al., ICPE 2020 ("Duet benchmarking").
"""

from __future__ import annotations

import bisect
import math
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from perforch.measure.model import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable

MARGIN = 0.02  # relocating identical machine code moves medians by up to 2 %: smaller gains cannot be told from that
FUTILITY_ERROR = 0.05  # chance to give up on an effect of the futility margin
FUTILITY_SHARE = 0.8  # of the minimum effect: "not even this much"
MEDIAN_SHARE = (
    0.7  # of the minimum effect: an effect of exactly the minimum must pass although medians scatter
)
FIRST_SHARE = 0.45  # of the level that may be spent at once; the rest grows linearly up to the cap


@lru_cache(maxsize=256)
def boundary(level: float, cap: int) -> tuple[int, ...]:
    """Wins needed after 1, 2, ... `cap` fair coin tosses so that the chance of ever reaching the boundary is at most `level`.

    After toss n a share of `0.45 + 0.55 n / cap` of the level may have been spent. `n + 1` means: no number of wins is enough yet.
    Exact dynamic programme over the number of wins among the paths that have not crossed; O(cap^2).

    Raises:
        ValueError: level outside (0, 1) or cap below 1.
    """
    if not 0 < level < 1 or cap < 1:
        message = f"boundary needs 0 < level < 1 and cap >= 1, not {level} and {cap}"
        raise ValueError(message)
    alive = [1.0]
    spent = 0.0
    needed = []
    for n in range(1, cap + 1):
        alive = [
            (alive[k] if k < n else 0.0) / 2 + (alive[k - 1] if k > 0 else 0.0) / 2 for k in range(n + 1)
        ]
        allowed = level * (FIRST_SHARE + (1 - FIRST_SHARE) * n / cap)
        k, tail = n + 1, 0.0
        while k > 0 and spent + tail + alive[k - 1] <= allowed:
            k -= 1
            tail += alive[k]
        spent += tail
        for crossed in range(k, n + 1):
            alive[crossed] = 0.0
        needed.append(k)
    return tuple(needed)


def crossing_probability(needed: tuple[int, ...], p: float = 0.5) -> float:
    """Chance that a coin with probability `p` ever reaches the boundary (the exact level at p = 1/2, the power elsewhere)."""
    alive = [1.0]
    crossed = 0.0
    for n, k in enumerate(needed, start=1):
        alive = [
            (alive[i] if i < n else 0.0) * (1 - p) + (alive[i - 1] if i > 0 else 0.0) * p
            for i in range(n + 1)
        ]
        crossed += sum(alive[k:])
        alive[k:] = [0.0] * (n + 1 - k)
    return crossed


def least_pairs(level: float, cap: int) -> int | None:
    """The smallest number of pairs that can carry a claim (all wins), or None when the cap is too small for the level."""
    return next((n for n, k in enumerate(boundary(level, cap), start=1) if k <= n), None)


class Bounds(NamedTuple):
    """Confidence bounds of the true median ratio before/after; None where the pairs are too few. Each holds at 1 - alpha."""

    low: float | None
    high: float | None


class Rule:
    """Takes log ratios one by one and says when enough is known.

    Args:
        min_effect: the smallest effect that matters, as a fraction (0.05: before/after = 1.05). An effect of this size is found; a claim
            needs a median of at least `MEDIAN_SHARE` of it, and the rule gives up once `FUTILITY_SHARE` of it is refuted.
        alpha: false-positive level of everything that is posted together.
        cap: pairs after which the rule stops in any case; must be fixed before the first pair.
        margin: a claim needs the lower bound of the ratio above 1 + margin.
        rows: number of decisions posted together; alpha is divided by it.
        only_faster: do not spend pairs on telling "slower" from "no change".
    """

    def __init__(
        self,
        min_effect: float = 0.05,
        alpha: float = 0.01,
        cap: int = 60,
        margin: float = MARGIN,
        *,
        rows: int = 1,
        only_faster: bool = False,
    ) -> None:
        self.min_effect = min_effect
        self.margin = margin
        self.level = alpha / max(rows, 1)
        self.cap = cap
        self.only_faster = only_faster
        self._claim = boundary(self.level, cap)
        self._give_up = boundary(FUTILITY_ERROR, cap)
        self._margin = math.log1p(margin)
        self._futility = math.log1p(max(FUTILITY_SHARE * min_effect, 1.5 * margin))
        self._median = math.log1p(MEDIAN_SHARE * min_effect)
        self._sorted: list[float] = []
        self._not_faster = False
        self._not_slower = False
        self._decision: Decision | None = None

    @property
    def pairs(self) -> int:
        """Log ratios seen."""
        return len(self._sorted)

    @property
    def confidence(self) -> float:
        """Level of each bound."""
        return 1 - self.level

    @property
    def decision(self) -> Decision | None:
        """What was decided, None as long as more pairs are wanted."""
        return self._decision

    @property
    def ratio(self) -> float:
        """Median ratio so far; 1 without pairs."""
        return math.exp(median(self._sorted)) if self._sorted else 1.0

    @property
    def futile_effect(self) -> float:
        """The effect that `NO_CHANGE` excludes, as a fraction."""
        return math.expm1(self._futility)

    def update(self, log_ratio: float) -> Decision | None:
        """Take `ln(before / after)` of one more pair; the decision, or None while more pairs are wanted.

        Raises:
            ValueError: not a finite number, or the rule has already decided.
        """
        if not math.isfinite(log_ratio):
            message = f"a log ratio must be finite, not {log_ratio}"
            raise ValueError(message)
        if self._decision is not None:
            message = "the rule has decided; more pairs would spoil its error rate"
            raise ValueError(message)
        bisect.insort(self._sorted, log_ratio)
        self._decision = self._decide()
        return self._decision

    def _decide(self) -> Decision | None:
        n = len(self._sorted)
        claim, give_up = self._claim[n - 1], self._give_up[n - 1]
        middle = median(self._sorted)
        if self._above(self._margin) >= claim and middle >= self._median:
            return Decision.FASTER
        if self._below(-self._margin) >= claim and middle <= -self._median:
            return Decision.SLOWER
        self._not_faster = self._not_faster or self._below(self._futility) >= give_up
        self._not_slower = self._not_slower or self._above(-self._futility) >= give_up
        # Refuting a slowdown costs pairs; they are spent only when the median points to one.
        if self._not_faster and (self._not_slower or self.only_faster or middle > -self._margin):
            return Decision.NO_CHANGE
        return Decision.INCONCLUSIVE if n >= self.cap else None

    def _above(self, threshold: float) -> int:
        return len(self._sorted) - bisect.bisect_right(self._sorted, threshold)

    def _below(self, threshold: float) -> int:
        return bisect.bisect_left(self._sorted, threshold)

    def bound(self) -> Bounds:
        """Bounds of the true median ratio by all pairs so far."""
        return _invert(self._sorted, self._claim)


def invert(log_ratios: Iterable[float], level: float, cap: int) -> Bounds:
    """Invert the test: the k_n-th largest ratio bounds the true one from below, the k_n-th smallest from above."""
    return _invert(sorted(log_ratios), boundary(level, cap))


def _invert(ordered: list[float], needed: tuple[int, ...]) -> Bounds:
    n = len(ordered)
    k = needed[n - 1] if 0 < n <= len(needed) else n + 1
    if k > n:
        return Bounds(None, None)
    return Bounds(math.exp(ordered[n - k]), math.exp(ordered[k - 1]))
