"""The paper's RQ4 on a suite: one shot, generate and fix by one model, and the whole orchestration with refine.

Problems advance in rounds: everything that is open is asked concurrently, then compiled and run together. Replies are in the
client's reply store and measured refinements in the progress file, so an evaluation that was killed goes on without paying or
measuring twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perforch.llm.model import ReplyKind
from perforch.profiling import collecting
from perforch.profiling.items import Item, stub_item
from perforch.profiling.items import function as function_in
from perforch.profiling.suite import Program
from perforch.result import Outcome, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from perforch.llm.model import Reply
    from perforch.profiling.checking import Checker
    from perforch.profiling.collecting import Progress
    from perforch.profiling.refining import Refiner
    from perforch.profiling.suite import Problem
    from perforch.settings import ModelSettings

    Ask = Callable[[ModelSettings, Item], Awaitable[Reply]]
    Order = Callable[[Stage, Problem, Sequence[str], str | None], Sequence[ModelSettings]]

FIXERS = 5


@dataclass(slots=True)
class Refinement:
    """One candidate of the refine stage, in the order in which models were asked."""

    model: str
    outcome: Outcome
    ratio: float | None = None

    @property
    def improvement(self) -> float | None:
        """(before - after) / before, the paper's equation 3; None unless the gain is proven."""
        return 1 - 1 / self.ratio if self.outcome is Outcome.ACCEPTED and self.ratio else None


@dataclass(slots=True)
class Case:
    """One problem on its way.

    Attributes:
        item: what would be asked next: the stub, the failing program, or the correct one.
        passed: its tests pass; answered: some model has answered, so the problem counts.
        failed: models that failed on it, in order; generator: who wrote what is being fixed.
    """

    item: Item
    passed: bool = False
    answered: bool = False
    calls: int = 0
    cost_usd: float = 0.0
    failed: list[str] = field(default_factory=list)
    generator: str | None = None
    refinements: list[Refinement] = field(default_factory=list)

    @property
    def problem(self) -> Problem:
        """What it is about."""
        return self.item.problem


class Evaluation:
    """Walks cases through stages.

    Args:
        ask: one question to one model.
        order: models for a stage and problem, given who failed and who generated.
    """

    def __init__(
        self, ask: Ask, order: Order, checker: Checker, refiner: Refiner, progress: Progress
    ) -> None:
        self._ask = ask
        self._order = order
        self._checker = checker
        self._refiner = refiner
        self._progress = progress
        self.unanswered: list[str] = []

    async def single(self, problems: Sequence[Problem], model: ModelSettings) -> list[Case]:
        """One shot by one model."""
        cases = [Case(stub_item(problem)) for problem in problems]
        await self._round([(case, model) for case in cases], Stage.GENERATE)
        return cases

    async def pipeline(self, problems: Sequence[Problem], model: ModelSettings) -> list[Case]:
        """Generate, then up to five fixes, all by one model."""
        cases = await self.single(problems, model)
        for _ in range(FIXERS):
            await self._round([(case, model) for case in cases if not case.passed], Stage.FIX)
        return cases

    async def full(self, problems: Sequence[Problem], *, refine: bool = True) -> list[Case]:
        """The first of the order generates, the next five of the fix order repair, then all five refiners are measured."""
        cases = [Case(stub_item(problem)) for problem in problems]
        first = [(case, self._order(Stage.GENERATE, case.problem, (), None)) for case in cases]
        await self._round([(case, models[0]) for case, models in first if models], Stage.GENERATE)
        for case in cases:
            case.generator, case.failed = case.failed[0] if case.failed else None, []
        for _ in range(FIXERS):
            left = [case for case in cases if not case.passed]
            asked = [
                (case, models[0])
                for case in left
                if (models := self._order(Stage.FIX, case.problem, case.failed, case.generator))
            ]
            await self._round(asked, Stage.FIX)
        if refine:
            await self._refine([case for case in cases if case.passed])
        return cases

    async def _round(self, asked: Sequence[tuple[Case, ModelSettings]], stage: Stage) -> None:
        items = [replace(case.item, model=model, stage=stage) for case, model in asked]
        answers = await asyncio.gather(*(self._ask(item.model, item) for item in items))
        programs: dict[str, tuple[Case, Item, Program]] = {}
        for place, ((case, model), item, answer) in enumerate(zip(asked, items, answers, strict=True)):
            if not self._counts(case, item, answer):
                continue
            found = collecting.program(f"k{place}", item, answer)
            if isinstance(found, Program):
                programs[found.key] = (case, item, found)
            else:
                case.failed.append(model.name)
        checked = self._checker.check([program for _, _, program in programs.values()])
        for key, (case, item, program) in programs.items():
            case.passed = checked[key].state == "passed" or checked[key].passes > 0
            if not case.passed:
                case.failed.append(item.model.name)
            case.item = _with_code(item, program.code)

    def _counts(self, case: Case, item: Item, answer: Reply) -> bool:
        if answer.kind in (ReplyKind.ERROR, ReplyKind.OVER_BUDGET):
            self.unanswered.append(
                f"{item.model.name}, {item.stage}, {item.problem.id}: {answer.detail or answer.kind}"
            )
            case.failed.append(item.model.name)
            return False
        case.answered = True
        case.calls += 1
        case.cost_usd += answer.cost_usd
        return True

    async def _refine(self, cases: Sequence[Case]) -> None:
        """All five, so that top-1, sequential and best-of-five can be read off the same calls."""
        asked = []
        for case in cases:
            if not self._refiner.impossible(collecting.own(case.item)):
                models = self._order(Stage.REFINE, case.problem, (), None)[:FIXERS]
                asked.append(
                    (case, [replace(case.item, model=model, stage=Stage.REFINE) for model in models])
                )
        answers = await asyncio.gather(*(self._ask(item.model, item) for _, items in asked for item in items))
        rest = iter(answers)
        for case, items in asked:
            self._measure(case, [(item, next(rest)) for item in items])

    def _measure(self, case: Case, answered: Sequence[tuple[Item, Reply]]) -> None:
        own = collecting.own(case.item)
        proposed: list[tuple[Refinement, Program, Item, Reply]] = []
        for place, (item, answer) in enumerate(answered):
            if not self._counts(case, item, answer):
                continue
            found = collecting.program(f"k{place}", item, answer)
            outcome = Outcome.TESTS_FAILED if isinstance(found, Program) else found.outcome
            refinement = Refinement(item.model.name, outcome)
            case.refinements.append(refinement)
            if isinstance(found, Program):
                proposed.append((refinement, found, item, answer))
        known = {one.key: self._progress.done.get(_key(case.problem, own, one)) for _, one, _, _ in proposed}
        checked = self._checker.check([one for _, one, _, _ in proposed if known[one.key] is None])
        for refinement, one, item, answer in proposed:
            done = known[one.key]
            if done is None:
                done = collecting.judge(item, answer, one, checked[one.key], self._refiner)
                self._progress.add([replace(done, key=_key(case.problem, own, one))])
            refinement.outcome, refinement.ratio = done.outcome or Outcome.NOT_FASTER, done.ratio


def _key(problem: Problem, before: Program, after: Program) -> str:
    digest = hashlib.sha256(f"{before.code}\0{after.code}".encode()).hexdigest()
    return f"refine\t{problem.id}\t{digest}"


def _with_code(item: Item, code: str) -> Item:
    """What comes next is about this program."""
    file = code.encode()
    return replace(item, file=file, function=function_in(item.problem, file))
