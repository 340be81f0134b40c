"""Is this runner fit to measure? Every check says what it saw, what is good and what to do; then identical runs say what it can resolve."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import UsageError
from perforch.measure import cpus, pairs, perf
from perforch.measure.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from perforch.measure.cpus import Plan
    from perforch.measure.model import Launcher, Progress

_SYS = Path("/sys/devices/system/cpu")
_WINDOW = 1.0  # seconds over which other load and steal are looked at
_GAP_NS = 20_000  # an interruption of a spinning loop that is longer than this is lost time
A_A_PAIRS = 20
_LEAST_PAIRS = 4


@dataclass(frozen=True, slots=True)
class Check:
    """One property of the runner. `ok` is None where it cannot be seen from here (a virtual machine, a container)."""

    name: str
    ok: bool | None
    saw: str
    good: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What identical runs of a workload showed.

    Attributes:
        scatter: robust standard deviation of the log ratio of a pair of identical runs (0.02: ±2 %).
        smallest_effect: found in 95 of 100 comparisons within the cap; None when there is none.
        cap: pairs that a comparison can afford.
    """

    pairs: int
    run_ms: float
    scatter: float
    smallest_effect: float | None
    cap: int
    source: str

    @property
    def fit(self) -> bool:
        """One pair scatters by at most 5 %, and the cap can find something at all; else a longer workload, a shorter one or a quieter machine."""
        return self.scatter <= 0.05 and self.smallest_effect is not None


