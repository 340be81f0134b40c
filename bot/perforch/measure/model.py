"""Pairs in, verdict and bound out: the small interface behind which every decision on speed is taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perforch.measure.sampler import Memory
    from perforch.result import Metric
    from perforch.sandbox.spec import Launch


class Decision(StrEnum):
    """Three outcomes and an honest fourth."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no_change"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one side.

    Attributes:
        task_clock_ms: CPU time of the whole tree (perf task-clock, or wait4 usage where perf is refused).
        wall_ms: our own clock around the target.
        cpus: task_clock_ms / wall_ms.
        source: "perf", "cgroup" or "wait4".
        failure: why the run does not count ("" when it does): exit status, orphans, timeout.
    """

    task_clock_ms: float
    wall_ms: float
    cpus: float
    source: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One before and one after sample taken back to back."""

    before: Sample
    after: Sample
    before_first: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric, before against after. `ratio` is before/after of the medians; above 1 is better.

    For paired metrics (time, cpu) it is the median ratio of the pairs, in which drift cancels, and `before` and `after` lie
    around the median pair.

    `low` and `high` bound the true ratio at `confidence`; None where the test gives none.
    """

    unit: str
    before: float
    after: float
    ratio: float
    low: float | None
    high: float | None
    confidence: float
    pairs: int
    noise: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The decision on one before/after question, with everything that led to it; `memory_runs` are those of "before" and "after"."""

    decision: Decision
    reason: str
    estimates: Mapping[Metric, Estimate]
    peak_memory: Estimate | None
    pairs: tuple[Pair, ...]
    canary: bool = False
    instructions: str = ""
    seconds: float = 0.0
    cpus: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    memory_runs: Mapping[str, tuple[Memory, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a comparison stands; for progress bars.

    Attributes:
        step: "waiting", "warm-up", "timing", "memory" or "instructions".
        done, total: pairs (or runs) so far and at most.
    """

    step: str
    done: int
    total: int
    message: str = ""


class Launcher(Protocol):
    """One side of a comparison: makes a fresh start of its workload for every run."""

    def launch(self, seed: int) -> Launch:
        """A new `Launch` whose environment carries `pairs.seed_env(seed)`."""
        ...


@runtime_checkable
class InstrumentedLauncher(Protocol):
    """A launcher that can also run its workload under a tool such as valgrind, inside the same sandbox."""

    def launch_with(self, seed: int, prefix: tuple[str, ...]) -> Launch:
        """As `Launcher.launch`, with `prefix` before the program."""
        ...
