"""Caps cannot be overshot: not by concurrent calls, not by a restart."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perforch.llm import prices
from perforch.llm.budget import Budget, Refusal
from perforch.llm.model import Prompt
from perforch.llm.store import Store
from perforch.settings import Budget as Limits
from perforch.settings import ModelSettings

STEPS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.5), st.floats(0, 1)), min_size=1, max_size=25)


@given(STEPS, st.floats(0, 2), st.integers(0, 10))
@settings(max_examples=25, deadline=None)
def test_no_order_of_reservations_and_settlements_overshoots(
    steps: list[tuple[int, float, float]], usd: float, calls: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "s.sqlite")
        limits = Limits(usd=usd, calls=calls, minutes=10)
        budget = Budget(store, limits, run="r")
        open_calls: list[tuple[int, float]] = []
        for action, worst, share in steps:
            if action == 0 and open_calls:
                number, reserved = open_calls.pop()
                budget.settle(number, reserved * share)
            elif action == 1:
                budget = Budget(store, limits, run="r")  # killed and started again
            else:
                number_or_refusal = budget.reserve("m", worst)
                if not isinstance(number_or_refusal, Refusal):
                    open_calls.append((number_or_refusal, worst))
            assert budget.spent.usd <= usd + 1e-6
            assert budget.spent.calls <= calls
        store.close()


def test_many_threads_share_one_budget(tmp_path: Path) -> None:
    granted: list[int] = []

    def spend() -> None:
        store = Store(tmp_path / "s.sqlite")
        budget = Budget(store, Limits(usd=1.0, calls=1000, minutes=10), run="r")
        for _ in range(10):
            number = budget.reserve("m", 0.1)
            if not isinstance(number, Refusal):
                granted.append(number)
        store.close()

    Store(tmp_path / "s.sqlite").close()
    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == len(set(granted)) == 10


def test_a_refusal_says_why_and_whether_waiting_helps(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    budget = Budget(store, Limits(usd=1.0, calls=2, minutes=10), run="r")
    first = budget.reserve("m", 0.7)
    assert isinstance(first, int)
    refused = budget.reserve("m", 0.7)
    assert isinstance(refused, Refusal)
    assert not refused.final
    assert "dollars" in refused.reason
    budget.settle(first, 0.1)
    assert isinstance(budget.reserve("m", 0.7), int)
    refused = budget.reserve("m", 0.0)
    assert refused == Refusal("the 2 calls of this run are used up", final=True)
    assert isinstance(Budget(store, Limits(), run="another").reserve("m", 0.7), int)
    store.close()


def test_minutes_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    budget = Budget(store, Limits(minutes=1e-9), run="r")
    refused = budget.reserve("m", 0.0)
    assert isinstance(refused, Refusal)
    assert "minutes" in refused.reason
    store.close()


def test_prices() -> None:
    published = ModelSettings(name="gpt-4o", provider="openai")
    assert prices.cost(published, 1_000_000, 1_000_000) == pytest.approx(12.5)
    own = ModelSettings(name="x", provider="openai", price_input_per_million=1, price_output_per_million=2)
    assert prices.cost(own, 1_000_000, 1_000_000) == pytest.approx(3.0)
    local = ModelSettings(name="qwen", provider="openai-compatible", base_url="http://127.0.0.1:1/v1")
    assert prices.cost(local, 10**6, 10**6) == 0.0
    unknown = ModelSettings(
        name="nobody-knows", provider="openai-compatible", base_url="https://x.example/v1"
    )
    assert prices.cost(unknown, 10**6, 10**6) is None
    assert prices.worst_case(unknown, Prompt("", "x")) == 0.0
    assert [note.split(":")[0] for note in prices.notes([published, own, local, unknown])] == ["nobody-knows"]


@given(st.text(max_size=200))
def test_the_worst_case_counts_at_least_a_token_for_two_bytes(text: str) -> None:
    assert prices.most_tokens(Prompt("", text)) >= len(text.encode("utf-8", "replace")) / 2
