"""Rust: cargo packages and single files; libtest's own reports, repetition by a test of ours in a private copy."""

from __future__ import annotations

import secrets
import shlex
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.result import Language
from perforch.sandbox.spec import Command, Limits
from perforch.workloads import builds, rust_project, rust_repeat, rust_report
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.naming import callers, is_generic, naming
from perforch.workloads.options import DEFAULT, Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.model import TestOutcome, Tree
    from perforch.workloads.rust_project import Build, Project
    from perforch.workloads.rust_report import Executable

MAX_TESTS = 200


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> RustRunner | None:
    """A runner for the nearest cargo package above `path`, or for the file by itself."""
    project = rust_project.find(tree, path)
    return None if project is None else RustRunner(sandbox, settings, project, options)


class RustRunner:
    """Tests of one package. Correctness is checked in the dev profile (overflow checks, debug assertions), time is taken in the
    release profile, where the timed tests must pass as well.
    """

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
        self._builds: dict[tuple[str, int, str], Build] = {}
        self._loops: dict[frozenset[str], bool] = {}  # repeated by whole processes, by the tests

    @property
    def name(self) -> str:
        """The build system."""
        return "rustc" if self._project.file else "cargo"

    @property
    def root(self) -> str:
        """What tells this project from others."""
        return self._project.file or self._project.root or "."

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids (`target::module::test`) of the unit and integration tests that name the function, or a caller in its file."""
        files = {
            path: text
            for path, text in builds.sources(tree, self._project.root, (".rs",)).items()
            if b"test" in text and (not self._project.file or path == self._project.file)
        }
        owner = function.name.rpartition("::")[0].rpartition("::")[2]
        simple = function.simple_name
        stem = PurePosixPath(function.path).stem
        context = {owner or stem, stem} if is_generic(simple) else set()
        found = naming(Language.RUST, files, {simple}, context=context)
        if not found:
            others = callers(Language.RUST, builds.read(tree.source, function.path), simple)
            found = naming(Language.RUST, files, others) if others else ()
        ids = (self._identifier(tree, one.path, one.definition.name) for one in found)
        return tuple(dict.fromkeys(one for one in ids if one))[:MAX_TESTS]

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Run the tests in the dev profile."""
        build = self._built(tree, release=False)
        return self._report(build, tests)

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """The release build of the tests, repeated in one process; a loop of processes where they cannot be called by name."""
        key = frozenset(tests)
        with self._lock:
            known = self._loops.get(key)
        # Both sides of a comparison are repeated in the same way: the first tree decides.
        for loop in (False, True) if known is None else (known,):
            prepared = self._looping(tree, tests) if loop else self._repeating(tree, tests)
            if prepared is None:
                continue
            build, chosen = prepared
            count = self._count(prepared, min_ms) if repeat is None else repeat
            if count is None or not self._sandbox.run(self._timed_command(build, chosen, count)).ok:
                continue
            with self._lock:
                self._loops[key] = loop
            return TimedCommand(
                self._timed_command(build, chosen, count), count, self._description(tests, count)
            )
        return None

    def _count(self, prepared: tuple[Build, dict[str, tuple[str, ...]]], min_ms: float) -> int | None:
        build, chosen = prepared
        return builds.calibrated(
            self._sandbox, lambda times: self._timed_command(build, chosen, times), min_ms
        )

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First against later rounds of the tests, as the inserted test saw them."""
        prepared = self._repeating(tree, tests)
        if prepared is None:
            return None
        build, chosen = prepared
        mark = secrets.token_hex(8)
        done = self._sandbox.run(self._timed_command(build, chosen, max(2, repeat), mark=mark, cold=True))
        first = rest = 0.0
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == mark:
                first, rest = first + float(words[1]), rest + float(words[2])
        return ColdCheck(first, rest) if done.ok and rest > 0 else None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """No profiler is run for Rust."""
        return ""

    def _built(self, tree: Tree, *, release: bool, edits: Mapping[str, bytes] | None = None) -> Build:
        kind = f"rust-{'release' if release else 'dev'}"
        place = builds.place(tree, kind, edits)
        key = (str(place.source), builds.signature(tree), kind)
        with self._lock:
            known = self._builds.get(key)
        if known is None:
            known = rust_project.build(self._sandbox, self._project, place, release=release)
            with self._lock:
                self._builds[key] = known
        return known

    def _report(self, build: Build, tests: Sequence[str] | None) -> TestReport:
        if not build.ok:
            return TestReport(built=False, outcomes={}, failures=build.errors)
        outcomes: dict[str, TestOutcome] = {}
        failures: list[Failure] = []
        stopped, seconds = "", 0.0
        for program in build.programs:
            prefix = program.target + "::"
            chosen = (
                None
                if tests is None
                else [test.removeprefix(prefix) for test in tests if test.startswith(prefix)]
            )
            if chosen == []:
                continue
            names = self._listed(build, program)
            names = names if chosen is None else [name for name in chosen if name in names]
            if not names:
                continue
            only = ("--exact", *names) if chosen is not None else ()
            done = self._sandbox.run(self._run(build, (program.path, *only, "--test-threads=2")))
            found, told = rust_report.outcomes(done, names)
            outcomes |= {prefix + name: outcome for name, outcome in found.items()}
            failures += [Failure(prefix + one.test, one.message, one.trace) for one in told]
            stopped, seconds = stopped or done.stopped, seconds + done.seconds
        for test in tests or ():
            if test not in outcomes:
                outcomes[test] = "failed"
                failures.append(Failure(test, "this test was not found"))
        return TestReport(
            built=True, outcomes=outcomes, failures=tuple(failures[:50]), stopped=stopped, seconds=seconds
        )

    def _listed(self, build: Build, program: Executable) -> list[str]:
        done = self._sandbox.run(self._run(build, (program.path, "--list", "--format", "terse")))
        return list(rust_report.listed(done.stdout))

    def _run(self, build: Build, argv: tuple[str, ...], env: Mapping[str, str] | None = None) -> Command:
        manifest = {} if self._project.file else {"CARGO_MANIFEST_DIR": self._project.home}
        return Command(
            argv=argv,
            cwd=self._project.home,
            env={**manifest, **(env or {})},
            mounts=build.place.mounts(writable=False),
            limits=Limits(wall_seconds=self._options.test_seconds),
        )

    def _repeating(self, tree: Tree, tests: Sequence[str]) -> tuple[Build, dict[str, tuple[str, ...]]] | None:
        """A release build with our repeating tests, and their names by program."""
        wanted = set(tests)
        edits: dict[str, bytes] = {}
        chosen: dict[str, list[str]] = {}
        for path, text in builds.sources(tree, self._project.root, (".rs",)).items():
            names = [one for one in rust_repeat.names(text) if self._identifier(tree, path, one) in wanted]
            if not names:
                continue
            new, inserted, _ = rust_repeat.insert(text, names)
            for one in inserted:
                target, _, inner = self._identifier(tree, path, one).partition("::")
                chosen.setdefault(target, []).append(inner)
                edits[path] = new
        if not edits:
            return None
        build = self._built(tree, release=True, edits=edits)
        if not build.ok:
            return None
        paths = {program.target: program.path for program in build.programs}
        if not chosen.keys() <= paths.keys():
            return None
        return build, {paths[target]: tuple(names) for target, names in chosen.items()}

    def _looping(self, tree: Tree, tests: Sequence[str]) -> tuple[Build, dict[str, tuple[str, ...]]] | None:
        """A release build as it is; whole processes are repeated."""
        build = self._built(tree, release=True)
        if not build.ok or not tests or not set(tests) <= self._report(build, tests).passed:
            return None
        chosen = {
            program.path: tuple(
                test.removeprefix(program.target + "::")
                for test in tests
                if test.startswith(program.target + "::")
            )
            for program in build.programs
        }
        return build, {path: names for path, names in chosen.items() if names}

    def _timed_command(
        self,
        build: Build,
        chosen: Mapping[str, tuple[str, ...]],
        times: int,
        *,
        mark: str = "",
        cold: bool = False,
    ) -> Command:
        ours = all(
            name.rpartition("::")[2] == rust_repeat.NAME for names in chosen.values() for name in names
        )
        mark = mark or secrets.token_hex(8)
        if not ours:
            text = _loop(chosen, times)
            return self._run(build, ("/bin/sh", "-c", text))
        commands = [
            (path, "--exact", *names, "--test-threads=1", "--nocapture") for path, names in chosen.items()
        ]
        text = builds.script(commands, mark=mark, ends=sum(map(len, chosen.values())))
        text += '\ncat "$e"' if cold else ""
        env = {
            "PERFORCH_REPEAT": str(times),
            "PERFORCH_MARK": mark,
            "PERFORCH_END": "/tmp/perforch-end",
            **({"PERFORCH_COLD": "1"} if cold else {}),
        }
        return self._run(build, ("/bin/sh", "-c", text), env)

    def _identifier(self, tree: Tree, path: str, name: str) -> str:
        """Id of a test by its file and its name inside that file; "" for files that are no part of a test program."""
        if self._project.file:
            return f"{PurePosixPath(path).stem}::{name}"
        return rust_project.identifier(tree, self._project, path, name)

    def _description(self, tests: Sequence[str], count: int) -> str:
        shown = " ".join(test.partition("::")[2] for test in tests[:5]) + (" ..." if len(tests) > 5 else "")
        times = f"  # {count} times in one process" if count > 1 else ""
        if self._project.file:
            return f"rustc --test -O {self._project.file} && ./{PurePosixPath(self._project.file).stem} {shown}{times}"
        where = f"cd {self._project.root} && " if self._project.root else ""
        return f"{where}cargo test --release -- --exact {shown}{times}"


def _loop(chosen: Mapping[str, tuple[str, ...]], times: int) -> str:
    """Whole processes, as often as wanted; each must say that all of its tests passed."""
    lines = ["i=0", f"while [ $i -lt {times} ]; do"]
    for path, names in chosen.items():
        command = shlex.join((path, "--exact", *names, "--test-threads=1"))
        lines.append(
            f'case "$({command} 2>&1)" in *"test result: ok. {len(names)} passed"*) ;; *) exit 97;; esac'
        )
    lines += ["i=$((i+1))", "done"]
    return "\n".join(lines)
