"""The action and its workflows: pinned, without expansions in scripts, minimal, and equal to the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from perforch import __version__, settings
from perforch.commands.gate import gate
from perforch.commands.optimize import optimize
from perforch.commands.profile import profile
from perforch.commands.proposing import compare, propose
from perforch.commands.publish import publish
from perforch.github import gate as gate_decision
from perforch.github import workflow
from perforch.github.commands import USAGE
from perforch.rankings import store
from perforch.result import Metric, Stage
from perforch.settings import Settings

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOOLS = Path(sys.executable).parent
PEDANTIC = ("--offline", "--no-progress", "--persona", "pedantic")
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


def scripts() -> list[str]:
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]
    steps = [step for job in jobs for step in job.get("steps", [])] + ACTION["runs"]["steps"]
    return [step["run"] for step in steps if "run" in step]


def test_nothing_is_expanded_in_a_script() -> None:
    assert not [script for script in scripts() if "${{" in script]


@pytest.mark.parametrize("script", scripts(), ids=range(len(scripts())))
def test_shellcheck_finds_nothing_in_a_script(script: str) -> None:
    # GitHub starts bash with these; upper-case names come from `env:`.
    text = f"#!/usr/bin/env bash\nset -eo pipefail\n{script}"
    subprocess.run([TOOLS / "shellcheck", "--exclude=SC2153", "-"], input=text.encode(), check=True)


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_uses_are_pinned_by_commit(path: Path) -> None:
    for line in path.read_text().splitlines():
        if re.match(r"\s*(- )?uses:", line):
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


def test_no_comment_can_end_a_run_that_was_asked_for() -> None:
    """`concurrency` is evaluated before any `if:`, so a group that all comments share would let anybody cancel."""
    document = yaml.safe_load((ROOT / ".github" / "workflows" / "perforch-command.yml").read_text())
    assert "concurrency" not in document
    for name, job in document["jobs"].items():
        assert job["concurrency"]["cancel-in-progress"] is False
        own = "github.event.comment.id" if name == "gate" else "needs.gate.outputs.pull-request"
        assert own in job["concurrency"]["group"]
        assert name == "gate" or "gate" in job["needs"]


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


def test_the_documentation_has_every_input_and_output_as_it_is() -> None:
    def row(*cells: str) -> str:
        return f"| {' | '.join(cells)} |"

    def default(value: str) -> str:
        return f"`{value}`" if value else "–"

    text = (ROOT / "docs" / "action.md").read_text()
    rows = [
        row(f"`{name}`", default(one["default"]), one["description"])
        for name, one in ACTION["inputs"].items()
    ]
    rows += [row(f"`{name}`", one["description"]) for name, one in ACTION["outputs"].items()]
    section = text[text.index("## The action itself") :]
    assert [line for line in section.split("\n") if line.startswith("| `")] == rows
    found = set()
    for path in WORKFLOWS:
        called = yaml.safe_load(path.read_text())[True].get("workflow_call")
        for name, one in (called or {}).get("inputs", {}).items():
            found.add((path.name, name, default(one["default"])))
        for name in (called or {}).get("secrets", {}):
            assert f"`{name}`" in text
    section = text[text.index("## Inputs of the workflows") : text.index("## The action itself")]
    cells = [line.strip("|").split("|") for line in section.split("\n") if line.startswith("| `")]
    listed = {
        (workflow.strip(" `"), name.strip(" `"), value.strip())
        for workflows, name, value, _ in cells
        for workflow in workflows.split(",")
    }
    assert listed == found


def test_the_documentation_shows_what_init_writes() -> None:
    text = (ROOT / "docs" / "action.md").read_text()
    shown = workflow.files({}, sha="<commit of the release>", version=__version__)
    assert shown[".github/workflows/perforch.yml"] in text
    assert USAGE in text


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
        os.environ.get("UV", "uv"),
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


def test_the_linters_find_nothing() -> None:
    subprocess.run([TOOLS / "zizmor", *PEDANTIC, ".github/workflows", "action.yml"], cwd=ROOT, check=True)
    checker = TOOLS / "check-jsonschema"
    subprocess.run([checker, "--builtin-schema", "vendor.github-workflows", *WORKFLOWS], check=True)
    subprocess.run([checker, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"], check=True)


def test_what_the_linters_are_told_to_ignore_is_explained() -> None:
    lines = [
        (path.read_text().splitlines(), number)
        for path in [*WORKFLOWS, ROOT / "action.yml"]
        for number, line in enumerate(path.read_text().splitlines())
        if "zizmor: ignore" in line
    ]
    assert len(lines) <= 2
    assert all(text[number - 1].lstrip().startswith("#") for text, number in lines)


def test_our_own_pins_are_earlier_commits_whose_action_knows_every_input() -> None:
    """A commit cannot name itself, so workflows call the action of the commit before; see CONTRIBUTING.md."""
    for path in WORKFLOWS:
        for pin in set(re.findall(r"perforch/perforch@([0-9a-f]{40})", path.read_text())):
            shown = subprocess.run(
                ["git", "show", f"{pin}:action.yml"], cwd=ROOT, capture_output=True, check=False
            )
            if shown.returncode:
                pytest.skip(f"{pin[:12]} is not in this copy; the release compares with it in a full clone")
            known = set(yaml.safe_load(shown.stdout)["inputs"])
            jobs = yaml.safe_load(path.read_text())["jobs"].values()
            steps = [step for job in jobs for step in job["steps"] if pin in step.get("uses", "")]
            assert all(set(step["with"]) <= known for step in steps), path
            ancestor = ["git", "merge-base", "--is-ancestor", pin, "HEAD"]
            assert subprocess.run(ancestor, cwd=ROOT, check=False).returncode == 0, pin


def test_the_publishing_side_loads_nothing_heavy() -> None:
    program = (
        "import sys, perforch.commands.publish, perforch.github.publish, perforch.github.context, httpx; "
        "print(sorted(set(sys.modules) & {'github', 'matplotlib', 'numpy', 'jinja2', 'tree_sitter', 'perforch.stages', 'perforch.llm'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
