"""The texts of a review: one comment a suggestion, or one at the nearest line where no suggestion fits."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from perforch.report import blocks, escape, markdown, numbers, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.result import FunctionResult, Result, Suggestion

_FINDING = re.compile(r"^<!-- perforch:finding id=([0-9a-f]{16}/\d{1,3}) -->$", re.MULTILINE)
_CO_AUTHOR = (
    "<sub>Applying a suggestion on GitHub names the bot as co-author of the commit; "
    "the patch in the artifact of the run does not.</sub>"
)
_DIFF_LIMIT = 20_000
REVIEW = "<!-- perforch:review "  # how every review of ours begins


def fingerprint(function: FunctionResult, part: int = 0) -> str:
    """What makes a finding the same after a push: path, name, text removed and added; `<hash>/<part>`.

    White space is left out, line numbers too, so that edits elsewhere in the file do not make it a new one.
    """
    changed = [line for line in (function.patch or "").split("\n") if line[:1] in ("+", "-")]
    text = "\0".join([function.path, function.name, re.sub(r"\s+", "", "\n".join(changed))])
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]}/{part}"


def finding(body: str) -> str:
    """The fingerprint that a comment of ours carries; "" if none."""
    found = _FINDING.search(body)
    return found[1] if found else ""


def suggestion(function: FunctionResult, item: Suggestion, result: Result, *, part: int, parts: int) -> str:
    """The comment that carries one suggestion: numbers first, then the reason, then the measured text."""
    lines = [f"<!-- perforch:finding id={fingerprint(function, part)} -->", _claim(function, result)]
    if function.explanation and part == 0:
        lines.append(f"Why, in the model's words: {escape.prose(function.explanation)}")
    if parts > 1:
        lines.append(f"Part {part + 1} of {parts}: they only work together, so add all of them to one batch.")
    lines += [escape.fence(item.body, "suggestion"), _CO_AUTHOR]
    return "\n\n".join(lines)


def nearby(function: FunctionResult, result: Result, *, patch_name: str) -> str:
    """The comment for a change that reaches outside the diff: folded patch, and the line that applies it."""
    lines = [f"<!-- perforch:finding id={fingerprint(function)} -->", _claim(function, result)]
    if function.explanation:
        lines.append(f"Why, in the model's words: {escape.prose(function.explanation)}")
    patch = function.patch or ""
    lines.append(
        f"{_why_not(function, patch)}, so it comes as a patch: {escape.code(f'git apply {patch_name}')}"
    )
    if len(patch) <= _DIFF_LIMIT:
        diff = escape.fence(escape.block(patch).rstrip("\n"), "diff")
        lines.append(blocks.section("the patch", diff))
    else:
        lines.append("The patch is too long to show here; it is in the artifact of the run.")
    return "\n\n".join(lines)


def _why_not(function: FunctionResult, patch: str) -> str:
    """Why the change is no suggestion, as far as the patch tells."""
    if "\r\n" in patch:
        return "The lines of this file end with CR and LF, which a suggestion need not keep"
    if "\n\\ No newline" in patch:
        return "It reaches the end of a file without a last newline, which a suggestion would add"
    return f"It reaches beyond what this diff shows (lines {function.start_line} to {function.end_line} of the file)"


def marker(head: str) -> str:
    """The first line of the one review that belongs to a head revision."""
    return f"{REVIEW}v=1 head={head} -->"


def review(result: Result, *, left: Sequence[str], bodies: Sequence[str] = (), data_run: str = "") -> str:
    """The body of the review.

    Args:
        result: the run.
        left: fingerprints of comments that are still to be posted one by one.
        bodies: comments that GitHub would not place, shown here instead.
        data_run: id of the workflow run.
    """
    lines = [
        marker(result.head_sha),
        markdown.data_line(head=result.head_sha, run=data_run, extra={"left": list(left)}),
        f"{words.headline(result)}. The numbers are in the summary comment.",
    ]
    text = "\n".join(lines)
    for body in bodies:
        # A suggestion block means nothing in the body of a review; it is shown as plain text there.
        shown = body.replace("suggestion\n", "text\n", 1) if "```suggestion" in body else body
        if len(text.encode()) + len(shown.encode()) + 2 <= markdown.BUDGET:
            text += f"\n\n{shown}"
    return text


def _claim(function: FunctionResult, result: Result) -> str:
    found = words.main_measurement(function.measurements, result.metric)
    head = f"{escape.code(function.name, 80)} {words.VERDICTS[function.verdict][1]}"
    if not found:
        return f"**{head}**: {blocks.evidence(function, result)}"
    metric, measurement = found
    before, after = numbers.pair(measurement.before, measurement.after, measurement.unit)
    memory = words.memory(function)
    facts = [f"{before} → {after}", f"noise {numbers.noise(measurement)}"]
    facts += [f"memory {memory}"] if memory != "–" else []
    facts += [numbers.passing(len(function.tests))] if function.tests else []
    return f"**{escape.code(function.name, 80)}: {words.claim(measurement, metric)}**: {', '.join(facts)}"
