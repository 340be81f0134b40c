"""Spellings of the ten categories."""

from __future__ import annotations

import pytest

from perforch.categories import names
from perforch.categories.names import Category
from perforch.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Array", Category.ARRAY),
        ("hash-table", Category.HASH_TABLE),
        ("HashMap", Category.HASH_TABLE),
        ("number_theory", Category.NUMBER_THEORY),
        ("Greedy Algorithm", Category.GREEDY),
        ("strings", Category.STRING),
        (" 'Sorting' ", Category.SORTING),
        ("dynamic programming", None),
        ("", None),
    ],
)
def test_find(text: str, expected: Category | None) -> None:
    assert names.find(text) is expected


def test_a_near_miss_is_named() -> None:
    with pytest.raises(UsageError, match="'Sortign' is not a category") as caught:
        names.parse("Sortign")
    assert caught.value.hint == "Did you mean 'Sorting'?"


def test_labels_come_in_the_papers_order() -> None:
    assert names.ordered({Category.HASH_TABLE, Category.ARRAY}) == ("Array", "Hash Table")
