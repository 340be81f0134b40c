"""Evidence: counted outcomes of one model on one kind of task, one JSON record a line.

A file starts with a header line that names the schema and counts the records, so that a file cut anywhere is
noticed. A record's id is a hash of its content: merging is a union by id, which makes it commutative,
associative and idempotent.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from perforch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEMA = 1
MAX_BYTES = 256 * 1024 * 1024
MAX_LINE = 16 * 1024
_KIND = "perforch evidence"

Stage = Literal["generate", "fix", "refine", "categorise"]
Metric = Literal["correctness", "agreement", "acceptance", "time", "cpu", "mean-memory", "max-memory"]
Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class EvidenceError(UsageError):
    """An evidence file is truncated, of another schema version, edited by hand, or not evidence at all."""


class Evidence(BaseModel):
    """Outcomes of `attempts` calls that have everything else in common.

    `category` set: counted for that category only, because another record already counts the same attempts
    for the language (the paper's category tables). `tags` set: counted for the language and for each of these
    categories (records of single problems).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[Name, Field(min_length=1)]
    version: Name = Field(default="", description="what the provider said it ran")
    stage: Stage
    metric: Metric
    language: Literal["python", "java", "cpp", "go", "rust"]
    category: Name = ""
    tags: tuple[Name, ...] = ()
    attempts: Annotated[int, Field(ge=0)]
    successes: Annotated[int, Field(ge=0)]
    weight: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="1 for verdicts of a machine, less for people's reactions"
    )
    log_gain_sum: float | None = Field(default=None, description="sum over successes of ln(before/after)")
    log_gain_squares: Annotated[float, Field(ge=0)] | None = None
    improvement_sum: float | None = Field(
        default=None,
        description="sum over successes of (before - after) / before, equations 3 and 4 of the paper",
    )
    improvement_median: float | None = Field(default=None, description="median of the same over successes")
    cost_usd: Annotated[float, Field(ge=0)] = 0.0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    position: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="place in its chain, 0 first"
    )
    failed_before: tuple[Name, ...] = Field(
        default=(), description="models that failed before it in the chain"
    )
    source: Literal["paper", "profile", "pull-request"]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    suite: Name = ""
    item: Name = Field(default="", description="problem id, or a hash that tells runs on functions apart")
    run: Name = Field(default="", description="what tells repetitions of the same item apart")
    harness: Name = ""
    machine: Name = ""
    reference: Annotated[str, Field(max_length=500)] = Field(
        default="", description="where it is written down"
    )

    @model_validator(mode="after")
    def _counts(self) -> Evidence:
        if self.successes > self.attempts:
            message = f"successes ({self.successes}) exceed attempts ({self.attempts})"
            raise ValueError(message)
        if self.category and self.tags:
            message = "category and tags exclude each other"
            raise ValueError(message)
        return self

    @property
    def id(self) -> str:
        """Hash of the content, 20 hexadecimal digits."""
        return hashlib.sha256(_dump(self._content()).encode()).hexdigest()[:20]

    def line(self) -> str:
        """One line of an evidence file, keys sorted, defaults left out, no newline."""
        return _dump({"id": self.id, **self._content()})

    def _content(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True)


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)


def union(*groups: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """All records, each once, sorted by content."""
    return tuple(sorted({record.id: record for group in groups for record in group}.values(), key=sort_key))


def sort_key(record: Evidence) -> tuple[Any, ...]:
    """Neighbours in a file are neighbours in meaning, so that a diff shows what changed."""
    return (
        record.model,
        record.stage,
        record.metric,
        record.language,
        record.category,
        record.suite,
        len(record.item),
        record.item,
        record.date,
        record.id,
    )


def dumps(records: Iterable[Evidence]) -> str:
    """The text of an evidence file."""
    body = [record.line() for record in union(records)]
    header = _dump({"kind": _KIND, "records": len(body), "schema": SCHEMA})
    return "\n".join([header, *body]) + "\n"


def loads(data: bytes, *, source: str) -> tuple[Evidence, ...]:
    """Parse an evidence file as a whole.

    Raises:
        EvidenceError: truncated, another schema version, a record that does not fit or whose id is not its
            content's. The message names the source and the line. Nothing of such a file is used.
    """
    if len(data) > MAX_BYTES:
        message = f"{source} has {len(data)} bytes; the limit is {MAX_BYTES}"
        raise EvidenceError(message)
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        message = f"{source} is not UTF-8 text"
        raise EvidenceError(message, hint=_CUT) from error
    expected = _header(lines[0], source)
    complete = lines[-1] == ""
    body = lines[1:-1] if complete else lines[1:]
    if not complete or len(body) < expected:
        whole = max(0, len(lines) - 2)
        message = f"{source} is truncated: its header announces {expected} records, {whole} whole ones follow"
        raise EvidenceError(message, hint=_CUT)
    if len(body) > expected:
        message = f"{source} has {len(body)} records, but its header announces {expected}"
        raise EvidenceError(message, hint="Write evidence with `perforch rankings merge`, not by hand.")
    return tuple(_record(line, f"{source}:{number}") for number, line in enumerate(body, start=2))


_CUT = "Fetch the file again; intact files are merged without it."


def _header(line: str, source: str) -> int:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("kind") != _KIND:
        message = f"{source} is not an evidence file: its first line is not a perforch evidence header"
        raise EvidenceError(message, hint=_CUT)
    if header.get("schema") != SCHEMA:
        message = (
            f"{source} has schema {header.get('schema')!r}; this version of perforch reads schema {SCHEMA}"
        )
        raise EvidenceError(message, hint="Merge it with the version of perforch that wrote it.")
    count = header.get("records")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        message = f"{source}: the header does not say how many records follow"
        raise EvidenceError(message)
    return count


def _record(line: str, place: str) -> Evidence:
    if len(line) > MAX_LINE:
        message = f"{place}: the record has {len(line)} characters; the limit is {MAX_LINE}"
        raise EvidenceError(message)
    try:
        document = json.loads(line)
        claimed = document.pop("id")
        record = Evidence.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        message = f"{place}: {where}: {text}" if where else f"{place}: {text}"
        raise EvidenceError(message) from error
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        message = f"{place} is not an evidence record"
        raise EvidenceError(message, hint=_CUT) from error
    if claimed != record.id:
        message = f"{place}: the id {claimed!r} is not the hash of the record ({record.id})"
        raise EvidenceError(
            message, hint="A record was changed after it was written; evidence is added, never edited."
        )
    return record


def read(path: Path) -> tuple[Evidence, ...]:
    """Read one evidence file; see `loads`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise EvidenceError(message) from error
    return loads(data, source=str(path))
