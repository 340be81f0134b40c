"""Whose build or test run comes next: the work of one function before that of the next, so that the first can be measured
while the others are still being built."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from contextvars import ContextVar

PLACE = ContextVar(
    "PLACE", default=0
)  # of the function that a task works for; tasks that it starts inherit it


class Turns:
    """A bound on work that goes on at once. Of those who wait, the smallest `PLACE` goes first, then whoever came first.

    Args:
        most: how many at once, at least 1.
    """

    def __init__(self, most: int) -> None:
        self._free = max(1, most)
        self._number = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        heapq.heappush(self._waiting, (PLACE.get(), next(self._number), turn))
        loop.call_soon(self._hand_out)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given to one who is not there to take it
                self._give_back()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        self._free += 1
        # A moment later: who has just finished a step may ask for the next at once, and goes on then.
        asyncio.get_running_loop().call_soon(self._hand_out)

    def _hand_out(self) -> None:
        while self._free and self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                self._free -= 1
                turn.set_result(None)
