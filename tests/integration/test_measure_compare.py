"""Whole comparisons of real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from perforch.measure.compare import compare
from perforch.measure.model import Decision, Progress
from perforch.measure.pairs import seed_env
from perforch.measure.session import Session
from perforch.result import Metric
from perforch.sandbox import open_sandbox
from perforch.sandbox.spec import Command, Launch, Limits
from perforch.settings import Acceptance

ACCEPT = Acceptance()


@dataclass(frozen=True)
class Plain:
    argv: tuple[str, ...]

    def launch(self, seed: int) -> Launch:
        return Launch(argv=self.argv, env={**os.environ, **seed_env(seed)}, limits=Limits(wall_seconds=30))


def loop(count: int, tail: str = "") -> Plain:
    return Plain((sys.executable, "-I", "-S", "-c", f"x = 0\nfor i in range({count}): x += i\n{tail}"))


def hold(mib: int) -> Plain:
    return Plain(
        (sys.executable, "-I", "-S", "-c", f"import time\nb = bytearray({mib} << 20)\ntime.sleep(0.05)")
    )


def test_half_the_work_is_faster_and_the_truth_lies_in_the_bounds() -> None:
    steps: list[Progress] = []
    found = compare(
        loop(1_600_000), loop(800_000), metric=Metric.TIME, acceptance=ACCEPT, progress=steps.append
    )
    assert found.decision is Decision.FASTER
    assert set(found.estimates) == set(Metric)
    time = found.estimates[Metric.TIME]
    assert time.ratio == pytest.approx(time.before / time.after)
    assert time.low is not None
    assert 1.02 < time.low <= time.ratio
    assert "timing" in {step.step for step in steps}
    assert len({pair.seed for pair in found.pairs}) == len(found.pairs)


def test_twice_the_work_is_slower() -> None:
    found = compare(loop(800_000), loop(1_600_000), metric=Metric.TIME, acceptance=ACCEPT)
    assert found.decision is Decision.SLOWER


def test_a_canary_never_starts_the_other_side() -> None:
    found = compare(
        loop(300_000),
        Plain(("/nonexistent",)),
        metric=Metric.TIME,
        acceptance=ACCEPT,
        canary=True,
        seconds=20,
    )
    assert found.canary
    assert found.decision in {Decision.NO_CHANGE, Decision.INCONCLUSIVE}


def test_a_failing_side_is_no_claim() -> None:
    found = compare(loop(300_000), loop(1, "raise SystemExit(7)"), metric=Metric.TIME, acceptance=ACCEPT)
    assert found.decision is Decision.INCONCLUSIVE
    assert "the after command failed: it ended with exit status 7" in found.reason


def test_a_side_that_moves_its_work_into_an_orphan_is_no_claim() -> None:
    cheat = loop(1, "import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass\nos._exit(0)")
    found = compare(loop(800_000), cheat, metric=Metric.TIME, acceptance=ACCEPT)
    assert found.decision is Decision.INCONCLUSIVE
    assert "left 1 process" in found.reason


def test_too_little_time_says_what_would_be_enough() -> None:
    found = compare(loop(800_000), loop(800_000), metric=Metric.TIME, acceptance=ACCEPT, seconds=0.2)
    assert found.decision is Decision.INCONCLUSIVE
    assert "8 pairs are the fewest" in found.reason


def test_less_memory_is_claimed_on_the_memory_metric() -> None:
    found = compare(
        hold(60), hold(30), metric=Metric.MAX_MEMORY, acceptance=Acceptance(max_pairs=8), seconds=30
    )
    assert found.decision is Decision.FASTER
    assert found.peak_memory is not None
    assert found.peak_memory.ratio > 1.5


def test_waiting_longer_does_not_pass_as_using_fewer_cpus() -> None:
    found = compare(
        loop(800_000),
        loop(800_000, "import time; time.sleep(0.1)"),
        metric=Metric.CPU,
        acceptance=ACCEPT,
        seconds=30,
    )
    assert found.decision is not Decision.FASTER


def test_without_perf_the_reason_is_noted() -> None:
    found = compare(loop(800_000), loop(300_000), metric=Metric.TIME, acceptance=ACCEPT, use_perf=False)
    assert found.decision is Decision.FASTER
    assert {pair.before.source for pair in found.pairs} == {"wait4"}


def test_inside_the_sandbox_the_launcher_is_not_counted() -> None:
    sandbox = open_sandbox("required")

    @dataclass(frozen=True)
    class Inside:
        count: int

        def launch(self, seed: int) -> Launch:
            code = f"x = 0\nfor i in range({self.count}): x += i"
            return sandbox.launch(
                Command(("/usr/bin/python3", "-I", "-S", "-c", code), cwd="/", env=seed_env(seed))
            )

    found = compare(Inside(1_600_000), Inside(800_000), metric=Metric.TIME, acceptance=ACCEPT, seconds=60)
    assert found.decision is Decision.FASTER, found.reason
    assert found.estimates[Metric.MAX_MEMORY].before < 64 * 1024


@dataclass(frozen=True)
class Counted:
    """Steps of a loop, and MiB that the kernel clears beside it, which executes nothing in user space; 999: every run another number."""

    program: Path
    steps: int
    mib: int = 1
    shell: bool = False

    def launch(self, seed: int) -> Launch:
        return self.launch_with(seed, ())

    def launch_with(self, seed: int, prefix: tuple[str, ...]) -> Launch:
        argv = (str(self.program), f"{self.steps:09}", f"{self.mib:03}")
        if self.shell:
            argv = ("/bin/sh", "-c", f"{' '.join(argv)}; true")
        return Launch(
            argv=(*prefix, *argv), env={**os.environ, **seed_env(seed)}, limits=Limits(wall_seconds=60)
        )


@pytest.fixture(scope="module")
def spin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spin")
    source = """
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#define MADV_POPULATE_WRITE 23
int main(int argc, char **argv) {
  unsigned long x = 88172645463325252ul;
  for (long i = strtol(argv[1], 0, 10); i > 0; i--) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
  size_t mib = strtol(argv[2], 0, 10), size = 512u << 20;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (mib == 999) mib = 1 + now.tv_nsec / 1000 % 64;
  for (int i = 0; i < 4; i++) {
    char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, size, MADV_NOHUGEPAGE);
    madvise(p, mib << 20, MADV_POPULATE_WRITE);
    munmap(p, size);
  }
  return x == 42;
}
"""
    (folder / "spin.c").write_text(source)
    subprocess.run(("gcc", "-O1", "-w", "-o", folder / "spin", folder / "spin.c"), check=True)
    return folder / "spin"


def test_fewer_instructions_are_a_label(spin: Path) -> None:
    found = compare(
        Counted(spin, 12_000_000, shell=True),
        Counted(spin, 6_000_000, shell=True),
        metric=Metric.TIME,
        acceptance=ACCEPT,
    )
    assert found.decision is Decision.FASTER
    assert "fewer instructions" in found.instructions


def test_the_same_instructions_veto_a_claim(spin: Path) -> None:
    with Session() as session:
        exact = not session.counts_instructions  # hardware counters are not exact enough for a veto
    found = compare(
        Counted(spin, 1_000_000, mib=40),
        Counted(spin, 1_000_000, mib=4),
        metric=Metric.TIME,
        acceptance=ACCEPT,
    )
    assert found.pairs[0].before.task_clock_ms > 2 * found.pairs[0].after.task_clock_ms
    assert found.decision is (Decision.INCONCLUSIVE if exact else Decision.FASTER)
    assert ("the same" in found.reason) == exact


def test_fewer_instructions_without_faster_runs_are_said_as_such(spin: Path) -> None:
    found = compare(
        Counted(spin, 3_000_000, mib=999),
        Counted(spin, 1_000_000, mib=999),
        metric=Metric.TIME,
        acceptance=Acceptance(max_pairs=12),
    )
    if found.decision is Decision.INCONCLUSIVE:  # one pair scatters by half, so hardly anything else happens
        assert "fewer instructions, but time is not confirmed" in found.reason


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (str(Path(sys.executable).with_name("perforch")), "bench", *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


FAST, SLOW = (f"{sys.executable} -I -S -c 'for i in range({n}): pass'" for n in (1_000_000, 3_000_000))


def test_bench_prints_every_sample_as_json() -> None:
    done = run(
        "--before", SLOW, "--after", FAST, "--json", "--exit-code", "--no-canary", "--min-effect", "10%"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "faster"
    assert len(document["samples"]) == document["measurements"]["time"]["pairs"] >= 8
    assert document["measurements"]["time"]["ci_low"] > 1.02
    assert document["measurements"]["cpu"]["unit"] == "CPUs"
    for side in ("before", "after"):
        runs = document["memory_samples"][side]
        assert len(runs) == document["measurements"]["max-memory"]["pairs"] == 2
        assert all(0 < run["mean_kib"] <= run["max_kib"] for run in runs)


def test_bench_exit_code_and_plot_for_people() -> None:
    done = run("--before", FAST, "--after", SLOW, "--exit-code", "--no-canary")
    assert done.returncode == 11, done.stdout + done.stderr
    assert done.stdout.startswith("SLOWER: ")
    assert "before/after of every pair" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--before", "", "--after", "true"), "--before is empty"),
        (("--before", "true", "--after", "no-such-program-here"), "there is no program"),
        (("--before", "sh -c 'unbalanced", "--after", "true"), "cannot be split"),
        (("--before", "true", "--after", "true", "--min-effect", "much"), "not a percentage"),
    ],
)
def test_bench_refuses_bad_input(arguments: tuple[str, ...], named: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_bench_runs_no_shell_and_keeps_within_its_seconds(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    began = time.monotonic()
    done = run(
        "--before", f"{sys.executable} -I -S -c 'import time; time.sleep(0.4)' ; touch {mark}",
        "--after", f"{sys.executable} -I -S -c 'import time; time.sleep(0.4)' $(touch {mark}) > {mark}",
        "--max-seconds", "3", "--json", "--exit-code", "--canary",
    )  # fmt: skip
    assert done.returncode == 12, done.stdout + done.stderr
    assert not mark.exists()
    document = json.loads(done.stdout)
    assert document["verdict"] == "inconclusive"
    assert "8 pairs are the fewest" in document["reason"]
    assert time.monotonic() - began < 60


def test_waiting_for_the_machine_costs_nothing_of_the_budget() -> None:
    code = "import sys, time; from perforch.measure.cpus import machine_lock\nwith machine_lock(): print('held', flush=True); time.sleep(5)"
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        steps: list[Progress] = []
        found = compare(
            loop(400_000),
            loop(100_000),
            metric=Metric.TIME,
            acceptance=ACCEPT,
            seconds=4,
            weigh=False,
            progress=steps.append,
        )
    assert steps[0].step == "waiting"
    assert found.decision is Decision.FASTER, found.reason
