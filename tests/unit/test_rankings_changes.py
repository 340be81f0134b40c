"""What new evidence does to ranks, and how sure that is."""

from __future__ import annotations

import cmarkgfm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.rankings import summary
from perforch.rankings.changes import Changes, Rank, compare
from perforch.rankings.evidence import Evidence, union
from perforch.rankings.posterior import wilson
from perforch.settings import ModelSettings

NAMES = ("alpha", "beta")
MODELS = [
    ModelSettings(name=name, provider="openai", price_input_per_million=1, price_output_per_million=1)
    for name in NAMES
]


def record(model: str, successes: int, attempts: int, day: str = "2026-01-01", **more: object) -> Evidence:
    common = {"stage": "fix", "metric": "correctness", "language": "python", "source": "profile"}
    fields = common | {"model": model, "successes": successes, "attempts": attempts, "date": day} | more
    return Evidence.model_validate(fields)


def ranks(found: Changes) -> dict[str, tuple[int | None, int]]:
    return {rank.model: (rank.before, rank.after) for rank in found.ranks}


def test_ranks_change_where_evidence_turns() -> None:
    before = (record("alpha", 90, 100), record("beta", 60, 100))
    after = union(before, [record("beta", 1990, 2000, "2026-02-01"), record("alpha", 20, 2000, "2026-02-01")])
    found = compare(before, after, MODELS, draws=40)
    assert ranks(found) == {"beta": (2, 1), "alpha": (1, 2)}
    assert {(rank.low, rank.high) for rank in found.ranks} == {(1, 1), (2, 2)}
    assert (found.added, found.models, found.attempts, found.removed) == (2, 2, 4000, 0)
    assert "**2 → 1** ▲" in summary.markdown(found)


def test_little_evidence_leaves_ranks_open() -> None:
    before = (record("alpha", 2, 4),)
    found = compare(before, union(before, [record("beta", 3, 4, cost_usd=0.5, seconds=61)]), MODELS, draws=60)
    assert all((rank.low, rank.high) == (1, 2) for rank in found.ranks)
    text = summary.markdown(found)
    assert "1–2" in text
    assert "new → " in text
    assert "$0.50" in text
    assert "1 min 1 s" in text


def test_only_orders_that_are_touched_are_shown() -> None:
    before = (record("alpha", 90, 100), record("beta", 60, 100, language="go"))
    after = union(before, [record("beta", 1, 2)])
    assert {(rank.stage, rank.language) for rank in compare(before, after, MODELS, draws=5).ranks} == {
        ("fix", "python")
    }
    assert summary.markdown(compare(before, before, MODELS, draws=5)) == "No new evidence."


def test_gains_are_drawn_too() -> None:
    gains = {"stage": "refine", "metric": "time", "log_gain_sum": 30.0, "log_gain_squares": 30.0}
    after = (record("alpha", 30, 60, **gains), record("beta", 30, 60, **gains))
    found = compare((), after, MODELS, draws=60)
    assert all((rank.low, rank.high) == (1, 2) for rank in found.ranks)
    assert all(rank.gain is not None and rank.gain > 1 for rank in found.ranks)


def test_removed_records_are_named() -> None:
    before = (record("alpha", 90, 100), record("beta", 60, 100))
    after = (before[0], record("beta", 1, 2))
    assert "1 record would be removed" in summary.markdown(compare(before, after, MODELS, draws=5))


def test_names_of_models_have_no_effect_in_the_table() -> None:
    rank = Rank("fix", "python", "a|b @me #1 <img>", 1, 2, 1, 2, 5, 2, 0.1, 0.8, None, 0.01)
    text = summary.markdown(Changes((rank,), 1, 0, 1, 5, 0.0, 1.0))
    html = cmarkgfm.github_flavored_markdown_to_html(text, cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE)
    assert html.count("<td") == 9
    assert "<img" not in html


def test_a_table_fits_into_a_pull_request() -> None:
    many = tuple(
        Rank("generate", "python", "m" * 80 + str(n), n + 1, n + 2, 1, 999, 99999, 9999, 0.1, 0.8, 1.5, 0.01)
        for n in range(400)
    )
    text = summary.markdown(Changes(many, 1, 0, 1, 5, 0.0, 1.0))
    assert len(text.encode()) < 60_000
    assert "250 more rows" in text


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson(successes: int, others: int) -> None:
    attempts = successes + others
    low, high = wilson(successes, attempts)
    assert 0 <= low <= high <= 1
    if attempts:
        assert low <= successes / attempts + 1e-12
        assert high >= successes / attempts - 1e-12


def test_wilson_as_published() -> None:
    # 81 of 263: Newcombe, Statistics in Medicine 17 (1998), 857-872, table I.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_same_draws_every_time() -> None:
    before = (record("alpha", 2, 4),)
    after = union(before, [record("beta", 3, 4)])
    assert compare(before, after, MODELS, draws=20) == compare(before, after, MODELS, draws=20)
