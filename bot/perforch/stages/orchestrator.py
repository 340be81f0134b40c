"""A whole run: repository in, `Result` out. LLM calls of different functions run at once, benchmarks one at a time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import perforch
from perforch.changes.find import find
from perforch.changes.hunks import hunks
from perforch.result import Outcome, Result, Skipped, Stage
from perforch.sandbox.toolchains import versions
from perforch.stages.asking import Asking
from perforch.stages.baselines import Baselines
from perforch.stages.bench import Bench
from perforch.stages.context import Context, Subject, Version
from perforch.stages.environment import environment
from perforch.stages.journal import Journal
from perforch.stages.selection import select
from perforch.stages.walk import Walked, walk
from perforch.stages.workspace import Workspace
from perforch.workloads.find import exercise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes:
        base, head: commit ids.
        functions: keys `path::name`; empty means all that changed.
        stage: the stage the user asked for; None chooses by what the tests say.
        out: where the journal, the reply store and the work trees lie.
    """

    git: Git
    base: str
    head: str
    settings: Settings
    out: Path
    functions: tuple[str, ...] = ()
    stage: Stage | None = None

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
        return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()


def optimize(request: Request, sandbox: Sandbox, options: Options, say: Callable[[str, str], None]) -> Result:
    """Run the main job.

    Args:
        sandbox: where everything untrusted runs.
        say: takes one line of progress: which function, what happens.

    Raises:
        RepositoryError, UsageError: the request does not fit the repository.
        SandboxUnavailableError: the sandbox stopped working.
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
        with Asking(settings, request.out, run=journal.token, repository=request.git.root) as asking:
            workspace = Workspace.fresh(request.out / "work")
            run = _Run(request, sandbox, options, say, journal, workspace, asking)
            walked, bench = asyncio.run(
                run.all(chosen, hunks(request.git.diff(changes.merge_base, changes.head)))
            )
            notes = [*changes.warnings, *asking.notes]
            if not settings.models:
                notes.append(KEY_HINT)
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
                        Skipped(path=skip.path, name=skip.name, reason=skip.reason)
                        for skip in changes.skipped
                    ),
                    *skipped,
                ),
                totals=asking.totals(item.result for item in walked).model_copy(
                    update={"seconds": round(time.monotonic() - started, 1)}
                ),
                canaries=bench.canaries,
                environment=environment(sandbox, versions({function.language.value for function in chosen})),
                notes=tuple(notes),
            )
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
    ) -> None:
        self._request = request
        self._sandbox = sandbox
        self._options = options
        self._say = say
        self._journal = journal
        self._workspace = workspace
        self._asking = asking

    async def all(
        self, functions: Sequence[Function], shown: dict[str, tuple[tuple[int, int], ...]]
    ) -> tuple[list[Walked], Bench]:
        """Walk every function; one that fails does not stop the others."""
        settings = self._request.settings
        bench = Bench(
            sandbox=self._sandbox,
            acceptance=settings.acceptance,
            metric=settings.metric,
            journal=self._journal,
            rows=2 * len(functions),  # a refined row and a base-against-head row each
        )
        if not functions:
            return [], bench
        self._say("", "checking out the head revision")
        head = self._workspace.checkout(self._request.git, self._request.head, "head")
        context = Context(
            settings=settings,
            journal=self._journal,
            workspace=self._workspace,
            head=head,
            complete=self._asking.complete,
            order=self._asking.order,
            bench=bench,
            say=self._say,
            # One CPU is left to the benchmark and one thread of work fills each of the others.
            workers=asyncio.Semaphore(max(1, (os.cpu_count() or 2) - 1)),
            models=self._asking.models,
        )
        baselines = Baselines(context)
        walks = [self._one(context, baselines, function, shown) for function in functions]
        return list(await asyncio.gather(*walks)), bench

    async def _one(
        self,
        context: Context,
        baselines: Baselines,
        function: Function,
        shown: dict[str, tuple[tuple[int, int], ...]],
    ) -> Walked:
        found = await context.work(
            exercise, self._sandbox, context.settings, context.head, function, options=self._options
        )
        file = (context.head.source / function.path).read_bytes()
        version = Version(context.head, function, file, await baselines.of(found))
        subject = Subject(exercise=found, head=version)
        if found.runner is not None:
            subject.categories = await self._asking.categories(function)
        walked = await walk(context, subject, shown, self._request.stage)
        context.say(subject.key, str(walked.result.verdict))
        return walked


def nothing_done(result: Result) -> bool:
    """True when the budget kept every call from being made."""
    attempts = [attempt for function in result.functions for attempt in function.attempts]
    return bool(attempts) and all(attempt.outcome is Outcome.OVER_BUDGET for attempt in attempts)
