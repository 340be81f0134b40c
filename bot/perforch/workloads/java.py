"""Java: plain javac, Maven and Gradle layouts; tests by a reflective harness, or by Maven where there is a pom.xml."""

from __future__ import annotations

import secrets
import shlex
import threading
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, Command, Limits
from perforch.workloads import builds, java_build, java_maven, java_profile, java_project, java_report
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.naming import callers, is_generic, naming
from perforch.workloads.options import DEFAULT, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Mount, Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.java_build import Build
    from perforch.workloads.java_project import Case, Project
    from perforch.workloads.model import TestOutcome, Tree

MAX_TESTS = 200
MIN_MS = 800.0  # shorter runs of a JVM are mostly class loading and the work of its compiler threads
_RESTARTS = 10


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> JavaRunner | None:
    """A runner for the nearest project above `path`."""
    project = java_project.find(tree, path, settings)
    return None if project is None else JavaRunner(sandbox, settings, project, options)


class JavaRunner:
    """Tests and workloads of one Java project."""

    def __init__(
        self,
        sandbox: Sandbox,
        settings: LanguageSettings | None,
        project: Project,
        options: Options = DEFAULT,
    ) -> None:
        self._sandbox = sandbox
        self._settings = settings
        self._project = project
        self._options = options
        self._lock = threading.Lock()
        self._builds = java_build.Builds(sandbox, project)
        self._surefire = True  # by the first tree's tests
        self._alone: dict[
            frozenset[str], tuple[str, ...]
        ] = {}  # those that run in our harness, by what was asked

    @property
    def name(self) -> str:
        """The build system."""
        return self._project.kind

    @property
    def root(self) -> str:
        """What tells this project from others."""
        return self._project.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids (`Class#method`, or `Class` for a main method) of the tests that name the function, or a caller in its file."""
        simple = function.simple_name
        owner = function.name.rpartition(".")[0].rpartition(".")[2]
        cases = self._cases(tree)
        files = {case.path: builds.read(tree.source, case.path) for case in cases}
        own = files.pop(function.path, b"")
        found = self._naming(cases, files, {simple}, owner)
        if not found:
            others = callers(Language.JAVA, builds.read(tree.source, function.path), simple)
            found = self._naming(cases, files, set(others), owner) if others else ()
        if not found and own:
            found = self._naming(cases, {function.path: own}, {simple}, owner)
        if self._project.test:
            build = self._built(tree)
            ours = {case.id for case in cases if case.path not in build.lacks} if build.classpath else set()
            if not ours or (found and not ours & set(found)):
                return (self._project.whole,)  # what the command does is not known; it is the one test
            found = tuple(test for test in found if test in ours)
        return found[:MAX_TESTS]

    @staticmethod
    def _naming(
        cases: Sequence[Case], files: dict[str, bytes], names: set[str], owner: str
    ) -> tuple[str, ...]:
        generic = any(is_generic(name) or name == owner for name in names)
        context = {owner} if owner and generic else set()
        ids: list[str] = []
        for one in naming(Language.JAVA, files, names, context=context):
            ids += [
                case.id
                for case in cases
                if case.path == one.path and case.method and case.start == one.definition.start_byte
            ]
        for case in cases:
            if case.method or case.path not in files:
                continue
            # Whatever a main method reaches in its own file counts as its text.
            text = files[case.path]
            mentioned = syntax.identifiers(Language.JAVA, text)
            if mentioned & names and (not context or mentioned & context):
                ids.append(case.id)
        return tuple(dict.fromkeys(ids))

    def _cases(self, tree: Tree) -> tuple[Case, ...]:
        """Everything that runs: test methods, main methods in test files, checking main methods elsewhere."""
        found: list[Case] = []
        for path, text in java_project.sources(tree, self._project).items():
            if not any(word in text for word in (b"@Test", b"Test;", b" main(", b"junit")):
                continue
            test = syntax.is_test_path(path) or PurePosixPath(path).stem.startswith("Test")
            for case in java_project.cases(path, text):
                checks = b"assert" in text or b"throw new AssertionError" in text or b"System.exit(1)" in text
                if case.method or test or checks:
                    found.append(case)
        return tuple(found)

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Compile everything and run the tests, assertions switched on."""
        build = self._built(tree)
        if self._builds.by_maven:
            return self._by_maven(build, tree, tests)
        if build.errors:
            return TestReport(built=False, outcomes={}, failures=build.errors, unavailable=build.lacks)
        cases = self._cases(tree)
        command = self._project.whole
        lacks = {case.id: build.lacks[case.path] for case in cases if case.path in build.lacks}
        chosen = tests if tests is not None else [case.id for case in cases]
        chosen = [test for test in chosen if test != command]
        left = [test for test in chosen if test not in lacks] if build.classpath else []
        report = self._run(build, left)
        if command and (tests is None or command in tests):
            # The first tree's build has run the tests already where nothing else builds.
            done = java_build.whole(self._sandbox, self._project, tree, self._options.test_seconds)
            report = java_report.beside(report, command, done)
        return java_report.without(report, {test: lacks[test] for test in chosen if test in lacks})

    def _by_maven(self, build: Build, tree: Tree, tests: Sequence[str] | None) -> TestReport:
        """Surefire's report; what it says passed must also pass in our harness where the first tree's tests do.

        The tests of a candidate may write Surefire's reports, but not ours.
        """
        if self._surefire:
            report = java_maven.test(self._sandbox, self._project, tree, tests, self._options.test_seconds)
            if report.unavailable and not build.errors:
                self._surefire = False  # Maven compiles, but has nothing here that runs tests
        if not self._surefire:
            return self._run(build, tests if tests is not None else [case.id for case in self._cases(tree)])
        if not report.built and not build.errors:
            # It compiles, so a test ended the process before Surefire could say anything.
            known = tests or self._alone.get(frozenset()) or [case.id for case in self._cases(tree)]
            return replace(report, built=True, outcomes=dict.fromkeys(known, "failed"))
        if not report.built or build.errors:
            return report
        first = self._alone.get(frozenset())
        asked = report.passed if first is None else report.passed & set(first)
        ours = self._run(build, sorted(asked))
        if first is None and tests is None:
            self._alone.setdefault(frozenset(), tuple(sorted(ours.passed)))
        if first is None:
            return report
        outcomes: dict[str, TestOutcome] = {**report.outcomes, **dict.fromkeys(ours.failed, "failed")}
        return replace(report, outcomes=outcomes, failures=(*report.failures, *ours.failures))

    def _run(self, build: Build, tests: Sequence[str]) -> TestReport:
        """Run to the end, in a new JVM after every test that ended the one before."""
        total = java_report.Said()
        left, stopped, seconds = tuple(tests), "", 0.0
        for _ in range(_RESTARTS):
            if not left:
                break
            mark = secrets.token_hex(16)
            done = self._sandbox.run(self._java(build, ("test", "-", *left), stdin=mark.encode() + b"\n"))
            said = java_report.read(done.stdout, mark)
            asked, left = left, ()
            if not said.ended:
                left = java_report.unfinished(said, done)
                if not said.found:
                    said.failures += [Failure(test, builds.how_it_ended(done)) for test in asked]
                    said.outcomes |= dict.fromkeys(asked, "failed")
            total.outcomes |= said.outcomes
            total.failures += said.failures
            stopped, seconds = stopped or done.stopped, seconds + done.seconds
            if done.stopped:
                break
        for test in left:
            total.outcomes[test] = "failed"
            total.failures.append(Failure(test, "not reached"))
        for test in tests:
            if test not in total.outcomes and not any(one.startswith(test + "#") for one in total.outcomes):
                total.outcomes[test] = "failed"
                total.failures.append(Failure(test, "this test was not found"))
        return TestReport(
            built=True,
            outcomes=total.outcomes,
            failures=tuple(total.failures[:50]),
            stopped=stopped,
            seconds=seconds,
        )

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """One JVM that runs the tests `repeat` times; at least `MIN_MS` of work, whatever is asked."""
        build = self._built(tree)
        if build.errors or not build.classpath or not tests:
            return None
        tests = self._runnable(build, tests)
        if not tests:
            return None
        count = self._count(build, tests, min_ms) if repeat is None else repeat
        if repeat is not None and not self._sandbox.run(self._timed_command(build, tests, repeat)).ok:
            return None
        if count is None:
            return None
        return TimedCommand(
            self._timed_command(build, tests, count), count, self._description(tests, count), threads=2
        )

    def _runnable(self, build: Build, tests: Sequence[str]) -> tuple[str, ...]:
        """The tests that are timed: all of them must pass. Where others run the tests, those that our harness cannot run are left out,
        the same for every tree."""
        report = self._run(build, tests)
        passed = report.passed
        kept = tuple(test for test in tests if test in passed)
        if report.failed and not (self._builds.by_maven or self._project.test):
            return ()
        with self._lock:
            first = self._alone.setdefault(frozenset(tests), kept)
        return first if set(first) <= passed else ()

    def _count(self, build: Build, tests: Sequence[str], min_ms: float) -> int | None:
        return builds.calibrated(
            self._sandbox, lambda times: self._timed_command(build, tests, times), max(min_ms, MIN_MS)
        )

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First against later rounds in one JVM. The first round of any Java code is slow: compare with the baseline's."""
        build = self._built(tree)
        tests = self._alone.get(frozenset(tests), tuple(tests))
        if build.errors or not tests:
            return None
        mark = secrets.token_hex(8)
        command = self._timed_command(build, tests, max(2, repeat), mark=mark, mode="cold")
        done = self._sandbox.run(command)
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == mark and done.ok and float(words[2]) > 0:
                return ColdCheck(float(words[1]), float(words[2]))
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """The lines of the function on which most of the time goes, by samples."""
        build = self._built(tree)
        tests = self._alone.get(frozenset(tests), tuple(tests))
        if build.errors or not build.classpath or not tests:
            return ""
        count = self._count(build, tests, MIN_MS)
        mounted = java_profile.compiled(self._sandbox, build)
        if count is None or mounted is None:
            return ""
        mark = secrets.token_hex(8)
        source = builds.read(tree.source, function.path)
        arguments = java_profile.arguments(function, source, mark, count, tests)
        done = self._sandbox.run(self._java(build, arguments, profiler=mounted))
        return java_profile.described(done.stdout, mark, source)

    def _built(self, tree: Tree) -> Build:
        tests = {case.path for case in self._cases(tree) if not case.method}
        edits = {}
        for path in tests:
            text = builds.read(tree.source, path)
            new = java_project.without_exit(text)
            if new != text:
                edits[path] = new
        return self._builds.of(tree, edits)

    def _java(
        self, build: Build, arguments: tuple[str, ...], *, stdin: bytes = b"", profiler: Mount | None = None
    ) -> Command:
        main, path = "perforch.Harness", build.classpath
        if profiler is not None:
            main, path = "perforch.Profile", f"{profiler.target}:{path}"
        return Command(
            argv=("java", *java_build.OPTIONS, "-ea", "-cp", path, main, *arguments),
            cwd=self._project.home,
            mounts=(*build.place.mounts(writable=False), *build.mounts, *((profiler,) if profiler else ())),
            limits=Limits(wall_seconds=self._options.test_seconds, memory_bytes=3 * 1024**3),
            stdin=stdin,
        )

    def _timed_command(
        self, build: Build, tests: Sequence[str], times: int, *, mark: str = "", mode: str = "timed"
    ) -> Command:
        mark = mark or secrets.token_hex(8)
        plain = self._java(build, (mode, mark, str(times), "/tmp/perforch-end", *tests))
        text = builds.script([plain.argv], mark=mark, ends=1)
        text += '\ncat "$e"' if mode == "cold" else ""
        return Command(
            argv=("/bin/sh", "-c", text),
            cwd=plain.cwd,
            mounts=plain.mounts,
            limits=plain.limits,
            env=plain.env,
        )

    def _description(self, tests: Sequence[str], count: int) -> str:
        shown = " ".join(tests[:5]) + (" ..." if len(tests) > 5 else "")
        times = f"  # {count} times in one JVM" if count > 1 else ""
        where = f"cd {self._project.root} && " if self._project.root else ""
        if self._project.test or self._project.build:
            commands = " && ".join(filter(None, (shlex.join(self._project.build), self._project.whole)))
            return f"{commands}  # {shown}{times}"
        if self._builds.by_maven:
            return f"{where}mvn test -Dtest={','.join(tests[:5])}{times}"
        if self._project.kind == "gradle":
            return f"{where}gradle test {' '.join('--tests ' + test.replace('#', '.') for test in tests[:5])}{times}"
        return f"{where}java -ea -cp {OUTPUT.lstrip('/')}/classes {shown}{times}"
