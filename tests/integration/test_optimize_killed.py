"""A run killed with SIGKILL at random moments and started again ends with the same result, and no prompt is sent twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# ruff: noqa: E501, TC003
from perforch.llm.replay import Fault, ReplayServer
from perforch.result import Result, load

BASE = "def unique(items):\n    return items\n\n\ndef double(items):\n    return items\n"
HEAD = '''def unique(items):
    """Return the items without repetitions, in order."""
    found = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def double(items):
    """Return twice each item."""
    return [item + item + 1 for item in items]
'''
TESTS = """from lists import double, unique


def test_unique():
    assert unique([1, 2, 1]) == [1, 2]
    assert len(unique(list(range(1200)) * 2)) == 1200


def test_double():
    assert double([1, 2]) == [2, 4]
"""
REPLIES = {
    "fast/refine/lists.py__unique.md": "```python\ndef unique(items):\n    return list(dict.fromkeys(items))\n```\n",
    "cheap/refine/lists.py__unique.md": "```python\ndef unique(items):\n    return list(set(items)) + [None]\n```\n",
    "cheap/fix/lists.py__double.md": "```python\ndef double(items):\n    return [item for item in items]\n```\n",
    "fast/fix/lists.py__double.md": "```python\ndef double(items):\n    return [2 * item for item in items]\n```\n",
}
KILLS = 10


def git(repository: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=repository, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "lists.py").write_text(BASE)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=base")
    git(folder, "switch", "--quiet", "--create", "change")
    (folder / "lists.py").write_text(HEAD)
    (folder / "test_lists.py").write_text(TESTS)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=head")
    return folder


def start(repository: Path, config: Path, out: Path) -> subprocess.Popen[bytes]:
    argv = [
        sys.executable,
        "-m",
        "perforch",
        "optimize",
        "--repo",
        str(repository),
        "--base",
        "main",
        "--config",
        str(config),
        "--out",
        str(out),
        "--json",
    ]
    return subprocess.Popen(
        argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


def essence(result: Result) -> object:
    return [
        (
            one.path,
            one.name,
            one.verdict,
            one.patch,
            [(attempt.stage, attempt.model, attempt.outcome) for attempt in one.attempts],
        )
        for one in result.functions
    ]


@pytest.mark.timing
def test_a_killed_run_ends_with_the_same_result(repository: Path, tmp_path: Path) -> None:
    replies = tmp_path / "replies"
    for name, text in REPLIES.items():
        (replies / name).parent.mkdir(parents=True, exist_ok=True)
        (replies / name).write_text(text)
    config = tmp_path / "perforch.yml"
    slow = [Fault("none", delay=0.3)] * 200
    chosen = random.Random(5)
    results = []
    asked = []
    for kills in (0, KILLS):
        with ReplayServer(replies, faults=slow) as server:
            config.write_text(
                "version: 1\nstrategy: cost\nbudget: {calls: 100}\nacceptance: {max_seconds: 20}\nmodels:\n"
                + "".join(
                    f"  - {{name: {name}, provider: openai-compatible, base_url: '{server.url}/v1', price_input_per_million: {price}, price_output_per_million: {price}}}\n"
                    for name, price in (("cheap", 0.1), ("fast", 1))
                )
            )
            out = tmp_path / f"out-{kills}"
            killed = 0
            for _ in range(kills):
                run = start(repository, config, out)
                time.sleep(chosen.uniform(0.3, 3.5))  # the moment is the subject of the test
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)
                    killed += 1
                run.communicate()
            last = start(repository, config, out)
            _, said = last.communicate(timeout=300)
            assert last.returncode == 0, said.decode()
            results.append(load(out / "result.json"))
            assert kills == 0 or killed >= kills // 2
            asked.append(sorted(server.log))
    # Model, stage and function of every prompt: the killed run asked what the other asked, each once.
    assert asked[0] == asked[1]
    assert essence(results[0]) == essence(results[1])
    assert {one.name: one.verdict.value for one in results[1].functions} == {
        "unique": "improved",
        "double": "fixed",
    }
