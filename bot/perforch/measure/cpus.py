"""Which CPUs measure, which do everything else, and the lock that lets one benchmark run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.measure import process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SYS = Path("/sys/devices/system/cpu")
_GROUPS = Path("/sys/fs/cgroup")
_LOCKS = ("/run/lock/perforch-measure.lock", "/tmp/perforch-measure.lock")
_IDLE_WINDOW = 0.2  # seconds over which other load is looked at


@dataclass(frozen=True, slots=True)
class Plan:
    """CPUs for the measured program, and CPUs for us and the sampler. Not pinned where there is only one CPU."""

    measuring: tuple[int, ...]
    helping: tuple[int, ...]
    isolated: bool = False

    @property
    def pinned(self) -> bool:
        """The two sets do not overlap."""
        return bool(self.measuring and self.helping) and not set(self.measuring) & set(self.helping)


def parse_list(text: str) -> tuple[int, ...]:
    """The kernel's CPU list format, such as "0-2,5"."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.strip().isdigit():
            found += range(int(first), int(last or first) + 1)
    return tuple(found)


def read_list(path: Path) -> tuple[int, ...]:
    """`parse_list` of a file; empty when it is not there."""
    try:
        return parse_list(path.read_text("ascii"))
    except OSError:
        return ()


def isolated() -> tuple[int, ...]:
    """CPUs kept free of everybody else's programs: by isolcpus=, an isolated cpuset partition, or the slices of systemd."""
    partition = read_list(_GROUPS / "cpuset.cpus.isolated")
    try:
        own = Path("/proc/self/cgroup").read_text("utf-8", "replace")
    except OSError:
        own = ""
    return tuple(sorted({*read_list(_SYS / "isolated"), *partition, *left_to_us(_GROUPS, own)}))


def left_to_us(groups: Path, own: str) -> tuple[int, ...]:
    """CPUs of our top-level control group that no other populated one may use (cgroup-v2.rst, "Cpuset"); kernel threads aside.

    Args:
        groups: where version 2 of control groups is mounted.
        own: what /proc/self/cgroup says.
    """
    ours = next((line[4:].partition("/")[0] for line in own.splitlines() if line.startswith("0::/")), "")
    if not ours:
        return ()
    left = set(read_list(groups / ours / "cpuset.cpus.effective"))
    for events in groups.glob("*/cgroup.events"):
        try:
            populated = "populated 1" in events.read_text("ascii")
        except OSError:
            continue
        if populated and events.parent.name != ours:
            theirs = read_list(events.with_name("cpuset.cpus.effective"))
            if not theirs:
                return ()  # nothing keeps this group anywhere
            left -= set(theirs)
    return tuple(sorted(left))


def siblings(cpu: int) -> tuple[int, ...]:
    """Hardware threads of the same core, `cpu` among them."""
    return read_list(_SYS / f"cpu{cpu}/topology/thread_siblings_list") or (cpu,)


def busy_ticks() -> dict[int, int]:
    """Clock ticks that each CPU has spent on anything but idling."""
    ticks = {}
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit():
            values = [int(field) for field in fields[:8]]
            ticks[int(name[3:])] = sum(values) - values[3] - values[4]
    return ticks


def _permitted(cpu: int) -> bool:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        return False
    os.sched_setaffinity(0, before)
    return True


def choose(
    allowed: tuple[int, ...],
    quiet: tuple[int, ...],
    threads: int,
    load: dict[int, int],
    cores: dict[int, tuple[int, ...]],
) -> Plan:
    """Pick CPUs: isolated ones first, then those with the least other load, CPU 0 (interrupts) last; whole cores if possible.

    Args:
        allowed: CPUs this process may use.
        quiet: isolated CPUs it may use as well.
        threads: how many the program wants.
        load: busy ticks of each CPU over a short window.
        cores: hardware threads of each CPU's core.
    """
    everything = tuple(sorted({*allowed, *quiet}))
    if len(everything) < 2:
        return Plan(everything, everything)
    order = sorted(everything, key=lambda cpu: (cpu not in quiet, load.get(cpu, 0), cpu == 0, -cpu))
    wanted = min(max(threads, 1), len(everything) - 1)
    measuring: list[int] = []
    for whole_core in (True, False):
        for cpu in order:
            beside = set(cores.get(cpu, (cpu,))) - {cpu}
            if (
                len(measuring) < wanted
                and cpu not in measuring
                and not (whole_core and beside & set(measuring))
            ):
                measuring.append(cpu)
    rest = [cpu for cpu in everything if cpu not in measuring]
    shared = {beside for cpu in measuring for beside in cores.get(cpu, (cpu,))}
    helping = [cpu for cpu in rest if cpu not in shared] or rest
    return Plan(tuple(sorted(measuring)), tuple(helping), isolated=set(measuring) <= set(quiet))


@lru_cache(maxsize=8)
def plan(threads: int = 1) -> Plan:
    """The plan of this process for programs with so many threads; the same at every call."""
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    quiet = tuple(cpu for cpu in isolated() if _permitted(cpu))
    before = busy_ticks()
    time.sleep(_IDLE_WINDOW)
    load = {cpu: ticks - before.get(cpu, 0) for cpu, ticks in busy_ticks().items()}
    cores = {cpu: siblings(cpu) for cpu in {*allowed, *quiet}}
    return choose(allowed, quiet, threads, load, cores)


@contextlib.contextmanager
def keep_off(chosen: Plan) -> Iterator[None]:
    """Keep every thread of this process, what they start and what they have started before, off the measuring CPUs.

    Programs that are running at the time stay on the other CPUs for good; they are builds and tests, and end soon.
    """
    if not chosen.pinned:
        yield
        return
    before: dict[int, set[int]] = {}
    for thread in _threads():
        with contextlib.suppress(OSError):
            before[thread] = os.sched_getaffinity(thread)
            os.sched_setaffinity(thread, (before[thread] - set(chosen.measuring)) or set(chosen.helping))
    usual = before.get(os.getpid(), set(chosen.helping) | set(chosen.measuring))
    below = process.children(os.getpid())
    for pid in below:
        below += process.children(pid)
        for thread in _threads(pid):
            with contextlib.suppress(OSError):
                left = os.sched_getaffinity(thread) - set(chosen.measuring)
                os.sched_setaffinity(thread, left or set(chosen.helping))
    try:
        yield
    finally:
        for thread in _threads():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, before.get(thread, usual))


def _threads(pid: int | None = None) -> list[int]:
    try:
        return [int(entry.name) for entry in os.scandir(f"/proc/{pid or 'self'}/task")]
    except OSError:
        return []


@contextlib.contextmanager
def machine_lock(waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the machine for measuring; waits for other perforch processes of any user. Calls `waiting` once if it must."""
    descriptor = _open_lock()
    if descriptor is None:
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_lock() -> int | None:
    """A read-only descriptor is enough for flock(2), so a file of another user serves as well."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    for path in _LOCKS:
        with contextlib.suppress(OSError):
            return os.open(path, flags)
        with contextlib.suppress(OSError):
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
    return None
