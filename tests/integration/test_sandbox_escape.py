"""Ways out of the sandbox, tried from inside the real one: each is refused or contained, the next run works, the host is as before."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from perforch.measure.session import Session
from perforch.sandbox import cgroup, cleaning, open_sandbox, reader
from perforch.sandbox.bwrap import Bubblewrap
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Completed, Limits, Mount

if TYPE_CHECKING:
    from perforch.sandbox.spec import Sandbox

PYTHON = "/usr/bin/python3"
LIMITS = Limits(wall_seconds=60)

# Name -> a Python expression that is true when it got through. What it may use is defined in `INSIDE`.
ATTEMPTS = {
    # What lies on the host
    "accounts": "b'daemon:' in read('/etc/passwd')",
    "shadow": "read('/etc/shadow')",
    "sudoers": "read('/etc/sudoers')",
    "host name": "read('/etc/hostname')",
    "machine id": "read('/etc/machine-id')",
    "home": "mark in listing(home) or os.path.exists(f'{home}/.ssh')",
    "secret file": "read(secret_file)",
    "secret file by the root of pid 1": "read(f'/proc/1/root{secret_file}')",
    "secret file by a way up": "read('/src/../../../..' + secret_file)",
    "repository of the host": "os.path.exists(tree)",
    "other candidate": "os.path.exists(other)",
    "var": "listing('/var')",
    "sys": "listing('/sys/kernel')",
    "boot": "listing('/boot')",
    "disks": "[name for name in listing('/dev') if name.startswith(('sd', 'vd', 'nvme', 'loop', 'mem', 'kmsg', 'kvm', 'fuse'))]",
    "kernel memory": "read('/proc/kcore')",
    "kernel log": "libc.syscall(103, 3, ctypes.create_string_buffer(4096), 4096) >= 0 or read('/dev/kmsg')",
    # Other processes
    "key in environments": "[pid for pid in pids() if mark.encode() in read(f'/proc/{pid}/environ')]",
    "key in the environment of pid 1": "mark.encode() in read('/proc/1/environ')",
    "key in arguments": "[pid for pid in pids() if mark.encode() in read(f'/proc/{pid}/cmdline')]",
    "memory of perforch": "read(f'/proc/{perforch}/mem') or read(f'/proc/{perforch}/maps')",
    "memory of pid 1": "open('/proc/1/mem', 'rb+')",
    "folders of the host in arguments": "tree.encode() in read('/proc/1/cmdline')",
    "processes of the host": "len(pids()) > 8 or os.path.exists(f'/proc/{perforch}/status')",
    "signal to perforch": "os.kill(perforch, 0) is None",
    "signal to the parent": "os.getppid() not in (0, 1) and os.kill(perforch, 19) is None",
    "trace pid 1": "libc.ptrace(16, 1, 0, 0) == 0 or libc.ptrace(0x4206, 1, 0, 0) == 0",
    "trace oneself": "libc.ptrace(0, 0, 0, 0) == 0",
    "read across": "libc.process_vm_readv(perforch, None, 0, None, 0, 0) == 0",
    "descriptors of others": "got(438, 1, 0, 0)",
    "priority": "os.setpriority(os.PRIO_PROCESS, 0, -5) is None",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) is None",
    # Sockets
    "internet": "connect(2, ('192.0.2.1', 53))",
    "internet, version 6": "connect(10, ('2001:db8::1', 53))",
    "metadata": "connect(2, ('169.254.169.254', 80))",
    "loopback of the host": "connect(2, ('127.0.0.1', port))",
    "names": "socket.getaddrinfo('example.com', 80)",
    "docker": "connect(1, '/var/run/docker.sock') or connect(1, '/run/docker.sock')",
    "containerd": "connect(1, '/run/containerd/containerd.sock')",
    "system bus": "connect(1, '/run/dbus/system_bus_socket')",
    "abstract socket of the host": "connect(1, '\\0' + mark)",
    "datagrams": "socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 53))",
    "netlink": "socket.socket(16, 3, 0)",
    "packets": "socket.socket(17, 3, 0)",
    "raw": "socket.socket(2, 3, 1)",
    "kernel crypto": "socket.socket(38, 5, 0)",
    "virtual machine socket": "socket.socket(40, 1, 0)",
    "bluetooth": "socket.socket(31, 3, 0)",
    # The kernel
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "bind": "libc.mount(b'/tmp', b'/usr', None, 4096, None) == 0",
    "make writable": "libc.mount(None, b'/src', None, 32 | 4096, None) == 0",
    "unmount": "libc.umount2(b'/src', 2) == 0",
    "new mount calls": "got(428, -100, b'/', 1) or got(429, 0, b'', 0, b'/', 0) or got(430, b'tmpfs', 0) or got(442, 0, b'', 0, None, 0)",
    "pivot_root": "got(155, b'/tmp', b'/tmp')",
    "chroot": "os.chroot('/tmp') is None",
    "unshare": "any(libc.unshare(flag) == 0 for flag in NAMESPACES)",
    "setns": "libc.setns(os.open('/proc/1/ns/mnt', 0), 0) == 0",
    "clone": "any(cloned(flag) for flag in NAMESPACES)",
    "clone3": "got(435, b'\\0' * 88, 88)",
    "bpf": "got(321, 5, b'\\0' * 72, 72)",
    "perf_event_open": "got(298, (120).to_bytes(8, 'little') + b'\\0' * 112, 0, -1, -1, 0)",
    "userfaultfd": "got(323, 0) or got(323, 1)",
    "io_uring": "got(425, 4, ctypes.create_string_buffer(120))",
    "keys": "got(248, b'user', b'x', b'y', 1, -3) or got(249, b'user', b'x', None, 0) or got(250, 0, -3, 1)",
    "modules": "got(175, b'', 0, b'') or got(313, 0, b'', 0)",
    "kexec": "got(246, 0, 0, None, 0) or got(320, 0, 0, 0, b'', 0)",
    "handles": "got(304, -100, b'\\0' * 16, 0)",
    "swap, accounts, clock": "got(167, b'/tmp/x', 0) or got(163, b'/tmp/x') or libc.settimeofday(b'\\0' * 16, None) == 0",
    "ports": "got(172, 3) or got(173, 0, 1, 1)",
    "settings of the kernel": "write('/proc/sys/kernel/core_pattern') or write('/proc/sys/vm/drop_caches') or write('/proc/sysrq-trigger')",
    "old system calls of x32": "got(0x40000000 + 39)",
    # Privileges
    "capabilities": "int(next(line for line in read('/proc/self/status').decode().splitlines() if line.startswith('CapEff')).split()[1], 16)",
    "root": "os.getuid() == 0 or os.setuid(0) is None",
    "groups": "os.setgroups([0]) is None",
    "sudo": "subprocess.run(['sudo', '-n', 'true'], capture_output=True).returncode == 0",
    "su": "subprocess.run(['/bin/su', '-c', 'true'], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0",
    "privileges again": "libc.prctl(38, 0, 0, 0, 0) == 0 or libc.prctl(39, 0, 0, 0, 0) == 0",
    "device file": "os.mknod('/out/disk', 0o60600, os.makedev(8, 0)) is None or os.mknod('/tmp/disk', 0o20600, os.makedev(1, 1)) is None",
    "set-id file": "os.chmod(own, 0o6755) is None",
    "attributes": "os.setxattr(own, 'security.capability', b'\\1' * 20) is None or os.setxattr(own, 'trusted.x', b'x') is None",
    "another owner": "os.chown(own, 0, 0) is None",
    # Files that must stay as they are
    "source": "write('/src/new') or write('/src/a.py') or os.unlink('/src/a.py') is None or os.rename('/src', '/out/src') is None",
    "source by a descriptor": "os.open(f'/proc/self/fd/{os.open(\"/src/a.py\", os.O_RDONLY)}', os.O_RDWR)",
    "source by a link": "os.link('/src/a.py', '/out/a.py') is None",
    "toolchains": "any(write(f'{place}/perforch-escape') for place in places)",
    "system": "write('/usr/bin/perforch-escape') or write('/etc/perforch-escape') or write('/perforch-escape') or write('/bin/sh')",
    "loader": "write('/etc/ld.so.preload') or write('/etc/ld.so.cache')",
    "terminal": "os.open('/dev/tty', os.O_RDWR)",
    "typing for the user": "any(fcntl.ioctl(fd, 0x5412, b'x') == 0 for fd in (0, 1, 2))",
}  # fmt: skip

INSIDE = r"""
import ctypes, fcntl, json, os, signal, socket, subprocess, sys
given = json.loads(sys.argv[1])
mark, home, secret_file, tree, other, perforch, port, attempts = map(
    given.get, "mark home secret_file tree other perforch port attempts".split())
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
places = [place for place in os.environ["PATH"].split(":") + [os.environ.get("RUSTUP_HOME", ""), os.environ.get("GOMODCACHE", "")] if place]
NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
own = "/out/own"
open(own, "w").close()
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except OSError:
        return b""
