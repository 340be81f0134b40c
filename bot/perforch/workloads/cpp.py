"""C++: CMake, make and single test files; main functions and framework cases, repeated by a preloaded library."""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import Command, Limits
from perforch.workloads import (
    builds,
    cpp_build,
    cpp_command,
    cpp_profile,
    cpp_project,
    cpp_record,
    cpp_report,
)
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.naming import callers, is_generic, naming
from perforch.workloads.options import DEFAULT, Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.cpp_project import Build, Program, Project
    from perforch.workloads.model import TestOutcome, Tree

MAX_TESTS = 200
_RESTARTS = 10
_TESTING = (b"main", b"TEST", b"SCENARIO", b"BOOST_")


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> CppRunner | None:
    """A runner for the CMake project, Makefile or test files above `path`."""
    project = cpp_project.find(tree, path, settings)
    return None if project is None else CppRunner(sandbox, settings, project, options)


class CppRunner:
    """Tests and workloads of one C++ project; one optimised build, with assertions, serves both."""

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
        self._builds = cpp_build.Builds(sandbox, project, options.environment_root)
        self._loops: dict[frozenset[str], bool] = {}  # repeated by whole processes, by the tests

    @property
    def name(self) -> str:
        """The build system."""
        return self._project.kind

    @property
    def root(self) -> str:
        """What tells this project from others."""
        return "\0".join((self._project.root or ".", *self._project.tests))

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids (framework case, CTest name or test file) of the tests that name the function, or a caller in its file.

        The tree is built: only the build knows which files make a test program.

        Raises:
            ToolMissingError: something that the build needs is not on this machine.
        """
        simple = function.simple_name
        parts = function.name.split("::")
        owner = parts[-2] if len(parts) > 1 and parts[-2][:1].isupper() else ""
        build = self._built(tree)
        if build.lacks.get(""):
            raise ToolMissingError(build.lacks[""])
        files = {
            path: text
            for path, text in builds.sources(tree, self._project.root, cpp_project.SUFFIXES).items()
            if any(word in text for word in _TESTING)
        }
        found = self._naming(build, files, {simple}, owner) or cpp_project.spelled(build, files, simple)
        if not found:
            others = callers(Language.CPP, builds.read(tree.source, function.path), simple)
            found = self._naming(build, files, set(others), owner) if others else ()
        return found[:MAX_TESTS]

    def _naming(
        self, build: Build, files: Mapping[str, bytes], names: set[str], owner: str
    ) -> tuple[str, ...]:
        context = {owner} if owner and any(is_generic(name) for name in names) else set()
        cases = [one.definition for one in naming(Language.CPP, files, names, context=context)]
        wanted = {name for one in cases for name in (one.name, one.simple_name)}
        ids: list[str] = []
        for program in build.programs or build.unmade:
            if program.cases:
                ids += [case for case in program.cases if cpp_command.bare(case) in wanted or case in wanted]
                continue
            if not self._project.test and cpp_command.bare(program.name) in wanted:
                ids.append(program.name)
                continue
            for path in program.sources:
                text = files.get(path, b"")
                if not text or b"main" not in text:
                    continue
                mentioned = syntax.identifiers(Language.CPP, text)
                if mentioned & names and (not context or mentioned & context):
                    ids.append(program.name)
        if not build.programs and self._project.configured:
            return (self._project.whole,)  # what the command does is not known; it is the one test
        alone = [test for test in self._project.tests if test in build.lacks or not build.programs]
        if not build.programs and not build.lacks:
            ids += [one.name for one in cases]
        if not ids or build.lacks:
            ids += [test for test in alone if syntax.identifiers(Language.CPP, files.get(test, b"")) & names]
        return tuple(dict.fromkeys(ids))

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build and run the tests."""
        build = self._built(tree)
        needed = tests is None or not set(tests) <= {one for program in build.programs for one in program.ids}
        if build.errors and (needed or not build.programs):
            return TestReport(built=False, outcomes={}, failures=build.errors, unavailable=build.lacks)
        command = self._project.whole
        if not command or (tests is not None and command not in tests):
            return cpp_report.without(self._report(build, tests), build.lacks, tests)
        report = self._report(build, None if tests is None else [one for one in tests if one != command])
        done = cpp_record.whole(
            self._sandbox,
            self._project,
            tree,
            build.place.extra,
            self._options.test_seconds + 2 * build.seconds,
        )
        return cpp_report.beside(report, command, done)

    def _report(self, build: Build, tests: Sequence[str] | None) -> TestReport:
        outcomes: dict[str, TestOutcome] = {}
        failures: list[Failure] = []
        stopped, seconds = "", 0.0
        for program in build.programs:
            chosen = program.ids if tests is None else tuple(test for test in program.ids if test in tests)
            if not chosen:
                continue
            for done, found, told in self._outcomes(build, program, chosen):
                for test, outcome in found.items():
                    outcomes[test] = "failed" if "failed" in {outcome, outcomes.get(test)} else outcome
                failures += told
                stopped, seconds = stopped or done.stopped, seconds + done.seconds
        for test in tests or ():
            if test not in outcomes:
                outcomes[test] = "failed"
                failures.append(Failure(test, "this test was not found"))
        return TestReport(
            built=True, outcomes=outcomes, failures=tuple(failures[:50]), stopped=stopped, seconds=seconds
        )

    def _outcomes(
        self, build: Build, program: Program, chosen: tuple[str, ...]
    ) -> list[tuple[Completed, dict[str, TestOutcome], list[Failure]]]:
        if program.framework != "gtest":
            return [self._one(build, program, test) for test in chosen]
        rounds = []
        left = chosen
        for _ in range(_RESTARTS):
            done = self._sandbox.run(self._checked(build, program, left))
            found, told, left = cpp_report.gtest(done, left)
            if done.ok or done.stopped or not found:
                found |= dict.fromkeys(left, "failed")
                told += [Failure(test, builds.how_it_ended(done)) for test in left]
                left = ()
            elif done.returncode and not told and not left:
                # Every case says that it passed, yet the program failed.
                found |= dict.fromkeys(found, "failed")
                told.append(cpp_report.plain(next(iter(found)), done))
            rounds.append((done, found, told))
            if not left:
                break
        else:
            rounds.append(
                (done, dict.fromkeys(left, "failed"), [Failure(test, "not reached") for test in left])
            )
        return rounds

    def _one(
        self, build: Build, program: Program, test: str
    ) -> tuple[Completed, dict[str, TestOutcome], list[Failure]]:
        done = self._sandbox.run(self._checked(build, program, (test,)))
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        if program.skip_status is not None and done.returncode == program.skip_status:
            return done, {test: "skipped"}, []
        good = bool(cpp_command.search(program.passes, text)) if program.passes else done.returncode == 0
        good = good and not (program.fails and cpp_command.search(program.fails, text))
        if (good != program.will_fail) and not done.stopped:
            return done, {test: "passed"}, []
        return done, {test: "failed"}, [cpp_report.plain(test, done)]

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The test programs one after the other, each calling its main `repeat` times; a loop of processes where main cannot be
        called again.
        """
        build = self._built(tree)
        if not tests or not set(tests) <= self._report(build, tests).passed:
            return None
        key = frozenset(tests)
        with self._lock:
            known = self._loops.get(key)
        # Both sides of a comparison are repeated in the same way: the first tree decides.
        for loop in (False, True) if known is None else (known,):
            count = self._count(build, tests, loop, min_ms) if repeat is None else repeat
            if count is None:
                continue
            command = self._timed_command(build, tests, count, loop=loop)
            again = command if repeat is not None else self._timed_command(build, tests, count + 1, loop=loop)
            if self._sandbox.run(again).ok:
                with self._lock:
                    self._loops[key] = loop
                return TimedCommand(command, count, self._description(tests, count, loop))
        return None

    def _count(self, build: Build, tests: Sequence[str], loop: bool, min_ms: float) -> int | None:
        if not loop and any(program.once for program in self._chosen(build, tests)):
            return None
        return builds.calibrated(
            self._sandbox, lambda times: self._timed_command(build, tests, times, loop=loop), min_ms
        )

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First against later calls of main, as the preloaded library saw them."""
        build = self._built(tree)
        if any(program.once for program in self._chosen(build, tests)):
            return None
        mark = secrets.token_hex(8)
        done = self._sandbox.run(self._timed_command(build, tests, max(2, repeat), mark=mark, cold=True))
        first = rest = 0.0
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == mark:
                first, rest = first + float(words[1]), rest + float(words[2])
        return ColdCheck(first, rest) if done.ok and rest > 0 else None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """The lines of the function that run most often, with counts."""
        return cpp_profile.profile(
            self._sandbox,
            self._project,
            tree,
            self._built(tree),
            tests,
            function,
            checkout=self._options.environment_root,
            seconds=self._options.test_seconds,
        )

    def _built(self, tree: Tree) -> Build:
        return self._builds.of(tree)

    def _chosen(self, build: Build, tests: Sequence[str]) -> list[Program]:
        return [program for program in build.programs if any(test in program.ids for test in tests)]

    def _command(self, build: Build, program: Program | None, text: str, env: Mapping[str, str]) -> Command:
        return Command(
            argv=("/bin/sh", "-c", text),
            cwd=program.cwd if program else self._project.home,
            env=env,
            mounts=(*build.place.mounts(writable=False), cpp_build.preload(self._sandbox, build.place)),
            limits=Limits(wall_seconds=self._options.test_seconds),
        )

    def _checked(self, build: Build, program: Program, chosen: tuple[str, ...]) -> Command:
        """One run that ends with status 97 when main did not return."""
        words = cpp_command.line(program, chosen)
        if program.may_exit:
            return self._command(build, program, f"exec {words}", program.env)
        mark = secrets.token_hex(8)
        text = (
            f"{cpp_command.preloaded(mark, 1)} {words}; s=$?; [ $s = 0 ] || exit $s\n"
            f'read -r m rest <{cpp_command.END} && [ "$m" = {mark} ] || exit {cpp_report.LEFT_EARLY}'
        )
        return self._command(build, program, text, program.env)

    def _timed_command(
        self,
        build: Build,
        tests: Sequence[str],
        times: int,
        *,
        loop: bool = False,
        mark: str = "",
        cold: bool = False,
    ) -> Command:
        mark = mark or secrets.token_hex(8)
        lines = [builds.QUIET, f"rm -f {cpp_command.END}"]
        ends = 0
        for program in self._chosen(build, tests):
            words = cpp_command.line(program, [one for one in program.ids if one in tests])
            own = " ".join(f"{name}={shlex.quote(value)}" for name, value in program.env.items())
            start = (
                f"env {own} "
                if program.may_exit
                else f"{cpp_command.preloaded(mark, times, cold=cold, apart=loop)} {own} "
            )
            call = f"(cd {shlex.quote(program.cwd)} && exec {start}{words}) {builds.AWAY} || exit $?"
            if program.may_exit:
                call = f"i=0; while [ $i -lt {times} ]; do {call}; i=$((i+1)); done"
            lines.append(call)
            ends += not program.may_exit
        if ends:
            lines += [
                "n=0",
                f'while read -r m rest; do [ "$m" = {mark} ] || exit 97; n=$((n+1)); done <{cpp_command.END} || exit 97',
                f"[ $n = {ends} ] || exit 97",
            ]
        if cold:
            lines.append(f"cat {cpp_command.END}")
        return self._command(build, None, "\n".join(lines), {})

    def _description(self, tests: Sequence[str], count: int, loop: bool) -> str:
        shown = " ".join(tests[:5]) + (" ..." if len(tests) > 5 else "")
        times = f"  # {count} times{'' if loop else ' in one process'}" if count > 1 else ""
        where = f"cd {self._project.root} && " if self._project.root else ""
        if self._project.kind == "cmake":
            pattern = "|".join(re.escape(test) for test in tests[:5])
            return f"{where}cmake -S . -B build && cmake --build build && ctest --test-dir build -R '{pattern}'{times}"
        if self._project.test:
            commands = " && ".join(filter(None, (shlex.join(self._project.build), self._project.whole)))
            return f"{where}{commands}  # {shown}{times}"
        return f"{where}g++ -std=c++17 -O2 {shown} && ./a.out{times}"
