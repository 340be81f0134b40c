"""`perforch demo`: the whole pipeline on the sample pull request. Replies are replayed by a local server; everything else is live."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perforch.commands import terminal

if TYPE_CHECKING:
    from perforch.settings import Settings

NOTICE = (
    "The replies of the three models are replayed by a local server over real HTTP; no key is used and nothing leaves this machine. "
    "Git, compilers, tests, sandbox and measurements are live."
)
KEY = "PERFORCH_DEMO_KEY"  # named by the sample's configuration


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("perforch-out/demo"),
    show_default=True,
    help="Where results go.",
)
@terminal.json_option
def demo(out: Path, as_json: bool) -> int:
    """Run the whole pipeline on the sample pull request: five languages, no key, no network."""
    from perforch import assets
    from perforch.changes.git import Git
    from perforch.commands import comparison, optimize, outputs
    from perforch.llm.replay import ReplayServer

    sample = assets.directory("examples") / "sample-pr"
    terminal.stderr().print(NOTICE)
    with tempfile.TemporaryDirectory(prefix="perforch-demo-") as folder:
        repository = Path(folder) / "stockroom"
        make_repository(sample, repository)
        git = Git.open(repository)
        base, head = git.resolve("main"), git.resolve("pull-request")
        with ReplayServer(sample / "replies") as server:
            settings = redirected(comparison.read_settings(git, base, None), server.url)
            os.environ.setdefault(KEY, "replayed")
            result = optimize.run(git, base, head, settings, out)
    noted = result.model_copy(update={"notes": (NOTICE, *result.notes)})
    outputs.save(noted, out)
    return optimize.finish(noted, out, as_json=as_json)


def redirected(settings: Settings, url: str) -> Settings:
    """The settings with every model at the replay server."""
    models = tuple(
        model.model_copy(update={"base_url": url + ("/v1" if model.provider == "openai-compatible" else "")})
        for model in settings.models
    )
    return settings.model_copy(update={"models": models})


def make_repository(sample: Path, repository: Path) -> None:
    """A git repository with the sample's base on `main` and its head on `pull-request`; the same commits every time."""
    repository.mkdir(parents=True)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(repository.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Sample",
        "GIT_AUTHOR_EMAIL": "sample@example.com",
        "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
        "GIT_COMMITTER_NAME": "Sample",
        "GIT_COMMITTER_EMAIL": "sample@example.com",
        "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    }

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=repository, env=environment, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    for side, branch in (("base", None), ("head", "pull-request")):
        if branch is not None:
            git("switch", "--quiet", "--create", branch)
        shutil.copytree(sample / side, repository, dirs_exist_ok=True)
        git("add", "--all")
        git("commit", "--quiet", f"--message=The {side} of the sample")
