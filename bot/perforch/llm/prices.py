"""What a call costs, in US dollars: the offline data of `genai-prices`, and prices named in the settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perforch.llm.providers import base_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perforch.llm.model import Prompt
    from perforch.settings import ModelSettings

_GENAI_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "bedrock": "aws"}
_MILLION = 1_000_000


def cost(model: ModelSettings, tokens_in: int, tokens_out: int) -> float | None:
    """Price a call in dollars.

    A price in the settings goes before the published one; a model on this machine costs nothing. None when no
    price is known.
    """
    price_in, price_out = model.price_input_per_million, model.price_output_per_million
    published = (
        (None, None)
        if price_in is not None and price_out is not None
        else _published(model, tokens_in, tokens_out)
    )
    part_in = published[0] if price_in is None else price_in * tokens_in / _MILLION
    part_out = published[1] if price_out is None else price_out * tokens_out / _MILLION
    if part_in is None and part_out is None:
        return None
    return (part_in or 0.0) + (part_out or 0.0)


def worst_case(model: ModelSettings, prompt: Prompt) -> float:
    """The most that asking `prompt` can cost: every token of the reply used; 0 when no price is known."""
    return cost(model, most_tokens(prompt), model.max_output_tokens) or 0.0


def most_tokens(prompt: Prompt) -> int:
    """An upper bound of the prompt's tokens: two bytes of ASCII, or one byte of other text, are one token."""
    text = prompt.system + prompt.user
    ascii_characters = sum(1 for character in text if character.isascii())
    other_bytes = len(text.encode("utf-8", "replace")) - ascii_characters
    return math.ceil(ascii_characters / 2) + other_bytes + 64


def notes(models: Iterable[ModelSettings]) -> tuple[str, ...]:
    """One line for every model whose cost cannot be counted, to be shown to people."""
    return tuple(
        f"{model.name}: no price is known, so its calls count as 0 dollars and only the limits on calls and "
        "minutes hold; set price_input_per_million and price_output_per_million to count them."
        for model in models
        if cost(model, 1000, 1000) is None
    )


def _is_local(model: ModelSettings) -> bool:
    return model.provider == "openai-compatible" and urlsplit(base_url(model)).scheme == "http"


def _published(model: ModelSettings, tokens_in: int, tokens_out: int) -> tuple[float | None, float | None]:
    """Prices of the input and of the output part; None where they are not published."""
    if _is_local(model):  # the settings allow http on loopback addresses only
        return 0.0, 0.0
    from genai_prices import Usage, calc_price  # half a second to import, so only when a price is needed

    provider = _GENAI_PROVIDERS.get(model.provider)
    usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out)
    name = model.provider_model.removeprefix("models/")
    try:
        if provider:  # noqa: SIM108 (two overloads)
            price = calc_price(usage, name, provider_id=provider)
        else:  # the address tells whose price list counts
            price = calc_price(usage, name, provider_api_url=base_url(model))
    except LookupError:
        return None, None
    return float(price.input_price), float(price.output_price)
