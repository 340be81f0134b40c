"""What the runner says about a job, from the environment.

Variables: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import UsageError
from perforch.github.client import Client
from perforch.report.links import Links

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY_LIMIT = 900_000  # GitHub drops the whole summary of a step above 1 MiB


def client(environment: Mapping[str, str]) -> Client:
    """A client for the job's repository and token.

    Raises:
        UsageError: no token, or no repository.
    """
    token = environment.get("GITHUB_TOKEN", "")
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not token or repository.count("/") != 1:
        message = "GITHUB_TOKEN and GITHUB_REPOSITORY are not set"
        raise UsageError(message, hint="This command runs inside a GitHub Actions job; see docs/action.md.")
    api = environment.get("GITHUB_API_URL") or "https://api.github.com"
    return Client(
        token=token,
        repository=repository,
        api_url=api,
        graphql_url=environment.get("GITHUB_GRAPHQL_URL") or f"{api}/graphql",
        pause=float(environment.get("PERFORCH_PAUSE") or 1.0),
    )


def links(environment: Mapping[str, str]) -> Links:
    """Addresses of the repository, the run and its artifacts."""
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    repository = environment.get("GITHUB_REPOSITORY", "")
    run = environment.get("GITHUB_RUN_ID", "")
    address = f"{server}/{repository}/actions/runs/{run}" if run.isdigit() else ""
    return Links(server, repository, address, f"{address}#artifacts" if address else "")


def summarise(environment: Mapping[str, str], text: str) -> None:
    """Append to the job summary, cut to what GitHub takes; nothing outside a job."""
    name = environment.get("GITHUB_STEP_SUMMARY")
    if name:
        data = text.encode()[:SUMMARY_LIMIT].decode(errors="ignore")
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(data + "\n")
