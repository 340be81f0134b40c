"""How often a test runs inside one timed process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1_000_000
_GROWTH = 10.0  # at most, in one step: an estimate from a run within the noise must not explode
_EXCESS = 1.6  # more than this many times the target is cut back: every sample would pay for it


def calibrate(cpu_ms: Callable[[int], float | None], *, min_ms: float, most: int = MOST) -> int | None:
    """Repeat count whose work takes at least `min_ms` of CPU time above the start-up.

    The start-up is what `cpu_ms(0)` takes: everything but the tests. It is repaid at least once over, so that an effect on the
    function is never diluted to less than half.

    Args:
        cpu_ms: CPU milliseconds of one process that runs the tests so many times; None when it fails.

    Returns:
        The count, or None when even one repetition fails. Tests that only fail when they are repeated get the largest
        count that worked.
    """
    starts = [spent for spent in (cpu_ms(0), cpu_ms(0)) if spent is not None]
    if not starts:
        return None
    idle = min(starts)
    target = max(min_ms, idle)
    count, good = 1, None
    while True:
        spent = cpu_ms(count)
        if spent is None:
            return good
        good = count
        work = spent - idle
        if work > _EXCESS * target and count > 1:
            return max(1, round(count * 1.15 * target / work))
        if work >= target or count >= most:
            return count
        growth = min(_GROWTH, 1.15 * target / work) if work > 0 else _GROWTH
        count = min(most, max(count + 1, int(count * growth)))
