"""Every permission of every job is needed: with it the job does its work, without it the job fails or leaves something undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from act import ROOT, Run, World, commit_workflows
from events import pushed, said
from github_fake import Fake, git
from samples import proposal, result

from perforch.rankings.evidence import Evidence, dumps

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Fake]
# A project that builds without the network, for the release.
PROJECT = {
    "tools/pin.py": "",
    "bot/perforch/__init__.py": "",
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": """import pathlib, tarfile, zipfile

def build_sdist(folder, config_settings=None):
    with tarfile.open(f"{folder}/x-1.tar.gz", "w:gz") as file:
        for name in ("pyproject.toml", "backend.py"):
            file.add(name, f"x-1/{name}")
    return "x-1.tar.gz"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/x-1-py3-none-any.whl", "w") as file:
        file.writestr("x-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: x\\nVersion: 1\\n")
    return "x-1-py3-none-any.whl"
""",
}


def pairs() -> list[tuple[str, str, str]]:
    found = []
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text())["jobs"]
        found += [
            (path.name, job, scope) for job, content in jobs.items() for scope in content["permissions"]
        ]
    return found


def run(fake: Fake, folder: Path, workflow: str, job: str, without: str = "") -> Run:
    """The job under test alone, after jobs that are taken as done."""
    if workflow == "release.yml":
        for name, text in PROJECT.items():
            (fake.repo / name).parent.mkdir(parents=True, exist_ok=True)
            (fake.repo / name).write_text(text)
    commit_workflows(fake)
    fake.may_open = True
    tip = git(fake.repo, "rev-parse", "main")
    event, payload = {
        "perforch.yml": ("pull_request", pushed(fake)),
        "perforch-command.yml": ("issue_comment", said(fake, "/perforch bench")),
        "reprofile.yml": ("schedule", {"schedule": "17 3 * * 1"}),
        "ci.yml": ("push", {"ref": "refs/heads/main"}),
        "release.yml": ("push", {"ref": "refs/tags/v1.2.3"}),
    }[workflow]
    gate = {
        "run": "true", "pull-request": "7", "head-sha": fake.head, "base-ref": "main", "fork": "false",
        "command": "bench", "asked": "true", "comment-id": "55",
    }  # fmt: skip
    plan = {"matrix": '{"include": [{"shard": "1/1"}]}'}
    done: dict[str, dict[str, str]] = {
        "gate": gate, "optimize": {"artifact": "perforch-1"}, "plan": plan, "profile": {}, "merge": {"artifact": "rankings-1"},
        "build": {},
    }  # fmt: skip
    names = list(yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())["jobs"])
    given = {name: done[name] for name in names[: names.index(job)]}
    evidence = Evidence(
        model="m", stage="fix", metric="correctness", language="go", attempts=1, successes=1, source="profile", date="2026-01-01"
    )  # fmt: skip
    artifacts = {
        "perforch-1": {"result.json": result(fake, proposal(fake, "src/a.py")).dump()},
        "dist": {"x-1-py3-none-any.whl": ""} if job == "upload" else {},
        "rankings-1": {"rankings/profile/m.jsonl": dumps([evidence]), "summary.md": f"From {tip}."},
    }
    world = World(fake, folder)
    return world.run(
        workflow, event, payload, job=job, without=(job, without), given=given, artifacts=artifacts
    )


def effects(fake: Fake) -> dict[str, Any]:
    return {
        "reactions": [content for _, content in fake.reactions],
        "comments": len(fake.comments),
        "reviews": len(fake.reviews),
        "opened": len(fake.opened),
    }


# What a job leaves behind when it may do all it asks for.
COMPLETE: dict[tuple[str, str], dict[str, Any]] = {
    ("perforch.yml", "gate"): {},
    ("perforch.yml", "publish"): {"comments": 1, "reviews": 1},
    ("perforch-command.yml", "gate"): {"reactions": ["eyes"]},
    ("perforch-command.yml", "publish"): {"reactions": ["rocket"], "comments": 1, "reviews": 1},
    ("reprofile.yml", "propose"): {"opened": 1},
    ("release.yml", "build"): {},
    ("release.yml", "upload"): {},
}


@pytest.mark.parametrize(("workflow", "job"), COMPLETE)
def test_what_a_job_asks_for_is_enough(make_fake: Make, tmp_path: Path, workflow: str, job: str) -> None:
    fake = make_fake()
    done = run(fake, tmp_path, workflow, job)
    assert done.jobs[job] == "success", done.log
    nothing = {"reactions": [], "comments": 0, "reviews": 0, "opened": 0}
    assert effects(fake) == nothing | COMPLETE[workflow, job]


@pytest.mark.parametrize(("workflow", "job", "scope"), pairs())
def test_no_permission_can_be_left_out(
    make_fake: Make, tmp_path: Path, workflow: str, job: str, scope: str
) -> None:
    fake = make_fake()
    done = run(fake, tmp_path, workflow, job, without=scope)
    expected = COMPLETE.get((workflow, job), {})
    incomplete = any(effects(fake)[name] != value for name, value in expected.items())
    refused = any(words in done.log for words in ("GitHub answered 403", "repository not found"))
    assert (done.jobs[job] == "failure" and refused) or incomplete, done.log


def test_every_job_is_looked_at() -> None:
    assert len(pairs()) >= 18
