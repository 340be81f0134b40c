"""Requests: address, authorisation and body for every provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from perforch.errors import ConfigError
from perforch.llm import keys, providers
from perforch.llm.model import Prompt
from perforch.settings import ModelSettings

PROMPT = Prompt("s", "u")


@pytest.mark.parametrize(
    ("provider", "more", "url", "header"),
    [
        ("openai", {}, "https://api.openai.com/v1/chat/completions", ("authorization", "Bearer sk-1")),
        (
            "openai-compatible",
            {"base_url": "http://127.0.0.1:1/v1/"},
            "http://127.0.0.1:1/v1/chat/completions",
            ("authorization", "Bearer sk-1"),
        ),
        ("anthropic", {}, "https://api.anthropic.com/v1/messages", ("x-api-key", "sk-1")),
        (
            "anthropic",
            {"base_url": "https://a.example/v1"},
            "https://a.example/v1/messages",
            ("x-api-key", "sk-1"),
        ),
        (
            "gemini",
            {"model": "models/g-1"},
            "https://generativelanguage.googleapis.com/v1beta/models/g-1:generateContent",
            ("x-goog-api-key", "sk-1"),
        ),
        (
            "gemini",
            {"base_url": "http://localhost:1/v1beta"},
            "http://localhost:1/v1beta/models/m:generateContent",
            ("x-goog-api-key", "sk-1"),
        ),
        (
            "bedrock",
            {"region": "eu-west-1", "model": "a.claude-v1:0"},
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/a.claude-v1%3A0/converse",
            ("authorization", "Bearer sk-1"),
        ),
        (
            "bedrock",
            {},
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse",
            ("authorization", "Bearer sk-1"),
        ),
    ],
)
def test_address_and_key(provider: Any, more: dict[str, Any], url: str, header: tuple[str, str]) -> None:
    request = providers.request(ModelSettings(name="m", provider=provider, **more), PROMPT, SecretStr("sk-1"))
    assert request.url == url
    assert request.headers[header[0]] == header[1]
    assert "sk-123456" not in repr(request) + request.body + request.url


@pytest.mark.parametrize(
    ("provider", "place"),
    [
        ("openai", ("max_completion_tokens",)),
        ("openai-compatible", ("max_tokens",)),
        ("anthropic", ("max_tokens",)),
        ("gemini", ("generationConfig", "maxOutputTokens")),
        ("bedrock", ("inferenceConfig", "maxTokens")),
    ],
)
def test_the_cap_has_the_providers_name_and_nothing_else_is_asked_for(
    provider: Any, place: tuple[str, ...]
) -> None:
    settings = ModelSettings(name="m", provider=provider, base_url="https://x.example", max_output_tokens=777)
    value = json.loads(providers.request(settings, PROMPT, None).body)
    for part in place:
        value = value[part]
    assert value == 777
    assert "temperature" not in providers.request(settings, PROMPT, None).body


def test_a_lone_surrogate_travels() -> None:
    settings = ModelSettings(name="m", provider="openai")
    body = providers.request(settings, Prompt("", "x\ud800"), None).body
    assert json.loads(body.encode("ascii"))["messages"] == [{"role": "user", "content": "x\ud800"}]


def test_keys_are_found_by_name_and_never_shown() -> None:
    openai = ModelSettings(name="m", provider="openai")
    key = keys.read(openai, {"OPENAI_API_KEY": " sk-123456\n"})
    assert key is not None
    assert key.get_secret_value() == "sk-123456"
    assert "sk-123456" not in repr(key)
    assert keys.redact("wrong key sk-123456", key) == "wrong key ***"
    local = ModelSettings(name="m", provider="openai-compatible", base_url="http://127.0.0.1:1")
    assert keys.read(local, {}) is None
    for value in (
        {},
        {"OPENAI_API_KEY": ""},
        {"OPENAI_API_KEY": "sk secret"},
        {"OPENAI_API_KEY": "sk-sécret"},
    ):
        with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
            keys.read(openai, value)
        assert "cret" not in str(caught.value)
