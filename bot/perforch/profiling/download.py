"""Data of suites by address and checksum, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from perforch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 64 << 20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_RETRIES = 2


def fetch(address: str, sha256: str, path: Path, *, hint: str) -> Path:
    """Download to `path` unless it is there already.

    What arrives is checked before it takes its name, so a download that was killed leaves nothing behind that counts.

    Raises:
        UsageError: the server cannot be reached, answers something else, or the content is not what it was when `sha256` was
            written down; `hint` says how to get the file by hand.
    """
    if path.is_file() and _digest(path) == sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            found = _stream(address, file.write, hint)
            file.flush()
            os.fsync(file.fileno())
        if found != sha256:
            message = f"{address} has the sha256 {found}, not {sha256}"
            raise UsageError(message, hint=hint)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def _stream(address: str, write: Callable[[bytes], int], hint: str) -> str:
    digest = hashlib.sha256()
    size = 0
    try:
        transport = httpx.HTTPTransport(retries=_RETRIES)
        with (
            httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=True) as client,
            client.stream("GET", address) as answer,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                size += len(chunk)
                if size > MAX_BYTES:
                    message = f"{address} sends more than {MAX_BYTES >> 20} MB"
                    raise UsageError(message, hint=hint)
                digest.update(chunk)
                write(chunk)
    except httpx.HTTPError as error:
        message = f"{address} cannot be fetched: {error or type(error).__name__}"
        raise UsageError(message, hint=hint) from error
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
