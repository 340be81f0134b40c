"""Asks models. Whatever a provider or the network does becomes a `Reply`; what was paid for is never asked
twice.

The one retry loop is here. Requests go out through a courier process (see `courier`), so that a reply that is
on its way when this process is killed still reaches the store.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from perforch.errors import ConfigError
from perforch.llm import keys, outcomes, prices, providers
from perforch.llm import store as stores
from perforch.llm.books import GRACE_SECONDS, Books, Step
from perforch.llm.budget import Budget, Refusal
from perforch.llm.carrier import Carrier, CarrierError
from perforch.llm.cooldown import FOREVER, Cooldowns
from perforch.llm.model import Reply, ReplyKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from pydantic import SecretStr

    from perforch.llm.model import Prompt
    from perforch.settings import Budget as Limits
    from perforch.settings import ModelSettings

ATTEMPTS = 3
PATIENCE_SECONDS = 120.0  # a provider that asks for a longer wait is left alone for that long
_NOTHING = {ReplyKind.ERROR, ReplyKind.OVER_BUDGET}


@dataclass(frozen=True, slots=True)
class _Call:
    """One `complete`, on its way."""

    model: ModelSettings
    prompt: Prompt
    key: str
    secret: SecretStr | None
    deadline: float  # on the monotonic clock

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


class Client:
    """Sends prompts for one run.

    Args:
        store: file of the reply store; made if absent. Runs may share one: a reply that is in it is not paid
            for again.
        limits: caps of the run.
        run: names the run, the same after a restart, so that its budget goes on.
        environment: where API keys are looked up, and HTTPS_PROXY, which is used for https addresses only.
        backoff: first and longest wait between tries, in seconds, when the provider asks for none.

    Raises:
        StoreError: the store cannot be used; also from `complete`.
    """

    def __init__(
        self,
        store: Path,
        limits: Limits,
        *,
        run: str,
        environment: Mapping[str, str] = os.environ,
        backoff: tuple[float, float] = (0.5, 8.0),
    ) -> None:
        self._environment = environment
        self._backoff = backoff
        self._store = stores.Store(store)
        self.budget = Budget(self._store, limits, run=run)
        self._books = Books(self._store, self.budget)
        self._carrier = Carrier(
            self._store, proxy=environment.get("HTTPS_PROXY") or environment.get("https_proxy")
        )
        self._running: dict[str, asyncio.Task[Reply]] = {}
        self._cooldowns = Cooldowns()
        self._in_flight = 0
        self._settled = asyncio.Event()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the courier finish what is in flight, without waiting for it, and close the store."""
        self._carrier.close()
        self._store.close()

    async def complete(self, model: ModelSettings, prompt: Prompt) -> Reply:
        """Put one prompt to one model.

        Equal requests at the same time are sent once. The call ends within the model's `timeout_seconds`,
        tries and waits included, and never later than the run's minutes (plus a moment for the disk).

        Returns:
            What the model said, or an ERROR or OVER_BUDGET reply whose `detail` says why it said nothing.

        Raises:
            StoreError: the reply store cannot be used. Nothing a provider does raises.
        """
        region = self._environment.get("AWS_REGION") or self._environment.get("AWS_DEFAULT_REGION") or ""
        base = providers.base_url(model, region=region)
        key = stores.key_of(
            model.provider, base, model.provider_model, model.max_output_tokens, prompt.system, prompt.user
        )
        task = self._running.get(key)
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            shared = await asyncio.shield(task)
            return replace(shared, model=model.name, cost_usd=0.0, cached=shared.kind not in _NOTHING)
        task = asyncio.create_task(self._complete(model, prompt, key, region))
        self._running[key] = task
        task.add_done_callback(
            lambda done: self._running.pop(key) if self._running.get(key) is done else None
        )
        # Shielded: a caller that gives up must not stop a request that is already paid for.
        return await asyncio.shield(task)

    async def _complete(self, model: ModelSettings, prompt: Prompt, key: str, region: str) -> Reply:
        started = time.monotonic()
        secret, missing = None, ""
        try:
            secret = keys.read(model, self._environment)
        except ConfigError as error:
            missing = error.message
        known = await self._books.known(model, key, secret)
        if known is not None and not known.outcome.retry:
            return self._reply(model, known, 0.0)
        if missing:
            return Reply(ReplyKind.ERROR, model.name, detail=missing)
        deadline = started + min(model.timeout_seconds, max(self.budget.seconds_left, 0.0))
        call = _Call(model, prompt, key, secret, deadline)
        spent = 0.0
        earlier = known  # a failure that an earlier process met was the first try
        resumed = known is not None

        async def once() -> Step:
            nonlocal spent, earlier, resumed
            if earlier is not None and resumed:
                resumed = False
                return earlier
            step = await self._once(call, region)
            spent += step.cost
            if earlier is not None and step.outcome.kind is ReplyKind.OVER_BUDGET:
                step = Step.failed(f"{earlier.outcome.detail}; not tried again: {step.outcome.detail}")
            earlier = step
            return step

        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            retry=retry_if_result(lambda step: self._may_retry(call, step)),
            wait=self._wait,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        step: Step = await retrying(once)
        return self._reply(model, step, spent)

    def _may_retry(self, call: _Call, step: Step) -> bool:
        """Whether another try is worth it: the failure may pass, and the wait for it ends in time."""
        wait = step.outcome.retry_after or 0.0
        return (
            step.outcome.retry
            and wait <= PATIENCE_SECONDS
            and wait < call.seconds_left
            and call.seconds_left > 0
        )

    def _wait(self, state: RetryCallState) -> float:
        step = state.outcome.result() if state.outcome else None
        if isinstance(step, Step) and step.outcome.retry_after is not None:
            return step.outcome.retry_after
        first, longest = self._backoff
        return min(first * 2.0 ** (state.attempt_number - 1), longest) * random.uniform(0.75, 1.25)

    def _reply(self, model: ModelSettings, step: Step, spent: float) -> Reply:
        answer, kind = step.outcome.answer, step.outcome.kind
        return Reply(
            kind,
            model.name,
            text=answer.text if answer and kind is not ReplyKind.ERROR else "",
            detail=step.outcome.detail,
            returned_model=outcomes.clean(answer.model) if answer else "",
            tokens_in=(answer.tokens_in or 0) if answer else 0,
            tokens_out=(answer.tokens_out or 0) if answer else 0,
            cost_usd=spent,
            seconds=step.seconds,
            cached=step.cached,
        )

    async def _once(self, call: _Call, region: str) -> Step:
        """One exchange: wait for the model's cooldown, set the cost aside, announce, send, read."""
        stop = await self._cooldown(call)
        if stop is not None:
            return stop
        reserved = prices.worst_case(call.model, call.prompt)
        number = await self._reserve(call, reserved)
        if isinstance(number, Step):
            return number
        self._in_flight += 1
        try:
            return await self._exchange(call, region, number, reserved)
        finally:
            self._in_flight -= 1
            settled, self._settled = self._settled, asyncio.Event()
            settled.set()

    async def _reserve(self, call: _Call, usd: float) -> int | Step:
        while isinstance(number := self.budget.reserve(call.model.name, usd), Refusal):
            if number.final or not self._in_flight:
                return Step.failed(number.reason, kind=ReplyKind.OVER_BUDGET)
            try:
                await asyncio.wait_for(self._settled.wait(), max(call.seconds_left, 0.0))
            except TimeoutError:
                return Step.failed(number.reason, kind=ReplyKind.OVER_BUDGET)
        return number

    async def _exchange(self, call: _Call, region: str, number: int, reserved: float) -> Step:
        request = providers.request(call.model, call.prompt, call.secret, region=region)
        try:
            courier = await asyncio.to_thread(self._carrier.courier)
        except CarrierError as error:
            self.budget.release(number)
            return Step.failed(str(error))
        seconds = call.seconds_left
        if seconds <= 0:
            self.budget.release(number)
            return Step.failed("no time is left for this call")
        if not self._store.open(call.key, courier.owner, number):
            self.budget.release(number)  # another process was faster by a moment
            known = await self._books.known(call.model, call.key, call.secret)
            return known or Step.failed("another process gave the same request up", retry=True)
        arrived = courier.send(
            key=call.key,
            url=request.url,
            headers=dict(request.headers),
            body=request.body,
            timeout=seconds,
            mask=keys.masked(call.secret),
        )
        try:
            await asyncio.wait_for(asyncio.wrap_future(arrived), seconds + GRACE_SECONDS)
        except TimeoutError:
            return Step.failed("the courier process does not answer", cost=reserved)
        except CarrierError as error:
            if not error.sent:
                self.budget.release(number)
            return Step.failed(str(error), cost=reserved if error.sent else 0.0)
        row = self._store.get(call.key)
        if row is None:
            return Step.failed("the reply has disappeared from the store", cost=reserved)
        step = self._books.judge(call.model, row, call.secret)
        if step.outcome.hopeless:
            self._cooldowns.cool(call.model.name, FOREVER, step.outcome.detail)
        elif step.outcome.retry_after:
            self._cooldowns.cool(call.model.name, step.outcome.retry_after, step.outcome.detail)
        return step

    async def _cooldown(self, call: _Call) -> Step | None:
        """Wait until the model may be asked; a step that says why not, when that takes too long."""
        while (wait := self._cooldowns.remaining(call.model.name))[0] > 0:
            seconds, reason = wait
            if seconds > PATIENCE_SECONDS or seconds >= call.seconds_left:
                span = "in this run" if seconds == FOREVER else f"for {seconds:.0f} s"
                return Step.failed(f"not asked again {span}: {reason}")
            await asyncio.sleep(seconds)
        return None
