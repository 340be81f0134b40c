"""What the providers' JSON says: text, stop reason, tokens.

Pure; a document of the wrong shape raises AnswerError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perforch.llm.model import ReplyKind

_MAX_TOKENS = 10**9


class AnswerError(ValueError):
    """The document is not an answer of this provider; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One successful response.

    Attributes:
        model: what the provider says it ran; "" when it does not say.
        tokens_in, tokens_out: as billed, hidden reasoning included; None when the provider does not say.
    """

    kind: ReplyKind
    text: str
    model: str
    tokens_in: int | None
    tokens_out: int | None
    detail: str = ""


# Stop reasons, lower case. What is in neither set counts as a normal end.
_TRUNCATED = {"length", "max_tokens", "model_context_window_exceeded", "incomplete"}
_REFUSED = {
    "content_filter",
    "refusal",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "language",
    "guardrail_intervened",
    "content_filtered",
}


def _answer(text: str, stop: object, model: object, tokens_in: int | None, tokens_out: int | None) -> Answer:
    reason = stop.lower() if isinstance(stop, str) else ""
    name = model if isinstance(model, str) else ""
    # A lone surrogate is legal in JSON and in nothing that comes after it.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if reason in _REFUSED:
        return Answer(ReplyKind.REFUSED, text, name, tokens_in, tokens_out, f"stop reason {reason}")
    if reason in _TRUNCATED:
        return Answer(ReplyKind.TRUNCATED, text, name, tokens_in, tokens_out, f"stop reason {reason}")
    if not text.strip():
        return Answer(
            ReplyKind.EMPTY, "", name, tokens_in, tokens_out, f"no text (stop reason {reason or 'none'})"
        )
    return Answer(ReplyKind.TEXT, text, name, tokens_in, tokens_out)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()


def _count(*values: object) -> int | None:
    """Add token counts up; None when there is none."""
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    return min(sum(max(number, 0) for number in numbers), _MAX_TOKENS) if numbers else None


def _join(parts: Sequence[Any], *, skip: str = "") -> str:
    texts = []
    for part in parts:
        text = _mapping(part).get("text")
        if isinstance(text, str) and not (skip and _mapping(part).get(skip)):
            texts.append(text)
    return "".join(texts)


def chat(document: Mapping[str, Any]) -> Answer:
    """Read an OpenAI chat completion.

    Raises:
        AnswerError: there is no message in it.
    """
    usage = _mapping(document.get("usage"))
    tokens = (_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
    choices = _items(document.get("choices"))
    if not choices or not isinstance(_mapping(choices[0]).get("message"), Mapping):
        message = "there is no choices[0].message"
        raise AnswerError(message)
    choice = _mapping(choices[0])
    said = _mapping(choice["message"])
    content = said.get("content")
    text = content if isinstance(content, str) else _join(_items(content))
    refusal = said.get("refusal")
    if isinstance(refusal, str) and refusal and not text:
        return _answer(refusal, "refusal", document.get("model"), *tokens)
    return _answer(text, choice.get("finish_reason"), document.get("model"), *tokens)


def messages(document: Mapping[str, Any]) -> Answer:
    """Read an Anthropic message.

    Raises:
        AnswerError: there is no content in it.
    """
    if not isinstance(document.get("content"), list):
        message = "there is no content list"
        raise AnswerError(message)
    usage = _mapping(document.get("usage"))
    tokens_in = _count(
        usage.get("input_tokens"),
        usage.get("cache_creation_input_tokens"),
        usage.get("cache_read_input_tokens"),
    )
    text = _join([part for part in _items(document["content"]) if _mapping(part).get("type") == "text"])
    return _answer(
        text,
        document.get("stop_reason"),
        document.get("model"),
        tokens_in,
        _count(usage.get("output_tokens")),
    )


def generate_content(document: Mapping[str, Any]) -> Answer:
    """Read a Gemini GenerateContentResponse.

    Raises:
        AnswerError: there is neither a candidate nor a reason why there is none.
    """
    usage = _mapping(document.get("usageMetadata"))
    tokens = (
        _count(usage.get("promptTokenCount")),
        _count(usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount")),
    )
    model = document.get("modelVersion")
    candidates = _items(document.get("candidates"))
    if not candidates:
        blocked = _mapping(document.get("promptFeedback")).get("blockReason")
        if isinstance(blocked, str):
            return _answer("", "refusal", model, *tokens)
        message = "there are no candidates"
        raise AnswerError(message)
    candidate = _mapping(candidates[0])
    parts = _items(_mapping(candidate.get("content")).get("parts"))
    if not parts and "finishReason" not in candidate:
        message = "the first candidate has no content"
        raise AnswerError(message)
    return _answer(_join(parts, skip="thought"), candidate.get("finishReason"), model, *tokens)


def converse(document: Mapping[str, Any]) -> Answer:
    """Read a Bedrock ConverseResponse, which does not name the model.

    Raises:
        AnswerError: there is no message in it.
    """
    message = _mapping(_mapping(document.get("output")).get("message"))
    if not isinstance(message.get("content"), list):
        problem = "there is no output.message.content list"
        raise AnswerError(problem)
    usage = _mapping(document.get("usage"))
    tokens_in = _count(
        usage.get("inputTokens"), usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
    )
    return _answer(
        _join(_items(message["content"])),
        document.get("stopReason"),
        "",
        tokens_in,
        _count(usage.get("outputTokens")),
    )
