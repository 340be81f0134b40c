"""Output of untrusted programs, made fit for a prompt, a log and a comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 2048  # bytes of UTF-8

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_WORKFLOW = re.compile(r"^(\s*)(::|##\[)(?=\S)", re.MULTILINE)
_INSIDE = re.compile(r"(?<![\w/.])/(?:src|out)/")
_HOST = re.compile(
    r"(?<![\w/.])/(?:home|root|Users|runner|github|__w|tmp|var/tmp|mnt|work)/[^\s:'\"()<>,\]]*/"
)


def trimmed(text: str | bytes, *, hosts: Iterable[object] = (), limit: int = LIMIT) -> str:
    """Text without escape sequences, control characters, workflow commands and host paths, at most `limit` bytes.

    The head and the tail are kept when something has to go. Paths below the tree become relative to its root.

    Args:
        hosts: directories of the host whose names must not be shown, whatever they look like.
    """
    if isinstance(text, bytes):
        text = (
            text[: 64 * limit].decode("utf-8", "replace") if len(text) <= 64 * limit else _ends(text, limit)
        )
    text = _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _CONTROL.sub("", text)
    for host in sorted((str(host).rstrip("/") for host in hosts), key=len, reverse=True):
        if host:
            text = text.replace(host + "/", "").replace(host, ".")
    text = _INSIDE.sub("", text)
    text = _HOST.sub("", text)
    text = _WORKFLOW.sub(_defused, text)
    return capped(text.strip("\n"), limit)


def _defused(match: re.Match[str]) -> str:
    return match[1] + " ".join(match[2])


def _ends(data: bytes, limit: int) -> str:
    half = 32 * limit
    return data[:half].decode("utf-8", "replace") + "\n" + data[-half:].decode("utf-8", "replace")


def capped(text: str, limit: int = LIMIT) -> str:
    """At most `limit` bytes: one third from the head, two thirds from the tail, where compilers and tests say the most."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    mark = "\n[...]\n"
    room = max(0, limit - len(mark))
    head = data[: room // 3].decode("utf-8", "ignore")
    tail = data[len(data) - (room - room // 3) :].decode("utf-8", "ignore")
    return head + mark + tail
