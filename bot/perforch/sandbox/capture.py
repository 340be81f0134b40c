"""Runs one host process with bounded time, output and memory, and reports how it ended. Never blocks on what it prints."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from perforch.sandbox.spec import Limits

_CHUNK = 1 << 16
_LOOK_SECONDS = 0.1  # between two looks at the memory of the tree, where the kernel does not bound it
_DYING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; `status` as `os.waitstatus_to_exitcode` gives it."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    cpu_seconds: float
    stopped: str
    orphan: int | None = None


class _Output:
    """The two pipes of a process, read up to a common limit."""

    def __init__(self, streams: Sequence[IO[bytes]], limit: int) -> None:
        self.texts = {stream.fileno(): bytearray() for stream in streams}
        self._limit = limit
        self._selector = selectors.DefaultSelector()
        for fd in self.texts:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)

    @property
    def open(self) -> bool:
        return bool(self._selector.get_map())

    def read(self, seconds: float) -> bool:
        """Wait for output and keep it; False when there is more of it than allowed."""
        for key, _ in self._selector.select(max(seconds, 0.0)):
            data = os.read(key.fd, _CHUNK)
            if not data:
                self._selector.unregister(key.fd)
                continue
            room = self._limit - sum(map(len, self.texts.values()))
            self.texts[key.fd] += data[: max(room, 0)]
            if len(data) > room:
                return False
        return True

    def close(self) -> None:
        self._selector.close()


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: bytes,
    limits: Limits,
    pass_fds: Sequence[int] = (),
    watch_memory: bool = False,
    orphan: Callable[[], int | None] = lambda: None,
) -> Ended:
    """Start `argv` and see it to its end; what outlives a limit is killed with its namespace.

    Args:
        orphan: asked at the end for the pid of a descendant that the launcher left behind (bubblewrap exits before the first
            process of its namespace does); it is waited for, and its CPU time counts.
        watch_memory: sum the resident memory of the tree and end it above the limit, where the kernel does not.
    """
    began = time.monotonic()
    _become_subreaper()
    with _input(stdin) as source:
        process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(pass_fds),
        )
    assert process.stdout is not None
    assert process.stderr is not None
    output = _Output((process.stdout, process.stderr), limits.output_bytes)
    stopped = _watch(
        process.pid, output, began + limits.wall_seconds, limits.memory_bytes if watch_memory else None
    )
    if stopped:
        process.kill()
        gone = time.monotonic() + _DYING_SECONDS
        # The namespace dies with its monitor; its pipes close when the last of it is gone.
        while output.open and time.monotonic() < gone:
            output.read(gone - time.monotonic())
    output.close()
    code, cpu = _reap(process, deadline=began + limits.wall_seconds + _DYING_SECONDS)
    left = orphan()
    if left is not None:
        with contextlib.suppress(ChildProcessError):  # the launcher waited for it after all
            usage = os.wait4(left, 0)[2]
            cpu += usage.ru_utime + usage.ru_stime
    out, err = output.texts.values()
    process.stdout.close()
    process.stderr.close()
    return Ended(code, bytes(out), bytes(err), time.monotonic() - began, cpu, stopped, left)


@cache
def _become_subreaper() -> None:
    """Orphaned descendants become children of this process, so that it can wait for them (PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def _watch(pid: int, output: _Output, deadline: float, memory: int | None) -> str:
    look = time.monotonic()
    while output.open:
        now = time.monotonic()
        if now >= deadline:
            return "timeout"
        if memory is not None and now >= look:
            look = now + _LOOK_SECONDS
            if resident(pid) > memory:
                return "memory"
        until = deadline if memory is None else min(deadline, look)
        if not output.read(until - now):
            return "output"
    return ""


def _reap(process: subprocess.Popen[bytes], *, deadline: float) -> tuple[int, float]:
    """Wait for the process itself: it may have closed its pipes and gone on."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_utime + usage.ru_stime
        if time.monotonic() >= deadline:
            process.kill()
            deadline = float("inf")
        time.sleep(0.001)


def resident(pid: int) -> int:
    """Resident bytes of a process and all its descendants, shared memory included."""
    total = 0
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def _input(data: bytes) -> IO[bytes]:
    """Standard input as a file that needs nobody to feed it."""
    if not data:
        return Path(os.devnull).open("rb")
    file = os.fdopen(os.memfd_create("stdin"), "w+b")
    file.write(data)
    file.flush()
    file.seek(0)
    return file