def write(path):
    try:
        with open(path, "ab") as file:
            file.write(b"x")
    except OSError:
        return False
    return True
def listing(path):
    try:
        return os.listdir(path)
    except OSError:
        return []
def pids():
    return [name for name in os.listdir("/proc") if name.isdigit()]
def got(number, *arguments):
    return libc.syscall(number, *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)) >= 0
def cloned(flag):
    pid = libc.syscall(56, ctypes.c_long(flag | 17), None, None, None, None)
    if pid == 0:
        os._exit(0)
    return pid > 0
def connect(family, address):
    with socket.socket(family, 1) as one:
        one.settimeout(0.5)
        try:
            one.connect(address)
        except OSError:
            return False
        return True
found = {}
for name, text in attempts.items():
    try:
        found[name] = repr(eval(text))[:200] if eval(text) else ""
    except (OSError, AttributeError) as error:
        found[name] = ""
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


@pytest.fixture(params=["groups", "no groups"])
def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bubblewrap:
    """With and without control groups, which an ordinary user cannot make."""
    if request.param == "no groups":
        monkeypatch.setattr(cgroup, "_parents", tuple)
    return Bubblewrap()


def python(script: str, out: Path | None = None, *arguments: str, limits: Limits = LIMITS) -> Command:
    mounts = () if out is None else (Mount(out, OUTPUT, writable=True),)
    return Command((PYTHON, "-I", "-c", script, *arguments), cwd="/tmp", mounts=mounts, limits=limits)


