"""Names of today's models find their families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.errors import UsageError
from perforch.rankings import catalogue
from perforch.rankings.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = catalogue.shipped()


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("claude-opus-5-5", "claude"),
        ("anthropic/claude-sonnet-5-5", "claude"),
        ("us.anthropic.claude-haiku-5-5-v1:0", "claude"),
        ("gpt-5.6", "gpt"),
        ("openai/gpt-5.4-nano", "gpt"),
        ("o3", "gpt"),
        ("o4-mini", "gpt"),
        ("gemini-3.8-flash", "gemini"),
        ("gemma3:27b", "gemma"),
        ("grok-4.20", "grok"),
        ("qwen3-coder", "qwen"),
        ("Qwen/Qwen3-Coder-480B", "qwen"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama"),
        ("codestral-2508", "mistral"),
        ("mistral-large", "mistral"),
        ("deepseek-v4-flash", "deepseek"),
        ("phi4", "phi"),
        ("glm-5", "codegeex"),
        ("GPT 4o", "gpt"),
        ("Claude 3.7 Sonnet", "claude"),
        ("opus", "claude"),
    ],
)
def test_families(name: str, family: str) -> None:
    found = SHIPPED.family(name)
    assert found is not None
    assert found.name == family


@pytest.mark.parametrize("name", ["somebodys-model", "olmo-3", "x", ""])
def test_strangers_have_no_family(name: str) -> None:
    assert SHIPPED.family(name) is None
    assert SHIPPED.known(name) is None


def test_the_provider_id_counts_too() -> None:
    known = SHIPPED.known("my nickname", "claude-3-7-sonnet-20250219")
    assert known is not None
    assert known.name == "Claude 3.7 Sonnet"


def test_a_declared_family_goes_first() -> None:
    found = SHIPPED.family("my-model", declared="Claude")
    assert found is not None
    assert found.evidence == ("Claude 3.7 Sonnet",)
    other = SHIPPED.family("claude-1", declared="own")
    assert other is not None
    assert other.evidence == ()


def test_every_listed_model_has_evidence_and_a_listed_family() -> None:
    models = set(Memory.load().models)
    families = {family.name: family for family in SHIPPED.families}
    for entry in SHIPPED.models:
        assert entry.name in models
        assert SHIPPED.known(*entry.ids[:1]) == entry or "*" in entry.ids[0]
        family = SHIPPED.family(entry.name)
        assert family is not None
        assert family.name == entry.family
        assert entry.family not in families or set(families[entry.family].evidence) <= models


def test_prices_and_capabilities() -> None:
    assert SHIPPED.price("claude-opus-5-5") == 0.036
    assert SHIPPED.price("claude-sonnet-5-5") == 0.018
    assert SHIPPED.price("nobody") is None
    capability = SHIPPED.capability("claude-opus-4-8")
    assert capability is not None
    assert not capability.temperature


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "models.yml"
    path.write_text("schema: 2\nmodels: []\nfamilies: []\n")
    with pytest.raises(UsageError, match=r"models.yml: schema"):
        catalogue.read(path)
    path.write_text("a: [")
    with pytest.raises(UsageError, match="not valid YAML"):
        catalogue.read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        catalogue.read(tmp_path / "nowhere")
