"""EffiBench-X (Apache-2.0): competition problems with generated tests on standard input and output.

Read as published: one JSON file a problem, or JSON Lines. There are two types. `functional` problems ask for a method; a runner of
the suite reads the input, calls it and prints. `io` problems ask for a whole program.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from perforch.categories.names import Category
from perforch.errors import UsageError
from perforch.languages import syntax
from perforch.profiling import preludes
from perforch.profiling.suite import Cases, Problem
from perforch.result import Language, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perforch.profiling.suite import Solutions

NAMES = {Language.PYTHON: "python3", Language.JAVA: "java", Language.CPP: "cpp", Language.GO: "golang"}
PREFIXES = {Language.PYTHON: "Python", Language.JAVA: "Java", Language.CPP: "CPP", Language.GO: "Go"}
SOURCE = "https://huggingface.co/datasets/EffiBench/effibench-x"
SECONDS = 10  # a case's limit in the published evaluation, whatever the problem's own limit is
_BODIES = {
    Language.PYTHON: "raise NotImplementedError",
    Language.JAVA: "throw new UnsupportedOperationException();",
    Language.CPP: 'throw "not implemented";',
    Language.GO: 'panic("not implemented")',
}
_NO_BUGGY = "the suite has no buggy solutions"
_SEVERAL = "it asks for a class of several methods, not for one function"
_NO_FUNCTION = "its solution is not one function by the expected name"


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class _Case(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    input: str
    output: str


class _Solution(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str | None = None


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, BeforeValidator(str)]
    title: str = ""
    title_slug: str | None = None
    description: str | None = None
    description_md: str | None = None
    tags: tuple[str, ...] | None = None
    source: str = "unknown"
    type: Literal["functional", "io"] = "functional"
    starter_code: dict[str, str | None] | None = None
    solutions: dict[str, _Solution | None]
    evaluator: str
    generated_tests: Annotated[tuple[_Case, ...], BeforeValidator(_parsed), Field(min_length=1)]
    test_runners: dict[str, str | None] | None = None

    @property
    def key(self) -> str:
        slug = self.title_slug or re.sub(r"[ _/]", "-", self.title.lower())
        return "_".join(part for part in (self.source, self.id, slug) if part)


class EffiBenchX:
    """The suite; it has no tests for Rust. A problem without a solution in a language is not part of that language."""

    name = "effibench-x"
    languages = tuple(NAMES)

    def load(self, data: Path | None, languages: Sequence[Language]) -> tuple[Problem, ...]:
        """Read problems; see `Suite.load`."""
        hint = f"Get the data set from {SOURCE} as JSON or JSON Lines and give its directory with --data."
        missing = [language for language in languages if language not in NAMES]
        if missing:
            message = f"EffiBench-X has no tests for {missing[0]}"
            raise UsageError(message, hint="Languages: " + ", ".join(NAMES))
        rows = sorted(_rows(data, hint), key=_order)
        return tuple(
            problem
            for language in languages
            for number, row in enumerate(rows)
            if (problem := _problem(row, number, language)) is not None
        )

    def known(self, solutions: Solutions) -> Mapping[str, str]:
        """See `Suite.known`.

        Raises:
            UsageError: the suite has no such solutions.
        """
        if solutions == "buggy":
            message = "EffiBench-X has no buggy solutions"
            raise UsageError(message, hint="Use --solutions canonical.")
        return {}


def _order(row: _Row) -> tuple[Any, ...]:
    parts = re.split(r"(\d+)", row.key)
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in parts)


def _rows(data: Path | None, hint: str) -> Iterator[_Row]:
    if data is None:
        message = "EffiBench-X is not fetched: its data set is not published as plain files"
        raise UsageError(message, hint=hint)
    files = [data] if data.is_file() else sorted([*data.glob("*.json"), *data.glob("*.jsonl")])
    if not files:
        message = f"{data} holds no EffiBench-X problems (*.json, *.jsonl)"
        raise UsageError(message, hint=hint)
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"{file} cannot be read: {error}"
            raise UsageError(message, hint=hint) from error
        lines = text.split("\n") if file.suffix == ".jsonl" else [text]
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _row(line, f"{file}:{number}" if len(lines) > 1 else str(file), hint)


def _row(text: str, place: str, hint: str) -> _Row:
    try:
        return _Row.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = f"{place}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise UsageError(message, hint=hint) from error


def _problem(row: _Row, number: int, language: Language) -> Problem | None:
    name = NAMES[language]
    solution = row.solutions.get(name)
    code = (solution.code if solution else None) or ""
    runner = (row.test_runners or {}).get(name) or ""
    if not code.strip() or (row.type == "functional" and not runner):
        return None
    stub = _starter(row, language) if row.type == "functional" else preludes.PROGRAMS[language]
    if row.type == "functional":
        code = preludes.HEADS[language] + code
    found = syntax.definitions(language, stub.encode()).definitions
    target = found[0] if len(found) == 1 else None
    left_out: dict[str, str] = {Stage.FIX: _NO_BUGGY}
    if target is None:
        left_out |= {Stage.GENERATE: _SEVERAL, Stage.REFINE: _SEVERAL}
    elif target.simple_name not in {
        one.simple_name for one in syntax.definitions(language, code.encode()).definitions
    }:
        left_out[Stage.REFINE] = f"{_NO_FUNCTION} ({target.simple_name})"
    return Problem(
        id=f"{PREFIXES[language]}/{row.key}",
        number=number,
        language=language,
        head="",
        declaration="",
        signature=target.signature if target else "",
        name=target.simple_name if target else "",
        description=row.description_md or row.description or row.title,
        canonical=code,
        buggy="",
        test="",
        categories=tuple(category for category in Category if category in (row.tags or ())),
        stub=stub,
        cases=Cases(
            pairs=tuple((case.input, case.output) for case in row.generated_tests),
            evaluator=row.evaluator,
            runner=runner,
            seconds=SECONDS,
        ),
        left_out=left_out,
    )


def _starter(row: _Row, language: Language) -> str:
    """The suite's starter code with a body that raises, below the names that its runner offers; no body where there are several."""
    text = (row.starter_code or {}).get(NAMES[language]) or ""
    body = _BODIES[language]
    if language is Language.PYTHON:
        lines = [line for line in text.rstrip().split("\n") if not line.lstrip().startswith("#")]
        heads = [place for place, line in enumerate(lines) if re.match(r"\s*def\b", line)]
        if len(heads) != 1:
            return text
        indent = re.match(r"\s*", lines[heads[0]])[0]  # type: ignore[index]  # matches anything
        return preludes.HEADS[language] + "\n".join(lines) + f"\n{indent}    {body}\n"
    bare = re.sub(r"/\*[\s\S]*?\*/|//[^\n]*", lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    bodies = list(re.finditer(r"\{\s*\}", bare))
    if len(bodies) != 1:
        return text
    start, end = bodies[0].span()
    return f"{preludes.HEADS[language]}{text[:start]}{{\n        {body}\n    }}{text[end:].rstrip()}\n"
