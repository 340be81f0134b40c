"""The seccomp filter of the sandbox, assembled here as classic BPF: no library needed.

It takes away what a build, a test or a benchmark never needs and what kernel bugs live in. Numbers are those of
x86-64 and aarch64 (Linux, include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl).
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from dataclasses import dataclass, field

_LOAD, _JEQ, _JGE, _JSET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NR, _ARCH, _ARG0 = 0, 4, 16
_SET_ID = 0o6000  # S_ISUID | S_ISGID: a file in an output directory belongs to the host user, root perhaps
_CREATES = 0o20000100  # O_CREAT | __O_TMPFILE: only then is the mode argument of open looked at
_OPENAT2 = 437  # both machines
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET,TIME}
_X32 = 0x40000000
_FAMILIES = (
    1,
    2,
    10,
)  # AF_UNIX, AF_INET, AF_INET6: inside an empty network namespace these reach nothing outside


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    clone: int
    clone3: int
    socket: int
    affinity: int
    modes: tuple[tuple[int, int], ...]
    opens: tuple[tuple[int, int], ...]
    x32: bool = False
    denied: tuple[int, ...] = field(default=())


# modes: (number, place of the mode argument) of chmod, fchmod, creat, mknod, mknodat, fchmodat, fchmodat2, as far as they exist.
# opens: (number, place of the flags, which the mode follows) of open, openat.
# denied: ptrace, process_vm_readv/writev, mount family, pivot_root, chroot, unshare, setns, bpf, perf_event_open, userfaultfd, io_uring,
# keyctl family, kernel modules, kexec, swap, reboot, pidfd_getfd, kcmp, quotactl, acct, open_by_handle_at, syslog, iopl, ioperm.
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        clone=56,
        clone3=435,
        socket=41,
        affinity=203,
        modes=((90, 1), (91, 1), (85, 1), (133, 1), (259, 2), (268, 2), (452, 2)),
        opens=((2, 1), (257, 2)),
        x32=True,
        denied=(
            101, 103, 155, 161, 163, 165, 166, 167, 168, 169, 172, 173, 175, 176, 179, 246, 248, 249, 250, 272, 298, 303,
            304, 308, 310, 311, 312, 313, 320, 321, 323, 425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442,
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        socket=198,
        affinity=122,
        modes=((52, 1), (33, 2), (53, 2), (452, 2)),
        opens=((56, 2),),
        denied=(
            39, 40, 41, 51, 60, 89, 97, 104, 105, 106, 116, 117, 142, 217, 218, 219, 224, 225, 241, 264, 265, 268, 270, 271,
            272, 273, 280, 282, 294, 425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442,
        ),
    ),
}  # fmt: skip


def supported() -> bool:
    """True when the syscall numbers of this machine are known."""
    return platform.machine() in _MACHINES


def program(*, fixed_affinity: bool) -> bytes:
    """The filter as an array of `struct sock_filter`.

    Args:
        fixed_affinity: also refuse `sched_setaffinity`, so that a measured program stays on its CPUs.
    """
    machine = _MACHINES[platform.machine()]
    denied = sorted({*machine.denied, *((machine.affinity,) if fixed_affinity else ())})
    code: list[bytes] = [
        _op(_LOAD, _ARCH),
        _op(_JEQ, machine.audit, 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NR),
    ]
    if machine.x32:
        code += [_op(_JGE, _X32, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    # libc falls back to clone and openat, whose arguments can be looked at.
    for number in (machine.clone3, _OPENAT2):
        code += [_op(_JEQ, number, 0, 1), _op(_RETURN, _ERRNO | errno.ENOSYS)]
    for number in denied:
        code += [_op(_JEQ, number, 0, 1), _op(_RETURN, _ERRNO | errno.EPERM)]
    for number, place in machine.modes:
        code += [
            _op(_JEQ, number, 0, 4),
            _op(_LOAD, _ARG0 + 8 * place),
            _op(_JSET, _SET_ID, 0, 1),
            _op(_RETURN, _ERRNO | errno.EPERM),
            _op(_RETURN, _ALLOW),
        ]
    for number, place in machine.opens:
        code += [
            _op(_JEQ, number, 0, 6),
            _op(_LOAD, _ARG0 + 8 * place),
            _op(_JSET, _CREATES, 0, 3),
            _op(_LOAD, _ARG0 + 8 * (place + 1)),
            _op(_JSET, _SET_ID, 0, 1),
            _op(_RETURN, _ERRNO | errno.EPERM),
            _op(_RETURN, _ALLOW),
        ]
    code += [
        _op(_JEQ, machine.clone, 0, 4),
        _op(_LOAD, _ARG0),
        _op(_JSET, _NEW_NAMESPACES, 0, 1),
        _op(_RETURN, _ERRNO | errno.EPERM),
        _op(_RETURN, _ALLOW),
        _op(_JEQ, machine.socket, 0, 2 + len(_FAMILIES)),
        _op(_LOAD, _ARG0),
        *(_op(_JEQ, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)),
        _op(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
        _op(_RETURN, _ALLOW),
    ]
    return b"".join(code)


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def descriptor(*, fixed_affinity: bool) -> int:
    """A file descriptor to read the filter from, for `bwrap --seccomp`; the caller closes it."""
    fd = os.memfd_create("seccomp", 0)
    os.write(fd, program(fixed_affinity=fixed_affinity))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
