"""Model servers at their worst: each costs attempts, never the run, in every wire format."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from optimize_world import RIGHT, Done, optimize, pairs, write_replies

from perforch.llm.replay import Fault, ReplayServer
from perforch.result import Outcome

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = ("openai", "anthropic", "gemini", "bedrock")
GOOD = "good"  # answers over openai-compatible, which is the fifth format; dearest, so asked last
KEY = "sk-hostile-0123456789abcdef"


def model(name: str, provider: str, url: str, **more: Any) -> dict[str, Any]:
    base = url + ("/v1" if provider.startswith("openai") else "")
    found = {
        "name": name,
        "provider": provider,
        "base_url": base,
        "api_key_env": "HOSTILE_KEY",
        "timeout_seconds": 20,
    }
    return {**found, "price_input_per_million": 0.1, "price_output_per_million": 0.1, **more}


def attempted(
    tmp_path: Path, faults: dict[str, Fault], **more: Any
) -> tuple[Done, dict[str, tuple[Outcome, str]]]:
    """One run with four models, one a format, that meet these faults, and a good one; outcome and detail by model."""
    repository = pairs(tmp_path / "repository")
    replies = {f"{name}/fix/pairs.py__double.md": RIGHT for name in (*PROVIDERS, GOOD)}
    with ReplayServer(write_replies(tmp_path / "replies", replies), always=faults) as server:
        asked = [model(name, name, server.url, **more) for name in PROVIDERS]
        dear = {"price_input_per_million": 9, "price_output_per_million": 9}
        asked.append(model(GOOD, "openai-compatible", server.url, **dear))
        config = tmp_path / "perforch.yml"
        config.write_text(json.dumps({"models": asked, "categories": "local"}))
        arguments = ("--config", str(config), "--stage", "fix", "--json")
        done = optimize(repository.path, tmp_path / "out", *arguments, HOSTILE_KEY=KEY)
    assert done.code == 0, done.err
    assert done.verdicts == {"double": "fixed"}
    assert done.document == json.loads((tmp_path / "out" / "result.json").read_text())
    (function,) = done.result.functions
    attempts = {attempt.model: (attempt.outcome, attempt.detail) for attempt in function.attempts}
    assert attempts[GOOD][0] is Outcome.ACCEPTED
    return done, attempts


def no_key(done: Done) -> None:
    """The key is in nothing that the run left or said."""
    assert KEY not in done.out + done.err
    for file in done.folder.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


USELESS = (
    {
        "openai": (Fault("garbage"), "not a JSON object"),
        "anthropic": (Fault("html"), "text/html, not JSON"),
        "gemini": (Fault("huge"), "larger than 4 MB"),
        "bedrock": (Fault("redirect"), "a redirect, which is not followed"),
    },
    {
        "openai": (Fault("bomb"), "compressed although that was not asked for"),
        "anthropic": (Fault("latin"), "not a JSON object"),
        "gemini": (Fault("other_model"), "answered by another model: another-model instead of gemini"),
        "bedrock": (
            Fault(status=400, message="Input is too long: 9 tokens > 8 maximum"),
            "Input is too long",
        ),
    },
)


@pytest.mark.parametrize("faults", USELESS, ids=["plain", "sly"])
def test_a_useless_response_costs_an_attempt(tmp_path: Path, faults: dict[str, tuple[Fault, str]]) -> None:
    done, attempts = attempted(tmp_path, {name: fault for name, (fault, _) in faults.items()})
    assert done.result.totals.llm_calls == 5
    for provider, (_, words) in faults.items():
        outcome, detail = attempts[provider]
        assert outcome is Outcome.PROVIDER_ERROR
        assert words in detail, (provider, detail)
    no_key(done)


@pytest.mark.parametrize("kind", ["no_choices", "null", "refusal", "tool", "cut_short"])
def test_a_well_formed_answer_without_an_answer_costs_an_attempt(tmp_path: Path, kind: Any) -> None:
    done, attempts = attempted(tmp_path, dict.fromkeys(PROVIDERS, Fault(kind)))
    assert done.result.totals.llm_calls == 5
    for provider in PROVIDERS:
        outcome, detail = attempts[provider]
        assert outcome is not Outcome.ACCEPTED
        assert detail, provider


def test_a_refused_key_or_model_is_named_and_never_shown(tmp_path: Path) -> None:
    statuses = dict(zip(PROVIDERS, (401, 403, 404, 401), strict=True))
    faults = {name: Fault(status=status, message="what is {key} to me?") for name, status in statuses.items()}
    done, attempts = attempted(tmp_path, faults)
    for provider, status in statuses.items():
        _, detail = attempts[provider]
        assert f"status {status}" in detail
        assert "what is *** to me?" in detail
        assert f"{provider!r}" in detail  # the model's name
        assert status == 404 or "HOSTILE_KEY" in detail
    no_key(done)


def test_silence_ends_at_the_models_time_limit(tmp_path: Path) -> None:
    faults = {
        "openai": Fault("drip"),
        "anthropic": Fault("hang"),
        "gemini": Fault("drip"),
        "bedrock": Fault("hang"),
    }
    began = time.monotonic()
    _, attempts = attempted(tmp_path, faults, timeout_seconds=1)
    assert time.monotonic() - began < 60
    for provider in PROVIDERS:
        assert attempts[provider][0] is Outcome.PROVIDER_ERROR
        assert "time limit" in attempts[provider][1]


PASSING = {
    "anthropic": (Fault(status=429, retry_after="0.2"), Fault(status=500)),
    "gemini": (Fault("half"), Fault("cut")),
}


@pytest.mark.parametrize("provider", PASSING)
def test_a_passing_failure_is_tried_again(tmp_path: Path, provider: str) -> None:
    repository = pairs(tmp_path / "repository")
    replies = write_replies(tmp_path / "replies", {"m/fix/pairs.py__double.md": RIGHT})
    with ReplayServer(replies, faults=PASSING[provider]) as server:
        config = tmp_path / "perforch.yml"
        config.write_text(json.dumps({"models": [model("m", provider, server.url)]}))
        arguments = ("--config", str(config), "--stage", "fix")
        done = optimize(repository.path, tmp_path / "out", *arguments, HOSTILE_KEY=KEY)
        assert len(server.log) == 3
    assert done.verdicts == {"double": "fixed"}, done.err
    assert done.result.totals.llm_calls == 3


def test_a_long_retry_after_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    done, attempts = attempted(tmp_path, dict.fromkeys(PROVIDERS, Fault(status=429, retry_after="3600")))
    assert time.monotonic() - began < 60
    assert {attempts[provider][0] for provider in PROVIDERS} == {Outcome.PROVIDER_ERROR}
    assert done.result.totals.llm_calls == 5
