"""The official SDKs and our client read the same answers from the replay server, and our requests are what the SDKs document."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import SecretStr, TypeAdapter

from perforch.llm import providers
from perforch.llm.client import Client
from perforch.llm.model import Prompt
from perforch.llm.replay import DECLINED, ReplayServer
from perforch.settings import Budget, ModelSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from google import genai
    from google.genai import types as gemini

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT = Prompt("be brief", "Stage: refine\nFunction: src/a.py::f\n\nplease, ünder 10 lines")
TEXT = "Sorted once.\n\n````python\ndef f(): ...  # ```\n````\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReplayServer]:
    folder = tmp_path / "replies" / "m-1" / "refine"
    folder.mkdir(parents=True)
    (folder / "src_a.py__f.md").write_text(TEXT)
    (folder / "src_a.py__f.2.md").write_text("second")
    with ReplayServer(tmp_path / "replies") as server:
        yield server


def model(server: ReplayServer, provider: Any) -> ModelSettings:
    base = server.url + ("/v1" if provider.startswith("openai") else "")
    return ModelSettings(name="m-1", provider=provider, base_url=base, api_key_env="KEY", timeout_seconds=20)


def ours(tmp_path: Path, server: ReplayServer, provider: str) -> tuple[str, int, int]:
    with Client(tmp_path / "r.sqlite", Budget(usd=100), run="r", environment={"KEY": "k"}) as client:
        reply = asyncio.run(client.complete(model(server, provider), PROMPT))
    return reply.text, reply.tokens_in, reply.tokens_out


def test_openai(tmp_path: Path, server: ReplayServer) -> None:
    with openai.OpenAI(api_key="k", base_url=server.url + "/v1", max_retries=0) as sdk:
        got = sdk.chat.completions.create(
            model="m-1",
            messages=[{"role": "system", "content": PROMPT.system}, {"role": "user", "content": PROMPT.user}],
            max_completion_tokens=100,
        )
    assert got.usage is not None
    theirs = (got.choices[0].message.content, got.usage.prompt_tokens, got.usage.completion_tokens)
    assert ours(tmp_path, server, "openai") == theirs
    assert theirs[0] == TEXT


def test_anthropic(tmp_path: Path, server: ReplayServer) -> None:
    with anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0) as sdk:
        got = sdk.messages.create(
            model="m-1",
            system=PROMPT.system,
            messages=[{"role": "user", "content": PROMPT.user}],
            max_tokens=100,
        )
    block = got.content[0]
    assert block.type == "text"
    assert ours(tmp_path, server, "anthropic") == (
        block.text,
        got.usage.input_tokens,
        got.usage.output_tokens,
    )
    assert block.text == TEXT


def test_gemini(tmp_path: Path, server: ReplayServer) -> None:
    sdk = genai.Client(api_key="k", http_options=gemini.HttpOptions(base_url=server.url))
    with sdk:
        got = sdk.models.generate_content(
            model="m-1",
            contents=PROMPT.user,
            config=gemini.GenerateContentConfig(system_instruction=PROMPT.system, max_output_tokens=100),
        )
    assert got.usage_metadata is not None
    usage = (got.usage_metadata.prompt_token_count, got.usage_metadata.candidates_token_count)
    assert ours(tmp_path, server, "gemini") == (got.text, *usage)
    assert got.text == TEXT


def test_answers_are_whole_for_the_sdk_models(server: ReplayServer) -> None:
    def answer(provider: str) -> Any:
        request = providers.request(model(server, provider), PROMPT, SecretStr("k"))
        return httpx.post(request.url, content=request.body, headers=dict(request.headers)).json()

    ChatCompletion.model_validate(answer("openai"), strict=True)
    Message.model_validate(answer("anthropic"), strict=True)
    gemini.GenerateContentResponse.model_validate(answer("gemini"))


def test_request_bodies_are_what_the_sdks_document(server: ReplayServer) -> None:
    def body(provider: str) -> Any:
        return json.loads(providers.request(model(server, provider), PROMPT, SecretStr("k")).body)

    chat = TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(body("openai"))
    assert set(chat) == set(body("openai")) == {"model", "messages", "max_completion_tokens"}
    message = TypeAdapter(MessageCreateParamsNonStreaming).validate_python(body("anthropic"))
    assert set(message) == set(body("anthropic")) == {"model", "messages", "max_tokens", "system"}
    content = body("gemini")
    gemini.GenerationConfig.model_validate(content["generationConfig"])
    gemini.Content.model_validate(content["systemInstruction"])
    for part in content["contents"]:
        gemini.Content.model_validate(part)
    assert set(body("bedrock")) == {"messages", "system", "inferenceConfig"}
    assert "temperature" not in json.dumps([body(name) for name in providers.PROVIDERS])


def test_a_second_prompt_gets_the_second_reply_and_an_unknown_one_a_polite_no(server: ReplayServer) -> None:
    def text(user: str) -> str:
        request = providers.request(model(server, "openai"), Prompt("", user), None)
        document = httpx.post(request.url, content=request.body, headers=dict(request.headers)).json()
        content = document["choices"][0]["message"]["content"]
        assert isinstance(content, str)
        return content

    head = "Stage: refine\nFunction: src/a.py::f\n"
    assert [text(head + "1"), text(head + "2"), text(head + "1"), text(head + "3")] == [
        TEXT,
        "second",
        TEXT,
        "second",
    ]
    assert text("Stage: fix\nFunction: src/a.py::f\n") == DECLINED
    assert text("Stage: refine\nFunction: ../../src/a.py::f\n") == DECLINED
    assert text("hello") == DECLINED
