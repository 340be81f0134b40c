"""The owner's own evidence as the base revision has it: what a change adds to it counts from its merge on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.rankings.store import USER_DIRECTORY
from perforch.sandbox import cleaning

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.changes.git import Git

_MOST = 16 * 1024**2  # bytes of one file


def evidence(git: Git, base: str, folder: Path) -> Path:
    """Write the evidence files of a revision below `folder`, where they lie in the repository; returns `folder`."""
    cleaning.remove(folder)
    folder.mkdir(parents=True)
    wanted = [
        path
        for path in git.tree(base)
        if path.startswith(f"{USER_DIRECTORY}/") and path.endswith(".jsonl") and ".." not in path.split("/")
    ]
    for path, data in git.read(base, wanted, limit=_MOST).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder
