"""The simulated panel against the paper's tables 8 and 18, by integration and without chance."""

from __future__ import annotations

import pytest

from perforch.profiling import panel, published
from perforch.rankings.memory import Memory

MEMORY = Memory.load()
LANGUAGES = ("python", "java", "cpp", "go", "rust")


@pytest.mark.parametrize("language", LANGUAGES)
def test_full_pipelines_of_table_8_within_one_and_a_half_points(language: str) -> None:
    (row,) = panel.table(MEMORY, mode="full", language=language, problems=164, repetitions=2)
    assert row.rate == pytest.approx(published.pass_rate("PerfOrch", "humaneval-x", language), abs=1.5)


def test_refine_calls_of_table_18_within_five_per_cent_on_average() -> None:
    deviations = []
    for suite in ("humaneval-x", "effibench-x"):
        for language in LANGUAGES:
            entered = published.calls("PerfOrch(Best-of-Five)", "time", suite, language) / 5
            first = published.refinements("PerfOrch(Top1 Only)", "time", suite, language)
            total = published.refinements("PerfOrch", "time", suite, language)
            paper = published.calls("PerfOrch", "time", suite, language)
            deviations.append(abs(panel.refine_calls(entered, first, total) / paper - 1))
    assert len(deviations) == 10
    assert sum(deviations) / 10 < 0.05


def test_correlation_takes_from_a_chain_and_leaves_one_model_alone() -> None:
    assert panel.solved([0.7]) == pytest.approx(0.7, abs=1e-4)
    assert panel.solved([0.7, 0.7], rho=1e-9) == pytest.approx(0.91, abs=1e-3)
    assert 0.7 < panel.solved([0.7, 0.7], rho=0.96) < panel.solved([0.7, 0.7], rho=0.5) < 0.91
    first, second = panel.conditional([0.7, 0.7])
    assert first == pytest.approx(0.7, abs=1e-4)
    assert second < first


def test_the_same_seed_gives_the_same_rows() -> None:
    one = panel.table(MEMORY, mode="pipeline", language="go", problems=20, seed=3, repetitions=3)
    assert one == panel.table(MEMORY, mode="pipeline", language="go", problems=20, seed=3, repetitions=3)
    assert len(one) == 17
