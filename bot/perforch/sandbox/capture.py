"""Runs one host process with bounded time, output and memory, and reports how it ended. Never blocks on what it prints."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from perforch.sandbox.spec import Limits

_CHUNK = 1 << 16
_LOOK_SECONDS = 0.1  # between two looks at the memory of the tree, where the kernel does not bound it
_DISK_SECONDS = 0.25
_SPARED_BYTES = 256 * 1024**2  # others need some room too, our own journal for one
_SPARED_FILES = 1000
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
    """The two pipes of a process, read up to a common limit, and its end.

    A program may close its pipes and go on, or leave them to others and end: neither alone says that it is over.
    """

    def __init__(self, pid: int, streams: Sequence[IO[bytes]], limit: int) -> None:
        self.ended = False
        self._process = os.pidfd_open(pid)
        self.texts = {stream.fileno(): bytearray() for stream in streams}
        self._limit = limit
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process, selectors.EVENT_READ)
        for fd in self.texts:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)

    @property
    def open(self) -> bool:
        return len(self._selector.get_map()) > (not self.ended)

    def read(self, seconds: float) -> bool:
        """Wait for output, or for the end, and keep it; False when there is more of it than allowed."""
        for key, _ in self._selector.select(max(seconds, 0.0)):
            if key.fd == self._process:
                self.ended = True
                self._selector.unregister(key.fd)
                continue
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
        os.close(self._process)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: bytes,
    limits: Limits,
    pass_fds: Sequence[int] = (),
    watch_memory: bool = False,
    writable: Sequence[Path] = (),
    orphan: Callable[[], int | None] = lambda: None,
) -> Ended:
    """Start `argv` and see it to its end; what outlives a limit is killed with its namespace.

    Args:
        orphan: asked at the end for the pid of a descendant that the launcher left behind (bubblewrap exits before the first
            process of its namespace does); it is waited for, and its CPU time counts.
        watch_memory: sum the resident memory of the tree and end it above the limit, where the kernel does not.
        writable: folders of the host that it may fill; it is ended before their file systems are full.
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
    output = _Output(process.pid, (process.stdout, process.stderr), limits.output_bytes)
    watches = []
    if watch_memory:
        watches.append(_Watch("memory", _LOOK_SECONDS, lambda: resident(process.pid) > limits.memory_bytes))
    if writable:
        watches.append(_Watch("disk", _DISK_SECONDS, _Disks(writable, limits.disk_bytes).too_full))
    stopped = _watch(output, began + limits.wall_seconds, watches)
    spent = 0.0
    if stopped:
        spent = cpu_seconds(
            process.pid
        )  # nobody waits for what dies with a namespace: the kernel forgets its time
        os.kill(
            process.pid, signal.SIGKILL
        )  # Popen.kill would wait for one that has just ended, and its usage would be lost
        gone = time.monotonic() + _DYING_SECONDS
        # The namespace dies with its monitor; its pipes close when the last of it is gone.
        while (output.open or not output.ended) and time.monotonic() < gone:
            output.read(gone - time.monotonic())
    output.close()
    _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    left = orphan()
    if left is not None:
        with contextlib.suppress(ChildProcessError):  # the launcher waited for it after all
            usage = os.wait4(left, 0)[2]
            cpu += usage.ru_utime + usage.ru_stime
    cpu = max(cpu, spent)
    out, err = output.texts.values()
    process.stdout.close()
    process.stderr.close()
    return Ended(code, bytes(out), bytes(err), time.monotonic() - began, cpu, stopped, left)


@cache
def _become_subreaper() -> None:
    """Orphaned descendants become children of this process, so that it can wait for them (PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


@dataclass(slots=True)
class _Watch:
    """Something to look at every so many seconds; `name` is what the run is stopped for."""

    name: str
    every: float
    broken: Callable[[], bool]
    next: float = 0.0


class _Disks:
    """Free space and inodes of the file systems under some folders."""

    def __init__(self, folders: Sequence[Path], most: int) -> None:
        self._folders = {folder.stat().st_dev: folder for folder in folders}
        self._least = {device: max(_free(folder)[0] - most, 0) for device, folder in self._folders.items()}

    def too_full(self) -> bool:
        for device, folder in self._folders.items():
            space, files = _free(folder)
            if space < max(self._least[device], _SPARED_BYTES) or files < _SPARED_FILES:
                return True
        return False


def _free(folder: Path) -> tuple[int, int]:
    """Bytes and inodes; a file system without a fixed number of inodes says 0 of 0, which is plenty."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else _SPARED_FILES


def _watch(output: _Output, deadline: float, watches: Sequence[_Watch]) -> str:
    while output.open or not output.ended:
        now = time.monotonic()
        if now >= deadline:
            return "timeout"
        for one in watches:
            if now >= one.next:
                one.next = now + one.every
                if one.broken():
                    return one.name
        until = min([deadline, *(one.next for one in watches)])
        if output.ended:
            # What a dead monitor's namespace still holds open goes within moments.
            deadline = until = min(deadline, now + _DYING_SECONDS)
        if not output.read(until - now):
            return "output"
    return ""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants so far, children they waited for included."""
    return sum(sum(times[:4]) for times in _each(pid, psutil.Process.cpu_times))


def resident(pid: int) -> int:
    """Resident bytes of a process and all its descendants, shared memory included."""
    return sum(memory.rss for memory in _each(pid, psutil.Process.memory_info))


def _each(pid: int, look: Callable[[psutil.Process], Any]) -> Iterator[Any]:
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                yield look(process)


def _input(data: bytes) -> IO[bytes]:
    """Standard input as a file that needs nobody to feed it."""
    if not data:
        return Path(os.devnull).open("rb")
    file = os.fdopen(os.memfd_create("stdin"), "w+b")
    file.write(data)
    file.flush()
    file.seek(0)
    return file
