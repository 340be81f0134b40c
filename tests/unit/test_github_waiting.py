from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.github.waiting import waiting_time

NOW = 1_000_000.0
USED_UP = {"x-ratelimit-remaining": "0"}


def wait(status: int, body: Any = None, attempt: int = 0, **headers: str) -> float | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    return waiting_time(httpx.Response(status, headers=named, **content), attempt, now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (200, {}, {}, 0), (201, {"data": None}, {}, 0), (204, b"", {}, 0), (200, b"<html>", {}, 1), (304, b"", {}, 1),
        (502, b"", {}, 1), (500, {"message": "x"}, {}, 1), (404, {}, {}, None), (401, {}, {}, None), (422, {"errors": []}, {}, None),
        (429, {}, {}, 60), (429, {}, {"retry_after": "7"}, 7), (429, {}, {"retry_after": "0"}, 1), (429, {}, {"retry_after": "soon"}, 60),
        (403, {}, {}, 60), (403, {}, {"x_accepted_github_permissions": "issues=write"}, None),
        (403, {}, {"x_accepted_github_permissions": "issues=write", "retry_after": "9"}, 9),
        (403, {"documentation_url": "https://x/rate-limits-for-the-rest-api#a"}, {"x_accepted_github_permissions": "issues=write"}, 60),
        (403, {}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1000030"}, 30),
        (403, {}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1000030", "date": "Mon, 12 Jan 1970 13:46:50 GMT"}, 20),
        (403, {}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1003500"}, 3500),
        (403, {}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "99999999999"}, 60),
        (403, {}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "5"}, 1),
        (422, {"code": "abuse"}, {}, 60), (422, {"errors": [{"code": "abuse"}]}, {}, 60), (422, {"errors": ["abuse"]}, {}, None),
        (200, {"errors": [{"type": "RATE_LIMITED"}]}, {}, 60), (200, {"data": None, "errors": [{"message": "x"}]}, {}, 1),
        (200, {"errors": [{"type": "FORBIDDEN"}]}, {}, None), (200, {"errors": [{"type": "NOT_FOUND"}, {}]}, {}, None), (200, {"errors": "x"}, {}, 0),
    ],
)  # fmt: skip
def test_by_status_header_and_shape(
    status: int, body: Any, headers: dict[str, str], seconds: float | None
) -> None:
    assert wait(status, body, **headers) == seconds


def test_guesses_grow_and_are_bounded() -> None:
    assert [wait(502, {}, attempt) for attempt in range(4)] == [1, 2, 4, 8]
    assert [wait(429, {}, attempt) for attempt in range(5)] == [60, 120, 240, 300, 300]


@given(
    st.sampled_from([200, 201, 301, 304, 400, 403, 404, 422, 429, 500, 502, 599]), st.binary(max_size=30) | st.just(b'{"errors": [1]}'),
    st.dictionaries(
        st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "x-accepted-github-permissions"]),
        st.text(alphabet="0123456789-.einfa,: GMTJ", max_size=12),
    ),
    st.integers(0, 5),
)  # fmt: skip
def test_no_answer_breaks_it(status: int, body: bytes, headers: dict[str, str], attempt: int) -> None:
    found = waiting_time(httpx.Response(status, headers=headers, content=body), attempt, now=NOW)
    assert found is None or 0 <= found <= 3700
