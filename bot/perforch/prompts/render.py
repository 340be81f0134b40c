"""Turns a function and what is known about it into a prompt. Pure: the same arguments make the same prompt.

The templates follow section 8.3 of the paper; feedback (failing tests, profile, rejected candidates) is added
to them. Titles, descriptions and comments of a pull request are no parameters here: a prompt holds code,
tests and their output only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from perforch.llm.model import Prompt
from perforch.result import Language, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.changes.function import Function
    from perforch.workloads.model import Failure

MAX_BYTES = 48 * 1024
MAX_FAILURES = 5
MAX_REJECTED = 3
MAX_TRACE = 2000  # characters, as for one failure's message
MAX_PROFILE = 2048
# The paper's ten most frequent tags (table 1).
TAGS = (
    "Array",
    "Math",
    "String",
    "Counting",
    "Number Theory",
    "Simulation",
    "Sorting",
    "Enumeration",
    "Greedy",
    "Hash Table",
)
# What gives way, first to last, when a prompt is too large. The function itself never does.
_GIVES_WAY = ("tests", "context", "before", "profile", "task")

_HERE = Path(__file__).resolve().parent
_NAMES = {
    Language.PYTHON: "Python",
    Language.JAVA: "Java",
    Language.CPP: "C++",
    Language.GO: "Go",
    Language.RUST: "Rust",
}
_GOALS = {
    Metric.TIME: "less CPU time (perf task-clock) on realistic, large inputs, and no more on small ones.",
    Metric.CPU: "fewer CPUs kept busy (perf CPUs utilised) without taking more time.",
    Metric.MEAN_MEMORY: "less memory on average over the run (heap and stack) without taking more time.",
    Metric.MAX_MEMORY: "a lower peak of memory (heap and stack) without taking more time.",
}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that was tried and rejected: its text, the outcome, and what went wrong in one line."""

    code: str
    outcome: str
    detail: str = ""

    @property
    def reason(self) -> str:
        """One line for the prompt."""
        words = str(self.outcome).replace("_", " ")
        return one_line(f"{words}: {self.detail}" if self.detail else words)


def generate(
    function: Function, *, tests: str = "", context: str = "", rejected: Sequence[Rejected] = ()
) -> Prompt:
    """Ask for the body of a function that is only declared and described.

    Args:
        tests: text of the tests that name the function.
        context: surrounding text of its file.
        rejected: candidates that were tried before, the newest last.
    """
    task = function.docstring or "As the signature says."
    values = {**_common(function, tests, context, rejected), "task": task}
    return _fit("generate.txt", function, values)


def fix(
    function: Function,
    *,
    failures: Sequence[Failure] = (),
    tests: str = "",
    context: str = "",
    rejected: Sequence[Rejected] = (),
) -> Prompt:
    """Ask for a repair of a function whose tests fail, or that does not compile.

    Args:
        function: with the broken text as its source.
        failures: failing tests with expected and actual values, or the compiler's words.
        tests, context, rejected: as in `generate`.
    """
    before = function.base_source or ""
    values = {
        **_common(function, tests, context, rejected),
        "before": "" if before.strip() == function.source.strip() else before,
        "failures": [
            {"title": one_line(failure.test), "text": _failure_text(failure)}
            for failure in failures[:MAX_FAILURES]
        ],
        "failures_left_out": max(len(failures) - MAX_FAILURES, 0),
    }
    return _fit("fix.txt", function, values)


def refine(
    function: Function,
    *,
    metric: Metric = Metric.TIME,
    profile: str = "",
    tests: str = "",
    context: str = "",
    rejected: Sequence[Rejected] = (),
) -> Prompt:
    """Ask for a version that does the same with less.

    Args:
        metric: what should become less.
        profile: hot lines and input sizes, at most 2 KB.
        tests, context, rejected: as in `generate`; a rejected candidate's `detail` should say how it
            compared.
    """
    values = {
        **_common(function, tests, context, rejected),
        "goal": _GOALS[Metric(metric)],
        "profile": trim(profile, MAX_PROFILE),
        "patterns": _text(f"patterns/{function.language}.txt"),
    }
    return _fit("refine.txt", function, values)


def classify(function: Function, *, tags: Sequence[str] = TAGS) -> Prompt:
    """Ask for the algorithmic categories of a function, as a JSON list out of `tags`."""
    values = {
        **_common(function, "", "", ()),
        "tags": tuple(tags),
        "task": function.docstring or "As the solution says.",
    }
    return _fit("classify.txt", function, values, system="system_classify.txt")


def _common(function: Function, tests: str, context: str, rejected: Sequence[Rejected]) -> dict[str, Any]:
    return {
        "key": one_line(function.key),
        "language": _NAMES[function.language],
        "tag": str(function.language),
        "signature": function.signature,
        "task": function.docstring,
        "code": function.source,
        "is_method": "." in function.name or "::" in function.name,
        "language_rules": _text(f"rules/{function.language}.txt"),
        "tests": tests,
        "context": context,
        "rejected": list(rejected[-MAX_REJECTED:]),
    }


def _fit(template: str, function: Function, values: dict[str, Any], *, system: str = "system.txt") -> Prompt:
    """Render; while the prompt is too large, shorten what matters least, visibly."""
    head = _render(system, {"language": _NAMES[function.language]})
    limit = MAX_BYTES - _size(head)
    user = _render(template, values)
    for name in _GIVES_WAY:
        if _size(user) <= limit:
            break
        text = values.get(name)
        if text:
            values = {**values, name: trim(text, max(_size(text) - (_size(user) - limit), 0))}
            user = _render(template, values)
    # Candidates that were rejected go last, the oldest first: without them a model would repeat itself.
    while _size(user) > limit and values["rejected"]:
        values = {**values, "rejected": values["rejected"][1:]}
        user = _render(template, values)
    return Prompt(system=head, user=user)


def trim(text: str, size: int) -> str:
    """Shorten a text to `size` bytes of UTF-8 at a line's end; a last line says how many are left out."""
    if _size(text) <= size:
        return text
    lines = text.splitlines(keepends=True)
    marker = "[... {} lines left out ...]"
    room = size - _size(marker) - 8
    kept = 0
    for line in lines:
        room -= _size(line)
        if room < 0:
            break
        kept += 1
    return "".join(lines[:kept]) + marker.format(len(lines) - kept)


def block(text: str, tag: str) -> str:
    """Put a text into a fence that is longer than any fence inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    return f"{fence}{tag}\n{text.rstrip(chr(10))}\n{fence}"


def one_line(text: str) -> str:
    """A text as one printable line of at most 500 characters, for what stands outside a fence."""
    return "".join(character if character.isprintable() else " " for character in text[:500]).strip()


def _failure_text(failure: Failure) -> str:
    parts = (failure.message[:MAX_TRACE], failure.trace[-MAX_TRACE:])
    return "\n\n".join(part for part in parts if part.strip()) or "no message"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> Environment:
    # No autoescape: the output is plain text for a model, and foreign text reaches it as values, never as
    # templates.
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["block"] = block
    return environment


def _render(template: str, values: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render(values).strip() + "\n"
