"""What rustc, cargo and libtest say, as reports."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.workloads.builds import how_it_ended
from perforch.workloads.model import Failure
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.sandbox.spec import Completed
    from perforch.workloads.model import TestOutcome

# libtest prints names and outcomes in this form since Rust 1.0; its JSON is still unstable.
_LINE = re.compile(r"test (\S.*?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)")
_SECTION = re.compile(r"^---- (\S.*?) stdout ----$", re.MULTILINE)
_LISTED = re.compile(r"^(\S.*): test$", re.MULTILINE)
_ERROR = re.compile(r"^error(\[E\d+\])?:", re.MULTILINE)
_OUTCOMES: dict[str, TestOutcome] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}


@dataclass(frozen=True, slots=True)
class Executable:
    """A test program: where it is inside the sandbox and how its tests are told from those of other programs."""

    path: str
    target: str  # "name", "bin/name", "tests/name"
    source: str = ""  # its root file, from the repository's root


def listed(stdout: bytes) -> tuple[str, ...]:
    """Names printed by `--list --format terse`, doctests and benchmarks left out."""
    return tuple(dict.fromkeys(_LISTED.findall(stdout.decode("utf-8", "replace"))))


def outcomes(done: Completed, names: Sequence[str]) -> tuple[dict[str, TestOutcome], list[Failure]]:
    """What became of these tests of one program; a test without a line of its own failed."""
    text = done.stdout.decode("utf-8", "replace")
    wanted = set(names)
    found: dict[str, TestOutcome] = {}
    twice: set[str] = set()
    for name, word in _LINE.findall(text):
        if name in wanted:
            if name in found:
                twice.add(name)
            found[name] = _OUTCOMES[word]
    details = _details(text)
    failures = []
    for name in names:
        if name in twice:
            found[name] = "failed"
            failures.append(Failure(name, "the test was reported twice"))
        elif name not in found:
            found[name] = "failed"
            # What an aborted program says goes to stderr, uncaptured.
            failures.append(Failure(name, how_it_ended(done), trimmed(done.stderr)))
        elif found[name] == "failed":
            trace = details.get(name, "")
            failures.append(Failure(name, message(trace) or "the test failed", trimmed(trace)))
    return found, failures


def _details(text: str) -> dict[str, str]:
    parts = _SECTION.split(text)
    found = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        found[name] = body.split("\n\nfailures:\n")[0].strip("\n")
    return found


def message(section: str) -> str:
    """The panic of one test's output, without the hints on backtraces."""
    lines = section.split("\n")
    start = next((index for index, line in enumerate(lines) if "panicked at" in line), None)
    if start is None:
        return trimmed("\n".join(lines[-12:]), limit=1024)
    kept = []
    for line in lines[start:]:
        if line.startswith(("note: ", "stack backtrace:")):
            break
        kept.append(line)
    return trimmed("\n".join(kept), limit=1024)


def executables(stdout: bytes, source: str) -> tuple[tuple[Executable, ...], dict[str, tuple[Failure, ...]]]:
    """Test programs, and compiler errors by target, in cargo's JSON messages.

    Args:
        source: where the tree is mounted.
    """
    programs: list[Executable] = []
    errors: dict[str, list[Failure]] = {}
    for line in stdout.split(b"\n"):
        if not line.startswith(b"{"):
            continue
        try:
            record = json.loads(line)
            if record["reason"] == "compiler-message" and record["message"]["level"] == "error":
                words = str(record["message"].get("rendered") or record["message"]["message"])
                if not words.startswith(("error: aborting", "error: could not compile")):
                    failure = Failure("build", trimmed(words, limit=1024))
                    some = errors.setdefault(_target(record["target"]), [])
                    some += [] if failure in some else [failure]
            elif (
                record["reason"] == "compiler-artifact"
                and record.get("executable")
                and record["profile"]["test"]
            ):
                target = record["target"]
                root = str(target["src_path"]).removeprefix(source + "/")
                programs.append(Executable(str(record["executable"]), _target(target), root))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    told = {target: tuple(some) for target, some in errors.items()}
    return tuple(sorted(programs, key=lambda one: one.target)), told


def _target(target: dict[str, object]) -> str:
    kinds = target["kind"]
    kind = str(kinds[0]) if isinstance(kinds, list) and kinds else "lib"
    folder = {"bin": "bin/", "test": "tests/", "example": "examples/", "bench": "benches/"}.get(kind, "")
    name = str(target["name"])
    return folder + name if folder else name.replace("-", "_")  # until 1.78 cargo told the package's spelling


def compiler_errors(stderr: bytes) -> tuple[Failure, ...]:
    """The errors of rustc or cargo as they print them."""
    text = trimmed(stderr, limit=64 * 1024)
    parts = re.split(r"\n(?=(?:error|warning)(?:\[E\d+\])?: )", text)
    errors = [part for part in parts if _ERROR.match(part) and not part.startswith("error: aborting")]
    return tuple(Failure("build", trimmed(part, limit=1024)) for part in errors[:20]) or (
        Failure("build", trimmed(text, limit=1024) or "the build failed"),
    )
