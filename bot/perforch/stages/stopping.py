"""Ending a run early: nothing new starts in the sandbox, what runs there is killed, and threads come back soon."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from perforch.errors import PerforchError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from perforch.sandbox.spec import Command, Completed, Launch, Sandbox

T = TypeVar("T")
_LOOK_SECONDS = 0.05
_THREADS_SECONDS = (
    5.0  # threads that wait for something else than a program of ours are left behind after this
)
_COURIER = "perforch.llm.courier"  # brings paid replies home even after our end, and ends by itself


class StoppedError(PerforchError):
    """The run is being ended, so nothing more is started."""


class Stoppable:
    """A sandbox that can be closed from a signal handler; see `spec.Sandbox`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._stopped = threading.Event()

    @property
    def level(self) -> str:
        """Strength as every result shows it."""
        return self._sandbox.level

    @property
    def stopped(self) -> bool:
        """Has `stop` been called?"""
        return self._stopped.is_set()

    def run(self, command: Command) -> Completed:
        """Run to completion; see `spec.Sandbox.run`.

        Raises:
            StoppedError: the run was ended before or meanwhile.
        """
        self._check()
        completed = self._sandbox.run(command)
        self._check()  # what was killed says nothing about the code
        return completed

    def launch(self, command: Command) -> Launch:
        """Prepare a command that `measure` starts; see `spec.Sandbox.launch`.

        Raises:
            StoppedError: the run was ended.
        """
        self._check()
        return self._sandbox.launch(command)

    def stop(self) -> None:
        """Start nothing more and kill every program that this process has started; returns at once."""
        if not self._stopped.is_set():
            self._stopped.set()
            threading.Thread(target=_kill_forever, name="stopping", daemon=True).start()

    def _check(self) -> None:
        if self._stopped.is_set():
            message = "the run was interrupted"
            raise StoppedError(message)


def _kill_forever() -> None:
    """A program may be on its way to its start at the moment of the first look, so looks are repeated until our own end."""
    while True:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(os.getpid()).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if not any(_COURIER in part for part in child.cmdline()):
                        child.kill()
        time.sleep(_LOOK_SECONDS)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, but a KeyboardInterrupt does not wait for threads that do not come back."""
    executor = ThreadPoolExecutor()
    runner = asyncio.Runner()
    interrupted = False
    try:
        runner.get_loop().set_default_executor(executor)
        return runner.run(main)
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        if interrupted:
            closing = threading.Thread(target=executor.shutdown, kwargs={"cancel_futures": True}, daemon=True)
            closing.start()
            closing.join(_THREADS_SECONDS)
        else:
            runner.close()
