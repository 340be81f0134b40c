"""The action and its workflows: pinned, without expansions in scripts, minimal, and equal to the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from perforch import settings
from perforch.commands.gate import gate
from perforch.commands.optimize import optimize
from perforch.commands.profile import profile
from perforch.commands.proposing import compare, propose
from perforch.commands.publish import publish
from perforch.github import gate as gate_decision
from perforch.github import workflow
from perforch.rankings import store
from perforch.result import Metric, Stage
from perforch.settings import Settings

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


def scripts() -> list[str]:
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]
    steps = [step for job in jobs for step in job.get("steps", [])] + ACTION["runs"]["steps"]
    return [step["run"] for step in steps if "run" in step]


def test_nothing_is_expanded_in_a_script() -> None:
    assert not [script for script in scripts() if "${{" in script]


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_uses_are_pinned_by_commit(path: Path) -> None:
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_given_by_job_and_explained(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["timeout-minutes"]
        writes = [
            scope for scope, level in job["permissions"].items() if level == "write" and scope != "id-token"
        ]
        checks_out = any("actions/checkout@" in step.get("uses", "") for step in job["steps"])
        assert not (writes and checks_out) or path.name == "release.yml"


def test_inputs_are_those_of_the_command_line() -> None:
    def names(command: click.Command) -> set[str]:
        return {parameter.name or "" for parameter in command.params} - {"as_json", "help"}

    inputs = {name.replace("-", "_") for name in ACTION["inputs"]}
    renamed = {
        "file": "result", "suite_name": "suite", "limit": "problems", "place": "rankings", "revision": "head",
    }  # fmt: skip
    profiling = {renamed.get(name, name) for name in names(profile)} - {
        "names",
        "plan",
        "timings",
        "day",
        "jobs",
    }
    merging = {renamed.get(name, name) for name in names(compare) | names(propose)} - {
        "before",
        "after",
        "changed",
        "summary",
    }
    publishing = {"result" if name == "file" else name for name in names(publish)}
    gating = names(gate) - {"name", "payload", "recheck"}
    wanted = (names(optimize) - {"repo"}) | publishing | profiling | merging | gating
    keys = {f"{name.lower()}_api_key" for name in ("anthropic", "openai", "gemini", "perforch")}
    assert inputs - {"command", "github_token"} == wanted | keys


def test_choices_and_defaults_are_those_of_the_settings() -> None:
    inputs = ACTION["inputs"]
    for name, values in (
        ("metric", Metric),
        ("stage", Stage),
    ):
        words = set(re.findall(r"[a-z-]+", inputs[name]["description"]))
        assert {value.value for value in values} <= words
    assert inputs["limit"]["default"] == str(Settings().max_suggestions)
    assert inputs["config"]["description"].startswith(
        f"Configuration file; {settings.PATH} of the base branch"
    )
    assert inputs["rankings"]["default"] == store.USER_DIRECTORY
    keys = {name.upper().replace("-", "_") for name in inputs if name.endswith("api-key")}
    assert set(workflow.KEYS.values()) | {"PERFORCH_API_KEY"} == keys


def test_outputs_are_written_by_the_steps_that_are_named() -> None:
    steps = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
    decided = {"head-sha", *gate_decision.ignore("").outputs()}
    for name, output in ACTION["outputs"].items():
        for step, field in re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", output["value"]):
            assert field == name
            script = steps[step]["run"]
            written = decided if step == "gate" else {"head-sha", "comment-url", "pull-request-url"}
            assert f'echo "{field}=' in script or field in written


def test_every_input_is_used_and_nothing_else() -> None:
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])


def test_requirements_are_those_of_the_lock_file(tmp_path: Path) -> None:
    target = tmp_path / "requirements.txt"
    command = [
        "uv",
        "export",
        "--locked",
        "--no-dev",
        "--no-emit-project",
        "--format",
        "requirements-txt",
        "--quiet",
        "--offline",
        "-o",
        str(target),
    ]
    subprocess.run(command, cwd=ROOT, check=True)

    def pins(path: Path) -> str:
        return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))

    assert pins(target) == pins(ROOT / "requirements.txt"), (
        "run: uv export --no-dev --no-emit-project --format requirements-txt -o requirements.txt"
    )


def test_zizmor_finds_nothing_here_nor_in_what_init_writes(tmp_path: Path) -> None:
    made = workflow.files(["python"], sha="0" * 40, version="0.1.0")
    for name, text in made.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        if "workflows" in name:
            assert len(text.splitlines()) <= 10
    zizmor = Path(sys.executable).parent / "zizmor"
    ours = subprocess.run(
        [zizmor, "--offline", "--no-progress", "--persona", "pedantic", ".github/workflows", "action.yml"],
        cwd=ROOT,
        check=False,
    )
    assert ours.returncode == 0
    ignores = [
        line
        for path in [*WORKFLOWS, ROOT / "action.yml"]
        for line in path.read_text().splitlines()
        if "zizmor: ignore" in line
    ]
    assert len(ignores) <= 2
    checker = Path(sys.executable).parent / "check-jsonschema"
    files = [str(path) for path in [*WORKFLOWS, *(tmp_path / ".github/workflows").glob("*.yml")]]
    subprocess.run([checker, "--builtin-schema", "vendor.github-workflows", *files], check=True)
    subprocess.run([checker, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"], check=True)


def test_the_publishing_side_loads_nothing_heavy() -> None:
    program = (
        "import sys, perforch.commands.publish, perforch.github.publish, perforch.github.context, httpx; "
        "print(sorted(set(sys.modules) & {'github', 'matplotlib', 'numpy', 'jinja2', 'tree_sitter', 'perforch.stages', 'perforch.llm'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_init(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(tmp_path)], check=True)
    (tmp_path / "a.go").write_text("package a\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "a.go"], check=True)
    command = [sys.executable, "-c", "from perforch.cli import main; main()", "init", "--repo", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "go" in done.stdout
    assert "trunk" in done.stdout
    assert all(f"{number}. " in done.stdout for number in (1, 2, 3))
    assert (
        settings.parse((tmp_path / ".github" / "perforch.yml").read_bytes()).models[0].provider == "anthropic"
    )
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
