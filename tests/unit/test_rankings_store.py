"""Merging: commutative, associative, idempotent, and damaged files change nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perforch.errors import UsageError
from perforch.rankings import evidence, store
from perforch.rankings.evidence import Evidence

if TYPE_CHECKING:
    from pathlib import Path


def item(number: int, *, model: str = "local/qwen 3", success: bool = True) -> Evidence:
    return Evidence(
        model=model,
        stage="fix",
        metric="correctness",
        language="go",
        tags=("Array",),
        attempts=1,
        successes=int(success),
        source="profile",
        date="2026-01-02",
        item=f"Go/{number}",
    )


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in store.files(directory)}


def shards(directory: Path, count: int = 20) -> list[Path]:
    paths = []
    for shard in range(count):
        path = directory / f"shard-{shard}.jsonl"
        models = ("local/qwen 3", "GPT 4o")
        path.write_text(evidence.dumps(item(n, model=m) for n in range(shard, 164, count) for m in models))
        paths.append(path)
    return paths


def test_twenty_shards_in_any_order_twice_over(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    paths = shards(tmp_path / "in")
    whole = tmp_path / "in" / "whole.jsonl"
    whole.write_text(evidence.dumps(item(n, model=m) for n in range(164) for m in ("local/qwen 3", "GPT 4o")))
    store.merge([whole], tmp_path / "unsharded")
    truncated = tmp_path / "in" / "cut.jsonl"
    truncated.write_bytes(paths[3].read_bytes()[:-40])
    foreign = tmp_path / "in" / "foreign.jsonl"
    foreign.write_text(paths[4].read_text().replace('"schema": 1', '"schema": 2'))
    seen = []
    for seed in range(5):
        order = [*paths, *paths, truncated, foreign]
        random.Random(seed).shuffle(order)
        into = tmp_path / f"out-{seed}"
        merged = store.merge(order, into)
        assert sorted(problem.message.split(" ")[0] for problem in merged.problems) == sorted(
            map(str, [truncated, foreign])
        )
        assert merged.records == 328
        seen.append(snapshot(into))
    assert all(one == snapshot(tmp_path / "unsharded") for one in seen)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sets(st.integers(0, 12)), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_union_is_a_semilattice(groups: list[set[int]], rng: random.Random) -> None:
    parts = [[item(number) for number in group] for group in groups]
    shuffled = parts + parts
    rng.shuffle(shuffled)
    left = evidence.union(*parts)
    assert left == evidence.union(*shuffled) == evidence.union(left, *shuffled)
    if len(parts) > 2:
        assert left == evidence.union(parts[0], evidence.union(*parts[1:]))


def test_step_by_step_is_the_same_as_at_once(tmp_path: Path) -> None:
    paths = shards(tmp_path, 4)
    store.merge(paths, tmp_path / "once")
    for path in reversed(paths):
        store.merge([path], tmp_path / "steps")
    assert snapshot(tmp_path / "once") == snapshot(tmp_path / "steps")
    again = store.merge(paths, tmp_path / "steps")
    assert (again.added, again.records) == (0, 328)


def test_what_is_there_is_kept_when_a_source_is_missing(tmp_path: Path) -> None:
    store.merge(shards(tmp_path, 2), tmp_path / "out")
    before = snapshot(tmp_path / "out")
    merged = store.merge([tmp_path / "nowhere.jsonl"], tmp_path / "out")
    assert "nowhere.jsonl cannot be read" in merged.problems[0].message
    assert snapshot(tmp_path / "out") == before


def test_a_damaged_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    paths = shards(tmp_path, 2)
    store.merge(paths, tmp_path / "out")
    target = store.files(tmp_path / "out")[0]
    target.write_bytes(target.read_bytes()[:-1])
    with pytest.raises(UsageError, match="is damaged and would be overwritten"):
        store.merge(paths, tmp_path / "out")
    assert not target.read_bytes().endswith(b"\n")


def test_own_evidence_adds_to_the_shipped(tmp_path: Path) -> None:
    store.write([item(1)], tmp_path / store.USER_DIRECTORY)
    assert len(store.load(tmp_path)) == len(store.load()) + 1


def test_links_out_of_the_directory_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert store.files(tmp_path / "in") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("GPT 4o", "gpt-4o"), ("../../etc/x", "etc-x"), ("...", "model"), ("C++ local", "c++-local")],
)
def test_slugs_are_harmless_file_names(name: str, expected: str) -> None:
    assert store.slug(name) == expected
