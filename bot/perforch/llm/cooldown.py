"""Models that must be left alone for a while, or for the rest of the run; shared by all calls of a client."""

from __future__ import annotations

import time

FOREVER = float("inf")


class Cooldowns:
    """When each model may be asked again, and why not before."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, str]] = {}

    def cool(self, model: str, seconds: float, reason: str) -> None:
        """Leave a model alone for `seconds` (`FOREVER`: the rest of the run); the longest wish counts."""
        until = time.monotonic() + seconds
        if until > self._until.get(model, (0.0, ""))[0]:
            self._until[model] = (until, reason)

    def remaining(self, model: str) -> tuple[float, str]:
        """Seconds until the model may be asked (0 or less: now), and the reason of the wait."""
        until, reason = self._until.get(model, (0.0, ""))
        return until - time.monotonic(), reason
