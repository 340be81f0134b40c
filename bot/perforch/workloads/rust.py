"""Rust: cargo packages and single files; libtest's own reports, repetition by a test of ours in a private copy."""

from __future__ import annotations

import secrets
import shlex
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount
from perforch.workloads import (
    builds,
    rust_command,
    rust_profile,
    rust_project,
    rust_repeat,
    rust_report,
    rust_tests,
    trees,
)
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand, Tree
from perforch.workloads.options import DEFAULT, Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.model import TestOutcome
    from perforch.workloads.rust_project import Build, Project
    from perforch.workloads.rust_report import Executable

MAX_TESTS = 200
_PATIENCE = 60.0  # seconds: a build that takes longer is not repeated for a profile
_LEFT_OUT = (
    "the test programs that cargo builds here leave this test out; it may need a feature or another system"
)


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
        self._configured = rust_command.parse(settings.test if settings is not None else None)
        self._prepare = settings.build if settings is not None else None
        self._project = project
        self._options = options
        self._lock = threading.Lock()
        self._head: Tree | None = None  # the first tree that was asked about
        self._asked: set[str] = set()  # tests of the functions asked about
        self._writes = False  # tests write beside the sources
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
        named = rust_tests.named(tree, self._project, function)
        ids = (self._identifier(tree, path, name) for path, name in named)
        tests = tuple(dict.fromkeys(one for one in ids if one and self._takes(one)))[:MAX_TESTS]
        with self._lock:
            self._head = self._head or tree
            self._asked |= set(tests)
        return tests

    def _takes(self, test: str) -> bool:
        target, _, name = test.partition("::")
        return rust_command.builds(self._configured, target) and self._configured.takes(name)

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Run the tests in the dev profile."""
        report = self._report(tree, self._built(tree, release=False), tests)
        texts = [failure.message + failure.trace for failure in report.failures]
        if not self._writes and any("Read-only file system" in text for text in texts):
            self._writes = True
            report = self._report(tree, self._built(tree, release=False), tests)
        return report

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
                self._timed_command(build, chosen, count),
                count,
                rust_project.description(self._project, self._configured.build, tests, count),
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
        """The five lines of the function that run most often under its tests."""
        source = builds.read(tree.source, function.path)
        counted = rust_profile.insert(source, function)
        if counted is None or self._built(tree, release=False).seconds > _PATIENCE:
            return ""
        build = self._built(tree, release=False, edits={function.path: counted.source})
        for program in build.programs:
            prefix = program.target + "::"
            names = [test.removeprefix(prefix) for test in tests if test.startswith(prefix)]
            argv = shlex.join((program.path, "--exact", *names, "--test-threads=1"))
            script = f"{argv} >/dev/null 2>&1; cat {rust_profile.WRITTEN}"
            done = self._sandbox.run(self._run(build, ("/bin/sh", "-c", script))) if names else None
            text = done.stdout.decode("utf-8", "replace") if done is not None else ""
            if said := rust_profile.told(text, counted.blocks, source):
                return said
        return ""

    def _built(self, tree: Tree, *, release: bool, edits: Mapping[str, bytes] | None = None) -> Build:
        kind = f"rust-{'release' if release else 'dev'}"
        place = builds.place(tree, kind, edits)
        key = (str(place.source), builds.signature(tree), kind)
        with self._lock:
            known = self._builds.get(key)
        if known is None:
            known = rust_project.build(
                self._sandbox, self._project, place,
                release=release, command=self._configured, prepare=self._prepare,
            )  # fmt: skip
            with self._lock:
                self._builds[key] = known
        return known

    def _report(self, tree: Tree, build: Build, tests: Sequence[str] | None) -> TestReport:
        if build.lacking:
            told = Failure("build", build.lacking)
            return TestReport(built=False, outcomes={}, failures=(told,), unavailable={"": build.lacking})
        broken = [
            failure
            for target, some in build.errors.items()
            if self._matters(tree, target, tests)
            for failure in some
        ]
        if broken or (build.errors and not build.programs):
            some = broken or [failure for words in build.errors.values() for failure in words]
            return TestReport(built=False, outcomes={}, failures=tuple(some[:50]))
        outcomes: dict[str, TestOutcome] = {}
        failures: list[Failure] = []
        stopped, seconds = "", 0.0
        wanted = None if tests is None else {*tests}
        for program in build.programs:
            prefix = program.target + "::"
            if wanted is not None and not any(test.startswith(prefix) for test in wanted):
                continue
            listed = self._listed(build, program)
            names = [name for name in listed if wanted is None or prefix + name in wanted]
            if not names:
                continue
            only = ("--exact", *names) if len(names) < len(listed) else ()
            ignored = ("--include-ignored",) if self._configured.ignored else ()
            argv = (program.path, *only, *ignored, "--test-threads=2")
            done = self._sandbox.run(self._run(build, argv, tree=tree))
            found, said = rust_report.outcomes(done, names)
            outcomes |= {prefix + name: outcome for name, outcome in found.items()}
            failures += [Failure(prefix + one.test, one.message, one.trace) for one in said]
            stopped, seconds = stopped or done.stopped, seconds + done.seconds
        unavailable: dict[str, str] = {}
        for test in wanted if wanted is not None else sorted(self._asked):
            if test not in outcomes:
                outcomes[test] = "failed"
                left_out = test in self._asked
                failures.append(Failure(test, _LEFT_OUT if left_out else "this test was not found"))
                unavailable |= {test: _LEFT_OUT} if left_out else {}
        return TestReport(True, outcomes, tuple(failures[:50]), stopped, seconds, unavailable)

    def _matters(self, tree: Tree, target: str, tests: Sequence[str] | None) -> bool:
        """Does it say something about a candidate that this target does not compile? Not when it is an integration test that
        never did and is not asked about.
        """
        with self._lock:
            head, asked = self._head, self._asked
        if not target.startswith("tests/") or head is None:
            return True
        if any(test.startswith(target + "::") for test in (*(tests or ()), *asked)):
            return True
        return target not in self._built(head, release=False).errors

    def _listed(self, build: Build, program: Executable) -> list[str]:
        done = self._sandbox.run(self._run(build, (program.path, "--list", "--format", "terse")))
        return [name for name in rust_report.listed(done.stdout) if self._configured.takes(name)]

    def _run(
        self,
        build: Build,
        argv: tuple[str, ...],
        env: Mapping[str, str] | None = None,
        tree: Tree | None = None,
    ) -> Command:
        manifest = {} if self._project.file else {"CARGO_MANIFEST_DIR": self._project.home}
        libraries = {"LD_LIBRARY_PATH": build.libraries} if build.libraries else {}
        mounts = build.place.mounts(writable=False)
        if tree is not None and self._writes:
            copy = trees.copied(Tree(build.place.source, tree.output, tree.label), "rust-written")
            mounts = (Mount(copy, SOURCE, writable=True), Mount(build.place.output, OUTPUT))
        return Command(
            argv=argv,
            cwd=self._project.home,
            env={**manifest, **libraries, **(env or {})},
            mounts=mounts,
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
        paths = {program.target: program.path for program in build.programs}
        if not chosen.keys() <= paths.keys():
            return None
        return build, {paths[target]: tuple(names) for target, names in chosen.items()}

    def _looping(self, tree: Tree, tests: Sequence[str]) -> tuple[Build, dict[str, tuple[str, ...]]] | None:
        """A release build as it is; whole processes are repeated."""
        build = self._built(tree, release=True)
        if not tests or not set(tests) <= self._report(tree, build, tests).passed:
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
            text = rust_repeat.loop(chosen, times)
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
