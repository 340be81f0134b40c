"""Categories of a function from its own text: deterministic, no model asked.

Every rule gives points to one category; a category with enough points becomes a label. Points come from the
words of the name, of parameters and of the documentation (`vocabulary`), and from calls, types, operators and
loops of the body.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from perforch.categories import vocabulary
from perforch.categories.names import Category, ordered
from perforch.languages import syntax

if TYPE_CHECKING:
    from perforch.changes.function import Function
    from perforch.languages.syntax import Features

THRESHOLD = 2
_MAX_TEXT = 100_000  # characters of documentation looked at
_EXAMPLES = re.compile(r"(?m)^\s*(>>>|for example\b|examples?\s*:?\s*$|input\s*:|output\s*:)", re.IGNORECASE)


def classify(function: Function) -> tuple[str, ...]:
    """Categories of a function by display name, in the paper's order; may be empty.

    Args:
        function: its name, signature, documentation and source are looked at; nothing is run.
    """
    found = syntax.features(function.language, function.source.encode())
    points = _from_words(_prose(function)) + _from_code(found, function.signature)
    return ordered({category for category, value in points.items() if value >= THRESHOLD})


def _prose(function: Function) -> str:
    parameters = re.findall(r"\w+", function.signature)
    said = function.docstring[:_MAX_TEXT]
    examples = _EXAMPLES.search(said)
    if examples is not None and examples.start() > 0:
        said = said[: examples.start()]
    return " ".join([*map(split_name, [function.simple_name, *parameters]), said.lower()])


def split_name(name: str) -> str:
    """`countEvenDigits` and `count_even_digits` as lower-case words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name).lower()


def _from_words(prose: str) -> Counter[Category]:
    points: Counter[Category] = Counter()
    for category, rules in vocabulary.PROSE.items():
        points[category] = sum(value for pattern, value in rules if pattern.search(prose))
    return points


def _from_code(found: Features, signature: str) -> Counter[Category]:
    points: Counter[Category] = Counter()
    names = found.identifiers | found.calls | found.types
    types = " ".join([*sorted(found.types), signature])
    for category, rules in vocabulary.NAMES.items():
        points[category] += sum(value for words, value in rules if names & words)
    for category, pattern, value in vocabulary.TYPES:
        if pattern.search(types) or any(pattern.search(call) for call in found.qualified_calls):
            points[category] += value
    for category, kinds, value in vocabulary.LITERALS:
        if found.literals & kinds:
            points[category] += value
    remainder = bool(found.operators & {"%", "%="})
    power = bool(found.operators & {"**", "**="})
    arithmetic = len(found.operators & {"*", "/", "//", "-", "*=", "/=", "//="})
    points[Category.MATH] += int(remainder) + int(power) + int(arithmetic >= 1)
    points[Category.NUMBER_THEORY] += int(remainder and found.loops > 0 and arithmetic >= 1)
    if points[Category.STRING] == 0:  # letters of a string are subscripted too
        points[Category.ARRAY] += int(found.subscripts > 0)
    if found.types & vocabulary.HASH_TYPES:
        points[Category.HASH_TABLE] += 1
    points[Category.ENUMERATION] += int(found.loop_depth >= 2) + int(found.loop_depth >= 3)
    return points
