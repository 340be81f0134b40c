"""Instruction counts: a veto and a label for time claims, never a claim.

A walk through memory in another order executes almost the same instructions 21 times slower; so equal or fewer instructions prove nothing,
but a "win" that executes exactly the same instructions is a matter of code layout. Counts come from hardware counters where
the machine has them, else from `valgrind --tool=cachegrind --cache-sim=no`, which slows programs down 6 to 50 times.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.measure.model import InstrumentedLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.measure.model import Launcher
    from perforch.measure.session import Session

VALGRIND = (
    "valgrind",
    "--tool=cachegrind",
    "--cache-sim=no",
    "--cachegrind-out-file=/dev/null",
    "--trace-children=yes",
)
_TOTAL = re.compile(r"^==\d+== I\s+refs:\s+([\d,]+)\s*$", re.MULTILINE)
_FEWER = 0.95  # a fall of 5 % is worth a word
_SAME = 0.01


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counts say. `label` is one sentence, "" when nothing was counted."""

    label: str = ""
    veto: bool = False
    fewer: bool = False


def judge(before: int, after: int) -> Counted:
    """Compare two counts of user-space instructions of runs with the same seed."""
    if before <= 0 or after <= 0:
        return Counted()
    if before == after:
        return Counted(
            f"both sides execute the same {before} instructions: the difference is code layout, so nothing is claimed",
            veto=True,
        )
    ratio = before / after
    if after < _FEWER * before:
        return Counted(f"{ratio:.2f}× fewer instructions", fewer=True)
    if abs(ratio - 1) < _SAME:
        return Counted(f"as many instructions within 1 % ({ratio:.3f}×)")
    return Counted(
        f"{ratio:.2f}× fewer instructions" if ratio > 1 else f"{1 / ratio:.2f}× more instructions",
        fewer=ratio > 1,
    )


def parse_valgrind(text: str) -> int | None:
    """Sum of the totals of all processes that valgrind followed; None without any."""
    totals = [int(found.replace(",", "")) for found in _TOTAL.findall(text)]
    return sum(totals) if totals else None


def compare(
    session: Session, before: Launcher, after: Launcher, *, seconds: float, tosses: Iterator[tuple[bool, int]]
) -> Counted:
    """Count both sides once with the same seed; nothing when there is no instrument or no time."""
    _, seed = next(tosses)
    hardware = session.count_instructions(before.launch(seed))
    if hardware is not None:
        other = session.count_instructions(after.launch(seed))
        counted = judge(hardware, other or 0)
        # Hardware counts of identical programs differ by a few hundred; only valgrind's are exact enough for a veto.
        return Counted(counted.label, fewer=counted.fewer) if not counted.veto else Counted()
    if not isinstance(before, InstrumentedLauncher) or not isinstance(after, InstrumentedLauncher):
        return Counted()
    counts = []
    deadline = time.monotonic() + seconds
    for side in (before, after):
        left = deadline - time.monotonic()
        if left < 2:
            return Counted()
        failure, text = session.run_captured(side.launch_with(seed, VALGRIND), timeout=left / 2)
        total = None if failure else parse_valgrind(text)
        if total is None:
            return Counted()
        counts.append(total)
    return judge(counts[0], counts[1])
