from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from perforch.measure import doctor


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


def test_people_read_what_to_do() -> None:
    done = run("--pairs", "4", "--command", f"{sys.executable} -I -S -c 'for i in range(300000): pass'")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    bad = {line.split()[1] for line in lines if line.startswith("NO ")}
    assert {line.partition(":")[0] for line in lines if line.partition(":")[0] in bad} == bad
    assert any("4 pairs of identical runs" in line for line in lines)


def test_a_workload_too_long_for_the_time_is_not_fit() -> None:
    command = f"{sys.executable} -I -S -c 'import time; time.sleep(.3)'"
    done = run("--json", "--pairs", "20", "--max-seconds", "2", "--command", command)
    resolution = json.loads(done.stdout)["resolution"]
    assert 4 <= resolution["pairs"] < 20
    assert resolution["cap"] < 8
    assert resolution["smallest_effect"] is None
    assert not resolution["fit"]


@pytest.mark.parametrize("value", ["", "1"])
def test_byte_code_that_is_missing_or_never_written_is_seen(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", value)
    check = doctor._bytecode()
    assert check.ok is (not value and Path(cache_from_source(json.__file__)).exists())
    assert bool(check.remedy) is not check.ok
