"""The refine stage (paper, section 3.4, step 3): equal behaviour, proven better by the metric, or rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.result import Language, Metric, Outcome, Stage
from perforch.stages import prompting
from perforch.stages.attempts import Tried, attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.settings import ModelSettings
    from perforch.stages.bench import Trial
    from perforch.stages.context import Context, Subject, Version
    from perforch.workloads.model import ColdCheck, TimedCommand

LARGE_DIFF_LINES = 10


@dataclass(frozen=True, slots=True)
class Refined:
    """What the stage ended with; `winner` is None when the current version stays."""

    winner: Tried | None
    trial: Trial | None
    reason: str


async def refine(context: Context, subject: Subject, current: Version, timed: TimedCommand) -> Refined:
    """Ask the models in the Memory's order for a better version of `current`.

    `paper` and `cost` accept the first candidate that is correct and proven better; `best-of-n` tries all and keeps the best.
    Every winner is measured a second time on fresh pairs before it is believed.
    """
    models = context.order(stage=Stage.REFINE, function=current.function, categories=subject.categories)
    runner = subject.exercise.runner
    assert runner is not None
    key = f"profile/{subject.key}/{current.tree.label}"
    known = context.journal.recall(key)
    profile: str = known if known is not None else ""
    if known is None:
        profile = await context.work(runner.profile, current.tree, subject.exercise.tests, current.function)
        context.journal.record(key, profile)
    if context.settings.strategy == "best-of-n":
        return await _best(context, subject, current, timed, profile, models)
    return await _first(context, subject, current, timed, profile, models)


async def _first(
    context: Context,
    subject: Subject,
    current: Version,
    timed: TimedCommand,
    profile: str,
    models: Sequence[ModelSettings],
) -> Refined:
    rejected: list[Tried] = []
    last: Trial | None = None
    for model in models:
        prompt = prompting.refine(context, subject, current, rejected, profile)
        tried = await attempt(context, subject, Stage.REFINE, model, prompt, current, current.baseline)
        trial = None
        if tried.correct:
            tried, trial = await _measure(context, subject, current, timed, tried)
            last = trial or last
        subject.remember(tried.attempt, tried.digest)
        if tried.correct:
            return Refined(tried, trial, "")
        rejected.append(tried)
        if tried.attempt.outcome is Outcome.OVER_BUDGET:
            break
    return Refined(None, last, _why_none(rejected))


async def _best(
    context: Context,
    subject: Subject,
    current: Version,
    timed: TimedCommand,
    profile: str,
    models: Sequence[ModelSettings],
) -> Refined:
    found: list[tuple[float, Tried, Trial]] = []
    rejected: list[Tried] = []
    prompt = prompting.refine(context, subject, current, (), profile)
    for model in models:
        tried = await attempt(context, subject, Stage.REFINE, model, prompt, current, current.baseline)
        trial = None
        if tried.correct:
            tried, trial = await _measure(context, subject, current, timed, tried)
        if tried.correct and trial is not None:
            found.append((trial.measurements[context.metric].ratio, tried, trial))
        else:
            rejected.append(tried)
            subject.remember(tried.attempt, tried.digest)
    found.sort(key=lambda item: -item[0])
    for place, (_, tried, _) in enumerate(found):
        outcome = (
            tried
            if place == 0
            else tried.rejected(Outcome.NOT_FASTER, "correct and faster, but another candidate is better")
        )
        subject.remember(outcome.attempt, outcome.digest)
    if found:
        return Refined(found[0][1], found[0][2], "")
    return Refined(None, None, _why_none(rejected))


async def _measure(
    context: Context, subject: Subject, current: Version, timed: TimedCommand, tried: Tried
) -> tuple[Tried, Trial | None]:
    runner = subject.exercise.runner
    assert runner is not None
    assert tried.version is not None
    tree, tests = tried.version.tree, subject.exercise.tests
    after = await context.work(runner.timed, tree, tests, repeat=timed.repeat)
    if after is None:
        return tried.rejected(
            Outcome.TESTS_FAILED, "its tests fail when they are repeated in one process"
        ), None
    # A JVM's first call is slow for reasons of its own; there the static policy stands alone.
    warms = current.function.language is Language.JAVA
    cold = None if warms else await context.work(runner.cold_check, tree, tests, timed.repeat)
    if cold is not None:
        known = await context.work(runner.cold_check, current.tree, tests, timed.repeat)
        if known is not None and keeps_results(known, cold):
            detail = "fast only when it is called again: it keeps results between calls"
            return tried.rejected(Outcome.UNSAFE, detail), None
    context.say(subject.key, f"refine: measuring the candidate of {tried.model.name}")
    key = f"trial/{subject.key}/{tried.digest}/{context.metric}"
    trial = await context.bench.compare(key, timed, after)
    if not trial.ok:
        return tried.rejected(Outcome.NOT_FASTER, trial.reason), trial
    floor = required_effect(context, trial, tried.changed_lines)
    if trial.measurements[context.metric].ratio < 1 + floor:
        return tried.rejected(Outcome.NOT_FASTER, f"better, but by less than {floor:.0%}"), trial
    again = await context.bench.compare(f"{key}/confirm", timed, after, confirm=True)
    if not again.ok:
        return tried.rejected(Outcome.NOT_FASTER, f"not confirmed on fresh pairs: {again.reason}"), again
    return tried, again


def required_effect(context: Context, trial: Trial, changed_lines: int) -> float:
    """The smallest gain worth a maintainer's time, as a fraction.

    The configured effect, at least twice the A/A noise, and twice the default for a diff of more than ten lines unless the owner
    set a number.
    """
    acceptance = context.settings.acceptance
    floor = acceptance.min_effect
    if changed_lines > LARGE_DIFF_LINES and "min_effect" not in acceptance.model_fields_set:
        floor *= 2
    noise = trial.measurements[context.metric].noise
    return floor if noise is None else max(floor, 2 * (noise - 1))


def keeps_results(before: ColdCheck, after: ColdCheck) -> bool:
    """True when the candidate's first call gains nothing while later calls are out of proportion cheaper.

    A body that remembers answers between calls looks like this; an honest one is as fast on its first call.
    """
    if min(before.first_ns, before.rest_ns, after.first_ns, after.rest_ns) <= 0:
        return False
    proportion = (after.first_ns / after.rest_ns) / max(before.first_ns / before.rest_ns, 1.0)
    return proportion > 3 and after.first_ns > 0.8 * before.rest_ns


def _why_none(rejected: Sequence[Tried]) -> str:
    if not rejected:
        return "no model is left to ask"
    if all(tried.attempt.outcome is Outcome.OVER_BUDGET for tried in rejected):
        return "the budget was used up before this function"
    if all(tried.attempt.outcome in {Outcome.PROVIDER_ERROR, Outcome.OVER_BUDGET} for tried in rejected):
        return "no model could be reached"
    measured = sum(tried.attempt.outcome is Outcome.NOT_FASTER for tried in rejected)
    word = "candidate" if len(rejected) == 1 else "candidates"
    return f"{len(rejected)} {word} tried, {measured} measured, none proven better; the code stays as it is"


def proven(trial: Trial, metric: Metric) -> str:
    """One sentence about an accepted gain, with its bound."""
    found = trial.measurements[metric]
    noun = {
        Metric.TIME: "faster",
        Metric.CPU: "less CPU",
        Metric.MEAN_MEMORY: "less mean memory",
        Metric.MAX_MEMORY: "less peak memory",
    }[metric]
    bound = (
        ""
        if found.ci_low is None
        else f" (at least {found.ci_low:.2f}× at {(found.confidence or 0.99) * 100:g} % confidence)"
    )
    label = f"; {found.note}" if metric is Metric.TIME and found.note else ""
    return f"{found.ratio:.2f}× {noun}{bound}{label}; all tests pass"
