"""Evidence directories: `SOURCE/MODEL.jsonl` below a root. Shipped and own evidence are one union."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perforch import assets
from perforch.errors import UsageError
from perforch.rankings import evidence
from perforch.rankings.evidence import Evidence, EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

USER_DIRECTORY = ".github/perforch/rankings"


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: how many records there are, how many are new, and the files that were refused."""

    records: int
    added: int
    problems: tuple[EvidenceError, ...]


def files(directory: Path) -> list[Path]:
    """Every evidence file below `directory`, sorted; links are not followed out of it."""
    root = directory.resolve()
    found = sorted(directory.rglob("*.jsonl")) if directory.is_dir() else []
    return [path for path in found if path.is_file() and path.resolve().is_relative_to(root)]


def load(repository: Path | None = None) -> tuple[Evidence, ...]:
    """The shipped evidence and, when a repository is given, its own from `.github/perforch/rankings/`.

    Raises:
        EvidenceError: a file that cannot be used.
    """
    directories = [assets.directory("rankings")]
    if repository is not None:
        directories.append(repository / USER_DIRECTORY)
    return load_directories(directories)


def load_directories(directories: Sequence[Path]) -> tuple[Evidence, ...]:
    """The union of all evidence below these directories; missing directories are empty."""
    return evidence.union(*(evidence.read(path) for directory in directories for path in files(directory)))


def validate(directory: Path) -> tuple[int, tuple[EvidenceError, ...]]:
    """Number of distinct records below a directory and everything that is wrong in it.

    Raises:
        UsageError: no such directory.
    """
    if not directory.is_dir():
        message = f"{directory} is not a directory"
        raise UsageError(message)
    good, problems = _read_all(files(directory))
    return len(good), tuple(problems.values())


def merge(sources: Sequence[Path], into: Path) -> Merged:
    """Add the evidence of files (or directories of them) to a directory; refused files change nothing.

    What is there stays: a damaged file inside `into` is reported and left as it is.
    """
    paths = [path for source in sources for path in (files(source) if source.is_dir() else [source])]
    present, damaged = _read_all(files(into))
    incoming, refused = _read_all(paths)
    total = evidence.union(present, incoming)
    write(total, into, keep=damaged)
    return Merged(
        records=len(total),
        added=len(total) - len(present),
        problems=(*damaged.values(), *(problem for path, problem in refused.items() if path not in damaged)),
    )


def _read_all(paths: Iterable[Path]) -> tuple[tuple[Evidence, ...], dict[Path, EvidenceError]]:
    good: list[tuple[Evidence, ...]] = []
    problems: dict[Path, EvidenceError] = {}
    for path in paths:
        try:
            good.append(evidence.read(path))
        except EvidenceError as error:
            problems[path] = error
    return evidence.union(*good), problems


def write(records: Iterable[Evidence], directory: Path, *, keep: Iterable[Path] = ()) -> None:
    """Write one file a source and model; every file is replaced in one step. Files in `keep` are not touched.

    Raises:
        UsageError: a damaged file stands where a good one would have to go, or the directory cannot be
        written.
    """
    groups: dict[Path, list[Evidence]] = {}
    for record in records:
        groups.setdefault(directory / record.source / f"{slug(record.model)}.jsonl", []).append(record)
    blocked = sorted(set(keep) & set(groups))
    if blocked:
        message = f"{blocked[0]} is damaged and would be overwritten, so nothing was merged"
        raise UsageError(message, hint="Repair it from version control, or move it away, and merge again.")
    stale = set(files(directory)) - set(groups) - set(keep)
    try:
        for path, group in sorted(groups.items()):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, evidence.dumps(group))
        for path in stale:
            path.unlink()
    except OSError as error:
        message = f"{error.filename or directory} cannot be written: {error.strerror}"
        raise UsageError(message) from error


def replace(path: Path, text: str) -> None:
    """Write a whole file in one step, so that a reader or a kill never sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def slug(name: str) -> str:
    """A file name for a model: lower case, hyphens for all but letters, digits, dots and plus signs."""
    return re.sub(r"[^a-z0-9.+]+", "-", name.lower()).strip("-.") or "model"
