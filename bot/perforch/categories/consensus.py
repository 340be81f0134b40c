"""Categories by vote of annotator models: a label needs two of three voters, as in section 2.4 of the paper.

Three models vote. With two, or when one of three gives no usable answer, the local classifier is the third
voter. With one, its labels count. With fewer usable answers the local labels stand. A model whose labels
agreed with the consensus often enough replaces all three.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from perforch.categories import names
from perforch.categories.local import classify
from perforch.llm.model import ReplyKind
from perforch.prompts import render
from perforch.rankings import order, posterior

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.llm.model import Prompt, Reply
    from perforch.rankings.memory import Memory
    from perforch.settings import ModelSettings

    Complete = Callable[[ModelSettings, Prompt], Awaitable[Reply]]

ANNOTATORS = 3
NEEDED = 2
TRUSTED_RATE = 0.9  # agreement with the consensus, lower bound, from which one model replaces three
_MAX_LABELS = 10


@dataclass(frozen=True, slots=True)
class Labels:
    """Categories of a function and how they came about.

    Attributes:
        source: "consensus" of voters, "annotator" (a single model), or "local".
        votes: what each voter said, by model name; the local classifier is named "local".
        replies: every reply that was paid for, usable or not.
    """

    categories: tuple[str, ...]
    source: Literal["consensus", "annotator", "local"]
    votes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()


async def consensus(
    function: Function,
    models: Sequence[ModelSettings],
    complete: Complete,
    *,
    memory: Memory | None = None,
) -> Labels:
    """Ask up to three models at once.

    Args:
        models: configured models; `memory` says which three, or which one, to ask, else the first three (see `annotators`).
        complete: puts a prompt to a model; equal prompts are expected to be answered from its store.
    """
    local = classify(function)
    asked = annotators(models, memory, language=str(function.language))
    if not asked:
        return Labels(local, "local", {"local": local})
    prompt = render.classify(function)
    replies = tuple(await asyncio.gather(*(complete(model, prompt) for model in asked)))
    votes: dict[str, tuple[str, ...]] = {}
    for model, reply in zip(asked, replies, strict=True):
        labels = read(reply.text) if reply.kind is ReplyKind.TEXT else None
        if labels is not None:
            votes[model.name] = labels
    return _decide(votes, local, len(asked), replies)


def _decide(
    votes: dict[str, tuple[str, ...]], local: tuple[str, ...], asked: int, replies: tuple[Reply, ...]
) -> Labels:
    if asked == 1 and votes:
        (labels,) = votes.values()
        return Labels(labels, "annotator", votes, replies)
    if len(votes) < NEEDED:
        return Labels(local, "local", {**votes, "local": local}, replies)
    if len(votes) < ANNOTATORS:
        votes = {**votes, "local": local}
    counted = Counter(label for labels in votes.values() for label in labels)
    agreed = names.ordered({label for label in names.Category if counted[label] >= NEEDED})
    return Labels(agreed, "consensus", votes, replies)


def annotators(
    models: Sequence[ModelSettings], memory: Memory | None, *, language: str
) -> tuple[ModelSettings, ...]:
    """The three models to ask, or the one that the evidence trusts alone."""
    if memory is None:
        return tuple(models[:ANNOTATORS])
    ranked = order.order(
        memory, models, stage="categorise", language=language, strategy="cost", limit=ANNOTATORS
    )
    for entry in ranked:
        if _trusted(entry):
            return (entry.model,)
    return tuple(entry.model for entry in ranked)


def trusted(model: ModelSettings, memory: Memory | None, *, language: str) -> bool:
    """Whether the evidence lets this model replace three."""
    if memory is None:
        return False
    return any(
        map(_trusted, order.order(memory, [model], stage="categorise", language=language, strategy="cost"))
    )


def _trusted(entry: order.Ranked) -> bool:
    agreed, total = entry.terms["successes"], entry.terms["attempts"]
    return total > 0 and posterior.lower_bound(agreed, total) >= TRUSTED_RATE


def read(text: str) -> tuple[str, ...] | None:
    """The labels of a reply: a JSON list anywhere in it, else a list of names; None when it names no
    category.

    An empty JSON list is a usable answer: no label. Labels outside the ten are passed over.
    """
    for candidate in reversed(re.findall(r"\[[^\[\]]*\]", text)):
        try:
            items = json.loads(candidate)
        except ValueError:
            continue
        if all(isinstance(item, str) for item in items) and len(items) <= _MAX_LABELS:
            found = {category for item in items if (category := names.find(item)) is not None}
            if found or not items:
                return names.ordered(found)
    parts = re.split(r"[,;\n:]|\s-\s|^\s*[-*\d.)]+\s", text, flags=re.MULTILINE)
    listed = {category for part in parts if (category := names.find(part)) is not None}
    return names.ordered(listed) if listed else None


def agreement(labels: Labels) -> Mapping[str, tuple[int, int]]:
    """For each model that voted in a consensus: labels on which it agreed, and labels that anyone gave."""
    if labels.source != "consensus":
        return {}
    mentioned = {label for vote in labels.votes.values() for label in vote}
    accepted = set(labels.categories)
    return {
        voter: (sum((label in vote) == (label in accepted) for label in mentioned), len(mentioned))
        for voter, vote in labels.votes.items()
        if voter != "local"
    }
