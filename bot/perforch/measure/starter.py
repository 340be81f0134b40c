"""The small process that starts what is measured, times it, samples it and reaps it.

It exists beside the main process because that one is large and has threads: its resident size would be the floor of
every child's `ru_maxrss`, its page tables would be copied, its other children would be reaped by mistake.
Run by path with the bare interpreter (`python -I -S`), so only the standard library and its own neighbours are imported.

Protocol: one SOCK_SEQPACKET message per run. Descriptors: a memory file with the request (JSON), then the launch's own.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from perforch.measure import group, perf, process, sampler

_LOOK_SECONDS = 0.2  # between two looks at the memory of a timed program that no control group bounds
_READY_SECONDS = 20.0  # for a sandbox or perf to come up on a busy machine
_KEPT = 4000  # bytes of what perf says
_PR_SET_TIMERSLACK = 29
_LAUNCHERS = {"bwrap", "perf"}
_FLOOR = 100
_FREE_DIGITS = range(3, 10)  # POSIX shells redirect single digits only


class RunError(Exception):
    """This run does not count; the message says why."""


class Run:
    """One start of one program, from request to reply."""

    def __init__(self, request: dict[str, Any], descriptors: list[int], lifeline: int) -> None:
        self.request = request
        self.lifeline = lifeline
        numbers = request["pass_fds"]
        self.floor = max([_FLOOR, *numbers])
        self.ours = process.raise_above(descriptors, self.floor)
        self.places = dict(zip(numbers, self.ours, strict=False))
        rest = self.ours[len(numbers) :]
        self.gate = rest.pop(0) if request["gate"] else -1
        self.info = rest.pop(0) if request["info"] else -1
        self.memory: sampler.Memory | None = None
        self.peak: group.Peak | None = None
        self.first_inside = -1  # of the sandbox's namespace
        self.excessive = False

    def close(self) -> None:
        for descriptor in self.ours:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _own(self, *descriptors: int) -> list[int]:
        """Keep descriptors until the run is over, out of the way of the numbers that the program expects."""
        moved = process.raise_above(descriptors, self.floor)
        self.ours += moved
        return moved

    def _temporary(self) -> int:
        return self._own(os.memfd_create("perforch"))[0]

    def reply(self) -> dict[str, Any]:
        """Run to the end and describe it.

        Raises:
            RunError: the program or perf could not be started or followed.
        """
        request = self.request
        null = self._own(os.open(os.devnull, os.O_RDWR))[0]
        errors = self._temporary() if request["capture"] else null
        self.places |= {0: null, 1: null, 2: errors}
        argv = tuple(request["argv"])
        counting = request["perf"]
        log = words = control = acknowledge = -1
        if counting:
            log, words = self._temporary(), self._temporary()
            argv, control, acknowledge = self._under_perf(argv, log, words, errors)
        elif request["memory"] and self.gate < 0:
            digit = next(digit for digit in _FREE_DIGITS if digit not in self.places)
            argv = ("/bin/sh", "-c", f'{self._gate(digit)}exec "$@"', "sh", *argv)
        deadline = time.monotonic() + request["timeout"]
        try:
            started = time.monotonic_ns()
            main = process.spawn(argv, request["env"], self.places, request["cpus"])
        except OSError as error:
            message = f"{argv[0]} cannot be started: {error.strerror}"
            raise RunError(message) from error
        ended = None
        watches = [os.pidfd_open(main)]
        try:
            target = self._find_target(main, watches[0]) if self.gate >= 0 else main
            watches.append(self._watch(target, main))
            if request["boost"]:
                process.first_in_line(target)
            if counting:
                self._enable(watches[0], control, acknowledge, words)
            if request["memory"] and self.gate >= 0:
                self.peak = group.Peak(request["memory_group"], target)
            if self.gate >= 0:
                started = time.monotonic_ns()
                with contextlib.suppress(BrokenPipeError):
                    os.write(self.gate, b"\n")
            timely = self._follow(target, watches[1], deadline)
            stopped = time.monotonic_ns()
            timely = timely and process.wait_readable(watches[0], deadline + 10, self.lifeline)
            if not timely:
                process.end_group(main)
            ended = process.wait(main)
        finally:
            group_kib = self.peak.close() if self.peak else 0
            for watch in watches:
                os.close(watch)
            if ended is None:
                process.end_group(main)
                process.wait(main)
            orphans, orphan_ns = process.reap_orphans(self.first_inside)
        return {
            "returncode": ended.returncode,
            "timeout": not timely and not self.excessive,
            "excessive": self.excessive,
            "wall_ns": stopped - started,
            "wait4_ns": ended.cpu_ns + orphan_ns,
            "max_rss_kib": ended.max_rss_kib,
            "group_kib": group_kib,
            "own_rss_kib": _own_high_water_kib(),
            "orphans": orphans,
            "log": _text(log) if counting else "",
            "words": _text(words) if counting else "",
            "stderr": _text(errors, request["capture"]) if request["capture"] else "",
            "memory": asdict(self.memory) if self.memory else None,
        }

    def _under_perf(
        self, argv: tuple[str, ...], log: int, words: int, errors: int
    ) -> tuple[tuple[str, ...], int, int]:
        """Put perf before the program, and a shell between the two that closes perf's descriptors.

        Without that the program could write counts of its own into perf's log.
        """
        free = [digit for digit in _FREE_DIGITS if digit not in self.places]
        if len(free) < 5:
            raise RunError("too many descriptors are passed to the program to put perf before it")  # noqa: EM101
        control, acknowledge, logged, standard_error, gate = free[:5]
        read_control, write_control = self._own(*os.pipe())
        read_acknowledge, write_acknowledge = self._own(*os.pipe())
        self.places |= {
            control: read_control,
            acknowledge: write_acknowledge,
            logged: log,
            2: words,
            standard_error: errors,
        }
        closing = " ".join(f"{digit}>&-" for digit in (control, acknowledge, logged))
        wait = self._gate(gate) if self.gate < 0 else ""
        script = f'exec {closing} 2>&{standard_error} {standard_error}>&-; {wait}exec "$@"'
        front = perf.argv(
            self.request["perf"],
            control=control,
            acknowledge=acknowledge,
            log=logged,
            events=tuple(self.request["events"]),
        )
        return (*front, "/bin/sh", "-c", script, "sh", *argv), write_control, read_acknowledge

    def _gate(self, digit: int) -> str:
        """Make a gate of our own for a program without one; the shell's words to wait at it."""
        self.places[digit], self.gate = self._own(*os.pipe())
        return f"IFS= read -r _ <&{digit} || exit 125; exec {digit}<&-; "

    def _enable(self, main: int, control: int, acknowledge: int, words: int) -> None:
        """Switch perf's counters on once everything before the program has happened."""
        with contextlib.suppress(BrokenPipeError):
            os.write(control, b"enable\n")
        deadline = time.monotonic() + _READY_SECONDS
        while not process.wait_readable(acknowledge, time.monotonic() + 0.05, self.lifeline):
            if process.wait_readable(main, 0):
                raise RunError(perf.explain(_text(words)) or "perf ended before it counted")
            if time.monotonic() > deadline:
                raise RunError("perf did not start to count")  # noqa: EM101
        os.read(acknowledge, 64)

    def _find_target(self, main: int, watch: int) -> int:
        """The process that waits at the gate: the last in the line of children of what was started, once it sleeps."""
        deadline = time.monotonic() + _READY_SECONDS
        top = main
        if self.info >= 0:
            top = self.first_inside = self._first_inside(deadline)
        settled, target = 0, top
        while settled < 3 and time.monotonic() < deadline and not process.wait_readable(watch, 0):
            last = top
            while below := process.children(last):
                last = below[0]
            waiting = _state(last) == "S" and Path(_executable(last)).name not in _LAUNCHERS
            settled = settled + 1 if last == target and waiting else 0
            target = last
            time.sleep(0.0003)
        return target

    def _first_inside(self, deadline: float) -> int:
        """Bubblewrap's JSON arrives in several writes; it ends with the closing brace."""
        text = b""
        while b"}" not in text and process.wait_readable(self.info, deadline, self.lifeline):
            chunk = os.read(self.info, 4096)
            if not chunk:
                break
            text += chunk
        try:
            return int(json.loads(text)["child-pid"])
        except (ValueError, KeyError, TypeError):
            raise RunError("the sandbox did not start") from None  # noqa: EM101

    @staticmethod
    def _watch(target: int, main: int) -> int:
        try:
            return os.pidfd_open(target)
        except ProcessLookupError:
            return os.pidfd_open(main)

    def _follow(self, target: int, watch: int, deadline: float) -> bool:
        if not self.request["memory"]:
            while self.request["memory_bytes"] and (now := time.monotonic()) + _LOOK_SECONDS < deadline:
                if process.wait_readable(watch, now + _LOOK_SECONDS, self.lifeline):
                    return True
                if time.monotonic() < now + _LOOK_SECONDS:  # whoever asked is gone
                    return False
                if process.resident_bytes(self.first_inside) > self.request["memory_bytes"]:
                    self.excessive = True
                    return False
            return process.wait_readable(watch, deadline, self.lifeline)
        if self.gate >= 0:
            _await_exec(target)
        self.memory = sampler.Sampler(target).run(watch, deadline)
        return self.memory is not None


