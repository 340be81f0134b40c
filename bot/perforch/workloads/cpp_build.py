"""Builds of C++ projects in the sandbox: CMake, make, or g++ by itself. Optimised, with assertions kept."""

from __future__ import annotations

import filecmp
import itertools
import json
import os
import re
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from perforch.errors import ToolMissingError
from perforch.sandbox import cleaning
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds, cpp_fetched, cpp_project, cpp_record, cpp_report, trees
from perforch.workloads.cpp_project import Build, Program

if TYPE_CHECKING:
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.cpp_project import Project
    from perforch.workloads.model import Failure, Tree

_HARNESS = Path(__file__).parent / "harness" / "cpp"
_BUILD = f"{OUTPUT}/build"
_MOST_BINARY = 256 * 1024**2
_OPTION = re.compile(rb"(?i)^\s*option\s*\(\s*(\w*(?:BUILD|ENABLE|WITH)\w*TEST\w*)\s[^)]*\)", re.MULTILINE)
# Release without NDEBUG: tests written with assert() would test nothing, and time nothing, with it.
_RELEASE = (
    "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2", "-DCMAKE_C_FLAGS_RELEASE=-O2", "-DBUILD_TESTING=ON",
)  # fmt: skip


_COUNTED = (
    "-DCMAKE_CXX_COMPILER_LAUNCHER=sh;/perforch/coverage.sh", "-DCMAKE_EXE_LINKER_FLAGS=--coverage",
    "-DCMAKE_SHARED_LINKER_FLAGS=--coverage",
)  # fmt: skip


def preload(sandbox: Sandbox, place: Place) -> Mount:
    """Our library that repeats main, built where no untrusted program can write.

    Raises:
        ToolMissingError: there is no C compiler.
    """
    target = place.output.parent / f"{place.output.name}.harness"
    mount = Mount(target, builds.HARNESS)
    if (target / "repeat.so").is_file():
        return mount
    target.mkdir(parents=True, exist_ok=True)
    done = sandbox.run(
        Command(
            argv=("gcc", "-O1", "-shared", "-fPIC", "-o", "/perforch/to/repeat.so",
                  "/perforch/from/repeat.c", "-ldl"),
            cwd="/",
            mounts=(Mount(_HARNESS, "/perforch/from"), Mount(target, "/perforch/to", writable=True)),
        )
    )  # fmt: skip
    if not done.ok:
        message = "the C++ compiler of this machine cannot build a shared library"
        raise ToolMissingError(message, hint="Install g++ with its C library headers (build-essential).")
    return mount


class Builds:
    """The builds of one project's trees, each made once."""

    def __init__(self, sandbox: Sandbox, project: Project, checkout: Path | None) -> None:
        self._sandbox = sandbox
        self._project = project
        self._checkout = checkout
        self._guard = threading.Lock()
        self._known: dict[str, Build] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._first: Place | None = None
        self._leaving: frozenset[str] | None = None

    def of(self, tree: Tree) -> Build:
        """The build of this tree."""
        place = builds.place(tree, "cpp", extra=cpp_fetched.submodules(tree, self._checkout))
        key = str(place.source)
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                made = build(self._sandbox, self._project, tree, place, self._checkout, self._first)
                self._known[key] = made = self._pinned(made)
                if not made.errors and not made.lacks:
                    self._first = self._first or made.place
            return self._known[key]

    def _pinned(self, made: Build) -> Build:
        """Programs may leave early only where the first tree's may: a candidate cannot give itself that right."""
        with self._guard:
            if self._leaving is None and made.programs:
                self._leaving = frozenset(program.name for program in made.programs if program.may_exit)
            leaving = self._leaving or frozenset()
        programs = tuple(
            replace(program, may_exit=program.may_exit and program.name in leaving)
            for program in made.programs
        )
        return replace(made, programs=programs)


def build(
    sandbox: Sandbox,
    project: Project,
    tree: Tree,
    place: Place,
    checkout: Path | None = None,
    first: Place | None = None,
    counted: str = "",
) -> Build:
    """Build everything that tests; nothing built is run, except to list the cases of a framework.

    Args:
        checkout: the user's, where dependencies may stand.
        first: an earlier build of almost the same tree, which CMake goes on from.
        counted: a source file whose programs count how often its lines run; "" for builds that are tested and timed.
    """
    if project.kind == "cmake":
        if first is not None:
            _go_on(first, place, counted)
        made = _cmake(sandbox, project, tree, place, checkout, counted=bool(counted))
    elif project.test:
        if counted and project.test[0] == "make":
            project = replace(project, test=(*project.test, "CXX=g++ --coverage"))
        made = cpp_record.build(sandbox, project, tree, place, preload(sandbox, place))
    else:
        made = _single(sandbox, project, tree, place, ("--coverage",) if counted else ())
    programs = tuple(_listed(sandbox, made.place, program) for program in made.programs)
    return replace(made, programs=programs)


