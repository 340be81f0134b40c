"""Root starts bubblewrap as a user who owns nothing on this machine: level "bwrap+uid".

Files that sandboxed programs work on stay root's. They are shown through ID-mapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP, since
Linux 5.12), which swap root and that user on the way in and out, so nothing has to be handed over and back. These mounts live in
a mount namespace of their own, which goes with this process and its last sandbox.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import stat
import struct
import subprocess
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")
ACCOUNT = "perforch-sbx"  # its uid is used if the machine has it
_NOBODYS = 1_999_999_999  # else this one: no range of systemd, of login.defs or of containers reaches it
_STAGES = ("/mnt", "/media", "/srv")  # covered in our own mount namespace only
_KEPT = 256

_CLONE_NEWNS, _CLONE_FS = 0x00020000, 0x00000200
_MS_REC, _MS_SLAVE, _MS_NOSUID, _MS_NODEV = 0x4000, 0x80000, 2, 4
_MNT_DETACH = 2
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
# include/uapi/asm-generic/unistd.h: the same on every machine.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOUNT_ATTR_IDMAP = 0x00100000
_MOVE_FROM_EMPTY_PATH = 4

_libc = ctypes.CDLL(None, use_errno=True)


class Stage:
    """Where bubblewrap, started by `front`, finds folders of the host.

    Raises:
        OSError: not root, or the kernel, a container or a file system does not allow it.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise PermissionError("only root can become somebody else")  # noqa: EM101
        self._lock = threading.Lock()
        self._placed: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._count = 0
        self.uid, self.gid = _unprivileged()
        with contextlib.ExitStack() as cleanup:
            mapping = _mapping(self.uid, self.gid)
            cleanup.callback(os.close, mapping)
            self._folder, namespace = _beside(_make_stage)
            cleanup.callback(os.close, namespace)
            self._mapping, self._namespace = mapping, namespace
            weakref.finalize(self, cleanup.pop_all().close)

    def front(self) -> tuple[str, ...]:
        """What comes before `bwrap` on the command line; must be started by root, and while this object lives."""
        namespace = f"/proc/{os.getpid()}/fd/{self._namespace}"
        return (
            "/usr/bin/nsenter",
            f"--mount={namespace}",
            f"--setgid={self.gid}",
            f"--setuid={self.uid}",
            "--",
        )

    def place(self, path: Path) -> str:
        """Where the unprivileged user finds a folder or file of the host.

        Raises:
            OSError: it is not there (FileNotFoundError), or its file system has no ID-mapped mounts.
        """
        found = os.stat(path)  # noqa: PTH116 - on the way to every measured run
        name = str(path)
        # A mount keeps its inode in use: the number cannot come to mean another folder.
        key = found.st_dev, found.st_ino
        with self._lock:
            if key in self._placed:
                self._placed.move_to_end(key)
            else:
                self._placed[key] = self._mount(name, folder=stat.S_ISDIR(found.st_mode))
                if len(self._placed) > _KEPT:
                    self._unmount(self._placed.popitem(last=False)[1])
            return self._placed[key]

    def _mount(self, path: str, *, folder: bool) -> str:
        flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC
        tree = _call("open_tree", _libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags), path)
        try:
            attributes = struct.pack("=QQQQ", _MOUNT_ATTR_IDMAP, 0, 0, self._mapping)
            done = _libc.syscall(
                _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, ctypes.c_size_t(len(attributes))
            )
            _call("mount_setattr", done, path)
            self._count += 1
            target = f"{self._folder}/{self._count}"

            def attach() -> str:
                self._enter()
                if folder:
                    os.mkdir(target, 0o755)  # noqa: PTH102
                else:
                    os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o644))
                done = _libc.syscall(
                    _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_FROM_EMPTY_PATH
                )
                _call("move_mount", done, path)
                return target

            return _beside(attach)
        finally:
            os.close(tree)

    def _unmount(self, target: str) -> None:
        def detach() -> None:
            self._enter()
            # What a running sandbox sees of it is a mount of its own.
            _call("umount2", _libc.umount2(os.fsencode(target), _MNT_DETACH), target)

        with contextlib.suppress(OSError):
            _beside(detach)

    def _enter(self) -> None:
        _call("unshare", _libc.unshare(_CLONE_FS))
        _call("setns", _libc.setns(self._namespace, _CLONE_NEWNS))


def _unprivileged() -> tuple[int, int]:
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return _NOBODYS, _NOBODYS
    return (account.pw_uid, account.pw_gid) if account.pw_uid else (_NOBODYS, _NOBODYS)


def _mapping(uid: int, gid: int) -> int:
    """A user namespace that says: what is root's on disk is this user's."""
    with subprocess.Popen(
        ["/usr/bin/unshare", "--user", "--", "/bin/cat"],
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"\n")
        holder.stdin.flush()
        if not holder.stdout.read(1):  # an echo: the namespace is there
            raise PermissionError("no user namespace can be made")  # noqa: EM101
        for name, number in (("uid_map", uid), ("gid_map", gid)):
            with open(f"/proc/{holder.pid}/{name}", "wb", buffering=0) as file:  # noqa: PTH123
                file.write(b"0 %d 1\n" % number)
        return os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def _make_stage() -> tuple[str, int]:
    """Leave the host's mount namespace for a copy that follows it, with room for mounts of our own."""
    folder = next((one for one in _STAGES if os.path.isdir(one) and not os.path.islink(one)), None)  # noqa: PTH112, PTH114
    if folder is None:
        raise FileNotFoundError(f"none of {', '.join(_STAGES)} exists")  # noqa: EM102
    _call("unshare", _libc.unshare(_CLONE_NEWNS | _CLONE_FS))
    _call("mount", _libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None))
    flags = _MS_NOSUID | _MS_NODEV
    _call("mount", _libc.mount(b"perforch", folder.encode(), b"tmpfs", flags, b"mode=0711,size=4m"), folder)
    me = f"/proc/self/task/{threading.get_native_id()}/ns/mnt"
    return folder, os.open(me, os.O_RDONLY | os.O_CLOEXEC)


def _beside(work: Callable[[], _T]) -> _T:
    """Do it in a thread of its own: mount namespaces and working directories are a thread's, and this one ends."""
    with ThreadPoolExecutor(1, "perforch-mounts") as pool:
        return pool.submit(work).result()


def _call(name: str, result: int, path: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", path or None)
    return result