def _read(path: Path | str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _check(name: str, ok: bool | None, saw: str, good: str, remedy: str) -> Check:
    return Check(name, ok, saw, good, "" if ok else remedy)


def machine_checks(plan: Plan) -> list[Check]:
    """Everything but the sandbox; takes about two seconds."""
    target = plan.measuring
    steal_before, busy_before, at = _steal(target), cpus.busy_ticks(), time.monotonic()
    lost = _lost_share(target[0])
    time.sleep(max(0.0, _WINDOW - (time.monotonic() - at)))
    ticks = os.sysconf("SC_CLK_TCK") * (time.monotonic() - at)
    busy = cpus.busy_ticks()
    steal = (_steal(target) - steal_before) / max(ticks * len(target), 1)
    others = sum(busy.get(cpu, 0) - busy_before.get(cpu, 0) for cpu in plan.helping) / max(
        ticks * len(plan.helping), 1
    )
    return [
        _perf(),
        _pinning(plan),
        _isolation(plan),
        _check(
            "interruptions", lost < 0.002, f"a loop on CPU {target[0]} lost {lost:.2%} of its time", "less than 0.2 % lost",
            "Stop other work on this machine, or isolate the CPU (isolcpus=, nohz_full=, rcu_nocbs=).",
        ),
        _check(
            "other-load", others < 0.5, f"the other CPUs are {others:.0%} busy, load {_read('/proc/loadavg').split(' ')[0]}",
            "mostly idle", "Run one job at a time on this runner.",
        ),
        _pressure(),
        _governor(target),
        _turbo(),
        _siblings(target),
        _check(
            "steal", steal < 0.005, f"{steal:.2%} of the time went to other virtual machines", "0 %",
            "Use a dedicated host or bare metal.",
        ),
        _hypervisor(),
        _autogroup(),
        _interrupts(target),
        _clock(),
        _bytecode(),
        _aslr(),
    ]  # fmt: skip


def _perf() -> Check:
    good = "perf stat counts task-clock"
    with Session() as session:
        reason = session.reason
    remedy = "Install linux-tools for the running kernel and set kernel.perf_event_paranoid to 2 or less; until then wait4 is used."
    return _check("perf", not reason, reason or f"perf {perf.version()} counts", good, remedy)


def _pinning(plan: Plan) -> Check:
    saw = f"CPU {_list(plan.measuring)} to measure, {_list(plan.helping)} for everything else"
    return _check("pinning", plan.pinned, saw, "separate CPUs", "Use a machine with at least two CPUs.")


def _isolation(plan: Plan) -> Check:
    isolated = cpus.isolated()
    saw = f"isolated CPUs: {_list(isolated) or 'none'}"
    return _check(
        "isolation",
        plan.isolated,
        saw,
        f"CPU {_list(plan.measuring)} isolated",
        "Keep everything else off them: runner-config/tune.sh apply, or boot with isolcpus=.",
    )


def _pressure() -> Check:
    text = _read("/proc/pressure/cpu")
    if not text:
        return Check("pressure", None, "the kernel keeps no pressure statistics", "some avg10 = 0")
    value = float(text.partition("avg10=")[2].split(" ")[0] or 0)
    return _check(
        "pressure", value < 1, f"tasks waited for a CPU {value:g} % of the time", "0 %", "Stop other work."
    )


def _governor(target: tuple[int, ...]) -> Check:
    seen = {_read(_SYS / f"cpu{cpu}/cpufreq/scaling_governor") for cpu in target} - {""}
    good = "performance"
    if not seen:
        return Check("governor", None, "frequency scaling is not visible (a virtual machine?)", good)
    return _check(
        "governor", seen == {good}, ", ".join(sorted(seen)), good, "cpupower frequency-set -g performance"
    )


def _turbo() -> Check:
    intel, boost = _read(_SYS / "intel_pstate/no_turbo"), _read(_SYS / "cpufreq/boost")
    policies = {_read(path) for path in _SYS.glob("cpufreq/policy*/boost")}  # some AMD drivers
    if not intel and not boost and not policies:
        return Check("turbo", None, "no turbo switch is visible (a virtual machine?)", "off")
    off = intel == "1" if intel else boost == "0" if boost else policies == {"0"}
    remedy = "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > /sys/devices/system/cpu/cpufreq/boost"
    return _check("turbo", off, "off" if off else "on", "off", remedy)


def _siblings(target: tuple[int, ...]) -> Check:
    beside = sorted({sibling for cpu in target for sibling in cpus.siblings(cpu)} - set(target))
    saw = (
        f"CPU {_list(tuple(beside))} shares a core with the measuring CPUs"
        if beside
        else "no hardware thread beside"
    )
    return _check(
        "smt", not beside, saw, "no sibling online", "echo off > /sys/devices/system/cpu/smt/control"
    )


def _hypervisor() -> Check:
    virtual = " hypervisor" in _read("/proc/cpuinfo")
    saw = "a virtual machine: frequency and neighbours are invisible" if virtual else "bare metal"
    return _check("hypervisor", not virtual, saw, "bare metal", "Bare metal measures several times steadier.")


def _autogroup() -> Check:
    value = _read("/proc/sys/kernel/sched_autogroup_enabled")
    if value != "1":
        return Check("autogroup", True, "off", "off, or its priority can be raised")
    raised = os.geteuid() == 0
    saw = (
        "on; measured programs get the highest share"
        if raised
        else "on; priorities act only inside one session"
    )
    return _check(
        "autogroup",
        raised,
        saw,
        "off, or its priority can be raised",
        "sysctl kernel.sched_autogroup_enabled=0",
    )


def _interrupts(target: tuple[int, ...]) -> Check:
    here = []
    for entry in Path("/proc/irq").glob("[0-9]*"):
        if set(cpus.read_list(entry / "effective_affinity_list")) & set(target):
            here.append(entry.name)
    saw = f"{len(here)} interrupt lines are served by the measuring CPUs"
    return _check(
        "interrupts", not here, saw, "none", "Move them: /proc/irq/*/smp_affinity_list, and stop irqbalance."
    )


def _clock() -> Check:
    source = _read("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
    good = "tsc, kvm-clock or arch_sys_counter"
    return _check(
        "clock",
        source in {"tsc", "kvm-clock", "arch_sys_counter"},
        source,
        good,
        "Boot with clocksource=tsc.",
    )


def _bytecode() -> Check:
    good = "byte code of Python's own modules is there, and PYTHONDONTWRITEBYTECODE is not set"
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        saw = "PYTHONDONTWRITEBYTECODE is set: Python compiles its modules again in every run"
        return Check("pyc", False, saw, good, "Unset it for the runner.")
    there = Path(cache_from_source(json.__file__)).exists()
    saw = "not set, and byte code is there" if there else "the interpreter's modules have no byte code"
    return _check("pyc", there, saw, good, f"{sys.executable} -m compileall {Path(os.__file__).parent}")


def _aslr() -> Check:
    value = _read("/proc/sys/kernel/randomize_va_space")
    return _check(
        "aslr",
        value == "2",
        value,
        "2: without it one layout is measured, not the program",
        "sysctl kernel.randomize_va_space=2",
    )


def _list(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _steal(target: tuple[int, ...]) -> int:
    total = 0
    for line in _read("/proc/stat").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in target and len(fields) > 7:
            total += int(fields[7])
    return total


def _lost_share(cpu: int) -> float:
    """Share of half a second that a spinning loop on `cpu` did not run."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
        lost, last = 0, time.perf_counter_ns()
        end = last + 500_000_000
        while last < end:
            now = time.perf_counter_ns()
            if now - last > _GAP_NS:
                lost += now - last
            last = now
        return lost / 500_000_000
    except OSError:
        return 1.0
    finally:
        os.sched_setaffinity(0, before)


def reference_argv() -> tuple[str, ...]:
    """A single-threaded loop of a few tenths of a second."""
    return (sys.executable, "-I", "-S", "-c", "total = 0\nfor i in range(4_000_000):\n    total += i")


def resolution(
    launcher: Launcher,
    *,
    count: int = A_A_PAIRS,
    cap: int = 60,
    alpha: float = 0.01,
    seconds: float = 120.0,
    progress: Callable[[Progress], None] | None = None,
) -> Resolution:
    """Run a workload in pairs with itself and say what the cap can resolve.

    Args:
        count: pairs to run; fewer, but at least 4, when the time ends.
        cap: pairs of a comparison; fewer when `seconds` do not suffice for so many.

    Raises:
        UsageError: the workload fails.
    """
    from perforch.measure.model import Progress

    logs, runs = [], []
    with Session() as session:
        tosses = pairs.schedule(None)
        began = time.monotonic()
        for number in range(-1, count):  # the first pair warms up
            if number >= _LEAST_PAIRS and time.monotonic() - began > seconds:
                break
            if progress is not None:
                progress(Progress("timing", max(number, 0), count))
            _, seed = next(tosses)
            clocks = []
            for _side in range(2):
                prepare = partial(launcher.launch, seed)
                timed = session.time(prepare(), capture=number < 0, again=prepare)
                if timed.sample.failure or timed.sample.task_clock_ms <= 0:
                    message = f"the workload failed: {timed.sample.failure or 'it took no measurable time'}"
                    raise UsageError(message, hint="Run it by hand first.")
                clocks.append(timed.sample.task_clock_ms)
            if number >= 0:
                logs.append(math.log(clocks[0] / clocks[1]))
                runs += clocks
        source = session.source
        pair_seconds = (time.monotonic() - began) / (len(logs) + 1)
    # Signs are tossed by the order alone here, so the spread is taken around zero.
    scatter = pairs.scatter([*logs, *(-value for value in logs)])
    cap = pairs.affordable(seconds, pair_seconds, cap)
    smallest = pairs.smallest_effect(scatter, alpha, cap)
    return Resolution(len(logs), sorted(runs)[len(runs) // 2], scatter, smallest, cap, source)
