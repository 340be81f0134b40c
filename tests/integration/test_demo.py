"""`perforch demo`: the sample pull request ends as its truth says, with real compilers, sandbox and measurements."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perforch import assets
from perforch.result import Result, load

SAMPLE = assets.directory("examples") / "sample-pr"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path, str]:
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-c", "from perforch.cli import main; main()", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return load(out / "result.json"), out, done.stdout + done.stderr


@pytest.mark.timing
def test_the_run_accepts_exactly_the_right_ones(demo: tuple[Result, Path, str]) -> None:
    result, _, _ = demo
    truth = json.loads((SAMPLE / "truth.json").read_text())
    assert {f"{one.path}::{one.name}": one.verdict.value for one in result.functions} == truth


@pytest.mark.timing
def test_each_kind_of_bad_candidate_is_named(demo: tuple[Result, Path, str]) -> None:
    result, _, _ = demo
    outcomes = {attempt.outcome.value for one in result.functions for attempt in one.attempts}
    assert {
        "accepted",
        "does_not_compile",
        "tests_failed",
        "not_faster",
        "unsafe",
        "invalid_reply",
    } <= outcomes


@pytest.mark.timing
def test_every_claim_carries_its_bound(demo: tuple[Result, Path, str]) -> None:
    result, _, _ = demo
    for one in result.functions:
        if one.verdict.value == "improved":
            time = one.measurements["time"]  # type: ignore[index]
            assert time.ci_low is not None
            assert 1.05 < time.ci_low <= time.ratio
            assert time.pairs >= 8
    assert [one.name for one in result.regressions] == ["stock::count_pairs"]


@pytest.mark.timing
def test_it_says_what_is_replayed(demo: tuple[Result, Path, str]) -> None:
    assert "replayed" in demo[2]


@pytest.mark.timing
def test_patches_apply_to_the_head(demo: tuple[Result, Path, str], tmp_path: Path) -> None:
    from perforch.commands.demo import make_repository

    _, out, _ = demo
    repository = tmp_path / "stockroom"
    make_repository(SAMPLE, repository)
    patches = sorted(out.glob("*.patch"))
    assert len(patches) == 8
    for patch in patches:
        subprocess.run(["git", "apply", "--check", str(patch)], cwd=repository, check=True)


@pytest.mark.timing
def test_github_takes_it_and_applies_the_measured_text(
    demo: tuple[Result, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Posted to the fake GitHub as it is: every suggestion, committed there, gives the file that the patch gives."""
    from perforch.commands.demo import make_repository
    from perforch.report.files import patches

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "e2e"))
    from github_fake import Fake, Server, git  # type: ignore[import-not-found]
    from github_talk import committed  # type: ignore[import-not-found]
    from publishing import counts, post  # type: ignore[import-not-found]

    result, out, _ = demo
    repository = tmp_path / "stockroom"
    make_repository(SAMPLE, repository)
    assert git(repository, "rev-parse", "pull-request") == result.head_sha
    fake = Fake(repository, result.base_sha, result.head_sha)
    server = Server(fake)
    post(fake, result)
    server.close()
    assert not fake.problems
    assert counts(fake) == (1, 1, len(fake.threads))
    seen = set()
    for path in sorted({one.path for one in result.functions if one.suggestions}):
        git(repository, "checkout", "--quiet", "--force", result.head_sha)
        for name, one in patches(result).items():
            if one.path == path:
                subprocess.run(["git", "apply", str(out / name)], cwd=repository, check=True)
                seen.add(one.language.value)
        threads = [thread for thread in fake.threads if thread["path"] == path]
        assert committed(fake, path, threads) == (repository / path).read_bytes()
    assert len(seen) == 5
