"""The sandbox: bubblewrap with own user, pid, network, ipc, uts and mount namespaces, a seccomp filter and limits.

bubblewrap itself is started with nothing but a PATH: its own environment would stay readable at /proc/1/environ inside, whatever
`--clearenv` says.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import weakref
from typing import TYPE_CHECKING

from perforch.errors import PerforchError
from perforch.sandbox import capture, cgroup, failures, policy, seccomp, unprivileged
from perforch.sandbox.program import binary
from perforch.sandbox.spec import Command, Completed, Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from perforch.sandbox.spec import Limits

_ENV = {"PATH": "/usr/bin:/bin"}
_OPEN_FILES = 8192
# Joins the control group directories given first, then becomes the program.
_JOIN = 'cd /; unset OLDPWD; n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; n=$((n-1)); done; exec "$@"'
# Bounds the number of processes, which set before bubblewrap would count the runner's own; then becomes the program. That there is no
# such program it says where no program can: the descriptor is closed before the first one starts.
_BOUND = (
    'ulimit -u "$1" 2>/dev/null; case $3 in */*) test -e "$3";; *) type -P -- "$3" >/dev/null;; esac || { echo missing >&"$2"; exit 127; }; '
    'eval "exec $2>&-"; shift 2; exec "$@"'
)
# Waits for one line on a descriptor, then becomes the program: counters start here.
_GATE = 'read -r _ <&"$1" || exit 125; eval "exec $1<&-"; shift; exec "$@"'


class Bubblewrap:
    """See `spec.Sandbox`.

    Args:
        reserved_cpus: CPUs that benchmarks use; `run` stays off them unless a command names its own.
        without: parts of the policy that are left out, of `policy.OPTIONAL`.
    """

    def __init__(self, *, reserved_cpus: Sequence[int] = (), without: frozenset[str] = frozenset()) -> None:
        self._binary = binary()
        self._without = without
        mine = sorted(os.sched_getaffinity(0))
        self._others = tuple(cpu for cpu in mine if cpu not in set(reserved_cpus)) or tuple(mine)
        self._reserved = bool(reserved_cpus)
        self._groups: dict[tuple[int, int], cgroup.Group | None] = {}
        self._written: set[str] = set()
        self._stage: unprivileged.Stage | None = None
        with contextlib.suppress(OSError, PerforchError):
            self._stage = unprivileged.Stage()
            self.run(Command(("true",), cwd="/"))
            return
        self._stage = None

    @property
    def level(self) -> str:
        """Strength as every result shows it."""
        name = "bwrap" if self._stage is None else "bwrap+uid"
        return f"weak ({name} without {', '.join(self.missing)})" if self.missing else name

    @property
    def program(self) -> Path:
        """The bubblewrap that is started."""
        return self._binary

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts of the policy that this machine lacks; () when it holds as designed."""
        filterless = () if seccomp.supported() else ("system call filter",)
        return (*filterless, *(policy.OPTIONAL[part] for part in sorted(self._without)))

    def run(self, command: Command) -> Completed:
        """Run to completion; see `spec.Sandbox.run`."""
        shown = self._shown(command)
        status_read, status_write = _high_pipe()
        said = bytearray()

        def first() -> int | None:
            said.extend(_text(status_read))
            return failures.read_status(said).first

        with contextlib.ExitStack() as cleanup:
            cleanup.callback(os.close, status_read)
            with contextlib.ExitStack() as ours:
                ours.callback(os.close, status_write)
                filters = self._filter(ours, fixed_affinity=False)
                group = cgroup.make(
                    memory_bytes=command.limits.memory_bytes, processes=command.limits.processes
                )
                passed = [status_write, *filters.descriptors]
                if group is not None:
                    cleanup.callback(group.remove)
                else:  # bubblewrap closes its own descriptor in what it starts, so the shell there needs another
                    passed.append(fcntl.fcntl(status_write, fcntl.F_DUPFD_CLOEXEC, 100))
                    ours.callback(os.close, passed[-1])
                argv = [
                    *self._outside(command, group),
                    *shown,
                    *filters.arguments,
                    "--json-status-fd",
                    str(status_write),
                    "--",
                    *self._inside(command, group, passed[-1]),
                    *command.argv,
                ]
                ended = capture.run(
                    argv,
                    env=_ENV,
                    stdin=command.stdin,
                    limits=command.limits,
                    pass_fds=passed,
                    watch_memory=group is None,
                    writable=[mount.source for mount in command.mounts if mount.writable],
                    orphan=first,
                )
            status = failures.read_status(said)
            stopped = ended.stopped
            if not stopped and group is not None and group.out_of_memory():
                stopped = "memory"
        return _completed(command, ended, status, stopped)

    def launch(self, command: Command) -> Launch:
        """Prepare a measured run; see `spec.Sandbox.launch`."""
        group = self._measured(command.limits)
        outside = (*self._outside(command, group, pinned=False), *self._shown(command))
        inside = (*self._inside(command, group), "/bin/bash")  # a plain sh cannot name descriptors above 9
        with contextlib.ExitStack() as cleanup:
            filters = self._filter(cleanup, fixed_affinity=True)
            cleanup.pop_all()  # measure closes what it was handed
        gate_read, gate_write = _high_pipe()
        info_read, info_write = _high_pipe()
        gate = (*inside, "-c", _GATE, "gate", str(gate_read), *command.argv)
        inherited = (gate_read, info_write, *filters.descriptors)
        return Launch(
            argv=(*outside, *filters.arguments, "--info-fd", str(info_write), "--", *gate),
            env=dict(_ENV),
            pass_fds=inherited,
            gate_fd=gate_write,
            info_fd=info_read,
            close_after_spawn=inherited,
            limits=command.limits,
            memory_group=None if group is None else group.directories[0],
        )

    def _shown(self, command: Command) -> tuple[str, ...]:
        """The launcher and what it shows of the host.

        Raises:
            SandboxUnavailableError: a folder that is to be shown is not there, or a program has put something else in its place.
        """
        stage = self._stage
        try:
            front = () if stage is None else stage.front()
            place = self._checked(str if stage is None else stage.place)
            shown = (*front, str(self._binary), *policy.arguments(command, place, without=self._without))
        except OSError as error:
            if stage is None or isinstance(error, FileNotFoundError):
                raise failures.no_source(str(error.filename), str(error.strerror)) from error
            self._stage = (
                None  # a file system without ID-mapped mounts: weaker from now on, and every result says so
            )
            return self._shown(command)
        self._written.update(str(mount.source) for mount in command.mounts if mount.writable)
        return shown

    def _checked(self, place: Callable[[Path], str]) -> Callable[[Path], str]:
        """`place` for folders that are there and are no links made by an earlier program, which would lead anywhere."""

        def checked(path: Path) -> str:
            os.stat(path)  # noqa: PTH116 - on the way to every measured run
            root = next((one for one in path.parents if str(one) in self._written), None)
            if root is not None and any(
                one.is_symlink() for one in (path, *path.parents) if one.is_relative_to(root) and one != root
            ):
                raise FileNotFoundError(errno.ENOENT, "a program put a link there", str(path))
            return place(path)

        return checked

    def _measured(self, limits: Limits) -> cgroup.Group | None:
        """The group of all measured runs with these limits, which go one at a time."""
        key = limits.memory_bytes, limits.processes
        if key not in self._groups:
            group = cgroup.make(memory_bytes=limits.memory_bytes, processes=limits.processes)
            if group is not None:
                weakref.finalize(self, group.remove)
            self._groups[key] = group
        return self._groups[key]

    def _outside(self, command: Command, group: cgroup.Group | None, *, pinned: bool = True) -> Iterator[str]:
        cpus = command.cpus or (self._others if self._reserved else ())
        if pinned and cpus:
            yield from ("/usr/bin/taskset", "--cpu-list", ",".join(map(str, cpus)))
        if group is not None:
            yield from (
                "/bin/sh",
                "-c",
                _JOIN,
                "join",
                str(len(group.directories)),
                *map(str, group.directories),
            )
        limits = command.limits
        yield "/usr/bin/prlimit"
        yield from (f"--fsize={limits.file_bytes}", "--core=0", f"--nofile={_OPEN_FILES}")
        yield f"--cpu={int(limits.wall_seconds * 64) + 1}"
        if group is None:
            yield f"--data={limits.memory_bytes}"

    @staticmethod
    def _inside(command: Command, group: cgroup.Group | None, status_fd: int | None = None) -> Iterator[str]:
        if group is not None:
            return
        if status_fd is None:
            yield from ("/usr/bin/prlimit", f"--nproc={command.limits.processes}", "--")
        else:
            yield from ("/bin/bash", "-c", _BOUND, "bound", str(command.limits.processes), str(status_fd))

    @staticmethod
    def _filter(cleanup: contextlib.ExitStack, *, fixed_affinity: bool) -> _Filters:
        if not seccomp.supported():
            return _Filters((), ())
        fd = _high(seccomp.descriptor(fixed_affinity=fixed_affinity))
        cleanup.callback(os.close, fd)
        return _Filters(("--seccomp", str(fd)), (fd,))


