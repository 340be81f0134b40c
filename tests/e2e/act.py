"""Runs the real workflow files with act, without containers and without the network, against the fake GitHub.

act executes jobs, steps, expressions, composite actions, outputs and matrices. What it leaves out is done here, from the
workflow file itself: the filter of `on:`, the permissions of each job, what a fork may not have, and time limits. Actions of
others are replaced by small ones in `stubs/` that do the same work against the fake's repository and a folder.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from github_fake import REPO, Fake, git

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
STUBS = Path(__file__).parent / "stubs"
OURS = "perforch/perforch"
ACT = Path(sys.executable).parent / "act"
SHIPPED = ("action.yml", "pyproject.toml", "requirements.txt", "bot", "rankings", "examples")
DEFAULT_TYPES = {"pull_request": ["opened", "synchronize", "reopened"]}
LIMIT = 500  # seconds for one run of act; on an idle machine none needs a tenth of it


@dataclass
class Run:
    """What a workflow did: results by job id (a job that was skipped is absent), its log, and its job summaries."""

    jobs: dict[str, str]
    log: str
    summary: str

    @property
    def green(self) -> bool:
        return bool(self.jobs) and set(self.jobs.values()) == {"success"}


@dataclass
class World:
    """A repository on the fake GitHub, with folders for what a run leaves behind."""

    fake: Fake
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    number: int = 0

    def run(
        self,
        workflow: str,
        event: str,
        payload: Mapping[str, Any],
        *,
        fork: bool = False,
        job: str = "",
        without: tuple[str, str] = ("", ""),
        inputs: Mapping[str, str] | None = None,
        given: Mapping[str, Mapping[str, str]] | None = None,
        artifacts: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Run:
        """One event for one workflow of the default branch.

        Args:
            workflow: file name below .github/workflows, as committed on the fake's main.
            payload: of the event.
            fork: the token is read-only and there are no secrets, as GitHub does it for forks.
            job: stop after this job; all if empty.
            without: job and permission that is taken away.
            inputs: of a workflow_dispatch.
            given: outputs of jobs that are taken as done; only the others run.
            artifacts: files by path by name of the artifact, as the jobs that are taken as done would leave them.
        """
        self.number += 1
        place = self.folder / f"run{self.number}"
        checkout = place / "checkout"
        subprocess.run(["git", "clone", "--quiet", "--branch", "main", self.fake.repo, checkout], check=True)
        path = checkout / ".github" / "workflows" / workflow
        call(path)
        document = yaml.safe_load(path.read_text())
        if not wanted(document, event, payload):
            return Run({}, "", "")
        (place / "event.json").write_text(json.dumps(payload))
        (place / "artifacts").mkdir()
        for name, files in (artifacts or {}).items():
            for file, text in files.items():
                target = place / "artifacts" / name / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        rights = permissions(path, fork=fork, without=without)
        if given:
            take_as_done(path, given)
        (place / "home").mkdir()
        with Doorbell(self.fake, rights) as bell:
            done = subprocess.run(
                [*self._command(place, path, event, job, fork, bell.place), *pairs("--input", inputs or {})],
                cwd=checkout,
                env=outside(place / "home"),
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        shutil.rmtree(place / "cache", ignore_errors=True)
        return read(done.stdout + done.stderr)

    def _command(self, place: Path, path: Path, event: str, job: str, fork: bool, bell: str) -> list[str]:
        variables = {
            "GITHUB_API_URL": self.fake.url,
            "GITHUB_GRAPHQL_URL": f"{self.fake.url}/graphql",
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_RUN_ID": str(self.number),
            "GITHUB_RUN_ATTEMPT": "1",
            "PERFORCH_PAUSE": "0",
            "E2E_REMOTE": str(self.fake.repo),
            "E2E_ARTIFACTS": str(place / "artifacts"),
            "E2E_BELL": bell,
            "E2E_UV": str(Path(uv()).parent),
            "NO_COLOR": "1",  # act gives steps a terminal, GitHub does not
            "UV_OFFLINE": "1",  # `cache` has fetched what is needed
            "UV_CACHE_DIR": cache(),
            **self.environment,
        }
        secrets = {"GITHUB_TOKEN": "secret", **({} if fork else self.secrets)}
        replaced = {
            uses: action() if uses.startswith(f"{OURS}@") else stub(uses) for uses in remote(path.parent)
        }
        labels = {"ubuntu-24.04", "perforch", "hosted"}
        return [
            str(ACT), event, "--json", "--no-skip-checkout", "--action-offline-mode", "--no-cache-server",
            "-W", str(path), "-e", str(place / "event.json"), "-a", "actor",
            "--action-cache-path", str(place / "cache"), "--concurrent-jobs", "1",
            *(f"-P={label}=-self-hosted" for label in sorted(labels)),
            *(f"--local-repository={uses}={folder}" for uses, folder in sorted(replaced.items())),
            *pairs("--env", variables), *pairs("-s", secrets), *(["-j", job] if job else []),
        ]  # fmt: skip


class Doorbell:
    """Every job rings when it starts, so that the fake's token gets exactly that job's permissions; one job runs at a time.

    `/checkout` answers 403 when the job may not read the repository, `/id_token` and `/attestations` when it may not sign.
    """

    def __init__(self, fake: Fake, rights: Mapping[str, dict[str, str]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, what, *rest = self.path.split("/")
                if what == "job":
                    fake.permissions = dict(rights[rest[0]])
                right = fake.permissions.get("contents" if what == "checkout" else what, "")
                allowed = what == "job" or right == "write" or (what == "checkout" and right == "read")
                self.send_response(200 if allowed else 403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1/{self.server.server_port}"  # as bash wants it
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Doorbell:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def wanted(document: Mapping[Any, Any], event: str, payload: Mapping[str, Any]) -> bool:
    """Whether `on:` lets the event through; YAML 1.1 reads the key `on` as true."""
    on = document[True]
    if event not in on:
        return False
    types = (on[event] or {}).get("types") if isinstance(on, dict) and isinstance(on[event], dict) else None
    types = types or DEFAULT_TYPES.get(event)
    return types is None or payload.get("action") in types


LEVELS = {"": 0, "read": 1, "write": 2}


def call(path: Path) -> None:
    """Let a workflow call our reusable ones from its own repository, since act would fetch them from GitHub."""
    for name in re.findall(rf"uses: {OURS}/\.github/workflows/([\w.-]+)@", path.read_text()):
        (path.parent / f"called-{name}").write_text((ROOT / ".github" / "workflows" / name).read_text())
    text = re.sub(
        rf"uses: {OURS}/\.github/workflows/([\w.-]+)@\S+",
        r"uses: ./.github/workflows/called-\1",
        path.read_text(),
    )
    path.write_text(text)


def take_as_done(path: Path, given: Mapping[str, Mapping[str, str]]) -> None:
    """Replace jobs by ones that do nothing but have these outputs; all other jobs stay as they are."""
    document = yaml.safe_load(path.read_text())
    document["on"] = document.pop(True)
    for name, outputs in given.items():
        document["jobs"][name] = {
            "runs-on": "ubuntu-24.04",
            "outputs": {key: value.replace("${{", "") for key, value in outputs.items()},
            "steps": [{"shell": "bash", "run": "true"}],
        }
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=1000))


def permissions(
    path: Path,
    *,
    fork: bool = False,
    without: tuple[str, str] = ("", ""),
    most: Mapping[str, str] | None = None,
) -> dict[str, dict[str, str]]:
    """What each job's token may do, in the fake's words; those of called workflows included.

    `most` is what the caller may hand on: GitHub refuses to start a workflow that asks for more.
    """
    document = yaml.safe_load(path.read_text())
    found: dict[str, dict[str, str]] = {}
    for name, job in document["jobs"].items():
        rights = job.get("permissions", document.get("permissions", {}))
        if most is not None:
            missing = {scope for scope in rights if LEVELS[rights[scope]] > LEVELS[most.get(scope, "")]}
            assert not missing, f"{path.name}: {name} asks for {missing}, which its caller does not have"
        if "uses" in job:
            found |= permissions(path.parents[2] / job["uses"], fork=fork, without=without, most=rights)
            continue
        kept = {scope: level for scope, level in rights.items() if (name, scope) != without}
        found[name] = {
            scope.replace("-", "_"): "read" if fork and level == "write" else level
            for scope, level in kept.items()
        }
    return found


def remote(workflows: Path) -> set[str]:
    """Every action that the workflows or our own action use from elsewhere, with its revision."""
    texts = [path.read_text() for path in (*workflows.glob("*.yml"), ROOT / "action.yml")]
    return {uses for text in texts for uses in re.findall(r"uses: ([\w.-]+/[\w.-]+@[0-9a-f]{40})", text)}


def stub(uses: str) -> Path:
    """The stand-in for an action; one that fails where there is none."""
    place = STUBS / uses.partition("@")[0].split("/")[-1]
    return place if place.is_dir() else STUBS / "unavailable"


def read(output: str) -> Run:
    """The results of the jobs, from act's log."""
    jobs: dict[str, str] = {}
    lines, summaries = [], []
    for line in output.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            lines.append(line)
            continue
        if "jobResult" in entry:
            name = entry["jobID"].rpartition("/")[2]
            known = jobs.get(name, "success")  # the shards of a matrix share an id
            jobs[name] = entry["jobResult"] if known == "success" else known
        if entry.get("command") == "summary":
            summaries.append(entry.get("content", ""))
        lines.append(f"[{entry.get('jobID', '')}] {entry.get('msg', '').rstrip()}")
    return Run(jobs, "\n".join(lines), "\n".join(summaries))


