"""What to run to test a function and to time it: the contract between the languages' runners and the stages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Command

TestOutcome = Literal["passed", "failed", "skipped"]
# Set where a timed command runs below a program that reports on standard error: the command leaves that open then.
REPORTING = "PERFORCH_REPORTING"


@dataclass(frozen=True, slots=True)
class Tree:
    """A checked-out revision or candidate on disk and a private output directory for its builds.

    Every tree is mounted read-only or copied at `sandbox.spec.SOURCE`, its `output` writable at `sandbox.spec.OUTPUT`.
    """

    source: Path
    output: Path
    label: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One failing test as the fixer and the reader see it; texts are trimmed and carry no host paths."""

    test: str
    message: str  # expected and actual, assertion text, compiler message
    trace: str = ""


@dataclass(frozen=True, slots=True)
class TestReport:
    """What the tests of one tree did.

    Attributes:
        built: False when the tree does not compile (or import, in Python).
        outcomes: by test id; ids are stable between trees. Compared as sets: a test that disappears is a failure.
        failures: details of those that failed; the compiler's words when `built` is False.
        stopped: "" or why the run was cut short ("timeout", "memory", "output").
        unavailable: why tests cannot run on this machine whatever the code does (something is not installed), by the id of
            the test or of its file; "" stands for all tests. They count as failed in `outcomes` where they have an id.
    """

    __test__ = False

    built: bool
    outcomes: Mapping[str, TestOutcome]
    failures: tuple[Failure, ...] = ()
    stopped: str = ""
    seconds: float = 0.0
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> frozenset[str]:
        """Ids of the tests that passed."""
        return frozenset(test for test, outcome in self.outcomes.items() if outcome == "passed")

    @property
    def failed(self) -> frozenset[str]:
        """Ids of the tests that failed."""
        return frozenset(test for test, outcome in self.outcomes.items() if outcome == "failed")

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types, for the run journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TestReport:
        """The inverse of `to_json`."""
        failures = tuple(Failure(**failure) for failure in document["failures"])
        return cls(**{**document, "failures": failures})


@dataclass(frozen=True, slots=True)
class TimedCommand:
    """What is timed, for one tree: `command` is run once a sample; every sample is a new process.

    Attributes:
        repeat: how often the tests run inside one process; the same for both sides.
        description: the command as a person would type it in a checkout, for "run it again".
        threads: 1, or more when the program is expected to use several CPUs (JVM, Go): a CPU set is reserved then.
    """

    command: Command
    repeat: int
    description: str
    threads: int = 1


@dataclass(frozen=True, slots=True)
class ColdCheck:
    """First call against later calls inside one process, in nanoseconds, as the harness saw them (a veto, never a claim).

    A body that keeps results between calls is slow on the first and fast on the others.
    """

    first_ns: float
    rest_ns: float


class Runner(Protocol):
    """Tests and workloads of one project in one language, in one build system. All commands run in the sandbox."""

    @property
    def name(self) -> str:
        """The build or test system, such as "pytest", "cargo", "go", "cmake", "maven", "javac"."""
        ...

    def tests_naming(self, tree: Tree, function: Function) -> tuple[str, ...]:
        """Ids of the tests whose text names the function (static, nothing is run); empty when none does."""
        ...

    def test(self, tree: Tree, tests: Sequence[str] | None = None) -> TestReport:
        """Build what is needed and run these tests (all when None)."""
        ...

    def timed(
        self, tree: Tree, tests: Sequence[str], *, repeat: int | None = None, min_ms: float = 200.0
    ) -> TimedCommand | None:
        """Build and give the command that runs these tests `repeat` times in one process.

        With `repeat=None` it is found on this tree (the baseline) so that one run takes at least `min_ms`; the same number is
        then passed for the candidate. None when these tests cannot be timed (they fail, or do not run alone).
        """
        ...

    def cold_check(self, tree: Tree, tests: Sequence[str], repeat: int) -> ColdCheck | None:
        """Time the first and the later repetitions; None where the harness cannot tell."""
        ...

    def profile(self, tree: Tree, tests: Sequence[str], function: Function) -> str:
        """Hot lines and input sizes for the refine prompt (at most 2 KB of text); "" where there is no profiler."""
        ...


@dataclass(frozen=True, slots=True)
class Exercise:
    """How one function is tested and timed in this repository, or why it cannot be."""

    runner: Runner | None
    tests: tuple[str, ...] = ()
    configured: bool = False  # timed by a `workloads:` entry instead of tests
    reason: str = ""  # why not, when there is nothing to run
    extra: Mapping[str, str] = field(default_factory=dict)
