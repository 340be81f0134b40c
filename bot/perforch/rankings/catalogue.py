"""`rankings/models.yml`: which name belongs to which model and family, and what differs between models."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perforch import assets
from perforch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Price = Annotated[float, Field(ge=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Known(_Entry):
    """A model with evidence of its own in the shipped Memory."""

    name: str
    family: str
    ids: tuple[str, ...]


class Family(_Entry):
    """Models that share a line of descent; successors inherit from `evidence`."""

    name: str
    match: tuple[str, ...]
    evidence: tuple[str, ...]
    usd_per_call: Price | None = None


class PriceHint(_Entry):
    """A list price for models that fit a pattern."""

    match: tuple[str, ...]
    usd_per_call: Price


class Capabilities(_Entry):
    """What a request to a model may hold."""

    match: tuple[str, ...]
    token_limit_field: str
    temperature: bool
    thinking: str | None = None


class Catalogue(_Entry):
    """The whole file."""

    schema_: Literal[1] = Field(alias="schema")
    models: tuple[Known, ...]
    families: tuple[Family, ...]
    prices: tuple[PriceHint, ...] = ()
    capabilities: tuple[Capabilities, ...] = ()
    agents: tuple[str, ...] = ()

    def known(self, *names: str) -> Known | None:
        """The listed model that one of these names (name in the settings, provider id) means."""
        spellings = _spellings(names)
        for entry in self.models:
            if _fits(spellings, (entry.name, *entry.ids)):
                return entry
        return None

    def family(self, *names: str, declared: str | None = None) -> Family | None:
        """The family of a model: as declared in the settings, else the first whose pattern fits."""
        if declared is not None:
            for entry in self.families:
                if entry.name == declared.lower():
                    return entry
            return Family(name=declared.lower(), match=(), evidence=())
        listed = self.known(*names)
        spellings = _spellings(names)
        for entry in self.families:
            if (listed is not None and entry.name == listed.family) or (
                listed is None and _fits(spellings, entry.match)
            ):
                return entry
        return Family(name=listed.family, match=(), evidence=(listed.name,)) if listed else None

    def price(self, *names: str) -> float | None:
        """USD of one call of 1500 tokens in and 1500 out, or None where nothing is known."""
        spellings = _spellings(names)
        for hint in self.prices:
            if _fits(spellings, hint.match):
                return hint.usd_per_call
        family = self.family(*names)
        return family.usd_per_call if family else None

    def capability(self, *names: str) -> Capabilities | None:
        """The first entry that fits."""
        spellings = _spellings(names)
        return next((entry for entry in self.capabilities if _fits(spellings, entry.match)), None)


@functools.lru_cache(maxsize=4096)
def _spellings(names: tuple[str, ...]) -> frozenset[str]:
    lowered = {name.lower().strip() for name in names if name}
    return frozenset(lowered | {name.rsplit("/", 1)[-1] for name in lowered})


@functools.lru_cache(maxsize=65536)
def _fits(spellings: frozenset[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(spelling, pattern.lower()) for pattern in patterns for spelling in spellings)


@functools.cache
def shipped() -> Catalogue:
    """The file that comes with perforch."""
    return read(assets.directory("rankings") / "models.yml")


def read(path: Path) -> Catalogue:
    """Parse a catalogue.

    Raises:
        UsageError: unreadable, not YAML, or not of this schema.
    """
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UsageError(message) from error
    except yaml.YAMLError as error:
        message = f"{path} is not valid YAML: {' '.join(str(error).split())[:300]}"
        raise UsageError(message) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise UsageError(message) from error
