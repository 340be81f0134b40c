"""GitHub's REST and GraphQL APIs, with the retries that are safe and no others.

A read is simply repeated. A write may have taken effect although the answer was an error (a 502 on POST that
created its comment), so before it is repeated the caller's `find` looks for what it would have created.
Decisions rest on status codes, headers and shapes, never on GitHub's wording.

Rate limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from perforch.errors import GitHubError
from perforch.github.waiting import graphql_errors, waiting_time

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    import httpx

Json = dict[str, Any]

_NOT_MODIFIED = 304
_REDIRECTS = frozenset({301, 302, 307, 308})
_ATTEMPTS = 6
_LONGEST_WAIT = 900.0  # the job that waits has 20 minutes
_PAGES = 60  # of 100: more than GitHub lists of anything that is asked for here


class PermissionDenied(GitHubError):
    """The token lacks a right; reading may still work."""


class Missing(GitHubError):
    """404: it does not exist, or the token may not know that it does."""


class Unprocessable(GitHubError):
    """422: the request was understood and refused; repeating it is pointless."""


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer that can be used: its document, and the headers around it."""

    document: Any
    response: httpx.Response


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, so that tests need none of it."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Client:
    """One repository, one token.

    Attributes:
        token: sent to the host of `api_url` and to no other.
        repository: `owner/name`.
        api_url, graphql_url: as in GITHUB_API_URL and GITHUB_GRAPHQL_URL.
        pause: seconds between writes, which GitHub asks for.
    """

    token: str = field(repr=False)
    repository: str
    api_url: str = "https://api.github.com"
    graphql_url: str = "https://api.github.com/graphql"
    clock: Clock = field(default_factory=Clock)
    pause: float = 1.0
    _http: httpx.Client | None = field(default=None, repr=False)
    _known: dict[str, tuple[str, Any]] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def path(self, tail: str) -> str:
        """`/repos/owner/name/<tail>`."""
        return f"{self.api_url.rstrip('/')}/repos/{self.repository}/{tail}"

    def get(self, tail: str, **query: str | int) -> Json:
        """One JSON object under the repository; asked for again it is free of charge while it has not changed.

        Raises:
            Missing, PermissionDenied, GitHubError
        """
        url = self.path(tail)
        key = f"{url}?{sorted(query.items())}"
        tag, known = self._known.get(key, ("", None))
        headers = {"If-None-Match": tag} if tag else {}
        reply = self._read("GET", url, params=query or None, headers=headers)
        document = known if reply.response.status_code == _NOT_MODIFIED else reply.document
        if not isinstance(document, dict):
            raise _unreadable(url)
        tag = reply.response.headers.get("etag", "")
        if tag:
            self._known[key] = (tag, document)
        return document

    def pages(self, tail: str, **query: str | int) -> Iterator[Json]:
        """All items of a list, following `Link: rel=next` and never building a page address."""
        url = self.path(tail)
        reply = self._read("GET", url, params={"per_page": 100, **query})
        for _ in range(_PAGES):
            if not isinstance(reply.document, list):
                raise _unreadable(url)
            yield from (item for item in reply.document if isinstance(item, dict))
            following = reply.response.links.get("next", {}).get("url")
            if not following:
                return
            reply = self._read("GET", following)

    def graphql(self, query: str, **variables: object) -> Json:
        """A GraphQL query (not a mutation): a POST that reads, so it is repeated like a read.

        Raises:
            PermissionDenied, Missing, GitHubError
        """
        document = self._read(
            "POST", self.graphql_url, json={"query": query, "variables": variables}
        ).document
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            raise _unreadable(self.graphql_url)
        return data

    def mutate(self, query: str, **variables: object) -> None:
        """A GraphQL mutation that is safe to repeat, such as minimising a comment."""
        self.graphql(query, **variables)
        self.clock.sleep(self.pause)

    def write(
        self, method: str, tail: str, body: Json | None, *, find: Callable[[], Json | None] | None = None
    ) -> Json:
        """A write, repeated after a passing failure only if `find` does not see its effect.

        Args:
            method: POST, PATCH, PUT or DELETE.
            tail: below the repository.
            body: JSON to send.
            find: what the write would have created, or None; without it the write must be safe to repeat.

        Raises:
            Unprocessable, PermissionDenied, Missing, GitHubError
        """
        for attempt in range(_ATTEMPTS):
            if attempt and find is not None:
                existing = find()
                if existing is not None:
                    return existing
            try:
                reply = self._once(method, self.path(tail), attempt, json=body)
            finally:
                self.clock.sleep(self.pause)  # a refused write counts as one
            if reply is not None:
                return reply.document if isinstance(reply.document, dict) else {}
        raise self._gave_up(method, tail)

    def _read(self, method: str, url: str, **options: Any) -> _Reply:
        for attempt in range(_ATTEMPTS):
            reply = self._once(method, url, attempt, **options)
            if reply is not None:
                return reply
        raise self._gave_up(method, url)

    def _gave_up(self, method: str, what: str) -> GitHubError:
        message = f"GitHub did not answer {method} {urlsplit(what).path} after {_ATTEMPTS} attempts"
        return GitHubError(message, hint="Run the job again; nothing is posted twice.")

    def _once(self, method: str, url: str, attempt: int, **options: Any) -> _Reply | None:
        """The answer, or None after having waited for a passing failure to pass."""
        import httpx

        url = self._same_host(url)
        options["headers"] = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **options.get("headers", {}),
        }
        if self._http is None:
            self._http = httpx.Client(
                timeout=30, trust_env=False, verify=_trusted(), headers={"User-Agent": "perforch"}
            )
        try:
            response = self._http.request(method, url, **options)
            if response.status_code in _REDIRECTS and "location" in response.headers:
                # A renamed repository. 301 keeps the method here: GitHub means 308 (REST best practices).
                target = self._same_host(urljoin(url, response.headers["location"]))
                response = self._http.request(method, target, **options)
        except httpx.TransportError:
            self.clock.sleep(2.0**attempt)
            return None
        if response.status_code == _NOT_MODIFIED and "If-None-Match" in options["headers"]:
            return _Reply(None, response)
        wait = waiting_time(response, attempt, now=self.clock.now())
        if wait == 0:
            return _Reply(response.json() if response.content else None, response)
        if wait is None:
            raise _refusal(response, method, urlsplit(url).path)
        if wait > _LONGEST_WAIT:
            message = f"GitHub's rate limit for this token is used up for another {wait / 60:.0f} minutes"
            raise GitHubError(message, hint="Run the job again after that; nothing is posted twice.")
        if attempt < _ATTEMPTS - 1:
            self.clock.sleep(wait)
        return None

    def _same_host(self, url: str) -> str:
        ours = {urlsplit(self.api_url)[:2], urlsplit(self.graphql_url)[:2]}
        if urlsplit(url)[:2] not in ours:
            message = (
                f"GitHub pointed to another host, {urlsplit(url).hostname}; the token was not sent there"
            )
            raise GitHubError(message)
        return url


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes longer than a request."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _unreadable(url: str) -> GitHubError:
    message = f"GitHub's answer at {urlsplit(url).path} cannot be read"
    return GitHubError(message, hint="Run the job again; nothing is posted twice.")


def _refusal(response: httpx.Response, method: str, path: str) -> GitHubError:
    status = response.status_code
    message = f"GitHub answered {status} to {method} {path}"
    if kinds := graphql_errors(response):
        if "NOT_FOUND" in kinds:
            return Missing(f"GitHub knows nothing of what was asked for at {path}")
        message = f"GitHub refused a query at {path}"
        return PermissionDenied(message, hint="Give the job `permissions: {pull-requests: write}`.")
    if status == 401:
        return GitHubError(message, hint="The token is not valid; pass github.token or a token of your own.")
    if status == 403:
        rights = response.headers.get("x-accepted-github-permissions", "")
        needed = rights.replace("=", ": ").replace("_", "-")
        return PermissionDenied(message, hint=f"Give the job `permissions: {{{needed}}}`." if needed else "")
    if status == 404:
        return Missing(message)
    if status == 422:
        return Unprocessable(message)
    return GitHubError(message)
