"""Reads stored exchanges and closes their books: what was said, what it cost, may it be asked again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perforch.llm import keys, outcomes, prices
from perforch.llm import store as stores
from perforch.llm.model import ReplyKind
from perforch.llm.outcomes import Outcome

if TYPE_CHECKING:
    from pydantic import SecretStr

    from perforch.llm.budget import Budget
    from perforch.llm.store import Exchange, Store
    from perforch.settings import ModelSettings

GRACE_SECONDS = 15.0  # beyond a request's own time limit, for the courier to store what came back
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One HTTP exchange, or why there was none."""

    outcome: Outcome
    seconds: float = 0.0
    cost: float = 0.0
    cached: bool = False

    @classmethod
    def failed(
        cls, detail: str, *, kind: ReplyKind = ReplyKind.ERROR, retry: bool = False, cost: float = 0.0
    ) -> Step:
        return cls(Outcome(kind, detail=detail, retry=retry), cost=cost)


class Books:
    """The exchanges of a store, as one run sees them."""

    def __init__(self, store: Store, budget: Budget) -> None:
        self._store = store
        self._budget = budget

    async def known(self, model: ModelSettings, key: str, secret: SecretStr | None) -> Step | None:
        """What the store says about a request: answered, lost, or nothing that forbids sending it."""
        row = self._store.get(key)
        patience = time.monotonic() + model.timeout_seconds + GRACE_SECONDS
        # Announced by another process: its courier brings the answer home even if that process was killed.
        while row is not None and row.state != "answered" and stores.is_alive(self._store.path, row.owner):
            if time.monotonic() > patience:
                return Step.failed("another process has been asking the same for too long")
            await asyncio.sleep(_POLL_SECONDS)
            row = self._store.get(key)
        if row is not None and row.state != "answered":
            row = self._store.get(key)  # its courier may have finished between the two looks
        if row is None:
            return None
        if row.state == "open":  # its courier ended before sending
            self._budget.release(row.call)
            self._store.forget(row)
            return None
        if row.state == "sent":  # its courier was killed too: perhaps paid for, and lost
            self._store.settle(row, cost=None, keep=True)
            lost = "sent before, but its answer was lost when the machine stopped; not sent again in this run"
            return self._unless_older_run(row, Step.failed(lost))
        step = replace(self.judge(model, row, secret), cost=0.0, cached=True)
        return self._unless_older_run(row, step) if step.outcome.kind is ReplyKind.ERROR else step

    def _unless_older_run(self, row: Exchange, step: Step) -> Step | None:
        """A failure binds the run that met it; a later run may ask again."""
        if row.run == self._budget.run:
            return step
        self._store.forget(row)
        return None

    def judge(self, model: ModelSettings, row: Exchange, secret: SecretStr | None) -> Step:
        """Read an answered exchange and, the first time, close its books."""
        outcome = outcomes.read(
            model, status=row.status, headers=row.headers, body=row.body, failure=row.failure
        )
        outcome = replace(outcome, detail=keys.redact(outcome.detail, secret))
        if outcome.answer is not None:
            said = outcome.answer
            clear = replace(said, text=keys.redact(said.text, secret), model=keys.redact(said.model, secret))
            outcome = replace(outcome, answer=clear)
        if row.kept:
            return Step(outcome, row.seconds, cached=True)
        answer = outcome.answer
        cost: float | None = 0.0
        if (
            outcome.billed == "yes"
            and answer
            and answer.tokens_in is not None
            and answer.tokens_out is not None
        ):
            cost = prices.cost(model, answer.tokens_in, answer.tokens_out) or 0.0
        elif outcome.billed != "no":
            cost = None  # what was set aside is the only upper bound there is
        booked = self._store.settle(row, cost=cost, keep=outcome.billed != "no" and not outcome.retry)
        return Step(outcome, row.seconds, booked)
