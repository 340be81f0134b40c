"""One LLM call and what became of it: ask, parse, check, splice, build, test. What fails is rolled back."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from perforch.llm import policy, reply, secrets
from perforch.llm.model import Reply, ReplyKind
from perforch.result import Attempt, Outcome, Stage
from perforch.stages.context import Version
from perforch.stages.correctness import Baseline, judge
from perforch.stages.selection import printable
from perforch.workloads.model import TestReport

if TYPE_CHECKING:
    from perforch.changes.function import Function
    from perforch.llm.model import Prompt
    from perforch.settings import ModelSettings
    from perforch.stages.context import Context, Subject
    from perforch.workloads.model import Tree

LONG_SUITE_SECONDS = 10.0  # beyond this the function's own tests are run first
MAX_DETAIL = 2000
REPLY = TypeAdapter(Reply)


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt. `version` is set when the reply was a safe candidate that could be spliced in and built into a tree.

    It is correct when `attempt.outcome` is ACCEPTED; a later measurement may still turn that into NOT_FASTER.
    """

    attempt: Attempt
    model: ModelSettings
    code: str = ""
    version: Version | None = None
    digest: str = ""
    changed_lines: int = 0
    explanation: str = ""

    @property
    def correct(self) -> bool:
        """Passed every check so far."""
        return self.attempt.outcome is Outcome.ACCEPTED

    def rejected(self, outcome: Outcome, detail: str) -> Tried:
        """The same attempt with a later verdict; what a program or a server said is cut and made printable."""
        detail = printable(detail[:MAX_DETAIL])
        return replace(self, attempt=self.attempt.model_copy(update={"outcome": outcome, "detail": detail}))


_OUTCOME = {
    ReplyKind.REFUSED: Outcome.INVALID_REPLY,
    ReplyKind.EMPTY: Outcome.INVALID_REPLY,
    ReplyKind.ERROR: Outcome.PROVIDER_ERROR,
    ReplyKind.OVER_BUDGET: Outcome.OVER_BUDGET,
}


async def attempt(
    context: Context,
    subject: Subject,
    stage: Stage,
    model: ModelSettings,
    prompt: Prompt,
    origin: Version,
    standard: Baseline,
) -> Tried:
    """Ask `model` and take its reply as far as the tests.

    Args:
        origin: the version that the candidate replaces.
        standard: what must stay true for the candidate to count as correct.
    """
    kind = secrets.find_secret(prompt.user)
    if kind:
        # The value is never shown, and the prompt never leaves this process.
        detail = f"not sent: the code may hold a secret ({kind})"
        return Tried(Attempt(stage=stage, model=model.name, outcome=Outcome.UNSAFE, detail=detail), model)
    answer = await _reply(context, subject, stage, model, prompt)
    first = Attempt(
        stage=stage,
        model=model.name,
        outcome=Outcome.ACCEPTED,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost_usd=answer.cost_usd,
        seconds=answer.seconds,
        cached=answer.cached,
    )
    tried = Tried(first, model, explanation=explanation(answer.text))
    if answer.kind in _OUTCOME:
        return tried.rejected(_OUTCOME[answer.kind], answer.detail or answer.kind.value)
    function = origin.function
    parsed = reply.parse(
        answer.text, function, function.language, head_source=origin.file, stage=stage, helpers_allowed=False
    )
    if isinstance(parsed, reply.Refusal):
        return tried.rejected(Outcome(parsed.outcome), parsed.detail)
    tried = replace(tried, code=parsed.text, digest=parsed.digest, changed_lines=parsed.changed_lines)
    twin = subject.seen.get(parsed.digest)
    if twin is not None:
        return tried.rejected(twin.outcome, f"the same code as the candidate of {twin.model}")
    reason = policy.check(function.language, function.source, parsed.text, stage)
    if reason:
        return tried.rejected(Outcome.UNSAFE, reason)
    return await _test(context, subject, tried, parsed, origin, standard)


async def _reply(
    context: Context, subject: Subject, stage: Stage, model: ModelSettings, prompt: Prompt
) -> Reply:
    digest = hashlib.sha256(f"{prompt.system}\0{prompt.user}".encode()).hexdigest()
    key = f"reply/{subject.key}/{stage}/{model.name}/{digest}"
    known = context.journal.recall(key)
    if known is not None:
        return REPLY.validate_python(known)
    context.say(subject.key, f"{stage}: asking {model.name}")
    answer = await context.complete(model, prompt)
    if answer.kind is not ReplyKind.OVER_BUDGET:
        context.journal.record(key, REPLY.dump_python(answer, mode="json"))
    return answer


async def _test(
    context: Context,
    subject: Subject,
    tried: Tried,
    candidate: reply.Candidate,
    origin: Version,
    standard: Baseline,
) -> Tried:
    function = origin.function
    file = reply.splice(origin.file, function, candidate)
    name = hashlib.sha256(f"{subject.key}\0{candidate.digest}\0{function.source}".encode()).hexdigest()[:16]
    context.say(subject.key, f"{tried.attempt.stage}: testing the candidate of {tried.model.name}")
    tree = await context.work(context.workspace.variant, context.head, name, {function.path: file})
    known = context.journal.recall(f"tested/{name}")
    if known is None:
        report = await _run_tests(context, subject, tree, standard)
        context.journal.record(f"tested/{name}", report.to_json())
    else:
        report = TestReport.from_json(known)
    version = Version(
        tree=tree,
        function=moved(function, candidate.text),
        file=file,
        baseline=Baseline(report, standard.flaky),
    )
    tried = replace(tried, version=version)
    judgement = judge(report, standard, subject.exercise.tests)
    return tried if judgement.outcome is None else tried.rejected(judgement.outcome, judgement.detail)


async def _run_tests(context: Context, subject: Subject, tree: Tree, standard: Baseline) -> TestReport:
    runner = subject.exercise.runner
    assert runner is not None
    tests = subject.exercise.tests
    if tests and standard.report.seconds > LONG_SUITE_SECONDS:
        report = await context.work(runner.test, tree, tests)
        if judge(report, standard.only(tests), tests).outcome is not None:
            return report
    return await context.work(runner.test, tree, None)


def moved(function: Function, text: str) -> Function:
    """The function with another text in its place: the span starts where it did and ends where the text ends."""
    return replace(
        function,
        source=text,
        end_byte=function.start_byte + len(text.encode()),
        end_line=function.start_line + text.count("\n") - text.endswith("\n"),
    )


_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(^ {0,3}\1[`~]*\s*$|\Z)", re.MULTILINE | re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def explanation(text: str) -> str:
    """The first two sentences outside code blocks, at most 600 characters; untrusted prose, escaped where it is shown."""
    prose = " ".join(_FENCE.sub(" ", text[:50_000]).split())
    return " ".join(_SENTENCE.split(prose)[:2])[:600]
