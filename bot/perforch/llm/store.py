"""The reply store: every exchange with a provider, on disk before anything else happens with it.

One SQLite file (write-ahead log, `synchronous=FULL`) holds what is being asked, what was answered, and what
was spent.
A row of `exchanges` goes through three states; each step is committed before what it announces happens:

`open`      the main process intends to ask; nothing has been sent
`sent`      the courier is about to send the request; from here on it may be paid for
`answered`  status, headers and body as they came, or the reason why there are none

The file is shared by the main process and its courier (see `courier`), and by several runs on one machine.
Nothing in here imports more than the standard library, because the courier has to start quickly.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from perforch.errors import PerforchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = 1
BUSY_SECONDS = 20.0

_TABLES = """
CREATE TABLE IF NOT EXISTS exchanges (
  key TEXT PRIMARY KEY, owner INTEGER NOT NULL, state TEXT NOT NULL, call INTEGER NOT NULL, at REAL NOT NULL,
  status INTEGER NOT NULL DEFAULT 0, headers TEXT NOT NULL DEFAULT '{}', body BLOB NOT NULL DEFAULT x'',
  failure TEXT NOT NULL DEFAULT '', seconds REAL NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, model TEXT NOT NULL, reserved REAL NOT NULL, cost REAL, at REAL
  NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_run ON calls (run);
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS couriers (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL);
"""


class StoreError(PerforchError):
    """The reply store cannot be read or written; nothing is sent without it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One row: a request that was announced, and what came back.

    Attributes:
        call: row of the budget's `calls` that reserved its cost; run: the run that made it.
        failure: "" or why there is no complete response: timeout, connect, broken, too_large, encoding.
        seconds: from sending to the last byte.
        kept: it has been read, is in the books, and may have been paid for.
    """

    key: str
    owner: int
    state: Literal["open", "sent", "answered"]
    call: int
    run: str
    at: float
    status: int
    headers: Mapping[str, str]
    body: bytes
    failure: str
    seconds: float
    kept: bool


def key_of(provider: str, base_url: str, model: str, max_output_tokens: int, system: str, user: str) -> str:
    """Name a request: SHA-256 over everything that decides what is sent, except the key that pays for it."""
    parts = json.dumps([provider, base_url, model, max_output_tokens, system, user], ensure_ascii=True)
    return hashlib.sha256(parts.encode("ascii")).hexdigest()


class Store:
    """One open store. Safe to use from several threads of one process.

    Raises:
        StoreError: from every method, when the file is not a database, was written by a newer perforch, stays
            locked for longer than `BUSY_SECONDS`, or the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._explained(), ExitStack() as undo:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            undo.callback(self._connection.close)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            with self.transaction() as cursor:
                version = cursor.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA:
                    message = (
                        f"the reply store {path} has format {version}, this perforch reads format {SCHEMA}"
                    )
                    raise StoreError(message, hint="Use the newer perforch, or another output directory.")
                if version == 0:
                    for statement in _TABLES.split(";"):
                        cursor.execute(statement)
                    cursor.execute(f"PRAGMA user_version={SCHEMA}")
            undo.pop_all()
        # Replies may hold private source code.
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in by the last one who does."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """Do everything inside at once or not at all; other processes wait."""
        with self._lock, self._explained():
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            done = False
            try:
                yield cursor
                done = True
            finally:
                cursor.execute("COMMIT" if done else "ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            message = f"the reply store {self.path} cannot be used: {error}"
            if "locked" in str(error):
                hint = "Another process holds it; end that process, or use another output directory."
            else:
                hint = "A damaged file can be moved away; its replies are then paid for again."
            raise StoreError(message, hint=hint) from error

    def get(self, key: str) -> Exchange | None:
        """Look a request up."""
        with self._lock, self._explained():
            row = self._connection.execute(
                "SELECT key, owner, state, call, COALESCE(run, ''), exchanges.at, status, headers,"
                " body, failure, seconds, kept"
                " FROM exchanges LEFT JOIN calls ON calls.id = exchanges.call WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        values = dict(zip((field.name for field in fields(Exchange)), row, strict=True))
        return Exchange(**{**values, "headers": json.loads(row[7]), "kept": bool(row[11])})

    def new_owner(self) -> int:
        """Number a courier; never given twice."""
        with self.transaction() as cursor:
            cursor.execute("INSERT INTO couriers (at) VALUES (?)", (time.time(),))
            return int(cursor.lastrowid or 0)

    def open(self, key: str, owner: int, call: int) -> bool:
        """Announce a request; False when the row exists, so someone else has announced it."""
        with self.transaction() as cursor:
            cursor.execute(
                "INSERT OR IGNORE INTO exchanges (key, owner, state, call, at) VALUES (?, ?, 'open', ?, ?)",
                (key, owner, call, time.time()),
            )
            return cursor.rowcount == 1

    def sent(self, key: str, owner: int) -> bool:
        """Record that the request is going out now; False when the row is no longer this courier's."""
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE exchanges SET state = 'sent' WHERE key = ? AND owner = ? AND state = 'open'",
                (key, owner),
            )
            return cursor.rowcount == 1

    def withdraw(self, key: str, owner: int) -> None:
        """Take the announcement of a request back that was not sent."""
        with self.transaction() as cursor:
            cursor.execute(
                "DELETE FROM exchanges WHERE key = ? AND owner = ? AND state = 'open'", (key, owner)
            )

    def answered(
        self,
        key: str,
        owner: int,
        *,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        failure: str,
        seconds: float,
    ) -> None:
        """Record what came back."""
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE exchanges SET state = 'answered', status = ?, headers = ?, body = ?, failure = ?,"
                " seconds = ? WHERE key = ? AND owner = ?",
                (status, json.dumps(dict(headers)), body, failure, seconds, key, owner),
            )

    def settle(self, exchange: Exchange, *, cost: float | None, keep: bool) -> float:
        """Close the books on a request: what it cost (None: what was reserved), and whether what came back is
        kept.

        Kept is what may have been paid for; the rest is forgotten, so that it can be asked again.

        Returns:
            The dollars in the books.
        """
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE calls SET cost = COALESCE(?, reserved) WHERE id = ? AND cost IS NULL",
                (cost, exchange.call),
            )
            if keep:
                cursor.execute("UPDATE exchanges SET kept = 1 WHERE key = ?", (exchange.key,))
            else:
                self._forget(cursor, exchange)
            booked = cursor.execute("SELECT cost FROM calls WHERE id = ?", (exchange.call,)).fetchone()
        return float(booked[0]) if booked else 0.0

    def forget(self, exchange: Exchange) -> None:
        """Drop a request, so that it can be asked again; its cost stays in the books."""
        with self.transaction() as cursor:
            self._forget(cursor, exchange)

    @staticmethod
    def _forget(cursor: sqlite3.Cursor, exchange: Exchange) -> None:
        # Only this very request: another process may have asked again meanwhile.
        cursor.execute(
            "DELETE FROM exchanges WHERE key = ? AND owner = ? AND call = ?",
            (exchange.key, exchange.owner, exchange.call),
        )


def _lock_file(path: Path) -> int:
    name = f"{path}.lock"
    try:
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        message = f"the lock file {name} cannot be opened: {error.strerror}"
        raise StoreError(message) from error


def claim(path: Path, owner: int) -> int:
    """Hold the lock of courier `owner` until this process ends: one byte of the file beside the store.

    Returns:
        The descriptor; closing it gives the lock up.
    """
    descriptor = _lock_file(path)
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, owner)
    return descriptor


def is_alive(path: Path, owner: int) -> bool:
    """Say whether courier `owner` still runs.

    Must not be asked by a process that holds such a lock itself.
    """
    descriptor = _lock_file(path)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, owner)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
