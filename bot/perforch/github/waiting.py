"""Whether a request that GitHub did not serve is worth repeating, and when. Pure; by status, header and shape alone.

Rate limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

_TRANSIENT = frozenset({304, 500, 502, 503, 504})  # 304 only reaches here where nobody asked for it
_FINAL = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND"})
_SECONDARY_WAIT = 60.0  # "wait at least one minute", where no header says how long
_LONGEST_GUESS = 300.0
_WINDOW = 3700.0  # limits are counted by the hour, so nothing true lies further ahead


def waiting_time(response: httpx.Response, attempt: int, *, now: float) -> float | None:
    """Seconds to wait before repeating the request; 0 if it succeeded, None if repeating would not help."""
    status, headers = response.status_code, response.headers
    kinds = graphql_errors(response)
    exhausted = headers.get("x-ratelimit-remaining") == "0"
    if response.is_success and not kinds:
        return 0 if not response.content or _is_json(response) else 2.0**attempt
    limited = status == 429 or "RATE_LIMITED" in kinds or (status == 422 and _is_abuse(response))
    if status == 403:
        # A missing right names the rights that would do; a secondary limit need not name anything but its page.
        named = "x-accepted-github-permissions" in headers
        page = str(_document(response).get("documentation_url", ""))
        limited = exhausted or "retry-after" in headers or not named or "rate-limit" in page
    if limited:
        return _limited(headers, attempt, exhausted=exhausted, now=now)
    # GraphQL reports its own failures without a type.
    passing = status in _TRANSIENT or (kinds and kinds.isdisjoint(_FINAL))
    return 2.0**attempt if passing else None


def _limited(headers: httpx.Headers, attempt: int, *, exhausted: bool, now: float) -> float:
    after = _number(headers.get("retry-after"))
    reset = _number(headers.get("x-ratelimit-reset"))
    if after is None and exhausted and reset is not None:
        # The server's clock where it tells it: ours may have jumped.
        after = reset - _date(headers.get("date"), now)
    if after is None or not after <= _WINDOW:
        after = min(_SECONDARY_WAIT * 2**attempt, _LONGEST_GUESS)
    return max(after, 1.0)


def graphql_errors(response: httpx.Response) -> frozenset[str]:
    """Types of the errors that a GraphQL answer of status 200 holds; "" for one without a type."""
    errors = _document(response).get("errors") if response.status_code == 200 else None
    if not isinstance(errors, list):
        return frozenset()
    return frozenset(str(item.get("type", "")) if isinstance(item, dict) else "" for item in errors)


def _is_json(response: httpx.Response) -> bool:
    try:
        response.json()
    except (ValueError, RecursionError):
        return False
    return True


def _date(text: str | None, otherwise: float) -> float:
    try:
        return parsedate_to_datetime(text).timestamp() if text else otherwise
    except ValueError:
        return otherwise


def _is_abuse(response: httpx.Response) -> bool:
    document = _document(response)
    errors = document.get("errors")
    codes = (
        [item.get("code") for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    )
    return "abuse" in [document.get("code"), *codes]


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
