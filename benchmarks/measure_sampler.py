"""The memory sampler beside cmdbench (the paper's tool) on programs whose memory is known, in the same minutes and in coin-tossed order.

    uv run python benchmarks/measure_sampler.py [--rounds 10]

cmdbench 0.1.22 polls psutil without a pause and reads GNU time; `uv` fetches it into an environment of its own. Where that fails its
columns stay empty and the reason is printed. "Samples" are distinct milliseconds with a sample, of those that the program ran.
The last lines say what watching costs: CPU time of the watcher, and CPU time of the program by its own clock, watched against alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from perforch.measure.pairs import scatter
from perforch.measure.session import Session
from perforch.sandbox.spec import Launch, Limits

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static double clock_of(clockid_t id) { struct timespec t; clock_gettime(id, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void spin(double seconds) { while (clock_of(CLOCK_PROCESS_CPUTIME_ID) < seconds) {} }
static char *hold(size_t mib) { char *b = malloc(mib << 20); memset(b, 1, mib << 20); return b; }
int main(int argc, char **argv) {
  char kind = argv[1][0];
  unsigned long x = 88172645463325252ul;
  if (kind == 'w') for (long i = 0; i < 100000000; i++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
  if (kind == 's') spin(0.01);
  if (kind == 'p') {
    usleep(50000);
    char *b = mmap(0, 32u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    munmap(b, 32u << 20);
    usleep(50000);
  }
  if (kind == 'r') {
    usleep(50000);
    char *b = mmap(0, 200u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    usleep(2000);
    munmap(b, 200u << 20);
    usleep(50000);
  }
  if (kind == 'c') {
    for (int i = 0; i < 4; i++) if (fork() == 0) { char *b = hold(50); usleep(150000); _exit(b[9] - 1); }
    while (wait(0) > 0) {}
  }
  if (kind == 'e') { char *b = hold(120); usleep(40000); execl(argv[0], argv[0], "f", argv[2], (char *)0); return b[9]; }
  if (kind == 'f') { char *b = hold(40); usleep(40000); if (b[9] != 1) return 1; }
  FILE *out = fopen(argv[2], "w");
  fprintf(out, "%f", clock_of(CLOCK_PROCESS_CPUTIME_ID));
  fclose(out);
  return x == 42;
}
"""
# kind, words, truth in MiB, whether that is resident memory
PROGRAMS = (
    ("w", "works for some 200 ms", 0, True),
    ("s", "works for 10 ms", 0, True),
    ("n", "ends at once", 0, True),
    ("r", "maps 200 MiB for 2 ms, untouched", 200, False),
    ("p", "touches 32 MiB and frees them at once", 32, True),
    ("c", "four children hold 50 MiB each", 200, True),
    ("e", "holds 120 MiB, then becomes one of 40", 120, True),
)
CMDBENCH = r"""
import json, resource, sys, time
import cmdbench
def cpu():
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)
print("ready", flush=True)
for line in sys.stdin:
    before = cpu()
    found = cmdbench.benchmark_command(line.strip(), iterations_num=1, raw_data=False).get_first_iteration()
    series = found.time_series
    print(json.dumps({"samples": len(set(map(int, series.sample_milliseconds))), "ms": found.process.execution_time * 1000,
                      "max": int(found.memory.max) // 1024, "cpu": cpu() - before}), flush=True)
"""


@dataclass
class Watched:
    """What one tool said about one program, one entry a run."""

    samples: list[int] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    maximum: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


