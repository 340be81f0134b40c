"""Java: Maven, Gradle and plain javac projects. Tests run by reflection in our harness, repeated in one JVM for timing."""

from __future__ import annotations

import base64
import secrets
import threading
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import Command, Limits
from perforch.workloads import builds, java_project
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.naming import callers, is_generic, naming
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.java_project import Build, Project
    from perforch.workloads.model import TestOutcome, Tree

MAX_TESTS = 200
MIN_MS = 600.0  # below this a run is mostly class loading and compilation
THREADS = 2  # the compiler threads work beside the program
# One collector and a fixed heap, so that both sides differ by the program only.
JVM = ("-ea", "-XX:+UseSerialGC", "-Xshare:auto", "-Xms128m", "-Xmx1g", "-XX:-UsePerfData")
_HARNESS = Path(__file__).parent / "harness" / "java"


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> JavaRunner | None:
    """A runner for the nearest project above `path`."""
    return JavaRunner(sandbox, settings, java_project.find(tree, path), options)


class JavaRunner:
    """Tests of one project."""

    def __init__(
        self, sandbox: Sandbox, settings: LanguageSettings | None, project: Project, options: Options = DEFAULT
    ) -> None:
        self._sandbox = sandbox
        self._project = project
        self._options = options
        self._lock = threading.Lock()
        self._builds: dict[str, tuple[threading.Lock, list[Build]]] = {}

    @property
    def name(self) -> str:
        """The build system."""
        return self._project.system

    @property
    def root(self) -> str:
        """What tells this project from others."""
        return self._project.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids of the tests that name the method (and its class, where the method's name says little), or a caller in its class."""
        cases = java_project.cases(tree, self._project.root)
        files = {path: builds.read(tree.source / path) for path in cases}
        owner = function.name.rpartition(".")[0].rpartition(".")[2]
        simple = function.simple_name
        names = {simple}
        context = {owner} if is_generic(simple) or simple == owner else {owner, PurePosixPath(function.path).stem}
        found = self._mentioned(cases, files, names, context)
        if not found:
            others = callers(Language.JAVA, builds.read(tree.source / function.path), simple)
            found = self._mentioned(cases, files, set(others), context) if others else ()
        return found[:MAX_TESTS]

    @staticmethod
    def _mentioned(
        cases: dict[str, tuple[str, ...]], files: dict[str, bytes], names: set[str], context: set[str]
    ) -> tuple[str, ...]:
        found: list[str] = []
        for one in naming(Language.JAVA, files, names, context=context):
            package = java_project.package_of(files[one.path])
            prefix = f"{package}." if package else ""
            found.append(f"{prefix}{one.definition.owner.replace('.', '$')}#{one.definition.simple_name}")
        for path, ids in cases.items():
            whole = [test for test in ids if "#" not in test]
            if whole:
                mentioned = syntax.identifiers(Language.JAVA, files[path])
                if mentioned & names and mentioned & context:
                    found += whole
        return tuple(dict.fromkeys(found))

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Compile and run the tests, each class with a main method in a JVM of its own."""
        build = self._built(tree)
        if not build.ok:
            return TestReport(built=False, outcomes={}, failures=build.errors)
        every = [test for ids in java_project.cases(tree, self._project.root).values() for test in ids]
        chosen = every if tests is None else list(tests)
        outcomes: dict[str, TestOutcome] = {}
        failures: list[Failure] = []
        stopped, seconds = "", 0.0
        methods = [test for test in chosen if "#" in test]
        for group in ([methods] if methods else []) + [[test] for test in chosen if "#" not in test]:
            done, found = self._run(build, group)
            stopped, seconds = stopped or done.stopped, seconds + done.seconds
            for test in group:
                outcome, message, trace = found.get(test, self._missing(test, done))
                outcomes[test] = outcome
                if outcome == "failed":
                    failures.append(Failure(test, message, trace))
        return TestReport(True, outcomes, tuple(failures[:50]), stopped, seconds)

    @staticmethod
    def _missing(test: str, done: Completed) -> tuple[TestOutcome, str, str]:
        # A program of its own may end with System.exit(0); a method of a test class may not.
        if "#" not in test and done.ok:
            return "passed", "", ""
        said = trimmed(done.stderr)
        return "failed", f"{builds.how_it_ended(done)}{': ' + said if said else ''}", ""

    def _run(self, build: Build, tests: Sequence[str]) -> tuple[Completed, dict[str, tuple[TestOutcome, str, str]]]:
        nonce = secrets.token_hex(8)
        done = self._sandbox.run(self._java(build, ("run", nonce, "1", *tests)))
        found: dict[str, tuple[TestOutcome, str, str]] = {}
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            parts = line.split("\t")
            if parts[0] != nonce or len(parts) != 4 or parts[1] not in {"passed", "failed", "skipped"}:
                continue
            trace = base64.b64decode(parts[3]).decode("utf-8", "replace") if parts[3] else ""
            message = trimmed(trace.split("\n\tat ", 1)[0])
            found[parts[2]] = (parts[1], message, trimmed(trace))  # type: ignore[assignment]
        return done, found

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The tests in one JVM, repeated; at least 600 ms, since shorter runs are mostly warming up."""
        build = self._built(tree)
        if not build.ok or not tests:
            return None
        count = repeat
        if count is None:
            count = builds.calibrated(
                self._sandbox, lambda times: self._timed_command(build, tests, times), max(min_ms, MIN_MS)
            )
        elif not self._sandbox.run(self._timed_command(build, tests, count)).ok:
            count = None
        if count is None:
            return None
        shown = " ".join(tests[:5]) + (" ..." if len(tests) > 5 else "")
        description = f"java {' '.join(JVM)} {shown}  # {count} times in one JVM"
        return TimedCommand(self._timed_command(build, tests, count), count, description, threads=THREADS)

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First round against the mean of the others."""
        build = self._built(tree)
        nonce = secrets.token_hex(8)
        done = self._sandbox.run(self._java(build, ("cold", nonce, str(max(2, repeat)), *tests)))
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            parts = line.split("\t")
            if parts[0] == nonce and len(parts) == 3 and float(parts[2]) > 0:
                return ColdCheck(float(parts[1]), float(parts[2]))
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """No profiler is run for Java."""
        return ""

    def _timed_command(self, build: Build, tests: Sequence[str], times: int) -> Command:
        nonce = secrets.token_hex(8)
        command = self._java(build, ("timed", nonce, str(times), *tests))
        script = builds.script([command.argv], mark=nonce, ends=1, env={})
        return Command(
            ("/bin/sh", "-c", script.replace(builds.END, "/tmp/perforch-end")),  # noqa: S108: inside the sandbox
            cwd=command.cwd,
            mounts=command.mounts,
            limits=command.limits,
        )

    def _java(self, build: Build, arguments: tuple[str, ...]) -> Command:
        classpath = f"{java_project.HARNESS_CLASSES}:{build.classpath}"
        return Command(
            ("java", *JVM, "-cp", classpath, "PerforchHarness", *arguments),
            cwd=self._project.home,
            mounts=build.place.mounts(writable=False),
            limits=Limits(wall_seconds=self._options.test_seconds, memory_bytes=3 * 1024**3),
        )

    def _built(self, tree: Tree) -> Build:
        place = builds.place(tree, "java")
        with self._lock:
            lock, made = self._builds.setdefault(str(place.source), (threading.Lock(), []))
        with lock:
            if not made:
                made.append(java_project.build(self._sandbox, self._project, place, _HARNESS))
            return made[0]
