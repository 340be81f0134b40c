"""The five wire formats: a prompt becomes a request, a response becomes an answer. Pure; nothing here does
I/O.

Sources: OpenAI `POST /chat/completions` (platform.openai.com/docs/api-reference/chat), Anthropic `POST
    /v1/messages`
(docs.anthropic.com/en/api/messages), Gemini `models.generateContent` (ai.google.dev/api/generate-content),
Amazon Bedrock
`Converse` (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html).

`temperature` is never sent: current models refuse it, and variety comes from asking other models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from perforch.llm import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from perforch.llm.model import Prompt
    from perforch.settings import ModelSettings

ANTHROPIC_VERSION = "2023-06-01"
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider can do and how it is addressed.

    Attributes:
        base_url: default; `{region}` is filled in. "" where the settings must name one.
        key_env: environment variable with the key when the settings name none; "" where no key is needed.
        token_limit: name of the field that caps the reply's tokens.
        body: (prompt, model, cap, name of the cap's field) -> JSON body.
        path: model -> path below the base URL.
        prefix: first part of `path` that a base URL may already end with.
        read: JSON document of a successful response -> Answer.
    """

    base_url: str
    key_env: str
    token_limit: str
    body: Callable[[Prompt, str, int, str], dict[str, Any]]
    path: Callable[[str], str]
    read: Callable[[Mapping[str, Any]], answers.Answer]
    authorise: Callable[[str], dict[str, str]]
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `headers` holds the key, so it is never printed."""

    url: str
    body: str
    headers: Mapping[str, str] = field(repr=False)
    method: str = "POST"


def _chat(prompt: Prompt, model: str, cap: int, cap_field: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt.user}]
    if prompt.system:
        messages.insert(0, {"role": "system", "content": prompt.system})
    return {"model": model, "messages": messages, cap_field: cap}


def _messages(prompt: Prompt, model: str, cap: int, cap_field: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        cap_field: cap,
        "messages": [{"role": "user", "content": prompt.user}],
    }
    if prompt.system:
        body["system"] = prompt.system
    return body


def _generate_content(prompt: Prompt, model: str, cap: int, cap_field: str) -> dict[str, Any]:
    del model  # it is in the path
    body: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": prompt.user}]}],
        "generationConfig": {cap_field: cap},
    }
    if prompt.system:
        body["systemInstruction"] = {"parts": [{"text": prompt.system}]}
    return body


def _converse(prompt: Prompt, model: str, cap: int, cap_field: str) -> dict[str, Any]:
    del model  # it is in the path
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"text": prompt.user}]}],
        "inferenceConfig": {cap_field: cap},
    }
    if prompt.system:
        body["system"] = [{"text": prompt.system}]
    return body


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        token_limit="max_completion_tokens",
        body=_chat,
        path=lambda model: "/chat/completions",
        read=answers.chat,
        authorise=_bearer,
    ),
    "openai-compatible": Provider(
        base_url="",
        key_env="",
        token_limit="max_tokens",
        body=_chat,
        path=lambda model: "/chat/completions",
        read=answers.chat,
        authorise=_bearer,
    ),
    "anthropic": Provider(
        base_url="https://api.anthropic.com",
        key_env="ANTHROPIC_API_KEY",
        token_limit="max_tokens",
        body=_messages,
        path=lambda model: "/v1/messages",
        prefix="/v1",
        read=answers.messages,
        authorise=lambda key: {"x-api-key": key} if key else {},
        headers={"anthropic-version": ANTHROPIC_VERSION},
    ),
    "gemini": Provider(
        base_url="https://generativelanguage.googleapis.com",
        key_env="GEMINI_API_KEY",
        token_limit="maxOutputTokens",
        body=_generate_content,
        path=lambda model: f"/v1beta/models/{quote(model.removeprefix('models/'), safe='')}:generateContent",
        prefix="/v1beta",
        read=answers.generate_content,
        authorise=lambda key: {"x-goog-api-key": key} if key else {},
    ),
    "bedrock": Provider(
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        key_env="AWS_BEARER_TOKEN_BEDROCK",
        token_limit="maxTokens",
        body=_converse,
        path=lambda model: f"/model/{quote(model, safe='')}/converse",
        read=answers.converse,
        authorise=_bearer,
    ),
}


def base_url(model: ModelSettings, *, region: str = "") -> str:
    """Where a model is reached; `region` is used where the settings name none (Bedrock)."""
    default = PROVIDERS[model.provider].base_url.format(region=model.region or region or DEFAULT_REGION)
    return model.base_url or default


def key_env(model: ModelSettings) -> str:
    """Name of the environment variable that holds the key; "" when the model needs none."""
    return model.api_key_env or PROVIDERS[model.provider].key_env


def request(model: ModelSettings, prompt: Prompt, key: SecretStr | None, *, region: str = "") -> Request:
    """Make the HTTP request that puts `prompt` to `model`."""
    provider = PROVIDERS[model.provider]
    base = base_url(model, region=region).rstrip("/")
    path = provider.path(model.provider_model)
    if provider.prefix and base.endswith(provider.prefix):
        path = path.removeprefix(provider.prefix)
    body = provider.body(prompt, model.provider_model, model.max_output_tokens, provider.token_limit)
    return Request(
        url=base + path,
        # Escaped to ASCII, so that even a lone surrogate in somebody's source travels.
        body=json.dumps(body, ensure_ascii=True),
        headers={
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "perforch",
            **provider.headers,
            **provider.authorise(key.get_secret_value() if key else ""),
        },
    )
