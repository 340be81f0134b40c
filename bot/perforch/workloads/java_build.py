"""Compilation of Java projects: javac by itself, or Maven offline."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds, java_project, java_report
from perforch.workloads.model import Failure, TestReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.java_project import Project
    from perforch.workloads.model import Tree

# The serial collector and a fixed heap take away noise; the compiler stays as it is in production (never C1 alone).
OPTIONS = ("-XX:+UseSerialGC", "-Xshare:auto", "-Xms256m", "-Xmx1024m", "-Xss4m", "-XX:-UsePerfData")
_JAVAC = ("-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-Xshare:auto", "-J-XX:-UsePerfData")
_CLASS_PATH = re.compile(r"-classpath (\S*test-classes\S*)")
_REPOSITORY = "/perforch/m2"
_SOURCE = Path(__file__).parent / "harness" / "java"


@dataclass(frozen=True, slots=True)
class Build:
    """Compiled classes of one tree, or what the compiler says."""

    place: Place
    classpath: str = ""
    mounts: tuple[Mount, ...] = ()
    errors: tuple[Failure, ...] = ()


def build(sandbox: Sandbox, project: Project, tree: Tree, place: Place) -> Build:
    """Compile main and test classes; nothing of the project is run (Maven's plugins apart).

    Raises:
        ToolMissingError: no JDK, or no Maven for a Maven project.
    """
    harness = _harness(sandbox, place)
    if project.kind == "maven":
        return _maven(sandbox, project, place, harness)
    entries, mounts = java_project.jars(tree, project)
    names = [f"{SOURCE}/{path}" for path in java_project.sources(tree, project)]
    listing = place.output.parent / f"{place.output.name}.files"
    listing.write_text("".join(f'"{name}"\n' for name in names), encoding="utf-8")
    classpath = ":".join([*entries, builds.HARNESS])
    done = sandbox.run(
        Command(
            argv=("javac", *_JAVAC, "-encoding", "UTF-8", "-nowarn", "-Xmaxerrs", "20", "-g", "-d", f"{OUTPUT}/classes",
                  "-cp", classpath, "@/perforch/files"),
            cwd=project.home,
            mounts=(*place.mounts(writable=True), *mounts, harness, Mount(listing, "/perforch/files")),
            limits=builds.BUILD_LIMITS,
        )
    )  # fmt: skip
    if not done.ok:
        return Build(place, errors=java_report.compiler_errors(done.stderr + done.stdout))
    whole = ":".join([f"{OUTPUT}/classes", *java_project.resources(tree, project), *entries, builds.HARNESS])
    return Build(place, whole, (*mounts, harness))


def _harness(sandbox: Sandbox, place: Place) -> Mount:
    """Our harness, compiled beside the output, where no untrusted program can write."""
    target = place.output.parent / f"{place.output.name}.harness"
    mount = Mount(target, builds.HARNESS)
    if (target / "perforch" / "Harness.class").is_file():
        return mount
    target.mkdir(parents=True, exist_ok=True)
    done = sandbox.run(
        Command(
            argv=("javac", *_JAVAC, "-encoding", "UTF-8", "-nowarn", "-d", "/perforch/to", "/perforch/from/perforch/Harness.java"),
            cwd="/",
            mounts=(Mount(_SOURCE, "/perforch/from"), Mount(target, "/perforch/to", writable=True)),
            limits=builds.BUILD_LIMITS,
        )
    )  # fmt: skip
    if not done.ok:
        message = "the Java test harness does not compile with this machine's javac"
        raise ToolMissingError(message, hint="Install a JDK 11 or newer.")
    return mount


def _mvn(
    sandbox: Sandbox, project: Project, place: Place, arguments: tuple[str, ...], seconds: float
) -> Completed:
    if shutil.which("mvn") is None:
        message = f"mvn is not installed, and {project.root or 'the repository'} is a Maven project"
        raise ToolMissingError(message, hint="Install Maven and fill its local repository: mvn test-compile.")
    limits = builds.BUILD_LIMITS
    repository = Path.home() / ".m2" / "repository"
    # Maven goes by the account's home directory, which the sandbox does not have.
    shared = (Mount(repository, _REPOSITORY),) if repository.is_dir() else ()
    where = (f"-Dmaven.repo.local={_REPOSITORY}",) if shared else ()
    return sandbox.run(
        Command(
            argv=("mvn", "-o", "-B", "-Dstyle.color=never", "-Duser.home=/tmp", *where, *arguments),
            cwd=project.home,
            env={"MAVEN_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"},
            mounts=(*place.mounts(writable=True), *shared),
            limits=type(limits)(wall_seconds=seconds, memory_bytes=limits.memory_bytes, processes=1024),
        )
    )


def _maven(sandbox: Sandbox, project: Project, place: Place, harness: Mount) -> Build:
    done = _mvn(sandbox, project, place, ("-X", "test-compile"), builds.BUILD_LIMITS.wall_seconds)
    if not done.ok:
        return Build(place, errors=maven_errors(done))
    paths = _CLASS_PATH.findall(done.stdout.decode("utf-8", "replace"))
    if not paths:
        return Build(
            place, errors=(Failure("build", "Maven did not say which class path it compiles the tests with"),)
        )
    entries = [*filter(None, paths[-1].split(":")), builds.HARNESS]
    repository = Path.home() / ".m2" / "repository"
    shared = (Mount(repository, _REPOSITORY),) if repository.is_dir() else ()
    return Build(place, ":".join(entries), (harness, *shared))


def maven_errors(done: Completed) -> tuple[Failure, ...]:
    """Maven's own words when it cannot build: compiler errors, or the first lines marked as errors."""
    lines = [line for line in done.stdout.split(b"\n") if line.startswith(b"[ERROR]")]
    return java_report.compiler_errors(b"\n".join(lines) or done.stderr)


def maven_test(
    sandbox: Sandbox, project: Project, tree: Tree, tests: Sequence[str] | None, seconds: float
) -> TestReport:
    """Run Surefire in a copy of its own: tests may write there, and nothing of it is ever timed."""
    place = builds.place(tree, "maven-test")
    reports = place.source / project.root / "target" / "surefire-reports"
    if not reports.is_symlink() and reports.resolve().is_relative_to(place.source.resolve()):
        shutil.rmtree(reports, ignore_errors=True)
    only = (f"-Dtest={','.join(test.replace('$', '*') for test in tests)}",) if tests is not None else ()
    arguments = (
        "-Dmaven.test.failure.ignore=true",
        "-DfailIfNoTests=false",
        "-Dsurefire.failIfNoSpecifiedTests=false",
    )
    done = _mvn(sandbox, project, place, (*arguments, *only, "test"), seconds + 120)
    documents = [builds.written(place.source, path) for path in sorted(reports.glob("*.xml"))]
    outcomes, failures = java_report.surefire(documents)
    if not outcomes and not done.ok:
        return TestReport(built=False, outcomes={}, failures=maven_errors(done), stopped=done.stopped)
    for test in tests or ():
        if test not in outcomes:
            outcomes[test] = "failed"
            failures.append(Failure(test, "this test did not run to its end"))
    return TestReport(
        built=True,
        outcomes=outcomes,
        failures=tuple(failures[:50]),
        stopped=done.stopped,
        seconds=done.seconds,
    )
