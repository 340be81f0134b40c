"""Commands from `.github/perforch.yml`: a workload for one function, or a language's own test command."""

from __future__ import annotations

import shlex
import threading
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount
from perforch.workloads import trees
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.settings import LanguageSettings, WorkloadSettings
    from perforch.workloads.model import Exercise, Tree

CUSTOM = "custom"  # id of the one test that an unknown test command is
WORKLOAD = "workload"  # id of a workload that has no tests beside it
BUILD_LIMITS = Limits(wall_seconds=600.0, memory_bytes=4 * 1024**3)
_KNOWN = {
    Language.PYTHON: {"pytest", "py.test", "unittest"},
    Language.GO: {"go"},
    Language.RUST: {"cargo"},
}


def recognised(language: Language, argv: Sequence[str]) -> bool:
    """Is this a test command whose results the language's runner can read?"""
    if language in {Language.CPP, Language.JAVA}:
        return True  # the runner sees which programs a command starts, or which classes it leaves
    words = [PurePosixPath(word).name for word in argv]
    if language is Language.PYTHON:
        if words[0].startswith("python"):
            return words[1:2] == ["-m"] and words[2:3] != [] and words[2] in _KNOWN[language]
        return words[0] in {"pytest", "py.test"}
    return words[0] in _KNOWN[language] and "test" in words[1:]


class _Commands:
    """Builds and runs argument lists in a private copy of a tree, from the repository's root."""

    def __init__(self, sandbox: Sandbox, build: Sequence[str] | None, options: Options) -> None:
        self._sandbox = sandbox
        self._build = tuple(build or ())
        self._options = options

    def built(self, tree: Tree, kind: str) -> Completed | None:
        """Build in a fresh copy; None when nothing is to be built."""
        if not self._build:
            trees.copied(tree, kind)
            return None
        return self._sandbox.run(self.command(tree, self._build, kind, writable=True, limits=BUILD_LIMITS))

    def command(
        self, tree: Tree, argv: Sequence[str], kind: str, *, writable: bool, limits: Limits | None = None
    ) -> Command:
        """A command on the copy; what is timed cannot write, so no sample can leave anything to the next one."""
        output = trees.private(tree, f"{kind}-out")
        mounts = (
            Mount(trees.copied(tree, kind), SOURCE, writable),
            Mount(output, OUTPUT, writable),
        )
        return Command(
            argv=tuple(argv),
            cwd=SOURCE,
            mounts=mounts,
            limits=limits or Limits(wall_seconds=self._options.test_seconds),
        )


class ConfiguredRunner:
    """A `workloads:` entry: `build` once a tree, `command` once a sample. The tests that name the function guard it."""

    name = "configured"

    def __init__(
        self, sandbox: Sandbox, entry: WorkloadSettings, tested: Exercise, options: Options = DEFAULT
    ) -> None:
        self._sandbox = sandbox
        self._entry = entry
        self._tested = tested
        self._commands = _Commands(sandbox, entry.build, options)
        self._lock = threading.Lock()
        self._printed: bytes | None = None  # by the first tree; empty when it differs from run to run

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids of the tests that name the function; the workload itself when none does."""
        return self._tested.tests or (WORKLOAD,)

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Run the tests, or the workload as a test when there are none: by its exit status, and by what it prints if the first tree
        prints the same twice."""
        if self._tested.runner is not None:
            return self._tested.runner.test(tree, tests)
        build = self._built(tree)
        if build is not None and not build.ok:
            return _failed_build(build)
        done = self._run(tree)
        report = _by_status(done, WORKLOAD)
        if not report.passed:
            return report
        with self._lock:
            if self._printed is None:
                again = self._run(tree)
                self._printed = done.stdout if again.ok and again.stdout == done.stdout else b""
        if self._printed and done.stdout != self._printed:
            message = "the workload prints something else than on the head revision"
            return _failed(report, Failure(WORKLOAD, message, trimmed(done.stdout)))
        return report

    def _built(self, tree: Tree) -> Completed | None:
        try:
            return self._commands.built(tree, "workload")
        except ToolMissingError as error:
            raise self._named(error, "build") from None

    def _run(self, tree: Tree) -> Completed:
        try:
            return self._sandbox.run(
                self._commands.command(tree, self._entry.command, "workload", writable=False)
            )
        except ToolMissingError as error:
            raise self._named(error, "command") from None

    def _named(self, error: ToolMissingError, key: str) -> ToolMissingError:
        where = f"the {key} of the workload {self._entry.function} in .github/perforch.yml"
        return ToolMissingError(f"{where} cannot be run: {error.message}", hint=error.hint)

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The command as it is written; one run a sample."""
        build = self._built(tree)
        if (build is not None and not build.ok) or not self._run(tree).ok:
            return None
        command = self._commands.command(tree, self._entry.command, "workload", writable=False)
        return TimedCommand(command=command, repeat=1, description=shlex.join(self._entry.command))

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """Every sample is a first call."""
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """The tests' profile when there are tests."""
        runner = self._tested.runner
        return runner.profile(tree, tests, function) if runner is not None else ""


class CustomTestRunner:
    """A configured test command of a kind we do not know: one test, judged by its exit status."""

    name = CUSTOM

    def __init__(
        self,
        sandbox: Sandbox,
        settings: LanguageSettings | None,
        project_root: str,
        options: Options = DEFAULT,
    ) -> None:
        assert settings is not None
        assert settings.test is not None
        self._sandbox = sandbox
        self._argv = settings.test
        self._commands = _Commands(sandbox, settings.build, options)

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """The one test."""
        return (CUSTOM,)

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build, then run the command; status 0 is a pass."""
        build = self._commands.built(tree, "custom")
        if build is not None and not build.ok:
            return _failed_build(build)
        return _by_status(
            self._sandbox.run(self._commands.command(tree, self._argv, "custom", writable=True)), CUSTOM
        )

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """Not timed: what an unknown command does beside the function is not known."""
        return None

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """Unknown."""
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """None."""
        return ""


def _failed_build(done: Completed) -> TestReport:
    words = trimmed(done.stderr or done.stdout) or f"the build ended with exit status {done.returncode}"
    return TestReport(
        built=False,
        outcomes={},
        failures=(Failure("build", words),),
        stopped=done.stopped,
        seconds=done.seconds,
    )


def _failed(report: TestReport, failure: Failure) -> TestReport:
    return replace(report, outcomes={failure.test: "failed"}, failures=(failure,))


def _by_status(done: Completed, test: str) -> TestReport:
    if done.ok:
        return TestReport(built=True, outcomes={test: "passed"}, seconds=done.seconds)
    how = f"stopped: {done.stopped} limit" if done.stopped else f"exit status {done.returncode}"
    trace = trimmed(done.stdout + b"\n" + done.stderr)
    return TestReport(
        built=True,
        outcomes={test: "failed"},
        failures=(Failure(test, f"the command ended with {how}", trace),),
        stopped=done.stopped,
        seconds=done.seconds,
    )
