"""Go: test binaries of a module's packages, repeated with -test.count in one process."""

from __future__ import annotations

import secrets
import shlex
import threading
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount
from perforch.workloads import (
    builds,
    go_added,
    go_binary,
    go_command,
    go_profile,
    go_project,
    go_report,
    go_tests,
    trees,
)
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand, Tree
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.unavailable import go_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.go_project import Build, Module
    from perforch.workloads.model import TestOutcome

MAX_TESTS = 200
THREADS = 2  # the collector works beside the program
_LEFT_OUT = "build constraints leave this test out on this machine"
_COVERAGE = "/tmp/perforch-coverage"


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> GoRunner | None:
    """A runner for the nearest module above `path`."""
    module = go_project.find(tree, path)
    return None if module is None else GoRunner(sandbox, settings, module, options)


class GoRunner:
    """Tests of one module."""

    name = "go"

    def __init__(
        self, sandbox: Sandbox, settings: LanguageSettings | None, module: Module, options: Options = DEFAULT
    ) -> None:
        self._sandbox = sandbox
        self._module = module
        self._options = options
        self._configured = go_command.parse(settings.test if settings is not None else None)
        self._prepare = settings.build if settings is not None else None
        self._lock = threading.Lock()
        self._head: Tree | None = None  # the first tree that was asked about
        self._asked: set[str] = set()  # packages with tests of the functions asked about
        self._named: set[str] = set()  # those tests
        self._writes = False  # tests write beside the sources
        self._builds: dict[tuple[str, tuple[str, ...]], tuple[threading.Lock, list[Build]]] = {}
        self._listed: dict[tuple[str, str], frozenset[str]] = {}

    @property
    def root(self) -> str:
        """What tells this module from others."""
        return self._module.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids (`import/path.TestName`) of the tests that name the function, or a caller in its file."""
        named = go_tests.named(tree, self._module, function)
        found = tuple(test for test in named if self._takes(test))[:MAX_TESTS]
        with self._lock:
            self._head = self._head or tree
            self._asked |= go_binary.by_package(found).keys()
            self._named |= set(found)
        return found

    def _takes(self, test: str) -> bool:
        package, _, name = test.rpartition(".")
        return self._configured.takes(self._module.folder(package), name)

    def _cases(self, tree: Tree) -> dict[str, tuple[str, ...]]:
        found = {
            package: tuple(name for name in names if self._takes(f"{package}.{name}"))
            for package, names in go_project.cases(tree, self._module).items()
        }
        return {package: names for package, names in found.items() if names}

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build the packages that are needed and run their tests."""
        report = self._tested(tree, tests)
        texts = [failure.message + failure.trace for failure in report.failures]
        if not self._writes and any("read-only file system" in text for text in texts):
            self._writes = True
            report = self._tested(tree, tests)
        return report

    def _tested(self, tree: Tree, tests: Sequence[str] | None) -> TestReport:
        cases = self._cases(tree)
        wanted = go_binary.by_package(tests) if tests is not None else self._without_benchmarks(cases)
        build = self._built(tree)
        unavailable: dict[str, str] = {}
        broken: list[Failure] = []
        for package in wanted.keys() & build.errors.keys():
            errors = build.errors[package]
            reason = go_reason("\n".join(error.message for error in errors))
            if reason and not self._worked(tree, package):
                unavailable |= {f"{package}.{name}": reason for name in cases.get(package, ())}
            elif self._matters(tree, package):
                broken += errors
        if broken:
            return TestReport(built=False, outcomes={}, failures=tuple(dict.fromkeys(broken))[:50])
        told: dict[str, Failure] = {}
        outcomes: dict[str, TestOutcome] = {}
        stopped, seconds = "", 0.0
        for package, names in wanted.items():
            known = cases.get(package, ())
            if package not in build.binaries:
                continue
            listed = self._names(build, package)
            chosen = [name for name in names if name in known]
            unavailable |= {
                f"{package}.{name}": _LEFT_OUT for name in chosen if listed and name not in listed
            }
            ran = go_report.run(
                self._sandbox,
                [name for name in chosen if not listed or name in listed],
                partial(self._checked, tree, build, package),
            )
            outcomes |= {f"{package}.{name}": outcome for name, outcome in ran.outcomes.items()}
            told |= {
                f"{package}.{name}": Failure(f"{package}.{name}", *said) for name, said in ran.told.items()
            }
            unavailable |= {f"{package}.{name}": reason for name, reason in ran.unfit.items()}
            stopped, seconds = stopped or ran.stopped, seconds + ran.seconds
        outcomes |= dict.fromkeys(unavailable, "failed")
        told |= {test: Failure(test, reason) for test, reason in unavailable.items()}
        for test in tests or ():
            if outcomes.setdefault(test, "failed") == "failed" and test not in told:
                told[test] = Failure(test, "this test was not found" if not stopped else "was not reached")
        return TestReport(True, outcomes, tuple(told.values())[:50], stopped, seconds, unavailable)

    def _without_benchmarks(self, cases: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """What `go test` runs, and the benchmarks of the functions asked about."""
        return {
            package: tuple(
                name
                for name in names
                if not go_project.is_benchmark(name) or f"{package}.{name}" in self._named
            )
            for package, names in cases.items()
        }

    def _worked(self, tree: Tree, package: str) -> bool:
        """Did the package build on the first tree? Then what a candidate lacks is the candidate's fault."""
        with self._lock:
            head = self._head
        return head is not None and head != tree and package not in self._built(head).errors

    def _matters(self, tree: Tree, package: str) -> bool:
        """Does it say something about a candidate that this package does not compile? Not when it never did and no function of
        interest is tested there.
        """
        with self._lock:
            head, asked = self._head, self._asked
        return head is None or package in asked or package not in self._built(head).errors

    def _names(self, build: Build, package: str) -> frozenset[str]:
        """What the binary itself lists; empty when it does not say."""
        key = (str(build.place.source), package)
        if key not in self._listed:
            done = self._sandbox.run(self._binary(build, package, ("-test.list", ".*")))
            words = done.stdout.decode("utf-8", "replace").split() if done.ok else []
            self._listed[key] = frozenset(words)
        return self._listed[key]

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The tests' binaries with -test.count, so that one process repeats them."""
        for chosen in go_binary.workloads(tests):
            timed = self._timed(tree, chosen, repeat, min_ms)
            if timed is not None:
                return timed
        return None

    def _timed(
        self, tree: Tree, tests: Sequence[str], repeat: int | None, min_ms: float
    ) -> TimedCommand | None:
        wanted = go_binary.by_package(tests)
        looped = any(name.startswith("Example") for names in wanted.values() for name in names)
        prepared = self._looping(tree, wanted) if looped else (self._built(tree, timing=True), wanted)
        if prepared is None or not wanted.keys() <= prepared[0].binaries.keys():
            return None
        build, inner = prepared
        count = repeat
        if count is None:
            count = builds.calibrated(
                self._sandbox, lambda times: self._timed_command(build, inner, times), min_ms
            )
        elif not self._sandbox.run(self._timed_command(build, inner, count)).ok:
            count = None
        if count is None:
            return None
        return TimedCommand(
            self._timed_command(build, inner, count), count, self._description(wanted, count), THREADS
        )

    def _description(self, wanted: Mapping[str, Sequence[str]], count: int) -> str:
        names = [name for group in wanted.values() for name in group]
        where = f"cd {self._module.root} && " if self._module.root else ""
        pattern = shlex.quote(go_binary.pattern(names))
        measured = f"-run '^$' -bench {pattern} -benchtime={count}x"
        repeated = measured if go_project.is_benchmark(names[0]) else f"-run {pattern} -count={count}"
        flags = "".join(f"{shlex.quote(flag)} " for flag in self._configured.build)
        packages = " ".join(self._module.folder(package) for package in wanted)
        return f"{where}go test {flags}{repeated} {packages}"

    def _looping(
        self, tree: Tree, wanted: Mapping[str, Sequence[str]]
    ) -> tuple[Build, dict[str, tuple[str, ...]]] | None:
        """A build with a test of ours that repeats examples, which -test.count does not."""
        if len(wanted) != 1:
            return None
        [(package, names)] = wanted.items()
        edit = go_added.edit(tree, self._module, package, names)
        if edit is None:
            return None
        built = self._built(tree, edits=edit, packages=[package], timing=True)
        return built, {package: (go_added.NAME,)}

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First round against later ones, by a test of ours in a private copy; for tests of one package clause."""
        chosen = next(iter(go_binary.workloads(tests)), ())
        prepared = self._looping(tree, go_binary.by_package(chosen))
        if prepared is None or not prepared[0].binaries:
            return None
        build, inner = prepared
        mark = secrets.token_hex(8)
        rounds = min(max(2, repeat), 100 if go_binary.is_measured(chosen[0]) else 10_000)
        env = {"PERFORCH_REPEAT": str(rounds), "PERFORCH_MARK": mark}
        arguments = ("-test.run", go_binary.pattern([go_added.NAME]), "-test.v", "-test.benchtime=1x")
        done = self._sandbox.run(
            self._binary(build, next(iter(inner)), (*arguments, *self._configured.run), env)
        )
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if done.ok and len(words) == 3 and words[0] == mark and float(words[2]) > 0:
                return ColdCheck(float(words[1]), float(words[2]))
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """The five lines of the function that run most often under its tests."""
        home = str(PurePosixPath(function.path).parent)
        flags = ("-covermode=count", f"-coverpkg={self._module.package(home)}")
        wanted = go_binary.by_package(next(iter(go_binary.workloads(tests)), ()))
        build = self._built(tree, packages=list(wanted), timing=True, flags=flags)
        file = f"{self._module.package(home)}/{PurePosixPath(function.path).name}"
        source = builds.read(tree.source, function.path)
        found = []
        for package, names in wanted.items():
            if package not in build.binaries:
                return ""
            argv = (build.binaries[package], *go_binary.repeated(names, 1), *self._configured.run)
            script = (
                f"{shlex.join((*argv, f'-test.coverprofile={_COVERAGE}'))} >/dev/null 2>&1; cat {_COVERAGE}"
            )
            done = self._sandbox.run(
                self._command(build, ("/bin/sh", "-c", script), self._module.place(package))
            )
            found.append(done.stdout.decode("utf-8", "replace"))
        return go_profile.text("\n".join(found), file, source, function.start_line, function.end_line)

    def _timed_command(self, build: Build, wanted: Mapping[str, Sequence[str]], times: int) -> Command:
        lines = [builds.QUIET]
        for package, names in wanted.items():
            command = shlex.join(
                (build.binaries[package], *go_binary.repeated(names, times), *self._configured.run)
            )
            folder = shlex.quote(self._module.place(package))
            lines.append(f"cd {folder} && {command} {builds.AWAY} || exit $?")
        env = {"PERFORCH_REPEAT": str(times), "PERFORCH_MARK": "timed"}
        return self._command(build, ("/bin/sh", "-c", "\n".join(lines)), self._module.home, env)

    def _checked(self, tree: Tree, build: Build, package: str, arguments: tuple[str, ...]) -> Command:
        more = (*self._configured.run, *self._configured.arguments)
        return self._binary(build, package, (*arguments, *more), tree=tree)

    def _binary(
        self,
        build: Build,
        package: str,
        arguments: tuple[str, ...],
        env: Mapping[str, str] | None = None,
        tree: Tree | None = None,
    ) -> Command:
        argv = (build.binaries[package], *arguments)
        mounts: tuple[Mount, ...] = ()
        if tree is not None and self._writes:
            copy = trees.copied(Tree(build.place.source, tree.output, tree.label), "go-written")
            mounts = (Mount(copy, SOURCE, writable=True), Mount(build.place.output, OUTPUT))
        return self._command(build, argv, self._module.place(package), env, mounts)

    def _command(
        self,
        build: Build,
        argv: tuple[str, ...],
        cwd: str,
        env: Mapping[str, str] | None = None,
        mounts: tuple[Mount, ...] = (),
    ) -> Command:
        limits = Limits(wall_seconds=self._options.test_seconds)
        seen = mounts or build.place.mounts(writable=False)
        return Command(argv, cwd=cwd, env=env or {}, mounts=seen, limits=limits)

    def _built(
        self,
        tree: Tree,
        *,
        edits: Mapping[str, bytes] | None = None,
        packages: list[str] | None = None,
        timing: bool = False,
        flags: tuple[str, ...] = (),
    ) -> Build:
        flags = (*self._configured.build, *(() if timing else self._configured.checks), *flags)
        place = builds.place(tree, builds.kind("go", flags), edits)
        with self._lock:
            lock, made = self._builds.setdefault((str(place.source), flags), (threading.Lock(), []))
        with lock:
            if not made:
                wanted = packages or sorted(self._cases(tree))
                made.append(
                    go_project.build(
                        self._sandbox, self._module, place, wanted, self._options,
                        flags=flags, prepare=self._prepare,
                    )
                )  # fmt: skip
            return made[0]
