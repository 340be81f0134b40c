"""How much faster a suite's programs run through our checker than with one compiler and one process a program.

Usage: benchmarks/validate.py [DATA] [PROBLEMS]. Both sides use the same number of jobs in the same run; the naive side runs
without a sandbox. Prints wall seconds and ratios, own solutions in batches and isolated.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from perforch.profiling import sources
from perforch.profiling.checking import HARNESS, Checker
from perforch.profiling.humanevalpack import HumanEvalPack
from perforch.profiling.suite import Program
from perforch.result import Language
from perforch.sandbox import open_sandbox

JOBS = int(os.environ.get("JOBS", "2"))


def naive(program: Program, folder: Path) -> bool:
    """One compilation and one process, as the published evaluators do it."""
    folder.mkdir()
    language = program.problem.language
    if language is Language.PYTHON:
        (folder / "a.py").write_text(sources.plain(program))
        steps = [[sys.executable, "a.py"]]
    elif language is Language.JAVA:
        (folder / "Main.java").write_text(sources.plain(program))
        steps = [["javac", "Main.java"], ["java", "-cp", ".", "Main"]]
    elif language is Language.CPP:
        (folder / "a.cpp").write_text(sources.plain(program))
        steps = [
            ["g++", "-std=c++17", "-w", f"-idirafter{HARNESS}/cpp", "a.cpp", "-o", "a", "-lcrypto"],
            ["./a"],
        ]
    elif language is Language.GO:
        (folder / "go.mod").write_text("module hx\n\ngo 1.19\n")
        (folder / "assert").mkdir()
        (folder / "assert" / "assert.go").write_bytes((HARNESS / "go" / "assert.go.txt").read_bytes())
        (folder / "a_test.go").write_text(sources.go_file(program, "main"))
        steps = [["go", "test", "."]]
    else:
        (folder / "a.rs").write_text(sources.plain(program))
        libraries = folder.parent / "rlibs"
        externs = [
            part
            for name in ("rand", "regex", "md5")
            for part in ("--extern", f"{name}={libraries}/lib{name}.rlib")
        ]
        steps = [["rustc", "--edition", "2021", "--cap-lints", "allow", "--test", "a.rs", *externs], ["./a"]]
    return all(
        subprocess.run(step, cwd=folder, capture_output=True, check=False).returncode == 0 for step in steps
    )


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared/data/humanevalpack"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 164
    problems = [one for one in HumanEvalPack().load(data, list(Language)) if one.number < count]
    programs = [
        Program(f"k{place}", one, one.head + one.solution("canonical")) for place, one in enumerate(problems)
    ]
    sandbox = open_sandbox("required")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rlibs").mkdir()
        for crate in ("rand", "regex", "md5"):
            source = HARNESS / "rust" / f"{crate}.rs"
            command = [
                "rustc",
                "--edition",
                "2021",
                "--crate-type",
                "rlib",
                "--crate-name",
                crate,
                str(source),
            ]
            subprocess.run(command, cwd=folder / "rlibs", check=True, capture_output=True)
        totals = {"naive": 0.0, "batch": 0.0, "isolated": 0.0}
        for language in Language:
            mine = [program for program in programs if program.problem.language is language]
            seconds = {}
            for way, isolated in (("batch", False), ("isolated", True)):
                checker = Checker(sandbox, jobs=JOBS, isolated=isolated)
                checker.check(mine[:1])  # fills the compiler's cache, as every later run finds it
                started = time.monotonic()
                good = sum(one.state == "passed" for one in checker.check(mine).values())
                seconds[way] = time.monotonic() - started
                print(f"{language} {way}: {good} of {len(mine)} pass, {seconds[way]:.1f} s")
            started = time.monotonic()
            with ThreadPoolExecutor(JOBS) as pool:
                good = sum(pool.map(lambda one: naive(one, folder / one.key), mine))
            seconds["naive"] = time.monotonic() - started
            print(f"{language} naive: {good} of {len(mine)} pass, {seconds['naive']:.1f} s")
            for way, value in seconds.items():
                totals[way] += value
    for name in ("batch", "isolated"):
        print(
            f"all languages, {name}: {totals['naive'] / totals[name]:.1f} times faster than one process a program"
        )


if __name__ == "__main__":
    main()
