"""GitHub's REST and GraphQL APIs, with the retries that are safe and no others.

A read is simply repeated. A write may have taken effect although the answer was an error (a 502 on POST that
created its comment), so before it is repeated the caller's `find` looks for what it would have created.
Decisions rest on status codes, headers and shapes, never on GitHub's wording.

Rate limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from perforch.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

Json = dict[str, Any]

_TRANSIENT = frozenset({500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 307, 308})
_ATTEMPTS = 6
_SECONDARY_WAIT = 60.0  # "wait at least one minute", where no header says how long
_LONGEST_WAIT = 300.0
_PAGES = 60  # of 100: more than GitHub lists of anything that is asked for here


class PermissionDenied(GitHubError):
    """The token lacks a right; reading may still work."""


class Missing(GitHubError):
    """404: it does not exist, or the token may not know that it does."""


class Unprocessable(GitHubError):
    """422: the request was understood and refused; repeating it is pointless."""


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

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def path(self, tail: str) -> str:
        """`/repos/owner/name/<tail>`."""
        return f"{self.api_url.rstrip('/')}/repos/{self.repository}/{tail}"

    def get(self, tail: str, **query: str | int) -> Any:
        """One JSON document under the repository.

        Raises:
            Missing, PermissionDenied, GitHubError
        """
        return self._read("GET", self.path(tail), params=query or None).json()

    def pages(self, tail: str, **query: str | int) -> Iterator[Json]:
        """All items of a list, following `Link: rel=next` and never building a page address."""
        response = self._read("GET", self.path(tail), params={"per_page": 100, **query})
        for _ in range(_PAGES):
            yield from response.json()
            following = response.links.get("next", {}).get("url")
            if not following:
                return
            response = self._read("GET", following)

    def graphql(self, query: str, **variables: object) -> Json:
        """A GraphQL query (not a mutation): a POST that reads, so it is repeated like a read.

        Raises:
            PermissionDenied: the answer holds errors and no data.
        """
        body = {"query": query, "variables": variables}
        document = self._read("POST", self.graphql_url, json=body).json()
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict) or document.get("errors"):
            message = "GitHub's GraphQL API refused a query"
            raise PermissionDenied(message, hint="The token needs `pull-requests: read`.")
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
            response = self._once(method, self.path(tail), attempt, json=body)
            if response is not None:
                self.clock.sleep(self.pause)
                return response.json() if response.content else {}
        raise self._gave_up(method, tail)

    def _read(self, method: str, url: str, **options: Any) -> httpx.Response:
        for attempt in range(_ATTEMPTS):
            response = self._once(method, url, attempt, **options)
            if response is not None:
                return response
        raise self._gave_up(method, url)

    def _gave_up(self, method: str, what: str) -> GitHubError:
        message = f"GitHub did not answer {method} {urlsplit(what).path} after {_ATTEMPTS} attempts"
        return GitHubError(message, hint="Run the job again; nothing is posted twice.")

    def _once(self, method: str, url: str, attempt: int, **options: Any) -> httpx.Response | None:
        """The answer, or None after having waited for a passing failure to pass."""
        import httpx

        url = self._same_host(url)
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        if self._http is None:
            self._http = httpx.Client(timeout=30, trust_env=False, headers={"User-Agent": "perforch"})
        try:
            response = self._http.request(method, url, headers=headers, **options)
            if response.status_code in _REDIRECTS and "location" in response.headers:
                # A renamed repository. 301 keeps the method here: GitHub means 308 (REST best practices).
                target = self._same_host(urljoin(url, response.headers["location"]))
                response = self._http.request(method, target, headers=headers, **options)
        except httpx.TransportError:
            self.clock.sleep(2.0**attempt)
            return None
        if response.is_success:
            return response
        wait = waiting_time(response, attempt, now=self.clock.now())
        if wait is None:
            raise _refusal(response, method, urlsplit(url).path)
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


def waiting_time(response: httpx.Response, attempt: int, *, now: float) -> float | None:
    """Seconds to wait before repeating the request; None if repeating it would not help."""
    status, headers = response.status_code, response.headers
    if status in _TRANSIENT:
        return 2.0**attempt
    limited = status == 429 or (status == 422 and _is_abuse(response))
    if status == 403:
        exhausted = headers.get("x-ratelimit-remaining") == "0"
        # A missing right names the rights that would do; a secondary limit need not name anything.
        limited = exhausted or "retry-after" in headers or "x-accepted-github-permissions" not in headers
    if not limited:
        return None
    after = _number(headers.get("retry-after"))
    if after is None and headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset"))
        after = None if reset is None else reset - now
    if after is None:
        after = _SECONDARY_WAIT * 2**attempt
    # A clock that jumped makes the difference meaningless; the bounds keep it harmless.
    return min(max(after, 1.0), _LONGEST_WAIT)


def _is_abuse(response: httpx.Response) -> bool:
    document = _document(response)
    errors = document.get("errors")
    codes = (
        [item.get("code") for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    )
    return "abuse" in [document.get("code"), *codes]


def _document(response: httpx.Response) -> Json:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _refusal(response: httpx.Response, method: str, path: str) -> GitHubError:
    status = response.status_code
    message = f"GitHub answered {status} to {method} {path}"
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
