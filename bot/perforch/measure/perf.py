"""`perf stat` in a form that no locale, version or event name can break.

`-x ;` prints `value;unit;event;run-time;percentage;...`. For `task-clock` the fourth field is the counter's run time, an
integer in nanoseconds and equal to the clock itself, while the first is a decimal number in the user's locale
(perf calls `setlocale`, and changing LC_ALL would change the measured program too). See perf-stat(1), "CSV FORMAT".
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

SEPARATOR = ";"
CLOCK = "task-clock"
INSTRUCTIONS = "instructions"
_PARANOID = "/proc/sys/kernel/perf_event_paranoid"
_REFUSED = re.compile(r"paranoid|permission|not permitted|EACCES|EPERM|access to performance", re.IGNORECASE)
_FOREIGN_KERNEL = re.compile(r"not found for kernel|linux-tools", re.IGNORECASE)
_OLD = re.compile(r"unknown option|unknown switch|invalid delay", re.IGNORECASE)
_CHATTER = re.compile(r"^Events (?:en|dis)abled$", re.MULTILINE)  # what it says on stderr when all is well
_WHOLE = re.compile(r"^\d+$")


@dataclass(frozen=True, slots=True)
class Counts:
    """What one `perf stat` run said. None where a counter is absent; `reason` then says why."""

    task_clock_ns: int | None
    instructions: int | None = None
    reason: str = ""


def argv(
    perf: str, *, control: int, acknowledge: int, log: int, events: tuple[str, ...] = (CLOCK,)
) -> tuple[str, ...]:
    """The command line before the program: counters off until `enable` arrives on file descriptor `control`."""
    listed = ",".join(events)
    head = (perf, "stat", "-x", SEPARATOR, "-e", listed, "-D", "-1")
    return (*head, "--control", f"fd:{control},{acknowledge}", "--log-fd", str(log), "--")


def parse(text: str) -> Counts:
    """Read the separated output; comments, blank lines, unknown events, locales and `:u` suffixes are all fine.

    Versions before 3.13 print no unit column: fields are then one to the left. Processors with two kinds of cores give one line
    a kind (`cpu_core/instructions/u`), which are added.
    """
    clock: int | None = None
    instructions: int | None = None
    reason = ""
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(SEPARATOR)]
        if line.startswith("#") or len(fields) < 2:
            if not line.startswith("#") and not reason:
                reason = explain(line)
            continue
        place = next((i for i in (2, 1) if i < len(fields) and _named(fields[i])), None)
        if place is None:
            continue
        name, value = fields[place], fields[0]
        if value.startswith("<"):
            if _event(name) == CLOCK:
                reason = f"perf counts no {CLOCK} here: {value.strip('<>')}"
            continue
        after = fields[place + 1] if place + 1 < len(fields) else ""
        if _event(name) == CLOCK:
            clock = int(after) if _WHOLE.match(after) else _decimal_ms(value)
            reason = "" if clock is not None else f"perf printed a number that cannot be read: {value[:40]!r}"
        elif _WHOLE.match(value):
            instructions = (instructions or 0) + int(value)
    if clock is None and not reason:
        reason = "perf printed no task-clock"
    return Counts(clock, instructions, reason)


def _named(field: str) -> bool:
    return _event(field) in {CLOCK, INSTRUCTIONS}


def _event(field: str) -> str:
    """The event without its unit and modifier: `task-clock:u`, `cpu_core/instructions/u`."""
    bare = field.split("/")[1] if field.count("/") == 2 else field
    return bare.partition(":")[0]


def _decimal_ms(value: str) -> int | None:
    """Milliseconds of old versions without a run-time field: either decimal mark, no thousands separators."""
    try:
        return round(float(value.replace(",", ".")) * 1e6)
    except (ValueError, OverflowError):
        return None


def explain(message: str) -> str:
    """Turn perf's own words into a named reason; "" for an empty message."""
    line = " ".join(_CHATTER.sub("", message).split())
    if not line:
        return ""
    if _FOREIGN_KERNEL.search(line):
        return "the installed perf belongs to another kernel; install linux-tools for the running one"
    if _OLD.search(line):
        return "the installed perf is too old: it cannot be switched on from outside (--control, since 5.10)"
    if _REFUSED.search(line):
        return f"perf is refused (perf_event_paranoid is {paranoia()}; containers may also block perf_event_open)"
    return f"perf: {line[:200]}"


def paranoia() -> str:
    """The kernel's perf_event_paranoid level, "unknown" where it cannot be read."""
    try:
        with open(_PARANOID, encoding="ascii") as file:  # noqa: PTH123 - a /proc file, and this module must import fast
            return file.read().strip()
    except OSError:
        return "unknown"


def find() -> str | None:
    """Path of the perf program, None when it is not installed."""
    return shutil.which("perf")


def version() -> str:
    """Such as "6.1.187"; "" without a working perf."""
    path = find()
    if path is None:
        return ""
    try:
        done = subprocess.run((path, "--version"), capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.\d+\S*", done.stdout)
    return found.group() if done.returncode == 0 and found else ""
