"""Java projects: where they stand, what is compiled, what runs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import SOURCE
from perforch.workloads import builds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.settings import LanguageSettings
    from perforch.workloads.model import Tree

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


@dataclass(frozen=True, slots=True)
class Project:
    """A project in the repository.

    Attributes:
        top: the folder of the whole that the project is a module of; `root` when it stands alone.
        build, test: commands of the configuration.
        options: what the configuration gives Maven.
    """

    root: str
    kind: Literal["javac", "maven", "gradle", "configured"]
    top: str = ""
    build: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def home(self) -> str:
        """The working directory of builds and tests."""
        return self.home_of(self.root)

    @staticmethod
    def home_of(folder: str) -> str:
        """Where a folder of the repository is inside the sandbox."""
        return f"{SOURCE}/{folder}" if folder else SOURCE

    @property
    def whole(self) -> str:
        """Id of the configured test command; empty when there is none."""
        return shlex.join(self.test)

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


def find(tree: Tree, path: str, settings: LanguageSettings | None = None) -> Project | None:
    """The project of a file, with the commands that the configuration names."""
    found = _nearest(tree, path)
    if found is None or settings is None or not (settings.build or settings.test):
        return found
    build, test = tuple(settings.build or ()), tuple(settings.test or ())
    if found.kind == "maven" and not build and PurePosixPath(test[0]).name in {"mvn", "mvnw"}:
        return replace(found, options=_options(test[1:]))
    return replace(found, kind="configured", build=build, test=test)


def _options(words: Sequence[str]) -> tuple[str, ...]:
    """Options among Maven's arguments: phases are ours to choose, and so are modules."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in {"-P", "--activate-profiles", "-s", "--settings", "-gs", "-t"} and rest:
            kept += [word, rest.pop(0)]
        elif word in {"-pl", "--projects", "-f", "--file", "-T", "--threads"} and rest:
            rest.pop(0)
        elif word.startswith(("-P", "-D")):
            kept.append(word)
    return tuple(kept)


def _nearest(tree: Tree, path: str) -> Project | None:
    """The nearest pom.xml or build.gradle above `path`; otherwise the folder that holds the file's source roots."""
    if not path.endswith(".java"):
        return None
    for folder in PurePosixPath(path).parents:
        root = "" if str(folder) == "." else str(folder)
        if (tree.source / root / "pom.xml").is_file():
            return Project(root, "maven", _top(tree, root, ("pom.xml",), rb"<modules?>"))
        if any((tree.source / root / name).is_file() for name in ("build.gradle", "build.gradle.kts")):
            return Project(
                root, "gradle", _top(tree, root, ("settings.gradle", "settings.gradle.kts"), rb"include")
            )
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
    return Project("/".join(parts), "javac", "/".join(parts))


def _top(tree: Tree, root: str, names: Sequence[str], pattern: bytes) -> str:
    """The outermost folder above a module whose build file speaks of modules, without a gap."""
    top = root
    for folder in PurePosixPath(root).parents if root else ():
        above = "" if str(folder) == "." else str(folder)
        if any(re.search(pattern, builds.read(tree.source, above, name)) for name in names):
            top = above
    return top


def siblings(tree: Tree, project: Project) -> list[str]:
    """Source folders of the other modules, inside the sandbox."""
    if project.top == project.root:
        return []
    found = sorted((tree.source / project.top).rglob("src/main/java"))
    names = [
        path.relative_to(tree.source).as_posix() for path in found if path.is_dir() and not path.is_symlink()
    ]
    return [f"{SOURCE}/{name}" for name in names if not name.startswith(project.prefix)][:100]


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
