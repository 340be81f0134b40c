"""Maven without a network: the class path of a module's tests, and its tests by Surefire."""

from __future__ import annotations

import contextlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox import cleaning
from perforch.sandbox.spec import Command, Mount
from perforch.workloads import builds, java_report
from perforch.workloads.model import Failure, TestReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.java_project import Project
    from perforch.workloads.model import Tree

_CLASS_PATH = re.compile(r"-classpath (\S*test-classes\S*)")
_REPOSITORY = "/perforch/m2"
_OFFLINE = re.compile(
    r"in offline mode|has not been downloaded from it before|Non-resolvable (?:parent|import) POM|No plugin found for prefix"
    r"|[Cc]ould not resolve dependencies|one of its dependencies could not be resolved|Could not find artifact"
    r"|The JAVA_HOME environment variable is not defined|Unresolveable build extension"
)
_ARTIFACT = re.compile(r"(?:artifact|Plugin|dependencies at|resolve) ([\w.-]+:[\w.-]+(?::[\w.-]+)*)")


@dataclass(frozen=True, slots=True)
class Compiled:
    """What Maven made of a tree.

    Attributes:
        classpath: entries of the tests' class path.
        offline: why Maven can build nothing here, whatever the code; "" when it can.
    """

    classpath: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    errors: tuple[Failure, ...] = ()
    offline: str = ""


def compiled(sandbox: Sandbox, project: Project, place: Place) -> Compiled:
    """Compile main and test classes; plugins of the project run."""
    if shutil.which("mvn") is None:
        return Compiled(
            offline="Maven (mvn) is not installed on this machine; install it and run `mvn test` once"
        )
    done = _mvn(sandbox, project, place, ("-X", "test-compile"), builds.BUILD_LIMITS.wall_seconds)
    text = done.stdout.decode("utf-8", "replace")
    if not done.ok:
        offline = _OFFLINE.search(text + done.stderr.decode("utf-8", "replace"))
        if offline is None:
            return Compiled(errors=errors(done))
        return Compiled(offline=_reason(text))
    paths = _CLASS_PATH.findall(text)
    if not paths:
        words = "Maven did not say which class path it compiles the tests with"
        return Compiled(offline=words)
    return Compiled(tuple(filter(None, paths[-1].split(":"))), _store()[0])


def _reason(text: str) -> str:
    found = _ARTIFACT.search("\n".join(line for line in text.split("\n") if line.startswith("[ERROR]")))
    what = f"has no {found[1]} here" if found else "cannot resolve what the project needs"
    return f"Maven {what}, and builds have no network; run `mvn test` once before perforch"


def _store() -> tuple[tuple[Mount, ...], tuple[str, ...]]:
    """The local repository: Maven goes by the account's home directory, which the sandbox does not have."""
    repository = Path.home() / ".m2" / "repository"
    if not repository.is_dir():
        return (), ()
    return (Mount(repository, _REPOSITORY),), (f"-Dmaven.repo.local={_REPOSITORY}",)


def _mvn(
    sandbox: Sandbox, project: Project, place: Place, arguments: tuple[str, ...], seconds: float
) -> Completed:
    limits = builds.BUILD_LIMITS
    mounts, where = _store()
    module = PurePosixPath(project.root).relative_to(project.top)
    # Modules that this one needs are built from their sources: nobody has installed them.
    module_only = ("-pl", str(module), "-am") if project.top != project.root else ()
    return sandbox.run(
        Command(
            argv=(
                "mvn",
                "-o",
                "-B",
                "-Dstyle.color=never",
                "-Duser.home=/tmp",
                *where,
                *module_only,
                *project.options,
                *arguments,
            ),
            cwd=project.home_of(project.top),
            env={"MAVEN_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"},
            mounts=(*place.mounts(writable=True), *mounts),
            limits=type(limits)(wall_seconds=seconds, memory_bytes=limits.memory_bytes, processes=1024),
        )
    )


def errors(done: Completed) -> tuple[Failure, ...]:
    """Maven's own words when it cannot build: compiler errors, or the first lines marked as errors."""
    lines = [line for line in done.stdout.split(b"\n") if line.startswith(b"[ERROR]")]
    return java_report.compiler_errors(b"\n".join(lines) or done.stderr)


def test(
    sandbox: Sandbox, project: Project, tree: Tree, tests: Sequence[str] | None, seconds: float
) -> TestReport:
    """Run Surefire in a copy of its own: tests may write there, and nothing of it is ever timed."""
    place = builds.place(tree, "maven-test")
    reports = place.source / project.root / "target" / "surefire-reports"
    if not reports.is_symlink() and reports.resolve().is_relative_to(place.source.resolve()):
        with contextlib.suppress(OSError):
            cleaning.remove(reports)
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
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        lacks = {"": _reason(text)} if _OFFLINE.search(text) else {}
        return TestReport(
            built=False, outcomes={}, failures=errors(done), stopped=done.stopped, unavailable=lacks
        )
    for one in tests or ():
        if one not in outcomes:
            outcomes[one] = "failed"
            failures.append(Failure(one, "this test did not run to its end"))
    return TestReport(
        built=True,
        outcomes=outcomes,
        failures=tuple(failures[:50]),
        stopped=done.stopped,
        seconds=done.seconds,
    )
