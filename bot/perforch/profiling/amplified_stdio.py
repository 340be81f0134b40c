"""Programs on standard input and output repeated without starting anew: every case of a problem, as often as asked.

Python runs from fresh globals, C++ in a fork of one process; Java and Go keep their static state, and where that changes the output
of a later run the problem is said to be impossible. Inputs lie in files; what is expected is not there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perforch.profiling import builds, stdio
from perforch.profiling.amplified import Loop
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.profiling.suite import Program

_INPUTS = f"{SOURCE}/in"
_HARNESS = "/harness/stdio"
_GO_MAIN = re.compile(r"^func\s+main\s*\(\s*\)", re.MULTILINE)


def write(program: Program, folder: Path, harness: Path) -> Loop:
    """Like `amplified.write`."""
    cases = program.problem.cases
    pairs = cases.pairs if cases else ()
    (folder / "in").mkdir()
    for number, (given, _) in enumerate(pairs):
        (folder / "in" / f"{number:06}").write_text(given, encoding="utf-8")
    whole = stdio.text(program)
    language = program.problem.language
    if language is Language.PYTHON:
        (folder / "main.py").write_text(whole, encoding="utf-8")
        return Loop((), ("python3", "-I", f"{_HARNESS}/loop.py", f"{SOURCE}/main.py", _INPUTS))
    if language is Language.JAVA:
        name = stdio.java_class(whole)
        (folder / f"{name}.java").write_text(whole, encoding="utf-8")
        argv = [*builds.JAVAC, "-d", f"{OUTPUT}/c"]
        build = {"id": "loop", "argv": [*argv, f"{SOURCE}/{name}.java", f"{_HARNESS}/StdioLoop.java"]}
        command = ("java", *stdio.JAVA_FLAGS, "-cp", f"{OUTPUT}/c", "StdioLoop", name, _INPUTS)
        return Loop((build,), command, threads=2)
    if language is Language.CPP:
        (folder / "main.cpp").write_text(whole, encoding="utf-8")
        steps = (
            f"{' '.join(stdio.CXX)} -c {SOURCE}/main.cpp -o {OUTPUT}/main.o",
            f"objcopy --redefine-sym main=hx_main {OUTPUT}/main.o",
            f"gcc -O2 -c {_HARNESS}/loop.c -o {OUTPUT}/loop.o",
            f"g++ {OUTPUT}/main.o {OUTPUT}/loop.o -o {OUTPUT}/loop",
        )
        return Loop(({"id": "loop", "argv": ["sh", "-c", " && ".join(steps)]},), (f"{OUTPUT}/loop", _INPUTS))
    (folder / "go.mod").write_text(builds.GO_MODULE)
    (folder / "main.go").write_text(_GO_MAIN.sub("func hxMain()", whole, count=1), encoding="utf-8")
    (folder / "hx_loop.go").write_bytes((harness / "stdio" / "loop.go.txt").read_bytes())
    build = {
        "id": "loop",
        "argv": ["go", "build", "-ldflags=-s -w", "-o", f"{OUTPUT}/loop", "."],
        "cwd": SOURCE,
    }
    return Loop((build,), (f"{OUTPUT}/loop", _INPUTS), threads=2)
