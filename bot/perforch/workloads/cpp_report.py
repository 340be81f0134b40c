"""What C++ compilers and test frameworks say, as reports."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from perforch.workloads.builds import how_it_ended
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Completed
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
    """The report of single programs with the outcome of the command that starts them all.

    A program that fails by itself where the command as a whole passes needs what only the command gives it: it is skipped.
    """
    outcomes, failures = dict(report.outcomes), list(report.failures)
    if done.ok:
        failures = []
        outcomes = {test: "skipped" if one == "failed" else one for test, one in outcomes.items()}
    else:
        failures.append(plain(command, replace(done, stderr=done.stdout + b"\n" + done.stderr)))
    return replace(
        report,
        outcomes={**outcomes, command: "passed" if done.ok else "failed"},
        failures=tuple(failures),
        stopped="" if done.ok else report.stopped or done.stopped,
        seconds=report.seconds + done.seconds,
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