def _run(sandbox: Sandbox, place: Place, argv: tuple[str, ...], cwd: str) -> Completed:
    mounts = place.mounts(writable=True)
    return sandbox.run(Command(argv=argv, cwd=cwd, mounts=mounts, limits=builds.BUILD_LIMITS))


def _cmake(
    sandbox: Sandbox,
    project: Project,
    tree: Tree,
    place: Place,
    checkout: Path | None,
    *,
    counted: bool,
) -> Build:
    query = place.output / "build" / ".cmake" / "api" / "v1" / "query"
    if not (place.output / "build").exists():
        query.mkdir(parents=True)
        (query / "codemodel-v2").touch()
    lists = builds.sources(tree, project.root, ("CMakeLists.txt",)).values()
    options = tuple(
        f"-D{name.decode()}=ON"
        for name in dict.fromkeys(one for text in lists for one in _OPTION.findall(text))
    )
    fetched, mounts, missing = cpp_fetched.flags(tree, project, checkout)
    more = (Mount(_HARNESS / "coverage.sh", "/perforch/coverage.sh"),) if counted else ()
    known = {mount.target for mount in place.extra}
    place = replace(
        place, extra=(*place.extra, *(mount for mount in (*mounts, *more) if mount.target not in known))
    )
    configure = (
        "cmake",
        "-S",
        project.home,
        "-B",
        _BUILD,
        *_RELEASE,
        *fetched,
        *(_COUNTED if counted else ()),
    )
    done = _run(sandbox, place, (*configure, *options), project.home)
    if not done.ok and options:
        done = _run(sandbox, place, configure, project.home)
    if not done.ok:
        return cpp_report.unbuilt(place, done, missing)
    done = _run(sandbox, place, ("cmake", "--build", _BUILD, "--parallel", "2"), project.home)
    targets = _targets(place)
    listing = _run(sandbox, place, ("ctest", "--show-only=json-v1", *project.options), _BUILD)
    programs = _ctest(listing.stdout, targets, project, tree)
    if not done.ok:
        listed = {program.name for program in programs}
        planned = (program for program in _planned(place, targets, project) if program.name not in listed)
        return replace(cpp_report.unbuilt(place, done, missing), unmade=(*programs, *planned))
    if not programs:
        programs = [
            Program(PurePosixPath(path).name, (path,), _BUILD, sources=sources)
            for path, sources in targets.items()
            if "test" in PurePosixPath(path).name.lower()
        ]
    return Build(place, tuple(programs))


def _planned(place: Place, targets: dict[str, tuple[str, ...]], project: Project) -> list[Program]:
    """Tests whose programs are not built yet, which CTest lists without their commands."""
    inside = project.root + "/" if project.root else ""
    found = []
    for path in itertools.islice((place.output / "build").rglob("CTestTestfile.cmake"), 200):
        text = builds.written(place.output, path).decode("utf-8", "replace")
        for name, program in re.findall(
            r'^add_test\((?:\[=*\[)?(.+?)(?:\]=*\])? "([^"]+)"', text, re.MULTILINE
        ):
            sources = tuple(one if one.startswith("/") else inside + one for one in targets.get(program, ()))
            found.append(Program(name, (program,), _BUILD, sources=sources))
    return found


def _go_on(first: Place, place: Place, counted: str) -> None:
    """Begin with what another tree's build has made. Files that differ become newer than everything in it, whatever their times are."""
    made, target = first.output / "build", place.output / "build"
    if target.exists() or made.is_symlink() or not made.is_dir():
        return
    try:
        shutil.copytree(made, target, symlinks=True)
    except OSError:  # a pipe, a socket or something else that is no result of a build
        cleaning.remove(target)
        return
    theirs = {path.relative_to(first.source): path for path in trees.files(first.source)}
    now = time.time()
    for path in trees.files(place.source):
        other = theirs.get(path.relative_to(place.source))
        inside = path.relative_to(place.source).as_posix()
        if other is None or inside == counted or not filecmp.cmp(path, other, shallow=False):
            os.utime(path, (now, now), follow_symlinks=False)


def _targets(place: Place) -> dict[str, tuple[str, ...]]:
    """Sources of every executable by its path inside the sandbox, from CMake's file API."""
    found = {}
    for path in sorted((place.output / "build" / ".cmake" / "api" / "v1" / "reply").glob("target-*.json")):
        try:
            target = json.loads(builds.written(place.output, path))
            if target["type"] != "EXECUTABLE":
                continue
            sources = tuple(str(one["path"]) for one in target["sources"])
            for artifact in target["artifacts"]:
                where = str(artifact["path"])
                found[where if where.startswith("/") else f"{_BUILD}/{where}"] = sources
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found


