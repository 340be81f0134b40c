"""Evidence files: every record comes back, and every kind of damage is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.rankings import evidence
from perforch.rankings.evidence import Evidence, EvidenceError


def record(**changes: object) -> Evidence:
    fields = {
        "model": "m",
        "stage": "fix",
        "metric": "correctness",
        "language": "go",
        "attempts": 3,
        "successes": 2,
        "source": "profile",
        "date": "2026-01-02",
    }
    return Evidence.model_validate(fields | changes)


names = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30)
records = st.builds(
    lambda model, attempts, good, gain, item: record(
        model=model, attempts=attempts, successes=min(good, attempts), log_gain_sum=gain, item=item
    ),
    names,
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.none() | st.floats(-10, 10),
    names,
)


@given(st.lists(records, max_size=20))
def test_what_is_written_is_read(items: list[Evidence]) -> None:
    text = evidence.dumps(items)
    assert evidence.loads(text.encode(), source="x") == evidence.union(items)
    assert evidence.dumps(evidence.loads(text.encode(), source="x")) == text


@given(st.lists(records, min_size=1, max_size=8), st.integers(1, 10_000))
def test_a_file_cut_anywhere_is_noticed(items: list[Evidence], cut: int) -> None:
    data = evidence.dumps(items).encode()
    with pytest.raises(EvidenceError):
        evidence.loads(data[: -(cut % (len(data) - 1) + 1)], source="shard-3.jsonl")


def test_truncation_names_the_file_and_counts() -> None:
    data = evidence.dumps([record(item=str(number)) for number in range(5)]).encode()
    with pytest.raises(
        EvidenceError, match=r"shard-3.jsonl is truncated: its header announces 5 records, 4 "
    ):
        evidence.loads(data[:-10], source="shard-3.jsonl")


def test_foreign_schema_is_named() -> None:
    data = evidence.dumps([record()]).replace('"schema": 1', '"schema": 7').encode()
    with pytest.raises(EvidenceError, match=r"x.jsonl has schema 7; this version of perforch reads schema 1"):
        evidence.loads(data, source="x.jsonl")


def test_an_edited_record_is_refused() -> None:
    data = evidence.dumps([record()]).replace('"successes": 2', '"successes": 3').encode()
    with pytest.raises(EvidenceError, match=r"x:2: the id .* is not the hash"):
        evidence.loads(data, source="x")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"successes": 9}, "exceed"),
        ({"attempts": -1}, "attempts"),
        ({"stage": "guess"}, "stage"),
        ({"date": "yesterday"}, "date"),
        ({"unknown": 1}, "unknown"),
        ({"category": "Array", "tags": ["Math"]}, "exclude"),
        ({"log_gain_sum": float("inf")}, "log_gain_sum"),
    ],
)
def test_records_that_do_not_fit_name_the_line(change: dict[str, object], expected: str) -> None:
    document = json.loads(record().line()) | change
    lines = ['{"kind": "perforch evidence", "records": 1, "schema": 1}', json.dumps(document)]
    with pytest.raises(EvidenceError, match=f"x:2: .*{expected}"):
        evidence.loads(("\n".join(lines) + "\n").encode(), source="x")


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        evidence.loads(data, source="x")


def test_ids_are_stable_between_versions() -> None:
    assert record().id == "8a14b18f65ffb35d6160"
    assert record().id == record(weight=1.0).id != record(item="a").id
