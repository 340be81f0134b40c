"""Three annotators vote, what they agreed on becomes evidence, and evidence lets one of them replace the three."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optimize_world import RIGHT, Done, optimize, pairs, write_replies

from perforch.cli import run
from perforch.llm.replay import ReplayServer
from perforch.rankings import evidence

if TYPE_CHECKING:
    from pathlib import Path

    from optimize_world import Repository

VOTES = {"one": '["Array", "Math"]', "two": '["Array"]', "three": '["Array", "Greedy"]'}


def labelled(repository: Repository, tmp_path: Path, name: str) -> tuple[Done, dict[str, Any], list[str]]:
    """A run with three models; its only function and the models that were asked for labels."""
    replies = {f"{model}/classify/pairs.py__double.md": vote for model, vote in VOTES.items()}
    replies |= {f"{model}/fix/pairs.py__double.md": RIGHT for model in VOTES}
    folder = tmp_path / name
    folder.mkdir()
    with ReplayServer(write_replies(folder / "replies", replies)) as server:
        models = [
            {
                "name": model,
                "provider": "openai-compatible",
                "base_url": f"{server.url}/v1",
                "price_input_per_million": 0.1,
                "price_output_per_million": 0.1,
            }
            for model in VOTES
        ]
        config = folder / "perforch.yml"
        config.write_text(json.dumps({"models": models}))
        done = optimize(repository.path, folder / "out", "--config", str(config), "--stage", "fix", "--json")
    assert done.code == 0, done.err
    (function,) = done.document["functions"]
    attempts = {attempt["model"] for attempt in function["attempts"]}
    asked = done.document["totals"]["llm_calls"] - len(function["attempts"])
    return done, function, [str(asked), *sorted(attempts)]


def test_votes_become_evidence_and_evidence_replaces_votes(tmp_path: Path) -> None:
    repository = pairs(tmp_path / "repository")
    done, function, asked = labelled(repository, tmp_path, "first")
    assert asked[0] == "3"
    assert function["categories"] == ["Array"]
    assert function["agreement"] == {"one": [2, 3], "two": [3, 3], "three": [2, 3]}

    learnt = tmp_path / "learnt.jsonl"
    assert run(["rankings", "learn", str(done.folder / "result.json"), "--out", str(learnt)]) == 0
    records = {record.model: record for record in evidence.read(learnt) if record.stage == "categorise"}
    assert {name: (one.successes, one.attempts) for name, one in records.items()} == {
        "one": (2, 3),
        "two": (3, 3),
        "three": (2, 3),
    }

    # Sixty functions like this one: the second annotator has agreed on all of 180 labels.
    many = [
        record.model_copy(update={"run": str(number)}) for record in records.values() for number in range(60)
    ]
    repository.git("switch", "--quiet", "main")
    repository.commit({".github/perforch/rankings/own.jsonl": evidence.dumps(tuple(many))}, "evidence")
    repository.git("switch", "--quiet", "change")
    repository.git("rebase", "--quiet", "main")
    _, function, asked = labelled(repository, tmp_path, "second")
    assert asked[0] == "1"
    assert function["categories"] == ["Array"]
    assert function["agreement"] == {}
