"""A simulated panel of the paper's models: their published rates, with failures that are correlated.

One-factor Gaussian copula: a problem has a difficulty Z ~ N(0, 1), and a model of success rate p fails on it
with probability 1 - Phi((Phi^-1(p) - sqrt(rho) Z) / sqrt(1 - rho)). rho is fitted to the full pipelines of
the paper's table 8. Everything that comes from here is simulated and has to say so.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.rankings.memory import Memory

RHO = 0.768  # between different models, fitted to table 8 (HumanEval-X, full)
RHO_SAME = 0.96  # between calls of one model: median over the single-model pipelines of table 8
FIXERS = 5
_NORMAL = NormalDist()
_NODES = 801  # of the integral over difficulty, from -8 to 8


def solved(rates: Sequence[float], *, rho: float = RHO) -> float:
    """Probability that at least one of several models solves a problem."""
    return 1 - sum(weight * math.prod(_failures(rates, z, rho)) for z, weight in _grid())


def conditional(rates: Sequence[float], *, rho: float = RHO) -> tuple[float, ...]:
    """Success rate of each model given that all before it failed."""
    open_before = [1.0]
    for count in range(1, len(rates) + 1):
        open_before.append(1 - solved(rates[:count], rho=rho))
    return tuple(
        1 - after / before if before > 0 else 0.0 for before, after in itertools.pairwise(open_before)
    )


def _failures(rates: Sequence[float], z: float, rho: float) -> list[float]:
    return [1 - success_given(rate, z, rho) for rate in rates]


def success_given(rate: float, z: float, rho: float) -> float:
    """Success rate of a model on problems of difficulty `z`."""
    if rate <= 0 or rate >= 1:
        return min(max(rate, 0.0), 1.0)
    return _NORMAL.cdf((_NORMAL.inv_cdf(rate) - math.sqrt(rho) * z) / math.sqrt(1 - rho))


def _grid() -> list[tuple[float, float]]:
    step = 16 / (_NODES - 1)
    points = [-8 + step * place for place in range(_NODES)]
    weights = [_NORMAL.pdf(point) for point in points]
    total = sum(weights)
    return [(point, weight / total) for point, weight in zip(points, weights, strict=True)]


def refine_calls(problems: float, first: float, total: float, *, depth: int = FIXERS) -> float:
    """Calls of a first-accept refine chain.

    Args:
        problems: functions that enter; first, total: how many the first model improves, and all `depth`
            together. Calls 2 to `depth` share one conditional success rate, fixed by these.
    """
    a = first / problems
    left = 1 - a
    h = 1 - ((1 - total / problems) / left) ** (1 / (depth - 1)) if left > 0 else 1.0
    return problems * (1 + left * sum((1 - h) ** place for place in range(depth - 1)))


@dataclass(frozen=True, slots=True)
class Simulated:
    """Expected pass rate in per cent, with the interval of 95 % of simulated suites, and their mean calls."""

    label: str
    language: str
    rate: float
    low: float
    high: float
    calls: float


def table(
    memory: Memory, *, mode: str, language: str, problems: int, seed: int = 1, repetitions: int = 60
) -> tuple[Simulated, ...]:
    """The rows of table 8 for one language, from a simulation with a fixed seed.

    Args:
        mode: "single" (one shot), "pipeline" (generate and five fixes by the same model), "full" (best
            generator, then the five best fixers).
    """
    generate = _rates(memory, "generate", language)
    fix = _rates(memory, "fix", language)
    if mode == "full":
        best = max(generate, key=lambda name: generate[name])
        chain = sorted(fix, key=lambda name: -fix[name])[:FIXERS]
        return (
            _play(
                "PerfOrch",
                language,
                [generate[best], *(fix[n] for n in chain)],
                RHO,
                problems,
                seed,
                repetitions,
            ),
        )
    rows = []
    for name in sorted(generate, key=lambda name: -generate[name]):
        rates = [generate[name]] if mode == "single" else [generate[name], *[fix[name]] * FIXERS]
        label = name if mode == "single" else f"PerfOrch({name})"
        rows.append(_play(label, language, rates, RHO_SAME, problems, seed, repetitions))
    return tuple(rows)


def _rates(memory: Memory, stage: str, language: str) -> dict[str, float]:
    cells = memory.peers(stage, "correctness", language)
    return {name: cell.raw_successes / cell.raw_attempts for name, cell in cells.items() if cell.raw_attempts}


def _play(
    label: str, language: str, rates: Sequence[float], rho: float, problems: int, seed: int, repetitions: int
) -> Simulated:
    rng = random.Random(f"{seed} {label} {language}")
    passes, calls = [], 0
    for _ in range(repetitions):
        good = 0
        for _ in range(problems):
            z = rng.gauss(0, 1)
            for rate in rates:
                calls += 1
                if rng.random() < success_given(rate, z, rho):
                    good += 1
                    break
        passes.append(100 * good / problems)
    passes.sort()
    low = passes[int(0.025 * (repetitions - 1))]
    high = passes[math.ceil(0.975 * (repetitions - 1))]
    return Simulated(label, language, 100 * solved(rates, rho=rho), low, high, calls / repetitions)
