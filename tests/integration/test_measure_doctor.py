from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (str(Path(sys.executable).with_name("perforch")), "doctor", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)


def test_every_check_says_what_it_saw_and_what_is_good() -> None:
    done = run(
        "--json", "--pairs", "4", "--command", f"{sys.executable} -I -S -c 'for i in range(1000000): pass'"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    names = {check["name"] for check in document["checks"]}
    assert {
        "perf",
        "pinning",
        "isolation",
        "other-load",
        "governor",
        "turbo",
        "smt",
        "steal",
        "autogroup",
    } <= names
    assert {"interrupts", "clock", "pyc", "hypervisor"} <= names
    assert any(name.startswith("sandbox") for name in names)
    for check in document["checks"]:
        assert check["saw"]
        assert check["good"]
        assert check["remedy"] or check["ok"] is not False, check
    assert document["resolution"]["pairs"] == 4
    assert document["resolution"]["scatter"] >= 0


def test_a_failing_workload_is_a_usage_error() -> None:
    done = run("--pairs", "4", "--command", "sh -c 'exit 4'")
    assert done.returncode == 2
    assert "exit status 4" in done.stderr
