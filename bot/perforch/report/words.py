"""The sentences people read, shared by every surface; they hold no foreign text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.report import numbers
from perforch.result import Metric, Outcome, Verdict

if TYPE_CHECKING:
    from perforch.result import FunctionResult, Measurement, Result

VERDICTS = {
    Verdict.IMPROVED: ("✅", "improved"),
    Verdict.FIXED: ("✅", "fixed"),
    Verdict.GENERATED: ("✅", "written"),
    Verdict.NO_CHANGE: ("➖", "no significant change"),
    Verdict.NOT_MEASURABLE: ("⚠️", "not measurable"),
    Verdict.FAILED: ("❌", "failed"),
    Verdict.SKIPPED: ("➖", "skipped"),
}
OUTCOMES = {
    Outcome.ACCEPTED: "accepted",
    Outcome.TESTS_FAILED: "tests failed",
    Outcome.DOES_NOT_COMPILE: "does not compile",
    Outcome.NOT_FASTER: "not faster",
    Outcome.UNSAFE: "unsafe",
    Outcome.INVALID_REPLY: "invalid reply",
    Outcome.PROVIDER_ERROR: "provider error",
    Outcome.OVER_BUDGET: "over budget",
}
METRICS = {
    Metric.TIME: "CPU time",
    Metric.CPU: "CPUs utilised",
    Metric.MEAN_MEMORY: "mean memory",
    Metric.MAX_MEMORY: "maximum memory",
}
PROVEN = frozenset({Verdict.IMPROVED, Verdict.FIXED, Verdict.GENERATED})
HOW = (
    "Before and after ran alternately on the same CPU in the same job. A gain is believed only if the lower "
    "bound of its confidence interval clears both the required effect and the noise of the unchanged program "
    "against itself, and every test that passed before still passes."
)


def proven(result: Result) -> list[FunctionResult]:
    """Functions with something to propose, largest saving first."""
    return sorted(
        (f for f in result.functions if f.verdict in PROVEN),
        key=lambda f: saved(f, result.metric),
        reverse=True,
    )


def saved(function: FunctionResult, metric: Metric) -> float:
    """What is saved in the metric's own unit; 0 without a measurement."""
    measurement = function.measurements.get(metric)
    return measurement.before - measurement.after if measurement else 0.0


def main_measurement(
    measurements: dict[Metric, Measurement], metric: Metric
) -> tuple[Metric, Measurement] | None:
    """The measurement that stands for a function: the metric of the run, else time, else any."""
    for candidate in (metric, Metric.TIME, *Metric):
        if candidate in measurements:
            return candidate, measurements[candidate]
    return None


def claim(measurement: Measurement, metric: Metric) -> str:
    """`2.11× faster (≥ 1.92×, 99 %)`: never a factor without its bound where there is one."""
    bound = _inline(measurement)
    return numbers.speed(measurement.ratio, metric) + (f" ({bound})" if bound else "")


def _inline(measurement: Measurement) -> str:
    return numbers.interval(measurement).replace(" (", ", ").replace(")", "")


def headline(result: Result) -> str:
    """The verdict on the whole run in one sentence without a full stop; a gain never stands without its bound."""
    total = numbers.count(len(result.functions), "changed function")
    done = [
        (count, word)
        for verdict, word in ((Verdict.FIXED, "fixed"), (Verdict.GENERATED, "written"))
        if (count := sum(function.verdict is verdict for function in result.functions))
    ]
    improved = [function for function in result.functions if function.verdict is Verdict.IMPROVED]
    parts = []
    if improved:
        gain = f"{len(improved)} of {total} {_gain(improved, result)}"
        parts.append(", ".join([gain, *(f"{count} {word}" for count, word in done)]))
    elif done:
        first = f"{done[0][0]} of {total} {done[0][1]}"
        parts.append(
            ", ".join([first, *(f"{count} {word}" for count, word in done[1:])]) + ": the tests pass now"
        )
    if result.regressions:
        slower = len(result.regressions)
        noun = "" if parts else " function" if slower == 1 else " functions"
        parts.append(f"{slower}{noun} became slower")
    if parts:
        return "; ".join(parts)
    if not result.functions:
        return "Nothing to measure: no function changed that can be optimised"
    return f"No significant change proven in {total}"


def _gain(improved: list[FunctionResult], result: Result) -> str:
    """`can be made 2.11× faster (≥ 1.92×, 99 %)`, or for several from the smallest to the largest with the weakest bound."""
    measured = [
        found for function in improved if (found := main_measurement(function.measurements, result.metric))
    ]
    if len(measured) != len(improved) or len({metric for metric, _ in measured}) > 1:
        return "can be improved"
    metric = measured[0][0]
    verb = "can be made" if metric is Metric.TIME else "can run with"
    if len(measured) == 1:
        return f"{verb} {claim(measured[0][1], metric)}"
    low, *_, high = sorted((measurement for _, measurement in measured), key=lambda one: one.ratio)
    weakest = min((measurement for _, measurement in measured), key=lambda one: one.ci_low or 0)
    bound = f" (each {_inline(weakest)})" if numbers.interval(weakest) else ""
    return f"{verb} {numbers.times(low.ratio)} to {numbers.speed(high.ratio, metric)}{bound}"


def checks(function: FunctionResult) -> str:
    """`✅ 214 tests` or the verdict as a sign and a word; colour is never the only carrier."""
    sign, word = VERDICTS[function.verdict]
    if function.verdict in PROVEN:
        return (
            f"{sign} {word}, {numbers.count(len(function.tests), 'test')}"
            if function.tests
            else f"{sign} {word}"
        )
    return f"{sign} {word}"


def memory(function: FunctionResult) -> str:
    """Change of peak memory, or of VmData+VmStk where only that is known."""
    measurement = function.peak_memory or function.measurements.get(Metric.MAX_MEMORY)
    return numbers.change(measurement) if measurement else "–"


def measured(result: Result) -> str:
    """Which revisions were compared."""
    head, base = result.head_sha[:7], result.base_sha[:7]
    if not head:
        return ""
    return f"Measured at {head} against {base}" if base else f"Measured at {head}"
