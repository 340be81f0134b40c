"""What the tests of the head revision do: once a runner, shared by its functions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from perforch.stages.correctness import Baseline, baseline
from perforch.workloads.model import TestReport

if TYPE_CHECKING:
    from perforch.stages.context import Context
    from perforch.workloads.model import Exercise, Runner

NOTHING = Baseline(TestReport(built=True, outcomes={}))
TWICE_BELOW_SECONDS = 60.0  # a longer suite is run once; its flaky tests then count against candidates


class Baselines:
    """Runs each runner's tests on head, twice to find those that are flaky, and remembers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tasks: dict[int, asyncio.Task[Baseline]] = {}
        self._names: dict[str, int] = {}

    async def of(self, exercise: Exercise) -> Baseline:
        """The baseline of an exercise's runner; an empty one where there is nothing to run."""
        runner = exercise.runner
        if runner is None:
            return NOTHING
        if id(runner) not in self._tasks:
            number = self._names.get(runner.name, 0)
            self._names[runner.name] = number + 1
            self._tasks[id(runner)] = asyncio.create_task(
                self._measure(runner, f"baseline/{runner.name}/{number}")
            )
        return await self._tasks[id(runner)]

    async def _measure(self, runner: Runner, key: str) -> Baseline:
        context = self._context
        known = context.journal.recall(key)
        if known is not None:
            return Baseline(TestReport.from_json(known["report"]), frozenset(known["flaky"]))
        context.say("", f"running the tests of head ({runner.name})")
        first = await context.work(runner.test, context.head, None)
        second = first
        if first.built and first.seconds < TWICE_BELOW_SECONDS:
            second = await context.work(runner.test, context.head, None)
        found = baseline(first, second)
        context.journal.record(key, {"report": found.report.to_json(), "flaky": sorted(found.flaky)})
        return found
