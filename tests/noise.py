"""Recorded CPU times (ms) of identical programs, run again and again on a busy ("contended") and on a quiet ("reserved") CPU.

Windows are contiguous, so drift and autocorrelation stay in; only the order within each pair is tossed. Effects are injected by
multiplication, so results with an effect are simulated on real noise.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

JAVA = "reserved_java"
SHORT = ("reserved_cpp2s", "reserved_py2s")  # too few runs for a cap of 60 pairs


@cache
def traces() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "data" / "noise.npz") as data:
        return {name: data[name].astype(float) for name in data.files}


def usable() -> list[str]:
    return [name for name in traces() if name not in (*SHORT, JAVA)]


def log_ratios(name: str, *, effect: float, count: int, cap: int = 60, seed: int = 1) -> np.ndarray:
    """`count` comparisons of `cap` pairs; `after` takes `effect` times as long as `before`."""
    random = np.random.default_rng(seed)
    trace = traces()[name]
    starts = random.integers(0, len(trace) - 2 * cap + 1, count)
    values = trace[starts[:, None] + np.arange(2 * cap)].reshape(count, cap, 2)
    first = random.random((count, cap)) < 0.5
    before = np.where(first, values[:, :, 0], values[:, :, 1])
    after = np.where(first, values[:, :, 1], values[:, :, 0]) * effect
    return np.log(before / after)
