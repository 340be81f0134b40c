"""May this job run on the measuring machine? Exit status 0 yes, 1 no; one sentence either way.

A workflow file cannot keep forks away: a fork's pull request runs the fork's own workflow file. This hook is the runner's, so it can.
Decided from the event payload that GitHub sent, by the owner's policy (root's) in jobs.json beside this file or in /etc/perforch. Where it lies
cannot be said in the environment, which the workflow may have set:

    {"repositories": ["owner/name"], "workflows": ["perforch.yml", "perforch-command.yml", "reprofile.yml"]}

Allowed: workflows on the list, of repositories on the list, started
by a pull request whose branch lies in the same repository; or, at the default branch only, by a comment, a schedule, a person or
another workflow. Everything else is refused, and so is whatever cannot be read. Standard library only, Python 3.9 and later.
"""

import json
import os
import re
import sys
from pathlib import Path

POLICIES = (Path(__file__).resolve().with_name("jobs.json"), Path("/etc/perforch/jobs.json"))
AT_DEFAULT_BRANCH = {"issue_comment", "schedule", "workflow_dispatch", "workflow_run"}
WORKFLOW = re.compile(
    r"(?P<repository>[^/@\s]+/[^/@\s]+)/\.github/workflows/(?P<file>[^/@\s]+)@(?P<ref>refs/\S+)"
)
MOST = 32 << 20  # bytes of an event; GitHub's own limit is 25 MB


def refusal(policy, event, environment):
    """Why the job may not run here, "" when it may."""
    name = environment.get("GITHUB_EVENT_NAME", "")
    repository = environment.get("GITHUB_REPOSITORY", "")
    allowed = {entry.lower() for entry in policy["repositories"]}
    if not repository or repository.lower() not in allowed:
        return f"{repository or 'a repository without a name'} is not on this runner's list"
    workflow = WORKFLOW.fullmatch(environment.get("GITHUB_WORKFLOW_REF", ""))
    if workflow is None:
        return "the workflow cannot be told"
    if workflow["repository"].lower() != repository.lower():
        return f"the workflow lies in {workflow['repository']}, not in {repository}"
    if workflow["file"] not in policy["workflows"]:
        return f"{workflow['file']} is not on this runner's list"
    if name == "pull_request":
        return of_pull_request(event, repository)
    if name not in AT_DEFAULT_BRANCH:
        return f"{name or 'an event without a name'} starts no job here"
    branch = event["repository"]["default_branch"]
    here = f"refs/heads/{branch}"
    if not branch or environment.get("GITHUB_REF") != here or workflow["ref"] != here:
        return f"{name} counts at the default branch only"
    return ""


def of_pull_request(event, repository):
    """A fork's branch is a stranger's code; a deleted fork has no repository at all."""
    head, base = event["pull_request"]["head"]["repo"], event["pull_request"]["base"]["repo"]
    if head is None:
        return "the pull request's branch has no repository any more"
    names = {head["full_name"].lower(), base["full_name"].lower()}
    if names != {repository.lower()} or head["id"] != base["id"]:
        return f"the pull request comes from a fork, {head['full_name']}"
    return ""


def read(path):
    with Path(path).open("rb") as file:
        data = file.read(MOST + 1)
    document = json.loads(data) if len(data) <= MOST else None
    if not isinstance(document, dict):
        message = f"{path} is too large, or no JSON object"
        raise ValueError(message)
    return document


def main():
    try:
        policy = read(next(path for path in POLICIES if path.exists()))
        event = read(os.environ["GITHUB_EVENT_PATH"])
        reason = refusal(policy, event, os.environ)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        reason = f"the event or this runner's policy cannot be read ({type(error).__name__}: {error})"
    if reason:
        line = "".join(character if character.isprintable() else "?" for character in reason)[:300]
        sys.stderr.write(f"perforch: this job may not run on the measuring machine: {line}.\n")
        return 1
    sys.stdout.write("perforch: this job may run here.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
