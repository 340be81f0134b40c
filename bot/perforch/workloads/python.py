"""Python: tests by pytest (plain, classes, `unittest`, parametrised), repeated in one process for timing."""

from __future__ import annotations

import json
import secrets
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from perforch.sandbox.spec import SOURCE, Command, Limits, Mount
from perforch.workloads import builds, python_env, python_report, python_tests, repeat, trees
from perforch.workloads.model import ColdCheck, Failure, TestReport, TimedCommand
from perforch.workloads.options import DEFAULT, Options
from perforch.workloads.python_report import Lines, profile_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.settings import LanguageSettings
    from perforch.workloads.model import Tree

ROOTS = ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini")
MAX_TESTS = 200  # named on a command line
_QUIET = frozenset({"-q", "-qq", "-v", "-vv", "-vvv", "-x", "--quiet", "--verbose", "--exitfirst", "-s"})
_VALUES = frozenset(
    {
        "-k", "-m", "-p", "-c", "-o", "-W", "-n", "-r", "--rootdir", "--ignore", "--ignore-glob", "--deselect", "--confcutdir",
        "--basetemp", "--durations", "--tb", "--timeout", "--cov", "--ds", "--numprocesses", "--import-mode", "--override-ini",
    }
)  # fmt: skip
_HARNESS = f"{python_env.HARNESS}/perforch_pytest.py"


def discover(
    sandbox: Sandbox, settings: LanguageSettings | None, tree: Tree, path: str, options: Options = DEFAULT
) -> PythonRunner | None:
    """A runner for the nearest project above `path`; the repository itself when nothing marks one."""
    root = next((root for root in roots(tree, path)), "")
    return PythonRunner(sandbox, settings, root, options)


def roots(tree: Tree, path: str) -> tuple[str, ...]:
    """Project directories above `path`, the nearest first; the repository's root is always the last."""
    found = []
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        if not root or any((tree.source / root / name).is_file() for name in ROOTS):
            found.append(root)
    return tuple(found)


