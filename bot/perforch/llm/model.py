"""What is asked of a model and what came back: the contract between the client and the stages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReplyKind(StrEnum):
    """How one call ended."""

    TEXT = "text"  # the model answered; `text` is what it said
    REFUSED = "refused"
    TRUNCATED = "truncated"  # the token limit cut it; `text` may still hold a complete block
    EMPTY = "empty"
    ERROR = "error"  # the provider failed after all retries; `detail` says how
    OVER_BUDGET = "over_budget"  # never sent


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request: a system text and one user text. Pure data; equal prompts are the same request."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        model: name from the settings; returned_model: what the provider says it ran (a different one is an ERROR).
        cached: it came from the reply store, so nothing was paid.
    """

    kind: ReplyKind
    model: str
    text: str = ""
    detail: str = ""
    returned_model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    cached: bool = False