def works(sandbox: Sandbox) -> bool:
    return sandbox.run(python("print('fine')")).stdout == b"fine\n"


def survivors(mark: str) -> list[str]:
    """Processes of this machine with this word among their arguments."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if mark in one.cmdline():
                found.append(str(one))
    return found


@pytest.fixture(scope="module")
def tried(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of every attempt, from one start of the sandbox beside a process that holds a secret; "" is refused."""
    import socket

    mark = "escape-" + secrets.token_hex(16)
    folder = tmp_path_factory.mktemp("escape")
    for name in ("src", "out", "other"):
        (folder / name).mkdir()
    (folder / "src" / "a.py").write_text("original")
    (folder / "secret").write_text(mark)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen(["/bin/sleep", "600"], env={"KEY": mark}) as holder,
    ):
        abstract.bind("\0" + mark)
        abstract.listen()
        given = {
            "mark": mark,
            "home": str(Path.home()),
            "secret_file": str(folder / "secret"),
            "tree": str(folder / "src"),
            "other": str(folder / "other"),
            "perforch": os.getpid(),
            "port": server.getsockname()[1],
            "attempts": ATTEMPTS,
        }
        mounts = (Mount(folder / "src", SOURCE), Mount(folder / "out", OUTPUT, writable=True))
        # What it is given comes as a file: arguments are what one of the attempts looks for the secret in.
        (folder / "src" / "inside.py").write_text(
            INSIDE.replace("sys.argv[1]", "open('/src/given.json').read()")
        )
        (folder / "src" / "given.json").write_text(json.dumps(given))
        done = sandbox.run(
            Command((PYTHON, "-I", f"{SOURCE}/inside.py"), mounts=mounts, limits=Limits(wall_seconds=120))
        )
        holder.kill()
    assert done.ok, done.stderr
    assert (folder / "src" / "a.py").read_text() == "original"
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["own"]
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ATTEMPTS)
def test_refused(tried: dict[str, str], name: str) -> None:
    assert tried[name] == ""


