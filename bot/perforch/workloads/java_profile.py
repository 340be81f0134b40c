"""Where the time of a Java function goes in its tests: samples of the JDK's flight recorder, in a JVM that is not timed."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from perforch.sandbox.spec import Command, Mount
from perforch.workloads import builds, java_project
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.changes.function import Function
    from perforch.sandbox.spec import Sandbox
    from perforch.workloads.java_build import Build

_SHOWN = 5
_ENOUGH = 10  # samples on the function; fewer say nothing
INSIDE = "/perforch/profile"  # its class path entry
_SOURCE = Path(__file__).parent / "harness" / "java"


def arguments(
    function: Function, source: bytes, mark: str, count: int, tests: Sequence[str]
) -> tuple[str, ...]:
    """What the profiler's main method is given: the function, and the tests that run `count` times."""
    package = java_project.package_of(source)
    name = PurePosixPath(function.path).stem
    where = (f"{package}.{name}" if package else name, str(function.start_line), str(function.end_line))
    return (*where, "timed", mark, str(count), "/tmp/perforch-end", *tests)


def compiled(sandbox: Sandbox, build: Build) -> Mount | None:
    """The profiler's class, beside the output; None where this JDK has no flight recorder."""
    target = build.place.output.parent / f"{build.place.output.name}.profile"
    target.mkdir(parents=True, exist_ok=True)
    harness = tuple(mount for mount in build.mounts if mount.target == builds.HARNESS)
    done = sandbox.run(
        Command(
            argv=("javac", "-nowarn", "-encoding", "UTF-8", "-d", "/perforch/to", "-cp", builds.HARNESS,
                  "/perforch/from/perforch/Profile.java"),
            cwd="/",
            mounts=(*harness, Mount(_SOURCE, "/perforch/from"), Mount(target, "/perforch/to", writable=True)),
        )
    )  # fmt: skip
    return Mount(target, INSIDE) if done.ok else None


def described(stdout: bytes, mark: str, source: bytes) -> str:
    """The text for the prompt, from lines "MARK line samples"; the last, of line 0, counts all samples."""
    samples: dict[int, int] = {}
    for line in stdout.decode("utf-8", "replace").split("\n"):
        words = line.split()
        if len(words) == 3 and words[0] == mark and words[1].isdecimal() and words[2].isdecimal():
            samples[int(words[1])] = int(words[2])
    everything = samples.pop(0, 0)
    total = sum(samples.values())
    if total < _ENOUGH or everything < total:
        return ""
    lines = source.decode("utf-8", "replace").split("\n")
    text = [f"{total / everything:.0%} of the tests' time is spent here; line: share of it, source"]
    for number, count in sorted(samples.items(), key=lambda entry: (-entry[1], entry[0]))[:_SHOWN]:
        code = lines[number - 1].strip() if number <= len(lines) else ""
        text.append(f"{number}: {count / total:.0%}, {code[:120]}")
    return trimmed("\n".join(text))
