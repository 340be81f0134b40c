"""A small stateful GitHub on a real socket over a real git repository.

It keeps the rules that a publishing bot trips over, with the status codes and shapes that GitHub answers with (in two
dialects of wording), checks a token's permissions and the rate limits, and can fail on demand, before or after taking
effect. It shares no code with the bot. Bodies start from GitHub's own examples; `contract` checks every exchange.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import github_checks
import github_data
import github_language
import github_talk
from github_answers import REPO, Answer, Limits, account, error, paged
from github_diff import Changed, changed, commits, git, history

import contract

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REPO", "Answer", "Fake", "Fault", "Server", "error", "git"]
MAX_FILES = 3000  # that pulls/files ever lists


@dataclass
class Fault:
    """What happens to one request: a status, or a dropped connection; after the effect if `after`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    after: bool = False


@dataclass
class Fake:
    """The state: one repository, one pull request, accounts and tokens."""

    repo: Path
    base: str
    head: str
    pull: int = 7
    dialect: str = "2024"  # of the wording of errors; nobody may depend on it
    page: int = 100
    fork: bool = False
    head_repo: bool = True
    state: str = "open"
    locked: bool = False
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    author: dict[str, Any] = field(default_factory=lambda: {"login": "dev", "id": 2, "type": "User"})
    viewer: dict[str, Any] = field(
        default_factory=lambda: {"login": "github-actions[bot]", "id": 41898282, "type": "Bot"}
    )
    workflow_token: bool = True  # GITHUB_TOKEN, which has no user; else a person's
    may_open: bool = False  # whether the repository lets workflows open pull requests
    writers: set[str] = field(default_factory=lambda: {"maintainer"})
    permissions: dict[str, str] = field(
        default_factory=lambda: {"issues": "write", "pull_requests": "write", "contents": "read"}
    )
    comments: list[dict[str, Any]] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    threads: list[dict[str, Any]] = field(default_factory=list)
    reactions: list[tuple[int, str]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)  # pull requests that clients opened
    limits: Limits = field(default_factory=Limits)
    faults: list[Fault | None] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    contract: contract.Contract = field(default_factory=contract.Contract)
    rejects: Any = None  # a function of a review comment: GitHub finds fault with it for reasons of its own
    before: Callable[[], None] = lambda: None  # called with every request, before it is looked at
    max_patch: int = 400_000  # characters above which a file is listed without its patch
    now: Callable[[], float] = time.time
    next_id: int = 5_000_000_000  # beyond 32 bits, like real ids
    url: str = ""

    @property
    def problems(self) -> list[str]:
        """What GitHub's descriptions have against the exchanges so far."""
        return self.contract.problems

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def commits(self) -> set[str]:
        """Commits of the pull request."""
        return commits(self.repo, self.base, self.head)

    def files(self) -> list[Changed]:
        """What the pull request changes."""
        return changed(self.repo, self.base, self.head)

    def hunks(self, path: str, side: str = "RIGHT") -> list[tuple[int, int]] | None:
        """First and last line of each hunk on one side; None if the path is not in the diff."""
        file = next((item for item in self.files() if item.path == path), None)
        return None if file is None else file.hunks(side)

    def add_comment(self, body: str, *, mine: bool = False) -> dict[str, Any]:
        """A comment by the token's account or by someone else."""
        return github_talk.add_comment(self, body, mine=mine)

    def denied(self, *needs: str) -> Answer | None:
        """403 unless the token has one of `needs`, each such as `issues=write`."""
        for need in needs:
            scope, _, level = need.partition("=")
            if self.permissions.get(scope, "") in ("write", level):
                return None
        # Rows of alternatives are separated by semicolons (troubleshooting page of the REST documentation).
        headers = {"X-Accepted-GitHub-Permissions": "; ".join(needs)}
        return error(403, "Resource not accessible by integration", headers)

    # -- routes ----------------------------------------------------------------

    def handle(self, method: str, path: str, query: dict[str, str], body: Any, accept: str = "") -> Answer:
        if path == "/graphql":
            return github_language.answer(self, body)
        if path == "/user":
            if self.workflow_token:
                return error(403, "Resource not accessible by integration")
            return Answer(200, account(self.viewer, contract.example("GET", "/user")))
        # Links between pages name a repository by number.
        tail = re.sub(r"^/(repos/[^/]+/[^/]+|repositories/1)(/|$)", "", path)
        if not (path + "/").startswith((f"/repos/{REPO}/", "/repositories/1/")) or path.endswith("/"):
            return error(404, "Not Found")
        for pattern, verb, handler in ROUTES:
            found = re.fullmatch(pattern, tail)
            if found and verb == method:
                names = [unquote(part) for part in found.groups()]
                return handler(self, *names, query=query, body=body, accept=accept)
        return error(404, "Not Found")


Handler = Callable[..., Answer]


def get_pull(fake: Fake, number: str, *, accept: str, **_: Any) -> Answer:
    """The pull request, or its diff."""
    if (denied := fake.denied("pull_requests=read")) or int(number) != fake.pull:
        return denied or error(404, "Not Found")
    if accept.endswith((".diff", ".patch")):
        if len(fake.files()) > 300:
            detail = {"resource": "PullRequest", "field": "diff", "code": "too_large"}
            return error(406, "Sorry, the diff exceeded the maximum number of files (300).", errors=[detail])
        return Answer(200, "".join(file.text for file in fake.files()))
    document = contract.example("GET", "pulls/{pull_number}")
    name = "stranger/rows" if fake.fork else REPO
    label = document["labels"][0]
    document |= {
        "number": fake.pull, "state": fake.state, "locked": fake.locked, "draft": fake.draft, "requested_teams": [],
        "user": account(fake.author, document["user"]), "labels": [label | {"name": name} for name in fake.labels],
    }  # fmt: skip
    document["head"] |= {"sha": fake.head, "ref": "topic"}
    document["base"] |= {"sha": fake.base, "ref": "main"}
    document["head"]["repo"] = document["head"]["repo"] | {"full_name": name} if fake.head_repo else None
    document["base"]["repo"] |= {"full_name": REPO}
    return Answer(200, document)


