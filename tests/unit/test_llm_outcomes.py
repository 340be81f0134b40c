"""Reading exchanges: answers of every provider, errors, waits, names of models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.llm.model import ReplyKind
from perforch.llm.outcomes import read, same_model
from perforch.settings import ModelSettings

JSON = {"content-type": "application/json"}
PROVIDERS = ("openai", "anthropic", "gemini", "bedrock")


def model(provider: Any = "openai") -> ModelSettings:
    return ModelSettings(name="m", provider=provider)


def outcome(document: Any, provider: Any = "openai", status: int = 200, **headers: str) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    fields = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return read(
        model(provider),
        status=status,
        headers=fields,
        body=body,
        failure="",
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )


def chat(content: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


def gemini(reason: str, *parts: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}]}


def anthropic(stop: str, *parts: Any) -> dict[str, Any]:
    return {"model": "m", "content": list(parts), "stop_reason": stop}


def converse(stop: str, *parts: Any) -> dict[str, Any]:
    return {"output": {"message": {"content": list(parts)}}, "stopReason": stop}


@pytest.mark.parametrize(
    ("provider", "document", "kind", "text"),
    [
        ("openai", chat("hi"), ReplyKind.TEXT, "hi"),
        (
            "openai",
            chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
            ReplyKind.TEXT,
            "ab",
        ),
        ("openai", chat("h", "length"), ReplyKind.TRUNCATED, "h"),
        ("openai", chat(None), ReplyKind.EMPTY, ""),
        ("openai", chat(" \n"), ReplyKind.EMPTY, ""),
        ("openai", chat(None, refusal="no"), ReplyKind.REFUSED, "no"),
        ("openai", chat("", "content_filter"), ReplyKind.REFUSED, ""),
        ("openai", chat("\ud800x"), ReplyKind.TEXT, "?x"),
        (
            "anthropic",
            anthropic("end_turn", {"type": "thinking", "thinking": "t"}, {"type": "text", "text": "hi"}),
            ReplyKind.TEXT,
            "hi",
        ),
        ("anthropic", anthropic("max_tokens", {"type": "text", "text": "h"}), ReplyKind.TRUNCATED, "h"),
        ("anthropic", anthropic("refusal"), ReplyKind.REFUSED, ""),
        ("anthropic", anthropic("end_turn"), ReplyKind.EMPTY, ""),
        ("gemini", gemini("STOP", {"text": "t", "thought": True}, {"text": "hi"}), ReplyKind.TEXT, "hi"),
        ("gemini", gemini("MAX_TOKENS"), ReplyKind.TRUNCATED, ""),
        ("gemini", gemini("SAFETY"), ReplyKind.REFUSED, ""),
        ("gemini", {"promptFeedback": {"blockReason": "OTHER"}}, ReplyKind.REFUSED, ""),
        ("bedrock", converse("end_turn", {"reasoningContent": {}}, {"text": "hi"}), ReplyKind.TEXT, "hi"),
        ("bedrock", converse("max_tokens", {"text": "h"}), ReplyKind.TRUNCATED, "h"),
        ("bedrock", converse("guardrail_intervened", {"text": "no"}), ReplyKind.REFUSED, "no"),
    ],
)
def test_answers(provider: str, document: Any, kind: ReplyKind, text: str) -> None:
    got = outcome(document, provider)
    assert (got.kind, got.answer.text, got.billed, got.retry) == (kind, text, "yes", False)


def test_usage_counts_what_is_billed() -> None:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 30}
    answer = outcome({**gemini("STOP", {"text": "x"}), "usageMetadata": usage}, "gemini").answer
    assert (answer.tokens_in, answer.tokens_out) == (5, 32)
    usage = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3}
    answer = outcome(
        {**anthropic("end_turn", {"type": "text", "text": "x"}), "usage": usage}, "anthropic"
    ).answer
    assert (answer.tokens_in, answer.tokens_out) == (12, 3)
    answer = outcome({**chat("x"), "usage": {"prompt_tokens": -4, "completion_tokens": True}}).answer
    assert (answer.tokens_in, answer.tokens_out) == (0, None)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_passing_errors_are_tried_again(status: int) -> None:
    assert outcome({"error": {"message": "later"}}, status=status).retry
    assert not outcome({"error": {"message": "later"}}, status=status, x_should_retry="false").retry


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 413, 422])
def test_lasting_errors_are_not(status: int) -> None:
    got = outcome({"error": {"message": "no"}}, status=status)
    assert not got.retry
    assert got.hopeless == (status in {401, 402, 403, 404})
    assert outcome({"error": {"message": "no"}}, status=status, x_should_retry="true").retry


@pytest.mark.parametrize(
    ("provider", "status", "document"),
    [
        (
            "openai",
            429,
            {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "m"}},
        ),
        (
            "anthropic",
            400,
            {"type": "error", "error": {"type": "x", "message": "Your credit balance is too low"}},
        ),
        (
            "gemini",
            429,
            [
                {
                    "error": {
                        "code": 429,
                        "status": "RESOURCE_EXHAUSTED",
                        "message": "m",
                        "details": [{"violations": [{"quotaId": "RequestsPerDayPerModel"}]}],
                    }
                }
            ],
        ),
    ],
)
def test_a_used_up_quota_is_no_rate_limit(provider: str, status: int, document: Any) -> None:
    got = outcome(document, provider, status)
    assert got.hopeless
    assert not got.retry


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "7.5", "retry_after_ms": "250"}, 0.25),
        ({"retry_after": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60.0),
        ({"retry_after": "Thu, 01 Jan 2015 00:01:00 GMT"}, 0.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "1e999"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert outcome({"error": {}}, status=429, **headers).retry_after == seconds


def test_gemini_says_in_the_body_when_to_come_back() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}]
    got = outcome([{"error": {"code": 429, "message": "m", "details": details}}], "gemini", 429)
    assert (got.retry, got.retry_after) == (True, 37.0)
    assert "m" in got.detail


def test_foreign_words_are_one_printable_line() -> None:
    got = outcome({"error": {"message": "a\x1b[31m\n::stop-commands::x" + "y" * 5000}}, status=500)
    assert got.detail.isprintable()
    assert len(got.detail) <= 500


def test_an_error_inside_a_success() -> None:
    got = outcome({"error": {"code": 502, "message": "upstream"}})
    assert (got.kind, got.retry) == (ReplyKind.ERROR, True)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "error",
                        "choices",
                        "message",
                        "content",
                        "candidates",
                        "output",
                        "parts",
                        "text",
                        "usage",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda document: json.dumps(document).encode()),
    st.sampled_from([200, 204, 400, 429, 500]),
)
def test_nothing_raises(provider: str, body: bytes, status: int) -> None:
    got = outcome(body, provider, status)
    assert got.kind in ReplyKind
    assert got.kind is ReplyKind.TEXT or got.detail


def test_deep_and_broken_documents() -> None:
    for body in (b"[" * 100_000, b'{"choices": [{"message"', b"\xff\xfe", b"9" * 10_000, b"", b"null"):
        assert outcome(body).kind is ReplyKind.ERROR


@pytest.mark.parametrize(
    ("asked", "returned", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-11-20", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", False),
        ("models/gemini-2.0-flash", "gemini-2.0-flash-001", True),
        ("gemini-2.5-pro-preview", "models/gemini-2.5-pro-preview-05-06", True),
        ("claude-sonnet-4", "claude-sonnet-4-20250514", True),
        ("claude-sonnet-4", "claude-sonnet-4-5", False),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219", True),
        ("openai/gpt-4o", "gpt-4o", True),
        ("qwen3-coder", "qwen3-coder:latest", True),
        ("qwen3", "/srv/models/Qwen3.gguf", True),
        ("qwen3", "llama-4", False),
    ],
)
def test_same_model(asked: str, returned: str, same: bool) -> None:
    assert same_model(asked, returned) is same
