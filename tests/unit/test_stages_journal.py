from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.errors import UsageError
from perforch.stages.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_killed_run_remembers(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.sqlite", "question")
    assert not first.resumed
    first.record("step", {"x": [1, "ü"]})
    first.close()
    second = Journal(tmp_path / "j.sqlite", "question")
    assert second.resumed
    assert second.token == first.token
    assert second.recall("step") == {"x": [1, "ü"]}
    assert second.recall("other") is None
    second.close()


@pytest.mark.parametrize("finish", [True, False])
def test_another_question_or_a_finished_one_starts_afresh(tmp_path: Path, finish: bool) -> None:
    first = Journal(tmp_path / "j.sqlite", "question")
    first.record("step", 1)
    if finish:
        first.finish()
    first.close()
    second = Journal(tmp_path / "j.sqlite", "question" if finish else "another")
    assert not second.resumed
    assert second.token != first.token
    assert second.recall("step") is None
    second.close()


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(UsageError, match="cannot be used as a run journal") as caught:
        Journal(path, "question")
    assert "--out" in caught.value.hint


def test_nan_is_never_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite", "question")
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.record("step", float("nan"))
    journal.close()
