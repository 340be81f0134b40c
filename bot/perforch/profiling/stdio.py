"""Programs with tests on standard input and output: source text, builds, runs of every case, and the suite's own comparison.

A program never sees what is expected of it: its outputs are compared in a second start of the sandbox.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perforch.profiling import builds, preludes, sources
from perforch.profiling.suite import PLACE
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from perforch.profiling.suite import Cases, Program

JAVA_FLAGS = ("-Xshare:auto", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx1024m", "-Xss64m")
CXX = ("g++", "-std=gnu++17", "-O2", "-w")
_MEMORY = 1 << 30  # the published limit of a case
_LEAST_OUTPUT = 1 << 20
_ESCAPES = re.compile(r"\x1b(?:[@-Z\\-_]|\[[0-?]*[ -/]*[@-~])")


@dataclass(frozen=True, slots=True)
class Built:
    """A program as files below `/src/KEY`, how to build it into `/out/KEY`, and how to start it.

    Attributes:
        build: for `driver.py`; None where nothing is built.
        memory: limit of the address space in bytes, 0 where the program limits itself.
    """

    key: str
    build: dict[str, Any] | None
    argv: tuple[str, ...]
    memory: int


def text(program: Program) -> str:
    """The whole program: what the suite's runner offers, the runner, and the submitted code in its place."""
    cases = program.problem.cases
    runner = cases.runner if cases else ""
    language = program.problem.language
    if not runner:
        return go(program.code) if language is Language.GO else program.code
    head = preludes.HEADS[language]
    code = program.code
    if language is Language.JAVA:
        imports = re.findall(r"^[ \t]*import\s[^;\n]+;", code, re.MULTILINE)
        code = re.sub(r"^[ \t]*import\s[^;\n]+;", "", code, flags=re.MULTILINE)
        # Two public classes cannot share a file, and the runner's is called Main.
        code = re.sub(r"^public\s+(?=(?:final\s+|abstract\s+)*class\b)", "", code, flags=re.MULTILINE)
        head += "".join(f"{line.strip()}\n" for line in imports)
    whole = _placed(runner, code)
    return go(f"{head}{whole}") if language is Language.GO else f"{head}\n{whole}\n"


def _placed(runner: str, code: str) -> str:
    lines = runner.split("\n")
    return "\n".join(code if PLACE in line else line for line in lines)


def go(whole: str) -> str:
    """A Go program with the imports that it uses; aliases stay as they are."""
    if re.search(r'^\s*(?:import\s+)?[\w.]+\s+"[^"]+"\s*$', whole, re.MULTILINE):
        return whole
    return sources.go_pruned(whole, "main")


def write(program: Program, folder: Path) -> Built:
    """Write the sources of a program into `folder` (seen as `/src` inside)."""
    key, language = program.key, program.problem.language
    own = folder / key
    own.mkdir(parents=True, exist_ok=True)
    whole = text(program)
    here, out = f"{SOURCE}/{key}", f"{OUTPUT}/{key}"
    if language is Language.PYTHON:
        (own / "main.py").write_text(whole, encoding="utf-8")
        return Built(key, None, ("python3", "-I", f"{here}/main.py"), _MEMORY)
    if language is Language.JAVA:
        name = java_class(whole)
        (own / f"{name}.java").write_text(whole, encoding="utf-8")
        argv = [*builds.JAVAC, "-d", out]
        build = {"id": key, "argv": [*argv, f"{here}/{name}.java"]}
        return Built(key, build, ("java", *JAVA_FLAGS, "-cp", out, name), 0)
    if language is Language.CPP:
        (own / "main.cpp").write_text(whole, encoding="utf-8")
        return Built(key, {"id": key, "argv": [*CXX, f"{here}/main.cpp", "-o", out]}, (out,), _MEMORY)
    (own / "go.mod").write_text(builds.GO_MODULE)
    (own / "main.go").write_text(whole, encoding="utf-8")
    build = {"id": key, "argv": ["go", "build", "-ldflags=-s -w", "-o", out, "."], "cwd": here}
    return Built(key, build, (out,), builds.GO_MEMORY)


def java_class(whole: str) -> str:
    """The class to start: the public one, else the one around `main`."""
    public = re.search(r"^\s*public\s+(?:(?:final|abstract|strictfp)\s+)*class\s+(\w+)", whole, re.MULTILINE)
    if public:
        return public[1]
    main = re.search(r"\bstatic\s+(?:final\s+)?void\s+main\b|\bvoid\s+static\s+main\b", whole)
    before = re.findall(
        r"^\s*(?:final\s+)?class\s+(\w+)", whole[: main.start()] if main else whole, re.MULTILINE
    )
    return before[-1] if before else "Main"


def tasks(built: Built, cases: Cases) -> list[dict[str, Any]]:
    """One task a case."""
    return [
        {
            "id": str(number),
            "argv": list(built.argv),
            "needs": "",
            "stdin": given,
            "capture": max(_LEAST_OUTPUT, 4 * len(expected.encode())),
            "memory": built.memory,
            "cpu": cases.seconds,
        }
        for number, (given, expected) in enumerate(cases.pairs)
    ]


def questions(cases: Cases, outputs: Mapping[int, str]) -> bytes:
    """For `compare.py`: what came out and what was expected, as the suite compares them."""
    pairs = [[plain(outputs[number]), plain(expected)] for number, (_, expected) in enumerate(cases.pairs)]
    source = f"{preludes.HEADS[Language.PYTHON]}\n{cases.evaluator}"
    return json.dumps({"source": source, "pairs": pairs, "seconds": cases.seconds}).encode()


def plain(printed: str) -> str:
    """Output without escape sequences, carriage returns and space around it."""
    return _ESCAPES.sub("", printed).replace("\r\n", "\n").strip()


def first_wrong(answers: Sequence[Any], count: int) -> str:
    """The first case that is not right, in words; "" when all are."""
    for number in range(count):
        answer = answers[number] if number < len(answers) else "the comparison did not end"
        if answer is not True:
            words = answer if isinstance(answer, str) else "wrong output"
            return f"case {number + 1} of {count}: {words}"
    return ""
