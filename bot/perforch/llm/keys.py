"""API keys: read from the environment once, never printed, never part of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from perforch.errors import ConfigError
from perforch.llm.providers import key_env

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perforch.settings import ModelSettings


MASK = "***"
SHORTEST = 8  # what is shorter, such as the "none" that a local server wants, is no secret and occurs in ordinary text


def read(model: ModelSettings, environment: Mapping[str, str]) -> SecretStr | None:
    """Find the key of a model; None when it needs none.

    Raises:
        ConfigError: the variable is not set, or holds what cannot be a key. The message names the variable,
            never its value.
    """
    name = key_env(model)
    if not name:
        return None
    value = environment.get(name, "").strip()
    if not value:
        message = f"the environment variable {name}, the API key of {model.name}, is not set"
        raise ConfigError(message, hint=f"Set {name}, or name another variable with api_key_env.")
    if not value.isascii() or not value.isprintable() or " " in value:
        message = f"the environment variable {name} holds characters that no API key has"
        raise ConfigError(message, hint="Was it pasted with quotes, a line break or a comment?")
    return SecretStr(value)


def names(models: Iterable[ModelSettings]) -> tuple[str, ...]:
    """The environment variables that hold the keys of these models, each once."""
    return tuple(dict.fromkeys(name for model in models if (name := key_env(model))))


def redact(text: str, key: SecretStr | None) -> str:
    """Take the key out of foreign text; providers quote parts of it in their errors, and some servers echo headers."""
    value = masked(key)
    return text.replace(value, MASK) if value else text


def is_secret(value: str) -> bool:
    """Is it long enough to be a key, rather than the "none" that a local server wants?"""
    return len(value) >= SHORTEST


def masked(key: SecretStr | None) -> str:
    """What must be masked wherever it turns up; "" when nothing must."""
    value = key.get_secret_value() if key else ""
    return value if is_secret(value) else ""
