"""The order of models: the paper's own, and the two that shrink, discount and weigh the price."""

from __future__ import annotations

import csv
from collections import defaultdict

import pytest

from perforch import assets
from perforch.rankings.evidence import Evidence
from perforch.rankings.memory import Memory
from perforch.rankings.order import Ranked, order
from perforch.settings import ModelSettings

MEMORY = Memory.load()
PAPER = [ModelSettings(name=name, provider="openai") for name in MEMORY.models]


def models(*names: str) -> list[ModelSettings]:
    return [ModelSettings(name=name, provider="openai") for name in names]


def names(ranked: tuple[Ranked, ...]) -> list[str]:
    return [entry.name for entry in ranked]


def paper_cells() -> list[tuple[str, str, str, list[str]]]:
    cells = []
    for number, stage in ((3, "generate"), (5, "fix")):
        path = assets.directory("rankings") / "paper-tables" / f"table-{number:02d}.tsv"
        by_language = defaultdict(list)
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                by_language[row["language"]].append(row)
        for language, rows in by_language.items():
            cells.append((stage, language, "", [row["model"] for row in rows]))
            for category in list(rows[0])[2:]:
                values = [(-float(row[category]), place, row["model"]) for place, row in enumerate(rows)]
                cells.append((stage, language, category, [model for *_, model in sorted(values)]))
    return cells


def test_paper_strategy_is_the_order_of_tables_3_and_5() -> None:
    cells = paper_cells()
    assert len(cells) == 2 * 5 * 11
    for stage, language, category, expected in cells:
        wanted = (category,) if category else ()
        got = order(MEMORY, PAPER, stage=stage, language=language, categories=wanted, strategy="paper")
        assert names(got) == expected, (stage, language, category)


def test_paper_strategy_in_refine_is_the_weighted_sum_of_table_15() -> None:
    got = order(
        MEMORY, PAPER, stage="refine", language="python", categories=("Math",), strategy="paper", limit=3
    )
    assert names(got) == ["Claude 3.7 Sonnet", "GPT 4o", "Gemini 2.0 Flash"]
    assert [entry.terms["weighted_sum"] for entry in got] == pytest.approx([14.64, 14.52, 14.17])


def test_several_categories_add_their_weighted_sums() -> None:
    (first, *_) = order(
        MEMORY, PAPER, stage="refine", language="python", categories=("Math", "Array"), strategy="paper"
    )
    assert first.name == "GPT 4o"
    assert first.terms["weighted_sum"] == pytest.approx(14.52 + 10.15)


def test_top_five_by_default() -> None:
    assert len(order(MEMORY, PAPER, stage="fix", language="rust")) == 5
    assert len(order(MEMORY, PAPER, stage="fix", language="rust", limit=None)) == len(PAPER)


def test_cost_in_fix_is_price_per_success() -> None:
    ranked = order(MEMORY, PAPER, stage="fix", language="java", strategy="cost", limit=None)
    per_success = [entry.terms["price_per_success"] for entry in ranked]
    assert per_success[:4] == sorted(per_success[:4])
    assert per_success[4:] == sorted(per_success[4:])
    chances = [entry.terms["chance"] for entry in ranked]
    assert min(chances[:4]) >= max(chances[4:])  # price orders the four, it does not choose them


def test_free_models_go_by_their_chance() -> None:
    free = dict.fromkeys(MEMORY.models, 0.0)
    ranked = order(MEMORY, PAPER, stage="fix", language="java", strategy="cost", prices=free, limit=None)
    chances = [entry.terms["chance"] for entry in ranked]
    assert chances == sorted(chances, reverse=True)


def test_best_of_n_goes_by_expected_gain_whatever_it_costs() -> None:
    prices = {"GPT 4o": 100.0}
    with_price = order(MEMORY, PAPER, stage="refine", language="cpp", strategy="best-of-n", prices=prices)
    assert names(with_price) == names(
        order(MEMORY, PAPER, stage="refine", language="cpp", strategy="best-of-n")
    )


