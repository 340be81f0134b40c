"""Settings: `.github/perforch.yml` as it stands on the **base** branch.

The file is untrusted input like any other: size-capped, safe-loaded, no aliases, no duplicate keys, unknown keys are errors
that name the key and the nearest known one.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from perforch.errors import ConfigError
from perforch.result import Language, Metric

PATH = ".github/perforch.yml"
MAX_BYTES = 256 * 1024


def _percent(value: object) -> object:
    if isinstance(value, str):
        text = value.strip()
        if text.endswith("%"):
            try:
                return float(text[:-1]) / 100
            except ValueError:
                return value
    return value


Fraction = Annotated[float, BeforeValidator(_percent)]
Argv = Annotated[tuple[Annotated[str, Field(max_length=4096)], ...], Field(min_length=1, max_length=200)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSettings(_Section):
    """One model the bot may ask.

    `name` identifies it in the Memory; `model` is what the provider calls it (defaults to `name`).
    """

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.:/@ +-]+$")]
    provider: Literal["openai", "anthropic", "gemini", "bedrock", "openai-compatible"]
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    base_url: Annotated[str, Field(max_length=500)] | None = None
    api_key_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")] | None = None
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] | None = None
    family: Annotated[str, Field(max_length=100)] | None = None
    max_output_tokens: Annotated[int, Field(ge=64, le=200_000)] = 8192
    timeout_seconds: Annotated[float, Field(gt=0, le=1800)] = 300.0
    price_input_per_million: Annotated[float, Field(ge=0, le=10_000)] | None = None
    price_output_per_million: Annotated[float, Field(ge=0, le=10_000)] | None = None

    @property
    def provider_model(self) -> str:
        """The name that goes on the wire."""
        return self.model or self.name

    @field_validator("base_url")
    @classmethod
    def _https_or_loopback(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            "${" in value
            or parts.username is not None
            or parts.password is not None
            or parts.query
            or parts.fragment
        ):
            message = "base_url must be a plain URL without credentials, variables, query or fragment"
            raise ValueError(message)
        host = parts.hostname or ""
        if parts.scheme == "https" and host:
            return value.rstrip("/")
        if parts.scheme == "http" and (host == "localhost" or _is_loopback(host)):
            return value.rstrip("/")
        message = "base_url must be https, or http on a loopback address"
        raise ValueError(message)

    @model_validator(mode="after")
    def _needs(self) -> ModelSettings:
        if self.provider == "openai-compatible" and self.base_url is None:
            message = "provider openai-compatible needs base_url"
            raise ValueError(message)
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Budget(_Section):
    """Hard caps for one run."""

    usd: Annotated[float, Field(ge=0, le=10_000)] = 2.0
    calls: Annotated[int, Field(ge=0, le=10_000)] = 40
    minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 30.0


class Acceptance(_Section):
    """When a measured gain is believed."""

    min_effect: Annotated[Fraction, Field(ge=0, le=10)] = 0.05
    max_false_positive: Annotated[Fraction, Field(gt=0, le=0.1)] = 0.01
    max_pairs: Annotated[int, Field(ge=8, le=1000)] = 60
    max_seconds: Annotated[float, Field(gt=0, le=7200)] = 120.0


class LanguageSettings(_Section):
    """How one language's tests are run, when what is found by itself is not right."""

    test: Argv | None = None
    build: Argv | None = None
    enabled: bool = True


class WorkloadSettings(_Section):
    """The command that exercises a function at scale; run from the repository root inside the sandbox."""

    function: Annotated[str, Field(min_length=1, max_length=2000)]
    command: Argv
    build: Argv | None = None

    @field_validator("function")
    @classmethod
    def _path_and_name(cls, value: str) -> str:
        path, separator, name = value.partition("::")
        if not separator or not path or not name:
            message = "function must be PATH::NAME, such as src/a.py::parse"
            raise ValueError(message)
        return value


class Settings(_Section):
    """The whole file; every field has a default, so an empty file is a valid one."""

    version: Literal[1] = 1
    metric: Metric = Metric.TIME
    models: tuple[ModelSettings, ...] = ()
    strategy: Literal["paper", "cost", "best-of-n"] = "cost"
    budget: Budget = Budget()
    acceptance: Acceptance = Acceptance()
    sandbox: Literal["required", "weak-ok", "none"] = "required"
    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()
    languages: dict[Language, LanguageSettings] = Field(default_factory=dict)
    workloads: tuple[WorkloadSettings, ...] = ()
    max_functions: Annotated[int, Field(ge=1, le=500)] = 20
    max_suggestions: Annotated[int, Field(ge=0, le=10)] = 3
    categories: Literal["auto", "local"] = "auto"

    @model_validator(mode="after")
    def _unique_models(self) -> Settings:
        names = [model.name for model in self.models]
        for name in names:
            if names.count(name) > 1:
                message = f"models: the name {name!r} appears twice"
                raise ValueError(message)
        return self


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without aliases (no alias bombs) and without duplicate keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            message = "aliases are not allowed"
            raise yaml.composer.ComposerError(None, None, message, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys: set[str] = set()
        for key_node, _ in node.value:
            key = str(getattr(key_node, "value", key_node))
            if key in keys:
                message = f"the key {key!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
            keys.add(key)
        return super().construct_mapping(node, deep)


def parse(data: bytes, *, source: str = PATH) -> Settings:
    """Read settings from untrusted YAML.

    Raises:
        ConfigError: not YAML, too large, an unknown key, a value out of range. The message names the key.
    """
    if len(data) > MAX_BYTES:
        message = f"{source} has {len(data)} bytes; the limit is {MAX_BYTES}"
        raise ConfigError(message)
    try:
        document = yaml.load(data.decode("utf-8"), Loader=_StrictLoader)  # noqa: S506: a SafeLoader made stricter
    except UnicodeDecodeError as error:
        message = f"{source} is not UTF-8"
        raise ConfigError(message) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        text = re.sub(r"\s+", " ", str(error)).strip()
        message = f"{source} is not valid YAML: {text[:300]}"
        raise ConfigError(message) from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        message = f"{source} must be a mapping of keys to values"
        raise ConfigError(message)
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise _explain(error, source) from error


def _explain(error: ValidationError, source: str) -> ConfigError:
    problems = error.errors(include_url=False, include_context=False)
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    problem = (unknown or problems)[0]
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        near = difflib.get_close_matches(key, _known_keys(problem["loc"][:-1]), n=1, cutoff=0.5)
        hint = (
            f"Did you mean {near[0]!r}?"
            if near
            else "Known keys: " + ", ".join(_known_keys(problem["loc"][:-1]))
        )
        message = f"{source}: unknown key {place!r}"
        return ConfigError(message, hint=hint)
    text = problem["msg"].removeprefix("Value error, ")
    message = f"{source}: {place}: {text}" if place else f"{source}: {text}"
    return ConfigError(message)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Settings
    nested: dict[str, type[BaseModel]] = {
        "models": ModelSettings,
        "budget": Budget,
        "acceptance": Acceptance,
        "languages": LanguageSettings,
        "workloads": WorkloadSettings,
    }
    for part in location:
        if isinstance(part, str) and part in nested:
            section = nested[part]
    return sorted(section.model_fields)
