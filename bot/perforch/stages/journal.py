"""The run journal: every finished step is written down before the next one starts, so a killed run resumes where it was.

A step is named by what it depends on (function, stage, candidate digest), never by when it ran. The journal belongs to one
question (base, head, settings); another question, or the same one after it was answered, starts a new journal.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING, Any

from perforch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, token TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS step (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Journal:
    """Steps of one run in one SQLite file. Safe to use from several threads.

    Args:
        path: the database; its folder must exist.
        run: identity of the question, such as a digest of base, head and settings.

    Attributes:
        resumed: the question was asked before and the run that worked on it was killed.
        token: names this run, the same after it was killed and started again, another after it was finished.

    Raises:
        UsageError: the file is not a journal, or another process holds it.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
            row = self._database.execute("SELECT id, finished, token FROM run").fetchone()
            self.resumed = row is not None and row[0] == run and not row[1]
            self.token: str = row[2] if self.resumed else uuid.uuid4().hex
            if not self.resumed:
                with self._database:
                    self._database.execute("BEGIN")
                    self._database.execute("DELETE FROM step")
                    self._database.execute("DELETE FROM run")
                    self._database.execute("INSERT INTO run (id, token) VALUES (?, ?)", (run, self.token))
        except sqlite3.Error as error:
            message = f"{path} cannot be used as a run journal: {error}"
            raise UsageError(message, hint="Remove the file, or choose another --out.") from error

    def recall(self, key: str) -> Any | None:
        """The value written for `key`, or None."""
        with self._lock:
            row = self._database.execute("SELECT value FROM step WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def record(self, key: str, value: Any) -> None:
        """Write one finished step; it is on disk when this returns."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO step (key, value) VALUES (?, ?)", (key, text))

    def finish(self) -> None:
        """The question is answered: the next run starts afresh."""
        with self._lock:
            self._database.execute("UPDATE run SET finished = 1")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()
