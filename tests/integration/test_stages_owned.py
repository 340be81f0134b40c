"""The owner's evidence is that of the base revision, whatever the change and the work tree say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optimize_world import Repository

from perforch.changes.git import Git
from perforch.rankings.store import USER_DIRECTORY, files
from perforch.stages import owned

if TYPE_CHECKING:
    from pathlib import Path


def test_evidence_of_the_base_counts(tmp_path: Path) -> None:
    name = f"{USER_DIRECTORY}/2026/profile.jsonl"
    repository = Repository(
        tmp_path / "repository",
        {name: "base\n", f"{USER_DIRECTORY}/README.md": "text\n"},
        {name: "poisoned\n", f"{USER_DIRECTORY}/more.jsonl": "poisoned\n"},
    )
    (repository.path / USER_DIRECTORY / "planted.jsonl").write_text("poisoned\n")
    git = Git.open(repository.path)
    folder = owned.evidence(git, git.resolve("main"), tmp_path / "evidence")
    found = files(folder / USER_DIRECTORY)
    assert [path.relative_to(folder).as_posix() for path in found] == [name]
    assert found[0].read_text() == "base\n"
    # A second run starts from nothing.
    head = owned.evidence(git, git.resolve("change"), tmp_path / "evidence")
    assert len(files(head / USER_DIRECTORY)) == 2


def test_links_lead_nowhere(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", {"README.md": "text\n"}, {})
    place = repository.path / USER_DIRECTORY
    place.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.jsonl").write_text("secret\n")
    place.symlink_to(tmp_path / "elsewhere")
    repository.commit({}, "link")
    git = Git.open(repository.path)
    folder = owned.evidence(git, git.resolve("change"), tmp_path / "evidence")
    assert files(folder / USER_DIRECTORY) == []


def test_none_is_fine(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", {"README.md": "text\n"}, {})
    git = Git.open(repository.path)
    folder = owned.evidence(git, git.resolve("main"), tmp_path / "evidence")
    assert files(folder / USER_DIRECTORY) == []
