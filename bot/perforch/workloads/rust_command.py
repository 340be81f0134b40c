"""A configured `cargo test` command, as far as it changes what is built and run."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUILD = {"--features", "-F", "--config", "--cfg", "-Z"}  # with a value
_PLAIN = {"--all-features", "--no-default-features"}
_TARGETS = {"--test", "--bin", "--example", "--bench"}
_KINDS = {"--lib", "--bins", "--tests"}
_IGNORED = {
    "-p", "--package", "--exclude", "-j", "--jobs", "--target-dir", "--manifest-path", "--message-format", "--color", "--profile",
    "--target",
}  # fmt: skip
ALL = ("--lib", "--bins", "--tests")


@dataclass(frozen=True, slots=True)
class CargoTest:
    """What a command such as `cargo test --features fast --lib -- --skip slow` asks for.

    Attributes:
        build: flags of every build, such as features.
        targets: which test programs are built.
        names: parts of the names of the tests that are run; empty for all.
        skip: parts of names that are left out.
        exact: names are whole names.
        ignored: tests with `#[ignore]` run as well.
    """

    build: tuple[str, ...] = ()
    targets: tuple[str, ...] = ALL
    names: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    exact: bool = False
    ignored: bool = False

    def takes(self, name: str) -> bool:
        """Does the command run the test of this name, as the test program lists it?"""
        if any(name == part if self.exact else part in name for part in self.skip):
            return False
        return not self.names or any(name == part if self.exact else part in name for part in self.names)


PLAIN = CargoTest()


def parse(argv: Sequence[str] | None) -> CargoTest:
    """Read the command; flags that only change what is printed, where, or how fast are left out."""
    words = [*(argv or ())]
    if "test" not in words:
        return PLAIN
    words = words[words.index("test") + 1 :]
    harness = words[words.index("--") + 1 :] if "--" in words else []
    words = words[: words.index("--")] if "--" in words else words
    build: list[str] = []
    targets: list[str] = []
    names: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in _BUILD | _TARGETS | _IGNORED:
            value = value if equals else next(rest, "")
            if flag in _BUILD:
                build += [flag, value]
            elif flag in _TARGETS:
                targets += [flag, value]
        elif word in _PLAIN:
            build.append(word)
        elif word in _KINDS:
            targets.append(word)
        elif not word.startswith("-"):
            names.append(word)
    skip: list[str] = []
    rest = iter(harness)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag == "--skip":
            skip.append(value if equals else next(rest, ""))
        elif flag in {"--test-threads", "--format", "--color", "--logfile"}:
            _ = value if equals else next(rest, "")
        elif not word.startswith("-"):
            names.append(word)
    return CargoTest(
        build=tuple(build),
        targets=tuple(targets) or ALL,
        names=tuple(names),
        skip=tuple(skip),
        exact="--exact" in harness,
        ignored=bool({"--ignored", "--include-ignored"} & set(harness)),
    )


def builds(command: CargoTest, target: str) -> bool:
    """Does the command build the test program `name`, `bin/name` or `tests/name`?"""
    kind, slash, name = target.partition("/")
    if "--tests" in command.targets:
        return True
    if not slash:
        return "--lib" in command.targets
    if kind == "bin":
        return "--bins" in command.targets or ("--bin", name) in _pairs(command.targets)
    return ("--test", name) in _pairs(command.targets)


def _pairs(words: Sequence[str]) -> set[tuple[str, str]]:
    return set(itertools.pairwise(words))
