"""Everything a run leaves behind: result.json, review.md, report.html and one patch a proposal."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from perforch.errors import UsageError
from perforch.report import markdown, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perforch.report.links import Links
    from perforch.result import FunctionResult, Result


def write(
    result: Result, directory: Path, *, links: Links | None = None, extra: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Write all files, each at once or not at all, and return their paths; result.json comes first.

    Args:
        result: the run.
        directory: created if missing.
        links: what review.md points to.
        extra: further text files by plain name.

    Raises:
        UsageError: the directory cannot be written.
    """
    from perforch.report import html

    contents = {"result.json": result.dump(), "review.md": markdown.review(result, links=links)}
    contents["report.html"] = html.page(result, links=links)
    contents |= {name: function.patch or "" for name, function in patches(result).items()}
    for name, text in (extra or {}).items():
        contents[Path(name).name] = text
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return tuple(_replace(directory / name, text) for name, text in contents.items())
    except OSError as error:
        message = f"{directory} cannot be written: {error.strerror}"
        raise UsageError(message, hint="Choose another folder with --out.") from error


def patches(result: Result) -> dict[str, FunctionResult]:
    """Each proposal with a patch, by the name of its file."""
    return {patch_name(function): function for function in words.proven(result) if function.patch}


def patch_name(function: FunctionResult) -> str:
    """The file name for a proposal's patch: safe on every file system; the same for the same patch alone."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", f"{Path(function.path).stem}-{function.name}").strip("-")[:60]
    # A name may be defined twice in a file, with the same signature.
    whole = "\0".join([function.path, function.name, function.signature, function.patch or ""])
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{stem or 'function'}-{digest}.patch"


def _replace(path: Path, text: str) -> Path:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        # newline="" keeps the CR of patches to CRLF files.
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path
