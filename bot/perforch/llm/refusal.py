"""Why a reply is no candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from perforch.result import Outcome


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the reply is no candidate."""

    outcome: Outcome
    detail: str


class RefusedError(Exception):
    """Carries a refusal out of the parser; never leaves the room."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def refuse(detail: str, outcome: Outcome = Outcome.INVALID_REPLY) -> NoReturn:
    """Stop parsing: this reply is no candidate."""
    raise RefusedError(Refusal(outcome, detail))