def _await_exec(pid: int) -> None:
    """Wait until the process has replaced the image that waited at the gate (its stack moves), at most 50 ms."""
    before = _stack(pid)
    deadline = time.monotonic() + 0.05
    while _stack(pid) == before and time.monotonic() < deadline:
        pass


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "gone"


def _stack(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[25]
    except (OSError, IndexError):
        return "gone"


def _executable(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 - a link that may point nowhere
    except OSError:
        return "perf"


def _own_high_water_kib() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def _text(descriptor: int, kept: int = _KEPT) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, kept, max(size - kept, 0)).decode("utf-8", "replace")


def serve(connection: socket.socket) -> None:
    """Answer requests until the other end is gone."""
    connection.set_inheritable(False)  # a program that could write here would write its own results
    gc.disable()
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    process.become_subreaper()
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, 16, 64)
        if not message:
            return
        with os.fdopen(descriptors.pop(0), "rb") as file:
            request = json.loads(file.read())
        if request["own_cpus"]:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, request["own_cpus"])
        run = Run(request, descriptors, connection.fileno())
        try:
            with process.punctual() if request["memory"] else contextlib.nullcontext():
                answer = run.reply()
        except (RunError, OSError) as error:
            answer = {"error": str(error)}
        finally:
            run.close()
        gc.collect()
        try:
            connection.send(json.dumps(answer).encode())
        except (BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