def get_files(fake: Fake, number: str, *, query: dict[str, str], **_: Any) -> Answer:
    """The files of the pull request; those that are binary or too large come without their patch."""
    if denied := fake.denied("pull_requests=read"):
        return denied
    address = f"{fake.url}/repositories/1/pulls/{number}/files"
    pattern = contract.example("GET", "pulls/{pull_number}/files")[0]
    pattern.pop("patch")
    items = [
        pattern
        | {"filename": file.path, "status": file.status}
        | ({"previous_filename": file.previous} if file.previous else {})
        | ({"patch": file.patch} if file.patch is not None and len(file.patch) <= fake.max_patch else {})
        for file in fake.files()[:MAX_FILES]
    ]
    return paged(items, query, address, fake.page)


def get_commits(fake: Fake, number: str, *, query: dict[str, str], **_: Any) -> Answer:
    """The commits of the pull request, oldest first, and 250 at most."""
    if denied := fake.denied("pull_requests=read"):
        return denied
    pattern = contract.example("GET", "pulls/{pull_number}/commits")[0]
    parent = pattern["parents"][0]
    items = [
        pattern | {"sha": sha, "parents": [parent | {"sha": one} for one in parents]}
        for sha, *parents in history(fake.repo, fake.base, fake.head)[:250]
    ]
    return paged(items, query, f"{fake.url}/repositories/1/pulls/{number}/commits", fake.page)


def get_permission(fake: Fake, login: str, **_: Any) -> Answer:
    """What an account may do, as a map and as the older word, which knows fewer."""
    push = login in fake.writers
    document = contract.example("GET", "collaborators/{username}/permission")
    rights = {"pull": True, "triage": push, "push": push, "maintain": False, "admin": False}
    document |= {"permission": "write" if push else "read", "role_name": "write" if push else "read"}
    document["user"] |= {"login": login, "permissions": rights, "role_name": document["role_name"]}
    return Answer(200, document)


ROUTES: list[tuple[str, str, Handler]] = [
    (r"pulls/(\d+)", "GET", get_pull),
    (r"pulls/(\d+)/files", "GET", get_files),
    (r"pulls/(\d+)/commits", "GET", get_commits),
    (r"collaborators/([^/]+)/permission", "GET", get_permission),
    *github_talk.ROUTES,
    *github_checks.ROUTES,
    *github_data.ROUTES,
]


class Server:
    """Serves a `Fake` on a loopback port until it is closed."""

    def __init__(self, fake: Fake) -> None:
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with lock:
                    fake.before()
                    parts = urlsplit(self.path)
                    fake.log.append(f"{self.command} {parts.path}")
                    fault = fake.faults.pop(0) if fake.faults else None
                    answer = (
                        None if fault and not fault.after else self.exchange(parts.path, parts.query, raw)
                    )
                    if fault is not None:
                        if fault.status == 0:
                            self.close_connection = True
                            self.connection.close()
                            return
                        answer = Answer(fault.status, fault.body or {"message": "x"}, fault.headers)
                assert answer is not None
                self.send(answer)

            def exchange(self, path: str, names: str, raw: bytes) -> Answer:
                """One exchange: who asks, whether it is too much, what is answered, and whether GitHub's descriptions allow it."""
                if self.headers.get("Authorization") not in ("Bearer secret", "token secret"):
                    return error(401, "Bad credentials")
                query = {name: values[-1] for name, values in parse_qs(names, keep_blank_values=True).items()}
                try:
                    body = json.loads(raw) if raw else None
                except ValueError:
                    return error(400, "Problems parsing JSON")
                if body is None and self.command in ("POST", "PATCH", "PUT"):
                    return error(422, "Invalid request.\n\nFor 'links/0/schema', nil is not an object.")
                limited = fake.limits.exceeded(self.command, path, fake.now())
                answer = limited or fake.handle(
                    self.command, path, query, body, self.headers.get("Accept", "")
                )
                if isinstance(answer.body, str):  # a diff, which the contract does not describe
                    return answer
                named = re.sub(r"^/repositories/1/", f"/repos/{REPO}/", path)
                fake.contract.check(self.command, named, query, body, answer.status, answer.body)
                tag = f'"{hashlib.sha256(json.dumps(answer.body).encode()).hexdigest()}"'
                if self.command == "GET" and answer.status == 200:
                    answer.headers["ETag"] = tag
                    if self.headers.get("If-None-Match") == tag:
                        fake.limits.give_back()
                        answer = Answer(304, None, {"ETag": tag})
                answer.headers = fake.limits.headers(fake.now()) | answer.headers
                return answer

            def send(self, answer: Answer) -> None:
                """Put the answer on the wire."""
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                text = text.replace("https://api.github.com", fake.url)
                data = b"" if answer.status in (204, 304) else text.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status not in (204, 304):
                    self.send_header("Content-Type", "application/json; charset=utf-8")
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(fake.now() if timestamp is None else timestamp)

            def log_message(self, *_: object) -> None:
                return

            def finish(self) -> None:
                if not self.connection._closed:  # type: ignore[attr-defined]
                    super().finish()

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                fake.contract.problems += unexpected()

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


def unexpected() -> list[str]:
    """The error being handled, unless it is a client that went away."""
    import sys

    kind, problem, _ = sys.exc_info()
    return [] if kind is None or issubclass(kind, OSError | ValueError) else [f"the fake failed: {problem!r}"]
