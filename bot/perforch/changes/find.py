"""From two revisions to the functions that changed between them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from perforch.changes import origin
from perforch.changes.compare import File, compare
from perforch.changes.function import Changes, Function, Skip
from perforch.changes.git import MAX_FILE_BYTES, SUBMODULE, SYMLINK
from perforch.changes.globs import matches
from perforch.changes.spread import CHUNK, spread
from perforch.errors import RepositoryError
from perforch.languages.syntax import is_test_path, language_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from perforch.changes.git import Delta, Entry, Git

_ATTRIBUTES = {"linguist-generated": origin.GENERATED, "linguist-vendored": origin.VENDORED}


def find(
    git: Git,
    base: str,
    head: str,
    *,
    include: Sequence[str] = ("**",),
    exclude: Sequence[str] = (),
    jobs: int | None = None,
) -> Changes:
    """Functions that `head` adds or modifies since it left `base`, and what was left alone.

    Args:
        include, exclude: path patterns with `**`; a path must match one of the first and none of the second.
        jobs: processes that parse; by default the CPUs at hand, at most four.

    Raises:
        RepositoryError: unknown revisions, no merge base.
    """
    head_sha = git.resolve(head)
    merge_base = git.merge_base(base, head_sha)
    skipped: list[Skip] = []
    wanted: list[Delta] = []
    for delta in git.deltas(merge_base, head_sha):
        reason = _reason(delta, include, exclude)
        if reason:
            skipped.append(Skip(delta.path, "", reason))
        elif _is_candidate(delta):
            wanted.append(delta)
    attributes = git.attributes(head_sha, [delta.path for delta in wanted], tuple(_ATTRIBUTES))
    kept: list[Delta] = []
    for delta in wanted:
        reason = _left_alone(delta.path, attributes.get(delta.path, {}))
        if reason:
            skipped.append(Skip(delta.path, "", reason))
        else:
            kept.append(delta)
    wanted = kept
    sizes = git.sizes({entry.sha for delta in wanted for entry in _sides(delta)})
    small: list[Delta] = []
    for delta in wanted:
        reason = _too_large(delta, sizes)
        if reason:
            skipped.append(Skip(delta.path, "", reason))
        else:
            small.append(delta)
    total = sum(sizes[entry.sha] for delta in small for entry in _sides(delta))
    functions: list[Function] = []
    warnings: list[str] = []
    for compared in spread(compare, _files(git, small, attributes), size=total, jobs=jobs):
        functions += compared.functions
        skipped += compared.skipped
        warnings += compared.warnings
    functions.sort(key=lambda one: (one.path, one.start_byte, one.name))
    skipped.sort(key=lambda one: (one.path, one.name, one.reason))
    return Changes(merge_base, head_sha, tuple(functions), tuple(skipped), tuple(sorted(warnings)))


def _is_candidate(delta: Delta) -> bool:
    changed = delta.old is None or delta.new is None or delta.old.sha != delta.new.sha
    return delta.new is not None and delta.new.is_file and changed and language_of(delta.path) is not None


def _reason(delta: Delta, include: Sequence[str], exclude: Sequence[str]) -> str:
    """Why a changed path is left alone by what git says about it; "" also for what needs no word."""
    if delta.new is None:
        return ""
    if delta.new.mode == SUBMODULE:
        return "submodule"
    if language_of(delta.path) is None:
        return ""
    if delta.new.mode == SYMLINK:
        return "symbolic link"
    if not _is_candidate(delta):
        return ""
    if not matches(delta.path, include) or matches(delta.path, exclude):
        return "excluded by configuration"
    return ""


def _left_alone(path: str, attributes: Mapping[str, bool]) -> str:
    """Why attributes or the path say that nobody wrote this here, or ""; attributes have the last word."""
    said = [_ATTRIBUTES[name] for name, value in sorted(attributes.items()) if value]
    denied = {_ATTRIBUTES[name] for name, value in attributes.items() if not value}
    reason = said[0] if said else origin.by_path(path)
    return "" if reason in denied else reason


def _sides(delta: Delta) -> list[Entry]:
    """The regular files of a change, before and after; a link is not what it points to."""
    return [entry for entry in (delta.new, delta.old) if entry is not None and entry.is_file]


def _too_large(delta: Delta, sizes: Mapping[str, int]) -> str:
    """Why a change is not read, or "".

    Raises:
        RepositoryError: the contents are not in this clone.
    """
    for entry in _sides(delta):
        if entry.sha not in sizes:
            message = f"the contents of {delta.path} are not in this clone"
            raise RepositoryError(message, hint="Clone without --filter.")
        if sizes[entry.sha] > MAX_FILE_BYTES:
            was = "" if entry is delta.new else "was "
            return f"{was}larger than {MAX_FILE_BYTES >> 20} MiB"
    return ""


def _files(git: Git, deltas: Sequence[Delta], attributes: Mapping[str, Mapping[str, bool]]) -> Iterator[File]:
    """Contents of both sides, read a few hundred files at a time."""
    remaining = iter(deltas)
    while chunk := list(islice(remaining, 4 * CHUNK)):
        contents = dict(git.blobs({entry.sha for delta in chunk for entry in _sides(delta)}))
        for delta in chunk:
            language = language_of(delta.path)
            head = contents.get(delta.new.sha) if delta.new is not None else None
            if language is None or head is None:
                continue
            before = contents.get(delta.old.sha) if delta.old is not None and delta.old.is_file else None
            written = attributes.get(delta.path, {}).get("linguist-generated") is False
            yield File(delta.path, delta.base_path, language, head, before, is_test_path(delta.path), written)
