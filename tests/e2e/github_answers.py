"""Answers in GitHub's form, and the rate limits that stand before all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

REPO = "acme/rows"


@dataclass
class Answer:
    """One answer; text is sent as it is, anything else as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    """GitHub's form of an error."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return Answer(status, body | more, dict(headers or {}))


def invalid(*errors: Any, message: str = "Validation Failed") -> Answer:
    """422 with its list of errors."""
    return error(422, message, errors=list(errors))


def account(who: dict[str, Any], pattern: Any) -> dict[str, Any]:
    """An account in the form of GitHub's example."""
    return {**pattern, **who}


def paged(items: list[Any], query: dict[str, str], address: str, most: int = 100) -> Answer:
    """One page of a list, 30 unless asked for more and never above `most`; the next one is named in `Link`."""
    size = min(int(query.get("per_page", "30")), most)
    number = int(query.get("page", "1"))
    headers = {}
    if number * size < len(items):
        headers["Link"] = f'<{address}?per_page={size}&page={number + 1}>; rel="next"'
    return Answer(200, items[(number - 1) * size : number * size], headers)


@dataclass
class Limits:
    """Requests an hour of GITHUB_TOKEN, and creations of content a minute and an hour.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    hourly: int = 1000
    created_a_minute: int = 80
    created_an_hour: int = 500
    # How the secondary limit is told: one of `answers`.
    told: str = "403 with Retry-After"
    used: int = 0
    ends: float = 0.0
    created: deque[float] = field(default_factory=deque)

    def exceeded(self, method: str, path: str, now: float) -> Answer | None:
        """The refusal of one request too many; counts the request."""
        if now >= self.ends or now < self.ends - 3600:
            self.used, self.ends = 0, now + 3600
        if self.used >= self.hourly:
            return error(403, "API rate limit exceeded for installation ID 1.")
        self.used += 1
        if method == "GET" or path == "/graphql":
            return None
        while self.created and not now - 3600 < self.created[0] <= now:
            self.created.popleft()
        last_minute = sum(moment > now - 60 for moment in self.created)
        if last_minute >= self.created_a_minute or len(self.created) >= self.created_an_hour:
            return self.secondary()
        self.created.append(now)
        return None

    def secondary(self) -> Answer:
        """You have exceeded a secondary rate limit, in the words of the day."""
        if self.told == "422 abuse":
            detail = {"resource": "IssueComment", "code": "abuse", "field": "base"}
            return invalid(detail)
        status, _, header = self.told.partition(" with ")
        headers = {"Retry-After": "60"} if header else {}
        return error(int(status), "You have exceeded a secondary rate limit.", headers)

    def give_back(self) -> None:
        """An answer of 304 is free of charge."""
        self.used -= 1

    def headers(self, now: float) -> dict[str, str]:
        """What stands on every answer."""
        return {
            "X-RateLimit-Limit": str(self.hourly),
            "X-RateLimit-Remaining": str(max(0, self.hourly - self.used)),
            "X-RateLimit-Used": str(self.used),
            "X-RateLimit-Reset": str(int(self.ends)),
            "X-RateLimit-Resource": "core",
        }