# Name -> what a program does, the words that may say how it was stopped, limits.
SMALL = {
    "wall_seconds": 20.0,
    "memory_bytes": 256 << 20,
    "processes": 64,
    "temp_bytes": 32 << 20,
    "file_bytes": 64 << 20,
}
HOGS: dict[str, tuple[str, set[str], dict[str, float]]] = {
    "processes without end": (
        "import os\ncount = 0\ntry:\n  while True:\n    if os.fork() == 0:\n      import time; time.sleep(60)\n    count += 1\n"
        "except OSError:\n  print(count < 64); os._exit(0)",
        {""},
        {},
    ),
    "a fork bomb": ("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", {"timeout", "memory"}, {"wall_seconds": 2.0}),
    "threads without end": (
        "import threading, time\ntry:\n  while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "except RuntimeError:\n  import os; print(threading.active_count() < 64, flush=True); os._exit(0)",
        {""},
        {},
    ),
    "memory": ("x = []\nwhile True: x.append(b'x' * (8 << 20))", {"", "memory"}, {}),
    "shared memory": (
        "import mmap\nm = mmap.mmap(-1, 600 << 20)\nfor i in range(0, 600 << 20, 4096): m[i] = 1\nimport time; time.sleep(20)\nprint('all of it')",
        {"memory"},
        {},
    ),
    "memory of many": (
        "import os, time\nfor _ in range(20):\n  if os.fork() == 0:\n    x = bytearray(60 << 20)\n    for i in range(0, len(x), 4096): x[i] = 1\n"
        "    time.sleep(20); os._exit(0)\ntime.sleep(4); print('all of it')",
        {"memory", ""},
        {},
    ),
    "the temporary folder": (
        "n = 0\ntry:\n  with open('/tmp/big', 'wb') as f:\n    while True: n += f.write(b'x' * (1 << 20))\nexcept OSError: print(n <= 33 << 20)",
        {""},
        {},
    ),
    "shared memory files": (
        "n = 0\ntry:\n  with open('/dev/shm/big', 'wb') as f:\n    while True: n += f.write(b'x' * (1 << 20))\nexcept OSError: print(n <= 65 << 20)",
        {"", "memory"},
        {},
    ),
    "the output folder": (
        "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nn = 0\ntry:\n  with open('/out/big', 'wb') as f:\n"
        "    while True: n += f.write(b'x' * (1 << 20))\nexcept OSError: print(n <= 64 << 20)",
        {"", "memory"},
        {},
    ),
    "a file of holes": (
        "import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: os.truncate(os.open('/out/holes', os.O_CREAT | os.O_RDWR), 10 << 30)\n"
        "except OSError: print(True)",
        {""},
        {},
    ),
    "200 MB of output": ("import sys\nfor _ in range(200): sys.stdout.write('x' * (1 << 20))", {"output"}, {}),
    "200 MB of errors": ("import sys\nfor _ in range(200): sys.stderr.write('x' * (1 << 20))", {"output"}, {}),
    "a loop": ("while True: pass", {"timeout"}, {"wall_seconds": 1.0}),
    "sleep": ("import time; time.sleep(600)", {"timeout"}, {"wall_seconds": 1.0}),
    "deaf to signals": (
        "import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: pass",
        {"timeout"},
        {"wall_seconds": 1.0},
    ),
    "stopped": ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", {"timeout"}, {"wall_seconds": 1.0}),
    "everybody killed": ("import os, signal; os.kill(-1, signal.SIGKILL)", {""}, {}),
    "pid 1 stopped": (
        "import os, signal\nfor n in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM):\n  os.kill(1, n)\nprint(True)",
        {""},
        {},
    ),
    "a core": ("import os, resource\ntry: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\nexcept ValueError: pass\nos.abort()", {""}, {}),
    "limits raised": (
        "import resource\nfor one in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):\n  try: resource.setrlimit(one, (-1, -1))\n"
        "  except (OSError, ValueError): pass\n  else: raise SystemExit('raised')\nprint(True)",
        {""},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOGS)
def test_contained(limited: Bubblewrap, tmp_path: Path, name: str) -> None:
    script, stopped, more = HOGS[name]
    mark = "escape-" + secrets.token_hex(8)
    limits = Limits(**{**SMALL, **more})  # type: ignore[arg-type]
    done = limited.run(python(script, tmp_path, mark, limits=limits))
    assert done.stopped in stopped, (done.stopped, done.returncode, done.stderr[-300:])
    assert done.stdout in {b"", b"True\n"} or done.stopped in {"output", "memory"}
    assert len(done.stdout) + len(done.stderr) <= limits.output_bytes
    assert done.seconds < limits.wall_seconds + 15
    assert survivors(mark) == []
    assert works(limited)
    assert sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*")) <= 65 << 20
    assert not list(Path.cwd().glob("core*"))


def test_the_disk_of_the_host_is_not_filled(limited: Bubblewrap, tmp_path: Path) -> None:
    """Each file may be as large as allowed; all of them together may not."""
    script = "n = 0\nwhile n < 400:\n  with open(f'/out/{n // 10}', 'ab') as f: f.write(b'x' * (10 << 20))\n  n += 1\nprint('all of it')"
    done = limited.run(python(script, tmp_path, limits=Limits(wall_seconds=60, disk_bytes=100 << 20)))
    used = sum(path.stat().st_size for path in tmp_path.rglob("*"))
    cleaning.remove(tmp_path)
    assert done.stopped == "disk"
    assert used < 4000 << 20


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2):
            os.close(fd)
        while True:
            time.sleep(1)
    os._exit(0)
