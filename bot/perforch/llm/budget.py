"""The three caps of a run: calls, dollars, minutes. What a call may cost is set aside before it is sent.

The books are kept in the reply store, so a run that was killed and started again keeps what it has spent, and
two processes on one store cannot spend the same dollar.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perforch.llm.store import Store
    from perforch.settings import Budget as Limits

_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used; calls in flight count with what is set aside for them."""

    calls: int
    usd: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call does not fit.

    `final` is False when calls in flight may turn out cheaper than what is set aside for them.
    """

    reason: str
    final: bool


class Budget:
    """The caps of one run.

    Args:
        store: holds the books.
        limits: the caps; every HTTP request that may reach a provider is one call, repetitions included.
        run: names the run; the same name after a restart continues the same books.
    """

    def __init__(self, store: Store, limits: Limits, *, run: str) -> None:
        self.limits = limits
        self.run = run
        self._store = store
        self._started = time.monotonic()
        with store.transaction() as cursor:
            cursor.execute("INSERT OR IGNORE INTO runs (run, seconds) VALUES (?, 0)", (run,))
            self._before = float(
                cursor.execute("SELECT seconds FROM runs WHERE run = ?", (run,)).fetchone()[0]
            )

    @property
    def seconds_left(self) -> float:
        """Seconds of the run that remain; the time between a kill and a restart does not count."""
        return max(self.limits.minutes * 60 - self._before - (time.monotonic() - self._started), 0.0)

    def reserve(self, model: str, usd: float) -> int | Refusal:
        """Set a call of at most `usd` dollars aside.

        Returns:
            The number of the call, or why it does not fit any more.
        """
        if self.seconds_left <= 0:
            return Refusal(f"the {self.limits.minutes:g} minutes of this run are over", final=True)
        with self._store.transaction() as cursor:
            row = cursor.execute(_SUM, (self.run,)).fetchone()
            spent = self._spent(row)
            cursor.execute("UPDATE runs SET seconds = ? WHERE run = ?", (spent.seconds, self.run))
            if spent.calls + 1 > self.limits.calls:
                return Refusal(f"the {self.limits.calls} calls of this run are used up", final=True)
            if spent.usd + usd > self.limits.usd + _EPSILON:
                reason = (
                    f"{self.limits.usd:.2f} dollars are the limit, {spent.usd:.4f} are spent or set aside, "
                    f"and this call may cost {usd:.4f}"
                )
                return Refusal(reason, final=row[2] + usd > self.limits.usd + _EPSILON)
            cursor.execute(
                "INSERT INTO calls (run, model, reserved, at) VALUES (?, ?, ?, ?)",
                (self.run, model, usd, time.time()),
            )
            return int(cursor.lastrowid or 0)

    def settle(self, call: int, usd: float) -> None:
        """Replace what was set aside by what the call cost.

        A call is settled once; later amounts are ignored.
        """
        with self._store.transaction() as cursor:
            cursor.execute("UPDATE calls SET cost = ? WHERE id = ? AND cost IS NULL", (usd, call))

    def release(self, call: int) -> None:
        """Give a call back that was never sent."""
        with self._store.transaction() as cursor:
            cursor.execute("DELETE FROM calls WHERE id = ? AND cost IS NULL", (call,))

    @property
    def spent(self) -> Spent:
        """What this run has used so far, earlier parts of a resumed run included."""
        with self._store.transaction() as cursor:
            return self._spent(cursor.execute(_SUM, (self.run,)).fetchone())

    def _spent(self, row: tuple[int, float, float]) -> Spent:
        return Spent(calls=row[0], usd=row[1], seconds=self._before + time.monotonic() - self._started)


_SUM = """
SELECT COUNT(*), COALESCE(SUM(COALESCE(cost, reserved)), 0.0), COALESCE(SUM(cost), 0.0)
FROM calls WHERE run = ?
"""
