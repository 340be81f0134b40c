from __future__ import annotations

from perforch.measure.instructions import judge, parse_valgrind

LOG = """==12== Cachegrind, a cache and branch-prediction profiler
==12==
==12== I   refs:      1,234,567
==13== I   refs:      1,000
"""


def test_totals_of_all_processes_are_added() -> None:
    assert parse_valgrind(LOG) == 1_235_567
    assert parse_valgrind("nothing") is None


def test_the_same_count_is_a_veto() -> None:
    assert judge(1000, 1000).veto


def test_other_counts_are_labels() -> None:
    fewer = judge(2000, 1000)
    assert (fewer.veto, fewer.fewer) == (False, True)
    assert "2.00× fewer" in fewer.label
    assert "within 1 %" in judge(100_000, 99_999).label
    more = judge(1000, 2000)
    assert (more.veto, more.fewer) == (False, False)
    assert judge(0, 10).label == ""
