"""The server's side of the four wire formats: requests are read, answers are written as the providers write them.

For the replay server; `providers` and `answers` are the client's side.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Odd = Literal["no_choices", "null", "refusal", "tool", "cut_short"]
Format = Literal["chat", "messages", "generate_content", "converse"]
_EPOCH = 1_750_000_000  # replayed answers carry a fixed date, so that they are the same every time


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, whatever its format."""

    format: Format
    model: str
    system: str
    user: str


class WireError(ValueError):
    """The request is not one that a provider would accept."""


def read(path: str, body: bytes) -> Asked:
    """Read a request.

    Raises:
        WireError: no provider has such a path, or would refuse the body.
    """
    path = path.partition("?")[0]
    try:
        document = json.loads(body)
    except ValueError as error:
        message = "the body is not JSON"
        raise WireError(message) from error
    try:
        if path.endswith("/chat/completions"):
            return _read_chat(document)
        if path.endswith("/messages"):
            int(document["max_tokens"])
            system = _text(document.get("system", ""))
            return Asked("messages", document["model"], system, _text(document["messages"][-1]["content"]))
        if found := re.search(r"/models/([^/]+):generateContent$", path):
            system = _parts(document.get("systemInstruction"))
            return Asked("generate_content", unquote(found[1]), system, _parts(document["contents"][-1]))
        if found := re.search(r"/model/([^/]+)/converse$", path):
            system = _text(document.get("system", []))
            return Asked("converse", unquote(found[1]), system, _text(document["messages"][-1]["content"]))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        message = f"the body lacks {error}"
        raise WireError(message) from error
    message = "no such path"
    raise WireError(message)


def _read_chat(document: Mapping[str, Any]) -> Asked:
    systems = [
        _text(item["content"]) for item in document["messages"] if item["role"] in {"system", "developer"}
    ]
    users = [_text(item["content"]) for item in document["messages"] if item["role"] == "user"]
    return Asked("chat", document["model"], "\n".join(systems), users[-1])


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _parts(content: Any) -> str:
    if not content:
        return ""
    return content if isinstance(content, str) else _text(content["parts"])


def tokens(text: str) -> int:
    """Tokens that a replayed answer reports for a text: one for four bytes, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def _chat(asked: Asked, text: str, number: str, usage: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": _EPOCH,
        "model": asked.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_replay",
    }


def _messages(asked: Asked, text: str, number: str, usage: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [{"type": "text", "text": text, "citations": None}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage[0],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": usage[1],
            "service_tier": "standard",
        },
    }


def _generate_content(asked: Asked, text: str, number: str, usage: tuple[int, int]) -> dict[str, Any]:
    return {
        "candidates": [
            {"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": usage[0],
            "candidatesTokenCount": usage[1],
            "totalTokenCount": sum(usage),
        },
        "modelVersion": asked.model,
        "responseId": number,
    }


def _converse(asked: Asked, text: str, number: str, usage: tuple[int, int]) -> dict[str, Any]:
    del asked, number  # a Converse response names neither the model nor itself
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": usage[0], "outputTokens": usage[1], "totalTokens": sum(usage)},
        "metrics": {"latencyMs": 1},
    }


_WRITERS: Mapping[Format, Callable[[Asked, str, str, tuple[int, int]], dict[str, Any]]] = {
    "chat": _chat,
    "messages": _messages,
    "generate_content": _generate_content,
    "converse": _converse,
}


def write(asked: Asked, text: str, number: str) -> bytes:
    """Write a complete successful response; `number` makes its identifier."""
    usage = (tokens(asked.system) + tokens(asked.user), tokens(text))
    return json.dumps(_WRITERS[asked.format](asked, text, number, usage)).encode()


def write_odd(asked: Asked, kind: Odd, text: str, number: str) -> bytes:
    """Write a response that is well-formed, and of no use.

    Args:
        kind: no_choices: nothing where the answer should be; null: an answer without content; refusal: the provider's
            own way to decline; tool: a call of a tool instead of text; cut_short: half the text, stopped by the limit.
    """
    document = json.loads(write(asked, text[: len(text) // 2] if kind == "cut_short" else "", number))
    _ODD[asked.format](document, kind)
    return json.dumps(document).encode()


def _odd_chat(document: dict[str, Any], kind: Odd) -> None:
    choice = document["choices"][0]
    call = {"id": "c", "type": "function", "function": {"name": "run", "arguments": "{}"}}
    if kind == "no_choices":
        document["choices"] = []
    elif kind == "cut_short":
        choice["finish_reason"] = "length"
    else:
        choice["message"]["content"] = None
    if kind == "refusal":
        choice["message"]["refusal"] = "I cannot help with that."
    elif kind == "tool":
        choice["finish_reason"] = "tool_calls"
        choice["message"]["tool_calls"] = [call]


def _odd_messages(document: dict[str, Any], kind: Odd) -> None:
    stops = {"refusal": "refusal", "tool": "tool_use", "cut_short": "max_tokens"}
    document["stop_reason"] = stops.get(kind, "end_turn")
    if kind == "tool":
        document["content"] = [{"type": "tool_use", "id": "t", "name": "run", "input": {}}]
    elif kind != "cut_short":
        document["content"] = None if kind == "null" else []


def _odd_generate_content(document: dict[str, Any], kind: Odd) -> None:
    candidate = document["candidates"][0]
    stops = {"refusal": "SAFETY", "cut_short": "MAX_TOKENS"}
    candidate["finishReason"] = stops.get(kind, "STOP")
    if kind == "no_choices":
        del document["candidates"]
    elif kind == "tool":
        candidate["content"]["parts"] = [{"functionCall": {"name": "run", "args": {}}}]
    elif kind != "cut_short":
        candidate["content"] = None if kind == "null" else {}


def _odd_converse(document: dict[str, Any], kind: Odd) -> None:
    stops = {"refusal": "guardrail_intervened", "tool": "tool_use", "cut_short": "max_tokens"}
    document["stopReason"] = stops.get(kind, "end_turn")
    message = document["output"]["message"]
    if kind == "no_choices":
        document["output"] = None
    elif kind == "tool":
        message["content"] = [{"toolUse": {"toolUseId": "t", "name": "run", "input": {}}}]
    elif kind != "cut_short":
        message["content"] = None if kind == "null" else []


_ODD: Mapping[Format, Callable[[dict[str, Any], Odd], None]] = {
    "chat": _odd_chat,
    "messages": _odd_messages,
    "generate_content": _odd_generate_content,
    "converse": _odd_converse,
}


def write_error(format_: Format | None, status: int, message: str) -> bytes:
    """Write an error as the provider of that format does."""
    if format_ == "messages":
        kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
        document: Any = {
            "type": "error",
            "error": {"type": kind, "message": message},
            "request_id": "req_replay",
        }
    elif format_ == "generate_content":
        kind = {429: "RESOURCE_EXHAUSTED", 400: "INVALID_ARGUMENT"}.get(status, "INTERNAL")
        document = [{"error": {"code": status, "message": message, "status": kind}}]
    elif format_ == "converse":
        document = {"message": message}
    else:
        kind = {429: "rate_limit_exceeded", 400: "invalid_request_error"}.get(status, "server_error")
        document = {"error": {"message": message, "type": kind, "param": None, "code": kind}}
    return json.dumps(document).encode()
