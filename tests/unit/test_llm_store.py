"""States of a request, and what happens to a store that cannot be used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from perforch.llm import store as stores
from perforch.llm.budget import Budget
from perforch.llm.store import Store, StoreError, claim, is_alive, key_of
from perforch.settings import Budget as Limits

if TYPE_CHECKING:
    from pathlib import Path


def test_a_request_goes_through_its_states(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    call = Budget(store, Limits(), run="r").reserve("m", 0.5)
    assert isinstance(call, int)
    owner = store.new_owner()
    assert store.get("k") is None
    assert store.open("k", owner, call)
    assert not store.open("k", owner, call)
    assert not store.sent("k", owner + 1)
    assert store.sent("k", owner)
    assert not store.sent("k", owner)
    store.withdraw("k", owner)  # too late: it is on its way
    store.answered("k", owner, status=200, headers={"a": "b"}, body=b"\x00x", failure="", seconds=1.5)
    row = store.get("k")
    assert row is not None
    assert (row.state, row.run, row.status, row.headers, row.body) == (
        "answered",
        "r",
        200,
        {"a": "b"},
        b"\x00x",
    )
    assert store.settle(row, cost=0.25, keep=True) == 0.25
    assert store.settle(row, cost=0.5, keep=True) == 0.25  # the books are closed once
    store.close()
    again = Store(tmp_path / "s.sqlite").get("k")
    assert again is not None
    assert again.kept


def test_the_file_is_private(tmp_path: Path) -> None:
    Store(tmp_path / "s.sqlite").close()
    assert (tmp_path / "s.sqlite").stat().st_mode & 0o077 == 0


def test_keys_differ_in_every_part() -> None:
    parts = ("openai", "https://a", "m", 10, "s", "u")
    keys = {key_of(*parts)}
    for number, other in enumerate(("x", "x", "x", 11, "x", "x")):
        keys.add(key_of(*parts[:number], other, *parts[number + 1 :]))  # type: ignore[arg-type]
    keys.add(key_of("openai", "https://a", "m", 10, "su", ""))
    assert len(keys) == 8


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    Store(tmp_path / "s.sqlite").close()
    connection = sqlite3.connect(tmp_path / "s.sqlite")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        Store(tmp_path / "s.sqlite")


def test_a_locked_store_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "BUSY_SECONDS", 0.05)
    store, other = Store(tmp_path / "s.sqlite"), Store(tmp_path / "s.sqlite")
    with store.transaction(), pytest.raises(StoreError, match="locked") as caught:
        other.new_owner()
    assert "Another process" in caught.value.hint
    store.close()
    other.close()


def test_a_courier_is_alive_until_its_process_ends(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from perforch.llm.store import claim;"
        "claim(Path(sys.argv[1]), 7); print('ready', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "s.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert is_alive(path, 7)
        assert not is_alive(path, 8)
        child.kill()
        child.wait()
    assert not is_alive(path, 7)
    assert claim(path, 7) >= 0
