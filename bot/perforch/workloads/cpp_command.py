"""Command lines of C++ test programs: the preloaded library, and the choice of cases by each framework."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from perforch.workloads import builds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.workloads.cpp_project import Program

END = "/tmp/perforch-end"  # inside the sandbox


def preloaded(mark: str, times: int, *, cold: bool = False, apart: bool = False) -> str:
    """The library is named by `env`, so that neither the shell nor the sandbox's own programs load it.

    Args:
        apart: every call of main is in a forked process.
    """
    more = (" PERFORCH_COLD=1" if cold else "") + (" PERFORCH_APART=1" if apart else "")
    return (
        f"env LD_PRELOAD={builds.HARNESS}/repeat.so ASAN_OPTIONS=verify_asan_link_order=0 PERFORCH_MARK={mark} "
        f"PERFORCH_END={END} PERFORCH_REPEAT={times}{more}"
    )


def line(program: Program, chosen: Sequence[str]) -> str:
    """The program with its arguments, its choice of cases and its input, for a shell."""
    words = shlex.join((*program.argv, *selection(program, chosen)))
    return f"{words} <{shlex.quote(program.given)}" if program.given else words


def selection(program: Program, chosen: Sequence[str]) -> tuple[str, ...]:
    """Arguments that make a framework run these cases only."""
    if program.framework == "gtest":
        return (f"--gtest_filter={':'.join(chosen)}", "--gtest_color=no")
    escaped = [re.sub(r"([,\\\[\]*\"~])", r"\\\1", name) for name in chosen]
    if program.framework == "catch2":
        return (",".join(escaped),)
    if program.framework == "doctest":
        return ("--test-case=" + ",".join(name.replace(",", r"\,") for name in chosen), "--no-colors=true")
    return ()


def bare(case: str) -> str:
    """`Suite.Case` of a parametrised or typed case; the words of a scenario."""
    case = case.removeprefix("Scenario: ")
    found = re.fullmatch(r"(?:[^/.]+/)?([^/.]+)(?:/[^/.]+)?\.([^/]+)(?:/.*)?", case)
    return f"{found[1]}.{found[2]}" if found else case


def search(pattern: str, text: str) -> bool:
    """CTest's expressions are close to ours; one that is not is taken literally."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return pattern in text
