"""What a program in the sandbox sees, as arguments of bubblewrap: files, namespaces, environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perforch.sandbox.toolchains import toolchains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perforch.sandbox.spec import Command

USER = 1000
_HOME = "/tmp/home"
_ETC = Path(__file__).parent / "etc"  # accounts and names of nobody's machine: getpwuid and localhost work
_SYSTEM = ("/usr/", "/etc/", "/nix/")  # everybody may read it
_ACCOUNTS = "/etc/sandbox"
# What some hosts cannot give, and what it is called in results. The system call filter refuses new namespaces as well, and
# without a /proc of its own a program sees none.
OPTIONAL = {"proc": "its own /proc", "userns": "the lock on user namespaces"}
_NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
    "--uid", str(USER), "--gid", str(USER), "--hostname", "sandbox",
)  # fmt: skip


def arguments(
    command: Command, place: Callable[[Path], str], *, without: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Everything between `bwrap` and `--`, descriptors apart.

    Args:
        command: whose mounts, environment and working directory are shown.
        place: where bubblewrap finds a folder or file of the host.
        without: names in `OPTIONAL` that are left out.

    Raises:
        OSError: a folder of the host cannot be shown, FileNotFoundError when it is not there.
    """
    tools = toolchains()
    yield from _NAMESPACES
    if "userns" not in without:
        yield "--disable-userns"
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib64", "lib32"):
        if Path("/", name).is_symlink():
            yield from ("--symlink", f"usr/{name}", f"/{name}")
        elif Path("/", name).is_dir():
            yield from ("--ro-bind", f"/{name}", f"/{name}")
    yield from ("--ro-bind", place(_ETC), _ACCOUNTS)
    for name in ("passwd", "group", "hosts", "nsswitch.conf"):
        yield from ("--symlink", f"sandbox/{name}", f"/etc/{name}")
    if "proc" in without:
        yield from ("--dir", "/proc")
    else:
        # The first process is bubblewrap's: its memory could be written, and its arguments name folders of the host.
        yield from ("--proc", "/proc", "--tmpfs", "/proc/1", "--remount-ro", "/proc/1")
    yield from ("--dev", "/dev")
    yield from ("--size", str(command.limits.temp_bytes), "--tmpfs", "/tmp")
    yield from ("--size", str(64 << 20), "--tmpfs", "/dev/shm", "--size", str(1 << 20), "--tmpfs", "/run")
    yield from ("--dir", _HOME)
    for root in tools.roots:
        shown = str(root)
        yield from ("--ro-bind", shown if shown.startswith(_SYSTEM) else place(root), shown)
    for store, inside in tools.stores:
        yield from ("--ro-bind", place(store), f"{_HOME}/{inside}")
    for mount in command.mounts:
        yield from ("--bind" if mount.writable else "--ro-bind", place(mount.source), mount.target)
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