def _high(fd: int) -> int:
    """The descriptor under a number of at least 100: perf and shells between us and the program need the small ones."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(fd)
    return moved


def _high_pipe() -> tuple[int, int]:
    read_end, write_end = os.pipe()
    return _high(read_end), _high(write_end)


class _Filters:
    def __init__(self, arguments: tuple[str, ...], descriptors: tuple[int, ...]) -> None:
        self.arguments = arguments
        self.descriptors = descriptors


def _text(status_fd: int) -> bytes:
    """What bubblewrap has said so far, whoever may still hold the other end."""
    os.set_blocking(status_fd, False)
    with contextlib.suppress(BlockingIOError):
        return os.read(status_fd, 1 << 16)
    return b""


def _completed(command: Command, ended: capture.Ended, status: failures.Status, stopped: str) -> Completed:
    """What became of the program.

    Raises:
        PerforchError: it never began; see `failures.not_started`.
    """
    code, stderr = ended.status if ended.status >= 0 else 128 - ended.status, ended.stderr
    if status.missing:
        raise failures.not_installed(command.argv[0])
    if not stopped and status.code is None:
        refused = failures.refused(ended.stderr)
        if ended.status == -signal.SIGKILL:
            stopped = "memory"  # nobody else kills the monitor
        elif refused is None:
            raise failures.not_started(ended.stderr, command.argv[0])
        else:
            code, stderr = 126, ": ".join(refused).encode() + b"\n"  # as a shell says it
    return Completed(code, ended.stdout, stderr, ended.seconds, ended.cpu_seconds, stopped)
