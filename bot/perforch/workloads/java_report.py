"""What javac, the harness and Surefire say, as reports."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from perforch.workloads import builds
from perforch.workloads.builds import how_it_ended
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from perforch.sandbox.spec import Completed
    from perforch.workloads.model import TestOutcome, TestReport

_PACKAGE = re.compile(r"^/src/(\S+\.java):\d+: error: package ([\w.]+) does not exist$", re.MULTILINE)
_FILE = re.compile(r"^/src/(\S+\.java):\d+: error: ", re.MULTILINE)
_ERROR = re.compile(r"^(?:\[ERROR\] )?(\S+\.java):(?:\[)?(\d+)[,\d\]]*:? (?:error: )?(.*)$")


@dataclass(slots=True)
class Said:
    """The harness's records; lines of anyone else are ignored."""

    found: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    outcomes: dict[str, TestOutcome] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    ended: bool = False


def read(stdout: bytes, mark: str) -> Said:
    """Parse the harness's report. Never raises: whatever is malformed did not happen."""
    said = Said()
    prefix = mark.encode() + b" "
    for line in stdout.split(b"\n"):
        if not line.startswith(prefix):
            continue
        try:
            words = [base64.b64decode(word[:-1], validate=True).decode("utf-8") for word in line.split()[1:]]
        except (binascii.Error, UnicodeDecodeError):
            continue
        match words:
            case ["found", test]:
                said.found.append(test)
            case ["started", test]:
                said.started.append(test)
            case ["test", test, ("passed" | "failed" | "skipped") as outcome, message, trace]:
                said.outcomes[test] = outcome
                if outcome == "failed":
                    said.failures.append(Failure(test, trimmed(message, limit=1024), trimmed(trace)))
            case ["end", *_]:
                said.ended = True
    return said


def unfinished(said: Said, done: Completed) -> tuple[str, ...]:
    """The test in which the process ended, marked as failed; the ids that were not reached."""
    missing = [test for test in said.found if test not in said.outcomes]
    running = [test for test in missing if test in said.started]
    for test in running:
        said.outcomes[test] = "failed"
        said.failures.append(Failure(test, how_it_ended(done), trimmed(done.stderr)))
    return tuple(test for test in missing if test not in running)


def packages(text: bytes, own: Collection[str]) -> dict[str, str]:
    """Files that use a package which no jar has, and its name; packages near those of the project are the code's own mistake."""
    near = {tuple(name.split(".")[:2]) for name in own if name}
    found: dict[str, str] = {}
    for path, name in _PACKAGE.findall(text.decode("utf-8", "replace")):
        if tuple(name.split(".")[:2]) not in near and "." in name:
            found.setdefault(path, name)
    return found


def files(text: bytes) -> set[str]:
    """Files with errors, by their path from the repository's root."""
    return {match[1] for match in _FILE.finditer(text.decode("utf-8", "replace"))}


def beside(report: TestReport, command: str, done: Completed) -> TestReport:
    """The report of single tests with the outcome of the command that runs them all; see `builds.beside`."""
    trace = trimmed(done.stdout + b"\n" + done.stderr)
    return builds.beside(report, command, done, Failure(command, how_it_ended(done), trace))


def without(report: TestReport, lacks: Mapping[str, str]) -> TestReport:
    """The report with the tests that cannot be compiled on this machine."""
    told = tuple(failure for failure in report.failures if failure.test not in lacks)
    failures = tuple(Failure(test, reason) for test, reason in lacks.items())
    outcomes: dict[str, TestOutcome] = {**report.outcomes, **dict.fromkeys(lacks, "failed")}
    return replace(
        report, outcomes=outcomes, failures=told + failures, unavailable={**report.unavailable, **lacks}
    )


def compiler_errors(text: bytes) -> tuple[Failure, ...]:
    """Errors of javac, as it prints them or as Maven passes them on."""
    lines = trimmed(text, limit=64 * 1024).split("\n")
    found: list[Failure] = []
    for index, line in enumerate(lines):
        match = _ERROR.match(line)
        if match is None or "warning:" in line:
            continue
        block = [f"{match[1]}:{match[2]}: error: {match[3]}"]
        for other in lines[index + 1 : index + 6]:
            if _ERROR.match(other) or re.match(r"\d+ errors?$", other):
                break
            block.append(other)
        found.append(Failure("build", trimmed("\n".join(block), limit=1024)))
    return tuple(found[:20]) or (Failure("build", trimmed(text, limit=1024) or "the build failed"),)


def surefire(documents: Iterable[bytes]) -> tuple[dict[str, TestOutcome], list[Failure]]:
    """Outcomes in Surefire's (and Gradle's) XML reports; documents that are not XML are left out.

    Parametrised tests count as one test, which fails when any of its cases does.
    """
    outcomes: dict[str, TestOutcome] = {}
    failures: list[Failure] = []
    for document in documents:
        if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
            continue
        try:
            root = ET.fromstring(document)
        except ET.ParseError:
            continue
        for case in root.iter("testcase"):
            name = re.split(r"[\[({]", case.get("name", ""), maxsplit=1)[0].strip()
            test = f"{case.get('classname', '')}#{name}"
            problem = next((part for part in case if part.tag in {"failure", "error"}), None)
            outcome: TestOutcome = "passed"
            if problem is not None:
                outcome = "failed"
                words = problem.get("message") or problem.get("type") or "the test failed"
                failures.append(Failure(test, trimmed(words, limit=1024), trimmed(problem.text or "")))
            elif case.find("skipped") is not None:
                outcome = "skipped"
            outcomes[test] = _worse(outcomes.get(test, outcome), outcome)
    return outcomes, failures


def _worse(one: TestOutcome, other: TestOutcome) -> TestOutcome:
    both = {one, other}
    return "failed" if "failed" in both else "passed" if "passed" in both else "skipped"
