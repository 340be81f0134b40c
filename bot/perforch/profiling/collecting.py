"""Asks models the questions of a profile, runs their answers, and turns the outcomes into evidence.

Every outcome is appended to a progress file at once, and every paid reply is in the client's reply store, so
a killed profile goes on where it was.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.llm import reply as replies
from perforch.llm.model import Reply, ReplyKind
from perforch.profiling.humanevalpack import VARYING
from perforch.profiling.suite import Program
from perforch.prompts import render
from perforch.rankings.evidence import Evidence
from perforch.result import Outcome, Stage
from perforch.workloads.model import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from perforch.llm.model import Prompt
    from perforch.profiling.checking import Checker
    from perforch.profiling.items import Item
    from perforch.settings import ModelSettings

    Complete = Callable[[ModelSettings, Prompt], Awaitable[Reply]]

BATCH = 40  # questions that are asked, then compiled and run together
_UNANSWERED = {ReplyKind.ERROR, ReplyKind.OVER_BUDGET}


@dataclass(frozen=True, slots=True)
class Done:
    """One item that has an outcome."""

    key: str
    outcome: Outcome
    detail: str
    version: str
    cost_usd: float
    seconds: float

    @property
    def success(self) -> bool:
        """The tests passed."""
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
                one = Done(**{**document, "outcome": Outcome(document["outcome"])})
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
        answers = await asyncio.gather(*(complete(item.model, prompt(item)) for item in batch))
        asked = list(zip(batch, answers, strict=True))
        unanswered += [
            f"{item.model.name}, {item.stage}, {item.problem.id}: {answer.detail or answer.kind}"
            for item, answer in asked
            if answer.kind in _UNANSWERED
        ]
        answered = [(item, answer) for item, answer in asked if answer.kind not in _UNANSWERED]
        progress.add(_outcomes(answered, checker))
        step(len(batch))
    return tuple(unanswered)


def prompt(item: Item) -> Prompt:
    """The question, as the product asks it; hidden tests are not shown, examples are."""
    if item.stage is Stage.GENERATE:
        return render.generate(item.function, tests=item.problem.examples)
    failure = Failure(test=item.problem.name, message="The tests of this function fail.")
    return render.fix(item.function, failures=(failure,), tests=item.problem.examples)


def _outcomes(answered: Sequence[tuple[Item, Reply]], checker: Checker) -> list[Done]:
    found: list[Done] = []
    programs: list[tuple[Program, Item, Reply]] = []
    for place, (item, answer) in enumerate(answered):
        parsed = replies.parse(
            answer.text, item.function, item.problem.language, head_source=item.file, stage=item.stage
        )
        if isinstance(parsed, replies.Refusal) or answer.kind is not ReplyKind.TEXT:
            detail = parsed.detail if isinstance(parsed, replies.Refusal) else str(answer.kind)
            found.append(_done(item, answer, Outcome.INVALID_REPLY, detail))
            continue
        code = replies.splice(item.file, item.function, parsed).decode()
        repeats = VARYING.get(item.problem.id, 1)
        programs.append((Program(f"k{place}", item.problem, code, repeats), item, answer))
    checked = checker.check([program for program, _, _ in programs])
    for program, item, answer in programs:
        verdict = checked[program.key]
        # Where even the right solution fails now and then, one pass is enough.
        passed = verdict.state == "passed" or (verdict.state == "flaky" and verdict.passes > 0)
        kind = Outcome.DOES_NOT_COMPILE if verdict.kind == "compile" else Outcome.TESTS_FAILED
        found.append(_done(item, answer, Outcome.ACCEPTED if passed else kind, verdict.detail))
    return found


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
            metric="correctness",
            language=item.problem.language.value,
            tags=item.problem.categories,
            attempts=1,
            successes=int(done.success),
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
        if (done := progress.done.get(item.key)) is not None
    )


def rates(items: Sequence[Item], progress: Progress) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Successes and attempts by model, stage and language."""
    counts: dict[tuple[str, str, str], tuple[int, int]] = {}
    for item in items:
        done = progress.done.get(item.key)
        if done is None:
            continue
        key = (item.model.name, str(item.stage), str(item.problem.language))
        good, total = counts.get(key, (0, 0))
        counts[key] = (good + int(done.success), total + 1)
    return counts


def measured_seconds(paths: Iterable[Path]) -> Mapping[str, float]:
    """Seconds of items from the progress files of earlier profiles."""
    return {key: done.seconds for path in paths for key, done in Progress(path).done.items()}
