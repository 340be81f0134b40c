"""Jars that a Java project's tests need, from where they already are on this machine: builds have no network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox.spec import SOURCE, Mount
from perforch.workloads import builds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from perforch.workloads.java_project import Project
    from perforch.workloads.model import Tree

JARS = "/perforch/jars"
_MOST = 300
_BUILD_FILES = (
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gradle/libs.versions.toml",
    "dependencies.gradle",
)
_ALWAYS = (
    "junit", "junit4", "hamcrest", "hamcrest-core", "hamcrest-all", "hamcrest-library", "junit-jupiter-api", "junit-jupiter-params",
    "opentest4j", "apiguardian-api", "junit-platform-commons", "assertj-core",
)  # fmt: skip
_GROUPS = ("junit", "org/junit", "org/hamcrest", "org/opentest4j", "org/apiguardian", "org/assertj")
_VERSION = re.compile(r"-\d[\w.]*$")
_NAME = re.compile(r"\w[\w-]*(?:\.\w[\w-]*)*")
_DEPENDENCY = re.compile(rb"<dependency>(.*?)</dependency>", re.DOTALL)
_COORDINATES = re.compile(rb"""["']([\w.-]+):([\w.-]+)(?::([\w.+-]+))?(?:@jar)?["']""")
_TABLE = re.compile(rb"""group\s*[=:]\s*["']([\w.-]+)["']\s*,\s*name\s*[=:]\s*["']([\w.-]+)["']""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A dependency as a build file names it; `version` is "" when it is not a plain one."""

    group: str
    name: str
    version: str = ""


def jars(tree: Tree, project: Project) -> tuple[list[str], tuple[Mount, ...]]:
    """Class path entries and the mounts they need: jars in the project, declared ones from local stores, test libraries."""
    own = [
        f"{SOURCE}/{path.relative_to(tree.source).as_posix()}"
        for folder in ("lib", "libs")
        for path in sorted((tree.source / project.root / folder).rglob("*.jar"))
        if path.is_file() and path.resolve() == tree.source.resolve() / path.relative_to(tree.source)
    ]
    present = {_bare(entry) for entry in own}
    found: dict[str, Path] = {}
    for path in _with_theirs(declared(tree, project)):
        found.setdefault(_bare(path.name), path)
    for name, path in sorted(_installed().items()):
        found.setdefault(name, path)
    mounts = tuple(
        Mount(path, f"{JARS}/{name}.jar") for name, path in list(found.items())[:_MOST] if name not in present
    )
    return own + [mount.target for mount in mounts], mounts


def declared(tree: Tree, project: Project) -> tuple[Wanted, ...]:
    """What the build files of the project and of the folders above it name."""
    found: dict[tuple[str, str], Wanted] = {}
    for folder in (PurePosixPath(project.root), *PurePosixPath(project.root).parents):
        for name in _BUILD_FILES:
            text = builds.read(tree.source, folder, name)
            for wanted in of_pom(text) if name == "pom.xml" else of_gradle(text):
                found.setdefault((wanted.group, wanted.name), wanted)
    return tuple(found.values())


def of_pom(text: bytes, scopes: Iterable[str] = ()) -> Iterator[Wanted]:
    """Dependencies of a pom.xml; with `scopes` only those, and none that is optional."""
    for block in _DEPENDENCY.findall(
        re.sub(rb"<!--.*?-->|<exclusions>.*?</exclusions>", b"", text, flags=re.DOTALL)
    ):
        parts = {
            key: (re.search(rb"<" + key.encode() + rb">\s*([^<]+?)\s*</", block) or (b"", b""))[1].decode(
                "utf-8", "replace"
            )
            for key in ("groupId", "artifactId", "version", "scope", "optional")
        }
        if scopes and (parts["optional"] == "true" or (parts["scope"] or "compile") not in scopes):
            continue
        yield Wanted(parts["groupId"], parts["artifactId"], parts["version"])


def of_gradle(text: bytes) -> Iterator[Wanted]:
    """Coordinates in a Gradle build file or a version catalogue."""
    for group, name, version in _COORDINATES.findall(text):
        yield Wanted(group.decode(), name.decode(), version.decode())
    for group, name in _TABLE.findall(text):
        yield Wanted(group.decode(), name.decode())


def _with_theirs(wanted: Iterable[Wanted]) -> Iterator[Path]:
    """The jars of the dependencies that are in a local store, and of what these depend on."""
    seen: set[tuple[str, str]] = set()
    todo = list(wanted)
    while todo and len(seen) < _MOST:
        one = todo.pop(0)
        if (one.group, one.name) in seen or not (_NAME.fullmatch(one.group) and _NAME.fullmatch(one.name)):
            continue
        seen.add((one.group, one.name))
        files = _stored(one)
        for path in files:
            if path.suffix == ".pom":
                todo += of_pom(path.read_bytes()[: 2**20], ("compile", "runtime"))
            elif path.suffix == ".jar":
                yield path


def _stored(wanted: Wanted) -> list[Path]:
    """The jar and the pom of a dependency in Maven's or Gradle's store: in the version asked for, else in the newest."""
    maven = Path.home() / ".m2" / "repository" / wanted.group.replace(".", "/") / wanted.name
    gradle = Path.home() / ".gradle" / "caches" / "modules-2" / "files-2.1" / wanted.group / wanted.name
    for base, pattern in ((maven, "{0}-{1}.*"), (gradle, "*/{0}-{1}.*")):
        versions = [path.name for path in base.iterdir() if path.is_dir()] if base.is_dir() else []
        for version in sorted(versions, key=lambda one: (one == wanted.version, _order(one)), reverse=True):
            found = sorted((base / version).glob(pattern.format(wanted.name, version)))
            kept = [
                path
                for path in found
                if path.name in {f"{wanted.name}-{version}{end}" for end in (".jar", ".pom")}
            ]
            if kept:
                return kept
    debian = Path("/usr/share/java") / f"{wanted.name}.jar"
    return [debian.resolve()] if debian.is_file() else []


def _order(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.-]", version)]


def _installed() -> dict[str, Path]:
    found: dict[str, Path] = {}
    debian = Path("/usr/share/java")
    for name in _ALWAYS:
        path = debian / f"{name}.jar"
        if path.exists():
            found[name] = path.resolve()
    repository = Path.home() / ".m2" / "repository"
    for group in _GROUPS:
        for path in sorted((repository / group).rglob("*.jar")) if (repository / group).is_dir() else ():
            name = _bare(path.name)
            if name in _ALWAYS and not path.stem.endswith(("-sources", "-javadoc")):
                found[name] = path
    return found


def _bare(name: str) -> str:
    return _VERSION.sub("", PurePosixPath(name).stem)
