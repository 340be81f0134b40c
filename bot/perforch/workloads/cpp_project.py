"""C++ projects: where they stand and what makes them, and the test programs a build gives."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from perforch.languages import syntax
from perforch.sandbox.spec import SOURCE
from perforch.workloads import builds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.settings import LanguageSettings
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Failure, Tree

Framework = Literal["", "gtest", "catch2", "doctest"]
SUFFIXES = (".cpp", ".cc", ".cxx", ".c++", ".C")
HEADERS = (".h", ".hpp", ".hh", ".hxx", ".ipp", ".tpp")
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
_MAIN = re.compile(rb"\b(?:int|auto)\s+main\s*\(")
_CASE = re.compile(
    rb'\b(?:TEST_CASE|SCENARIO|TEMPLATE_TEST_CASE)\w*\s*\(\s*(?:\w+\s*,\s*)?"((?:[^"\\\n]|\\.)*)"'
    rb"|\b(?:TYPED_)?TEST(?:_[FP])?\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)"
)
_FRAMEWORK_MAIN = re.compile(
    rb"CATCH_CONFIG_MAIN|DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN|#\s*include\s*[<\"](?:gtest/gtest|gmock/gmock|catch2?/)"
)


@dataclass(frozen=True, slots=True)
class Project:
    """A project in the repository.

    Attributes:
        tests: the files with a main when no build system knows them.
        build, test: commands, of the configuration or of make; empty where the kind says what is done.
        options: what the configuration gives ctest.
    """

    root: str
    kind: Literal["cmake", "make", "g++", "configured"]
    tests: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def configured(self) -> bool:
        """Do the commands come from .github/perforch.yml?"""
        return self.kind == "configured"

    @property
    def whole(self) -> str:
        """Id of the test command as a whole; empty when there is none."""
        return shlex.join(self.test)

    @property
    def home(self) -> str:
        """The working directory of builds."""
        return f"{SOURCE}/{self.root}" if self.root else SOURCE


@dataclass(frozen=True, slots=True)
class Program:
    """A command that tests.

    Attributes:
        name: how its build system calls it.
        argv, cwd, env: how it is run inside the sandbox.
        sources: files it is made of, from the repository's root, as far as known.
        cases: names of the framework's test cases; empty when the program is one test.
        will_fail, skip_status, passes, fails: the conditions of CTest.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    framework: Framework = ""
    sources: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    will_fail: bool = False
    skip_status: int | None = None
    passes: str = ""
    fails: str = ""
    may_exit: bool = False  # its own text leaves by exit(0), or it cannot be preloaded
    given: str = ""  # the file that is its standard input

    @property
    def once(self) -> bool:
        """Does its main run only once in a process?"""
        return self.may_exit or bool(self.given)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of its tests."""
        return self.cases or (self.name,)


@dataclass(frozen=True, slots=True)
class Build:
    """Test programs of one tree, or what the compiler says."""

    place: Place
    programs: tuple[Program, ...] = ()
    errors: tuple[Failure, ...] = ()
    unmade: tuple[Program, ...] = ()  # those that would be there if the tree compiled, as far as known
    lacks: Mapping[str, str] = field(default_factory=dict)  # as `TestReport.unavailable`
    seconds: float = 0.0  # how long it took to make what a test command runs


def configured(settings: LanguageSettings | None, tree: Tree, path: str) -> Project | None:
    """The project that the configuration describes; None when it says nothing."""
    if settings is None or not (settings.build or settings.test):
        return None
    test, build = tuple(settings.test or ()), tuple(settings.build or ())
    if build and not test:
        # The build is theirs, the tests are where a build leaves them.
        folder = re.search(r"(?:-B|--build|-C)[ =]?([\w./-]+)", " ".join(build))
        where = folder[1] if folder else "build"
        found = _nearest(tree, path)
        test = found.test if found is not None and found.kind == "make" else ("ctest", "--test-dir", where)
    elif not build and PurePosixPath(test[0]).name == "ctest":
        found = _nearest(tree, path)
        if found is not None and found.kind == "cmake":
            return replace(found, options=_without(test[1:], ("--test-dir", "-C", "--build-config")))
    return Project("", "configured", build=build, test=test)


def _without(words: Sequence[str], pairs: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip or word in pairs:
            skip = not skip
        elif not word.startswith(tuple(f"{one}=" for one in pairs)):
            kept.append(word)
    return tuple(kept)


def find(tree: Tree, path: str, settings: LanguageSettings | None = None) -> Project | None:
    """What the configuration says, else what is nearest."""
    return configured(settings, tree, path) or _nearest(tree, path)


def _nearest(tree: Tree, path: str) -> Project | None:
    """The outermost CMake project that reaches down to `path`, else the nearest Makefile with tests, else single test files."""
    folders = ["" if str(one) == "." else str(one) for one in PurePosixPath(path).parents]
    cmake = [
        one
        for one in folders
        if re.search(rb"(?im)^\s*project\s*\(", builds.read(tree.source, one, "CMakeLists.txt"))
    ]
    if cmake:
        return Project(cmake[-1], "cmake")
    for one in folders:
        for name in MAKEFILES:
            found = re.search(rb"(?m)^(test|check)\s*:", builds.read(tree.source, one, name))
            if found:
                return Project(one, "make", test=("make", found[1].decode()))
    for one in folders:
        tests = _single(tree, one, path)
        if tests:
            return Project(one, "g++", tests)
    return None


def _single(tree: Tree, folder: str, path: str) -> tuple[str, ...]:
    """Test files with a main (or a framework's) in this folder and its test folders; the file itself when it checks itself."""
    found = []
    for place in (folder, *(f"{folder}/{name}".lstrip("/") for name in ("test", "tests", "src"))):
        for file in sorted((tree.source / place).glob("*")):
            name = file.relative_to(tree.source).as_posix()
            text = builds.read(tree.source, file) if file.name.endswith(SUFFIXES) else b""
            if text and syntax.is_test_path(name) and (_MAIN.search(text) or _FRAMEWORK_MAIN.search(text)):
                found.append(name)
    own = builds.read(tree.source, path)
    if (
        not found
        and path.endswith(SUFFIXES)
        and folder == str(PurePosixPath(path).parent).replace(".", "", 1)
        and _MAIN.search(own)
    ) and (b"assert" in own or b"return 1" in own or b"abort" in own):
        found.append(path)
    return tuple(dict.fromkeys(found))


def linked(tree: Tree, project: Project, test: str) -> list[str]:
    """What to compile with a test file: nothing when it includes sources itself, else the sources behind its headers."""
    text = builds.read(tree.source, test)
    included = [name.decode("utf-8", "replace") for name in _INCLUDE.findall(text)]
    if any(name.endswith(SUFFIXES) for name in included):
        return []
    everything = {
        name: data
        for name, data in builds.sources(tree, project.root, SUFFIXES).items()
        if name != test and not _MAIN.search(data) and not syntax.is_test_path(name)
    }
    headers = {
        PurePosixPath(name).name: data for name, data in builds.sources(tree, project.root, HEADERS).items()
    }
    reached: set[str] = set()
    todo = [PurePosixPath(name).name for name in included]
    wanted: list[str] = []
    while todo:
        header = todo.pop()
        if header in reached:
            continue
        reached.add(header)
        data = headers.get(header, b"")
        stem = PurePosixPath(header).stem
        for name, body in everything.items():
            if PurePosixPath(name).stem == stem and name not in wanted:
                wanted.append(name)
                data += b"\n" + body
        todo += [PurePosixPath(one.decode("utf-8", "replace")).name for one in _INCLUDE.findall(data)]
    return wanted


def spelled(build: Build, files: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    """Cases of the programs that name the function, read without a parser: those inside a macro of their own are no functions to one."""
    word = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    wanted = set()
    for text in files.values():
        found = list(_CASE.finditer(text))
        for index, case in enumerate(found):
            end = found[index + 1].start() if index + 1 < len(found) else len(text)
            if word.search(text, case.end(), end):
                named = case[1] if case[1] is not None else case[2] + b"." + case[3]
                wanted.add(named.decode("utf-8", "replace"))
    return tuple(one for program in build.programs for one in program.cases if one in wanted)


def framework_of(program: bytes) -> Framework:
    """Which test framework is linked into an executable."""
    if b"gtest_list_tests" in program:
        return "gtest"
    if b"list-test-cases" in program and b"doctest" in program:
        return "doctest"
    if b"Catch" in program and b"list-tests" in program:
        return "catch2"
    return ""


def may_exit(texts: list[bytes]) -> bool:
    """Does a test file itself leave by exit with a status that can be 0?"""
    return any(
        not re.fullmatch(rb"\s*(?:[1-9]\d*|-\d+|EXIT_FAILURE)\s*", status)
        for text in texts
        for status in re.findall(rb"\b_?[eE]xit\s*\(([^)]*)\)", text)
    )


def folders(tree: Tree, project: Project, test: str) -> list[str]:
    """Where headers may be: the folders of the project that hold some."""
    base = [project.root, str(PurePosixPath(test).parent)]
    base += [str(PurePosixPath(name).parent) for name in builds.sources(tree, project.root, HEADERS)]
    base += [f"{project.root}/{name}".lstrip("/") for name in ("include", "src")]
    kept = dict.fromkeys("" if one == "." else one for one in base)
    return [f"{SOURCE}/{one}".rstrip("/") for one in kept if (tree.source / one).is_dir()][:40]
