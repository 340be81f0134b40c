# ruff: noqa: E501 - the script inside is one piece
"""Does the sandbox hold? The worst things a program could try, tried in one start of the real policy; never inferred from versions."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import SandboxUnavailableError
from perforch.sandbox import seccomp
from perforch.sandbox.bwrap import Bubblewrap
from perforch.sandbox.spec import SOURCE, Command, Limits, Mount
from perforch.sandbox.toolchains import toolchains

if TYPE_CHECKING:
    from perforch.sandbox.spec import Sandbox

_NAMES = {
    "environment": "no environment of ours is readable, /proc/1/environ included",
    "processes": "processes outside are invisible and cannot be signalled",
    "network": "nothing outside can be reached over the network",
    "source": "the source tree cannot be written",
    "system": "the system cannot be written",
    "home": "no home directory of the host is visible",
    "accounts": "no account of the host is visible",
    "mount": "mount is refused",
    "namespaces": "new namespaces are refused",
    "ptrace": "ptrace is refused",
    "privileges": "no capability is left and none can be gained",
    "devices": "no disk is visible",
}

# Runs inside, in whatever /usr/bin/python3 or sh there is; prints the names of the walls that did not hold.
_SCRIPT = r"""
import ctypes, json, os, socket, sys
secret, home, outside, *shown = sys.argv[1:]
held = {}
def walls(name, tries):
    broken = []
    for label, attempt in tries:
        try:
            if attempt():
                broken.append(label)
        except BaseException:
            pass
    held[name] = broken
def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 16)
def write(path):
    with open(path, "wb") as file:
        file.write(b"x")
    return True
libc = ctypes.CDLL(None, use_errno=True)
pids = [name for name in os.listdir("/proc") if name.isdigit()]
walls("environment", [("pid " + pid, lambda pid=pid: secret.encode() in read(f"/proc/{pid}/environ")) for pid in pids] + [("own", lambda: secret in str(dict(os.environ)))])
walls("processes", [("outside visible", lambda: len(pids) > 8), ("signal", lambda: os.kill(int(outside), 0) is None)])
def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(0.5)
        s.connect(address)
        return True
walls("network", [("metadata", lambda: connect(socket.AF_INET, ("169.254.169.254", 80))), ("internet", lambda: connect(socket.AF_INET, ("192.0.2.1", 53))), ("dns", lambda: bool(socket.getaddrinfo("example.com", 80)))])
walls("source", [("new file", lambda: write("/src/perforch-probe")), ("old file", lambda: write("/src/probe.py"))])
walls("system", [("/usr", lambda: write("/usr/perforch-probe")), ("/etc", lambda: write("/etc/perforch-probe")), ("/", lambda: write("/perforch-probe"))])
def strays(folder):
    # Toolchains and environments inside a home directory are shown, and on the way to them nothing else.
    inside = [path[len(folder) + 1:] for path in shown if path.startswith(folder + "/")]
    if folder in shown or not inside:
        return folder not in shown
    return any(strays(folder + "/" + name) for name in os.listdir(folder))
walls("home", [("listed", lambda: bool(os.listdir(home)) and strays(home))])
walls("accounts", [("shadow", lambda: bool(read("/etc/shadow"))), ("passwd", lambda: len(read("/etc/passwd").splitlines()) > 3)])
walls("mount", [("tmpfs", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)])
walls("namespaces", [("user", lambda: libc.unshare(0x10000000) == 0), ("mount", lambda: libc.unshare(0x00020000) == 0)])
walls("ptrace", [("seize", lambda: libc.ptrace(0x4206, 1, 0, 0) == 0), ("attach", lambda: libc.ptrace(16, 1, 0, 0) == 0)])
def capable():
    status = read("/proc/self/status").decode()
    return any(line.startswith("CapEff") and int(line.split()[1], 16) for line in status.splitlines())
walls("privileges", [("capabilities", capable), ("root", lambda: os.getuid() == 0), ("setuid", lambda: os.setuid(0) is None)])
walls("devices", [(name, lambda name=name: bool(read("/dev/" + name))) for name in os.listdir("/dev") if name.startswith(("sd", "vd", "nvme", "mem", "kmem"))])
print(json.dumps(held))
"""


_proven: dict[tuple[str, Path], tuple[Check, ...]] = {}


@dataclass(frozen=True, slots=True)
class Check:
    """One wall: `saw` says how it was broken, or that it held."""

    name: str
    ok: bool
    saw: str
    good: str
    remedy: str = ""


def probe(sandbox: Sandbox | None = None) -> tuple[Check, ...]:
    """Try every wall.

    Raises:
        SandboxUnavailableError: the sandbox does not start.
    """
    sandbox = sandbox if sandbox is not None else Bubblewrap()
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="perforch-probe-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "probe.py").write_text(_SCRIPT)
        command = Command(
            (
                "/usr/bin/python3",
                "-I",
                f"{SOURCE}/probe.py",
                secret,
                str(Path.home()),
                str(os.getpid()),
                *map(str, toolchains().roots),
            ),
            mounts=(Mount(Path(folder), SOURCE),),
            limits=Limits(wall_seconds=30),
        )
        done = sandbox.run(command)
    try:
        held = json.loads(done.stdout)
    except ValueError as error:
        message = f"the sandbox starts, but its self-test does not run (exit {done.returncode}): {done.stderr[-300:].decode(errors='replace')}"
        raise SandboxUnavailableError(message, hint="The self-test needs /usr/bin/python3.") from error
    return tuple(
        Check(
            name=name,
            ok=not held[name],
            saw="held" if not held[name] else "broken: " + ", ".join(held[name]),
            good=good,
            remedy="" if not held[name] else "Do not run untrusted code on this machine; please report this.",
        )
        for name, good in _NAMES.items()
    )


def prove(sandbox: Bubblewrap) -> None:
    """Refuse a sandbox with a broken wall; tried once a process for every level.

    Without the system call filter a program may trace its own kind, and nobody else: that alone is let pass.

    Raises:
        SandboxUnavailableError: it does not start, or something got out.
    """
    key = sandbox.level, sandbox.program
    if key not in _proven:
        _proven[key] = probe(sandbox)
    spared = set() if seccomp.supported() else {"ptrace"}
    broken = [check for check in _proven[key] if not check.ok and check.name not in spared]
    if broken:
        message = f"the sandbox of this machine does not hold: {broken[0].name} ({broken[0].saw}); nothing was executed"
        raise SandboxUnavailableError(message, hint=broken[0].remedy)
