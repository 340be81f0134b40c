"""The client against a real server on the loopback interface, good days and bad."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from perforch.llm.client import Client
from perforch.llm.model import Prompt, Reply, ReplyKind
from perforch.llm.replay import DECLINED, Fault, ReplayServer, digest
from perforch.llm.store import StoreError
from perforch.llm.wire import tokens
from perforch.settings import Budget, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT = Prompt("be brief", "Stage: refine\nFunction: src/a.py::f\n\nplease")
KEYS = {"KEY": "sk-secret-123"}
PROVIDERS = ("openai", "openai-compatible", "anthropic", "gemini", "bedrock")


def model(server: ReplayServer, provider: Any = "openai-compatible", **more: Any) -> ModelSettings:
    base = server.url + ("/v1" if provider.startswith("openai") else "")
    values = {
        "name": "m-1",
        "provider": provider,
        "base_url": base,
        "api_key_env": "KEY",
        "timeout_seconds": 20,
        "price_input_per_million": 10,
        "price_output_per_million": 10,
        "max_output_tokens": 1000,
    }
    return ModelSettings(**{**values, **more})


def client(folder: Path, run: str = "run", **limits: Any) -> Client:
    return Client(
        folder / "replies.sqlite", Budget(**limits), run=run, environment=KEYS, backoff=(0.01, 0.02)
    )


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    folder = tmp_path / "replies" / "m-1" / "refine"
    folder.mkdir(parents=True)
    (folder / "src_a.py__f.md").write_text("```python\nfaster\n```\n")
    return tmp_path / "replies"


@contextlib.contextmanager
def replaying(folder: Path, *faults: Fault) -> Iterator[ReplayServer]:
    with ReplayServer(folder, faults=faults) as server:
        yield server


def ask(client: Client, model: ModelSettings, *prompts: Prompt) -> list[Reply]:
    async def all_at_once() -> list[Reply]:
        return await asyncio.gather(*(client.complete(model, prompt) for prompt in prompts))

    return asyncio.run(all_at_once())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_answers_once_and_from_the_store_afterwards(
    tmp_path: Path, replies: Path, provider: str
) -> None:
    with replaying(replies) as server:
        settings = model(server, provider)
        with client(tmp_path) as first:
            (reply,) = ask(first, settings, PROMPT)
            assert (reply.kind, reply.text, reply.cached) == (
                ReplyKind.TEXT,
                "```python\nfaster\n```\n",
                False,
            )
            assert reply.tokens_in == tokens(PROMPT.system) + tokens(PROMPT.user)
            assert reply.cost_usd == pytest.approx((reply.tokens_in + reply.tokens_out) * 10 / 1e6)
            assert first.budget.spent.usd == pytest.approx(reply.cost_usd)
        with client(tmp_path, run="another") as second:
            (again,) = ask(second, settings, PROMPT)
            assert (again.text, again.cached, again.cost_usd) == (reply.text, True, 0.0)
            assert second.budget.spent.calls == 0
    assert server.requests == {digest(PROMPT.system, PROMPT.user): 1}


def test_equal_prompts_at_the_same_time_are_sent_once(tmp_path: Path, replies: Path) -> None:
    with replaying(replies, Fault("none", delay=0.2)) as server, client(tmp_path) as asking:
        got = ask(asking, model(server), *[PROMPT] * 10)
        assert sum(server.requests.values()) == 1
        assert {reply.text for reply in got} == {"```python\nfaster\n```\n"}
        assert [reply.cached for reply in got].count(False) == 1


TRANSIENT = (
    Fault("status", status=429, retry_after="0.05"),
    Fault("status", status=500),
    Fault("status", status=529),
    Fault("half"),
    Fault("reset"),
)


@pytest.mark.parametrize("fault", TRANSIENT, ids=lambda fault: f"{fault.kind}-{fault.status}")
@pytest.mark.parametrize("provider", ["openai-compatible", "anthropic", "gemini", "bedrock"])
def test_passing_faults_are_tried_again(tmp_path: Path, replies: Path, provider: str, fault: Fault) -> None:
    with replaying(replies, fault, fault) as server, client(tmp_path) as asking:
        (reply,) = ask(asking, model(server, provider), PROMPT)
        assert reply.kind is ReplyKind.TEXT, reply.detail
        assert sum(server.requests.values()) == 3
        assert asking.budget.spent.calls == 3


@pytest.mark.parametrize("fault", TRANSIENT, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_lasting_faults_end_after_three_tries(tmp_path: Path, replies: Path, fault: Fault) -> None:
    with replaying(replies, *[fault] * 9) as server, client(tmp_path) as asking:
        (reply,) = ask(asking, model(server), PROMPT)
        assert (reply.kind, reply.text) == (ReplyKind.ERROR, "")
        assert reply.detail
        assert sum(server.requests.values()) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("garbage"), "not a JSON object"),
        (Fault("html"), "text/html, not JSON"),
        (Fault("huge"), "larger than 4 MB"),
        (Fault("other_model"), "answered by another model: another-model instead of m-1"),
        (Fault("status", status=400), "status 400"),
        (Fault("status", status=302), "redirect"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_useless_answers_are_errors_at_once(tmp_path: Path, replies: Path, fault: Fault, words: str) -> None:
    with replaying(replies, fault) as server, client(tmp_path) as asking:
        (reply,) = ask(asking, model(server), PROMPT)
        assert (reply.kind, reply.text) == (ReplyKind.ERROR, "")
        assert words in reply.detail
        assert sum(server.requests.values()) == 1


def test_silence_ends_at_the_time_limit(tmp_path: Path, replies: Path) -> None:
    with replaying(replies, Fault("hang")) as server, client(tmp_path) as asking:
        (reply,) = ask(asking, model(server, timeout_seconds=0.6), PROMPT)
        assert reply.kind is ReplyKind.ERROR
        assert "time limit" in reply.detail
        assert reply.cost_usd > 0  # it may be billed, so the worst is assumed
        assert sum(server.requests.values()) == 1


def test_nobody_listens(tmp_path: Path, replies: Path) -> None:
    with replaying(replies) as server:
        settings = model(server)
    with client(tmp_path) as asking:
        (reply,) = ask(asking, settings, PROMPT)
        assert reply.kind is ReplyKind.ERROR
        assert "no connection" in reply.detail
        assert asking.budget.spent.usd == 0


def test_a_long_retry_after_cools_the_model_down_for_everybody(tmp_path: Path, replies: Path) -> None:
    with (
        replaying(replies, Fault("status", status=429, retry_after="121")) as server,
        client(tmp_path) as asking,
    ):
        (reply,) = ask(asking, model(server), PROMPT)
        (other,) = ask(asking, model(server), Prompt("", "something else"))
        assert reply.kind is other.kind is ReplyKind.ERROR
        assert "not asked again for" in other.detail
        assert sum(server.requests.values()) == 1


def test_a_wrong_key_ends_the_asking_and_is_not_shown(tmp_path: Path, replies: Path) -> None:
    with replaying(replies, Fault("status", status=401)) as server, client(tmp_path) as asking:
        (reply,) = ask(asking, model(server), PROMPT)
        (other,) = ask(asking, model(server), Prompt("", "something else"))
        assert "in this run" in other.detail
        assert sum(server.requests.values()) == 1
        assert KEYS["KEY"] not in repr(reply) + repr(other) + repr(asking)


def test_a_missing_key_is_an_error_that_names_the_variable(tmp_path: Path, replies: Path) -> None:
    with replaying(replies) as server, client(tmp_path) as asking:
        (reply,) = ask(asking, model(server, api_key_env="OTHER_KEY"), PROMPT)
        assert reply.kind is ReplyKind.ERROR
        assert "OTHER_KEY" in reply.detail
        assert not server.requests


def test_the_budget_holds_under_concurrency(tmp_path: Path, replies: Path) -> None:
    with replaying(replies) as server, client(tmp_path, calls=5) as asking:
        got = ask(asking, model(server), *(Prompt("", f"question {number}") for number in range(12)))
        assert [reply.kind for reply in got].count(ReplyKind.OVER_BUDGET) == 7
        assert sum(server.requests.values()) == 5


def test_dollars_set_aside_come_back_so_that_all_calls_fit(tmp_path: Path, replies: Path) -> None:
    # One call may cost about 1.1 cents and does cost far less: with two cents they go one after the other.
    with replaying(replies) as server, client(tmp_path, usd=0.02) as asking:
        got = ask(asking, model(server), *(Prompt("", f"question {number}") for number in range(6)))
        assert {reply.text for reply in got} == {DECLINED}
        assert asking.budget.spent.usd <= 0.02


def test_a_damaged_store_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "replies.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match=r"replies\.sqlite cannot be used"):
        client(tmp_path)
