"""What to run and what became of it: the contract between the sandbox and everyone who runs untrusted code.

Everything from a pull request or a model runs through `Sandbox`. A command sees a read-only system, its mounts,
an empty network, its own /proc, and exactly the environment that is listed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOURCE = (
    "/src"  # where the tree under test is mounted: the same path for every side, so builds are comparable
)
OUTPUT = "/out"  # where builds and tests may write; survives between commands that mount the same directory


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command. Memory counts the whole process tree."""

    wall_seconds: float = 120.0
    memory_bytes: int = 2 * 1024**3
    processes: int = 512
    file_bytes: int = 1024**3
    output_bytes: int = 4 * 1024**2  # of stdout and stderr together; more ends the command
    temp_bytes: int = 512 * 1024**2
    disk_bytes: int = 16 * 1024**3  # by which the free space under its writable mounts may shrink meanwhile


@dataclass(frozen=True, slots=True)
class Mount:
    """A host directory or file at `target` inside the sandbox."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One program run without a shell.

    Args:
        argv: program and arguments as seen inside the sandbox.
        cwd: working directory inside the sandbox.
        env: added to PATH, HOME, TMPDIR and LANG, which the sandbox sets itself.
        mounts: toolchain roots are mounted by the sandbox; these are the tree, outputs and caches.
        cpus: CPUs the program may use, or None for all that are not reserved for measuring.
    """

    argv: tuple[str, ...]
    cwd: str = SOURCE
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    cpus: tuple[int, ...] | None = None
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of a command.

    Attributes:
        returncode: exit status of the program; 128 + signal number when a signal ended it, as a shell says it.
        stopped: why the sandbox ended it: "" (it ended by itself), "timeout", "memory", "output", "disk".
        cpu_seconds: user + system time of the whole tree, launcher included.
    """

    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float
    cpu_seconds: float
    stopped: str = ""

    @property
    def ok(self) -> bool:
        """Ended by itself with status 0."""
        return self.returncode == 0 and not self.stopped


@dataclass(frozen=True, slots=True)
class Launch:
    """A command made ready for `measure`, which starts it itself under `perf stat` with the /proc sampler beside it.

    `argv` is the complete host command line (sandbox launcher included) and must be started with exactly `env`,
    `pass_fds` kept open, and stdin from /dev/null.

    When `gate_fd` is set, the program inside waits until one byte is written to that file descriptor (the write end,
    owned by the caller) before it replaces itself by the target program by `exec`; counters and samplers start there,
    so the launcher's own work is not counted. `info_fd` (read end, owned by the caller) yields bubblewrap's JSON
    with the pid of the sandbox's first process. `memory_group` is the control group that the whole tree joins, whose peak of
    memory can be read; None where groups cannot be made.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    gate_fd: int | None = None
    info_fd: int | None = None
    close_after_spawn: tuple[int, ...] = ()
    limits: Limits = Limits()
    memory_group: Path | None = None


class Sandbox(Protocol):
    """A place where untrusted code runs."""

    @property
    def level(self) -> str:
        """Strength, such as "bwrap+uid", "bwrap", "weak (landlock)", "none"; shown in every result."""
        ...

    def run(self, command: Command) -> Completed:
        """Run to completion. Never raises for what the program does; raises SandboxUnavailableError when the sandbox itself
        cannot start, ToolMissingError when `argv[0]` does not exist inside."""
        ...

    def launch(self, command: Command) -> Launch:
        """Prepare a command that `measure` starts; see `Launch`. Creates pipes: start it once or close them."""
        ...
