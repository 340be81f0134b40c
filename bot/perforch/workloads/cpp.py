"""C++: programs of CTest, Make or single test files; main is repeated in one process by a preloaded library of ours."""

from __future__ import annotations

import secrets
import shlex
import threading
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import Command, Limits
from perforch.workloads import builds, cpp_project
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.naming import callers, is_generic, naming
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.cpp_project import Build, Project, Test
    from perforch.workloads.model import TestOutcome, Tree

MAX_TESTS = 100
_END = "/tmp/perforch-end"  # noqa: S108: inside the sandbox


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> CppRunner | None:
    """A runner for the project of `path`; None where nothing could test it."""
    project = cpp_project.find(tree, path)
    if project.system == "single" and not cpp_project.single_tests(tree, project.root):
        return None
    return CppRunner(sandbox, settings, project, options)


class CppRunner:
    """Tests of one project. One build serves tests and timing: Release with the project's own flags (single files: -O2)."""

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
        return {"cmake": "cmake", "make": "make", "single": "g++"}[self._project.system]

    @property
    def root(self) -> str:
        """What tells this project from others."""
        return self._project.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids of the test programs (and CTest's single cases) whose sources name the function, or a caller in its file."""
        build = self._built(tree)
        if build.errors:
            return self._named_statically(tree, function)
        if self._project.system == "make":
            return tuple(test.id for test in build.tests) if self._mentioning(tree, {function.simple_name}, function) else ()
        found = self._by_names(tree, build, {function.simple_name}, function)
        if not found:
            others = callers(Language.CPP, builds.read(tree.source / function.path), function.simple_name)
            found = self._by_names(tree, build, set(others), function) if others else ()
        return found[:MAX_TESTS]

    def _named_statically(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """The tree does not build: what would be run if it did, as far as names tell."""
        files = self._mentioning(tree, {function.simple_name}, function)
        if self._project.system == "single":
            return tuple(path for path in files if path in cpp_project.single_tests(tree, self._project.root))
        if self._project.system == "make":
            return (f"make {self._project.target}",) if files else ()
        return tuple(PurePosixPath(path).stem for path in files)

    def _mentioning(self, tree: Tree, names: set[str], function: Function) -> list[str]:
        owner = function.name.rpartition("::")[0].rpartition("::")[2]
        context = {owner} if owner and is_generic(function.simple_name) else set()
        found = []
        for path, text in builds.sources(tree, self._project.root, (*cpp_project.SUFFIXES, ".hpp", ".h")).items():
            if path == function.path or not any(name.encode() in text for name in names):
                continue
            mentioned = syntax.identifiers(Language.CPP, text)
            stem = PurePosixPath(path).stem.lower()
            looks = syntax.is_test_path(path) or "test" in stem
            if looks and mentioned & names and (not context or mentioned & context):
                found.append(path)
        return found

    def _by_names(self, tree: Tree, build: Build, names: set[str], function: Function) -> tuple[str, ...]:
        files = self._mentioning(tree, names, function)
        texts = {path: builds.read(tree.source / path) for path in files}
        cases = {one.definition.name for one in naming(Language.CPP, texts, names)}
        exact = [test.id for test in build.tests if test.id in cases or test.id.replace(".", "::") in cases]
        if exact:
            return tuple(exact)
        chosen = [test.id for test in build.tests if set(test.sources) & set(files)]
        if not chosen:
            stems = {PurePosixPath(path).stem for path in files}
            chosen = [test.id for test in build.tests if test.id in stems or PurePosixPath(test.argv[0]).name in stems]
        return tuple(dict.fromkeys(chosen))

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build and run the test programs."""
        build = self._built(tree)
        if build.errors:
            return TestReport(built=False, outcomes={}, failures=build.errors)
        outcomes: dict[str, TestOutcome] = {}
        failures: list[Failure] = []
        stopped, seconds = "", 0.0
        known = {test.id: test for test in build.tests}
        for name in known if tests is None else tests:
            if name not in known:
                outcomes[name] = "failed"
                failures.append(Failure(name, "this test was not found"))
                continue
            done = self._sandbox.run(self._command(build, known[name].argv, known[name].cwd))
            stopped, seconds = stopped or done.stopped, seconds + done.seconds
            outcomes[name] = "passed" if done.ok else "failed"
            if not done.ok:
                failures.append(Failure(name, _said(done)))
        return TestReport(True, outcomes, tuple(failures[:50]), stopped, seconds)

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The programs with main repeated in one process; whole processes in a loop where that does not work."""
        build = self._built(tree)
        chosen = [test for test in build.tests if test.id in set(tests)]
        if build.errors or not chosen or len(chosen) != len(set(tests)):
            return None
        for inside in (True, False) if build.repeatable else (False,):
            count = repeat
            if count is None:
                make = partial(self._timed, build, chosen, inside=inside)
                count = builds.calibrated(self._sandbox, make, min_ms)
            elif not self._sandbox.run(self._timed(build, chosen, count, inside=inside)).ok:
                count = None
            if count is not None:
                names = " ".join(shlex.join(test.argv).replace(cpp_project.BUILD, "build") for test in chosen[:3])
                how = "in one process" if inside else "as processes"
                return TimedCommand(
                    self._timed(build, chosen, count, inside=inside), count, f"{names}  # {count} times {how}"
                )
        return None

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First call of main against the later ones."""
        build = self._built(tree)
        chosen = [test for test in build.tests if test.id in set(tests)]
        if build.errors or not chosen or not build.repeatable:
            return None
        done = self._sandbox.run(self._timed(build, chosen, max(2, repeat), inside=True, tell=True))
        first = rest = 0.0
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) == 3 and len(words[0]) == 16:
                first, rest = first + float(words[1]), rest + float(words[2])
        return ColdCheck(first, rest) if done.ok and rest > 0 else None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """No profiler is run for C++."""
        return ""

    def _timed(self, build: Build, tests: Sequence[Test], times: int, *, inside: bool, tell: bool = False) -> Command:
        if not inside:
            lines = ["i=0", f"while [ $i -lt {times} ]; do"]
            lines += [f"cd {shlex.quote(test.cwd)} && {shlex.join(test.argv)} >/dev/null 2>&1 || exit $?" for test in tests]
            return self._command(build, ("/bin/sh", "-c", "\n".join([*lines, "i=$((i+1))", "done"])), self._project.home)
        mark = secrets.token_hex(8)
        env = f"env LD_PRELOAD={cpp_project.REPEAT} PERFORCH_REPEAT={times} PERFORCH_MARK={mark} PERFORCH_END={_END}"
        lines = [f"rm -f {_END}"]
        lines += [f"cd {shlex.quote(test.cwd)} && {env} {shlex.join(test.argv)} >/dev/null 2>&1 || exit $?" for test in tests]
        # A program that leaves early with status 0 writes no mark and is no sample.
        lines += ["n=0", f'while read -r m rest; do [ "$m" = {mark} ] || exit 97; n=$((n+1)); done <{_END} || exit 97']
        lines += [f"[ $n = {len(tests)} ] || exit 97"] + ([f"cat {_END}"] if tell else [])
        return self._command(build, ("/bin/sh", "-c", "\n".join(lines)), self._project.home)

    def _command(self, build: Build, argv: tuple[str, ...], cwd: str) -> Command:
        limits = Limits(wall_seconds=self._options.test_seconds)
        # Make builds and tests in one place, so its runs may write there.
        writable = self._project.system == "make"
        return Command(argv, cwd=cwd, mounts=build.place.mounts(writable=writable), limits=limits)

    def _built(self, tree: Tree) -> Build:
        place = builds.place(tree, "cpp")
        with self._lock:
            lock, made = self._builds.setdefault(str(place.source), (threading.Lock(), []))
        with lock:
            if not made:
                made.append(cpp_project.build(self._sandbox, self._project, place, tree))
            return made[0]


def _said(done: Completed) -> str:
    words = trimmed(done.stderr + b"\n" + done.stdout).strip()
    if done.returncode > 128 or done.stopped:
        return f"{builds.how_it_ended(done)}\n{words}".strip()
    return words or builds.how_it_ended(done)
