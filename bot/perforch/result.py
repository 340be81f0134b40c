"""The run record, `result.json` (schema 1): what every surface reads, and nothing else.

Fields are added, never repurposed. `ratio` is before divided by after of the medians; above 1 is better for every
metric. Artifacts are untrusted: `load` refuses duplicate keys, unknown fields, NaN and infinities, and oversized files.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perforch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
_IMPOSSIBLE = 0.001
MAX_BYTES = 8 * 1024 * 1024

Text = Annotated[str, Field(max_length=20_000)]
Amount = Annotated[float, Field(ge=0, le=1e18)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Line = Annotated[int, Field(ge=0, le=10**9)]
Sha = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64}|)$")]


class Language(StrEnum):
    """The five languages."""

    PYTHON = "python"
    JAVA = "java"
    CPP = "cpp"
    GO = "go"
    RUST = "rust"


class Stage(StrEnum):
    """The three stages of the paper (section 3.4)."""

    GENERATE = "generate"
    FIX = "fix"
    REFINE = "refine"


class Metric(StrEnum):
    """What is optimised: task-clock (ms), CPUs utilised, VmData+VmStk mean and max (KiB)."""

    TIME = "time"
    CPU = "cpu"
    MEAN_MEMORY = "mean-memory"
    MAX_MEMORY = "max-memory"


class Outcome(StrEnum):
    """What became of one attempt."""

    ACCEPTED = "accepted"
    TESTS_FAILED = "tests_failed"
    DOES_NOT_COMPILE = "does_not_compile"
    NOT_FASTER = "not_faster"
    UNSAFE = "unsafe"
    INVALID_REPLY = "invalid_reply"
    PROVIDER_ERROR = "provider_error"
    OVER_BUDGET = "over_budget"


class Verdict(StrEnum):
    """The decision on a function."""

    IMPROVED = "improved"
    FIXED = "fixed"
    GENERATED = "generated"
    NO_CHANGE = "no_change"
    NOT_MEASURABLE = "not_measurable"
    FAILED = "failed"
    SKIPPED = "skipped"


class Record(BaseModel):
    """Base of every record: unknown fields are errors, values are finite, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_enum_values=False)


class Measurement(Record):
    """One metric of one function, before against after."""

    unit: Annotated[str, Field(pattern="^[A-Za-zµμ%]{0,16}$")]
    before: Amount
    after: Amount
    ratio: Amount
    ci_low: Amount | None = None
    ci_high: Amount | None = None
    pairs: Count = 0
    noise: Amount | None = Field(
        default=None, description="A/A ratio spread of the same workload in the same job"
    )
    confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="level of ci_low and ci_high, such as 0.99"
    )
    verdict: Literal["faster", "slower", "no_change", "inconclusive"] | None = None
    note: Text = ""


class Attempt(Record):
    """One LLM call and what became of it."""

    stage: Stage
    model: Annotated[str, Field(max_length=200)]
    outcome: Outcome
    detail: Text = ""
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost_usd: Amount = 0.0
    seconds: Amount = 0.0
    cached: bool = False


class Suggestion(Record):
    """Lines `start_line..end_line` (1-based, inclusive, of the head revision) replaced by `body` (no final newline)."""

    path: Annotated[str, Field(max_length=4096)]
    start_line: Line
    end_line: Line
    body: Annotated[str, Field(max_length=200_000)]


class FunctionResult(Record):
    """One changed function: what was tried, what was decided, and the evidence."""

    path: Annotated[str, Field(max_length=4096)]
    name: Annotated[str, Field(max_length=1000)]
    language: Language
    start_line: Line
    end_line: Line
    signature: Text = ""
    change: Literal["added", "modified"] = "modified"
    categories: tuple[str, ...] = ()
    agreement: dict[str, tuple[int, int]] = Field(
        default_factory=dict,
        description="by annotator model: labels on which it agreed with the consensus, and labels that anyone gave",
    )
    stage: Stage | None = None
    verdict: Verdict
    reason: Text = ""
    attempts: tuple[Attempt, ...] = ()
    measurements: dict[Metric, Measurement] = Field(default_factory=dict)
    against_base: dict[Metric, Measurement] = Field(
        default_factory=dict, description="base (before) against head (after), only this function reverted"
    )
    peak_memory: Measurement | None = Field(
        default=None, description="peak resident memory, KiB; gates memory claims"
    )
    tests: tuple[str, ...] = Field(default=(), description="ids of the tests that exercised the function")
    workload: Text = Field(default="", description="the command that was timed, for people to run again")
    explanation: Text = Field(
        default="", description="why it is faster, at most two sentences, untrusted prose"
    )
    patch: Annotated[str, Field(max_length=1_000_000)] | None = None
    suggestions: tuple[Suggestion, ...] = ()


