from __future__ import annotations

from perforch.stages.refine import keeps_results
from perforch.workloads.model import ColdCheck


def test_a_memo_is_fast_only_from_the_second_call_on() -> None:
    assert keeps_results(ColdCheck(1000, 1000), ColdCheck(1100, 10))


def test_an_honest_speedup_is_fast_at_once() -> None:
    assert not keeps_results(ColdCheck(1000, 1000), ColdCheck(100, 90))


def test_a_warming_runtime_is_no_memo() -> None:
    # The JVM's first call is slow on both sides.
    assert not keeps_results(ColdCheck(100_000, 1000), ColdCheck(80_000, 500))


def test_nothing_is_said_without_a_clock() -> None:
    assert not keeps_results(ColdCheck(0, 0), ColdCheck(1, 1))
