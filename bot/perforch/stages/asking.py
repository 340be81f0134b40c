"""Models for the stages: which can be asked at all, in which order, within which budget, and what they cost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from perforch.categories.consensus import consensus
from perforch.categories.local import classify
from perforch.errors import ConfigError
from perforch.llm import keys, prices
from perforch.llm.client import Client
from perforch.rankings.memory import Memory
from perforch.rankings.order import order
from perforch.result import Attempt, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from perforch.changes.function import Function
    from perforch.llm.model import Prompt, Reply
    from perforch.result import FunctionResult, Stage
    from perforch.settings import ModelSettings, Settings

ANNOTATORS = 3  # the paper's consensus: a label needs two of three models


class Asking:
    """The models of one run.

    Args:
        out: folder of the reply store.
        run: names the run, the same after a restart, so that its budget goes on.
        repository: where the owner's own evidence lies.
        environment: where API keys are looked up.
    """

    def __init__(
        self,
        settings: Settings,
        out: Path,
        *,
        run: str,
        repository: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        missing: list[str] = []
        usable: list[ModelSettings] = []
        for model in settings.models:
            try:
                keys.read(model, environment)
            except ConfigError as error:
                missing.append(f"{error.message}; {model.name} is not asked")
            else:
                usable.append(model)
        self.models: tuple[ModelSettings, ...] = tuple(usable)
        self.notes: tuple[str, ...] = (*missing, *prices.notes(usable))
        self._memory = Memory.load(repository) if usable else None
        self._client = Client(out / "replies.sqlite", settings.budget, run=run, environment=environment)

    def __enter__(self) -> Asking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    async def complete(self, model: ModelSettings, prompt: Prompt) -> Reply:
        """Put one prompt to one model; see `Client.complete`."""
        return await self._client.complete(model, prompt)

    def order(
        self,
        *,
        stage: Stage,
        function: Function,
        categories: Sequence[str],
        failed: Sequence[str] = (),
        generator: str | None = None,
    ) -> tuple[ModelSettings, ...]:
        """The Memory's order for one task, best first, at most five."""
        if self._memory is None:
            return ()
        ranked = order(
            self._memory,
            self.models,
            stage=stage.value,
            language=function.language.value,
            categories=categories,
            metric=self._settings.metric.value,
            strategy=self._settings.strategy,
            failed=failed,
            generator=generator,
        )
        return tuple(place.model for place in ranked)

    async def categories(self, function: Function) -> tuple[str, ...]:
        """The function's categories: the annotators' consensus where three can be asked, else the local classifier."""
        local = classify(function)
        if self._settings.categories == "local" or len(self.models) < ANNOTATORS:
            return local
        labels = await consensus(function, self.models[:ANNOTATORS], self.complete)
        return labels.categories

    def totals(self, results: Iterable[FunctionResult]) -> Totals:
        """What the run cost: calls and dollars from the books, tokens from the attempts."""
        spent = self._client.budget.spent
        attempts: list[Attempt] = [attempt for result in results for attempt in result.attempts]
        return Totals(
            llm_calls=spent.calls,
            tokens_in=sum(attempt.tokens_in for attempt in attempts),
            tokens_out=sum(attempt.tokens_out for attempt in attempts),
            cost_usd=round(spent.usd, 6),
        )
