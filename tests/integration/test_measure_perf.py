"""A perf that is missing, refused, of another kernel or too old: time is measured without it, and the reason is named."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from perforch.measure import perf
from perforch.measure.session import Session
from perforch.sandbox.spec import Launch, Limits

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'  # what a working perf does in the end
SHAPES = {
    "paranoid": (
        "echo 'Error:\nAccess to performance monitoring and observability operations is limited.' >&2; exit 255",
        "perf is refused (perf_event_paranoid",
    ),
    "container": (
        "echo 'perf_event_open(..., 0) failed unexpectedly with error 1 (Operation not permitted)' >&2; exit 255",
        "containers may also block",
    ),
    "wrapper": (
        "echo 'WARNING: perf not found for kernel 6.8.0-1014' >&2; echo '  linux-tools-6.8.0-1014-azure' >&2; exit 2",
        "another kernel",
    ),
    "too old": ('echo "  Error: unknown option \\`control\'" >&2; exit 129', "too old"),
    "silent": ("exit 1", "perf"),
    "broken": ("kill -SEGV $$", "perf"),
    "counts nothing": (
        'for a in "$@"; do case "$last" in --log-fd) log=$a;; --control) fds=${a#fd:}; ack=${fds#*,};; esac; last=$a; done; '
        "eval \"echo '<not supported>;msec;task-clock;0;100.00;;' >&$log; echo ack >&$ack\"; " + PROGRAM,
        "not supported",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_perf_that_does_not_work_is_replaced_and_named(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, named = SHAPES[shape]
    (tmp_path / "perf").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "perf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert perf.find() == str(tmp_path / "perf")
    _measures_without_perf(named)


def test_no_perf_at_all_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert perf.version() == ""
    _measures_without_perf("perf is not installed")


def _measures_without_perf(named: str) -> None:
    argv = (sys.executable, "-I", "-S", "-c", "import time\nwhile time.process_time() < 0.1: pass")
    with Session() as session:
        assert session.source == "wait4"
        assert named in session.reason
        sample = session.time(Launch(argv, dict(os.environ), limits=Limits(wall_seconds=30))).sample
    assert (sample.failure, sample.source) == ("", "wait4")
    assert 95 < sample.task_clock_ms < 200
