"""A small stateful GitHub on a real socket over a real git repository.

It keeps the rules that a publishing bot trips over, with the status codes and shapes that GitHub answers with (in two
dialects of wording), checks a token's permissions, and can fail on demand, before or after taking effect. It shares
no code with the bot: hunks are read from `git diff` by its own few lines.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

import contract

REPO = "acme/rows"


@dataclass
class Fault:
    """What happens to one request: a status, or a dropped connection; after the effect if `after`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    after: bool = False


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def git(repo: Path, *arguments: str, text: str | None = None) -> str:
    identity = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "core.autocrlf=false",
    )
    done = subprocess.run(
        ["git", *identity, "-C", str(repo), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def error(status: int, message: str, **more: Any) -> Answer:
    return Answer(status, {"message": message, "documentation_url": "https://docs.github.com/rest", **more})


@functools.cache
def _commits(repo: Path, base: str, head: str) -> set[str]:
    return set(git(repo, "rev-list", f"{base}..{head}").split())


@functools.cache
def _files(repo: Path, base: str, head: str) -> list[dict[str, Any]]:
    quiet = ("-c", "core.quotePath=false", "diff")
    found = []
    for line in git(repo, *quiet, "--name-status", "--no-renames", f"{base}...{head}").split("\n"):
        status, _, path = line.partition("\t")
        text = git(repo, *quiet, f"{base}...{head}", "--", path)
        patch = text[text.index("@@") :] if "\n@@" in text else None
        item = {"filename": path, "status": {"A": "added", "D": "removed"}.get(status[0], "modified")}
        found.append(item | ({"patch": patch} if patch else {}))
    return found


@dataclass
class Fake:
    """The state: one repository, one pull request, accounts and tokens."""

    repo: Path
    base: str
    head: str
    pull: int = 7
    dialect: str = "2024"
    page: int = 100
    fork: bool = False
    head_repo: bool = True
    state: str = "open"
    locked: bool = False
    labels: list[str] = field(default_factory=list)
    author: dict[str, Any] = field(default_factory=lambda: {"login": "dev", "id": 2, "type": "User"})
    writers: set[str] = field(default_factory=lambda: {"maintainer"})
    permissions: dict[str, str] = field(
        default_factory=lambda: {"issues": "write", "pull_requests": "write", "contents": "read"}
    )
    comments: list[dict[str, Any]] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    threads: list[dict[str, Any]] = field(default_factory=list)
    reactions: list[tuple[int, str]] = field(default_factory=list)
    faults: list[Fault | None] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rejects: Any = None  # a function of a review comment: GitHub finds fault with it for reasons of its own
    next_id: int = 5_000_000_000  # beyond 32 bits, like real ids
    url: str = ""

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    # -- rules -----------------------------------------------------------------

    def commits(self) -> set[str]:
        return _commits(self.repo, self.base, self.head)

    def files(self) -> list[dict[str, Any]]:
        return _files(self.repo, self.base, self.head)

    def hunks(self, path: str) -> list[tuple[int, int]] | None:
        file = next((item for item in self.files() if item["filename"] == path), None)
        if file is None:
            return None
        spans, here = [], 0
        for line in str(file.get("patch", "")).split("\n"):
            if line.startswith("@@"):
                here = int(line.split("+")[1].split(",")[0].split(" ")[0])
                spans.append([here, here - 1])
            elif spans and line[:1] in ("+", " "):
                spans[-1][1] += 1
        return [(first, last) for first, last in spans if last >= first]

    def misplaced(self, comment: dict[str, Any]) -> str:
        """GitHub's complaint about where a comment sits; "" if it may sit there."""
        new = self.dialect == "2026"
        spans = self.hunks(comment["path"])
        if spans is None:
            return "Path could not be resolved" if new else "Pull request review thread path is invalid"
        if self.rejects and self.rejects(comment):
            return "Line could not be resolved"
        if comment.get("subject_type") == "file":
            return ""
        line, start = comment.get("line"), comment.get("start_line")
        if comment.get("side", "RIGHT") != "RIGHT" or not isinstance(line, int):
            return "line must be given"
        home = next(((a, b) for a, b in spans if a <= line <= b), None)
        if home is None:
            return (
                "Line could not be resolved"
                if new
                else "Pull request review thread line must be part of the diff"
            )
        if start is not None and start >= line:
            return "Pull request review thread start line must precede the end line."
        if start is not None and not home[0] <= start:
            return "Pull request review thread start_line must be part of the same hunk as the line."
        return ""

    def too_long(self, body: str) -> Answer | None:
        if len(body) <= 65_536:
            return None
        detail = {
            "resource": "IssueComment",
            "code": "unprocessable",
            "field": "data",
            "message": "Body is too long",
        }
        return error(422, "Validation Failed", errors=[detail])

    def denied(self, *needs: str) -> Answer | None:
        """403 unless the token has one of `needs`, each such as `issues=write`."""
        for need in needs:
            scope, _, level = need.partition("=")
            have = self.permissions.get(scope, "")
            if have in ("write", level):
                return None
        headers = {"X-Accepted-GitHub-Permissions": "; ".join(needs)}
        answer = error(403, "Resource not accessible by integration")
        answer.headers = headers
        return answer

    # -- routes ----------------------------------------------------------------

    def handle(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        if path == "/graphql":
            return self.denied("pull_requests=read") or self.graphql(body)
        if not path.startswith(f"/repos/{REPO}/"):
            return error(404, "Not Found")
        tail = path.removeprefix(f"/repos/{REPO}/")
        for pattern, verb, handler in (
            (r"pulls/(\d+)", "GET", self.get_pull),
            (r"pulls/(\d+)/files", "GET", self.get_files),
            (r"pulls/(\d+)/reviews", "POST", self.post_review),
            (r"pulls/(\d+)/reviews/(\d+)", "DELETE", self.delete_review),
            (r"pulls/(\d+)/comments", "POST", self.post_review_comment),
            (r"issues/(\d+)/comments", "POST", self.post_comment),
            (r"issues/comments/(\d+)", "PATCH", self.patch_comment),
            (r"issues/comments/(\d+)/reactions", "POST", self.post_reaction),
            (r"collaborators/([^/]+)/permission", "GET", self.get_permission),
        ):
            found = re.fullmatch(pattern, tail)
            if found and verb == method:
                return handler(found, query, body)
        return error(404, "Not Found")

    def get_pull(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        if int(found[1]) != self.pull:
            return error(404, "Not Found")
        name = "stranger/rows" if self.fork else REPO
        head = {"sha": self.head, "ref": "topic", "repo": {"full_name": name} if self.head_repo else None}
        document = {
            "number": self.pull, "state": self.state, "locked": self.locked, "draft": False, "user": self.author,
            "labels": [{"name": label} for label in self.labels],
            "head": head, "base": {"sha": self.base, "ref": "main", "repo": {"full_name": REPO}},
        }  # fmt: skip
        return self.denied("pull_requests=read") or Answer(200, document)

    def get_files(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        files, size = self.files(), min(int(query.get("per_page", ["30"])[0]), self.page)
        number = int(query.get("page", ["1"])[0])
        headers = {}
        if number * size < len(files):
            headers["Link"] = (
                f'<{self.url}/repos/{REPO}/pulls/{self.pull}/files?per_page={size}&page={number + 1}>; rel="next"'
            )
        return self.denied("pull_requests=read") or Answer(
            200, files[(number - 1) * size : number * size], headers
        )

    def post_review(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        denied = self.denied("pull_requests=write") or self.too_long(body.get("body", ""))
        if denied:
            return denied
        unknown = set(body) - {"commit_id", "body", "event", "comments"}
        fields = {"path", "body", "line", "side", "start_line", "start_side", "position"}
        assert not unknown, unknown
        assert all(set(comment) <= fields for comment in body.get("comments", []))
        if any(review["state"] == "PENDING" for review in self.reviews):
            return error(
                422, "Unprocessable Entity", errors=["User can only have one pending review per pull request"]
            )
        if body.get("commit_id") not in self.commits():
            return error(
                422, "Unprocessable Entity", errors=["The commitOID is not part of the pull request"]
            )
        complaints = [text for comment in body.get("comments", []) if (text := self.misplaced(comment))]
        if complaints:
            return error(422, "Unprocessable Entity", errors=complaints[:1])
        state = {"COMMENT": "COMMENTED"}.get(body.get("event"), "PENDING")
        review = {
            "id": self.new_id(),
            "body": body["body"],
            "state": state,
            "commit_id": body["commit_id"],
            "mine": True,
        }
        review["html_url"] = f"https://github.com/{REPO}/pull/{self.pull}#pullrequestreview-{review['id']}"
        self.reviews.append(review)
        self.threads += [
            {"id": self.new_id(), "mine": True, "outdated": False, "minimized": False, **c}
            for c in body.get("comments", [])
        ]
        return Answer(200, {key: value for key, value in review.items() if key != "mine"})

    def delete_review(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        keep = [
            review for review in self.reviews if review["id"] != int(found[2]) or review["state"] != "PENDING"
        ]
        if len(keep) == len(self.reviews):
            return error(404, "Not Found")
        self.reviews = keep
        return self.denied("pull_requests=write") or Answer(200, {})

    def post_review_comment(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        denied = self.denied("pull_requests=write") or self.too_long(body["body"])
        if denied:
            return denied
        complaint = self.misplaced(body)
        if complaint:
            detail = {
                "resource": "PullRequestReviewComment",
                "code": "custom",
                "field": "line",
                "message": complaint,
            }
            return error(422, "Validation Failed", errors=[detail])
        self.threads.append(
            {"id": self.new_id(), "mine": True, "outdated": False, "minimized": False, **body}
        )
        return Answer(201, {"id": self.next_id})

    def post_comment(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        denied = self.denied("issues=write", "pull_requests=write") or self.too_long(body["body"])
        if denied:
            return denied
        return Answer(201, self.add_comment(body["body"], mine=True))

    def add_comment(self, body: str, *, mine: bool = False) -> dict[str, Any]:
        comment = {"id": self.new_id(), "body": body, "mine": mine, "minimized": False}
        comment["html_url"] = f"https://github.com/{REPO}/pull/{self.pull}#issuecomment-{comment['id']}"
        self.comments.append(comment)
        return comment

    def patch_comment(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        denied = self.denied("issues=write", "pull_requests=write") or self.too_long(body["body"])
        comment = next((c for c in self.comments if c["id"] == int(found[1])), None)
        if denied or comment is None:
            return denied or error(404, "Not Found")
        comment["body"] = body["body"]
        return Answer(200, comment)

    def post_reaction(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        denied = self.denied("issues=write")
        if denied:
            return denied
        reaction = (int(found[1]), body["content"])
        known = reaction in self.reactions
        if not known:
            self.reactions.append(reaction)
        return Answer(200 if known else 201, {"id": 1, "content": body["content"]})

    def get_permission(self, found: re.Match[str], query: Any, body: Any) -> Answer:
        push = unquote(found[1]) in self.writers
        rights = {"pull": True, "push": push, "admin": False, "maintain": False, "triage": False}
        return Answer(
            200,
            {
                "permission": "write" if push else "read",
                "role_name": "x",
                "user": {"login": found[1], "permissions": rights},
            },
        )

    def graphql(self, body: Any) -> Answer:
        query, variables = body["query"], body["variables"]
        if query.startswith("mutation"):
            for thread in self.threads:
                if str(thread["id"]) == variables["id"]:
                    thread["minimized"] = True
            return Answer(200, {"data": {"minimizeComment": {"minimizedComment": {"isMinimized": True}}}})
        if "reviewThreads(" in query:
            nodes = [
                {
                    "isOutdated": t["outdated"], "isResolved": t.get("resolved", False),
                    "comments": {"totalCount": 1, "nodes": [
                        {"id": str(t["id"]), "body": t["body"], "viewerDidAuthor": t["mine"], "isMinimized": t["minimized"]}]},
                }
                for t in self.threads
            ]  # fmt: skip
        elif "reviews(" in query:
            nodes = [
                {
                    "id": "R",
                    "fullDatabaseId": str(r["id"]),
                    "body": r["body"],
                    "url": r["html_url"],
                    "viewerDidAuthor": r["mine"],
                    "state": r["state"],
                }
                for r in self.reviews
            ]
        else:
            nodes = [
                {
                    "id": "C",
                    "fullDatabaseId": str(c["id"]),
                    "body": c["body"],
                    "url": c["html_url"],
                    "viewerDidAuthor": c["mine"],
                    "isMinimized": c["minimized"],
                }
                for c in self.comments
            ]
        start = int(variables.get("cursor") or 0)
        size = min(100, self.page)
        page = {"hasNextPage": start + size < len(nodes), "endCursor": str(start + size)}
        items = {"nodes": nodes[start : start + size], "pageInfo": page}
        return Answer(200, {"data": {"repository": {"pullRequest": {"items": items}}}})


class Server:
    """Serves a `Fake` on a loopback port until it is closed."""

    def __init__(self, fake: Fake) -> None:
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                parts = urlsplit(self.path)
                with lock:
                    fake.log.append(f"{self.command} {parts.path}")
                    fault = fake.faults.pop(0) if fake.faults else None
                    answer: Answer | None = None
                    if fault is None or fault.after:
                        if self.headers.get("Authorization") != "Bearer secret":
                            answer = error(401, "Bad credentials")
                        else:
                            query, body = parse_qs(parts.query), json.loads(raw) if raw else None
                            answer = fake.handle(self.command, parts.path, query, body)
                            fake.problems += contract.problems(
                                self.command, parts.path, query, body, answer.status
                            )
                    if fault is not None:
                        if fault.status == 0:
                            self.close_connection = True
                            self.connection.close()
                            return
                        answer = Answer(fault.status, fault.body or {"message": "x"}, fault.headers)
                assert answer is not None
                data = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

            def log_message(self, *_: object) -> None:
                return

            def finish(self) -> None:
                if not self.connection._closed:  # type: ignore[attr-defined]
                    super().finish()

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                return

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = fake.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
