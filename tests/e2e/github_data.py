"""Git objects, references, files and pull requests over the API, kept in the fake's real repository."""

from __future__ import annotations

import base64
import binascii
import subprocess
from typing import TYPE_CHECKING, Any

from github_answers import REPO, Answer, error, invalid, paged
from github_diff import git, git_bytes

import contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from github_fake import Fake

LARGE = 1024 * 1024  # bytes above which a file comes without its content
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _found(fake: Fake, name: str) -> str:
    """The object that a name stands for; "" if none."""
    try:
        return git(fake.repo, "rev-parse", "--verify", "--quiet", name)
    except subprocess.CalledProcessError:
        return ""


def _ancestor(fake: Fake, old: str, new: str) -> bool:
    return git(fake.repo, "merge-base", old, new) == old


def get_repository(fake: Fake, **_: Any) -> Answer:
    document = contract.example("GET", "/repos/{owner}/{repo}")
    for name in ("parent", "source", "template_repository"):
        document.pop(name)
    return Answer(200, document | {"full_name": REPO, "name": "rows", "default_branch": "main"})


# -- references --------------------------------------------------------------------------------------------------------


def get_ref(fake: Fake, name: str, **_: Any) -> Answer:
    sha = _found(fake, f"refs/{name}")
    return fake.denied("contents=read") or (
        Answer(200, _ref(f"refs/{name}", sha)) if sha else error(404, "Not Found")
    )


def post_ref(fake: Fake, *, body: dict[str, Any], **_: Any) -> Answer:
    if denied := fake.denied("contents=write"):
        return denied
    if _found(fake, body["ref"]):
        return error(422, "Reference already exists")
    if not _found(fake, f"{body['sha']}^{{commit}}"):
        return error(422, "Object does not exist")
    git(fake.repo, "update-ref", body["ref"], body["sha"])
    return Answer(201, _ref(body["ref"], body["sha"]))


def patch_ref(fake: Fake, name: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """Only forward, unless forced."""
    if denied := fake.denied("contents=write"):
        return denied
    old = _found(fake, f"refs/{name}")
    if not old:
        return error(422, "Reference does not exist")
    if not body.get("force") and not _ancestor(fake, old, body["sha"]):
        return error(422, "Update is not a fast forward")
    git(fake.repo, "update-ref", f"refs/{name}", body["sha"])
    return Answer(200, _ref(f"refs/{name}", body["sha"]))


def _ref(name: str, sha: str) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "git/refs")
    document["object"] |= {"sha": sha, "type": "commit"}
    address = f"https://api.github.com/repos/{REPO}/git/{name}"
    return document | {"ref": name, "url": address}


# -- objects -----------------------------------------------------------------------------------------------------------


def post_blob(fake: Fake, *, body: dict[str, Any], **_: Any) -> Answer:
    if denied := fake.denied("contents=write"):
        return denied
    coded = body.get("encoding") == "base64"
    data = base64.b64decode(body["content"]) if coded else body["content"].encode()
    sha = git_bytes(fake.repo, "hash-object", "-w", "--stdin", data=data).decode().strip()
    return Answer(201, {"sha": sha, "url": f"{fake.url}/repos/{REPO}/git/blobs/{sha}"})


def post_tree(fake: Fake, *, body: dict[str, Any], **_: Any) -> Answer:
    """A tree on top of another one; entries are files by path, with a blob or with text."""
    if denied := fake.denied("contents=write"):
        return denied
    files = {path: (mode, sha) for mode, sha, path in _listing(fake, body.get("base_tree") or EMPTY)}
    for entry in body["tree"]:
        sha = entry.get("sha")
        if "content" in entry:
            sha = (
                git_bytes(fake.repo, "hash-object", "-w", "--stdin", data=entry["content"].encode())
                .decode()
                .strip()
            )
        files[entry["path"]] = (entry["mode"], sha)
        if sha is None:
            del files[entry["path"]]
    index = {"GIT_INDEX_FILE": str(fake.repo / ".git" / "fake-index")}
    lines = "".join(f"{mode} {sha}\t{path}\0" for path, (mode, sha) in files.items())
    for command in (["read-tree", "--empty"], ["update-index", "-z", "--index-info"], ["write-tree"]):
        done = subprocess.run(
            ["git", "-C", str(fake.repo), *command],
            input=lines.encode(),
            env=index,
            capture_output=True,
            check=True,
        )
    sha = done.stdout.decode().strip()
    document = contract.example("POST", "git/trees")
    return Answer(201, document | {"sha": sha})


