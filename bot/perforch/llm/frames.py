"""Messages between the main process and its courier: four bytes of length, big-endian, then a JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = 4


def pack(document: Mapping[str, Any]) -> bytes:
    """Make the bytes of one message."""
    data = json.dumps(document).encode()
    return len(data).to_bytes(HEAD, "big") + data


def length(head: bytes) -> int:
    """How many bytes follow the head of a message."""
    return int.from_bytes(head, "big")


def unpack(data: bytes) -> dict[str, Any]:
    """Read what follows the head."""
    document = json.loads(data)
    assert isinstance(document, dict)
    return document


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one message from a blocking stream; None at its end, also in the middle of a message."""
    try:
        head = stream.read(HEAD)
        if len(head) < HEAD:
            return None
        size = length(head)
        data = stream.read(size)
    except (OSError, ValueError):
        return None
    return unpack(data) if len(data) == size else None
