"""Builds of compiled languages: private places to build in, programs that run with the build read-only, timed scripts."""

from __future__ import annotations

import hashlib
import re
import shlex
import threading
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from perforch.sandbox import reader
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount
from perforch.workloads import repeat, trees
from perforch.workloads.model import REPORTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from perforch.sandbox.spec import Completed, Sandbox
    from perforch.workloads.model import Failure, TestReport, Tree

HARNESS = "/perforch/harness"  # what ships with perforch and what is built from it, read-only
BUILD_LIMITS = Limits(wall_seconds=600.0, memory_bytes=4 * 1024**3)
MOST = 200_000_000  # repetitions: compiled tests may take nanoseconds
END = "${TMPDIR:-$HOME}/perforch-end"
# What timed programs print is thrown away. Where a wrapper such as valgrind reports on standard error, that is kept.
QUIET = f'exec 3>/dev/null; [ -z "${REPORTING}" ] || exec 3>&2'
AWAY = ">/dev/null 2>&3 3>&-"

_NETWORK = re.compile(
    r"UnknownHostException|Could not resolve host|Temporary failure in name resolution|Network is unreachable"
    r"|Name or service not known|Could not resolve all (?:files|dependencies|artifacts)|Failed to clone repository|in offline mode"
)
_edited: set[Path] = set()
_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Place:
    """A private copy of a tree and where its build goes. Only the build may write to them; programs see them read-only.

    A candidate's own tests can therefore not replace the program that is timed.
    """

    source: Path
    output: Path
    extra: tuple[Mount, ...] = ()  # read-only, wherever the copy is used

    def mounts(self, *, writable: bool) -> tuple[Mount, ...]:
        """The copy at `SOURCE` and the output at `OUTPUT`."""
        return Mount(self.source, SOURCE, writable), Mount(self.output, OUTPUT, writable), *self.extra


def place(
    tree: Tree, name: str, edits: Mapping[str, bytes] | None = None, extra: tuple[Mount, ...] = ()
) -> Place:
    """The place of this tree for `name`, with some files replaced."""
    kind = name
    if edits:
        digest = hashlib.sha256(repr(sorted(edits.items())).encode()).hexdigest()[:12]
        kind = f"{name}-{digest}"
    fresh = f"{kind}-{signature(tree):x}"
    source = trees.copied(tree, fresh)
    with _guard:
        if edits and source not in _edited:
            # Nothing untrusted has run in this copy yet, so no link in it leads elsewhere by surprise.
            for path, data in edits.items():
                target = source / path
                if not target.is_symlink() and target.parent.resolve().is_relative_to(source.resolve()):
                    target.unlink(missing_ok=True)
                    target.write_bytes(data)
            _edited.add(source)
    return Place(source, trees.private(tree, f"{fresh}-out"), extra)


def kind(name: str, flags: Sequence[str]) -> str:
    """A name for the place of builds with these flags."""
    return f"{name}-{hashlib.sha256(repr(tuple(flags)).encode()).hexdigest()[:8]}" if flags else name


def signature(tree: Tree) -> int:
    """Changes whenever a file of the tree does."""
    digest = hashlib.sha256()
    for path in trees.files(tree.source):
        status = path.lstat()
        digest.update(f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{status.st_ino}\n".encode())
    return int(digest.hexdigest()[:16], 16)


def written(root: Path, path: Path, *, most: int = reader.MOST) -> bytes:
    """A file that untrusted code has written below `root`, through links inside it if need be; empty when it is none or too large."""
    try:
        home = root.resolve()
        return reader.read(home, path.resolve(strict=True), most=most) or b""
    except (OSError, RuntimeError):
        return b""


def read(root: Path, path: str | PurePath, *parts: str) -> bytes:
    """A source file of the tree at `root`; empty when it is not a plain file or a link is on the way."""
    return reader.read(root, PurePath(path, *parts)) or b""


def sources(tree: Tree, root: str, suffixes: Iterable[str]) -> dict[str, bytes]:
    """Files below the project root with one of the endings, by their path from the repository's root."""
    endings = tuple(suffixes)
    base = tree.source / root
    return {
        path.relative_to(tree.source).as_posix(): read(tree.source, path)
        for path in trees.files(base)
        if path.name.endswith(endings)
    }


def script(
    commands: Sequence[Sequence[str]], *, mark: str, ends: int, env: Mapping[str, str] | None = None
) -> str:
    """A shell program that runs the commands one after the other without output.

    It fails when one fails, or when the programs have not written their end mark `ends` times: a program that leaves early
    with status 0 is no sample.
    """
    words = " ".join(f"{name}={shlex.quote(value)}" for name, value in (env or {}).items())
    prefix = f"env {words} " if words else ""
    lines = [QUIET, f'e="{END}"', 'rm -f "$e"']
    lines += [f"{prefix}{shlex.join(command)} {AWAY} || exit $?" for command in commands]
    if ends:
        lines += [
            "n=0",
            f'while read -r m rest; do [ "$m" = {mark} ] || exit 97; n=$((n+1)); done <"$e" || exit 97',
            f"[ $n = {ends} ] || exit 97",
        ]
    return "\n".join(lines)


def calibrated(sandbox: Sandbox, command: Callable[[int], Command], min_ms: float) -> int | None:
    """Repeat count for commands that are made by their count."""

    def cpu_ms(count: int) -> float | None:
        done = sandbox.run(command(count))
        return done.cpu_seconds * 1000 if done.ok else None

    return repeat.calibrate(cpu_ms, min_ms=min_ms, most=MOST)


def offline(done: Completed, command: str) -> str:
    """Why a command cannot do its work here, when that is the missing network; "" otherwise."""
    text = (done.stdout[-(2**20) :] + b"\n" + done.stderr[-(2**20) :]).decode("utf-8", "replace")
    if done.ok or not _NETWORK.search(text):
        return ""
    return f"`{command}` needs the network, which tests do not have; let it use what the repository or this machine has"


def how_it_ended(done: Completed) -> str:
    """One phrase on a program that did not say what became of a test."""
    if done.stopped == "timeout":
        return f"did not finish in {done.seconds:.0f} s"
    if done.stopped:
        return f"was stopped at the {done.stopped} limit"
    signals = {
        4: "illegal instruction",
        6: "abort",
        7: "bus error",
        8: "arithmetic error",
        9: "kill",
        11: "segmentation fault",
    }
    if done.returncode > 128:
        number = done.returncode - 128
        return f"the process was ended by signal {number} ({signals.get(number, 'signal')})"
    return f"the process ended early with exit status {done.returncode}"


def with_limits(command: Command, limits: Limits) -> Command:
    """The same command with other limits."""
    return replace(command, limits=limits)


def beside(report: TestReport, command: str, done: Completed, failure: Failure) -> TestReport:
    """The report of single tests with the outcome of the command that runs them all.

    A test that fails by itself where the command as a whole passes needs what only the command gives it: it is skipped.

    Args:
        failure: what is told where the command does not pass.
    """
    outcomes, failures = dict(report.outcomes), (*report.failures, failure)
    if done.ok:
        failures = ()
        outcomes = {test: "skipped" if one == "failed" else one for test, one in outcomes.items()}
    lacks = offline(done, command)
    return replace(
        report,
        unavailable={**report.unavailable, **({command: lacks} if lacks else {})},
        outcomes={**outcomes, command: "passed" if done.ok else "failed"},
        failures=failures,
        stopped="" if done.ok else report.stopped or done.stopped,
        seconds=report.seconds + done.seconds,
    )
