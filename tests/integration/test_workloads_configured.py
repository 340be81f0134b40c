"""Workloads of .github/perforch.yml that are built, in the real sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.errors import ToolMissingError
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.settings import Settings
from perforch.workloads import find
from perforch.workloads.model import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.sandbox.spec import Sandbox

MAKE = "bench: bench.cpp sums.cpp\n\tg++ -O2 -o $@ $^\n"
BENCH = """#include <cstdio>
long sums(long n);
int main() { std::printf("%ld\\n", sums(1000)); std::printf("done\\n"); }
"""
SUMS = "#include <cstdlib>\nlong sums(long n) {BODY}\n"
SLOW = "long total = 0; for (long i = 0; i <= n; ++i) total += i; return total;"
WORKLOAD = {"function": "sums.cpp::sums", "build": ["make", "bench"], "command": ["./bench"]}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


def planted(place: Path, body: str, bench: str = BENCH) -> Tree:
    files = {"Makefile": MAKE, "bench.cpp": bench, "sums.cpp": SUMS.replace("BODY", body)}
    (place / "src").mkdir(parents=True)
    for name, text in files.items():
        (place / "src" / name).write_text(text)
    (place / "out").mkdir()
    return Tree(place / "src", place / "out", place.name)


def function() -> Function:
    return Function(
        path="sums.cpp", name="sums", language=Language.CPP, start_line=2, end_line=2, start_byte=0, end_byte=1,
        signature="", change="modified", source="",
    )  # fmt: skip


def exercise(sandbox: Sandbox, tree: Tree, workload: dict[str, object]) -> find.Exercise:
    return find.exercise(sandbox, Settings.model_validate({"workloads": [workload]}), tree, function())


def test_a_workload_is_built_and_what_it_prints_is_compared(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(tmp_path / "head", SLOW)
    found = exercise(sandbox, head, WORKLOAD)
    runner = found.runner
    assert runner is not None
    assert found.configured
    assert runner.test(head).outcomes == {"workload": "passed"}
    timed = runner.timed(head, found.tests)
    assert timed is not None
    assert timed.description == "./bench"
    assert sandbox.run(timed.command).stdout == b"500500\ndone\n"
    assert runner.test(planted(tmp_path / "fast", "return n * (n + 1) / 2;")).outcomes == {
        "workload": "passed"
    }
    for number, body in enumerate(("std::exit(0);", "return n;")):
        report = runner.test(planted(tmp_path / str(number), body))
        assert report.outcomes == {"workload": "failed"}
        assert "prints something else" in report.failures[0].message
    assert not runner.test(planted(tmp_path / "broken", "return m;")).built


def test_a_workload_that_prints_its_time_is_judged_by_its_status(sandbox: Sandbox, tmp_path: Path) -> None:
    bench = BENCH.replace("int main() {", "#include <chrono>\nint main() {").replace(
        '"done\\n"', '"%lld\\n", (long long)std::chrono::steady_clock::now().time_since_epoch().count()'
    )
    head = planted(tmp_path / "head", SLOW, bench)
    runner = exercise(sandbox, head, WORKLOAD).runner
    assert runner is not None
    assert runner.test(head).outcomes == {"workload": "passed"}
    assert runner.test(planted(tmp_path / "fast", "return 0;", bench)).outcomes == {"workload": "passed"}


def test_what_is_wrong_with_a_workload_is_said(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(tmp_path / "head", SLOW)
    found = exercise(sandbox, head, {**WORKLOAD, "command": ["./bench-of-old"]})
    assert found.runner is not None
    with pytest.raises(
        ToolMissingError, match=r"the command of the workload sums.cpp::sums in .*bench-of-old"
    ):
        found.runner.test(head)
    found = exercise(sandbox, head, {**WORKLOAD, "build": ["false"]})
    assert found.runner is not None
    assert found.runner.timed(head, found.tests) is None
    assert "`./bench`, does not build or run to its end" in found.reason
