"""C++ projects: CMake with CTest, Make with a test target, or single test files; what they build and which programs test what."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.workloads import builds, trees
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Tree

BUILD = f"{OUTPUT}/build"
REPEAT = f"{OUTPUT}/librepeat.so"
SUFFIXES = (".cpp", ".cc", ".cxx", ".c++")
FLAGS = ("-std=c++17", "-O2", "-g1")
_ERROR = re.compile(r"^(?:/src/)?([^\s:]+):(\d+):(?:\d+:)? (?:fatal )?error: (.+)$", re.MULTILINE)
_MAIN = re.compile(rb"^\s*(?:int|auto)\s+main\s*\(", re.MULTILINE)
_TARGET = re.compile(r"^(test|check|tests)\s*:", re.MULTILINE)
_HARNESS = Path(__file__).parent / "harness" / "cpp"


@dataclass(frozen=True, slots=True)
class Project:
    """A build file's folder, or for single files the folder that includes count from."""

    system: str  # "cmake", "make" or "single"
    root: str
    target: str = ""  # the Makefile's test target

    @property
    def home(self) -> str:
        """The folder inside the sandbox."""
        return f"{SOURCE}/{self.root}" if self.root else SOURCE


@dataclass(frozen=True, slots=True)
class Test:
    """One test program call.

    Attributes:
        sources: source files of the program, from the repository's root; empty when the build system does not say.
    """

    id: str
    argv: tuple[str, ...]
    cwd: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """Test programs, or why there are none."""

    place: Place
    tests: tuple[Test, ...]
    errors: tuple[Failure, ...] = ()
    repeatable: bool = False


def find(tree: Tree, path: str) -> Project:
    """The project of `path`: the outermost CMake project, else the nearest Makefile with a test target, else its own folder."""
    folders = ["" if str(folder) == "." else str(folder) for folder in PurePosixPath(path).parents]
    cmake = [
        folder for folder in folders
        if re.search(rb"^\s*project\s*\(", builds.read(tree.source / folder / "CMakeLists.txt"), re.MULTILINE | re.IGNORECASE)
    ]  # fmt: skip
    if cmake:
        return Project("cmake", cmake[-1])
    for folder in folders:
        for name in ("Makefile", "makefile", "GNUmakefile"):
            found = _TARGET.search(builds.read(tree.source / folder / name).decode("utf-8", "replace"))
            if found:
                return Project("make", folder, found.group(1))
    return Project("single", _single_root(tree, folders))


def _single_root(tree: Tree, folders: list[str]) -> str:
    """The nearest folder above that holds test programs."""
    for folder in folders:
        if single_tests(tree, folder):
            return folder
    return folders[0]


def single_tests(tree: Tree, root: str) -> tuple[str, ...]:
    """Test files with a main function below `root`, from the repository's root."""
    return tuple(
        path
        for path, text in builds.sources(tree, root, SUFFIXES).items()
        if _MAIN.search(text) and _looks_like_test(path)
    )


def _looks_like_test(path: str) -> bool:
    stem = PurePosixPath(path).stem.lower()
    return syntax.is_test_path(path) or stem.startswith("test") or stem.endswith(("test", "tests"))


def build(sandbox: Sandbox, project: Project, place: Place, tree: Tree) -> Build:
    """Build the tests and the preloaded repeater."""
    made = {"cmake": _cmake, "make": _make, "single": _single}[project.system](sandbox, project, place, tree)
    if made.errors:
        return made
    mount = Mount(_HARNESS, builds.HARNESS)
    argv = ("gcc", "-shared", "-fPIC", "-O2", "-o", REPEAT, f"{builds.HARNESS}/repeat.c", "-ldl")
    done = sandbox.run(
        Command(argv, cwd="/", mounts=(*place.mounts(writable=True), mount), limits=builds.BUILD_LIMITS)
    )
    return Build(made.place, made.tests, repeatable=done.ok and project.system != "make")


def _run(sandbox: Sandbox, place: Place, argv: tuple[str, ...], cwd: str) -> Completed:
    return sandbox.run(Command(argv, cwd=cwd, mounts=place.mounts(writable=True), limits=builds.BUILD_LIMITS))


