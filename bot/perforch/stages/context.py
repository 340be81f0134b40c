"""What every stage of one run shares, and what a stage hands on about one function."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from perforch.categories.consensus import Labels
    from perforch.changes.function import Function
    from perforch.llm.model import Prompt, Reply
    from perforch.result import Attempt, Metric, Stage
    from perforch.settings import ModelSettings, Settings
    from perforch.stages.bench import Bench
    from perforch.stages.correctness import Baseline
    from perforch.stages.journal import Journal
    from perforch.stages.turns import Turns
    from perforch.stages.workspace import Workspace
    from perforch.workloads.model import Exercise, TestReport, Tree

T = TypeVar("T")


class Order(Protocol):
    """The Memory's answer: which models to ask, best first."""

    def __call__(
        self,
        *,
        stage: Stage,
        function: Function,
        categories: Sequence[str],
        failed: Sequence[str] = (),
        generator: str | None = None,
    ) -> tuple[ModelSettings, ...]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """One run.

    Attributes:
        complete: sends one prompt to one model; never raises for what a provider does.
        order: the Memory.
        labels: categories of a function about to be put to models; may ask some.
        bench: serial access to the reserved CPUs.
        say: one line of progress for people: function key, what happens.
        workers: bounds how many builds and test runs go on at once, and says which comes next.
    """

    settings: Settings
    journal: Journal
    workspace: Workspace
    head: Tree
    complete: Callable[[ModelSettings, Prompt], Awaitable[Reply]]
    order: Order
    labels: Callable[[Function], Awaitable[Labels]]
    bench: Bench
    say: Callable[[str, str], None]
    workers: Turns
    models: tuple[ModelSettings, ...] = ()

    @property
    def metric(self) -> Metric:
        """What is optimised."""
        return self.settings.metric

    async def work(self, call: Callable[..., T], *arguments: object, **keywords: object) -> T:
        """Run a build or a test in a thread, as one of a bounded number."""
        async with self.workers:
            return await asyncio.to_thread(call, *arguments, **keywords)


@dataclass(frozen=True, slots=True)
class Version:
    """One text of the function on disk: head itself, or an accepted candidate.

    Attributes:
        function: the function as it stands in this version, with its own span and source.
        file: the whole file that holds it.
        baseline: what the tests do with it.
    """

    tree: Tree
    function: Function
    file: bytes
    baseline: Baseline

    @property
    def report(self) -> TestReport:
        """The tests' report."""
        return self.baseline.report


@dataclass(slots=True)
class Subject:
    """One function on its walk through the stages; attempts are added as they are made.

    Attributes:
        head: the function as the pull request has it.
        seen: what became of each candidate text, by digest, so that the same text is not judged twice.
    """

    exercise: Exercise
    head: Version
    categories: tuple[str, ...] = ()
    agreement: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    seen: dict[str, Attempt] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """`path::name@line`, unique in the run: overloads share a name."""
        return f"{self.head.function.key}@{self.head.function.start_line}"

    def remember(self, attempt: Attempt, digest: str) -> None:
        """Add a finished attempt to the record."""
        self.attempts.append(attempt)
        if digest:
            self.seen.setdefault(digest, attempt)
