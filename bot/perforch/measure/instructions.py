"""Instruction counts: a veto and a label for time claims, never a claim.

A walk through memory in another order executes almost the same instructions 21 times slower; so equal or fewer instructions prove nothing,
but a "win" that executes exactly the same instructions is a matter of code layout. Counts come from hardware counters where
the machine has them, else from `valgrind --tool=cachegrind --cache-sim=no`, which slows programs down 6 to 50 times.
All processes of the program are followed and none before it. Not for Java: its compiler threads make the count a matter of chance.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from perforch.measure.model import InstrumentedLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perforch.measure.model import Launcher
    from perforch.measure.session import Session
    from perforch.sandbox.spec import Launch

VALGRIND = (
    "valgrind",
    "--tool=cachegrind",
    "--cache-sim=no",
    "--cachegrind-out-file=/dev/null",
    "--trace-children=yes",
)
_TOTAL = re.compile(r"^==(\d+)== I\s+refs:\s+([\d,]+)\s*$", re.MULTILINE)
_HEADER = re.compile(r"^==(\d+)== Cachegrind", re.MULTILINE)
_FEWER = 0.95  # a fall of 5 % is worth a word
_SAME = 0.01
SLOWDOWN = 25  # of a Python program; compiled ones are slowed 6 to 10 times
_JAVA = {"java", "mvn", "gradle", "ant", "kotlin", "scala"}


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
            f"both sides execute the same {before} instructions: the difference is not in the code but in its layout or in "
            "the kernel, so nothing is claimed",
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
    """Sum of the totals of all processes that valgrind followed; None unless each that it names ended with one."""
    totals = [(pid, int(found.replace(",", ""))) for pid, found in _TOTAL.findall(text)]
    if not totals or {pid for pid, _ in totals} != set(_HEADER.findall(text)):
        return None
    return sum(total for _, total in totals)


def compare(
    session: Session, before: Launcher, after: Launcher, *, seconds: float, tosses: Iterator[tuple[bool, int]]
) -> Counted:
    """Count both sides once with the same seed; nothing when there is no instrument or no time."""
    _, seed = next(tosses)
    first = before.launch(seed)
    session.discard(first)
    if not meaningful(first):
        return Counted()
    if session.counts_instructions:
        counts = [session.count_instructions(side.launch(seed)) for side in (before, after)]
        counted = judge(*(count or 0 for count in counts))
        # Hardware counts of identical programs differ by a few hundred; only valgrind's are exact enough for a veto.
        return Counted() if counted.veto else counted
    if not isinstance(before, InstrumentedLauncher) or not isinstance(after, InstrumentedLauncher):
        return Counted()
    totals: list[int] = []
    deadline = time.monotonic() + seconds
    for side in (before, after):
        left = deadline - time.monotonic()
        if left < 2:
            return Counted()
        failure, text = session.run_captured(
            side.launch_with(seed, VALGRIND), timeout=left / (2 - len(totals))
        )
        total = None if failure else parse_valgrind(text)
        if total is None:
            return Counted()
        totals.append(total)
    return judge(*totals)


def meaningful(launch: Launch) -> bool:
    """False for programs that run on a virtual machine which compiles as it goes."""
    return not any(PurePath(word).name in _JAVA for word in launch.argv)
