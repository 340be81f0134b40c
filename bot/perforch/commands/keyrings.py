"""The API keys of a run, taken over from the environment before anything untrusted starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perforch.settings import Settings


def of(settings: Settings) -> Mapping[str, str]:
    """The keys of the configured models, by variable.

    Raises:
        ConfigError: a key comes in a way that others can read.
        SandboxUnavailableError: a key would meet code that runs without isolation.
    """
    from perforch.errors import SandboxUnavailableError
    from perforch.llm import keys
    from perforch.sandbox import isolation

    keyring = isolation.keyring(keys.names(settings.models))
    held = [name for name in keys.names(settings.models) if keys.is_secret(keyring.get(name, ""))]
    if settings.sandbox == "none" and held:
        message = f"sandbox: none is set, and {held[0]} holds an API key that unisolated code could take"
        raise SandboxUnavailableError(
            message, hint="Set sandbox: required, or run without keys: baselines are measured all the same."
        )
    return keyring
