"""Numbers for people: one unit a comparison, three significant digits, one wording for speed.

The unit is chosen from the value before and used for both, as pyperf does (`pyperf/_formatter.py`), so that
two numbers side by side can be compared by eye.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perforch.result import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.result import Measurement

# unit of the record -> the ladder it belongs to, as (name, size in units of the record's base), largest first
_TIME = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
_MEMORY = (("GiB", 1024.0**3), ("MiB", 1024.0**2), ("KiB", 1024.0), ("B", 1.0))
_LADDERS = (_TIME, _MEMORY)
_ALIASES = {"us": "µs", "μs": "µs", "kB": "KiB", "CPUs": "CPUs"}

# What "better" and "worse" are called; time is "faster", memory is "less", CPUs are "fewer".
_WORDS = {
    Metric.TIME: ("faster", "slower"),
    Metric.CPU: ("fewer CPUs", "more CPUs"),
    Metric.MEAN_MEMORY: ("less memory", "more memory"),
    Metric.MAX_MEMORY: ("less memory", "more memory"),
}


def significant(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits, never in exponent form: 0.0123, 4.10, 41.2, 1234."""
    if not math.isfinite(value):
        return "–"
    if abs(value) < 1e-12:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - magnitude)
    # Rounding can reach the next power of ten: 9.996 is 10.0, not 10.00.
    magnitude = math.floor(math.log10(abs(rounded))) if rounded else magnitude
    return f"{rounded:.{max(0, digits - 1 - magnitude)}f}"


def pair(before: float, after: float, unit: str) -> tuple[str, str]:
    """Both values in one unit chosen from `before` (from `after` when before is 0)."""
    unit = _ALIASES.get(unit, unit)
    for ladder in _LADDERS:
        sizes = dict(ladder)
        if unit in sizes:
            reference = abs(before or after) * sizes[unit]
            name = next(
                (name for name, size in ladder if reference >= size), ladder[-1][0] if reference else unit
            )
            factor = sizes[unit] / sizes[name]
            return f"{significant(before * factor)} {name}", f"{significant(after * factor)} {name}"
    suffix = f" {unit}" if unit else ""
    return significant(before) + suffix, significant(after) + suffix


def times(ratio: float) -> str:
    """A ratio as a factor of at least one: 2.11×, and 0.8 is 1.25×."""
    if ratio <= 0:
        return "–"
    return f"{significant(ratio if ratio >= 1 else 1 / ratio)}×"


def speed(ratio: float, metric: Metric = Metric.TIME) -> str:
    """`2.11× faster`, `1.25× slower`, `2.00× less memory`; `no change` where three digits cannot tell."""
    if ratio <= 0:
        return "not measured"
    better, worse = _WORDS[metric]
    if times(ratio) == "1.00×":
        return "no change"
    return f"{times(ratio)} {better if ratio > 1 else worse}"


def interval(measurement: Measurement) -> str:
    """The bound that carries the claim: `≥ 1.92× (99 %)`; both ends where they straddle 1; "" if unknown."""
    low, high = measurement.ci_low, measurement.ci_high
    level = f" ({percent(measurement.confidence)})" if measurement.confidence else ""
    if measurement.ratio >= 1 and low is not None and low >= 1:
        return f"≥ {_down(low)}×{level}"
    if measurement.ratio < 1 and high is not None and 1e-12 < high <= 1:
        return f"≥ {_down(1 / high)}×{level}"
    if low is not None and high is not None:
        return f"{significant(low)}–{significant(high)}×{level}"
    return ""


def _down(bound: float) -> str:
    """A lower bound is rounded down, so that the text never claims more than was shown."""
    magnitude = math.floor(math.log10(bound))
    scale = 10.0 ** (2 - magnitude)
    # The tiny addition undoes binary representation (1.92 * 100 is 191.99…) and stays far below a digit.
    return significant(math.floor(bound * scale * (1 + 1e-12)) / scale)


def percent(fraction: float) -> str:
    """0.99 as `99 %`, 0.995 as `99.5 %`."""
    return f"{round(fraction * 100, 2):g} %"


def noise(measurement: Measurement) -> str:
    """How far the same program differs from itself: 1.04 as `±4 %`; an en dash if it was not measured."""
    if measurement.noise is None or measurement.noise <= 0:
        return "–"
    spread = abs(max(measurement.noise, 1 / measurement.noise) - 1) * 100
    return f"±{spread:.0f} %" if spread >= 1 else f"±{max(spread, 0.1):.1f} %"


def change(measurement: Measurement) -> str:
    """A change of memory: `12 % less`, `3 % more`, `unchanged` below half a percent."""
    if measurement.before <= 0:
        return "–"
    difference = (measurement.after / measurement.before - 1) * 100
    if abs(difference) < 0.5:
        return "unchanged"
    return f"{abs(difference):.{0 if abs(difference) >= 1 else 1}f} % {'more' if difference > 0 else 'less'}"


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios; 1 for none."""
    positive = [ratio for ratio in ratios if ratio > 0]
    return math.exp(sum(map(math.log, positive)) / len(positive)) if positive else 1.0


def money(dollars: float) -> str:
    """US dollars to the cent, small sums to four places: $0.42, $0.0031."""
    if dollars == 0:
        return "$0"
    return f"${dollars:.2f}" if dollars >= 0.1 else f"${dollars:.4f}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 60:
        return f"{significant(seconds, 2)} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def passing(tests: int) -> str:
    """`1 test passes`, `2 tests pass`."""
    return f"{count(tests, 'test')} {'passes' if tests == 1 else 'pass'}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 test`, `2 tests`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
