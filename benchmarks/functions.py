"""Seconds and memory for the functions of 10,000 changed files in one repository, against one CPU and against `git show`.

    uv run python benchmarks/functions.py [--files 2100]

The repository is generated (tests/integration/changes_world.py), five languages, every kind of edit; its changed functions are
known, and the answer is compared with them. `perforch functions` runs as a user runs it, on two CPUs. The alternatives run in
the same session: the same command on one CPU, and a plain loop that asks `git show` for both sides of each file and parses
them, on every tenth file, scaled.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "integration"))

from changes_world import World
from test_changes_find import rows, write

from perforch.languages import syntax


def functions(repository: Path, cpus: set[int], out: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and the peak of the resident memory of all its processes in MiB."""
    command = [
        sys.executable,
        "-m",
        "perforch",
        "functions",
        "--repo",
        str(repository),
        "--base",
        "main",
        "--head",
        "change",
    ]
    peak, cpu = 0, 0.0
    with out.open("wb") as stream, (out.parent / "said").open("wb") as said:
        started = time.monotonic()
        process = psutil.Popen(
            [*command, "--json"], stdout=stream, stderr=said, preexec_fn=lambda: os.sched_setaffinity(0, cpus)
        )
        spent: dict[int, float] = {}
        while process.poll() is None:
            try:
                family = [process, *process.children(recursive=True)]
                resident = 0
                for one in family:
                    with one.oneshot():
                        resident += one.memory_info().rss
                        times = one.cpu_times()
                        spent[one.pid] = times.user + times.system
                peak = max(peak, resident)
            except psutil.Error:
                pass
            time.sleep(0.05)
        seconds = time.monotonic() - started
    cpu = sum(spent.values())
    if process.returncode:
        message = f"exit code {process.returncode}"
        raise SystemExit(message)
    return seconds, cpu, peak / 2**20


def naive(repository: Path, paths: list[str], cpus: set[int]) -> float:
    """One `git show` a side and a parse of what it says, one file after the other."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    started = time.monotonic()
    for path in paths:
        language = syntax.language_of(path)
        if language is None:
            continue
        for side in ("main", "change"):
            done = subprocess.run(
                ["git", "show", f"{side}:{path}"], cwd=repository, capture_output=True, check=False
            )
            syntax.definitions(language, done.stdout)
    seconds = time.monotonic() - started
    os.sched_setaffinity(0, before)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=2100, help="in each of five languages")
    files = parser.parse_args().files
    cpus = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="perforch-bench-") as name:
        folder = Path(name)
        repository = folder / "repository"
        truth = World(seed=1).build(files)
        write(repository, truth)
        diff = subprocess.run(
            ["git", "diff", "--name-only", "-z", "-M", "-l0", "main", "change"],
            cwd=repository, capture_output=True, check=True,
        )  # fmt: skip
        changed = diff.stdout.decode().rstrip("\0").split("\0")
        size = sum(map(len, truth.head.values())) / 2**20
        print(
            f"{len(changed)} changed files of {len(truth.head)}, {size:.1f} MiB, {len(truth.functions)} changed functions"
        )
        seconds: dict[str, float] = {}
        for label, where in (("two CPUs", set(cpus[:2])), ("one CPU", set(cpus[:1]))):
            seconds[label], spent, peak = functions(repository, where, folder / "out.json")
            exact = rows(json.loads((folder / "out.json").read_bytes())) == truth.functions
            print(
                f"perforch functions, {label}: {seconds[label]:.1f} s, {spent:.1f} s of CPU, peak {peak:.0f} MiB, exact: {exact}"
            )
        sample = changed[::10]
        seconds["git show"] = naive(repository, sample, set(cpus[:2])) * len(changed) / len(sample)
        print(
            f"git show and parse, one file after the other: {seconds['git show']:.1f} s (scaled from {len(sample)} files)"
        )
        for label in ("one CPU", "git show"):
            print(f"two CPUs are {seconds[label] / seconds['two CPUs']:.2f} times faster than {label}")


if __name__ == "__main__":
    main()
