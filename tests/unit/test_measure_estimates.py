from __future__ import annotations

import pytest

from perforch.measure import estimates, machine, plot
from perforch.measure.cpus import Plan
from perforch.measure.model import Pair, Sample
from perforch.result import Metric


def pairs(ratio: float, count: int = 12) -> list[Pair]:
    """The machine gets 10 % slower from pair to pair."""
    return [
        Pair(
            Sample(100 * 1.1**i, 100 * 1.1**i, 1.0, "perf"),
            Sample(100 * 1.1**i / ratio, 100.0, 0.5, "perf"),
            True,
            i,
        )
        for i in range(count)
    ]


def test_drift_cancels_and_the_values_give_the_ratio() -> None:
    found = estimates.paired(pairs(1.25), Metric.TIME, 0.01, 60)
    assert found.ratio == pytest.approx(1.25)
    assert found.before / found.after == pytest.approx(1.25)
    assert (found.low, found.high) == (pytest.approx(1.25), pytest.approx(1.25))
    assert found.noise == pytest.approx(1.1**1.4826)


def test_cpus_have_their_own_unit() -> None:
    found = estimates.paired(pairs(1.0), Metric.CPU, 0.01, 60)
    assert (found.unit, found.ratio) == ("CPUs", pytest.approx(2.0))


def test_a_vanishing_value_is_no_division_by_zero() -> None:
    nothing = Pair(Sample(0.0, 0.0, 0.0, "perf"), Sample(1.0, 1.0, 1.0, "perf"), True, 1)
    assert estimates.log_ratio(nothing, Metric.TIME) < 0


def test_text_plot_is_plain_and_shows_every_pair() -> None:
    text = plot.text(pairs(1.25))
    assert "\x1b" not in text
    assert text.count("o") >= 12
    assert max(map(len, text.splitlines())) <= 72
    assert plot.text(pairs(1.25, 1)) == ""


def test_svg_plot_is_a_document() -> None:
    assert "<svg" in plot.svg(pairs(1.25), low=1.2, high=1.3)


def test_machine_says_where_it_measured() -> None:
    found = machine.environment(Plan((3,), (0, 1)), sandbox="none")
    assert found.cpu
    assert found.kernel
    assert (found.cpus, found.pinned) == ((3,), True)
