"""What the doctor says about the runner beside the sandbox."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from perforch.sandbox import runner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("mask", "held"),
    [
        ("0000000000000000", []),
        ("0000004000000000", ["CAP_PERFMON"]),
        ("000001ffffffffff", ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_PERFMON"]),
    ],
)
def test_capabilities_that_look_into_processes(mask: str, held: list[str]) -> None:
    assert list(runner._held(f"Name:\tx\nCapPrm:\t0\nCapEff:\t{mask}\n")) == held


def test_an_ordinary_user_is_told_about_sudo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for status, ok in ((0, False), (1, True)):
        sudo = tmp_path / "sudo"
        sudo.write_text(f"#!/bin/sh\nexit {status}\n")
        sudo.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        (check,) = [one for one in runner.checks() if one.name == "sudo"]
        assert check.ok is ok
        assert bool(check.remedy) is not ok
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert all(one.ok for one in runner.checks() if one.name == "sudo")


def test_ptrace_scope(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scope = tmp_path / "ptrace_scope"
    monkeypatch.setattr(runner, "_YAMA", scope)
    assert not [one for one in runner.checks() if one.name == "ptrace"]
    for text, ok in (("0\n", False), ("1\n", True), ("3\n", True)):
        scope.write_text(text)
        (check,) = [one for one in runner.checks() if one.name == "ptrace"]
        assert check.ok is ok