class Cmdbench:
    """cmdbench in a process of its own, one command a line."""

    def __init__(self) -> None:
        self.reason = "uv is not installed" if shutil.which("uv") is None else ""
        if self.reason:
            return
        self._process = subprocess.Popen(
            ("uv", "run", "--no-project", "--quiet", "--with", "cmdbench==0.1.22", "python", "-c", CMDBENCH),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            _, words = self._process.communicate()
            self.reason = f"cmdbench cannot be installed: {' '.join(words.split())[-200:]}"
        elif shutil.which("time") is None:
            self.reason = "cmdbench needs GNU time (/usr/bin/time)"

    def watch(self, command: str) -> dict[str, Any] | None:
        """One run; None where cmdbench failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(command, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        while line and not line.startswith("{"):  # it prints warnings to standard output
            line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def close(self) -> None:
        if not self.reason:
            self._process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    ours = {kind: Watched() for kind, *_ in PROGRAMS}
    theirs = {kind: Watched() for kind, *_ in PROGRAMS}
    alone = {kind: Watched() for kind, *_ in PROGRAMS}
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as folder, Session(use_perf=False) as session:
        program, mark = Path(folder) / "program", Path(folder) / "cpu"
        Path(f"{program}.c").write_text(SOURCE)
        subprocess.run((shutil.which("gcc") or "cc", "-O1", "-w", "-o", program, f"{program}.c"), check=True)
        cmdbench = Cmdbench()

        def perforch(kind: str) -> None:
            memory = session.weigh(_launch(program, kind, mark)).memory
            assert memory is not None
            row = ours[kind]
            row.samples.append(round(memory.coverage * memory.seconds * 1000))
            row.ms.append(memory.seconds * 1000)
            row.maximum.append(memory.max_kib / 1024)
            row.resident.append(memory.peak_rss_kib / 1024)
            row.own.append(float(mark.read_text()))
            row.cpu.append(memory.sampler_share)

        def nothing(kind: str) -> None:
            assert not session.time(_launch(program, kind, mark)).sample.failure
            alone[kind].own.append(float(mark.read_text()))

        def other(kind: str) -> None:
            said = None if cmdbench.reason else cmdbench.watch(f"{program} {kind} {mark}")
            if said is None:
                return
            row = theirs[kind]
            row.samples.append(said["samples"])
            row.resident.append(said["max"] / 1024)
            row.own.append(float(mark.read_text()))
            row.ms.append(max(said["ms"], row.own[-1] * 1000))
            row.cpu.append((said["cpu"] - row.own[-1]) / max(row.ms[-1] / 1000, 0.01))

        for _ in range(rounds):
            for kind, *_rest in PROGRAMS:
                for tool in random.sample((perforch, nothing, other), 3):
                    tool(kind)
        cmdbench.close()
    console.print(
        f"{rounds} rounds, {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    )
    if cmdbench.reason:
        console.print(f"Without cmdbench: {cmdbench.reason}")
    console.print(table(ours, theirs, rounds))
    for name, watched in (("perforch", ours["w"]), ("cmdbench", theirs["w"])):
        if watched.own:
            logs = [math.log(own / bare) for own, bare in zip(watched.own, alone["w"].own, strict=True)]
            bound = 2.576 * 1.253 * scatter(logs) / math.sqrt(len(logs))  # of a median
            console.print(
                f"{name}: watching takes {median(watched.cpu):.1%} of a CPU; the program's own CPU time becomes "
                f"{math.exp(median(logs)):.3f}× (± {bound:.3f}, 99 %)"
            )


def _launch(program: Path, kind: str, mark: Path) -> Launch:
    return Launch((str(program), kind, str(mark)), dict(os.environ), limits=Limits(wall_seconds=30))


def table(ours: dict[str, Watched], theirs: dict[str, Watched], rounds: int) -> Table:
    """Coverage and memory; "right" counts the runs within 10 % of what the program holds."""
    found = Table(title="What each tool says about programs whose memory is known (medians)")
    for column in (
        "the program",
        "holds MiB",
        "perforch: samples",
        "MiB",
        "right",
        "cmdbench: samples",
        "MiB",
        "right",
    ):
        found.add_column(column, justify="left" if column == "the program" else "right")
    for kind, words, truth, resident in PROGRAMS:
        cells = []
        for watched, address in ((ours[kind], not resident), (theirs[kind], False)):
            sizes = watched.maximum if address else watched.resident
            if not sizes:
                cells += ["-", "-", "-"]
                continue
            share = median(
                100 * samples / max(ms, 1) for samples, ms in zip(watched.samples, watched.ms, strict=True)
            )
            right = sum(abs(size - truth) < 0.1 * truth for size in sizes)
            cells += [
                f"{median(watched.samples):.0f} ({min(share, 100):.0f} %)",
                f"{median(sizes):.1f}",
                f"{right}/{rounds}" if truth else "-",
            ]
        found.add_row(words, str(truth or "-"), *cells)
    return found


if __name__ == "__main__":
    main()