def _cmake(sandbox: Sandbox, project: Project, place: Place, tree: Tree) -> Build:
    configure = (
        "cmake", "-S", project.home, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
        "-DFETCHCONTENT_FULLY_DISCONNECTED=ON", "-DBUILD_TESTING=ON", "-Wno-dev",
    )  # fmt: skip
    done = _run(sandbox, place, configure, project.home)
    if done.ok:
        done = _run(sandbox, place, ("cmake", "--build", BUILD, "-j", "2"), project.home)
    if not done.ok:
        return Build(place, (), _errors(done))
    listed = _run(sandbox, place, ("ctest", "--test-dir", BUILD, "--show-only=json-v1"), project.home)
    units = _units(place)
    tests = []
    try:
        document = json.loads(listed.stdout)
    except ValueError:
        document = {"tests": []}
    for one in document.get("tests", []):
        command = one.get("command")
        if not command:
            continue
        properties = {item["name"]: item["value"] for item in one.get("properties", [])}
        cwd = str(properties.get("WORKING_DIRECTORY", BUILD))
        target = PurePosixPath(command[0]).name
        tests.append(Test(str(one["name"]), tuple(map(str, command)), cwd, units.get(target, ())))
    return Build(place, tuple(tests))


def _units(place: Place) -> dict[str, tuple[str, ...]]:
    """Source files by target, from the compile commands: `CMakeFiles/<target>.dir/...`."""
    found: dict[str, list[str]] = {}
    text = builds.written(place.output, place.output / "build" / "compile_commands.json")
    try:
        entries = json.loads(text) if text else []
    except ValueError:
        return {}
    for entry in entries:
        target = re.search(r"CMakeFiles/([^/]+)\.dir/", str(entry.get("output", entry.get("command", ""))))
        file = str(entry.get("file", ""))
        if target and file.startswith(f"{SOURCE}/"):
            found.setdefault(target.group(1), []).append(file.removeprefix(f"{SOURCE}/"))
    return {target: tuple(files) for target, files in found.items()}


def _make(sandbox: Sandbox, project: Project, place: Place, tree: Tree) -> Build:
    done = _run(sandbox, place, ("make", "-j", "2"), project.home)
    if not done.ok:
        return Build(place, (), _errors(done))
    # Whatever the target still builds is built now, so that later runs only test.
    done = _run(sandbox, place, ("make", project.target), project.home)
    errors = _errors(done) if not done.ok and _ERROR.search(done.stderr.decode("utf-8", "replace")) else ()
    return Build(place, (Test(f"make {project.target}", ("make", "-s", project.target), project.home),), errors)


def _single(sandbox: Sandbox, project: Project, place: Place, tree: Tree) -> Build:
    every = builds.sources(tree, project.root, SUFFIXES)
    mains = {path for path, text in every.items() if _MAIN.search(text)}
    library = [path for path in every if path not in mains]
    includes = {project.root, *(str(PurePosixPath(path).parent) for path in every)}
    headers = {
        str(PurePosixPath(path.relative_to(tree.source).as_posix()).parent)
        for path in trees.files(tree.source / project.root)
        if path.suffix in {".h", ".hh", ".hpp", ".hxx"}
    }
    flags = [f"-I{SOURCE}/{folder}" for folder in sorted(includes | headers)]
    tests: list[Test] = []
    errors: list[Failure] = []
    for number, path in enumerate(single_tests(tree, project.root)):
        program = f"{OUTPUT}/{number}.test"
        linked = _needed(path, every, library)
        argv = ("g++", *FLAGS, *flags, "-o", program, f"{SOURCE}/{path}", *(f"{SOURCE}/{one}" for one in linked), "-pthread")
        done = _run(sandbox, place, argv, project.home)
        if not done.ok and b"undefined reference" in done.stderr and len(linked) < len(library):
            argv = (*argv[:-1], *(f"{SOURCE}/{one}" for one in library if one not in linked), "-pthread")
            done = _run(sandbox, place, argv, project.home)
        if done.ok:
            tests.append(Test(path, (program,), project.home, (path, *linked)))
        else:
            errors += _errors(done)
    return Build(place, tuple(tests), tuple(errors))


def _needed(path: str, every: dict[str, bytes], library: list[str]) -> list[str]:
    """Library files to link: none that the test includes as text, else those whose header it includes, else all."""
    included = {PurePosixPath(name).name for name in re.findall(r'#\s*include\s+"([^"]+)"', every[path].decode("utf-8", "replace"))}
    if any(PurePosixPath(one).name in included for one in library):
        return [one for one in library if PurePosixPath(one).name not in included and PurePosixPath(one).stem in {PurePosixPath(name).stem for name in included}]
    stems = {PurePosixPath(name).stem for name in included}
    chosen = [one for one in library if PurePosixPath(one).stem in stems]
    return chosen if chosen else library if included else []


def _errors(done: Completed) -> tuple[Failure, ...]:
    text = (done.stderr + b"\n" + done.stdout).decode("utf-8", "replace")
    found = dict.fromkeys((name.removeprefix(f"{SOURCE}/"), line, message) for name, line, message in _ERROR.findall(text))
    if not found:
        return (Failure("build", builds.how_it_ended(done) if done.stopped else trimmed(text)),)
    return tuple(Failure(name, f"{name}:{line}: {message}"[:500]) for name, line, message in list(found)[:10])
