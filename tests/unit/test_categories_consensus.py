"""Votes of annotators, with answers written by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from perforch.categories.consensus import agreement, annotators, consensus, read
from perforch.changes.function import Function
from perforch.llm.model import Prompt, Reply, ReplyKind
from perforch.rankings.evidence import Evidence
from perforch.rankings.memory import Memory
from perforch.result import Language
from perforch.settings import ModelSettings

if TYPE_CHECKING:
    from perforch.categories.consensus import Labels

SOURCE = "def f(xs):\n    return sorted(xs)\n"
FUNCTION = Function("a", "f", Language.PYTHON, 1, 2, 0, len(SOURCE), "def f(xs)", "added", SOURCE)


def ask(answers: dict[str, str | None], *, memory: Memory | None = None) -> tuple[Labels, list[str]]:
    asked = []

    async def complete(model: ModelSettings, prompt: Prompt) -> Reply:
        asked.append(model.name)
        text = answers[model.name]
        if text is None:
            return Reply(ReplyKind.ERROR, model.name, detail="down")
        return Reply(ReplyKind.TEXT, model.name, text=text)

    models = [ModelSettings(name=name, provider="openai") for name in answers]
    return asyncio.run(consensus(FUNCTION, models, complete, memory=memory)), asked


@pytest.mark.parametrize(
    ("answers", "expected", "source"),
    [
        ({"a": '["Array", "Sorting"]', "b": '["Array"]', "c": '["Greedy"]'}, ("Array",), "consensus"),
        ({"a": '["Greedy"]', "b": '["Greedy", "Sorting"]'}, ("Sorting", "Greedy")[::1], "consensus"),
        ({"a": '["Greedy"]', "b": '["Greedy"]', "c": None}, ("Greedy",), "consensus"),
        ({"a": '["Greedy"]', "b": '["Math"]', "c": None}, (), "consensus"),
        ({"a": '["Greedy"]', "b": None, "c": None}, ("Sorting",), "local"),
        ({"a": '["Greedy"]'}, ("Greedy",), "annotator"),
        ({"a": None}, ("Sorting",), "local"),
        ({"a": "I cannot help."}, ("Sorting",), "local"),
        ({}, ("Sorting",), "local"),
    ],
)
def test_two_of_three(answers: dict[str, str | None], expected: tuple[str, ...], source: str) -> None:
    labels, _ = ask(answers)
    assert (set(labels.categories), labels.source) == (set(expected), source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["Array"]', ("Array",)),
        ('```json\n["Hash Table", "Array"]\n```', ("Array", "Hash Table")),
        ('Of [all, tags] I choose ["Sorting", "Graph"].', ("Sorting",)),
        ("[]", ()),
        ("- Sorting\n- Number Theory", ("Sorting", "Number Theory")),
        ("Tags: Math, Greedy Algorithm", ("Math", "Greedy")),
        ("It is hard to say.", None),
        ('["Graph"]', None),
        ("[" * 1000, None),
        ("", None),
    ],
)
def test_replies(text: str, expected: tuple[str, ...] | None) -> None:
    got = read(text)
    assert got is expected is None or set(got or ()) == set(expected or ())


def test_a_trusted_annotator_replaces_three() -> None:
    record = Evidence(
        model="b",
        stage="categorise",
        metric="agreement",
        language="python",
        attempts=300,
        successes=290,
        source="profile",
        date="2026-05-01",
    )
    answers: dict[str, str | None] = dict.fromkeys("abc", '["Math"]')
    labels, asked = ask(answers, memory=Memory([record]))
    assert (asked, labels.categories, labels.source) == (["b"], ("Math",), "annotator")


def test_without_evidence_three_are_asked() -> None:
    models = [ModelSettings(name=name, provider="openai") for name in "abcde"]
    assert len(annotators(models, Memory([]), language="go")) == 3


def test_agreement_counts_decisions_on_labels_that_anyone_gave() -> None:
    labels, _ = ask({"a": '["Array", "Sorting"]', "b": '["Array"]', "c": '["Array", "Greedy"]'})
    assert agreement(labels) == {"a": (2, 3), "b": (3, 3), "c": (2, 3)}
