"""Files as a branch and a pull request, without a checkout and without git: through GitHub's database of objects.

Run again, it moves the same branch and edits the same pull request. Nothing is ever pushed to another branch.
API: https://docs.github.com/en/rest/git
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perforch.errors import GitHubError
from perforch.github.client import Clock, Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perforch.github.client import Client, Json

SETTING = "Settings, Actions, General, 'Allow GitHub Actions to create and approve pull requests'"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed.

    Attributes:
        base: branch it is for; revision: 40-hex commit of that branch which the files were made from.
        branch: the branch to make or to move; ours alone.
        title, body: of the pull request; body is Markdown.
        files: content by path from the top of the repository; None deletes.
    """

    base: str
    revision: str
    branch: str
    title: str
    body: str
    files: Mapping[str, bytes | None]


def propose(client: Client, proposal: Proposal) -> str:
    """Put the files on the branch and open or edit its pull request; returns the pull request's address.

    Raises:
        GitHubError: GitHub refused. If only the pull request was refused, the branch is there and the hint says so.
    """
    commit = _commit(client, proposal)
    _point(client, proposal.branch, commit)
    body: Json = {"title": proposal.title, "body": proposal.body}
    existing = _open_pull(client, proposal)
    if existing is not None:
        return str(client.write("PATCH", f"pulls/{existing['number']}", body)["html_url"])
    asked = body | {"head": proposal.branch, "base": proposal.base}
    # A refusal by the repository's settings can look like a rate limit, and waiting for minutes would change nothing.
    brief = Clock(client.clock.now, lambda seconds: client.clock.sleep(min(seconds, client.pause)))
    hurried = replace(client, clock=brief, _http=None)
    try:
        made = hurried.write("POST", "pulls", asked, find=lambda: _open_pull(client, proposal))
    except GitHubError as error:
        message = f"the branch {proposal.branch} is ready, but {error.message}"
        hint = f"Allow it under {SETTING}, or open the pull request from the branch by hand."
        raise GitHubError(message, hint=hint) from error
    finally:
        hurried.close()
    return str(made.get("html_url", ""))


def _commit(client: Client, proposal: Proposal) -> str:
    parent = client.get(f"git/commits/{proposal.revision}")
    entries: list[Json] = []
    for path, data in sorted(proposal.files.items()):
        blob = None
        if data is not None:
            content = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
            blob = client.write("POST", "git/blobs", content)["sha"]
        entries.append({"path": path, "mode": "100644", "type": "blob", "sha": blob})
    tree = client.write("POST", "git/trees", {"base_tree": parent["tree"]["sha"], "tree": entries})
    commit = {"message": proposal.title, "tree": tree["sha"], "parents": [proposal.revision]}
    return str(client.write("POST", "git/commits", commit)["sha"])


def _point(client: Client, branch: str, commit: str) -> None:
    """Let the branch be this commit, whatever it was."""
    try:
        client.get(f"git/ref/heads/{branch}")
    except Missing:

        def find() -> Json | None:
            try:
                found: Json = client.get(f"git/ref/heads/{branch}")
            except Missing:
                return None
            return found if found["object"]["sha"] == commit else None

        client.write("POST", "git/refs", {"ref": f"refs/heads/{branch}", "sha": commit}, find=find)
    else:
        client.write("PATCH", f"git/refs/heads/{branch}", {"sha": commit, "force": True})


def _open_pull(client: Client, proposal: Proposal) -> Json | None:
    owner = client.repository.partition("/")[0]
    head = f"{owner}:{proposal.branch}"
    found = client.pages("pulls", state="open", head=head, base=proposal.base)
    return next((pull for pull in found if pull.get("html_url")), None)
