"""The generate and fix stages (paper, section 3.4, steps 1 and 2): code whose tests pass, from a stub or from a failing body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.result import Outcome, Stage
from perforch.stages import prompting
from perforch.stages.attempts import Tried, attempt

if TYPE_CHECKING:
    from perforch.settings import ModelSettings
    from perforch.stages.context import Context, Subject, Version


async def generate(context: Context, subject: Subject) -> Tried | None:
    """Write the body of a stub.

    The best generator is asked; where its code fails the tests, the fixers repair that code, the generator itself last, since
    a model seldom repairs its own failure. The next generators are asked only when that chain ends empty.
    """
    models = context.order(
        stage=Stage.GENERATE, function=subject.head.function, categories=subject.categories
    )
    fixed_once = False
    for model in models:
        prompt = prompting.generate(context, subject)
        tried = await attempt(
            context, subject, Stage.GENERATE, model, prompt, subject.head, subject.head.baseline
        )
        subject.remember(tried.attempt, tried.digest)
        if tried.correct:
            return tried
        if tried.attempt.outcome is Outcome.OVER_BUDGET:
            return None
        if tried.version is not None and not fixed_once:
            fixed_once = True
            repaired = await fix(context, subject, tried.version, generator=model.name)
            if repaired is not None:
                return repaired
    return None


async def fix(
    context: Context, subject: Subject, broken: Version, *, generator: str | None = None
) -> Tried | None:
    """Repair `broken`: the first candidate whose tests pass wins, everything else is rolled back."""
    rejected: list[Tried] = []
    models: tuple[ModelSettings, ...] = context.order(
        stage=Stage.FIX, function=broken.function, categories=subject.categories, generator=generator
    )
    for model in models:
        prompt = prompting.fix(context, subject, broken, rejected)
        tried = await attempt(context, subject, Stage.FIX, model, prompt, broken, subject.head.baseline)
        subject.remember(tried.attempt, tried.digest)
        if tried.correct:
            return tried
        if tried.attempt.outcome is Outcome.OVER_BUDGET:
            return None
        rejected.append(tried)
    return None
