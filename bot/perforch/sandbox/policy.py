"""What a program in the sandbox sees, as arguments of bubblewrap: files, namespaces, environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.sandbox import failures
from perforch.sandbox.toolchains import toolchains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perforch.sandbox.spec import Command

USER = 1000
_HOME = "/tmp/home"
_ETC = Path(__file__).parent / "etc"  # accounts and names of nobody's machine: getpwuid and localhost work
_ACCOUNTS = "/etc/sandbox"
_NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
    "--uid", str(USER), "--gid", str(USER), "--hostname", "sandbox",
)  # fmt: skip


def arguments(command: Command, place: Callable[[Path], str]) -> Iterator[str]:
    """Everything between `bwrap` and `--`, descriptors apart.

    Args:
        command: whose mounts, environment and working directory are shown.
        place: where bubblewrap finds a folder or file of the host.

    Raises:
        SandboxUnavailableError: the source of a mount does not exist.
    """
    tools = toolchains()
    yield from _NAMESPACES
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib64", "lib32"):
        if Path("/", name).is_symlink():
            yield from ("--symlink", f"usr/{name}", f"/{name}")
        elif Path("/", name).is_dir():
            yield from ("--ro-bind", f"/{name}", f"/{name}")
    yield from ("--ro-bind", place(_ETC), _ACCOUNTS)
    for name in ("passwd", "group", "hosts", "nsswitch.conf"):
        yield from ("--symlink", f"sandbox/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from ("--size", str(command.limits.temp_bytes), "--tmpfs", "/tmp")
    yield from ("--size", str(64 << 20), "--tmpfs", "/dev/shm", "--size", str(1 << 20), "--tmpfs", "/run")
    yield from ("--dir", _HOME)
    for root in tools.roots:
        yield from ("--ro-bind", place(root), str(root))
    for store, inside in tools.stores:
        yield from ("--ro-bind", place(store), f"{_HOME}/{inside}")
    for mount in command.mounts:
        try:
            source = place(mount.source)
        except FileNotFoundError as error:
            raise failures.no_source(str(mount.source)) from error
        yield from ("--bind" if mount.writable else "--ro-bind", source, mount.target)
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


def same(path: Path) -> str:
    """Bubblewrap sees the host as we do.

    Raises:
        FileNotFoundError: nothing is there.
    """
    os.stat(path)  # noqa: PTH116 - on the way to every measured run
    return str(path)
