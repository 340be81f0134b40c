"""Java projects: where the nearest one is, how it is compiled offline, and the class path of its tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Mount
from perforch.sandbox.toolchains import toolchains
from perforch.workloads import builds, trees
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.model import Tree

CLASSES = f"{OUTPUT}/classes"
HARNESS_CLASSES = f"{OUTPUT}/harness"
_HARNESS = f"{builds.HARNESS}/PerforchHarness.java"
_ERROR = re.compile(r"^(?:\[ERROR\] )?(?:/src/)?([^\s:\[]+\.java):\[?(\d+)[^\]\s]*\]?:? (?:error: )?(.+)$", re.MULTILINE)
_JUNIT_JARS = ("junit*.jar", "hamcrest*.jar", "opentest4j*.jar", "apiguardian*.jar", "testng*.jar", "assertj*.jar", "jcommander*.jar")
_GRADLE = """allprojects { afterEvaluate { p -> if (p.plugins.hasPlugin('java')) {
  p.tasks.register('perforchClasspath') { dependsOn 'testClasses'
    doLast { new File('%s/classpath').text = p.sourceSets.test.runtimeClasspath.asPath } } } } }
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A build file's folder, or for plain projects the folder above the sources."""

    system: str  # "maven", "gradle" or "javac"
    root: str

    @property
    def home(self) -> str:
        """The folder inside the sandbox."""
        return f"{SOURCE}/{self.root}" if self.root else SOURCE


@dataclass(frozen=True, slots=True)
class Build:
    """Compiled classes, or why there are none."""

    place: Place
    classpath: str
    errors: tuple[Failure, ...] = ()

    @property
    def ok(self) -> bool:
        """It compiled."""
        return not self.errors


def find(tree: Tree, path: str) -> Project:
    """The nearest project above `path`."""
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        place = tree.source / root
        if (place / "pom.xml").is_file():
            return Project("maven", root)
        if any((place / name).is_file() for name in ("build.gradle", "build.gradle.kts")):
            return Project("gradle", root)
    return Project("javac", _plain_root(tree, path))


def _plain_root(tree: Tree, path: str) -> str:
    """The folder above `src`, or above the folder that the package names count from."""
    parts = PurePosixPath(path).parts[:-1]
    if "src" in parts:
        return "/".join(parts[: parts.index("src")])
    package = package_of(builds.read(tree.source / path)).split(".")
    while package and parts and parts[-1] == package[-1]:
        parts, package = parts[:-1], package[:-1]
    if parts and parts[-1] in {"main", "java", "source", "sources", "app"}:
        parts = parts[:-1]
    return "/".join(parts)


def package_of(source: bytes) -> str:
    """The package that a file declares, "" for none."""
    found = re.search(rb"^\s*package\s+([\w.]+)\s*;", source, re.MULTILINE)
    return found.group(1).decode() if found else ""


def build(sandbox: Sandbox, project: Project, place: Place, harness: Path) -> Build:
    """Compile the project's main and test sources and our harness."""
    compile_ = {"maven": _maven, "gradle": _gradle, "javac": _javac}[project.system]
    made = compile_(sandbox, project, place)
    if made.ok:
        mount = Mount(harness, builds.HARNESS)
        done = sandbox.run(
            Command(
                ("javac", "-nowarn", "-proc:none", "-encoding", "UTF-8", "-d", HARNESS_CLASSES, _HARNESS),
                cwd="/",
                mounts=(*place.mounts(writable=True), mount),
                limits=builds.BUILD_LIMITS,
            )
        )
        if not done.ok:
            return Build(place, "", (Failure("build", f"our test harness does not compile: {_said(done)}"),))
    return made


def _run(sandbox: Sandbox, place: Place, argv: tuple[str, ...], cwd: str, env: Mapping[str, str] | None = None) -> Completed:
    mounts = place.mounts(writable=True)
    return sandbox.run(Command(argv, cwd=cwd, env=env or {}, mounts=mounts, limits=builds.BUILD_LIMITS))


def _javac(sandbox: Sandbox, project: Project, place: Place) -> Build:
    files = sorted(
        path.relative_to(place.source).as_posix()
        for path in trees.files(place.source / project.root)
        if path.suffix == ".java" and path.name != "module-info.java"
    )
    jars = _jars(place, project)
    listing = place.output / "sources"
    listing.write_text("".join(f'"{SOURCE}/{name}"\n' for name in files))
    classpath = ":".join([CLASSES, *jars])
    done = _run(
        sandbox,
        place,
        ("javac", "-nowarn", "-encoding", "UTF-8", "-g", "-d", CLASSES, "-cp", classpath, f"@{OUTPUT}/sources"),
        project.home,
    )
    errors = () if done.ok else _errors(done)
    return Build(place, classpath, errors)


