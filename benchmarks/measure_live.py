"""The engine on real runs: identical programs, and a work loop with 5 % and 10 % less work.

    uv run python benchmarks/measure_live.py [--same 300] [--different 100] [--load 3]

`--load` keeps so many other CPUs busy meanwhile. Prints claims, whether the true ratio lies above the lower bound, pairs and seconds.
The true ratio is taken as that of the loop counts; start-up (under a millisecond) dilutes it by less than 1 %.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from perforch.measure.compare import compare
from perforch.measure.model import Comparison, Decision
from perforch.measure.pairs import seed_env
from perforch.result import Metric
from perforch.sandbox.spec import Launch, Limits
from perforch.settings import Acceptance

SOURCE = """
#include <stdint.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  uint64_t x = 88172645463325252ull;
  for (long i = atol(argv[1]); i > 0; i--) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
  return x == 42;
}
"""
WORK = 40_000_000


@dataclass(frozen=True)
class Loop:
    program: Path
    count: int

    def launch(self, seed: int) -> Launch:
        argv = (str(self.program), str(self.count))
        return Launch(argv=argv, env={**os.environ, **seed_env(seed)}, limits=Limits(wall_seconds=60))


def row(label: str, found: list[Comparison], truth: float, seconds: float) -> None:
    faster = sum(c.decision is Decision.FASTER for c in found)
    slower = sum(c.decision is Decision.SLOWER for c in found)
    lows = [c.estimates[Metric.TIME].low for c in found if Metric.TIME in c.estimates]
    above = sum(1 for low in lows if low is not None and low > truth)
    pairs = mean(len(c.pairs) for c in found)
    print(f"{label:28} {len(found):4} decisions: {faster} faster, {slower} slower, {above} lower bounds above the truth; "
          f"{pairs:.1f} pairs, {seconds / len(found):.2f} s a decision")  # fmt: skip
    for comparison in found:
        if comparison.decision is Decision.INCONCLUSIVE:
            print("   inconclusive:", comparison.reason)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--same", type=int, default=300)
    parser.add_argument("--different", type=int, default=100)
    parser.add_argument("--load", type=int, default=0, help="busy loops on other CPUs")
    options = parser.parse_args()
    busy = [subprocess.Popen(("sh", "-c", "while :; do :; done")) for _ in range(options.load)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "loop"
            (Path(folder) / "loop.c").write_text(SOURCE)
            subprocess.run(("gcc", "-O1", "-o", program, f"{program}.c"), check=True)
            for label, share, count in (
                ("identical", 1.0, options.same),
                ("5 % less work", 0.95, options.different),
                ("10 % less work", 0.9, options.different),
            ):
                began = time.monotonic()
                found = [
                    compare(
                        Loop(program, WORK),
                        Loop(program, int(WORK * share)),
                        metric=Metric.TIME,
                        acceptance=Acceptance(),
                        only_faster=True,
                    )
                    for _ in range(count)
                ]
                row(label, found, 1 / share, time.monotonic() - began)
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
