"""A measuring session: the machine's lock, reserved CPUs, and the starter process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perforch.errors import PerforchError
from perforch.measure import cpus, perf
from perforch.measure.model import Sample
from perforch.measure.sampler import Memory
from perforch.sandbox import isolation
from perforch.sandbox.spec import Launch, Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_SIGNALLED = re.compile(
    r"^\S*sh: (?P<signal>.+)$", re.MULTILINE
)  # how perf says that a signal ended the program
_KEPT = 4000  # bytes of stderr kept to explain a failure
_DISAGREE = "perf counted more CPU time than wait4 saw"
_TRIES = 3  # of a run on which they disagree
_AGREEMENT_NS = 300_000  # task-clock and wait4 agree within 0.3 ms and 1 %


class StarterLostError(PerforchError):
    """The helper process that starts programs ended by itself."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One timed run, with what wait4 saw above task-clock (perf's and the sandbox launcher's own time)."""

    sample: Sample
    beside_ms: float = 0.0
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One memory run; `memory` is None when it failed."""

    memory: Memory | None
    failure: str = ""


class Session:
    """Only one session at a time measures on a machine; entering waits for the others.

    Args:
        threads: CPUs the program wants; a set of so many is reserved, as far as the machine has them.
        use_perf: False measures with wait4 alone.
        waiting: called once when another benchmark holds the machine.

    Attributes:
        plan: which CPUs measure and which do everything else.
        source: "perf" or "wait4".
        reason: why perf is not used, "" when it is.
    """

    def __init__(
        self, *, threads: int = 1, use_perf: bool = True, waiting: Callable[[], None] | None = None
    ) -> None:
        self.plan = cpus.plan(threads)
        self.source = "perf"
        self.reason = ""
        self._use_perf = use_perf
        self._waiting = waiting
        self._perf: str | None = None
        self._stack = contextlib.ExitStack()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Session:
        with contextlib.ExitStack() as stack:
            stack.enter_context(cpus.machine_lock(self._waiting))
            stack.enter_context(cpus.keep_off(self.plan))
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.callback(ours.close)
            starter = Path(__file__).with_name("starter.py")
            with theirs:
                child = subprocess.Popen(
                    (sys.executable, "-I", "-S", "-B", str(starter), str(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    env=isolation.allowed(os.environ),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            stack.callback(child.wait)
            stack.callback(ours.shutdown, socket.SHUT_RDWR)
            self._socket = ours
            self._choose_source()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _choose_source(self) -> None:
        self._perf = perf.find() if self._use_perf else None
        if self._perf is None:
            self.reason = "perf is not installed" if self._use_perf else "perf was not asked for"
        else:
            answer = self._ask(_nothing(), counted=True)
            self.reason = answer.get("error", "")
            if not self.reason and perf.parse(answer["log"]).task_clock_ns is None:
                self.reason = perf.explain(answer["words"]) or perf.parse(answer["log"]).reason
        if self.reason:
            self.source, self._perf = "wait4", None

    def time(
        self, launch: Launch, *, capture: bool = False, again: Callable[[], Launch] | None = None
    ) -> Timed:
        """Run once and time it; failures are named in the sample, never raised.

        perf counts what the hypervisor steals from a virtual machine and wait4 does not, so a run on which the two disagree is taken
        again; a program that hides work from wait4 does so every time.

        Args:
            again: prepares the same run anew, for a launch can be started once.
        """
        timed = self._time(launch, capture=capture)
        for _ in range(_TRIES - 1):
            if timed.sample.failure != _DISAGREE or again is None:
                break
            timed = self._time(again(), capture=capture)
        return timed

    def _time(self, launch: Launch, *, capture: bool) -> Timed:
        answer = self._ask(launch, counted=self._perf is not None, capture=capture)
        failure = _failure(answer, launch.limits)
        if "error" in answer:
            return Timed(Sample(0.0, 0.0, 0.0, self.source, failure))
        clock_ns = answer["wait4_ns"]
        if self._perf is not None:
            counts = perf.parse(answer["log"])
            failure = failure or counts.reason
            clock_ns = counts.task_clock_ns or 0
            if clock_ns > answer["wait4_ns"] * 1.01 + _AGREEMENT_NS:
                failure = failure or _DISAGREE
        wall_ms = answer["wall_ns"] / 1e6
        sample = Sample(clock_ns / 1e6, wall_ms, clock_ns / max(answer["wall_ns"], 1), self.source, failure)
        return Timed(sample, (answer["wait4_ns"] - clock_ns) / 1e6, answer["stderr"])

    def weigh(self, launch: Launch) -> Weighed:
        """Run once and sample its memory every millisecond."""
        answer = self._ask(launch, memory=True)
        failure = _failure(answer, launch.limits)
        if failure or answer.get("memory") is None:
            return Weighed(None, failure or "nothing was sampled")
        memory = Memory(**answer["memory"])
        if memory.left:
            return Weighed(None, f"left {memory.left} processes running when it ended")
        # Above the starter's own size ru_maxrss is the program's; below it says nothing.
        of_one = answer["max_rss_kib"] if answer["max_rss_kib"] > answer["own_rss_kib"] else 0
        peak = max(memory.peak_rss_kib, of_one, answer["group_kib"])
        return Weighed(replace(memory, peak_rss_kib=peak))

    @cached_property
    def counts_instructions(self) -> bool:
        """Whether this machine has hardware counters that perf may use."""
        return self.count_instructions(_nothing()) is not None

    def count_instructions(self, launch: Launch) -> int | None:
        """User-space instructions of one run by hardware counters; None where the machine has none."""
        if self._perf is None:
            return None
        answer = self._ask(launch, counted=True, events=(perf.CLOCK, f"{perf.INSTRUCTIONS}:u"))
        if _failure(answer, launch.limits):
            return None
        return perf.parse(answer["log"]).instructions

    def run_captured(self, launch: Launch, *, timeout: float) -> tuple[str, str]:
        """Run once for its standard error (its last 64 KiB); the failure, and the text."""
        timed = replace(launch, limits=replace(launch.limits, wall_seconds=timeout))
        answer = self._ask(timed, capture=True, kept=1 << 16)
        return _failure(answer, launch.limits), answer.get("stderr", "")

    @staticmethod
    def discard(launch: Launch) -> None:
        """Close the descriptors of a launch that is not started."""
        for descriptor in {launch.gate_fd, launch.info_fd, *launch.close_after_spawn}:
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)

    def _ask(
        self,
        launch: Launch,
        *,
        counted: bool = False,
        memory: bool = False,
        capture: bool = False,
        kept: int = _KEPT,
        events: tuple[str, ...] = (perf.CLOCK,),
    ) -> dict[str, Any]:
        assert self._socket is not None, "the session has not been entered"
        request = {
            "argv": launch.argv,
            "env": dict(launch.env),
            "pass_fds": launch.pass_fds,
            "gate": launch.gate_fd is not None,
            "info": launch.info_fd is not None,
            "perf": self._perf if counted else None,
            "events": events,
            "cpus": self.plan.measuring if self.plan.pinned else None,
            "own_cpus": self.plan.helping if self.plan.pinned else None,
            "memory": memory,
            # Without a control group nothing but this helper bounds the memory of what the sandbox holds.
            "memory_bytes": launch.limits.memory_bytes
            if launch.info_fd is not None and launch.memory_group is None
            else 0,
            "memory_group": None if launch.memory_group is None else str(launch.memory_group),
            "capture": kept if capture else 0,
            "boost": True,
            "timeout": launch.limits.wall_seconds,
        }
        body = os.memfd_create("request")
        owned = [fd for fd in (launch.gate_fd, launch.info_fd) if fd is not None]
        try:
            os.write(body, json.dumps(request).encode())
            os.lseek(body, 0, os.SEEK_SET)
            socket.send_fds(self._socket, [b"run"], [body, *launch.pass_fds, *owned])
        except OSError as error:
            message = "the process that starts measured programs is gone"
            raise StarterLostError(message, hint="Was it killed for memory? Run again.") from error
        finally:
            for descriptor in {body, *owned, *launch.close_after_spawn}:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        answer = self._socket.recv(1 << 20)
        if not answer:
            message = "the process that starts measured programs ended"
            raise StarterLostError(message, hint="Was it killed for memory? Run again.")
        document: dict[str, Any] = json.loads(answer)
        return document


def _nothing() -> Launch:
    return Launch(argv=("/bin/true",), env=dict(os.environ), limits=Limits(wall_seconds=30))


def _failure(answer: dict[str, Any], limits: Limits) -> str:
    """Why this run does not count, "" when it does."""
    if "error" in answer:
        return str(answer["error"])
    if answer["excessive"]:
        return f"it used more than {limits.memory_bytes / 2**20:.0f} MiB of memory"
    if answer["timeout"]:
        return f"it did not end within {limits.wall_seconds:g} s"
    if answer["orphans"]:
        return f"it left {answer['orphans']} processes running when it ended"
    if answer["returncode"]:
        return f"it ended with exit status {answer['returncode']}"
    if signalled := _SIGNALLED.search(answer["words"]):
        return f"a signal ended it: {signalled['signal']}"
    return ""