def _jars(place: Place, project: Project) -> list[str]:
    own = [
        f"{SOURCE}/{path.relative_to(place.source).as_posix()}"
        for folder in ("lib", "libs", "jars")
        for path in sorted((place.source / project.root / folder).rglob("*.jar"))
    ]
    if any("junit" in name or "testng" in name for name in own):
        return own
    # The usual test libraries, as the machine has them.
    found: dict[str, str] = {}
    for store, inside in toolchains().stores:
        if inside == ".m2/repository":
            for pattern in _JUNIT_JARS:
                for jar in sorted(store.rglob(pattern)):
                    found[jar.parent.parent.name] = f"/tmp/home/{inside}/{jar.relative_to(store).as_posix()}"  # noqa: S108
    return own + sorted(found.values())


def _maven(sandbox: Sandbox, project: Project, place: Place) -> Build:
    # The debug log is where Maven says the class path without a plugin that may not be there offline.
    done = _run(
        sandbox, place, ("mvn", "-o", "-X", "-B", "-DskipTests", "-Dstyle.color=never", "test-compile"), project.home,
        {"MAVEN_OPTS": "-Xmx512m -XX:+UseSerialGC"},
    )  # fmt: skip
    text = done.stdout.decode("utf-8", "replace")
    if not done.ok:
        return Build(place, "", _errors(done))
    entries = [f"{project.home}/target/test-classes", f"{project.home}/target/classes"]
    for match in re.finditer(r"-classpath (\S+)", text):
        entries += [entry for entry in match.group(1).split(":") if entry]
    return Build(place, ":".join(dict.fromkeys(entries)))


def _gradle(sandbox: Sandbox, project: Project, place: Place) -> Build:
    (place.output / "init.gradle").write_text(_GRADLE % OUTPUT)
    argv = ("gradle", "--offline", "--no-daemon", "-q", "--init-script", f"{OUTPUT}/init.gradle", "perforchClasspath")
    try:
        done = _run(sandbox, place, argv, project.home, {"GRADLE_USER_HOME": f"{OUTPUT}/gradle"})
    except ToolMissingError as error:
        return Build(place, "", (Failure("build", error.message),))
    if not done.ok:
        return Build(place, "", _errors(done))
    return Build(place, builds.written(place.output, place.output / "classpath").decode("utf-8", "replace"))


def _errors(done: Completed) -> tuple[Failure, ...]:
    text = (done.stderr + b"\n" + done.stdout).decode("utf-8", "replace").replace(f"{SOURCE}/", "")
    found = dict.fromkeys(match.groups() for match in _ERROR.finditer(text))
    if not found:
        return (Failure("build", _said(done)),)
    return tuple(Failure(name, f"{name}:{line}: {message}"[:500]) for name, line, message in list(found)[:10])


def _said(done: Completed) -> str:
    if done.stopped:
        return builds.how_it_ended(done)
    errors = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith("[ERROR]")]
    return trimmed("\n".join(errors[:20]) if errors else done.stderr + done.stdout)


def cases(tree: Tree, root: str) -> dict[str, tuple[str, ...]]:
    """Every test by file: `Class#method` for annotated methods, `Class` for test classes with a main method."""
    found: dict[str, tuple[str, ...]] = {}
    for path, source in builds.sources(tree, root, (".java",)).items():
        ids = identifiers(path, source)
        if ids:
            found[path] = ids
    return found


def identifiers(path: str, source: bytes) -> tuple[str, ...]:
    """The test ids of one file."""
    package = package_of(source)
    prefix = f"{package}." if package else ""
    ids = [prefix + one.owner.replace(".", "$") + "#" + one.simple_name for one in syntax.test_functions(Language.JAVA, source)]
    if not ids and (syntax.is_test_path(path) or PurePosixPath(path).stem.endswith(("Test", "Tests"))):
        mains = [
            one for one in syntax.definitions(Language.JAVA, source).definitions
            if one.simple_name == "main" and "static" in one.signature and "String" in one.parameters
        ]  # fmt: skip
        ids = [prefix + one.owner.replace(".", "$") for one in mains]
    return tuple(dict.fromkeys(ids))
