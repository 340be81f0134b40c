"""The sections of the summary comment; each is complete in itself."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from perforch.report import escape, numbers, words
from perforch.result import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.report.links import Links
    from perforch.result import FunctionResult, Result

_ATTEMPTS = 30
_DETAIL = 300
_PATCH = 12_000


def lead(result: Result) -> str:
    """One paragraph under the verdict: the strongest proposal in numbers, regressions, revisions."""
    parts = []
    proposals = words.proven(result)
    if proposals:
        first = proposals[0]
        found = words.main_measurement(first.measurements, result.metric)
        text = escape.code(first.name, 80)
        if found and first.verdict is Verdict.IMPROVED:
            # A single claim stands in the headline already.
            text += f" saves most: {words.claim(found[1], found[0])}," if len(proposals) > 1 else ":"
            text += f" noise {numbers.noise(found[1])}"
        else:
            text += f" {words.VERDICTS[first.verdict][1]}"
        if first.tests:
            text += f", {numbers.passing(len(first.tests))}"
        parts.append(text + ".")
    if not result.regressions and result.functions:
        parts.append("No regression found." if proposals else "Nothing is proposed.")
    revisions = words.measured(result)
    if revisions:
        parts.append(revisions + ".")
    parts += [escape.prose(note, 300) for note in result.notes[:5]]
    return " ".join(parts)


def details(result: Result, links: Links) -> Iterator[tuple[str, ...]]:
    """Sections in order of importance, each as variants from the fullest to the shortest."""
    for function in words.proven(result):
        yield _proposal(function, result, with_patch=True), _proposal(function, result, with_patch=False)
    rejected = _rejected(result)
    if rejected:
        yield (rejected,)
    unproven = _unproven(result)
    if unproven:
        yield (unproven,)
    yield (_environment(result),)


def section(summary: str, body: str) -> str:
    """A folded section; `summary` is HTML."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _proposal(function: FunctionResult, result: Result, *, with_patch: bool) -> str:
    lines = []
    if function.explanation:
        lines.append(f"Why, in the model's words: {escape.prose(function.explanation)}")
    if function.patch and with_patch and len(function.patch) <= _PATCH:
        if escape.deceptive(function.patch):
            lines.append(
                "⚠️ The patch holds bidirectional control characters; they are shown as `<U+…>` here."
            )
        lines.append(escape.fence(escape.block(function.patch).rstrip("\n"), "diff"))
    elif function.patch:
        lines.append("The patch is too long to show here; it is in the artifact of the run.")
    facts = [f"- Checked: {evidence(function, result)}"]
    made = [attempt for attempt in function.attempts if attempt.outcome is Outcome.ACCEPTED]
    if made:
        who = ", ".join(
            dict.fromkeys(f"{escape.code(attempt.model, 100)} ({attempt.stage.value})" for attempt in made)
        )
        facts.append(
            f"- Proposed by {who}; {numbers.count(len(function.attempts), 'attempt')}, {cost(function)}"
        )
    lines.append("\n".join(facts))
    lines.append("To repeat it:\n\n" + escape.fence(escape.block(reproduce(function, result)), "sh"))
    return section(
        f"{escape.html(function.name, 100)}: reason, patch, checks, how to repeat", "\n\n".join(lines)
    )


def evidence(function: FunctionResult, result: Result) -> str:
    """How the proposal was checked, as one Markdown sentence without a full stop."""
    parts = []
    if function.tests:
        verb = "exercises" if len(function.tests) == 1 else "exercise"
        parts.append(numbers.passing(len(function.tests)).replace(" pass", f" that {verb} it pass"))
    found = words.main_measurement(function.measurements, result.metric)
    if found and found[1].pairs:
        parts.append(
            f"{numbers.count(found[1].pairs, 'interleaved pair')} measured ({words.METRICS[found[0]]})"
        )
    if found and found[1].noise:
        parts.append(f"the unchanged program against itself: {numbers.noise(found[1])}")
    return "; ".join(parts) or "see the full report"


def cost(function: FunctionResult) -> str:
    """What the attempts of a function cost."""
    dollars = sum(attempt.cost_usd for attempt in function.attempts)
    tokens = sum(attempt.tokens_in + attempt.tokens_out for attempt in function.attempts)
    return f"{numbers.count(tokens, 'token')}, {numbers.money(dollars)}"


