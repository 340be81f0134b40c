"""Simulated worlds in which orders of models are compared: hidden true rates, a Memory from one profile, many
problems.

A model's latent score on a problem is a sum of normal parts with fixed shares of the variance: problem .70,
family .10, model .16, call .04. Rates start from the paper's tables; `tau` adds hidden model x category
effects on the logit scale, `hardness` moves every rate down by as many standard deviations. All of it is an
assumption, and simulated.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

from perforch.profiling.humanevalpack import labels
from perforch.rankings import posterior
from perforch.rankings.evidence import Evidence
from perforch.rankings.memory import Memory
from perforch.rankings.order import order
from perforch.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = {"problem": 0.70, "family": 0.10, "model": 0.16, "call": 0.04}
DEPTH = 5
# USD of a call, list prices of mid 2025 by family; an assumption of the simulation.
PRICES = {"claude": 0.027, "gpt": 0.0188, "gemini": 0.00075, "grok": 0.027, "amazon-q": 0.027}
SMALL = 0.0006
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One strategy over one world's problems."""

    solved: float
    calls: float
    cost: float


@dataclass(slots=True)
class World:
    """Hidden truth and what one profile of 164 problems saw of it."""

    rates: Mapping[tuple[str, str], float]  # (stage, model) -> rate
    effects: Mapping[tuple[str, str], float]  # (model, category) -> logit shift
    families: Mapping[str, str]
    language: str
    hardness: float
    rng: random.Random
    memory: Memory = field(init=False)

    def chance(self, stage: str, model: str, categories: Sequence[str]) -> float:
        """True rate on problems of these categories."""
        shift = sum(self.effects[model, category] for category in categories) / max(len(categories), 1)
        return posterior.expit(posterior.logit(self.rates[stage, model]) + shift)

    def problem(self, categories: Sequence[str]) -> dict[tuple[str, str], bool]:
        """Who would solve one new problem, by stage and model."""
        gauss = self.rng.gauss
        z = math.sqrt(SHARES["problem"]) * gauss(0, 1)
        family = {
            name: math.sqrt(SHARES["family"]) * gauss(0, 1) for name in sorted(set(self.families.values()))
        }
        solved = {}
        for model, kin in self.families.items():
            own = math.sqrt(SHARES["model"]) * gauss(0, 1)
            for stage in ("generate", "fix"):
                score = z + family[kin] + own + math.sqrt(SHARES["call"]) * gauss(0, 1)
                limit = _NORMAL.inv_cdf(min(max(self.chance(stage, model, categories), 1e-6), 1 - 1e-6))
                solved[stage, model] = score < limit - self.hardness
        return solved


def world(base: Memory, *, tau: float, hardness: float, language: str, seed: int) -> World:
    """Make a world from the paper's rates of one language."""
    rng = random.Random(f"{seed} {tau} {hardness} {language}")
    families = {}
    rates = {}
    for stage in ("generate", "fix"):
        for name, cell in base.peers(stage, "correctness", language).items():
            rates[stage, name] = cell.raw_successes / cell.raw_attempts
            family = base.catalogue.family(name)
            families[name] = family.name if family else name
    categories = sorted({label for tags in labels().values() for label in tags})
    effects = {
        (name, category): rng.gauss(0, tau) if tau else 0.0 for name in families for category in categories
    }
    made = World(rates, effects, families, language, hardness, rng)
    made.memory = Memory(_profile(made))
    return made


def _profile(made: World) -> list[Evidence]:
    records = []
    for number, tags in labels().items():
        for (stage, model), good in made.problem(tags).items():
            records.append(
                Evidence(
                    model=model,
                    stage=stage,  # type: ignore[arg-type]  # one of the two
                    metric="correctness",
                    language=made.language,  # type: ignore[arg-type]  # a language of the paper
                    tags=tags,
                    attempts=1,
                    successes=int(good),
                    source="profile",
                    date="2026-01-01",
                    item=str(number),
                )
            )
    return records


def play(made: World, strategies: Sequence[str], *, problems: int) -> dict[str, Outcome]:
    """Send the same problems through the pipeline under each strategy: one generator, then up to five fixers.

    Args:
        strategies: of `order`, or "shrunk": best-of-n that is not told who generated, to compare the estimate of rates alone.
    """
    models = [ModelSettings(name=name, provider="openai") for name in made.families]
    prices = {name: PRICES.get(kin, SMALL) for name, kin in made.families.items()}
    chains: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    totals = {strategy: [0, 0, 0.0] for strategy in strategies}
    tags = list(labels().values())
    for _ in range(problems):
        categories = made.rng.choice(tags)
        solved = made.problem(categories)
        for strategy in strategies:
            key = (strategy, categories)
            if key not in chains:
                chains[key] = _chain(made, models, prices, strategy, categories)
            for step in chains[key]:
                totals[strategy][1] += 1
                totals[strategy][2] += prices[step[1]]
                if solved[step]:
                    totals[strategy][0] += 1
                    break
    return {
        name: Outcome(100 * good / problems, calls / problems, cost / problems)
        for name, (good, calls, cost) in totals.items()
    }


def _chain(
    made: World,
    models: Sequence[ModelSettings],
    prices: Mapping[str, float],
    strategy: str,
    categories: tuple[str, ...],
) -> list[tuple[str, str]]:
    rank = "best-of-n" if strategy == "shrunk" else strategy
    common = {"language": made.language, "categories": categories, "strategy": rank, "prices": prices}
    (first, *_) = order(made.memory, models, stage="generate", **common)  # type: ignore[arg-type]
    chain = [("generate", first.name)]
    failed: list[str] = []
    for _ in range(DEPTH):
        told = {} if strategy in ("paper", "shrunk") else {"generator": first.name}
        (best, *_) = order(made.memory, models, stage="fix", failed=failed, limit=1, **told, **common)  # type: ignore[arg-type]
        failed.append(best.name)
        chain.append(("fix", best.name))
    return chain
