"""The filter, interpreted: what it answers to single system calls."""

from __future__ import annotations

import errno
import platform
import struct

import pytest

from perforch.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# chmod-like calls and where their mode is; open-like calls and where their flags are (the mode follows).
MODES = {
    "x86_64": {"chmod": (90, 1), "fchmod": (91, 1), "creat": (85, 1), "mknod": (133, 1), "mknodat": (259, 2),
               "fchmodat": (268, 2), "fchmodat2": (452, 2)},
    "aarch64": {"fchmod": (52, 1), "mknodat": (33, 2), "fchmodat": (53, 2), "fchmodat2": (452, 2)},
}  # fmt: skip
OPENS = {"x86_64": {"open": (2, 1), "openat": (257, 2)}, "aarch64": {"openat": (56, 2)}}
O_CREAT, O_TMPFILE = 0o100, 0o20200000
GARBAGE = 0xDEAD0000 << 32  # the kernel looks at the low half of these arguments only


def answer(code: bytes, number: int, arguments: dict[int, int] | None = None, *, arch: int) -> int:
    """Run the classic BPF program over one `struct seccomp_data`."""
    values = [(arguments or {}).get(place, 0) for place in range(6)]
    data = struct.pack("=IIQ6Q", number, arch, 0, *values)
    program = list(struct.iter_unpack("=HBBI", code))
    at, accumulator = 0, 0
    while True:
        op, yes, no, value = program[at]
        at += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif op == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[
                op
            ]
            at += yes if holds else no


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    monkeypatch.setattr(platform, "machine", lambda: name)
    return name


@pytest.mark.parametrize("bits", [0o4755, 0o2755, 0o6000, 0o4000])
def test_set_id_modes_are_refused(machine: str, bits: int) -> None:
    code, arch = seccomp.program(fixed_affinity=False), ARCHITECTURES[machine]
    for number, place in MODES[machine].values():
        assert answer(code, number, {place: bits | GARBAGE}, arch=arch) == refused(errno.EPERM)
    for number, place in OPENS[machine].values():
        for flags in (O_CREAT, O_CREAT | 2, O_TMPFILE | 2):
            assert answer(code, number, {place: flags, place + 1: bits}, arch=arch) == refused(errno.EPERM)


@pytest.mark.parametrize("bits", [0, 0o644, 0o755, 0o1777, 0o100644])
def test_plain_modes_are_allowed(machine: str, bits: int) -> None:
    code, arch = seccomp.program(fixed_affinity=False), ARCHITECTURES[machine]
    for number, place in MODES[machine].values():
        assert answer(code, number, {place: bits}, arch=arch) == ALLOW
    for number, place in OPENS[machine].values():
        assert answer(code, number, {place: O_CREAT, place + 1: bits}, arch=arch) == ALLOW


def test_mode_of_an_open_that_creates_nothing_does_not_matter(machine: str) -> None:
    code, arch = seccomp.program(fixed_affinity=False), ARCHITECTURES[machine]
    for number, place in OPENS[machine].values():
        assert answer(code, number, {place: 0o200000, place + 1: 0o7777}, arch=arch) == ALLOW


def test_calls_whose_arguments_are_hidden_do_not_exist(machine: str) -> None:
    code, arch = seccomp.program(fixed_affinity=False), ARCHITECTURES[machine]
    for number in (435, 437):  # clone3, openat2
        assert answer(code, number, arch=arch) == refused(errno.ENOSYS)


def test_other_architectures_are_killed(machine: str) -> None:
    assert answer(seccomp.program(fixed_affinity=False), 0, arch=0x40000003) == KILL


def test_namespaces_sockets_and_affinity(machine: str) -> None:
    clone, socket, affinity = {"x86_64": (56, 41, 203), "aarch64": (220, 198, 122)}[machine]
    free, fixed = seccomp.program(fixed_affinity=False), seccomp.program(fixed_affinity=True)
    arch = ARCHITECTURES[machine]
    assert answer(free, clone, {0: 0x10000000}, arch=arch) == refused(errno.EPERM)
    assert answer(free, clone, {0: 0x3D0F00}, arch=arch) == ALLOW  # a thread
    assert [answer(free, socket, {0: family}, arch=arch) for family in (1, 2, 10)] == [ALLOW] * 3
    assert answer(free, socket, {0: 16}, arch=arch) == refused(errno.EAFNOSUPPORT)  # netlink
    assert answer(free, affinity, arch=arch) == ALLOW
    assert answer(fixed, affinity, arch=arch) == refused(errno.EPERM)


def test_x32_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    code = seccomp.program(fixed_affinity=False)
    assert answer(code, 0x40000000 | 90, {1: 0o4755}, arch=ARCHITECTURES["x86_64"]) == refused(errno.ENOSYS)
