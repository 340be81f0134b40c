"""Work on many files or functions over the CPUs at hand, in order and in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

CHUNK = 64  # items a worker takes at once
_ALONE_BYTES = 1_500_000  # below this much source, starting workers costs more than it saves
_MOST = 4

Item = TypeVar("Item")
Made = TypeVar("Made")


def spread(
    work: Callable[[Item], Made], items: Iterable[Item], *, size: int, jobs: int | None = None
) -> Iterator[Made]:
    """What `work` makes of each item, in order. A worker that dies costs nothing: its items are done here.

    Args:
        work: a function of a module, so that another process can find it.
        size: bytes of source in all items; little work is done here.
        jobs: processes; by default the CPUs at hand, at most four.
    """
    workers = jobs if jobs is not None else min(_MOST, len(os.sched_getaffinity(0)))
    if workers <= 1 or (size < _ALONE_BYTES and jobs is None):
        yield from map(work, items)
        return
    source = iter(items)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver")) as pool:
        # A few chunks are under way at a time, so memory does not grow with the change.
        waiting: list[tuple[list[Item], Future[list[Made]]]] = []
        try:
            while True:
                while len(waiting) < 3 * workers and (chunk := list(islice(source, CHUNK))):
                    waiting.append((chunk, pool.submit(partial(_each, work), chunk)))
                if not waiting:
                    return
                yield from waiting[0][1].result()
                waiting.pop(0)
        except BrokenProcessPool:
            for chunk, _ in waiting:
                yield from map(work, chunk)
    yield from map(work, source)


def _each(work: Callable[[Item], Made], chunk: list[Item]) -> list[Made]:
    return [work(item) for item in chunk]
