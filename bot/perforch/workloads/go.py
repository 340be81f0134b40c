"""Go: test binaries of a module's packages, repeated with -test.count in one process."""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox.spec import Command, Limits
from perforch.workloads import builds, go_project, go_report, go_tests
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.unavailable import go_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.go_project import Build, Module
    from perforch.workloads.model import TestOutcome, Tree

MAX_TESTS = 200
THREADS = 2  # the collector works beside the program
_ADDED_NAME = "TestPerforchAdded"
_ADDED = """package {package}

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

func {name}(t *testing.T) {{
	rounds, _ := strconv.Atoi(os.Getenv("PERFORCH_REPEAT"))
	var first, rest int64
	for i := 0; i < rounds; i++ {{
		var spent int64
{calls}
		if i == 0 {{
			first = spent
		}} else {{
			rest += spent
		}}
	}}
	if rounds > 1 {{
		rest /= int64(rounds - 1)
	}}
	fmt.Println(os.Getenv("PERFORCH_MARK"), first, rest)
}}

func perforchClock(call func()) int64 {{
	start := time.Now()
	call()
	return time.Since(start).Nanoseconds()
}}

func perforchBench(t *testing.T, call func(*testing.B)) int64 {{
	result := testing.Benchmark(call)
	if result.N == 0 {{
		t.Fatal("the benchmark failed")
	}}
	return result.T.Nanoseconds()
}}
"""


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
        self._lock = threading.Lock()
        self._head: Tree | None = None  # the first tree that was asked about
        self._asked: set[str] = set()  # packages with tests of the functions asked about
        self._builds: dict[str, tuple[threading.Lock, list[Build]]] = {}

    @property
    def root(self) -> str:
        """What tells this module from others."""
        return self._module.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids (`import/path.TestName`) of the tests that name the function, or a caller in its file."""
        found = go_tests.named(tree, self._module, function)[:MAX_TESTS]
        with self._lock:
            self._head = self._head or tree
            self._asked |= self._by_package(found).keys()
        return found

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build the packages that are needed and run their tests."""
        cases = go_project.cases(tree, self._module)
        wanted = self._by_package(tests) if tests is not None else dict.fromkeys(cases)
        build = self._built(tree)
        unavailable: dict[str, str] = {}
        broken: list[Failure] = []
        for package in wanted.keys() & build.errors.keys():
            errors = build.errors[package]
            reason = go_reason("\n".join(error.message for error in errors))
            if reason:
                unavailable |= {f"{package}.{name}": reason for name in cases.get(package, ())}
            elif self._matters(tree, package):
                broken += errors
        if broken:
            return TestReport(built=False, outcomes={}, failures=tuple(dict.fromkeys(broken))[:50])
        outcomes: dict[str, TestOutcome] = dict.fromkeys(unavailable, "failed")
        failures = [Failure(test, reason) for test, reason in unavailable.items()]
        stopped, seconds = "", 0.0
        for package, names in wanted.items():
            known = cases.get(package, ())
            chosen = known if names is None else tuple(name for name in names if name in known)
            if not chosen or package not in build.binaries:
                continue
            for kind, names_of_kind in _kinds(chosen):
                rest = names_of_kind
                # A panic ends the whole binary: the tests after it run again without the one that panicked.
                while rest:
                    done = self._sandbox.run(self._binary(build, package, _arguments(kind, rest)))
                    seconds += done.seconds
                    found, told, unreached = go_report.outcomes(done, rest)
                    outcomes |= {f"{package}.{name}": outcome for name, outcome in found.items()}
                    failures += [Failure(f"{package}.{name}", *texts) for name, texts in told.items()]
                    rest = () if done.stopped else unreached
                    if done.stopped:
                        stopped = done.stopped
                        outcomes |= {f"{package}.{name}": "failed" for name in unreached}
        for test in tests or ():
            if test not in outcomes:
                outcomes[test] = "failed"
                failures.append(Failure(test, "this test was not found"))
        return TestReport(True, outcomes, tuple(failures[:50]), stopped, seconds, unavailable)

    def _matters(self, tree: Tree, package: str) -> bool:
        """Does it say something about a candidate that this package does not compile? Not when it never did and no function of
        interest is tested there.
        """
        with self._lock:
            head, asked = self._head, self._asked
        return head is None or package in asked or package not in self._built(head).errors

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The tests' binaries with -test.count, so that one process repeats them."""
        for chosen in _workloads(tests):
            timed = self._timed(tree, chosen, repeat, min_ms)
            if timed is not None:
                return timed
        return None

    def _timed(
        self, tree: Tree, tests: Sequence[str], repeat: int | None, min_ms: float
    ) -> TimedCommand | None:
        wanted = self._by_package(tests)
        looped = any(name.startswith("Example") for names in wanted.values() for name in names)
        prepared = self._looping(tree, wanted) if looped else (self._built(tree), wanted)
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
        names = [name for group in wanted.values() for name in group]
        where = f"cd {self._module.root} && " if self._module.root else ""
        packages = " ".join(self._module.folder(package) for package in wanted)
        pattern = shlex.quote(_pattern(names))
        measured = f"-run '^$' -bench {pattern} -benchtime={count}x"
        repeated = measured if go_project.is_benchmark(names[0]) else f"-run {pattern} -count={count}"
        return TimedCommand(
            self._timed_command(build, inner, count), count, f"{where}go test {repeated} {packages}", THREADS
        )

    def _looping(
        self, tree: Tree, wanted: Mapping[str, Sequence[str]]
    ) -> tuple[Build, dict[str, tuple[str, ...]]] | None:
        """A build with a test of ours that repeats examples, which -test.count does not."""
        if len(wanted) != 1:
            return None
        [(package, names)] = wanted.items()
        edit = self._added(tree, package, names)
        if edit is None:
            return None
        return self._built(tree, edits=edit, packages=[package]), {package: (_ADDED_NAME,)}

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First round against later ones, by a test of ours in a private copy; for tests of one package clause."""
        wanted = self._by_package(next(iter(_workloads(tests)), ()))
        prepared = self._looping(tree, wanted)
        if prepared is None or not prepared[0].binaries:
            return None
        mark = secrets.token_hex(8)
        rounds = min(max(2, repeat), 100 if go_project.is_benchmark(tests[-1].rpartition(".")[2]) else 10_000)
        env = {"PERFORCH_REPEAT": str(rounds), "PERFORCH_MARK": mark}
        [package] = wanted
        arguments = ("-test.run", _pattern([_ADDED_NAME]), "-test.v", "-test.benchtime=1x")
        done = self._sandbox.run(self._binary(prepared[0], package, arguments, env))
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == mark and float(words[2]) > 0:
                return ColdCheck(float(words[1]), float(words[2]))
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """No profiler is run for Go."""
        return ""

    def _added(self, tree: Tree, package: str, names: Sequence[str]) -> dict[str, bytes] | None:
        clauses: dict[str, str] = {}
        folder = ""
        for path, text in go_project.test_files(tree, self._module).items():
            parent = str(PurePosixPath(path).parent)
            if self._module.package(parent) != package:
                continue
            folder = parent
            for name in names:
                if b"func " + name.encode() + b"(" in text:
                    clauses[name] = go_project.package_clause(text)
        if len(set(clauses.values())) != 1 or set(clauses) != set(names):
            return None
        code = _ADDED.format(
            package=next(iter(clauses.values())),
            name=_ADDED_NAME,
            calls="\n".join(_call(name) for name in names),
        )
        place = "perforch_added_test.go" if folder in {"", "."} else f"{folder}/perforch_added_test.go"
        return {place: code.encode()}

    def _timed_command(self, build: Build, wanted: Mapping[str, Sequence[str]], times: int) -> Command:
        lines = [builds.QUIET]
        for package, names in wanted.items():
            command = (build.binaries[package], *_repeated(names, times))
            folder = f"{self._module.home}/{self._module.folder(package)}"
            lines.append(f"cd {shlex.quote(folder)} && {shlex.join(command)} {builds.AWAY} || exit $?")
        env = {"PERFORCH_REPEAT": str(times), "PERFORCH_MARK": "timed"}
        return self._command(build, ("/bin/sh", "-c", "\n".join(lines)), self._module.home, env)

    def _binary(
        self, build: Build, package: str, arguments: tuple[str, ...], env: Mapping[str, str] | None = None
    ) -> Command:
        folder = f"{self._module.home}/{self._module.folder(package)}"
        return self._command(build, (build.binaries[package], *arguments), folder, env)

    def _command(
        self, build: Build, argv: tuple[str, ...], cwd: str, env: Mapping[str, str] | None = None
    ) -> Command:
        limits = Limits(wall_seconds=self._options.test_seconds)
        return Command(argv, cwd=cwd, env=env or {}, mounts=build.place.mounts(writable=False), limits=limits)

    def _by_package(self, tests: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for test in tests:
            package, _, name = test.rpartition(".")
            found.setdefault(package, []).append(name)
        return {package: tuple(names) for package, names in found.items()}

    def _built(
        self, tree: Tree, *, edits: Mapping[str, bytes] | None = None, packages: list[str] | None = None
    ) -> Build:
        place = builds.place(tree, "go", edits)
        with self._lock:
            lock, made = self._builds.setdefault(str(place.source), (threading.Lock(), []))
        with lock:
            if not made:
                wanted = packages or sorted(go_project.cases(tree, self._module))
                made.append(go_project.build(self._sandbox, self._module, place, wanted, self._options))
            return made[0]


def _pattern(names: Sequence[str]) -> str:
    return "^(" + "|".join(map(re.escape, names)) + ")$"


def _call(name: str) -> str:
    if go_project.is_benchmark(name):
        return f"\t\tspent += perforchBench(t, {name})"
    call = f'func() {{ t.Run("r", {name}) }}' if name.startswith("Test") else name
    return f"\t\tspent += perforchClock({call})"


def _kinds(names: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Tests and examples, then benchmarks: one run of a binary each."""
    measured = tuple(name for name in names if go_project.is_benchmark(name))
    checked = tuple(name for name in names if name not in measured)
    return tuple((kind, group) for kind, group in (("run", checked), ("bench", measured)) if group)


def _arguments(kind: str, names: Sequence[str]) -> tuple[str, ...]:
    if kind == "bench":
        return ("-test.v", "-test.run=^$", "-test.bench", _pattern(names), "-test.benchtime=1x")
    return ("-test.v", "-test.paniconexit0", "-test.run", _pattern(names))


def _repeated(names: Sequence[str], times: int) -> tuple[str, ...]:
    if not go_project.is_benchmark(names[0]):
        count = 1 if names[0] == _ADDED_NAME else times
        return ("-test.run", _pattern(names), f"-test.count={count}", "-test.paniconexit0")
    chosen = _pattern(names) if times else "^$"
    return ("-test.run=^$", "-test.bench", chosen, f"-test.benchtime={max(1, times)}x")


def _workloads(tests: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What may be timed, best first: benchmarks, which their author wrote for it; tests; examples."""
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for test in tests:
        name = test.rpartition(".")[2]
        kind = 0 if go_project.is_benchmark(name) else 2 if name.startswith("Example") else 1
        groups[kind].append(test)
    return tuple(tuple(groups[kind]) for kind in sorted(groups) if groups[kind])
