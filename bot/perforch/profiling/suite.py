"""Benchmark suites behind one interface: problems with tests, own solutions, and what is known to be odd about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from perforch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from perforch.result import Language

Solutions = Literal["canonical", "buggy"]
State = Literal["passed", "failed", "flaky"]


@dataclass(frozen=True, slots=True)
class Cases:
    """Tests of a program that reads standard input and writes standard output.

    Attributes:
        pairs: (input, expected output).
        evaluator: Python source of `evaluate(output, expected)`, the suite's own way of comparing.
        runner: program around a submitted function, with `PLACE` where that goes; "" where a whole program is submitted.
        seconds: CPU time that one case may take.
    """

    pairs: tuple[tuple[str, str], ...]
    evaluator: str
    runner: str = ""
    seconds: int = 10


PLACE = "==Code Submission=="


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in one language.

    Attributes:
        id: as the suite writes it, such as "Go/95"; number: its place.
        head: what stands before the function (imports, helpers); declaration: the function up to its open
            body.
        canonical, buggy: bodies that close what `declaration` opens; "" where the suite has none.
        test: the suite's tests with their driver; setup: what they need before everything else (Go imports).
        examples: tests that may be shown to a model.
        categories: labels by display name.
        stub: file with the function to be written, where it is not `head`, `declaration` and a body that raises.
        cases: tests on standard input and output, instead of `test`.
        left_out: stages that cannot be asked about, each with the reason.
    """

    id: str
    number: int
    language: Language
    head: str
    declaration: str
    signature: str
    name: str
    description: str
    canonical: str
    buggy: str
    test: str
    setup: str = ""
    examples: str = ""
    categories: tuple[str, ...] = ()
    stub: str = ""
    cases: Cases | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def solution(self, which: Solutions) -> str:
        """The function with one of the suite's own bodies, without what stands before it."""
        return self.declaration + (self.canonical if which == "canonical" else self.buggy)


@dataclass(frozen=True, slots=True)
class Program:
    """Something to compile and run: a solution together with a problem's tests.

    Attributes:
        key: names it in a batch; letters, digits and underscores.
        code: head and function; the runner adds the problem's tests.
        repeats: runs; more than one where the outcome is known to vary.
    """

    key: str
    problem: Problem
    code: str
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Checked:
    """What the tests said about a program.

    Attributes:
        kind: "" when it passed, else "compile", "timeout" or "failed" (assertion, error, crash).
        runs, passes: more than one run where the outcome is known to vary.
    """

    state: State
    kind: str = ""
    detail: str = ""
    runs: int = 1
    passes: int = 0
    cpu_seconds: float = 0.0


class Suite(Protocol):
    """A benchmark suite."""

    @property
    def name(self) -> str:
        """As `--suite` takes it."""
        ...

    @property
    def languages(self) -> tuple[Language, ...]:
        """Languages that it has tests for."""
        ...

    def load(self, data: Path | None, languages: Sequence[Language]) -> tuple[Problem, ...]:
        """Read problems.

        Raises:
            UsageError: the data is not there (the hint says where to get it) or is not of the published
                schema.
        """
        ...

    def known(self, solutions: Solutions) -> Mapping[str, str]:
        """Problems whose own solutions misbehave, with a sentence on how."""
        ...


def find(name: str) -> Suite:
    """The suite of a name.

    Raises:
        UsageError: there is none.
    """
    from perforch.profiling.effibenchx import EffiBenchX
    from perforch.profiling.humanevalpack import HumanEvalPack

    suites: tuple[Suite, ...] = (HumanEvalPack(), EffiBenchX())
    wanted = "".join(character for character in name.lower() if character.isalnum())
    for suite in suites:
        if suite.name.replace("-", "") == wanted:
            return suite
    message = f"{name!r} is not a suite"
    raise UsageError(message, hint="Suites: " + ", ".join(suite.name for suite in suites))
