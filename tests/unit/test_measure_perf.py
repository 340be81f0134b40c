from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.measure import perf


@pytest.mark.parametrize(
    "text",
    [
        "0.55;msec;task-clock;546945;100.00;0.261;CPUs utilized\n",
        "0.55;msec;task-clock:u;546945;100.00;0.261;CPUs utilized\n",
        "0,55;msec;task-clock;546945;100,00;0,261;CPUs utilized\n",  # a German locale
        "# started on Sat Nov 21 01:43:56 2026\n\n0.55;msec;task-clock;546945;100.00;;\n",
        "0.55;task-clock;546945;100.00\n",  # before units were printed
        "<not supported>;;cycles;0;100.00;;\n0.55;msec;task-clock;546945;100.00;0.2;CPUs utilized\n",
    ],
    ids=["plain", "user only", "locale", "comment", "no unit", "other event"],
)
def test_every_shape_gives_the_nanoseconds(text: str) -> None:
    counts = perf.parse(text)
    assert counts.task_clock_ns == 546945
    assert not counts.reason


def test_old_output_without_run_time_is_read_from_the_value() -> None:
    assert perf.parse("12,5;task-clock\n").task_clock_ns == 12_500_000


@pytest.mark.parametrize("value", ["<not counted>", "<not supported>"])
def test_missing_counter_has_a_reason(value: str) -> None:
    counts = perf.parse(f"{value};msec;task-clock;0;0.00;;\n")
    assert counts.task_clock_ns is None
    assert value.strip("<>") in counts.reason


def test_nothing_has_a_reason() -> None:
    assert perf.parse("").reason == "perf printed no task-clock"


def test_instructions_stand_beside_the_clock() -> None:
    counts = perf.parse("1.0;msec;task-clock;1000000;100.00;;\n123456;;instructions:u;1000000;100.00;;\n")
    assert (counts.task_clock_ns, counts.instructions) == (1_000_000, 123456)
    none = perf.parse("1.0;msec;task-clock;1000000;100.00;;\n<not supported>;;instructions:u;0;100.00;;\n")
    assert (none.task_clock_ns, none.instructions) == (1_000_000, None)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            "Error:\nAccess to performance monitoring and observability operations is limited.",
            "perf_event_paranoid",
        ),
        ("perf_event_open: Operation not permitted", "perf_event_paranoid"),
        ("WARNING: perf not found for kernel 6.8.0-1014", "another kernel"),
        ("event syntax error: 'task-clock'", "syntax error"),
    ],
)
def test_refusals_are_named(words: str, named: str) -> None:
    assert named in perf.explain(words)


def test_chatter_is_no_refusal() -> None:
    assert perf.explain("Events disabled\nEvents enabled\n") == ""


@given(st.text())
def test_anything_parses_or_has_a_reason(text: str) -> None:
    counts = perf.parse(text)
    assert counts.task_clock_ns is not None or counts.reason
