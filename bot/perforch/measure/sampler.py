"""Memory of a process tree every millisecond, read from outside through open descriptors.

`/proc/PID/statm` counts pages: field 6 is VmData + VmStk, the paper's memory metric; field 2 is what is resident
(proc(5)). Standard library only: this runs inside the small starter process, on a CPU of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import time
from dataclasses import dataclass, field

PERIOD = 0.001  # seconds
_WALK = 10  # ticks between two walks over all threads of the tree
_CHEAP = 8  # processes up to which the main threads' children are read at every tick
_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_PEAKS = re.compile(rb"VmPeak:\s*(\d+) kB.*VmHWM:\s*(\d+) kB", re.DOTALL)
MIN_SAMPLES = 20
MIN_COVERAGE = 0.9


@dataclass(slots=True)
class _Process:
    pid: int
    statm: int
    status: int
    children: int
    resident: int = -1
    high_water_kib: int = 0
    widest_kib: int = 0  # address space at any tick
    peak_kib: int = 0  # the kernel's high-water mark of it

    def close(self) -> None:
        for descriptor in (self.statm, self.status, self.children):
            if descriptor >= 0:
                os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Memory:
    """One run's memory, KiB, summed over the process tree.

    Attributes:
        mean_kib, max_kib: VmData + VmStk; the mean is weighted by time, so late samples do not bias it.
        peak_rss_kib: the most that was resident: sum of the tree at any tick, or the kernel's own high-water mark of one process.
        coverage: samples taken / milliseconds of the run.
        p50_ms, p99_ms: interval between samples.
        sampler_share: CPU time of the sampler / run time.
        left: processes of the tree still alive when its root ended.
        unseen_kib: the kernel's high-water mark of address space of one process rose so far above every sample: a spike between two ticks.
    """

    mean_kib: float
    max_kib: int
    peak_rss_kib: int
    samples: int
    seconds: float
    coverage: float
    p50_ms: float
    p99_ms: float
    sampler_share: float
    left: int = 0
    unseen_kib: int = 0

    @property
    def shortfall(self) -> str:
        """Why the mean must not be shown, "" when it may be."""
        if self.samples < MIN_SAMPLES:
            return f"too short to sample: {self.samples} samples in {self.seconds * 1000:.1f} ms"
        if self.coverage < MIN_COVERAGE:
            return f"the sampler reached only {self.coverage:.0%} of the milliseconds"
        return ""


@dataclass(slots=True)
class Sampler:
    """Samples the tree below `root` until its pidfd becomes readable or `deadline` (monotonic seconds) passes."""

    root: int
    _tree: dict[int, _Process] = field(default_factory=dict)
    _seen: list[tuple[float, int, int]] = field(default_factory=list)
    _gone_high_water: int = 0
    _unseen: int = 0

    def run(self, pidfd: int, deadline: float) -> Memory | None:
        """Sample to the end; None when the deadline passed first."""
        self._add(self.root)
        started, cpu = time.monotonic(), time.process_time()
        tick, ended = 0, False
        while not ended:
            if time.monotonic() > deadline:
                self._close()
                return None
            self._sample(tick)
            tick = max(tick + 1, int((time.monotonic() - started) / PERIOD) + 1)  # missed ticks are dropped
            wait = started + tick * PERIOD - time.monotonic()
            # select(2) waits in microseconds, poll(2) in whole milliseconds.
            ended = bool(select.select((pidfd,), (), (), max(wait, 0))[0])
        stopped = time.monotonic()
        left = sum(1 for pid in self._tree if pid != self.root and _running(pid))
        self._close()
        return self._summary(started, stopped, time.process_time() - cpu, left)

    def _add(self, pid: int) -> None:
        if pid in self._tree:
            return
        opened: list[int] = []
        try:
            for name in ("statm", "status", f"task/{pid}/children"):
                opened.append(os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            return
        self._tree[pid] = _Process(pid, *opened)

    def _remove(self, process: _Process) -> None:
        self._gone_high_water = max(self._gone_high_water, process.high_water_kib)
        process.close()
        del self._tree[process.pid]

    def _sample(self, tick: int) -> None:
        if tick % _WALK == 0:
            self._walk()
        elif len(self._tree) <= _CHEAP:
            for process in list(self._tree.values()):
                self._follow(_read(process.children, 4096))
        data = resident = 0
        now = time.monotonic()
        for process in list(self._tree.values()):
            fields = _read(process.statm, 128).split()
            if len(fields) < 6 or (fields[0] == b"0" and process.pid != self.root):
                self._remove(process)
                continue
            pages = int(fields[1])
            data += int(fields[5])
            resident += pages
            process.widest_kib = max(process.widest_kib, int(fields[0]) * _PAGE_KIB)
            if pages != process.resident or tick % _WALK == 0:
                process.resident = pages
                self._note_peaks(process)
        if data:  # a root that is only a zombie reads zeros
            self._seen.append((now, data * _PAGE_KIB, resident * _PAGE_KIB))

    def _note_peaks(self, process: _Process) -> None:
        found = _PEAKS.search(_read(process.status, 4096))
        if found is None:
            return
        peak, process.high_water_kib = int(found.group(1)), int(found.group(2))
        if process.peak_kib:  # what happened before the first sample was the loader's
            self._unseen = max(self._unseen, peak - max(process.peak_kib, process.widest_kib))
        process.peak_kib = peak

    def _follow(self, listed: bytes) -> None:
        for word in listed.split():
            self._add(int(word))

    def _walk(self) -> None:
        for pid in list(self._tree):
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - pathlib costs ten times as much here
                    if int(thread) != pid:
                        with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                            self._follow(file.read())
            if pid in self._tree:
                self._follow(_read(self._tree[pid].children, 65536))

    def _close(self) -> None:
        for process in list(self._tree.values()):
            self._remove(process)

    def _summary(self, started: float, stopped: float, cpu: float, left: int) -> Memory:
        times = [at for at, _, _ in self._seen]
        spans = [after - at for at, after in zip(times, [*times[1:], stopped], strict=False)]
        gaps = sorted(spans[:-1]) or [0.0]
        seconds = max(stopped - started, 1e-9)
        mean = sum(span * kib for span, (_, kib, _) in zip(spans, self._seen, strict=True))
        total = sum(spans)
        return Memory(
            mean_kib=mean / total if total > 0 else 0.0,
            max_kib=max((kib for _, kib, _ in self._seen), default=0),
            peak_rss_kib=max(max((kib for _, _, kib in self._seen), default=0), self._gone_high_water),
            samples=len(self._seen),
            seconds=seconds,
            coverage=min(len(self._seen) / max(int(seconds / PERIOD), 1), 1.0),
            p50_ms=gaps[len(gaps) // 2] * 1000,
            p99_ms=gaps[int(len(gaps) * 0.99)] * 1000,
            sampler_share=cpu / seconds,
            left=left,
            unseen_kib=self._unseen,
        )


def _read(descriptor: int, size: int) -> bytes:
    """Read from the start; empty once the process is reaped (ESRCH)."""
    try:
        return os.pread(descriptor, size, 0)
    except OSError:
        return b""


def _running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - called in the sampling loop
            return file.read().rpartition(b")")[2].split()[0] not in b"ZX"
    except (OSError, IndexError):
        return False
