"""The walk of one function: test → [generate | fix] → refine → verdict. Whatever goes wrong stays inside this function."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.categories.consensus import agreement
from perforch.errors import PerforchError, SandboxUnavailableError, ToolMissingError
from perforch.languages import syntax
from perforch.measure.model import Decision
from perforch.report.patch import patch
from perforch.report.suggestions import suggest
from perforch.result import FunctionResult, Metric, Regression, Stage, Verdict
from perforch.stages.correctness import judge
from perforch.stages.refine import proven, refine
from perforch.stages.repair import fix, generate
from perforch.stages.stopping import StoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.stages.attempts import Tried
    from perforch.stages.bench import Trial
    from perforch.stages.context import Context, Subject, Version
    from perforch.workloads.model import TestReport, TimedCommand

    Hunks = Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Walked:
    """What one function ends with.

    Attributes:
        regression: set when head is proven slower than base.
    """

    result: FunctionResult
    regression: Regression | None = None


def choose_stage(function: Function, tests: Sequence[str], report: TestReport) -> Stage | None:
    """Which stage the function enters; None when the build is broken by something else.

    Args:
        tests: ids of the tests that name the function.
        report: the tests of the head revision.
    """
    if not report.built:
        if function.is_stub:
            return Stage.GENERATE
        texts = [f"{failure.message}\n{failure.trace}" for failure in report.failures]
        name = function.path.rsplit("/", 1)[-1]
        return Stage.FIX if any(name in text for text in texts) else None
    failing = set(tests) & (report.failed | (set(tests) - set(report.outcomes)))
    if failing:
        return Stage.GENERATE if function.is_stub else Stage.FIX
    return Stage.REFINE


def is_trivial(function: Function) -> bool:
    """True for a body without calls, loops, branches and operators, such as an empty constructor."""
    found = syntax.features(function.language, function.source.encode())
    return not (found.calls - {function.simple_name}) and not (
        found.loops or found.branches or found.operators
    )


async def walk(context: Context, subject: Subject, hunks: Hunks, wanted: Stage | None) -> Walked:
    """Take one function through its stages.

    Args:
        wanted: the stage the user asked for, or None for automatic choice.
    """
    try:
        return await _walk(context, subject, hunks, wanted)
    except (SandboxUnavailableError, StoppedError):
        raise
    except ToolMissingError as error:
        reason = f"{error.message}; {error.hint}" if error.hint else error.message
        return Walked(_result(subject, None, Verdict.NOT_MEASURABLE, reason))
    except PerforchError as error:
        return Walked(_result(subject, None, Verdict.FAILED, error.message))


async def _walk(context: Context, subject: Subject, hunks: Hunks, wanted: Stage | None) -> Walked:
    function = subject.head.function
    if subject.exercise.runner is None or not (subject.exercise.tests or subject.exercise.configured):
        return Walked(_result(subject, None, Verdict.NOT_MEASURABLE, subject.exercise.reason))
    stage = choose_stage(function, subject.exercise.tests, subject.head.report)
    if stage is Stage.REFINE and is_trivial(function):
        return Walked(
            _result(subject, stage, Verdict.SKIPPED, "the body does nothing that could be done faster")
        )
    if stage is None:
        reason = "the head revision does not build, and the errors are not in this file"
        return Walked(_result(subject, None, Verdict.SKIPPED, reason))
    if wanted is not None and wanted is not stage:
        reason = f"--stage {wanted} was asked for, but this function is ready for {stage}"
        return Walked(_result(subject, stage, Verdict.SKIPPED, reason))
    base = await _against_base(context, subject) if stage is Stage.REFINE else None
    if not context.models:
        result = await _without_models(context, subject, stage, base)
    elif stage is Stage.REFINE:
        result = await _refine_head(context, subject, hunks)
    else:
        result = await _repair_head(context, subject, hunks, stage, only=wanted is not None)
    if base is None:
        return Walked(result)
    result = result.model_copy(update={"against_base": base.measurements})
    return Walked(result, _regression(function, base) if base.decision is Decision.SLOWER else None)


async def _without_models(
    context: Context, subject: Subject, stage: Stage, base: Trial | None
) -> FunctionResult:
    verb = {Stage.GENERATE: "written", Stage.FIX: "fixed", Stage.REFINE: "refined"}[stage]
    if stage is Stage.REFINE and await _timed(context, subject, subject.head) is None:
        return _result(subject, stage, Verdict.NOT_MEASURABLE, _cannot_time(subject))
    reason = f"no model can be asked; with one, this function would be {verb}"
    result = _result(subject, stage, Verdict.SKIPPED, reason)
    if base is None:
        return result
    shown = {
        metric: found.model_copy(update={"note": "base against head"})
        for metric, found in base.measurements.items()
    }
    return result.model_copy(update={"measurements": shown, "peak_memory": base.peak_memory})


async def _refine_head(context: Context, subject: Subject, hunks: Hunks) -> FunctionResult:
    timed = await _timed(context, subject, subject.head)
    if timed is None:
        return _result(subject, Stage.REFINE, Verdict.NOT_MEASURABLE, _cannot_time(subject))
    await _label(context, subject)
    refined = await refine(context, subject, subject.head, timed)
    if refined.winner is None:
        result = _result(subject, Stage.REFINE, Verdict.NO_CHANGE, refined.reason, trial=refined.trial)
        return result.model_copy(update={"workload": timed.description})
    assert refined.trial is not None
    result = _result(
        subject, Stage.REFINE, Verdict.IMPROVED, proven(refined.trial, context.metric), trial=refined.trial
    )
    return _with_proposal(result, subject, refined.winner, hunks, timed.description)


async def _repair_head(
    context: Context, subject: Subject, hunks: Hunks, stage: Stage, *, only: bool
) -> FunctionResult:
    await _label(context, subject)
    if stage is Stage.GENERATE:
        repaired = await generate(context, subject)
    else:
        repaired = await fix(context, subject, subject.head)
    if repaired is None or repaired.version is None:
        what = "a body whose tests pass" if stage is Stage.GENERATE else "a repair whose tests pass"
        return _result(subject, stage, Verdict.FAILED, f"{len(subject.attempts)} attempts, none gave {what}")
    verdict = Verdict.GENERATED if stage is Stage.GENERATE else Verdict.FIXED
    count = len(repaired.version.report.passed)
    reason = f"{count} tests pass with the code of {repaired.model.name}"
    winner, trial, description = repaired, None, ""
    timed = None if only else await _timed(context, subject, repaired.version)
    if timed is not None:
        description = timed.description
        refined = await refine(context, subject, repaired.version, timed)
        if refined.winner is not None and refined.trial is not None:
            winner, trial = refined.winner, refined.trial
            reason = f"{reason}; then refined: {proven(trial, context.metric)}"
    result = _result(subject, stage, verdict, reason, trial=trial)
    return _with_proposal(result, subject, winner, hunks, description)


async def _label(context: Context, subject: Subject) -> None:
    labels = await context.labels(subject.head.function)
    subject.categories = labels.categories
    subject.agreement = agreement(labels)


async def _timed(context: Context, subject: Subject, version: Version) -> TimedCommand | None:
    runner = subject.exercise.runner
    assert runner is not None
    context.say(subject.key, "preparing the workload")
    return await context.work(runner.timed, version.tree, subject.exercise.tests)


def _cannot_time(subject: Subject) -> str:
    name = subject.head.function.simple_name
    return subject.exercise.reason or (
        f"the tests that name {name} cannot be timed by themselves; add a workloads entry for it in .github/perforch.yml"
    )


async def _against_base(context: Context, subject: Subject) -> Trial | None:
    """Head against the same tree with this function as it was at the merge base, so that only this change counts."""
    function = subject.head.function
    runner = subject.exercise.runner
    assert runner is not None
    if function.base_source is None:
        return None
    file = subject.head.file
    old = file[: function.start_byte] + function.base_source.encode() + file[function.end_byte :]
    label = "base-" + hashlib.sha256(f"{subject.key}\0{function.base_source}".encode()).hexdigest()[:16]
    context.say(subject.key, "measuring against the base")
    tree = await context.work(context.workspace.variant, context.head, label, {function.path: old})
    report = await context.work(runner.test, tree, subject.exercise.tests or None)
    if judge(report, subject.head.baseline.only(subject.exercise.tests), ()).outcome is not None:
        return None  # the tests of head do not hold on the base version: behaviour changed, so times do not compare
    after = await _timed(context, subject, subject.head)
    if after is None:
        return None
    before = await context.work(runner.timed, tree, subject.exercise.tests, repeat=after.repeat)
    if before is None:
        return None
    trial = await context.bench.compare(f"base/{subject.key}", before, after, confirm=True, only_faster=False)
    context.workspace.discard(tree)
    return trial


def _regression(function: Function, trial: Trial) -> Regression:
    return Regression(
        path=function.path,
        name=function.name,
        language=function.language,
        start_line=function.start_line,
        end_line=function.end_line,
        measurements=trial.measurements,
        reason=trial.reason,
    )


def _with_proposal(
    result: FunctionResult, subject: Subject, winner: Tried, hunks: Hunks, description: str
) -> FunctionResult:
    function, new = subject.head.function, winner.version
    assert new is not None
    old = subject.head.file
    span = (function.start_line, function.end_line)
    try:
        suggestions = suggest(function.path, old.decode(), new.file.decode(), span=span, hunks=hunks)
    except UnicodeDecodeError:
        suggestions = ()  # a comment is UTF-8; the patch says it in bytes
    return result.model_copy(
        update={
            "patch": patch(function.path, old, new.file),
            "suggestions": suggestions,
            "explanation": winner.explanation,
            "workload": description,
        }
    )


def _result(
    subject: Subject, stage: Stage | None, verdict: Verdict, reason: str, *, trial: Trial | None = None
) -> FunctionResult:
    measurements = {} if trial is None else dict(trial.measurements)
    if verdict is Verdict.NO_CHANGE and Metric.TIME in measurements:
        measurements = {
            metric: found.model_copy(update={"note": "of the last rejected candidate"})
            for metric, found in measurements.items()
        }
    bare = unwalked(subject.head.function, verdict, reason)
    return bare.model_copy(
        update={
            "categories": subject.categories,
            "agreement": dict(subject.agreement),
            "stage": stage,
            "attempts": tuple(subject.attempts),
            "measurements": measurements,
            "peak_memory": None if trial is None else trial.peak_memory,
            "tests": subject.exercise.tests,
        }
    )


def unwalked(function: Function, verdict: Verdict, reason: str) -> FunctionResult:
    """The record of a function about which nothing is known but the verdict."""
    return FunctionResult(
        path=function.path,
        name=function.name,
        language=function.language,
        start_line=function.start_line,
        end_line=function.end_line,
        signature=function.signature,
        change=function.change,
        verdict=verdict,
        reason=reason,
    )
