"""Memory and process limits by control group, where this process may make groups: version 2 if delegated, else version 1."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Group:
    """Directories (one in version 2, one a controller in version 1, that of memory first) that a process joins by writing its pid."""

    directories: tuple[Path, ...]

    def out_of_memory(self) -> bool:
        """True when the kernel killed something in the group for want of memory."""
        for directory in self.directories:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    for line in (directory / name).read_text().splitlines():
                        key, _, value = line.partition(" ")
                        if key == "oom_kill" and int(value) > 0:
                            return True
        return False

    def remove(self) -> None:
        """Remove the group; one that still holds dying processes is left for the next `sweep`."""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                directory.rmdir()


def make(*, memory_bytes: int, processes: int) -> Group | None:
    """A new group with these limits; None where groups cannot be made."""
    parents = _parents()
    if not parents:
        return None
    name = f"perforch-{os.getpid()}-{next(_NUMBERS)}"
    made: list[Path] = []
    try:
        for parent in parents:
            directory = parent / name
            directory.mkdir()
            made.append(directory)
            for file, value in (
                ("memory.max", memory_bytes),
                ("memory.swap.max", 0),
                ("memory.limit_in_bytes", memory_bytes),
                ("pids.max", processes),
            ):
                if (directory / file).exists():
                    (directory / file).write_text(str(value))
    except OSError:
        Group(tuple(made)).remove()
        return None
    return Group(tuple(made))


@cache
def _parents() -> tuple[Path, ...]:
    if (_ROOT / "cgroup.controllers").exists():
        parent = _delegated()
        return (parent,) if parent is not None else ()
    found = tuple(_ROOT / name for name in ("memory", "pids") if os.access(_ROOT / name, os.W_OK))
    _sweep(found)
    return found


def _delegated() -> Path | None:
    """A version 2 directory under which memory and pids are ours to limit."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, _, path = line.split(":", 2)
        if number != "0":
            continue
        own = _ROOT / path.lstrip("/")
        for candidate in (own, own.parent):
            control = candidate / "cgroup.subtree_control"
            if os.access(candidate, os.W_OK) and control.exists():
                enabled = set(control.read_text().split())
                if {"memory", "pids"} <= enabled:
                    _sweep((candidate,))
                    return candidate
    return None


def _sweep(parents: tuple[Path, ...]) -> None:
    """Remove empty groups of processes that are gone."""
    for parent in parents:
        for directory in parent.glob("perforch-*-*"):
            pid = directory.name.split("-")[1]
            if pid.isdigit() and not Path("/proc", pid).exists():
                with contextlib.suppress(OSError):
                    directory.rmdir()
