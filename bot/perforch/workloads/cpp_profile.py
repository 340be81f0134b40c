"""How often the lines of a C++ function run in its tests: a second build counts them (gcov), and nothing of it is timed."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from perforch.errors import ToolMissingError
from perforch.sandbox.spec import SOURCE, Command, Limits
from perforch.workloads import builds, cpp_build, cpp_command
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.builds import Place
    from perforch.workloads.cpp_project import Build, Project
    from perforch.workloads.model import Tree

_SHOWN = 5
_LIMITS = Limits(wall_seconds=60.0, output_bytes=64 * 1024**2)


def profile(
    sandbox: Sandbox,
    project: Project,
    tree: Tree,
    build: Build,
    tests: Sequence[str],
    function: Function,
    *,
    checkout: Path | None,
    seconds: float,
) -> str:
    """The lines of the function that run most often, with their counts; "" when they cannot be counted.

    Args:
        build: of the same tree, which CMake goes on from: only what includes the function's file is compiled again.
        seconds: wall time of a test program.
    """
    place = builds.place(tree, "cpp-profile", extra=build.place.extra)
    try:
        made = cpp_build.build(sandbox, project, tree, place, checkout, build.place, function.path)
        _shell(sandbox, made.place, "exec find /out /src -name '*.gcda' -delete")
        for program in made.programs:
            chosen = [test for test in program.ids if test in tests]
            if not chosen:
                continue
            own = " ".join(f"{name}={shlex.quote(value)}" for name, value in program.env.items())
            text = f"exec env {own} {cpp_command.line(program, chosen)}"
            limits = replace(_LIMITS, wall_seconds=seconds)
            mounts = made.place.mounts(writable=True)
            sandbox.run(Command(argv=("/bin/sh", "-c", text), cwd=program.cwd, mounts=mounts, limits=limits))
        words = "exec find /out /src -name '*.gcda' -exec gcov --json-format --stdout {} +"
        done = _shell(sandbox, made.place, words)
    except (ToolMissingError, OSError):
        return ""
    return described(done.stdout, function, builds.read(tree.source, function.path))


def _shell(sandbox: Sandbox, place: Place, text: str) -> Completed:
    mounts = place.mounts(writable=True)
    return sandbox.run(Command(argv=("/bin/sh", "-c", text), cwd=SOURCE, mounts=mounts, limits=_LIMITS))


def described(stdout: bytes, function: Function, source: bytes) -> str:
    """The text for the prompt, from gcov's JSON documents, one a line; whatever is malformed is left out."""
    counts: Counter[int] = Counter()
    calls: Counter[int] = Counter()
    for document in stdout.split(b"\n"):
        try:
            found = json.loads(document)
            home = str(found.get("current_working_directory", SOURCE))
            for file in found["files"]:
                if posixpath.normpath(posixpath.join(home, str(file["file"]))) != f"{SOURCE}/{function.path}":
                    continue
                for line in file["lines"]:
                    counts[int(line["line_number"])] += int(line["count"])
                for one in file["functions"]:
                    calls[int(one["start_line"])] += int(one["execution_count"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    inside = range(function.start_line, function.end_line + 1)
    hot = sorted(
        ((number, count) for number, count in counts.items() if number in inside and count), key=_order
    )
    if not hot:
        return ""
    lines = source.decode("utf-8", "replace").split("\n")
    started = next((calls[number] for number in sorted(calls) if number in inside), 0)
    text = (
        [f"called {started} times by the tests; line: executions, source"]
        if started
        else ["line: executions, source"]
    )
    for number, count in hot[:_SHOWN]:
        code = lines[number - 1].strip() if number <= len(lines) else ""
        text.append(f"{number}: {count}x, {code[:120]}")
    return trimmed("\n".join(text))


def _order(entry: tuple[int, int]) -> tuple[int, int]:
    return -entry[1], entry[0]
