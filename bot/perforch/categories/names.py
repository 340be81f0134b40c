"""The ten categories of the paper's table 1, under their display names."""

from __future__ import annotations

import difflib
from enum import StrEnum

from perforch.errors import UsageError


class Category(StrEnum):
    """Algorithmic categories, in the paper's order."""

    ARRAY = "Array"
    MATH = "Math"
    STRING = "String"
    COUNTING = "Counting"
    NUMBER_THEORY = "Number Theory"
    SIMULATION = "Simulation"
    SORTING = "Sorting"
    ENUMERATION = "Enumeration"
    GREEDY = "Greedy"
    HASH_TABLE = "Hash Table"


def find(text: str) -> Category | None:
    """The category that a spelling means, whatever its case and hyphens; None if it is none of the ten."""
    key = _key(text)
    return (
        _BY_KEY.get(key) or _BY_KEY.get(key.removesuffix("algorithm")) or _BY_KEY.get(key.removesuffix("s"))
    )


def parse(text: str) -> Category:
    """The category that a spelling means.

    Raises:
        UsageError: it is none of the ten; the hint names the nearest.
    """
    category = find(text)
    if category is not None:
        return category
    near = difflib.get_close_matches(text.title(), list(Category), n=1, cutoff=0.5)
    message = f"{text!r} is not a category"
    hint = f"Did you mean {str(near[0])!r}?" if near else "Categories: " + ", ".join(Category)
    raise UsageError(message, hint=hint)


def ordered(categories: set[Category]) -> tuple[str, ...]:
    """Display names in the paper's order."""
    return tuple(str(category) for category in Category if category in categories)


def _key(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


_BY_KEY = {_key(category): category for category in Category} | {
    "arrays": Category.ARRAY,
    "strings": Category.STRING,
    "numtheory": Category.NUMBER_THEORY,
    "count": Category.COUNTING,
    "sort": Category.SORTING,
    "enum": Category.ENUMERATION,
    "sim": Category.SIMULATION,
    "hash": Category.HASH_TABLE,
    "hashmap": Category.HASH_TABLE,
    "hashset": Category.HASH_TABLE,
    "mathematics": Category.MATH,
}
