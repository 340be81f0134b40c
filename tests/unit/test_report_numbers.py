from __future__ import annotations

import pytest

from perforch.report import numbers
from perforch.result import Measurement, Metric


@pytest.mark.parametrize(
    ("before", "after", "unit", "expected"),
    [
        (41.2, 19.5, "ms", ("41.2 ms", "19.5 ms")),
        (1500, 2, "ms", ("1.50 s", "0.00200 s")),
        (0.5, 0.25, "ms", ("500 µs", "250 µs")),
        (2048, 512, "KiB", ("2.00 MiB", "0.500 MiB")),
        (1.5, 1.0, "CPUs", ("1.50 CPUs", "1.00 CPUs")),
        (0, 0, "ms", ("0 ms", "0 ms")),
    ],
)
def test_one_unit_a_pair(before: float, after: float, unit: str, expected: tuple[str, str]) -> None:
    assert numbers.pair(before, after, unit) == expected


def test_speed_words() -> None:
    assert numbers.speed(2.0) == "2.00× faster"
    assert numbers.speed(0.8) == "1.25× slower"
    assert numbers.speed(1.001) == "no change"
    assert numbers.speed(2.0, Metric.MAX_MEMORY) == "2.00× less memory"


def test_a_bound_is_never_rounded_up() -> None:
    measurement = Measurement(
        unit="ms", before=2, after=1, ratio=2.0, ci_low=1.9299, ci_high=2.1, confidence=0.99
    )
    assert numbers.interval(measurement) == "≥ 1.92× (99 %)"
    slower = Measurement(unit="ms", before=1, after=2, ratio=0.5, ci_low=0.45, ci_high=0.56)
    assert numbers.interval(slower) == "≥ 1.78×"


@pytest.mark.parametrize(
    ("value", "text"), [(9.996, "10.0"), (0.01234, "0.0123"), (1234.5, "1230"), (0, "0"), (100, "100")]
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert numbers.significant(value) == text