def _listing(fake: Fake, tree: str) -> list[tuple[str, str, str]]:
    lines = (
        git_bytes(fake.repo, "ls-tree", "-r", "-z", tree).decode().split("\0")[:-1] if tree != EMPTY else []
    )
    return [
        (head.split(" ")[0], head.split(" ")[2], path)
        for head, path in (line.split("\t", 1) for line in lines)
    ]


def post_commit(fake: Fake, *, body: dict[str, Any], **_: Any) -> Answer:
    if denied := fake.denied("contents=write"):
        return denied
    parents = [part for parent in body.get("parents", []) for part in ("-p", parent)]
    sha = git(fake.repo, "commit-tree", body["tree"], *parents, text=body["message"])
    return Answer(201, _commit(fake, sha))


def get_commit(fake: Fake, sha: str, **_: Any) -> Answer:
    known = _found(fake, f"{sha}^{{commit}}")
    return fake.denied("contents=read") or (
        Answer(200, _commit(fake, sha)) if known else error(404, "Not Found")
    )


def _commit(fake: Fake, sha: str) -> dict[str, Any]:
    document: dict[str, Any] = contract.example("POST", "git/commits")
    document["tree"]["sha"] = git(fake.repo, "rev-parse", f"{sha}^{{tree}}")
    parents = git(fake.repo, "log", "-1", "--format=%P", sha).split()
    pattern = document["parents"][0]
    message = git(fake.repo, "log", "-1", "--format=%B", sha)
    return document | {
        "sha": sha,
        "message": message,
        "parents": [pattern | {"sha": parent} for parent in parents],
    }


# -- files -------------------------------------------------------------------------------------------------------------


def get_contents(fake: Fake, path: str, *, query: dict[str, str], **_: Any) -> Answer:
    """A file above 1 MB comes with `encoding: none` and no content."""
    sha = _found(fake, f"{query.get('ref', 'main')}:{path}")
    if (denied := fake.denied("contents=read")) or not sha:
        return denied or error(404, "Not Found")
    data = git_bytes(fake.repo, "cat-file", "blob", sha)
    large = len(data) > LARGE
    content = "" if large else base64.encodebytes(data).decode()
    return Answer(
        200, _file(path, sha, len(data)) | {"content": content, "encoding": "none" if large else "base64"}
    )