def pairs(flag: str, values: Mapping[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (flag, f"{name}={value}")]


def outside(home: Path) -> dict[str, str]:
    """What the runner's own environment holds: tools, and nothing of ours."""
    tools = {
        name: os.environ[name] for name in ("PYENV_ROOT", "RUSTUP_HOME", "CARGO_HOME") if name in os.environ
    }
    # Our own interpreter first: `cache` holds packages for no other.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", **tools}


def commit_workflows(fake: Fake, files: Mapping[str, str] | None = None) -> None:
    """Put workflows on main: those of this repository, or others."""
    chosen = files or {p.name: p.read_text() for p in (ROOT / ".github" / "workflows").glob("*.yml")}
    folder = fake.repo / ".github" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in chosen.items():
        (folder / name).write_text(text)
    git(fake.repo, "add", "-A")
    git(fake.repo, "commit", "--quiet", "-m", "workflows")


@functools.cache
def action() -> Path:
    """Our action as it stands, apart from everything that a release does not have."""
    folder = Path(tempfile.mkdtemp(prefix="perforch-action-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def uv() -> str:
    """uv, which says where it is to what it runs and need not be on PATH."""
    found = os.environ.get("UV") or shutil.which("uv")
    assert found, "uv is not on PATH; run the tests with `make test`"
    return found


@functools.cache
def cache() -> str:
    """uv's cache folder, after the requirements have been installed once, so that every job can work offline."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "venv"
        subprocess.run([uv(), "venv", "--quiet", "--python", sys.executable, place], check=True, cwd=folder)
        command = [uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", place / "bin" / "python"]
        subprocess.run([*command, ROOT / "requirements.txt"], check=True, cwd=folder)
        found = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True)
    return found.stdout.strip()
