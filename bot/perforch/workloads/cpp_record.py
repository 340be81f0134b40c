"""C++ programs that a test command starts: make's test target, or the commands of the configuration.

The command is run once with a preloaded library that notes every program of the tree and ends it before its first instruction, so that
building a tree runs none of its tests. Such a program can then be run, repeated and timed by itself; what the command checks beside it,
such as a comparison with expected output, is checked by running the command as a whole.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.sandbox.spec import OUTPUT, SOURCE, Command
from perforch.workloads import builds, cpp_project, cpp_report
from perforch.workloads.cpp_project import Build, Program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Completed, Mount, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.cpp_project import Project
    from perforch.workloads.model import Tree

_NOTES = ".perforch-programs"
_OURS = re.compile(
    r"(?:PERFORCH_\w+|LD_PRELOAD|PATH|HOME|TMPDIR|LANG|PWD|OLDPWD|SHLVL|_|MAKE\w*|MFLAGS|GNUMAKEFLAGS|TERM|LINES|COLUMNS)="
)
_MOST = 500


def build(sandbox: Sandbox, project: Project, tree: Tree, place: Place, library: Mount) -> Build:
    """Run the build command, then find out what the test command starts.

    Raises:
        ToolMissingError: a command does not exist; the message names its key when it is of the configuration.
    """
    if project.build:
        done = _run(sandbox, project, place, project.build, (), "build")
        if not done.ok:
            return cpp_report.unbuilt(place, done)
    dry = _dry(sandbox, project, place, library)
    programs = _programs(sandbox, project, tree, place)
    if not dry.ok and not project.configured:
        # Perhaps the tests are built with the help of a program of the tree, which has been kept from running: build first.
        second = builds.place(tree, "cpp-first", extra=place.extra)
        _run(sandbox, project, second, ("make", "-j2"), (), "build")
        again = _dry(sandbox, project, second, library)
        found = _programs(sandbox, project, tree, second)
        if found and len(found) >= len(programs):
            place, programs, dry = second, found, again
    if not programs and not dry.ok and not project.configured:
        return cpp_report.unbuilt(place, dry)
    return Build(place, tuple(programs), seconds=dry.seconds)


def _run(
    sandbox: Sandbox,
    project: Project,
    place: Place,
    argv: Sequence[str],
    mounts: tuple[Mount, ...],
    key: str,
    seconds: float = builds.BUILD_LIMITS.wall_seconds,
) -> Completed:
    command = Command(
        argv=tuple(argv),
        cwd=project.home,
        mounts=(*place.mounts(writable=True), *mounts),
        limits=replace(builds.BUILD_LIMITS, wall_seconds=seconds),
    )
    try:
        return sandbox.run(command)
    except ToolMissingError as error:
        if not project.configured:
            raise
        message = f"languages.cpp.{key} in .github/perforch.yml cannot be run: {error.message}"
        raise ToolMissingError(message, hint=error.hint) from None


def _dry(sandbox: Sandbox, project: Project, place: Place, library: Mount) -> Completed:
    (place.output / _NOTES).unlink(missing_ok=True)
    words = project.test
    if words[0] == "make":
        words = (words[0], "-k", *words[1:])  # one program that fails must not hide the others
    if "/" not in words[0]:
        # `env` would say that a command is missing only by its status.
        _run(sandbox, project, place, (words[0], "--version"), (), "test")
    own = f"LD_PRELOAD={builds.HARNESS}/repeat.so PERFORCH_RECORD={OUTPUT}/{_NOTES} PERFORCH_DRY=1"
    return _run(
        sandbox, project, place,
        ("/bin/sh", "-c", f"exec env {own} {shlex.join(words)} </dev/null"), (library,), "test",
    )  # fmt: skip


def _programs(sandbox: Sandbox, project: Project, tree: Tree, place: Place) -> list[Program]:
    files = builds.sources(tree, "", cpp_project.SUFFIXES)
    found: dict[tuple[object, ...], Program] = {}
    for path, folder, given, arguments, variables in noted(
        builds.written(place.output, place.output / _NOTES)
    ):
        argv = (path, *arguments)
        key = (argv, folder, given)
        # A program that reads a pipe cannot be run by itself.
        if key in found or given == "|" or not _exists(place, path) or (given and not _exists(place, given)):
            continue
        name = PurePosixPath(path)
        shown = str(name.relative_to(project.home)) if name.is_relative_to(project.home) else name.name
        sources = _sources(sandbox, place, path, files)
        found[key] = Program(
            name=shlex.join((shown, *arguments)) + (f" < {PurePosixPath(given).name}" if given else ""),
            argv=argv,
            cwd=folder,
            sources=sources,
            env=dict(one.partition("=")[::2] for one in variables if not _OURS.match(one)),
            may_exit=cpp_project.may_exit([files[one] for one in sources]),
            given=given,
        )
    return list(found.values())


def noted(data: bytes) -> list[tuple[str, str, str, list[str], list[str]]]:
    """Program, working directory, standard input, arguments and variables of every record; what is malformed ends the reading.

    Standard input is a file's path, "|" for what cannot be opened again, or "".
    """
    fields = iter(data.decode("utf-8", "replace").split("\0"))
    found: list[tuple[str, str, str, list[str], list[str]]] = []
    try:
        while next(fields) == "perforch" and len(found) < _MOST:
            path, folder, given = next(fields), next(fields), next(fields)
            arguments = [next(fields) for _ in range(min(10_000, int(next(fields))))]
            variables = [next(fields) for _ in range(min(10_000, int(next(fields))))]
            found.append((path, folder, given, arguments, variables))
    except (StopIteration, ValueError):
        pass
    return found


def _exists(place: Place, path: str) -> bool:
    for root, prefix in ((place.output, OUTPUT), (place.source, SOURCE)):
        if path.startswith(prefix + "/"):
            return (root / path.removeprefix(prefix + "/")).is_file()
    return False


def _sources(sandbox: Sandbox, place: Place, path: str, files: dict[str, bytes]) -> tuple[str, ...]:
    """Files of the tree that a program is made of, by the names in its symbol table; by its own name when it has none."""
    said = sandbox.run(
        Command(argv=("readelf", "-sW", path), cwd=SOURCE, mounts=place.mounts(writable=False))
    )
    names = set(re.findall(r"\bFILE\s+LOCAL\s+DEFAULT\s+ABS\s+(\S+)", said.stdout.decode("utf-8", "replace")))
    found = tuple(one for one in files if PurePosixPath(one).name in names)
    return found or tuple(one for one in files if PurePosixPath(one).stem == PurePosixPath(path).name)


def whole(
    sandbox: Sandbox, project: Project, tree: Tree, extra: tuple[Mount, ...], seconds: float
) -> Completed:
    """The commands as a person runs them, in a copy of its own: nothing it writes is ever timed.

    Args:
        seconds: wall time of the test command.
    """
    place = builds.place(tree, "cpp-whole", extra=extra)
    if project.build:
        done = _run(sandbox, project, place, project.build, (), "build")
        if not done.ok:
            return done
    return _run(sandbox, project, place, project.test, (), "test", seconds)