def put_contents(fake: Fake, path: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """A commit on a branch that changes one file; what is replaced must be named."""
    if denied := fake.denied("contents=write"):
        return denied
    branch = body.get("branch", "main")
    tip, old = _found(fake, f"refs/heads/{branch}"), _found(fake, f"refs/heads/{branch}:{path}")
    if not tip:
        return error(404, f"Branch {branch} not found")
    if old != (body.get("sha") or ""):
        wrong = (
            f"{path} does not match {body['sha']}"
            if body.get("sha")
            else 'Invalid request.\n\n"sha" wasn\'t supplied.'
        )
        return error(409 if body.get("sha") else 422, wrong)
    try:
        data = base64.b64decode(body["content"], validate=True)
    except binascii.Error:
        return error(422, "content is not valid Base64")
    blob = git_bytes(fake.repo, "hash-object", "-w", "--stdin", data=data).decode().strip()
    tree = {"base_tree": tip, "tree": [{"path": path, "mode": "100644", "type": "blob", "sha": blob}]}
    made = post_tree(fake, body=tree).body["sha"]
    commit = git(fake.repo, "commit-tree", made, "-p", tip, text=body["message"])
    git(fake.repo, "update-ref", f"refs/heads/{branch}", commit)
    document = contract.example("PUT", "contents/{path}")
    shown = {key: value for key, value in _file(path, blob, len(data)).items() if key in document["content"]}
    document["content"] |= shown
    document["commit"] |= {"sha": commit, "message": body["message"]}
    return Answer(200 if old else 201, document)


def _file(path: str, sha: str, size: int) -> dict[str, Any]:
    document: Any = contract.example("GET", "contents/{path}")
    document = document[0] if isinstance(document, list) else document
    return document | {
        "type": "file",
        "path": path,
        "name": path.rsplit("/", 1)[-1],
        "sha": sha,
        "size": size,
    }


# -- pull requests -----------------------------------------------------------------------------------------------------


def list_pulls(fake: Fake, *, query: dict[str, str], **_: Any) -> Answer:
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    found = [
        pull
        for pull in fake.opened
        if state in ("all", pull["state"]) and head in (None, pull["label"]) and base in (None, pull["into"])
    ]
    items = [_pull(pull, short=True) for pull in found]
    return fake.denied("pull_requests=read") or paged(
        items, query, f"{fake.url}/repositories/1/pulls", fake.page
    )


def post_pull(fake: Fake, *, body: dict[str, Any], **_: Any) -> Answer:
    """One open pull request a pair of branches; none between equal ones; by a workflow only where that is allowed."""
    if denied := fake.denied("pull_requests=write"):
        return denied
    if fake.workflow_token and not fake.may_open:
        return error(403, "GitHub Actions is not permitted to create or approve pull requests.")
    owner, name = REPO.split("/")[0], body["head"].rsplit(":", 1)[-1]
    head, base = _found(fake, f"refs/heads/{name}"), _found(fake, f"refs/heads/{body['base']}")
    if not head or not base:
        return invalid({"resource": "PullRequest", "field": "base" if head else "head", "code": "invalid"})
    label = f"{owner}:{name}"
    if any(p["state"] == "open" and p["label"] == label and p["into"] == body["base"] for p in fake.opened):
        text = f"A pull request already exists for {label}."
        return invalid({"resource": "PullRequest", "code": "custom", "message": text})
    if _ancestor(fake, head, base):
        text = f"No commits between {body['base']} and {name}"
        return invalid({"resource": "PullRequest", "code": "custom", "message": text})
    pull = {
        "number": fake.pull + 1 + len(fake.opened), "state": "open", "label": label, "ref": name, "sha": head,
        "into": body["base"], "title": body.get("title", ""), "body": body.get("body", ""),
    }  # fmt: skip
    fake.opened.append(pull)
    return Answer(201, _pull(pull))


def patch_pull(fake: Fake, number: str, *, body: dict[str, Any], **_: Any) -> Answer:
    """Title, body or state of a pull request that a client opened."""
    if denied := fake.denied("pull_requests=write"):
        return denied
    pull = next((pull for pull in fake.opened if pull["number"] == int(number)), None)
    if pull is None:
        return error(404, "Not Found")
    pull |= body
    return Answer(200, _pull(pull))


def _pull(pull: dict[str, Any], *, short: bool = False) -> dict[str, Any]:
    document: Any = contract.example("GET", "pulls") if short else contract.example("POST", "pulls")
    document = document[0] if isinstance(document, list) else document
    for side in ("head", "base"):
        for name in ("network_count", "subscribers_count", "template_repository") if short else ():
            document[side]["repo"].pop(name, None)
    document["head"] |= {"ref": pull["ref"], "label": pull["label"], "sha": pull["sha"]}
    document["base"] |= {"ref": pull["into"]}
    kept = {key: pull[key] for key in ("number", "state", "title", "body")}
    address = f"https://github.com/{REPO}/pull/{pull['number']}"
    return document | kept | {"requested_teams": [], "html_url": address}


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("", "GET", get_repository),
    (r"pulls", "GET", list_pulls),
    (r"pulls", "POST", post_pull),
    (r"pulls/(\d+)", "PATCH", patch_pull),
    (r"git/ref/(.+)", "GET", get_ref),
    (r"git/refs", "POST", post_ref),
    (r"git/refs/(.+)", "PATCH", patch_ref),
    (r"git/blobs", "POST", post_blob),
    (r"git/trees", "POST", post_tree),
    (r"git/commits", "POST", post_commit),
    (r"git/commits/([0-9a-f]+)", "GET", get_commit),
    (r"contents/(.+)", "GET", get_contents),
    (r"contents/(.+)", "PUT", put_contents),
]
