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
        "0.55;msec;task-clock:uH;546945;100.00;0.2;CPUs utilized\n",
        "0.546945;msec;task-clock;0.50%;546945;100.00;;\n",
        "0,546945;msec;task-clock;0,50%;546945;100,00;;\n",
        "\n\n0.55;msec;task-clock;546945;100.00;;\n\n# ended\n",
        "0.55;msec;task-clock;546945;100.00;;\r\n",
        "0.55 ; msec ; task-clock ; 546945 ; 100.00 ; ; \n",
        "Events disabled\n0.55;msec;task-clock;546945;100.00;;\nEvents enabled\n",
        "0.55;;task-clock;546945;100.00;;\n",
        "0.55;msec;task-clock;546945\n",
        "0.55;msec;task-clock;546945;100.00;;\n<not counted>;;instructions:u;0;0.00;;\n",
    ],
    ids=[
        "plain",
        "user only",
        "locale",
        "comment",
        "no unit",
        "other event",
        "two modifiers",
        "repeated",
        "repeated, locale",
        "blank lines and a comment after",
        "line ends of another system",
        "padded",
        "chatter",
        "unit left empty",
        "no percentage",
        "an event that is missing beside it",
    ],
)
def test_every_shape_gives_the_nanoseconds(text: str) -> None:
    counts = perf.parse(text)
    assert counts.task_clock_ns == 546945
    assert not counts.reason


def test_old_output_without_run_time_is_read_from_the_value() -> None:
    assert perf.parse("12,5;task-clock\n").task_clock_ns == 12_500_000


@pytest.mark.parametrize("value", ["", "much", "inf", "nan", "1e999", "12.345.678"])
def test_a_number_that_cannot_be_read_has_a_reason(value: str) -> None:
    counts = perf.parse(f"{value};msec;task-clock;soon;100.00;;\n")
    assert counts.task_clock_ns is None
    assert "cannot be read" in counts.reason


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


def test_both_kinds_of_cores_are_added() -> None:
    text = "1.0;msec;task-clock;1000000;100.00;;\n1200;;cpu_core/instructions/u;900000;90.00;;\n34;;cpu_atom/instructions/u;100000;10.00;;\n"
    assert perf.parse(text).instructions == 1234
    idle = text.replace("34;;cpu_atom", "<not counted>;;cpu_atom")
    assert perf.parse(idle) == perf.Counts(1_000_000, 1200, "")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("Error: unknown option `control'\n\n Usage: perf stat [<options>] [<command>]", "too old"),
        ("invalid delay\n", "too old"),
        (
            "perf_event_open(..., PERF_FLAG_FD_CLOEXEC) failed with unexpected error 1 (Operation not permitted)",
            "perf_event_paranoid",
        ),
        (
            "The sys_perf_event_open() syscall returned with 13 (Permission denied) for event (task-clock).",
            "perf_event_paranoid",
        ),
        (
            "/usr/bin/perf: line 13: exec: perf_6.8: not found\nE: linux-tools-6.8 is not installed.",
            "another kernel",
        ),
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
