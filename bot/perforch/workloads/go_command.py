"""A configured `go test` command, as far as it changes what is built and run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BUILD = frozenset(
    {"tags", "ldflags", "gcflags", "asmflags", "gccgoflags", "mod", "modfile", "compiler", "overlay", "pgo"}
)
_CHECKS = frozenset(
    {"race", "msan", "asan"}
)  # they slow the program down, so they are left out where time is taken
_VALUES = _BUILD | {
    "run", "skip", "parallel", "cpu", "count", "timeout", "bench", "benchtime", "covermode", "coverpkg", "coverprofile",
    "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace", "outputdir", "o", "p", "exec", "fuzz", "fuzztime", "vet",
    "shuffle", "list", "C", "blockprofilerate", "memprofilerate", "mutexprofilefraction", "fuzzminimizetime", "toolexec",
    "installsuffix", "pkgdir",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GoTest:
    """What a command such as `go test -tags=unit -race -short ./...` asks for.

    Attributes:
        build: flags of every build.
        checks: flags of the builds that tell right from wrong, such as `-race`.
        run: flags of test binaries.
        patterns: packages, from the module's root; empty for all.
        only: top-level tests that this expression finds, "" for all.
        skip: top-level tests that are left out, "" for none.
    """

    build: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    only: str = ""
    skip: str = ""

    def takes(self, folder: str, name: str) -> bool:
        """Does the command run this test of the package in `folder`, which counts from the module's root (`./x`)?"""
        return (
            (not self.patterns or any(_covers(pattern, folder) for pattern in self.patterns))
            and (not self.only or _finds(self.only, name))
            and not (self.skip and "/" not in self.skip and _finds(self.skip, name))
        )


def parse(argv: Sequence[str] | None) -> GoTest:
    """Read the command; flags that only change what is printed, cached or measured are left out."""
    words = list(argv or ())
    if "test" not in words:
        return GoTest()
    words = words[words.index("test") + 1 :]
    arguments: tuple[str, ...] = ()
    for mark in ("-args", "--args"):
        if mark in words:
            arguments = tuple(words[words.index(mark) + 1 :])
            words = words[: words.index(mark)]
    build: list[str] = []
    checks: list[str] = []
    run: list[str] = []
    patterns: list[str] = []
    chosen = {"run": "", "skip": ""}
    for name, value in _flags(words):
        if not name:
            patterns.append(value)
        elif name in _BUILD:
            build.append(f"-{name}={value}")
        elif name == "trimpath":
            build.append("-trimpath")
        elif name in _CHECKS and value != "false":
            checks.append(f"-{name}")
        elif name in chosen:
            chosen[name] = value
        elif name == "short":
            run.append("-test.short")
        elif name in {"parallel", "cpu"}:
            run.append(f"-test.{name}={value}")
    return GoTest(
        build=tuple(build),
        checks=tuple(checks),
        run=tuple(run),
        arguments=arguments,
        patterns=tuple(patterns),
        only=chosen["run"],
        skip=chosen["skip"],
    )


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """Names of flags without dashes and their values; ("", word) for everything else."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            yield "", word
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = name.removeprefix("test.")
        if not equals and name in _VALUES:
            value = next(rest, "")
        yield name, value


def _covers(pattern: str, folder: str) -> bool:
    """Does a package pattern with or without `...` name the folder? Import paths are taken to name anything."""
    if not pattern.startswith("."):
        return True
    wanted = "./" + pattern.removeprefix("./").rstrip("/") if pattern not in {".", "./"} else "."
    expression = re.escape(wanted).replace(r"/\.\.\.", "(/.*)?").replace(r"\.\.\.", ".*")
    return re.fullmatch(expression, folder) is not None or (wanted == "./..." and folder == ".")


def _finds(expression: str, name: str) -> bool:
    """Does the part for top-level tests find the name? Expressions that Python cannot read find everything."""
    try:
        return re.search(expression.partition("/")[0], name) is not None
    except re.error:
        return True
