"""From a subject on its walk to a prompt. Nothing that differs between two runs of the same question goes in, so that a
resumed or repeated run asks the same and pays once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.prompts import render
from perforch.prompts.render import Rejected
from perforch.result import Outcome
from perforch.stages.surroundings import outline, tests_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.llm.model import Prompt
    from perforch.stages.attempts import Tried
    from perforch.stages.context import Context, Subject, Version

# Measured numbers differ from run to run; what they mean does not.
_WORDS = {
    Outcome.NOT_FASTER: "correct, but measured not better than the original",
}


def generate(context: Context, subject: Subject) -> Prompt:
    """Ask for the body of a stub."""
    function = subject.head.function
    return render.generate(
        function, tests=_tests(context, subject), context=outline(function, subject.head.file)
    )


def fix(context: Context, subject: Subject, broken: Version, rejected: Sequence[Tried]) -> Prompt:
    """Ask for a repair; the failing tests of the function come first, then other failures."""
    wanted = set(subject.exercise.tests)
    failures = sorted(broken.report.failures, key=lambda failure: (failure.test not in wanted, failure.test))
    return render.fix(
        broken.function,
        failures=failures,
        tests=_tests(context, subject),
        context=outline(broken.function, broken.file),
        rejected=_rejected(rejected),
    )


def refine(
    context: Context, subject: Subject, current: Version, rejected: Sequence[Tried], profile: str
) -> Prompt:
    """Ask for a better version, with the profile and the contrast to what was rejected."""
    return render.refine(
        current.function,
        metric=context.metric,
        profile=profile,
        tests=_tests(context, subject),
        context=outline(current.function, current.file),
        rejected=_rejected(rejected),
    )


def _tests(context: Context, subject: Subject) -> str:
    return tests_text(context.head.source, subject.exercise.tests, subject.head.function)


def _rejected(tried: Sequence[Tried]) -> list[Rejected]:
    return [
        Rejected(one.code, one.attempt.outcome, _WORDS.get(one.attempt.outcome, one.attempt.detail))
        for one in tried
        if one.code
    ]
