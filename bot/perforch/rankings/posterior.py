"""The formulas of the Memory: pure functions of counts.

Beta posterior for a language, normal shrinkage on the logit scale for categories, multiplicative discounts
for what already failed in the chain, and an index that weighs gain against price.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PRIOR_STRENGTH = 20.0  # pseudo-attempts behind the prior rate
CATEGORY_SD = 0.3  # tau: prior standard deviation of model x category effects on the logit scale
CATEGORY_SD_STRENGTH = 50.0  # cells of (model, category) that the prior of tau counts as
# Share of the binomial variance that is left in a category's shift: all models meet the same problems, and the difficulty that they
# share is taken out. 0.29 to 0.45 over the languages of the paper's table 5; 0.35 to 0.37 in simulated worlds without effects.
PAIRED = 0.4
FORGETTING = 0.98  # weight of an observation per later one of the same cell
AFTER_FAILURE = {"generate": 0.60, "fix": 0.60, "refine": 0.40, "categorise": 1.0}  # kappa
SAME_FAMILY = 0.85
SAME_AS_GENERATOR = 0.8  # simulated: never worse than 0.25, and up to 0.4 points better where models differ between categories
GAIN_STRENGTH = 20.0  # pseudo-successes behind the prior gain


def logit(p: float) -> float:
    """ln(p / (1 - p)), finite for p in [0, 1]."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def expit(x: float) -> float:
    """Inverse of `logit`."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def language_rate(
    prior: float, successes: float, attempts: float, *, strength: float = PRIOR_STRENGTH
) -> float:
    """Posterior mean of a success rate: (strength * prior + successes) / (strength + attempts)."""
    return (strength * prior + min(successes, attempts)) / (strength + attempts)


def inherited_rate(family: float | None, stage_mean: float) -> float:
    """Prior of a model: its family's rate half-way to the mean of all models, or that mean alone."""
    return stage_mean if family is None else (family + stage_mean) / 2


def smoothed(successes: float, attempts: float) -> float:
    """Rate with half a success and half a failure added, so that its logit is finite (Jeffreys)."""
    return (successes + 0.5) / (attempts + 1)


def shift_variance(attempts: float, rate: float) -> float:
    """Variance of a category's shift from sampling alone: 0.4 / (n p (1 - p)), see `PAIRED`."""
    information = attempts * rate * (1 - rate)
    return math.inf if information <= 0 else PAIRED / information


def category_sd(shifts: Iterable[tuple[float, float]]) -> float:
    """tau from the spread of shifts beyond their sampling variance (method of moments), shrunk towards 0.3.

    Each shift is (logits, sampling variance) of one model in one category, the category's difficulty taken out. Precise shifts weigh
    more.
    """
    prior = CATEGORY_SD**2
    total, weights, count = 0.0, 0.0, 0
    for shift, variance in shifts:
        weight = 1 / (variance + prior) ** 2
        total += weight * (shift**2 - variance)
        weights += weight
        count += 1
    spread = max(total / weights, 0.0) if weights else prior
    return math.sqrt((CATEGORY_SD_STRENGTH * prior + count * spread) / (CATEGORY_SD_STRENGTH + count))


def category_weight(attempts: float, rate: float, *, tau: float = CATEGORY_SD) -> float:
    """How far to trust a category's own shift: tau^2 / (tau^2 + its sampling variance)."""
    return 0.0 if tau <= 0 else tau**2 / (tau**2 + shift_variance(attempts, rate))


def category_rate(
    language: float, shifts: Iterable[tuple[float, float, float]], *, tau: float = CATEGORY_SD
) -> float:
    """A rate for a task of several categories.

    Each shift is (successes, attempts, difficulty): the category's own counts and how much harder than the
    average (in logits, over all models) the category is. The sum of k shifts is divided by the root of k: labels of one
    task overlap, so their shifts are neither independent nor the same.
    """
    base = logit(language)
    moves = []
    for successes, attempts, difficulty in shifts:
        own = smoothed(successes, attempts)
        moves.append(category_weight(attempts, own, tau=tau) * (logit(own) - base - difficulty))
    return expit(base + sum(moves) / math.sqrt(len(moves))) if moves else language


def conditional_rate(
    p: float, *, stage: str, after_failure: bool, same_family: bool, is_generator: bool
) -> float:
    """The rate once others have failed on the task: p * kappa * .85 * .8, each factor where it applies."""
    if after_failure:
        p *= AFTER_FAILURE[stage]
    if same_family:
        p *= SAME_FAMILY
    if is_generator:
        p *= SAME_AS_GENERATOR
    return p


def mean_gain(
    prior: float, log_gain_sum: float, successes: float, *, strength: float = GAIN_STRENGTH
) -> float:
    """Posterior mean of ln(before/after) given success."""
    return (strength * prior + log_gain_sum) / (strength + successes)


def index(value: float, price_per_success: float, price_weight: float) -> float:
    """What one try is worth: value - lambda * price per success."""
    return value - price_weight * price_per_success


def log_gain(improvement: float) -> float:
    """ln(before/after) from (before - after) / before; an improvement of 100 % counts as 99.99 %."""
    return -math.log1p(-min(improvement, 0.9999))


def wilson(successes: float, attempts: float, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a rate, 95 % with the default `z`; (0, 1) where nothing was tried."""
    if attempts < 1e-6:
        return 0.0, 1.0
    rate = successes / attempts
    scale = 1 + z * z / attempts
    centre = (rate + z * z / (2 * attempts)) / scale
    spread = z * math.sqrt(rate * (1 - rate) / attempts + z * z / (4 * attempts**2)) / scale
    return max(0.0, centre - spread), min(1.0, centre + spread)


def lower_bound(successes: float, attempts: float, *, z: float = 1.645) -> float:
    """Lower end of the Wilson interval of a rate; one-sided 95 % with the default `z`."""
    return wilson(successes, attempts, z=z)[0]
