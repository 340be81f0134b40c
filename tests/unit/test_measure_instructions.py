from __future__ import annotations

import pytest

from perforch.measure.instructions import judge, meaningful, parse_valgrind
from perforch.sandbox.spec import Launch

LOG = """==12== Cachegrind, a cache and branch-prediction profiler
==12==
==13== Cachegrind, a cache and branch-prediction profiler
==12== I   refs:      1,234,567
==13== I   refs:      1,000
"""


def test_totals_of_all_processes_are_added() -> None:
    assert parse_valgrind(LOG) == 1_235_567
    assert parse_valgrind("nothing") is None


def test_a_process_without_a_total_makes_the_sum_unknown() -> None:
    assert parse_valgrind(LOG.rpartition("==13== I")[0]) is None
    assert parse_valgrind(LOG.partition("\n")[2]) is None  # the beginning was cut off


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("bwrap", "--", "/usr/bin/java", "-cp", "x"), False),
        (("bwrap", "--", "/out/bin/tests"), True),
        (("mvn",), False),
    ],
)
def test_a_virtual_machine_is_not_counted(argv: tuple[str, ...], expected: bool) -> None:
    assert meaningful(Launch(argv=argv, env={})) is expected


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
