"""The sandbox: bubblewrap with own user, pid, network, ipc, uts and mount namespaces, a seccomp filter and limits.

bubblewrap itself is started with nothing but a PATH: its own environment would stay readable at /proc/1/environ inside, whatever
`--clearenv` says.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import SandboxUnavailableError, ToolMissingError
from perforch.sandbox import capture, cgroup, seccomp
from perforch.sandbox.spec import Command, Completed, Launch
from perforch.sandbox.toolchains import toolchains

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ENV = {"PATH": "/usr/bin:/bin"}
_HOME = "/tmp/home"  # noqa: S108: inside the sandbox
_USER = 1000
_OPEN_FILES = 8192
# Joins the control group directories given first, then becomes the program.
_JOIN = 'cd /; unset OLDPWD; n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; n=$((n-1)); done; exec "$@"'
# Waits for one line on a descriptor, then becomes the program: counters start here.
_GATE = 'read -r _ <&"$1" || exit 125; eval "exec $1<&-"; shift; exec "$@"'


def binary() -> Path:
    """Where bubblewrap is: root's own, writable by nobody else, not setuid.

    Raises:
        SandboxUnavailableError: it is missing, or could have been put there by somebody.
    """
    for folder in ("/usr/bin", "/usr/local/bin", "/bin"):
        path = Path(folder) / "bwrap"
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            message = f"{path} can be changed by somebody other than root"
            raise SandboxUnavailableError(message, hint="Install bubblewrap from your distribution.")
        if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
            message = f"{path} is setuid"
            raise SandboxUnavailableError(
                message, hint=f"Run: chmod u-s {path} (user namespaces replace it)."
            )
        return path
    message = "bubblewrap (bwrap) is not installed"
    raise SandboxUnavailableError(
        message, hint="Run runner-config/install-packages.sh, or: apt-get install bubblewrap"
    )


class Bubblewrap:
    """See `spec.Sandbox`.

    Args:
        reserved_cpus: CPUs that benchmarks use; `run` stays off them unless a command names its own.
    """

    def __init__(self, *, reserved_cpus: Sequence[int] = ()) -> None:
        self._binary = binary()
        mine = sorted(os.sched_getaffinity(0))
        self._others = tuple(cpu for cpu in mine if cpu not in set(reserved_cpus)) or tuple(mine)
        self._reserved = bool(reserved_cpus)

    @property
    def level(self) -> str:
        """Strength as every result shows it."""
        return "bwrap" if seccomp.supported() else "bwrap without seccomp"

    def run(self, command: Command) -> Completed:
        """Run to completion; see `spec.Sandbox.run`."""
        status_read, status_write = os.pipe()
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(os.close, status_read)
            filters = self._filter(cleanup, fixed_affinity=False)
            group = cgroup.make(memory_bytes=command.limits.memory_bytes, processes=command.limits.processes)
            if group is not None:
                cleanup.callback(group.remove)
            argv = [
                *self._outside(command, group),
                str(self._binary),
                *self._policy(command),
                *filters.arguments,
                "--json-status-fd",
                str(status_write),
                "--",
                *self._inside(command, group),
                *command.argv,
            ]
            try:
                ended = capture.run(
                    argv,
                    env=_ENV,
                    stdin=command.stdin,
                    limits=command.limits,
                    pass_fds=(status_write, *filters.descriptors),
                    watch_memory=group is None,
                    orphan=lambda: _first_process(status_read),
                )
            finally:
                os.close(status_write)
            stopped = ended.stopped
            if not stopped and group is not None and group.out_of_memory():
                stopped = "memory"
        if ended.orphan is None and not stopped:
            raise unavailable(ended.stderr)
        code = ended.status if ended.status >= 0 else 128 - ended.status
        if code == 127 and ended.stderr.startswith(b"prlimit: failed to execute"):
            message = f"{command.argv[0]} is not installed on this machine"
            raise ToolMissingError(message, hint="Install it, or change the command in .github/perforch.yml.")
        return Completed(code, ended.stdout, ended.stderr, ended.seconds, ended.cpu_seconds, stopped)

    def launch(self, command: Command) -> Launch:
        """Prepare a measured run; see `spec.Sandbox.launch`."""
        gate_read, gate_write = _high_pipe()
        info_read, info_write = _high_pipe()
        with contextlib.ExitStack() as cleanup:
            filters = self._filter(cleanup, fixed_affinity=True)
            cleanup.pop_all()  # measure closes what it was handed
        group = self._measured
        argv = (
            *self._outside(command, group, pinned=False),
            str(self._binary),
            *self._policy(command),
            *filters.arguments,
            "--info-fd",
            str(info_write),
            "--",
            *self._inside(command, group),
            "/bin/bash",  # a plain sh cannot name descriptors above 9
            "-c",
            _GATE,
            "gate",
            str(gate_read),
            *command.argv,
        )
        inherited = (gate_read, info_write, *filters.descriptors)
        return Launch(
            argv=argv,
            env=dict(_ENV),
            pass_fds=inherited,
            gate_fd=gate_write,
            info_fd=info_read,
            close_after_spawn=inherited,
            limits=command.limits,
        )

    @cached_property
    def _measured(self) -> cgroup.Group | None:
        # One group for all measured runs, which go one at a time.
        limits = Command(()).limits
        return cgroup.make(memory_bytes=2 * limits.memory_bytes, processes=limits.processes)

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

    def _inside(self, command: Command, group: cgroup.Group | None) -> Iterator[str]:
        yield "/usr/bin/prlimit"
        # Set before bubblewrap it would count the runner's own processes.
        if group is None:
            yield f"--nproc={command.limits.processes}"
        yield "--"

    def _policy(self, command: Command) -> Iterator[str]:
        tools = toolchains()
        yield from ("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
        yield from ("--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session")
        yield from (
            "--uid",
            str(_USER),
            "--gid",
            str(_USER),
            "--hostname",
            "sandbox",
            "--cap-drop",
            "ALL",
            "--clearenv",
        )
        yield from ("--ro-bind", "/usr", "/usr")
        for name in ("bin", "sbin", "lib", "lib64", "lib32"):
            if Path("/", name).is_symlink():
                yield from ("--symlink", f"usr/{name}", f"/{name}")
            elif Path("/", name).is_dir():
                yield from ("--ro-bind", f"/{name}", f"/{name}")
        yield from ("--dir", "/etc", "--proc", "/proc", "--dev", "/dev")
        yield from ("--size", str(command.limits.temp_bytes), "--tmpfs", "/tmp")
        yield from ("--size", str(64 << 20), "--tmpfs", "/dev/shm", "--size", str(1 << 20), "--tmpfs", "/run")
        yield from ("--dir", _HOME)
        for root in tools.roots:
            yield from ("--ro-bind", str(root), str(root))
        for store, place in tools.stores:
            yield from ("--ro-bind", str(store), f"{_HOME}/{place}")
        for mount in command.mounts:
            yield from ("--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target)
        yield from ("--remount-ro", "/")
        env = {
            **tools.env,
            "PATH": tools.path,
            "HOME": _HOME,
            "TMPDIR": "/tmp",
            "LANG": "C.UTF-8",
            "USER": "sandbox",
            **command.env,
        }
        for name, value in env.items():
            yield from ("--setenv", name, value)
        yield from ("--chdir", command.cwd)

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


def _first_process(status_fd: int) -> int | None:
    """The pid that bubblewrap reported for the first process of the namespace; None when it never got so far."""
    os.set_blocking(status_fd, False)
    with contextlib.suppress(BlockingIOError):
        found = re.search(rb'"child-pid"\s*:\s*(\d+)', os.read(status_fd, 4096))
        return int(found.group(1)) if found else None
    return None


_REMEDIES = (
    (b"setting up uid map", "This kernel keeps user namespaces to profiled programs (Ubuntu 24.04): apt-get install apparmor-profiles, copy "
     "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict to /etc/apparmor.d/ and load it with apparmor_parser -r."),
    (b"No permissions to create", "User namespaces are switched off here: sysctl kernel.unprivileged_userns_clone=1, or give the container "
     "a seccomp profile that allows them."),
    (b"Creating new namespace failed", "User namespaces are switched off or used up: raise user.max_user_namespaces."),
    (b"proc", "A container that masks /proc cannot hold a sandbox: run on the host, or set procMount: Unmasked."),
)  # fmt: skip


def unavailable(stderr: bytes) -> SandboxUnavailableError:
    """The error for a bubblewrap that could not start, with the remedy for this kind of host."""
    said = stderr.decode(errors="replace").strip().splitlines()
    reason = said[0][:300] if said else "bwrap ended without a word"
    hint = next(
        (text for mark, text in _REMEDIES if mark in stderr), "perforch doctor shows what is missing."
    )
    message = f"this machine has no working sandbox ({reason}); nothing was executed"
    return SandboxUnavailableError(message, hint=hint)
