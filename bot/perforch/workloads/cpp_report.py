"""What C++ compilers and test frameworks say, as reports."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.workloads import builds
from perforch.workloads.builds import how_it_ended
from perforch.workloads.cpp_project import Build
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.sandbox.spec import Completed
    from perforch.workloads.builds import Place
    from perforch.workloads.model import TestOutcome, TestReport

LEFT_EARLY = 97  # status of our script when main never returned
_ERROR = re.compile(
    r"(?:fatal )?error: |undefined reference to|multiple definition of|CMake Error|\*\*\* No rule"
)
_GTEST = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:, where .*)? \(\d+ ms\)$", re.MULTILINE)
_GTEST_RUN = re.compile(r"^\[ RUN      \] (\S+)$", re.MULTILINE)
_ASSERT = re.compile(
    r"^.*: Assertion .* failed\.$|^.*(?:ERROR: \w+Sanitizer|runtime error:).*$|^terminate called.*(?:\n  what\(\):.*)?",
    re.MULTILINE,
)
_NEWER = re.compile(r"CMake (\d[\d.]*) or higher is required\.\s+You are running version (\d[\d.]*)")
_COMPILER = re.compile(
    r"No CMAKE_CXX_COMPILER could be found|CMAKE_CXX_COMPILER not set|unable to find a build program corresponding to"
)
_EMPTY = re.compile(
    r"(?:add_subdirectory given source\s+\"([^\"]+)\"\s+which is not\s+an\s+existing|The source directory\s+(\S+)\s+does not contain a)"
)
_PACKAGE = re.compile(
    r"configuration file provided by\s+\"([\w.+-]+)\"|Could NOT find ([\w.+-]+)|required packages? (?:was|were) not found.*?\n\s*- ?([\w.+-]+)"
)
_LIBRARY = re.compile(r"ld: cannot find -l([\w.+-]+)")
_NETWORK = re.compile(
    r"Could not resolve host|Couldn't resolve host|Failed to clone repository|Temporary failure in name resolution|error: downloading '"
)
_COMMAND = re.compile(
    r"^make(?:\[\d+\])?: ([\w.+/-]+): No such file or directory|: ([\w.+-]+): (?:command )?not found$",
    re.MULTILINE,
)
_HEADER = re.compile(r"fatal error: ([\w./+-]+): No such file or directory")
_PACKAGES = {
    "gtest": " (Debian: libgtest-dev)",
    "googletest": " (Debian: libgtest-dev)",
    "gmock": " (Debian: libgmock-dev)",
    "catch2": " (Debian: catch2)",
    "doctest": " (Debian: doctest-dev)",
    "boost": " (Debian: libboost-all-dev)",
    "benchmark": " (Debian: libbenchmark-dev)",
}
_DOWNLOADS = (
    "the build downloads {name}, and builds have no network; run cmake in the checkout before perforch (its _deps folder is used),"
    " or install the package"
)
_WORDS: dict[str, TestOutcome] = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}


def compiler_errors(done: Completed) -> tuple[Failure, ...]:
    """Error lines of gcc, clang, the linker and CMake, each with what follows it."""
    text = trimmed(done.stderr, limit=64 * 1024) + "\n" + trimmed(done.stdout, limit=64 * 1024)
    lines = text.split("\n")
    found: dict[str, Failure] = {}
    for index, line in enumerate(lines):
        if not _ERROR.search(line):
            continue
        block = [line]
        for other in lines[index + 1 : index + 4]:
            if _ERROR.search(other) or not other.startswith((" ", "\t")):
                break
            block.append(other)
        words = trimmed("\n".join(block), limit=1024)
        found.setdefault(words, Failure("build", words))
    return tuple(found.values())[:20] or (
        Failure("build", trimmed(text.strip(), limit=1024) or "the build failed"),
    )


def unbuilt(place: Place, done: Completed, downloads: Sequence[str] = ()) -> Build:
    """A build that failed, and what this machine lacks if that is why.

    Args:
        downloads: what the build would have fetched.
    """
    reason = lacking(
        (done.stdout[-(2**20) :] + b"\n" + done.stderr[-(2**20) :]).decode("utf-8", "replace"), place
    )
    if reason and downloads:
        reason = _DOWNLOADS.format(name=" and ".join(downloads))
    return Build(place, errors=compiler_errors(done), lacks={"": reason} if reason else {})


def lacking(text: str, place: Place) -> str:
    """What a build lacks on this machine, from what it says; "" when the error is about the code."""
    if found := _NEWER.search(text):
        return f"the project needs CMake {found[1]}, which is newer than the CMake on this machine ({found[2]}); install it"
    if found := _COMPILER.search(text):
        return "no C++ compiler is installed on this machine; install g++ and make (Debian: build-essential)"
    if found := _EMPTY.search(text):
        name = trimmed(found[1] or found[2])
        if "_deps/" in name:
            name = PurePosixPath(name).name.removesuffix("-src")
            return _DOWNLOADS.format(name=name)
        return (
            f"{name} has no sources here; check out submodules (git submodule update --init) before perforch"
        )
    if found := _PACKAGE.search(text):
        name = next(part for part in found.groups() if part)
        return f"CMake cannot find {name} on this machine; install it{_PACKAGES.get(name.lower(), '')}"
    if found := _LIBRARY.search(text):
        return f"the library {found[1]} is not installed on this machine{_PACKAGES.get(found[1].lower(), '')}"
    if _NETWORK.search(text):
        return "the build downloads something, and builds have no network; vendor it, or run the build in the checkout before perforch"
    if found := _COMMAND.search(text):
        name = next(part for part in found.groups() if part)
        return f"the build needs {name}, which is not installed on this machine"
    if (found := _HEADER.search(text)) and not any(place.source.rglob(PurePosixPath(found[1]).name)):
        top = found[1].partition("/")[0].lower()
        return (
            f"the header {found[1]} is not on this machine; install what provides it{_PACKAGES.get(top, '')}"
        )
    return ""


def plain(test: str, done: Completed) -> Failure:
    """Why a whole program failed."""
    text = trimmed(done.stderr.strip() or done.stdout.strip())
    said = _ASSERT.search(text)
    if done.returncode == LEFT_EARLY and not done.stopped:
        message = "the process ended before main returned"
    elif said is not None:
        message = said[0]
    elif done.stopped or done.returncode > 128 or not text:
        message = how_it_ended(done) + (f": {text}" if text else "")
    else:
        message = text
    return Failure(test, trimmed(message, limit=1024), text)


def beside(report: TestReport, command: str, done: Completed) -> TestReport:
    """The report of single programs with the outcome of the command that starts them all; see `builds.beside`."""
    failure = plain(command, replace(done, stderr=done.stdout + b"\n" + done.stderr))
    return builds.beside(report, command, done, failure)


def without(report: TestReport, lacks: Mapping[str, str], tests: Sequence[str] | None) -> TestReport:
    """The report with the tests that cannot be built on this machine."""
    lacks = {test: reason for test, reason in lacks.items() if test and (tests is None or test in tests)}
    told = tuple(failure for failure in report.failures if failure.test not in lacks)
    failures = tuple(Failure(test, reason) for test, reason in lacks.items())
    outcomes: dict[str, TestOutcome] = {**report.outcomes, **dict.fromkeys(lacks, "failed")}
    return replace(
        report, outcomes=outcomes, failures=told + failures, unavailable={**report.unavailable, **lacks}
    )


def gtest_listed(stdout: bytes) -> tuple[str, ...]:
    """Full names of the cases that `--gtest_list_tests` prints."""
    suite, found = "", []
    for line in stdout.decode("utf-8", "replace").split("\n"):
        name = line.partition("#")[0].rstrip()
        if line.startswith("  ") and suite:
            found.append(suite + name.strip())
        elif name.endswith(".") and " " not in name:
            suite = name
    return tuple(found)


def gtest(
    done: Completed, names: Sequence[str]
) -> tuple[dict[str, TestOutcome], list[Failure], tuple[str, ...]]:
    """Outcomes, failures, and the cases that were not reached because one of them ended the process."""
    text = done.stdout.decode("utf-8", "replace")
    wanted = set(names)
    outcomes: dict[str, TestOutcome] = {}
    failures = []
    for word, name in _GTEST.findall(text):
        if name in wanted:
            outcomes[name] = _WORDS[word]
            if word == "FAILED":
                section = _between(text, name)
                failures.append(
                    Failure(name, trimmed(section, limit=1024) or "the test failed", trimmed(section))
                )
    running = [name for name in _GTEST_RUN.findall(text) if name in wanted and name not in outcomes]
    for name in running[-1:]:
        outcomes[name] = "failed"
        failures.append(
            Failure(
                name,
                plain(name, done).message,
                trimmed(_between(text, name) + done.stderr.decode("utf-8", "replace")),
            )
        )
    return outcomes, failures, tuple(name for name in names if name not in outcomes)


def _between(text: str, name: str) -> str:
    after = text.partition(f"[ RUN      ] {name}\n")[2]
    return re.split(r"^\[  ", after, maxsplit=1, flags=re.MULTILINE)[0]


def catch_listed(stdout: bytes) -> tuple[str, ...]:
    """Names of Catch2 cases, one a line."""
    lines = stdout.decode("utf-8", "replace").split("\n")
    return tuple(
        line.strip()
        for line in lines
        if line.strip() and not re.match(r"(All available|Matching|\d+ (matching )?test)", line)
    )


def doctest_listed(stdout: bytes) -> tuple[str, ...]:
    """Names of doctest cases, between two rulers."""
    lines = stdout.decode("utf-8", "replace").split("\n")
    return tuple(line for line in lines if line and not line.startswith(("[doctest]", "====")))
