"""Go: test binaries of a module's packages, repeated with -test.count in one process."""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.result import Language
from perforch.sandbox.spec import Command, Limits
from perforch.workloads import builds, go_project
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.naming import callers, is_generic, naming
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.go_project import Build, Module
    from perforch.workloads.model import TestOutcome, Tree

MAX_TESTS = 200
THREADS = 2  # the collector works beside the program
_LINE = re.compile(r"^\x16?--- (PASS|FAIL|SKIP): (\S+) \(")
_STARTED = re.compile(r"^\x16?=== (?:RUN|CONT|PAUSE|NAME)\s+(\S+)")
_WORDS: dict[str, TestOutcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
_COLD_NAME = "TestPerforchCold"
_COLD = """package {package}

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
		start := time.Now()
{calls}
		spent := time.Since(start).Nanoseconds()
		if i == 0 {{
			first = spent
		}} else {{
			rest += spent
		}}
	}}
	fmt.Println(os.Getenv("PERFORCH_MARK"), first, rest/int64(rounds-1))
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
        self._builds: dict[str, tuple[threading.Lock, list[Build]]] = {}

    @property
    def root(self) -> str:
        """What tells this module from others."""
        return self._module.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids (`import/path.TestName`) of the tests that name the function, or a caller in its file."""
        files = go_project.test_files(tree, self._module)
        simple = function.simple_name
        home = str(PurePosixPath(function.path).parent)
        near = {path: text for path, text in files.items() if str(PurePosixPath(path).parent) == home}
        package = self._module.package(home)
        far = {path: text for path, text in files.items() if path not in near and package.encode() in text}
        owner = function.name.rpartition(".")[0]
        context = {owner} if owner and is_generic(simple) else set()
        found = naming(Language.GO, near, {simple}, context=context, shared=near)
        found += naming(Language.GO, far, {simple}, context=context)
        if not found:
            others = callers(Language.GO, builds.read(tree.source / function.path), simple)
            found = naming(Language.GO, near, set(others), shared=near) if others else ()
        ids = [
            f"{self._module.package(str(PurePosixPath(one.path).parent))}.{one.definition.simple_name}"
            for one in found
            if one.definition.simple_name.startswith("Test") and one.definition.simple_name != "TestMain"
        ]
        return tuple(dict.fromkeys(ids))[:MAX_TESTS]

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build the packages that are needed and run their tests."""
        cases = go_project.cases(tree, self._module)
        wanted = self._by_package(tests) if tests is not None else dict.fromkeys(cases)
        build = self._built(tree)
        if build.errors:
            return TestReport(built=False, outcomes={}, failures=build.errors)
        outcomes: dict[str, TestOutcome] = {}
        failures: list[Failure] = []
        stopped, seconds = "", 0.0
        for package, names in wanted.items():
            known = cases.get(package, ())
            chosen = known if names is None else tuple(name for name in names if name in known)
            if not chosen or package not in build.binaries:
                continue
            # A panic ends the whole binary: the tests after it run again without the one that panicked.
            rest = chosen
            while rest:
                arguments = ("-test.v", "-test.paniconexit0", "-test.run", _pattern(rest))
                done = self._sandbox.run(self._binary(build, package, arguments))
                seconds += done.seconds
                found, told, unreached = _outcomes(done, rest)
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
        return TestReport(True, outcomes, tuple(failures[:50]), stopped, seconds)

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The tests' binaries with -test.count, so that one process repeats them."""
        build = self._built(tree)
        if build.errors or not tests:
            return None
        wanted = self._by_package(tests)
        if not wanted.keys() <= build.binaries.keys():
            return None
        count = repeat
        if count is None:
            count = builds.calibrated(
                self._sandbox, lambda times: self._timed_command(build, wanted, times), min_ms
            )
        elif not self._sandbox.run(self._timed_command(build, wanted, count)).ok:
            count = None
        if count is None:
            return None
        names = [name for group in wanted.values() for name in group]
        where = f"cd {self._module.root} && " if self._module.root else ""
        packages = " ".join(self._module.folder(package) for package in wanted)
        description = f"{where}go test -run {shlex.quote(_pattern(names))} -count={count} {packages}"
        return TimedCommand(self._timed_command(build, wanted, count), count, description, threads=THREADS)

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First round against later ones, by a test of ours in a private copy; for tests of one package clause."""
        wanted = self._by_package(tests)
        if len(wanted) != 1:
            return None
        [(package, names)] = wanted.items()
        edit = self._cold_file(tree, package, names)
        if edit is None:
            return None
        build = self._built(tree, edits=edit, packages=[package])
        if build.errors:
            return None
        mark = secrets.token_hex(8)
        env = {"PERFORCH_REPEAT": str(min(max(2, repeat), 10_000)), "PERFORCH_MARK": mark}
        done = self._sandbox.run(
            self._binary(build, package, ("-test.run", _pattern([_COLD_NAME]), "-test.v"), env)
        )
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == mark and float(words[2]) > 0:
                return ColdCheck(float(words[1]), float(words[2]))
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """No profiler is run for Go."""
        return ""

    def _cold_file(self, tree: Tree, package: str, names: Sequence[str]) -> dict[str, bytes] | None:
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
        calls = "\n".join(f'\t\tt.Run("r", {name})' for name in names)
        code = _COLD.format(package=next(iter(clauses.values())), name=_COLD_NAME, calls=calls)
        place = "perforch_cold_test.go" if folder in {"", "."} else f"{folder}/perforch_cold_test.go"
        return {place: code.encode()}

    def _timed_command(self, build: Build, wanted: Mapping[str, Sequence[str]], times: int) -> Command:
        lines = []
        for package, names in wanted.items():
            command = (
                build.binaries[package],
                "-test.run",
                _pattern(names),
                f"-test.count={times}",
                "-test.paniconexit0",
            )
            folder = f"{self._module.home}/{self._module.folder(package)}"
            lines.append(f"cd {shlex.quote(folder)} && {shlex.join(command)} >/dev/null 2>&1 || exit $?")
        return self._command(build, ("/bin/sh", "-c", "\n".join(lines)), self._module.home)

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


def _outcomes(
    done: Completed, names: Sequence[str]
) -> tuple[dict[str, TestOutcome], dict[str, tuple[str, str]], tuple[str, ...]]:
    """Outcomes of top-level tests from the verbose log, what the failed ones said, and the tests a crash left unreached."""
    reported: dict[str, TestOutcome] = {}
    said: dict[str, list[str]] = {}
    current = ""
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        started = _STARTED.match(line)
        if started:
            current = started.group(1).split("/")[0]
            continue
        ended = _LINE.match(line)
        if ended and ended.group(2) in names:
            current = ended.group(2)
            reported[current] = _WORDS[ended.group(1)]
            continue
        if current and len(said.setdefault(current, [])) < 200:
            said[current].append(line)
    missing = [name for name in names if name not in reported]
    # The runtime reports the failure of the test that panics before the process ends.
    blamed = current in missing or reported.get(current) == "failed"
    crashed = "" if not missing else current if blamed else missing[0]
    outcomes = dict(reported)
    if crashed:
        outcomes[crashed] = "failed"
    told: dict[str, tuple[str, str]] = {}
    for name, outcome in outcomes.items():
        if outcome == "failed":
            words = trimmed("\n".join(said.get(name, []))).strip()
            error = trimmed(done.stderr) if name == crashed else ""
            ended_early = builds.how_it_ended(done) if name == crashed and not error else ""
            first = next(
                (line for line in error.splitlines() if line.startswith(("panic:", "fatal error:"))), ""
            )
            message = (
                "\n".join(part for part in (words, first, ended_early) if part) or error or "the test failed"
            )
            told[name] = (message, error)
    return outcomes, told, tuple(name for name in missing if name != crashed)
