"""Models for the stages: which can be asked at all, in which order, within which budget, and what they cost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from perforch.categories.consensus import Labels, annotators, consensus, trusted
from perforch.categories.local import classify
from perforch.errors import ConfigError
from perforch.llm import keys, prices, secrets
from perforch.llm.client import Client
from perforch.llm.model import Reply, ReplyKind
from perforch.rankings.memory import Memory
from perforch.rankings.order import order
from perforch.result import Attempt, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from perforch.changes.function import Function
    from perforch.llm.model import Prompt
    from perforch.result import FunctionResult, Stage
    from perforch.settings import ModelSettings, Settings

ANNOTATORS = 3  # the paper's consensus: a label needs two of three models
ORDER = 5  # calls that the order of one function may take


class Asking:
    """The models of one run.

    Args:
        out: folder of the reply store.
        run: names the run, the same after a restart, so that its budget goes on.
        functions: how many are worked on; labels are asked for only where the calls suffice for all of them.
        repository: where the owner's own evidence lies.
        environment: where API keys are looked up.
    """

    def __init__(
        self,
        settings: Settings,
        out: Path,
        *,
        run: str,
        functions: int = 1,
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
        self._functions = functions
        self._labels_in = self._labels_out = 0  # tokens that labels took
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

    async def labels(self, function: Function) -> Labels:
        """The function's categories: the consensus of three annotators, or the labels of one that the evidence trusts as much.

        The local classifier's where neither is at hand, or where the calls do not suffice for labels and candidates of all functions.
        """
        language = function.language.value
        asked = annotators(self.models, self._memory, language=language)
        enough = len(asked) == ANNOTATORS or (
            len(asked) == 1 and trusted(asked[0], self._memory, language=language)
        )
        affordable = self._settings.budget.calls >= (len(asked) + ORDER) * self._functions
        if self._settings.categories == "local" or not enough or not affordable:
            return Labels(classify(function), "local")
        return await consensus(function, asked, self._label)

    async def _label(self, model: ModelSettings, prompt: Prompt) -> Reply:
        if kind := secrets.find_secret(prompt.user):
            return Reply(ReplyKind.ERROR, model.name, detail=f"not sent: the code may hold a secret ({kind})")
        reply = await self.complete(model, prompt)
        self._labels_in += reply.tokens_in
        self._labels_out += reply.tokens_out
        return reply

    def totals(self, results: Iterable[FunctionResult]) -> Totals:
        """What the run cost: calls and dollars from the books, tokens from the attempts and labels."""
        spent = self._client.budget.spent
        attempts: list[Attempt] = [attempt for result in results for attempt in result.attempts]
        return Totals(
            llm_calls=spent.calls,
            tokens_in=self._labels_in + sum(attempt.tokens_in for attempt in attempts),
            tokens_out=self._labels_out + sum(attempt.tokens_out for attempt in attempts),
            cost_usd=round(spent.usd, 6),
        )