def reproduce(function: FunctionResult, result: Result) -> str:
    """The shell lines that repeat the measurement, quoted."""
    options = [("--base", result.base_sha), ("--head", result.head_sha)]
    options.append(("--function", escape.plain(f"{function.path}::{function.name}")))
    given = [shlex.join(option) for option in options if option[1]]
    command = " \\\n    ".join(["perforch optimize", *given])
    workload = escape.shorten(escape.plain(function.workload), 1000)
    return f"{command}\n# timed: {workload}" if workload else command


def _rejected(result: Result) -> str:
    tried = [
        (function, attempt)
        for function in result.functions
        for attempt in function.attempts
        if attempt.outcome is not Outcome.ACCEPTED
    ]
    if not tried:
        return ""
    rows = [
        "| "
        + " | ".join(
            [
                escape.code(function.name, 60),
                attempt.stage.value,
                escape.code(attempt.model, 60),
                words.OUTCOMES[attempt.outcome],
                escape.prose(attempt.detail, _DETAIL),
            ]
        )
        + " |"
        for function, attempt in tried[:_ATTEMPTS]
    ]
    table = "\n".join(["| Function | Stage | Model | Outcome | Detail |", "|---|---|---|---|---|", *rows])
    more = len(tried) - _ATTEMPTS
    if more > 0:
        table += f"\n\n*{numbers.count(more, 'more attempt')} in the full report.*"
    return section(f"Tried and rejected ({len(tried)})", table)


def _unproven(result: Result) -> str:
    left = [
        (f.name, words.VERDICTS[f.verdict][1], f.reason)
        for f in result.functions
        if f.verdict not in words.PROVEN and f.reason
    ]
    left += [(s.name or s.path, "skipped", s.reason) for s in result.skipped]
    if not left:
        return ""
    shown = [
        f"- {escape.code(name, 60)}: {what}. {escape.prose(reason, _DETAIL)}"
        for name, what, reason in left[:_ATTEMPTS]
    ]
    if len(left) > len(shown):
        shown.append(f"- {len(left) - len(shown)} more in the full report")
    return section(f"Left alone, and why ({len(left)})", "\n".join(shown))


def _environment(result: Result) -> str:
    environment = result.environment
    pinned = "pinned" if environment.pinned else "not pinned"
    cpus = f" (CPUs {', '.join(map(str, environment.cpus[:16]))})" if environment.cpus else ""
    tools = ", ".join(
        f"{escape.prose(name, 40)} {escape.prose(version, 80)}"
        for name, version in list(environment.toolchains.items())[:12]
    )
    facts = [
        (
            "CPU",
            escape.prose(environment.cpu, 120) + f", {pinned}{cpus}"
            if environment.cpu
            else f"{pinned}{cpus}",
        ),
        ("Kernel", escape.prose(environment.kernel, 120)),
        ("perf", escape.prose(environment.perf, 60)),
        ("Sandbox", escape.prose(environment.sandbox, 120)),
        ("Toolchains", tools),
        (
            "Self-checks",
            f"{result.canaries.decisions} comparisons of a program with itself, "
            f"{result.canaries.false_claims} false claims"
            if result.canaries.decisions
            else "",
        ),
        ("Cost", total(result)),
    ]
    lines = [f"- {name}: {value}" for name, value in facts if value]
    return section("Environment, cost, method", "\n".join([*lines, "", words.HOW]))


def total(result: Result) -> str:
    """What the run cost."""
    totals = result.totals
    tokens = numbers.count(totals.tokens_in + totals.tokens_out, "token")
    calls = numbers.count(totals.llm_calls, "model call")
    return f"{calls}, {tokens}, {numbers.money(totals.cost_usd)}, {numbers.duration(totals.seconds)}"


def footer(result: Result, links: Links) -> str:
    """One small line: where the raw data is, how to run again, how to mute."""
    parts = []
    if links.run:
        parts.append(f'<a href="{links.run}">run</a>')
    if links.artifact:
        parts.append(f'<a href="{links.artifact}">raw samples, report and patches</a>')
    parts.append("again: comment <code>/perforch optimize</code>")
    parts.append("mute: label <code>skip-perforch</code>")
    parts.append(f"perforch {escape.html(result.perforch, 40)}")
    return f"<sub>{' · '.join(parts)}</sub>"
