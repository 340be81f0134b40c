"""The files that `perforch init` writes: short workflows that call the reusable ones, and a commented configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = "perforch/perforch"
KEYS = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
MODELS = {
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-5.6",
    "gemini": "gemini-3-pro",
}

_WORKFLOW = """\
name: {name}
on: {on}
permissions: {{}}
jobs:
  perforch:
    permissions: {permissions}
    uses: {repository}/.github/workflows/{file}@{sha} # v{version}
    secrets:
      {key}: ${{{{ secrets.{key} }}}}
"""

_CONFIG = """\
# perforch reads this file from the base branch only: a pull request cannot change it.
version: 1
# What to improve: time, cpu, mean-memory or max-memory.
metric: time
# The order does not matter: evidence decides whom to ask first. Without a model, base and head are only measured.
models:
  - {{name: {model}, provider: {provider}, api_key_env: {key}}}
# Hard limits of one run.
budget: {{usd: 2.00, calls: 40, minutes: 30}}
# A gain must be at least this large, with at most this chance of a false claim.
acceptance: {{min_effect: 5%, max_false_positive: 1%}}
# required: nothing runs without a full sandbox.
sandbox: required
# include: ["src/**"]
# exclude: ["**/generated/**"]
{languages}\
# Where tests are too quick to time a function, name a command that exercises it:
# workloads:
#   - {{function: "src/a.py::parse", command: ["python", "bench/parse.py"]}}
"""


def files(
    tests: Mapping[str, Sequence[str]],
    *,
    sha: str,
    version: str,
    provider: str = "anthropic",
    model: str = "",
    reprofile: bool = False,
) -> dict[str, str]:
    """Path and text of every file.

    Args:
        tests: command that runs the tests, by language.
        sha: released commit whose reusable workflows are called, 40 hexadecimal digits.
        reprofile: also a workflow that profiles the models every month, which costs money.
    """
    key = KEYS[provider]
    common = {"repository": REPOSITORY, "sha": sha, "version": version, "key": key}
    lines = [f"#   {language}: {{test: {json.dumps(list(command))}}}" for language, command in tests.items()]
    shown = "\n".join(["# Tests are found by themselves; to use others:", "# languages:", *lines, ""])
    found = {
        ".github/workflows/perforch.yml": _WORKFLOW.format(
            name="perforch",
            on="{pull_request: {types: [opened, synchronize, reopened, ready_for_review]}}",
            permissions="{contents: read, pull-requests: write} # to read the code; to post the review",
            file="perforch.yml",
            **common,
        ),
        ".github/workflows/perforch-command.yml": _WORKFLOW.format(
            name="perforch command",
            on="{issue_comment: {types: [created]}} # zizmor: ignore[dangerous-triggers] the gate asks for the right to write",
            permissions="{contents: read, issues: write, pull-requests: write} # as above; to react to the command",
            file="perforch-command.yml",
            **common,
        ),
        ".github/perforch.yml": _CONFIG.format(
            model=model or MODELS[provider],
            provider=provider,
            key=key,
            languages=shown if tests else "",
        ),
    }
    if reprofile:
        found[".github/workflows/reprofile.yml"] = _WORKFLOW.format(
            name="perforch reprofile",
            on='{schedule: [{cron: "43 2 5 * *"}], workflow_dispatch: {}}',
            permissions="{contents: write, pull-requests: write} # to make a branch; to open its pull request",
            file="reprofile.yml",
            **common,
        )
    return found


def steps(branch: str, provider: str = "anthropic") -> tuple[str, str, str]:
    """What only a person can do."""
    return (
        "Runner: register a self-hosted Linux runner with the label `perforch` (see runner-config/README.md).",
        f"Secret: add {KEYS[provider]} under Settings, Secrets and variables, Actions.",
        f"Label: create the label `skip-perforch`, which mutes a pull request; then commit the files to {branch}.",
    )
