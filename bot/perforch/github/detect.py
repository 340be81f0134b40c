"""What a repository is made of, from the names of its files: languages and the commands that run their tests."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SUFFIXES = {
    ".py": "python",
    ".java": "java",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hh": "cpp",
    ".hpp": "cpp",
    ".hxx": "cpp",
    ".go": "go",
    ".rs": "rust",
}
_AWAY = frozenset({"vendor", "third_party", "node_modules", "target", "build", "dist"})


def languages(paths: Iterable[str]) -> tuple[str, ...]:
    """Supported languages, those with most files first; vendored and built files do not count."""
    counts = Counter(
        SUFFIXES[path.suffix.lower()]
        for path in map(PurePosixPath, paths)
        if path.suffix.lower() in SUFFIXES and not _AWAY & set(path.parts)
    )
    return tuple(name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def tests(language: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The command that usually runs the tests of such a repository, as it is written on a command line."""
    names = set(paths)
    return _COMMANDS[language](names, {PurePosixPath(name).name for name in names})


def _python(names: Collection[str], bases: Collection[str]) -> tuple[str, ...]:
    return ("pytest", "-q")  # it runs unittest's tests as well


def _java(names: Collection[str], bases: Collection[str]) -> tuple[str, ...]:
    if "pom.xml" in bases:
        return ("./mvnw" if "mvnw" in names else "mvn", "-q", "test")
    if {"build.gradle", "build.gradle.kts"} & set(bases):
        return ("./gradlew" if "gradlew" in names else "gradle", "test")
    return ("mvn", "-q", "test")


def _cpp(names: Collection[str], bases: Collection[str]) -> tuple[str, ...]:
    if "CMakeLists.txt" in bases:
        return ("ctest", "--test-dir", "build", "--output-on-failure")
    if "meson.build" in bases:
        return ("meson", "test", "-C", "build")
    if {"Makefile", "makefile", "GNUmakefile"} & set(names):
        return ("make", "test")
    return ("ctest", "--test-dir", "build", "--output-on-failure")


def _go(names: Collection[str], bases: Collection[str]) -> tuple[str, ...]:
    return ("go", "test", "./...")


def _rust(names: Collection[str], bases: Collection[str]) -> tuple[str, ...]:
    workspace = "Cargo.toml" in names and sum(base == "Cargo.toml" for base in map(_base, names)) > 1
    return ("cargo", "test", "--workspace") if workspace else ("cargo", "test")


def _base(name: str) -> str:
    return PurePosixPath(name).name


_COMMANDS = {"python": _python, "java": _java, "cpp": _cpp, "go": _go, "rust": _rust}