def test_failed_models_leave_and_discount_the_rest() -> None:
    before = order(MEMORY, PAPER, stage="refine", language="go", strategy="best-of-n", limit=None)
    after = order(
        MEMORY,
        PAPER,
        stage="refine",
        language="go",
        strategy="best-of-n",
        failed=["Qwen 2.5 72B"],
        limit=None,
    )
    assert len(after) == len(before) - 1
    chance = {entry.name: entry.terms["chance"] for entry in before}
    for entry in after:
        factor = 0.4 * (0.85 if entry.name in {"Qwen 2.5 14B", "CodeQwen 1.5 7B"} else 1)
        assert entry.terms["chance"] == pytest.approx(chance[entry.name] * factor)


def test_the_generator_is_not_among_the_first_fixers() -> None:
    free = dict.fromkeys(MEMORY.models, 0.0)
    ranked = order(
        MEMORY, PAPER, stage="fix", language="python", generator="Claude 3.7 Sonnet", prices=free, limit=None
    )
    assert names(ranked).index("Claude 3.7 Sonnet") >= 5


def test_successors_inherit_and_strangers_are_average() -> None:
    ranked = order(
        MEMORY,
        models("claude-sonnet-5-5", "somebodys-model", "llama3.3:70b"),
        stage="fix",
        language="python",
        strategy="best-of-n",
    )
    assert names(ranked) == ["claude-sonnet-5-5", "somebodys-model", "llama3.3:70b"]
    mean = MEMORY.stage_mean("fix", "correctness", "python")
    chances = [entry.terms["chance"] for entry in ranked]
    assert chances[0] == pytest.approx((160 / 164 + mean) / 2)
    assert chances[1] == pytest.approx(mean)
    assert "inherits from family claude" in ranked[0].why


def test_a_models_own_evidence_overrules_its_family() -> None:
    def outcome(number: int, model: str, *, success: bool) -> Evidence:
        return Evidence(
            model=model,
            stage="fix",
            metric="correctness",
            language="python",
            attempts=1,
            successes=int(success),
            source="profile",
            date="2026-05-01",
            item=str(number),
        )

    good = [outcome(number, "llama-next", success=True) for number in range(164)]
    bad = [outcome(number, "claude-next", success=False) for number in range(164)]
    memory = Memory([*good, *bad])
    ranked = order(memory, models("claude-next", "llama-next"), stage="fix", language="python")
    assert names(ranked) == ["llama-next", "claude-next"]


def test_reactions_of_people_move_a_value_by_ten_per_cent_at_most() -> None:
    dismissed = [
        Evidence(
            model="a",
            stage="refine",
            metric="acceptance",
            language="go",
            attempts=1,
            successes=0,
            weight=0.35,
            source="pull-request",
            date="2026-05-01",
            item=str(number),
        )
        for number in range(500)
    ]
    memory = Memory(dismissed)
    ranked = order(memory, models("a", "b"), stage="refine", language="go", strategy="best-of-n")
    assert names(ranked) == ["b", "a"]
    assert ranked[0].terms["chance"] == ranked[1].terms["chance"]
    assert 0.9 <= ranked[1].score / ranked[0].score < 1


def test_an_empty_memory_still_gives_an_order() -> None:
    ranked = order(
        Memory([]), models("b", "a"), stage="refine", language="go", metric="cpu", strategy="paper"
    )
    assert names(ranked) == ["a", "b"]
    assert order(MEMORY, [], stage="fix", language="go") == ()


def test_order_does_not_depend_on_the_order_of_the_settings() -> None:
    for strategy in ("paper", "cost", "best-of-n"):
        one = order(MEMORY, PAPER, stage="refine", language="java", strategy=strategy, limit=None)
        two = order(MEMORY, PAPER[::-1], stage="refine", language="java", strategy=strategy, limit=None)
        assert names(one) == names(two)
