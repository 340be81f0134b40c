"""What a run teaches: its attempts become evidence, and so does what people do with its suggestions.

Repositories, paths and function names never appear in evidence; a hash tells functions apart.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Literal

from perforch.rankings.evidence import Evidence
from perforch.result import Metric, Outcome, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perforch.result import Attempt, FunctionResult, Result

# Says nothing about the model: it was not asked, or nothing came back.
_NOT_COUNTED = {Outcome.PROVIDER_ERROR, Outcome.OVER_BUDGET}
REACTION_WEIGHTS = {"merged": 1.0, "dismissed": 0.35}
Reaction = Literal["merged", "dismissed", "ignored"]


def from_result(result: Result, *, date: str) -> tuple[Evidence, ...]:
    """Machine verdicts of a run, weight 1: one record an attempt, and one for each annotator of a function.

    Args:
        date: day of the run, YYYY-MM-DD.
    """
    return tuple(record for function in result.functions for record in _function(result, function, date))


def _function(result: Result, function: FunctionResult, date: str) -> Iterator[Evidence]:
    item = item_of(result, function)
    for model, (agreed, labels) in function.agreement.items():
        if labels:
            yield Evidence(
                model=model,
                stage="categorise",
                metric="agreement",
                language=function.language.value,
                attempts=labels,
                successes=min(max(agreed, 0), labels),
                source="pull-request",
                date=date,
                item=item,
                harness=f"perforch {result.perforch}",
            )
    failed: dict[Stage, list[str]] = {}
    last_accepted = _last_accepted(function.attempts)
    for position, attempt in enumerate(function.attempts):
        if attempt.outcome in _NOT_COUNTED:
            continue
        before = failed.setdefault(attempt.stage, [])
        accepted = attempt.outcome is Outcome.ACCEPTED
        refine = attempt.stage is Stage.REFINE
        gain = _gain(function, result.metric) if refine and position == last_accepted else None
        yield Evidence(
            model=attempt.model,
            stage=attempt.stage.value,
            metric=result.metric.value if refine else "correctness",
            language=function.language.value,
            tags=function.categories,
            attempts=1,
            successes=int(accepted),
            log_gain_sum=gain,
            log_gain_squares=None if gain is None else gain * gain,
            cost_usd=attempt.cost_usd,
            seconds=attempt.seconds,
            position=len(before),
            failed_before=tuple(before),
            source="pull-request",
            date=date,
            item=item,
            run=str(position),
            harness=f"perforch {result.perforch}",
            machine=result.environment.cpu[:200],
        )
        if not accepted:
            before.append(attempt.model)


def item_of(result: Result, function: FunctionResult) -> str:
    """A hash that is the same for the same function of the same revision, and says nothing else about it."""
    identity = "\0".join([result.repo, result.head_sha, function.path, function.name, function.signature])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _last_accepted(attempts: Sequence[Attempt]) -> int | None:
    accepted = [
        position
        for position, attempt in enumerate(attempts)
        if attempt.outcome is Outcome.ACCEPTED and attempt.stage is Stage.REFINE
    ]
    return accepted[-1] if accepted else None


def _gain(function: FunctionResult, metric: Metric) -> float | None:
    measured = function.measurements.get(metric)
    return math.log(measured.ratio) if measured is not None and measured.ratio > 0 else None


def from_reaction(
    model: str, reaction: Reaction, *, stage: Stage, function: FunctionResult, item: str, date: str
) -> tuple[Evidence, ...]:
    """What people did with a suggestion: evidence on acceptance, kept apart from technical success.

    Merged unchanged is a success of weight 1, dismissed a failure of weight 0.35, no reaction is no evidence.
    """
    if reaction == "ignored":
        return ()
    return (
        Evidence(
            model=model,
            stage=stage.value,
            metric="acceptance",
            language=function.language.value,
            tags=function.categories,
            attempts=1,
            successes=int(reaction == "merged"),
            weight=REACTION_WEIGHTS[reaction],
            source="pull-request",
            date=date,
            item=item,
            run=reaction,
        ),
    )
