"""Compilation of Java projects: Maven offline where it can, else javac by itself, or the commands of the configuration."""

from __future__ import annotations

import shlex
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.languages import syntax
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds, java_jars, java_maven, java_project, java_report, trees
from perforch.workloads.model import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.java_project import Project
    from perforch.workloads.model import Tree

# The serial collector and a fixed heap take away noise; the compiler stays as it is in production (never C1 alone).
OPTIONS = ("-XX:+UseSerialGC", "-Xshare:auto", "-Xms256m", "-Xmx1024m", "-Xss4m", "-XX:-UsePerfData")
_JAVAC = ("-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-Xshare:auto", "-J-XX:-UsePerfData")
_SOURCE = Path(__file__).parent / "harness" / "java"
_ROUNDS = 4
_JDK = "Install a JDK 11 or newer (Debian: default-jdk-headless)."


@dataclass(frozen=True, slots=True)
class Build:
    """Compiled classes of one tree, or what the compiler says.

    Attributes:
        classpath: with everything that tests need; "" when no classes were found.
        lacks: why something cannot be compiled on this machine, by source file; "" stands for all.
    """

    place: Place
    classpath: str = ""
    mounts: tuple[Mount, ...] = ()
    errors: tuple[Failure, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)


class Builds:
    """The builds of one project's trees, each made once, all in the same way: the first tree decides.

    Attributes:
        by_maven: does Maven build and test the project? None as long as nothing was built.
    """

    def __init__(self, sandbox: Sandbox, project: Project) -> None:
        self._sandbox = sandbox
        self._project = project
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._known: dict[str, Build] = {}
        self._offline = ""
        self.by_maven: bool | None = None if project.kind == "maven" else False

    def of(self, tree: Tree, edits: Mapping[str, bytes]) -> Build:
        """The build of this tree with some test files replaced.

        Raises:
            ToolMissingError: there is no JDK, or a command of the configuration does not exist.
        """
        # The configured commands compile what people wrote; our changes are compiled after them.
        place = builds.place(tree, "java", None if self._project.kind == "configured" else edits)
        key = str(place.source)
        with self._guard:
            # Undecided, builds wait for each other.
            lock = self._locks.setdefault("" if self.by_maven is None else key, threading.Lock())
        with lock:
            if key not in self._known:
                self._known[key] = self._build(tree, place, edits)
            return self._known[key]

    def _build(self, tree: Tree, place: Place, edits: Mapping[str, bytes]) -> Build:
        harness = _harness(self._sandbox, place)
        if self._project.kind == "configured":
            return _configured(self._sandbox, self._project, tree, place, harness, edits)
        if self.by_maven is not False:
            made = java_maven.compiled(self._sandbox, self._project, place)
            if not made.offline:
                self.by_maven = True
                classpath = ":".join([*made.classpath, builds.HARNESS]) if made.classpath else ""
                return Build(place, classpath, (*made.mounts, harness), made.errors)
            if self.by_maven:
                return Build(place, errors=(Failure("build", made.offline),))
            self.by_maven, self._offline = False, made.offline
        return _javac(self._sandbox, self._project, tree, place, harness, self._offline)


def _javac(
    sandbox: Sandbox, project: Project, tree: Tree, place: Place, harness: Mount, offline: str = ""
) -> Build:
    """Compile main and test classes; nothing of the project is run. Test files whose libraries are nowhere are left out."""
    entries, mounts = java_jars.jars(tree, project)
    files = java_project.sources(tree, project)
    packages = {java_project.package_of(text) for text in files.values()}
    left_out: dict[str, str] = {}
    listing = place.output.parent / f"{place.output.name}.files"
    theirs = java_project.siblings(tree, project)
    for _ in range(_ROUNDS):
        names = [f"{SOURCE}/{path}" for path in files if path not in left_out]
        listing.write_text("".join(f'"{name}"\n' for name in names), encoding="utf-8")
        done = sandbox.run(
            Command(
                argv=("javac", *_JAVAC, "-encoding", "UTF-8", "-nowarn", "-Xmaxerrs", "1000", "-g", "-d", f"{OUTPUT}/classes",
                      "-cp", ":".join([*entries, builds.HARNESS]),
                      *(("-sourcepath", ":".join(theirs)) if theirs else ()), "@/perforch/files"),
                cwd=project.home,
                mounts=(*place.mounts(writable=True), *mounts, harness, Mount(listing, "/perforch/files")),
                limits=builds.BUILD_LIMITS,
            )
        )  # fmt: skip
        if done.ok or not names:
            whole = [f"{OUTPUT}/classes", *java_project.resources(tree, project), *entries, builds.HARNESS]
            return Build(place, ":".join(whole), (*mounts, harness), lacks=left_out)
        said = done.stderr + done.stdout
        missing = {
            path: _missing(name, offline) for path, name in java_report.packages(said, packages).items()
        }
        others = java_report.files(said) if missing or left_out else set()
        if any(not syntax.is_test_path(path) for path in missing):
            reason = next(text for path, text in missing.items() if not syntax.is_test_path(path))
            return Build(place, errors=java_report.compiler_errors(said), lacks={"": reason})
        fresh = {path for path in (*missing, *others) if syntax.is_test_path(path)} - set(left_out)
        if not fresh:
            break
        known = next(iter((*missing.values(), *left_out.values())))
        left_out |= {path: missing.get(path, known) for path in fresh}
    return Build(place, errors=java_report.compiler_errors(said))