def pytest_arguments(argv: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Interpreter ("" when none is named) and extra arguments of a configured pytest command; None for other commands."""
    words = list(argv)
    interpreter = words.pop(0) if python_env.is_python(words[0]) else ""
    if interpreter and words[:1] != ["-m"]:
        return None
    words = words[1:] if interpreter else words
    name = PurePosixPath(words[0]).name if words else ""
    if name in {"pytest", "py.test"}:
        return interpreter, tuple(word for word in words[1:] if word not in _QUIET)
    if name == "unittest" and interpreter:
        return interpreter, ()
    return None


class PythonRunner:
    """Tests and workloads of one Python project. The tree is mounted read-only; nothing is installed."""

    name = "pytest"

    def __init__(
        self,
        sandbox: Sandbox,
        settings: LanguageSettings | None,
        project_root: str,
        options: Options = DEFAULT,
    ) -> None:
        self._sandbox = sandbox
        self._root = project_root
        self._options = options
        configured = pytest_arguments(settings.test) if settings is not None and settings.test else None
        self._configured, self._extra = configured or ("", ())
        self._build = settings.build if settings is not None else None
        self._prepared: dict[tuple[Path, int], Failure | None] = {}
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._interpreter: python_env.Interpreter | None = None
        self._plain = False  # the project's addopts do not fit the installed plugins
        self._writes = False  # tests write beside the sources
        self._slowest: dict[int, float] = {}

    @property
    def root(self) -> str:
        """The project's directory inside the tree; runners of one root are one runner."""
        return self._root

    @property
    def _home(self) -> str:
        return f"{SOURCE}/{self._root}" if self._root else SOURCE

    def interpreter(self, tree: Tree) -> python_env.Interpreter:
        """The project's interpreter, found once.

        Raises:
            ToolMissingError: there is none that works.
        """
        with self._lock:
            if self._interpreter is None:
                self._interpreter = python_env.find(
                    self._sandbox, tree, self._root, self._options, self._configured
                )
            return self._interpreter

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Node ids (without parameters) of the tests that name the function, or else a caller of it in its file."""
        return python_tests.named(tree, self._root, function)[:MAX_TESTS]

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Run the tests; the ids of the report are pytest's node ids."""
        broken = self._broken(tree)
        if broken is not None:
            return TestReport(built=False, outcomes={}, failures=(broken,))
        said, done = self._said(tree, tests, "test")
        return python_report.report(said, done, tests, lambda name: python_tests.ours(tree, self._root, name))

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """A process that runs the tests `repeat` times, with the byte code of the project compiled beforehand."""
        if self._broken(tree) is not None:
            return None
        said, done = self._said(tree, tests, "test")
        report = python_report.report(said, done, tests)
        if not report.passed or report.failed or report.stopped or not set(tests) <= report.passed:
            return None
        place = self._compiled(tree, said)
        count = self._calibrated(place, tests, min_ms) if repeat is None else repeat
        if count is None:
            return None
        command = self._timed_command(place, tests, count)
        if repeat is not None and not self._sandbox.run(command).ok:
            return None
        return TimedCommand(command=command, repeat=count, description=self._description(tests, count))

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """First against later calls of the tests, set-up by function-scoped fixtures left out."""
        nonce = secrets.token_hex(16)
        command = self._command(tree, tests, "cold", repeat=max(2, repeat), plain=self._plain, nonce=nonce)
        done = self._sandbox.run(command)
        for line in done.stdout.split(b"\n"):
            if line.startswith(nonce.encode()) and done.ok:
                record = json.loads(line.partition(b" ")[2])
                return ColdCheck(first_ns=float(record["first"]), rest_ns=float(record["rest"]))
        return None

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """The five lines that take the most time, with counts, and the sizes of the arguments."""
        target = {
            "file": f"{SOURCE}/{function.path}",
            "start": function.start_line,
            "end": function.end_line,
            "name": function.simple_name,
        }
        said, _ = self._said(tree, tests, "profile", target=target)
        return profile_text(said.profile, python_tests.read(tree.source / function.path))

    def _broken(self, tree: Tree) -> Failure | None:
        """Run the configured build command, once a tree; what went wrong with it."""
        if not self._build:
            return None
        place = trees.copied(tree, "tree")
        key = (place, builds.signature(tree))
        with self._building:
            if key not in self._prepared:
                self._prepared[key] = python_env.build(
                    self._sandbox, self.interpreter(tree), self._build, place, builds.BUILD_LIMITS
                )
            return self._prepared[key]

    def _source(self, tree: Tree) -> Path:
        """Where the tree's files are, built when there is something to build."""
        return trees.copied(tree, "tree") if self._build else tree.source

    def _said(
        self, tree: Tree, tests: Sequence[str] | None, mode: str, **more: object
    ) -> tuple[Lines, Completed]:
        nonce = secrets.token_hex(16)
        said, done = self._once(tree, tests, mode, nonce, more)
        if said.ended == 4 and not self._plain and b"unrecognized arguments" in done.stderr:
            self._plain = True
            said, done = self._once(tree, tests, mode, nonce, more)
        if not self._writes and _wants_to_write(said):
            self._writes = True
            said, done = self._once(tree, tests, mode, nonce, more)
        return said, done

    def _once(
        self, tree: Tree, tests: Sequence[str] | None, mode: str, nonce: str, more: Mapping[str, object]
    ) -> tuple[Lines, Completed]:
        kind = hash(None if tests is None else tuple(sorted(tests)))
        known = self._slowest.get(kind)
        wall = self._options.test_seconds
        if known is not None:
            wall = min(wall, 20.0 + 10.0 * known)
        command = self._command(tree, tests, mode, wall=wall, plain=self._plain, nonce="", more=more)
        done = self._sandbox.run(_with_input(command, nonce))
        said = python_report.read(done.stdout, nonce)
        if mode == "test" and not done.stopped and said.ended == 0:
            self._slowest[kind] = max(done.seconds, known or 0.0)
        return said, done

    def _command(
        self,
        tree: Tree,
        tests: Sequence[str] | None,
        mode: str,
        *,
        nonce: str,
        plain: bool,
        repeat: int = 1,
        wall: float | None = None,
        more: Mapping[str, object] | None = None,
        source: Path | None = None,
    ) -> Command:
        interpreter = self.interpreter(tree)
        options: dict[str, Any] = {
            "mode": mode,
            "nonce": nonce,
            "root": self._home,
            "paths": ["", "src", "lib", "python"],
            "tests": None if tests is None else list(tests),
            "files": [] if tests is None else list(dict.fromkeys(test.partition("::")[0] for test in tests)),
            "arguments": list(self._extra if tests is None else _without_files(self._extra)),
            "plain": plain,
            "pytest": interpreter.fallback,
            "repeat": repeat,
            **(more or {}),
        }
        where = (
            Mount(source, SOURCE)
            if source is not None
            else (
                Mount(trees.copied(tree, "tree"), SOURCE, writable=True)
                if self._writes
                else Mount(self._source(tree), SOURCE)
            )
        )
        argv: tuple[str, ...] = (interpreter.path, _HARNESS, json.dumps(options))
        if mode == "timed":
            argv = ("/bin/sh", f"{python_env.HARNESS}/finish.sh", nonce, *argv)
        return Command(
            argv=argv,
            cwd=self._home,
            mounts=(*interpreter.mounts, where),
            limits=Limits(wall_seconds=wall or self._options.test_seconds),
        )

    def _compiled(self, tree: Tree, said: Lines) -> Tree:
        """A private copy of the tree with byte code for the modules the tests import; made by compiling, not by running."""
        interpreter = self.interpreter(tree)
        place = trees.copied(type(tree)(self._source(tree), tree.output, tree.label), "compiled")
        names = [file for file in said.files if file.startswith(SOURCE + "/") and ".." not in file]
        self._sandbox.run(
            Command(
                argv=(interpreter.path, "-I", f"{python_env.HARNESS}/perforch_compile.py"),
                cwd="/",
                mounts=(*interpreter.mounts, Mount(place, SOURCE, writable=True)),
                stdin=json.dumps(names).encode(),
            )
        )
        return type(tree)(source=place, output=tree.output, label=tree.label)

    def _timed_command(self, place: Tree, tests: Sequence[str], count: int) -> Command:
        return self._command(
            place,
            tests,
            "timed",
            nonce=secrets.token_hex(8),
            plain=self._plain,
            repeat=count,
            source=place.source,
        )

    def _calibrated(self, place: Tree, tests: Sequence[str], min_ms: float) -> int | None:
        def cpu_ms(count: int) -> float | None:
            done = self._sandbox.run(self._timed_command(place, tests, count))
            return done.cpu_seconds * 1000 if done.ok else None

        return repeat.calibrate(cpu_ms, min_ms=min_ms)

    def _description(self, tests: Sequence[str], count: int) -> str:
        shown = " ".join(tests[:5]) + (" ..." if len(tests) > 5 else "")
        where = f"cd {self._root} && " if self._root else ""
        times = f"  # {count} times in one process" if count > 1 else ""
        return f"{where}python -m pytest {shown}{times}"


def _without_files(arguments: Sequence[str]) -> list[str]:
    """Options with their values; files and folders are left out."""
    kept: list[str] = []
    for word in arguments:
        if word.startswith("-") or (kept and kept[-1] in _VALUES):
            kept.append(word)
    return kept


def _with_input(command: Command, nonce: str) -> Command:
    return Command(
        argv=command.argv,
        cwd=command.cwd,
        env=command.env,
        mounts=command.mounts,
        limits=command.limits,
        cpus=command.cpus,
        stdin=nonce.encode() + b"\n",
    )


def _wants_to_write(said: Lines) -> bool:
    texts: list[Failure] = [*said.failures, *said.broken]
    return any("Read-only file system" in failure.message + failure.trace for failure in texts)