print("left")
"""


def test_what_is_left_behind_dies(limited: Bubblewrap) -> None:
    mark = "escape-" + secrets.token_hex(8)
    done = limited.run(python(DAEMON, None, mark))
    assert (done.returncode, done.stdout) == (0, b"left\n")
    assert survivors(mark) == []


def test_nothing_stays_for_the_next_run(limited: Bubblewrap) -> None:
    leave = (
        "import os, mmap\nfor place in ('/tmp', '/dev/shm', '/run', os.environ['HOME']):\n  open(f'{place}/mark', 'w').close()\n"
        "os.mkdir('/tmp/perforch-end')\nimport ctypes; print(ctypes.CDLL(None).shmget(4711, 4096, 0o1600) >= 0)"
    )
    look = (
        "import os, ctypes\nprint([place for place in ('/tmp', '/dev/shm', '/run', os.environ['HOME']) if 'mark' in os.listdir(place)],"
        "ctypes.CDLL(None).shmget(4711, 4096, 0o600))"
    )
    assert limited.run(python(leave)).stdout == b"True\n"
    assert limited.run(python(look)).stdout == b"[] -1\n"


PLANT = r"""
import os
host = os.sys.argv[1]
os.symlink(host, "/out/report.xml")
os.symlink(os.path.dirname(host), "/out/folder")
os.symlink("/out/report.xml", "/out/absolute")
os.symlink("loop", "/out/loop")
os.mkfifo("/out/pipe")
os.mkdir("/out/up")
os.symlink("../../" * 20 + host[1:], "/out/up/way")
import socket
with socket.socket(socket.AF_UNIX) as one:
    one.bind("/out/socket")
os.truncate(os.open("/out/holes", os.O_CREAT | os.O_RDWR), 500 << 20)
for name in ("new\nline", "\x1b[31mred\x1b[0m", "::set-output name=x::y", "-rf", "a" * 255, b"\xff\xfe"):
    os.close(os.open(os.path.join(b"/out", os.fsencode(name)), os.O_CREAT))
place = os.open("/out", os.O_RDONLY)
for _ in range(2000):
    os.mkdir("deep", dir_fd=place)
    place = os.open("deep", os.O_RDONLY, dir_fd=place)
