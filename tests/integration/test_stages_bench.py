"""One decision in twenty of a run compares a side with itself, whether or not the run was killed in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from perforch.result import Metric
from perforch.sandbox import open_sandbox
from perforch.sandbox.spec import Command, Sandbox
from perforch.settings import Acceptance
from perforch.stages.bench import Bench
from perforch.stages.journal import Journal
from perforch.workloads.model import TimedCommand

if TYPE_CHECKING:
    from pathlib import Path

TRIAL = {"decision": "no_change", "reason": "", "measurements": {}}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


def loop(count: int) -> TimedCommand:
    code = f"x = 0\nfor i in range({count}): x += i"
    return TimedCommand(Command(("/usr/bin/python3", "-I", "-S", "-c", code), cwd="/"), 1, "a loop")


def decide(
    sandbox: Sandbox, journal: Journal, keys: list[str], *, sides: tuple[TimedCommand, TimedCommand]
) -> Bench:
    bench = Bench(
        sandbox=sandbox,
        acceptance=Acceptance(max_pairs=20, max_seconds=30),
        metric=Metric.TIME,
        journal=journal,
        rows=4,
    )

    async def all_of_them() -> None:
        for key in keys:
            await bench.compare(key, *sides)

    asyncio.run(all_of_them())
    return bench


@pytest.mark.parametrize("false_claim", [False, True])
def test_every_run_has_its_twentieth(sandbox: Sandbox, tmp_path: Path, false_claim: bool) -> None:
    """Sixty decisions that a killed run has left behind, and what it found where a side met itself."""
    nothing = loop(1)
    found = set()
    for number in range(8):
        journal = Journal(tmp_path / f"{number}.sqlite", "question")
        keys = [f"decision {place}" for place in range(60)]
        for key in keys:
            journal.record(key, TRIAL)
            journal.record(f"{key}/canary", false_claim)
        whole = decide(sandbox, journal, keys, sides=(nothing, nothing)).canaries
        assert (whole.decisions, whole.false_claims) == (3, 3 * false_claim)
        assert whole.level == pytest.approx(2 * 0.01 / 4)
        assert whole.possible is not false_claim
        short = [decide(sandbox, journal, keys[:5], sides=(nothing, nothing)).canaries for _ in range(2)]
        assert short[0] == short[1]  # a resumed run tosses no other coin
        found.add(int(journal.token, 16) % 20)
        journal.close()
    assert len(found) > 1


def test_a_side_that_meets_itself_is_really_run(sandbox: Sandbox, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.sqlite", "question")
    keys = [f"decision {place}" for place in range(20)]
    for key in keys:
        journal.record(key, TRIAL)
    missing = TimedCommand(Command(("/nonexistent",), cwd="/"), 1, "never started")
    canaries = decide(sandbox, journal, keys, sides=(loop(1_000_000), missing)).canaries
    assert (canaries.decisions, canaries.false_claims) == (1, 0)
    recorded = [journal.recall(f"{key}/canary") for key in keys]
    assert recorded.count(False) == 1
    assert recorded.count(None) == 19