def _ctest(stdout: bytes, targets: dict[str, tuple[str, ...]], project: Project, tree: Tree) -> list[Program]:
    try:
        entries = json.loads(stdout)["tests"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    programs = []
    for entry in entries:
        command = [str(word) for word in entry.get("command", [])]
        properties: dict[str, Any] = {one["name"]: one["value"] for one in entry.get("properties", [])}
        if not command or properties.get("DISABLED"):
            continue
        inside = project.root + "/" if project.root else ""
        sources = tuple(one if one.startswith("/") else inside + one for one in targets.get(command[0], ()))
        texts = [builds.read(tree.source, one) for one in sources]
        programs.append(
            Program(
                name=str(entry["name"]),
                argv=tuple(command),
                cwd=str(properties.get("WORKING_DIRECTORY") or _BUILD),
                sources=sources,
                env=dict(str(one).partition("=")[::2] for one in properties.get("ENVIRONMENT", [])),
                will_fail=bool(properties.get("WILL_FAIL")),
                skip_status=properties.get("SKIP_RETURN_CODE"),
                passes="|".join(map(str, properties.get("PASS_REGULAR_EXPRESSION", []))),
                fails="|".join(map(str, properties.get("FAIL_REGULAR_EXPRESSION", []))),
                may_exit=not sources or cpp_project.may_exit(texts),
            )
        )
    return programs


def _single(
    sandbox: Sandbox, project: Project, tree: Tree, place: Place, flags: tuple[str, ...] = ()
) -> Build:
    programs: list[Program] = []
    errors: list[Failure] = []
    lacks: dict[str, str] = {}
    for number, test in enumerate(project.tests):
        text = builds.read(tree.source, test)
        others = cpp_project.linked(tree, project, test)
        output = f"{OUTPUT}/test{number}"
        libraries: tuple[str, ...] = ()
        if b"gtest/gtest.h" in text or b"gmock/gmock.h" in text:
            mains = () if re.search(rb"\bint\s+main\s*\(", text) else ("-lgtest_main",)
            libraries = (*mains, *(("-lgmock",) if b"gmock/gmock.h" in text else ()), "-lgtest")
        elif re.search(rb"#\s*include\s*<catch2/catch_test_macros", text):
            libraries = ("-lCatch2Main", "-lCatch2")
        includes = (f"-I{folder}" for folder in cpp_project.folders(tree, project, test))
        sources = (test, *others)
        done = _run(
            sandbox,
            place,
            ("g++", "-std=c++17", "-O2", "-g1", "-w", "-pthread", *flags, *includes, *(f"{SOURCE}/{one}" for one in sources),
             "-o", output, *libraries),
            project.home,
        )  # fmt: skip
        if done.ok:
            programs.append(
                Program(test, (output,), project.home, sources=sources, may_exit=cpp_project.may_exit([text]))
            )
        else:
            failed = cpp_report.unbuilt(place, done)
            if failed.lacks:
                lacks[test] = failed.lacks[""]
            else:
                errors += failed.errors
    return Build(place, tuple(programs), tuple(errors), lacks=lacks)


def _listed(sandbox: Sandbox, place: Place, program: Program) -> Program:
    """The program with the cases of its framework; entries that already choose one are left as they are."""
    where = program.argv[0]
    if len(program.argv) > 1 or program.given or not where.startswith((OUTPUT + "/", SOURCE + "/")):
        return program
    root, prefix = (place.output, OUTPUT) if where.startswith(OUTPUT + "/") else (place.source, SOURCE)
    data = builds.written(root, root / where.removeprefix(prefix + "/"), most=_MOST_BINARY)
    framework = cpp_project.framework_of(data)
    if not framework:
        return program

    def said(*arguments: str) -> Completed:
        mounts = place.mounts(writable=False)
        return sandbox.run(Command(argv=(where, *arguments), cwd=program.cwd, env=program.env, mounts=mounts))

    if framework == "gtest":
        cases = cpp_report.gtest_listed(said("--gtest_list_tests").stdout)
    elif framework == "doctest":
        cases = cpp_report.doctest_listed(said("--list-test-cases", "--no-colors=true").stdout)
    else:
        old = said("--list-test-names-only")
        listing = (
            old
            if old.stdout and b"nrecogni" not in old.stderr + old.stdout
            else said("--list-tests", "--verbosity", "quiet")
        )
        cases = cpp_report.catch_listed(listing.stdout)
    return replace(program, framework=framework if cases else "", cases=cases)