os.mkdir("/out/closed")
os.close(os.open("/out/closed/file", os.O_CREAT))
os.chmod("/out/closed", 0)
"""


def test_what_lies_in_the_output_leads_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "secret").write_text("secret")
    out = tmp_path / "out"
    out.mkdir()
    done = sandbox.run(python(PLANT, out, str(host / "secret")))
    assert done.ok, done.stderr
    for name in (
        "report.xml",
        "folder/secret",
        "absolute",
        "loop",
        "pipe",
        "up/way",
        "socket",
        "holes",
        "../host/secret",
    ):
        assert reader.read(out, name) is None, name
    assert reader.names(out, "folder") == ()
    assert "holes" in reader.names(out, "")
    cleaning.remove(out)
    assert not out.exists()
    assert (host / "secret").read_text() == "secret"


TERMINAL = """
import sys
from perforch.sandbox import open_sandbox
from perforch.sandbox.spec import Command
script = '''
import fcntl, os
found = []
try: found.append(os.open("/dev/tty", os.O_RDWR))
except OSError: pass
for fd in (0, 1, 2, *found):
    try:
        for mark in b"echo typed": fcntl.ioctl(fd, 0x5412, bytes([mark]))
        print("typed")
    except OSError: pass
    if os.isatty(fd): print("terminal")
'''
done = open_sandbox("required").run(Command(("/usr/bin/python3", "-I", "-c", script), cwd="/tmp"))
sys.exit("out" if done.stdout or not done.ok else 0)
"""


def test_the_terminal_of_the_user_is_out_of_reach() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", TERMINAL])
    said = b""
    with contextlib.suppress(OSError):  # EIO: everybody has left the terminal
        while chunk := os.read(terminal, 4096):
            said += chunk
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert (os.waitstatus_to_exitcode(status), said) == (0, b"")


@pytest.mark.parametrize("shared", [False, True])
def test_memory_of_a_measured_program_is_bounded(limited: Bubblewrap, shared: bool) -> None:
    make = "mmap.mmap(-1, 40 << 20)" if shared else "bytearray(40 << 20)"
    hog = (
        f"import mmap, os, time\nfor _ in range(10):\n  if os.fork() == 0:\n    m = {make}\n"
        "    for i in range(0, 40 << 20, 4096): m[i] = 1\n    time.sleep(5); os._exit(0)\n"
        "for _ in range(10):\n  if os.wait()[1]: os._exit(3)"
    )
    limits = Limits(wall_seconds=30, memory_bytes=128 << 20)
    with Session() as session:
        failed = session.time(limited.launch(python(hog, limits=limits))).sample.failure
        fine = session.time(limited.launch(python("print(1)", limits=limits))).sample.failure
    assert failed in {"it used more than 128 MiB of memory", "it ended with exit status 3"}
    assert fine == ""


def launched(sandbox: Sandbox, script: str) -> tuple[int, bytes]:
    """A measured run without the measuring: the gate is opened at once."""
    launch = sandbox.launch(python(script))
    assert launch.gate_fd is not None
    assert launch.info_fd is not None
    with subprocess.Popen(
        launch.argv,
        env=dict(launch.env),
        pass_fds=launch.pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        os.write(launch.gate_fd, b"\n")
        out, _ = process.communicate(timeout=60)
    for descriptor in {*launch.close_after_spawn, launch.gate_fd, launch.info_fd}:
        os.close(descriptor)
    return process.returncode, out


@pytest.mark.parametrize(
    "attempt",
    [
        "os.sched_setaffinity(0, range(os.cpu_count()))",
        "libc.syscall(298, b'\\0' * 120, 0, -1, -1, 0) >= 0 or refused()",
        "os.listdir('/proc/self/fd').index('4')",
        "open('/proc/1/clear_refs', 'wb', 0).write(b'5')",
        "os.setpriority(os.PRIO_PROCESS, 0, -1)",
        "open(next(iter(__import__('glob').glob('/sys/fs/cgroup/*'))))",
        "open('/proc/self/autogroup', 'wb', 0).write(b'-20')",
    ],
)
def test_a_measured_program_cannot_turn_the_knobs(sandbox: Sandbox, attempt: str) -> None:
    script = (
        "import ctypes, os\nlibc = ctypes.CDLL(None)\ndef refused(): raise OSError\n"
        f"try:\n  {attempt}\nexcept (OSError, ValueError, StopIteration): print('refused')\nelse: print('done')"
    )
    assert launched(sandbox, script) == (0, b"refused\n")


def completed(done: Completed) -> tuple[int, bytes, str]:
    return done.returncode, done.stderr, done.stopped


@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, 137])
def test_how_a_program_ends_is_its_own_saying_and_nothing_more(limited: Bubblewrap, code: int) -> None:
    """Neither status nor words make it pass for a program that is missing, or for one that the sandbox stopped."""
    words = 'bwrap: execvp x: No such file or directory\\nmissing\\n{"exit-code": 0}\\n'
    script = f"import os, sys\nfor fd in range(2, 400):\n  try: os.write(fd, b'{words}')\n  except OSError: pass\nos._exit({code})"
    returncode, stderr, stopped = completed(limited.run(python(script)))
    assert (returncode, stopped) == (code, "")
    assert stderr.startswith(b"bwrap: execvp x")


def test_work_of_what_is_stopped_counts(limited: Bubblewrap) -> None:
    """A run that a limit ended still tells how long it worked: budgets and reports rest on it."""
    script = "import os\nif os.fork() == 0:\n  while True: pass\nwhile True: pass"
    done = limited.run(python(script, limits=Limits(wall_seconds=2.0)))
    assert done.stopped == "timeout"
    assert done.cpu_seconds > 0.3 * done.seconds
    eating = "x = []\nfor i in range(10_000_000): i * i\nwhile True: x.append(bytearray(b'x' * (8 << 20)))"
    done = limited.run(python(eating, limits=Limits(memory_bytes=256 << 20)))
    assert done.stopped == "memory" or done.returncode
    assert done.cpu_seconds > 0.1
