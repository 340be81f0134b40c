"""Arguments of Go test binaries: which tests, how often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perforch.workloads import go_project
from perforch.workloads.go_added import NAME as ADDED

if TYPE_CHECKING:
    from collections.abc import Sequence


def by_package(tests: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of tests by the import path of their package."""
    found: dict[str, list[str]] = {}
    for test in tests:
        package, _, name = test.rpartition(".")
        found.setdefault(package, []).append(name)
    return {package: tuple(names) for package, names in found.items()}


def pattern(names: Sequence[str]) -> str:
    """The expression that matches these top-level names and no others."""
    return "^(" + "|".join(map(re.escape, names)) + ")$"


def is_measured(test: str) -> bool:
    """Is this the id of a benchmark?"""
    return go_project.is_benchmark(test.rpartition(".")[2])


def kinds(names: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Tests and examples, then benchmarks: one run of a binary each."""
    measured = tuple(name for name in names if go_project.is_benchmark(name))
    checked = tuple(name for name in names if name not in measured)
    return tuple((kind, group) for kind, group in (("run", checked), ("bench", measured)) if group)


def arguments(kind: str, names: Sequence[str]) -> tuple[str, ...]:
    """What tells right from wrong: each test once, each benchmark with one iteration."""
    if kind == "bench":
        return ("-test.v", "-test.run=^$", "-test.bench", pattern(names), "-test.benchtime=1x")
    return ("-test.v", "-test.paniconexit0", "-test.run", pattern(names))


def repeated(names: Sequence[str], times: int) -> tuple[str, ...]:
    """Each test, or each benchmark's iterations, so many times in one process; with 0 nothing but the start."""
    if not go_project.is_benchmark(names[0]):
        count = 1 if names[0] == ADDED else times
        return ("-test.run", pattern(names), f"-test.count={count}", "-test.paniconexit0")
    chosen = pattern(names) if times else "^$"
    return ("-test.run=^$", "-test.bench", chosen, f"-test.benchtime={max(1, times)}x")


def workloads(tests: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What may be timed, best first: benchmarks, which their author wrote for it; tests; examples."""
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for test in tests:
        name = test.rpartition(".")[2]
        kind = 0 if go_project.is_benchmark(name) else 2 if name.startswith("Example") else 1
        groups[kind].append(test)
    return tuple(tuple(groups[kind]) for kind in sorted(groups) if groups[kind])
