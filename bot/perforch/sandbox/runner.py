"""The second line of defence: what this machine would give away if a program got out of the sandbox after all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.sandbox.probe import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCKER = Path("/var/run/docker.sock")
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_STATUS = Path("/proc/self/status")
# linux/capability.h: each lets its holder read environments and memory of every process of the same user, hidden ones too.
_CAPABILITIES = {19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN", 38: "CAP_PERFMON"}


def checks() -> tuple[Check, ...]:
    """One check for everything that can be told here; nothing of it is needed to run."""
    found = [_ptrace()] if _YAMA.exists() else []
    if os.geteuid() != 0:
        found += [_sudo(), _docker(), _capabilities()]
    return tuple(found)


def _ptrace() -> Check:
    scope = _YAMA.read_text("ascii").strip()
    remedy = "Run: sysctl kernel.yama.ptrace_scope=1"
    return Check("ptrace", scope != "0", f"ptrace_scope {scope}", "1 or more", "" if scope != "0" else remedy)


def _sudo() -> Check:
    try:
        done = subprocess.run(
            ["sudo", "-n", "true"],
            env={"PATH": os.environ.get("PATH", os.defpath)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
        free = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        free = False
    remedy = (
        "Take the runner's user out of sudoers, or use a fresh virtual machine for every job." if free else ""
    )
    return Check(
        "sudo", not free, "this user becomes root without a password" if free else "none", "none", remedy
    )


def _docker() -> Check:
    usable = os.access(_DOCKER, os.W_OK)
    remedy = "Take the runner's user out of the docker group, which is as good as root." if usable else ""
    return Check(
        "docker", not usable, "this user may use Docker" if usable else "out of reach", "out of reach", remedy
    )


def _capabilities() -> Check:
    held = ", ".join(_held(_STATUS.read_text("ascii", "replace")))
    remedy = (
        "Give perf its rights by sysctl kernel.perf_event_paranoid, not by capabilities of the user."
        if held
        else ""
    )
    return Check("capabilities", not held, held or "none", "none that looks into other processes", remedy)


def _held(status: str) -> Iterator[str]:
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            mask = int(value, 16)
            yield from (word for number, word in _CAPABILITIES.items() if mask >> number & 1)
