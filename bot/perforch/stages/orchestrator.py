"""A whole run: repository in, `Result` out. LLM calls of different functions run at once, benchmarks one at a time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import perforch
from perforch.categories.local import classify
from perforch.changes.find import find
from perforch.changes.hunks import hunks
from perforch.errors import PerforchError, SandboxUnavailableError, ToolMissingError
from perforch.result import Outcome, Result, Skipped, Stage, Verdict
from perforch.sandbox import reader
from perforch.sandbox.toolchains import versions
from perforch.stages import owned
from perforch.stages.asking import Asking
from perforch.stages.baselines import Baselines
from perforch.stages.bench import Bench
from perforch.stages.context import Context, Subject, Version
from perforch.stages.environment import environment
from perforch.stages.journal import Journal
from perforch.stages.selection import printable, select
from perforch.stages.stopping import run as run_until_stopped
from perforch.stages.turns import PLACE, Turns
from perforch.stages.walk import Walked, unwalked, walk
from perforch.stages.workspace import Workspace
from perforch.workloads.find import exercise
from perforch.workloads.unavailable import available

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from perforch.changes.function import Function
    from perforch.changes.git import Git
    from perforch.sandbox.spec import Sandbox
    from perforch.settings import Settings
    from perforch.workloads.options import Options

KEY_HINT = (
    "No model is configured, so nothing was refined. To add one, put a `models:` entry into .github/perforch.yml on the base "
    "branch, such as {name: gpt-5.6, provider: openai, api_key_env: OPENAI_API_KEY}."
)
INTERRUPTED = (
    "The run was interrupted; the same command goes on where it stopped and pays for no reply twice."
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes:
        base, head: commit ids.
        functions: keys `path::name`; empty means all that changed.
        stage: the stage the user asked for; None chooses by what the tests say.
        out: where the journal, the reply store and the work trees lie.
        keyring: where API keys are looked up.
    """

    git: Git
    base: str
    head: str
    settings: Settings
    out: Path
    functions: tuple[str, ...] = ()
    stage: Stage | None = None
    keyring: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def identity(self) -> str:
        """What the journal belongs to: the question, not the moment."""
        parts = (
            perforch.__version__,
            str(self.git.root),
            self.base,
            self.head,
            self.settings.model_dump_json(),
            "\0".join(self.functions),
            str(self.stage),
        )
        return hashlib.sha256("\0\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


class InterruptedRunError(PerforchError):
    """The run was ended by a signal; `result` holds what was finished."""

    exit_code = 130

    def __init__(self, result: Result) -> None:
        super().__init__("interrupted")
        self.result = result


def optimize(request: Request, sandbox: Sandbox, options: Options, say: Callable[[str, str], None]) -> Result:
    """Run the main job.

    Args:
        sandbox: where everything untrusted runs.
        say: takes one line of progress: which function, what happens.

    Raises:
        RepositoryError, UsageError: the request does not fit the repository.
        SandboxUnavailableError: the sandbox stopped working.
        InterruptedRunError: KeyboardInterrupt came while functions were worked on.
    """
    started = time.monotonic()
    say("", "finding changed functions")
    settings = request.settings
    changes = find(
        request.git, request.base, request.head, include=settings.include, exclude=settings.exclude
    )
    chosen, skipped = select(request.git, changes, settings, request.functions)
    journal = Journal(request.out / "journal.sqlite", request.identity)
    try:
        with Asking(
            settings,
            request.out,
            run=journal.token,
            functions=len(chosen),
            repository=owned.evidence(request.git, request.base, request.out / "evidence"),
            environment=request.keyring,
        ) as asking:
            workspace = Workspace.fresh(request.out / "work")
            run = _Run(request, sandbox, options, say, journal, workspace, asking, len(chosen))
            notes = [*changes.warnings, *asking.notes]
            interrupted = False
            try:
                run_until_stopped(run.all(chosen, hunks(request.git.diff(changes.merge_base, changes.head))))
            except KeyboardInterrupt:
                interrupted = True
                notes.append(INTERRUPTED)
            walked = [
                run.walked.get(number) or _unfinished(function) for number, function in enumerate(chosen)
            ]
            if not settings.models:
                notes.append(KEY_HINT)
            if run.bench.canaries.alarm:
                notes.insert(0, run.bench.canaries.alarm)
            result = Result(
                perforch=perforch.__version__,
                repo=request.git.remote_slug(),
                base_sha=changes.merge_base,
                head_sha=changes.head,
                metric=settings.metric,
                functions=tuple(item.result for item in walked),
                regressions=tuple(item.regression for item in walked if item.regression is not None),
                skipped=(
                    *(
                        Skipped(path=printable(skip.path), name=skip.name, reason=skip.reason)
                        for skip in changes.skipped
                    ),
                    *skipped,
                ),
                totals=asking.totals(item.result for item in walked).model_copy(
                    update={"seconds": round(time.monotonic() - started, 1)}
                ),
                canaries=run.bench.canaries,
                environment=environment(sandbox, versions({function.language.value for function in chosen})),
                notes=tuple(notes),
            )
        if interrupted:
            raise InterruptedRunError(result)
        journal.finish()
        workspace.clear()
        return result
    finally:
        journal.close()


class _Run:
    """The moving parts of one run."""

    def __init__(
        self,
        request: Request,
        sandbox: Sandbox,
        options: Options,
        say: Callable[[str, str], None],
        journal: Journal,
        workspace: Workspace,
        asking: Asking,
        functions: int,
    ) -> None:
        self._request = request
        self._sandbox = sandbox
        self._options = options
        self._say = say
        self._journal = journal
        self._workspace = workspace
        self._asking = asking
        settings = request.settings
        self.walked: dict[int, Walked] = {}  # by the function's number; filled as the functions are finished
        self.bench = Bench(
            sandbox=sandbox,
            acceptance=settings.acceptance,
            metric=settings.metric,
            journal=journal,
            rows=2 * functions,  # a refined row and a base-against-head row each
        )

    async def all(self, functions: Sequence[Function], shown: dict[str, tuple[tuple[int, int], ...]]) -> None:
        """Walk every function; one that fails does not stop the others.

        Raises:
            SandboxUnavailableError: no function could be worked on because of it.
        """
        if not functions:
            return
        settings = self._request.settings
        self._say("", "checking out the head revision")
        head = self._workspace.checkout(self._request.git, self._request.head, "head")
        context = Context(
            settings=settings,
            journal=self._journal,
            workspace=self._workspace,
            head=head,
            complete=self._asking.complete,
            order=self._asking.order,
            labels=self._asking.labels,
            bench=self.bench,
            say=self._say,
            # A benchmark drives the others from its CPU; until there is one, all of them build and test.
            workers=Turns(len(os.sched_getaffinity(0))),
            models=self._asking.models,
        )
        baselines = Baselines(context)
        walks = [
            self._one(context, baselines, number, function, shown)
            for number, function in enumerate(functions)
        ]
        endings = await asyncio.gather(*walks, return_exceptions=True)
        errors = {number: error for number, error in enumerate(endings) if error is not None}
        closed = [error for error in errors.values() if isinstance(error, SandboxUnavailableError)]
        if len(closed) == len(functions):
            raise closed[0]
        for number, error in errors.items():
            self.walked[number] = _broken(functions[number], error)

    async def _one(
        self,
        context: Context,
        baselines: Baselines,
        number: int,
        function: Function,
        shown: dict[str, tuple[tuple[int, int], ...]],
    ) -> None:
        PLACE.set(number)
        found = await context.work(
            exercise, self._sandbox, context.settings, context.head, function, options=self._options
        )
        file = reader.load(context.head.source, function.path)
        standard = await baselines.of(found)
        found = available(found, standard.report, function)
        version = Version(context.head, function, file, standard)
        subject = Subject(exercise=found, head=version, categories=classify(function))
        walked = await walk(context, subject, shown, self._request.stage)
        self.walked[number] = walked
        context.say(subject.key, str(walked.result.verdict))


def _broken(function: Function, error: BaseException) -> Walked:
    """What a function ends with when its walk could not be finished."""
    if isinstance(error, ToolMissingError):
        reason = f"{error.message}; {error.hint}" if error.hint else error.message
        return Walked(unwalked(function, Verdict.NOT_MEASURABLE, reason))
    if isinstance(error, PerforchError):
        return Walked(unwalked(function, Verdict.FAILED, error.message))
    if os.environ.get("PERFORCH_DEBUG") or not isinstance(error, Exception):
        raise error
    reason = f"unexpected {type(error).__name__}, a bug in perforch: {error}"
    return Walked(unwalked(function, Verdict.FAILED, printable(reason)[:2000]))


def _unfinished(function: Function) -> Walked:
    reason = "the run was interrupted before this function was finished"
    return Walked(unwalked(function, Verdict.SKIPPED, reason))


def nothing_done(result: Result) -> bool:
    """True when the budget kept every call from being made."""
    attempts = [attempt for function in result.functions for attempt in function.attempts]
    return bool(attempts) and all(attempt.outcome is Outcome.OVER_BUDGET for attempt in attempts)