def _missing(package: str, offline: str) -> str:
    remedy = (
        offline
        or "put the jar into lib/, or run the project's own tests once so that it is in ~/.m2 or ~/.gradle"
    )
    return f"the package {package} is in no jar on this machine; {remedy}"


def _configured(
    sandbox: Sandbox,
    project: Project,
    tree: Tree,
    place: Place,
    harness: Mount,
    edits: Mapping[str, bytes],
) -> Build:
    """Run the configured build and take the classes it leaves; compile by ourselves when there are none."""
    roots = []
    if project.build:
        seconds = builds.BUILD_LIMITS.wall_seconds
        done = configured(sandbox, project.build, place, "build", seconds)
        if not done.ok:
            return Build(place, errors=java_report.compiler_errors(done.stderr + done.stdout))
        roots = _class_roots(tree, project, place)
    if not roots:
        # Classes that a test command leaves are not taken: the tests that it ran could have changed them.
        made = _javac(sandbox, project, tree, builds.place(tree, "java-own", edits), harness)
        lacks = {path: reason for path, reason in made.lacks.items() if path}
        return replace(made, classpath="" if made.errors else made.classpath, errors=(), lacks=lacks)
    entries, mounts = java_jars.jars(tree, project)
    classpath = ":".join([*roots, *java_project.resources(tree, project), *entries, builds.HARNESS])
    if edits and _edited(sandbox, project, place, (*mounts, harness), classpath, edits):
        classpath = f"{OUTPUT}/edited:{classpath}"
    return Build(place, classpath, (*mounts, harness))


def _edited(
    sandbox: Sandbox,
    project: Project,
    place: Place,
    mounts: tuple[Mount, ...],
    classpath: str,
    edits: Mapping[str, bytes],
) -> bool:
    """Compile changed test files against the classes that are there."""
    folder = place.output.parent / f"{place.output.name}.edited"
    names = []
    for path, text in edits.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        names.append(f"/perforch/edited/{path}")
    return sandbox.run(
        Command(
            argv=("javac", *_JAVAC, "-encoding", "UTF-8", "-nowarn", "-g", "-d", f"{OUTPUT}/edited", "-cp", classpath, *names),
            cwd=project.home,
            mounts=(*place.mounts(writable=True), *mounts, Mount(folder, "/perforch/edited")),
            limits=builds.BUILD_LIMITS,
        )
    ).ok  # fmt: skip


def configured(sandbox: Sandbox, argv: Sequence[str], place: Place, key: str, seconds: float) -> Completed:
    """A command of the configuration, from the repository's root.

    Raises:
        ToolMissingError: it does not exist; the message names its key.
    """
    limits = type(builds.BUILD_LIMITS)(
        wall_seconds=seconds, memory_bytes=builds.BUILD_LIMITS.memory_bytes, processes=1024
    )
    try:
        return sandbox.run(
            Command(argv=tuple(argv), cwd=SOURCE, mounts=place.mounts(writable=True), limits=limits)
        )
    except ToolMissingError as error:
        message = f"languages.java.{key} in .github/perforch.yml, `{shlex.join(argv)}`, cannot be run: {error.message}"
        raise ToolMissingError(message, hint=error.hint) from None


def whole(sandbox: Sandbox, project: Project, tree: Tree, seconds: float) -> Completed:
    """The configured commands as a person runs them, in a copy of its own: nothing they write is ever timed."""
    place = builds.place(tree, "java-whole")
    if project.build:
        done = configured(sandbox, project.build, place, "build", builds.BUILD_LIMITS.wall_seconds)
        if not done.ok:
            return done
    return configured(sandbox, project.test, place, "test", seconds)


def _class_roots(tree: Tree, project: Project, place: Place) -> list[str]:
    """Folders of the copy that hold compiled classes of the project, tests first."""
    wanted: dict[str, bool] = {}
    for path, text in java_project.sources(tree, project).items():
        package = java_project.package_of(text).replace(".", "/")
        name = f"{package}/" if package else ""
        wanted[f"{name}{PurePosixPath(path).stem}.class"] = syntax.is_test_path(path)
    found: dict[str, bool] = {}
    for file in trees.files(place.source):
        if file.suffix != ".class":
            continue
        inside = file.relative_to(place.source).as_posix()
        for name in (inside.split("/", cut)[-1] for cut in range(inside.count("/") + 1)):
            if name in wanted:
                root = f"{SOURCE}/{inside.removesuffix(name)}".rstrip("/")
                found[root] = found.get(root, False) or wanted[name]
                break
    return sorted(found, key=lambda root: (not found[root], root))[:50]


def _harness(sandbox: Sandbox, place: Place) -> Mount:
    """Our harness, compiled beside the output, where no untrusted program can write."""
    target = place.output.parent / f"{place.output.name}.harness"
    mount = Mount(target, builds.HARNESS)
    if (target / "perforch" / "Harness.class").is_file():
        return mount
    target.mkdir(parents=True, exist_ok=True)
    try:
        done = sandbox.run(
            Command(
                argv=("javac", *_JAVAC, "-encoding", "UTF-8", "-nowarn", "-d", "/perforch/to",
                      "/perforch/from/perforch/Harness.java", "/perforch/from/perforch/Parameters.java"),
                cwd="/",
                mounts=(Mount(_SOURCE, "/perforch/from"), Mount(target, "/perforch/to", writable=True)),
                limits=builds.BUILD_LIMITS,
            )
        )  # fmt: skip
    except ToolMissingError as error:
        raise ToolMissingError(error.message, hint=_JDK) from None
    if not done.ok:
        message = "the Java test harness does not compile with this machine's javac"
        raise ToolMissingError(message, hint=_JDK)
    return mount
