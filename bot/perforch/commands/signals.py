"""SIGINT and SIGTERM during a run: end what runs, keep what is finished, leave with 128 + the signal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def raised(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Turn the first signal into `stop` and KeyboardInterrupt, a second one into the end of this process.

    Yields:
        The signals received so far.
    """
    received: list[int] = []

    def handle(number: int, frame: object) -> None:
        del frame
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        stop()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    # A signal that the caller has switched off, as nohup does with SIGHUP, stays off.
    before = {one: handler for one in _SIGNALS if (handler := signal.getsignal(one)) != signal.SIG_IGN}
    for one in before:
        signal.signal(one, handle)
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def leave(received: list[int], what: str) -> NoReturn:
    """Say what became of the run and end this process at once: threads that do not come back are not waited for."""
    number = received[0] if received else signal.SIGINT
    click.echo(f"perforch: interrupted by {signal.Signals(number).name}; {what}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + number)
