"""Where numbers were made: for the record, read from /proc and /sys."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.measure import perf
from perforch.result import Environment

if TYPE_CHECKING:
    from perforch.measure.cpus import Plan


def cpu_model() -> str:
    """The processor's name as the kernel knows it; the architecture where it has none."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.machine()
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def environment(plan: Plan, *, sandbox: str, toolchains: dict[str, str] | None = None) -> Environment:
    """Describe this machine and how benchmarks ran on it."""
    return Environment(
        cpu=cpu_model(),
        cpus=plan.measuring,
        pinned=plan.pinned,
        sandbox=sandbox,
        perf=perf.version(),
        kernel=platform.release(),
        toolchains=toolchains or {},
    )
