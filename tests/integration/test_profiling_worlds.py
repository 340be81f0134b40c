"""Orders compared in simulated worlds with fixed seeds."""

from __future__ import annotations

import pytest

from perforch.profiling.worlds import Outcome, play, world
from perforch.rankings.memory import Memory

MEMORY = Memory.load()


@pytest.fixture(scope="module")
def easy() -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for seed, language in enumerate(("python", "cpp", "java", "go", "rust")):
        made = world(MEMORY, tau=0.0, hardness=0.0, language=language, seed=seed)
        for name, outcome in play(made, ("paper", "best-of-n", "cost"), problems=1500).items():
            found.setdefault(name, []).append(outcome)
    return found


def mean(outcomes: list[Outcome], what: str) -> float:
    return sum(getattr(outcome, what) for outcome in outcomes) / len(outcomes)


def test_shrunk_order_is_not_worse_than_the_raw_one(easy: dict[str, list[Outcome]]) -> None:
    assert mean(easy["best-of-n"], "solved") >= mean(easy["paper"], "solved") - 0.1
    assert mean(easy["best-of-n"], "calls") <= mean(easy["paper"], "calls") * 1.01


def test_cost_spends_far_less_for_about_the_same(easy: dict[str, list[Outcome]]) -> None:
    assert mean(easy["cost"], "cost") <= 0.4 * mean(easy["best-of-n"], "cost")
    assert mean(easy["cost"], "solved") >= mean(easy["best-of-n"], "solved") - 0.3
