"""Asks models the questions of a profile, runs their answers, and turns the outcomes into evidence.

Every outcome is appended to a progress file at once, and every paid reply is in the client's reply store, so
a killed profile goes on where it was.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perforch.llm import policy
from perforch.llm import reply as replies
from perforch.llm.model import Reply, ReplyKind
from perforch.profiling.humanevalpack import VARYING
from perforch.profiling.suite import Program
from perforch.prompts import render
from perforch.rankings.evidence import Evidence
from perforch.result import Outcome, Stage
from perforch.workloads.model import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from perforch.llm.model import Prompt
    from perforch.profiling.checking import Checker
    from perforch.profiling.items import Item
    from perforch.profiling.refining import Refiner
    from perforch.profiling.suite import Checked
    from perforch.settings import ModelSettings

    Complete = Callable[[ModelSettings, Prompt], Awaitable[Reply]]

BATCH = 40  # questions that are asked, then compiled and run together
_UNANSWERED = {ReplyKind.ERROR, ReplyKind.OVER_BUDGET}


@dataclass(frozen=True, slots=True)
class Done:
    """One item that has an outcome.

    Attributes:
        outcome: None when the problem cannot be measured, which `detail` explains; nobody was asked then.
        ratio: before/after of a refine item that was measured; whole: the same of whole processes, start-up included.
    """

    key: str
    outcome: Outcome | None
    detail: str
    version: str
    cost_usd: float
    seconds: float
    ratio: float | None = None
    whole: float | None = None

    @property
    def success(self) -> bool:
        """The tests passed, and in refine the gain is proven."""
        return self.outcome is Outcome.ACCEPTED


class Progress:
    """The progress file: one JSON object a line; a last line that was cut by a kill is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, Done] = {}
        data = path.read_bytes() if path.is_file() else b""
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                document = json.loads(line)
                outcome = document["outcome"]
                one = Done(**{**document, "outcome": None if outcome is None else Outcome(outcome)})
            except (ValueError, TypeError, KeyError):
                continue
            self.done[one.key] = one
        if len(whole) != len(data):
            with path.open("r+b") as file:
                file.truncate(len(whole))

    def add(self, found: Iterable[Done]) -> None:
        """Append and make it last."""
        lines = []
        for one in found:
            self.done[one.key] = one
            document = {name: getattr(one, name) for name in Done.__slots__}
            lines.append(json.dumps(document, sort_keys=True) + "\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())


async def collect(
    items: Sequence[Item],
    complete: Complete,
    checker: Checker,
    progress: Progress,
    *,
    refiner: Refiner,
    step: Callable[[int], None] = lambda _: None,
) -> tuple[str, ...]:
    """Ask and check everything that has no outcome yet.

    Returns:
        One sentence for every item that still has none because its provider failed or the budget ended.
    """
    left = [item for item in items if item.key not in progress.done]
    step(len(items) - len(left))
    unanswered: list[str] = []
    for start in range(0, len(left), BATCH):
        batch = left[start : start + BATCH]
        progress.add(_impossible(batch, refiner))
        batch = [item for item in batch if item.key not in progress.done]
        answers = await asyncio.gather(*(complete(item.model, prompt(item)) for item in batch))
        asked = list(zip(batch, answers, strict=True))
        unanswered += [
            f"{item.model.name}, {item.stage}, {item.problem.id}: {answer.detail or answer.kind}"
            for item, answer in asked
            if answer.kind in _UNANSWERED
        ]
        answered = [(item, answer) for item, answer in asked if answer.kind not in _UNANSWERED]
        for done in _outcomes(answered, checker, refiner):
            progress.add([done])
        step(len(left[start : start + BATCH]))
    return tuple(unanswered)


def prompt(item: Item) -> Prompt:
    """The question, as the product asks it; hidden tests are not shown, examples are."""
    if item.stage is Stage.GENERATE:
        return render.generate(item.function, tests=item.problem.examples)
    if item.stage is Stage.REFINE:
        return render.refine(item.function, tests=item.problem.examples)
    failure = Failure(test=item.problem.name, message="The tests of this function fail.")
    return render.fix(item.function, failures=(failure,), tests=item.problem.examples)


def _impossible(batch: Sequence[Item], refiner: Refiner) -> Iterator[Done]:
    for item in batch:
        reason = refiner.impossible(own(item)) if item.stage is Stage.REFINE else ""
        if reason:
            yield Done(key=item.key, outcome=None, detail=reason, version="", cost_usd=0.0, seconds=0.0)


def own(item: Item) -> Program:
    """The program that the question is about."""
    return Program("own", item.problem, item.file.decode(), VARYING.get(item.problem.id, 1))


def _outcomes(answered: Sequence[tuple[Item, Reply]], checker: Checker, refiner: Refiner) -> Iterator[Done]:
    programs: list[tuple[Program, Item, Reply]] = []
    for place, (item, answer) in enumerate(answered):
        found = program(f"k{place}", item, answer)
        if isinstance(found, Program):
            programs.append((found, item, answer))
        else:
            yield _done(item, answer, found.outcome, found.detail)
    checked = checker.check([one for one, _, _ in programs])
    for one, item, answer in programs:
        yield judge(item, answer, one, checked[one.key], refiner)


def judge(item: Item, answer: Reply, proposed: Program, verdict: Checked, refiner: Refiner) -> Done:
    """What becomes of a program that was compiled and tested; in refine it is measured as well."""
    # Where even the right solution fails now and then, one pass is enough.
    if verdict.state != "passed" and not verdict.passes:
        kind = Outcome.DOES_NOT_COMPILE if verdict.kind == "compile" else Outcome.TESTS_FAILED
        return _done(item, answer, kind, verdict.detail)
    if item.stage is not Stage.REFINE:
        return _done(item, answer, Outcome.ACCEPTED, verdict.detail)
    refined = refiner.refine(own(item), proposed)
    outcome = Outcome.ACCEPTED if refined.faster else Outcome.NOT_FASTER
    return replace(_done(item, answer, outcome, refined.reason), ratio=refined.ratio, whole=refined.whole)


def program(key: str, item: Item, answer: Reply) -> Program | replies.Refusal:
    """What a reply proposes, in its place in the file."""
    if answer.kind is not ReplyKind.TEXT:
        return replies.Refusal(Outcome.INVALID_REPLY, str(answer.kind))
    parsed = replies.parse(
        answer.text, item.function, item.problem.language, head_source=item.file, stage=item.stage
    )
    if isinstance(parsed, replies.Refusal):
        return parsed
    unsafe = policy.check(item.problem.language, item.function.source, parsed.text, item.stage)
    if unsafe and item.stage is Stage.REFINE:
        return replies.Refusal(Outcome.UNSAFE, unsafe)
    code = replies.splice(item.file, item.function, parsed).decode()
    return Program(key, item.problem, code, VARYING.get(item.problem.id, 1))


def _done(item: Item, answer: Reply, outcome: Outcome, detail: str) -> Done:
    return Done(
        key=item.key,
        outcome=outcome,
        detail=detail[:300],
        version=answer.returned_model[:200],
        cost_usd=answer.cost_usd,
        seconds=answer.seconds,
    )


def evidence(
    items: Sequence[Item], progress: Progress, *, suite: str, date: str, run: str, machine: str, harness: str
) -> tuple[Evidence, ...]:
    """One record an item that has an outcome. Nothing in it depends on how the items were shared out."""
    return tuple(
        Evidence(
            model=item.model.name,
            version=done.version,
            stage=item.stage.value,
            metric="time" if item.stage is Stage.REFINE else "correctness",
            language=item.problem.language.value,
            tags=item.problem.categories,
            attempts=1,
            successes=int(done.success),
            **_gain(done),  # type: ignore[arg-type]  # only names of number fields
            cost_usd=done.cost_usd,
            position=0,
            source="profile",
            date=date,
            suite=suite,
            item=item.problem.id,
            run=run,
            machine=machine,
            harness=harness,
        )
        for item in items
        if (done := progress.done.get(item.key)) is not None and done.outcome is not None
    )


def _gain(done: Done) -> dict[str, float]:
    """Sums over one success, or nothing."""
    if not done.success or done.ratio is None:
        return {}
    gain, improvement = math.log(done.ratio), 1 - 1 / done.ratio
    return {
        "log_gain_sum": gain,
        "log_gain_squares": gain**2,
        "improvement_sum": improvement,
        "improvement_median": improvement,
    }


def rates(items: Sequence[Item], progress: Progress) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Successes and attempts by model, stage and language."""
    counts: dict[tuple[str, str, str], tuple[int, int]] = {}
    for item in items:
        done = progress.done.get(item.key)
        if done is None or done.outcome is None:
            continue
        key = (item.model.name, str(item.stage), str(item.problem.language))
        good, total = counts.get(key, (0, 0))
        counts[key] = (good + int(done.success), total + 1)
    return counts


def gains(items: Sequence[Item], progress: Progress) -> list[dict[str, Any]]:
    """What was measured in refine; `whole_process_ratio` is the paper's way of measuring, start-up included."""
    return [
        {
            "model": item.model.name,
            "item": item.problem.id,
            "outcome": str(done.outcome),
            "ratio": done.ratio,
            "whole_process_ratio": done.whole,
            "detail": done.detail,
        }
        for item in items
        if item.stage is Stage.REFINE
        and (done := progress.done.get(item.key)) is not None
        and done.outcome is not None
    ]


def not_measurable(items: Sequence[Item], progress: Progress) -> dict[str, str]:
    """Problems whose workload cannot be repeated, with the reason."""
    return {
        item.problem.id: done.detail
        for item in items
        if (done := progress.done.get(item.key)) is not None and done.outcome is None
    }


def measured_seconds(paths: Iterable[Path]) -> Mapping[str, float]:
    """Seconds of items from the progress files of earlier profiles."""
    return {key: done.seconds for path in paths for key, done in Progress(path).done.items()}