class Regression(Record):
    """A function that head made slower than base, proven; same measurement shape."""

    path: Annotated[str, Field(max_length=4096)]
    name: Annotated[str, Field(max_length=1000)]
    language: Language
    start_line: Line
    end_line: Line
    measurements: dict[Metric, Measurement] = Field(default_factory=dict)
    reason: Text = ""


class Skipped(Record):
    """Something changed that perforch leaves alone, and why."""

    path: Annotated[str, Field(max_length=4096)]
    name: Annotated[str, Field(max_length=1000)]
    reason: Text


class Totals(Record):
    """What the whole run cost."""

    llm_calls: Count = 0
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost_usd: Amount = 0.0
    seconds: Amount = 0.0


class Canaries(Record):
    """Decisions in which a side was compared with itself; a claim there is a failure of the engine."""

    decisions: Annotated[int, Field(ge=0, le=100_000)] = 0
    false_claims: Annotated[int, Field(ge=0, le=100_000)] = 0
    level: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.02, description="chance of a claim, in either direction, that each of them was run at"
    )

    @property
    def possible(self) -> bool:
        """False when chance alone would give so many false claims in less than one run of a thousand (binomial)."""
        if self.false_claims == 0 or self.level == 1:
            return True
        if self.level == 0 or self.false_claims > self.decisions:
            return False
        claim, none = math.log(self.level), math.log1p(-self.level)
        whole = math.lgamma(self.decisions + 1)
        fewer = math.fsum(
            math.exp(
                whole
                - math.lgamma(k + 1)
                - math.lgamma(self.decisions - k + 1)
                + k * claim
                + (self.decisions - k) * none
            )
            for k in range(self.false_claims)
        )
        return 1 - fewer >= _IMPOSSIBLE

    @property
    def alarm(self) -> str:
        """One sentence for people when `possible` is False, else ""."""
        if self.possible:
            return ""
        return (
            f"{self.false_claims} of {self.decisions} comparisons of a program with itself claimed a difference, which chance does not "
            "explain: this machine's numbers are not to be believed, and nothing of this run is posted"
        )


class Environment(Record):
    """Where the numbers were made."""

    cpu: Text = ""
    cpus: tuple[int, ...] = Field(default=(), description="the CPUs that benchmarks ran on")
    pinned: bool = False
    sandbox: Text = ""
    perf: Text = ""
    kernel: Text = ""
    toolchains: dict[str, str] = Field(default_factory=dict)


class Result(Record):
    """A whole run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    perforch: Annotated[str, Field(max_length=100)]
    repo: Text = ""
    base_sha: Sha = ""
    head_sha: Sha = ""
    metric: Metric = Metric.TIME
    functions: tuple[FunctionResult, ...] = ()
    regressions: tuple[Regression, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    totals: Totals = Totals()
    canaries: Canaries = Canaries()
    environment: Environment = Environment()
    notes: tuple[Text, ...] = Field(
        default=(), description="one-line remarks for people, such as how to add a key"
    )

    def dump(self) -> str:
        """Serialise as indented JSON with the contract's key names, newline at the end."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        message = "duplicate key in a JSON object"
        raise ValueError(message)
    return seen


def loads(data: bytes, *, source: str = "result.json") -> Result:
    """Parse untrusted bytes.

    Raises:
        UsageError: too large, not JSON, duplicate keys, unknown or missing fields, values out of range.
    """
    if len(data) > MAX_BYTES:
        message = f"{source} has {len(data)} bytes; the limit is {MAX_BYTES}"
        raise UsageError(message)
    try:
        document = json.loads(data, object_pairs_hook=_no_duplicates)
        # Enums, tuples and dates have no JSON type of their own, so strictness is asked for in JSON mode.
        return Result.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        message = f"{source}: {place}: {first['msg']}"
        raise UsageError(message, hint="Was it written by another version of perforch?") from error
    except (ValueError, RecursionError) as error:
        message = f"{source} is not valid JSON: {error}"
        raise UsageError(message) from error


def load(path: Path) -> Result:
    """Read and parse `result.json`; see `loads`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UsageError(message) from error
    return loads(data, source=str(path))
