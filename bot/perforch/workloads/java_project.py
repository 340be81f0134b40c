"""Java projects: where they stand, what is compiled, which jars of this machine their tests need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import SOURCE, Mount
from perforch.workloads import builds

if TYPE_CHECKING:
    from perforch.workloads.model import Tree

JARS = "/perforch/jars"
_PACKAGE = re.compile(rb"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
_LAYOUTS = (
    "src/main/java",
    "src/test/java",
    "src/main",
    "src/test",
    "src/java",
    "src",
    "source",
    "java",
    "test",
    "tests",
    "main",
)
_NEEDED = (
    "junit", "junit4", "hamcrest", "hamcrest-core", "hamcrest-all", "hamcrest-library", "junit-jupiter-api", "junit-jupiter-params",
    "opentest4j", "apiguardian-api", "junit-platform-commons", "assertj-core",
)  # fmt: skip
_VERSION = re.compile(r"-\d[\w.]*$")


@dataclass(frozen=True, slots=True)
class Project:
    """A project in the repository."""

    root: str
    kind: Literal["javac", "maven", "gradle"]

    @property
    def home(self) -> str:
        """The working directory of builds and tests."""
        return f"{SOURCE}/{self.root}" if self.root else SOURCE

    @property
    def prefix(self) -> str:
        """What every path of the project begins with."""
        return f"{self.root}/" if self.root else ""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that runs: a test method, or a class with a main method (`method` is "" then)."""

    path: str
    type: str  # binary name: package.Outer$Inner
    method: str
    start: int = 0
    end: int = 0

    @property
    def id(self) -> str:
        """As reports and command lines name it."""
        return f"{self.type}#{self.method}" if self.method else self.type


def find(tree: Tree, path: str) -> Project | None:
    """The nearest pom.xml or build.gradle above `path`; otherwise the folder that holds the file's source roots."""
    if not path.endswith(".java"):
        return None
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        if (tree.source / root / "pom.xml").is_file():
            return Project(root, "maven")
        if any((tree.source / root / name).is_file() for name in ("build.gradle", "build.gradle.kts")):
            return Project(root, "gradle")
    text = builds.read(tree.source, path)
    parts = PurePosixPath(path).parent.parts
    package = tuple(package_of(text).split(".")) if package_of(text) else ()
    if package and parts[-len(package) :] == package:
        parts = parts[: -len(package)]
    for layout in _LAYOUTS:
        ending = tuple(layout.split("/"))
        if parts[-len(ending) :] == ending:
            parts = parts[: -len(ending)]
            break
    return Project("/".join(parts), "javac")


def package_of(text: bytes) -> str:
    """The package of a file, "" for the unnamed one."""
    found = _PACKAGE.search(text)
    return found[1].decode() if found else ""


def sources(tree: Tree, project: Project) -> dict[str, bytes]:
    """Files to compile, by path from the repository's root; those of projects further down are theirs."""
    found = builds.sources(tree, project.root, (".java",))
    nested = {
        path.parent.relative_to(tree.source).as_posix() + "/"
        for name in ("pom.xml", "build.gradle", "build.gradle.kts")
        for path in (tree.source / project.root).rglob(name)
        if path.parent != tree.source / project.root
    }
    return {
        path: text
        for path, text in found.items()
        if not path.endswith(("module-info.java", "package-info.java")) and not path.startswith(tuple(nested))
    }


def cases(path: str, text: bytes) -> tuple[Case, ...]:
    """Test methods of a file; its main methods when there are none."""
    package = package_of(text)
    prefix = package + "." if package else ""
    tests, mains = [], []
    for one in syntax.definitions(Language.JAVA, text).definitions:
        outer = prefix + one.owner.replace(".", "$")
        junit3 = (
            one.simple_name.startswith("test") and b"junit.framework" in text and one.parameters in {"", "()"}
        )
        if one.is_test_case or junit3:
            tests.append(Case(path, outer, one.simple_name, one.start_byte, one.end_byte))
        elif one.simple_name == "main" and "static" in one.signature and "String" in one.parameters:
            mains.append(Case(path, outer, "", one.body_start, one.body_end))
    return tuple(tests or mains)


def without_exit(text: bytes) -> bytes:
    """A test file whose main methods throw in place of leaving the JVM, so that a left JVM is always an early end."""
    edits = [
        (one.body_start, one.body_end)
        for one in syntax.definitions(Language.JAVA, text).definitions
        if one.simple_name == "main" and "static" in one.signature
    ]
    for start, end in sorted(edits, reverse=True):
        body = re.sub(rb"\bSystem\s*\.\s*exit\s*\(", b"perforch.Harness.exit(", text[start:end])
        text = text[:start] + body + text[end:]
    return text


def resources(tree: Tree, project: Project) -> list[str]:
    """Folders with files that programs load from the class path."""
    names = ("src/test/resources", "src/main/resources", "resources", "test/resources")
    return [f"{project.home}/{name}" for name in names if (tree.source / project.root / name).is_dir()]


def jars(tree: Tree, project: Project) -> tuple[list[str], tuple[Mount, ...]]:
    """Class path entries: jars in the project, then test libraries of this machine with the mounts they need."""
    own = [
        f"{SOURCE}/{path.relative_to(tree.source).as_posix()}"
        for folder in ("lib", "libs")
        for path in sorted((tree.source / project.root / folder).glob("*.jar"))
        if not path.is_symlink()
    ]
    present = {_VERSION.sub("", PurePosixPath(entry).stem) for entry in own}
    mounts = [
        Mount(path, f"{JARS}/{name}.jar")
        for name, path in sorted(_installed().items())
        if name not in present
    ]
    return own + [mount.target for mount in mounts], tuple(mounts)


def _installed() -> dict[str, Path]:
    found: dict[str, Path] = {}
    debian = Path("/usr/share/java")
    for name in _NEEDED:
        path = debian / f"{name}.jar"
        if path.exists():
            found[name] = path.resolve()
    repository = Path.home() / ".m2" / "repository"
    groups = ("junit", "org/junit", "org/hamcrest", "org/opentest4j", "org/apiguardian", "org/assertj")
    for group in groups:
        for path in sorted((repository / group).rglob("*.jar")) if (repository / group).is_dir() else ():
            name = _VERSION.sub("", path.stem)
            if name in _NEEDED and not path.stem.endswith(("-sources", "-javadoc")):
                found[name] = path
    return found
