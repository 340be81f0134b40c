"""Starting, watching and reaping one program. Standard library only: this runs inside the small starter process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_PR_SET_CHILD_SUBREAPER = 36
_REAL_TIME = 10  # priority, of 1 to 99
_RESET = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores these; programs must not inherit that


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `cpu_ns` is user + system time of it and of every descendant that was waited for."""

    returncode: int
    cpu_ns: int
    max_rss_kib: int


def become_subreaper() -> None:
    """Adopt orphaned descendants (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def raise_above(descriptors: Sequence[int], floor: int) -> list[int]:
    """Move descriptors to numbers above `floor`, close-on-exec, so that any wished-for number below is free."""
    moved = []
    for descriptor in descriptors:
        moved.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, floor + 1))
        os.close(descriptor)
    return moved


def spawn(
    argv: tuple[str, ...], env: Mapping[str, str], places: Mapping[int, int], cpus: Iterable[int] | None
) -> int:
    """Start a program in its own process group, on `cpus`, with `places` (number in the child -> our descriptor); its pid.

    Affinity is set on this process and inherited: a `taskset` wrapper would be measured too. `posix_spawn` copies
    no page tables, and returns once the program has replaced the copy of this process.

    Raises:
        OSError: the program cannot be started.
    """
    actions = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in places.items()]
    before = os.sched_getaffinity(0)
    if cpus is not None:
        os.sched_setaffinity(0, cpus)
    try:
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setpgroup=0, setsigdef=_RESET)
    finally:
        if cpus is not None:
            os.sched_setaffinity(0, before)


def wait(pid: int) -> Ended:
    """Reap `pid`, which has ended or will soon."""
    _, status, usage = os.wait4(pid, 0)
    return Ended(_code(status), round((usage.ru_utime + usage.ru_stime) * 1e9), usage.ru_maxrss)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def wait_readable(descriptor: int, deadline: float, lifeline: int | None = None) -> bool:
    """Block until `descriptor` is readable (a pidfd: until the process ends).

    False at `deadline` (monotonic seconds), or when the other end of the socket `lifeline` is gone.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if lifeline is not None:
        poll.register(lifeline, 0)  # hang-up only
    while True:
        left = deadline - time.monotonic()
        events = dict(poll.poll(max(left, 0) * 1000))
        if descriptor in events:
            return True
        if events or left <= 0:
            return False


def children(pid: int) -> list[int]:
    """Direct children of all threads of `pid`; empty when it is gone."""
    found: list[int] = []
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += [int(word) for word in Path(task.path, "children").read_text("ascii").split()]
    except OSError:
        pass
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of `pid` and everything below it, shared pages counted by each; 0 when it is gone."""
    below, total = [pid], 0
    for parent in below:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{parent}/statm").read_text("ascii").split()[1])
        below += children(parent)
    return total * os.sysconf("SC_PAGE_SIZE")


def end_group(pid: int) -> None:
    """Kill the process group that `pid` leads, and everything below it that left the group."""
    below = [pid]
    for parent in below:
        below += children(parent)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for process in below:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def reap_orphans(expected: int = -1) -> tuple[int, int]:
    """Kill and reap everything this subreaper has adopted.

    Args:
        expected: the first process of a sandbox's namespace, which its launcher may leave behind by a moment; it is no orphan, and
            whatever else is in the namespace dies with it.

    Returns:
        processes that were still running, and the CPU time in ns of all that were adopted.
    """
    running, cpu_ns = 0, 0
    while adopted := children(os.getpid()):
        for pid in adopted:
            if not _is_zombie(pid):
                running += pid != expected
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                cpu_ns += wait(pid).cpu_ns
    return running, cpu_ns


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


@contextlib.contextmanager
def punctual() -> Iterator[None]:
    """Run in real time where this machine lets us (root, CAP_SYS_NICE or RLIMIT_RTPRIO), so that no tick is late; no effect otherwise.

    The sampler sleeps between its ticks. What this process starts meanwhile runs as usual (sched(7), SCHED_RESET_ON_FORK).
    """
    usual, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_REAL_TIME))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, usual | os.SCHED_RESET_ON_FORK, parameter)


def first_in_line(pid: int) -> None:
    """Give a program's scheduling session the highest share, where this machine lets us; no effect otherwise.

    With sched_autogroup_enabled, nice values act only inside one session, so the session's own value is set (sched(7)).
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("-20", encoding="ascii")
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)
