"""Orders compared in six simulated worlds with fixed seeds: hidden model x category effects tau, and how hard the problems are."""

from __future__ import annotations

import pytest

from perforch.profiling.worlds import Outcome, play, world
from perforch.rankings.memory import Memory

MEMORY = Memory.load()
ERROR = 0.1  # points that 7,500 simulated problems leave open
Played = dict[str, list[Outcome]]


@pytest.fixture(
    scope="module", params=[(tau, hardness) for tau in (0.0, 0.3, 0.6) for hardness in (0.0, 1.0)]
)
def played(request: pytest.FixtureRequest) -> tuple[float, Played]:
    tau, hardness = request.param
    found: Played = {}
    for seed, language in enumerate(("python", "cpp", "java", "go", "rust")):
        made = world(MEMORY, tau=tau, hardness=hardness, language=language, seed=seed)
        outcomes = play(made, ("paper", "shrunk", "best-of-n", "cost"), problems=1500)
        for name, outcome in outcomes.items():
            found.setdefault(name, []).append(outcome)
    return hardness, found


def mean(outcomes: list[Outcome], what: str) -> float:
    return sum(getattr(outcome, what) for outcome in outcomes) / len(outcomes)


def test_shrunk_order_is_never_worse_than_the_raw_one(played: tuple[float, Played]) -> None:
    hardness, found = played
    assert mean(found["shrunk"], "solved") >= mean(found["paper"], "solved") - ERROR
    assert mean(found["shrunk"], "calls") <= mean(found["paper"], "calls") * 1.005
    # Told who generated, it may lose a little where nearly everything is solved, and wins where problems are hard.
    assert mean(found["best-of-n"], "solved") >= mean(found["paper"], "solved") + (
        ERROR if hardness else -2 * ERROR
    )
    assert mean(found["best-of-n"], "calls") <= mean(found["paper"], "calls")


def test_cost_spends_far_less_for_about_the_same_where_tasks_are_easy(played: tuple[float, Played]) -> None:
    hardness, found = played
    spent = mean(found["cost"], "cost") / mean(found["best-of-n"], "cost")
    lost = mean(found["best-of-n"], "solved") - mean(found["cost"], "solved")
    if hardness:
        assert spent < 0.8
        assert lost < 1.5
    else:
        assert spent <= 0.4
        assert lost <= 0.3
