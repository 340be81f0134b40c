"""Path patterns of the configuration: `*`, `?`, `[...]` inside a folder, `**` across folders."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Does any pattern match the whole path?

    `src` and `src/` mean everything below; a pattern without a slash also matches in every folder below
    the top.
    """
    return any(_compiled(pattern).fullmatch(path) is not None for pattern in patterns)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    body = pattern.removeprefix("./").removeprefix("/")
    out = "" if "/" in body.rstrip("/") or body.startswith("**") else "(?:.*/)?"
    index = 0
    while index < len(body):
        mark = body[index]
        if body.startswith("**/", index):
            out += "(?:.*/)?"
            index += 3
            while body.startswith("**/", index):
                index += 3
        elif body.startswith("**", index):
            out += ".*"
            index += len(body[index:]) - len(body[index:].lstrip("*"))
        elif mark == "*":
            out += "[^/]*"
            index += 1
        elif mark == "?":
            out += "[^/]"
            index += 1
        elif mark == "[" and "]" in body[index + 2 :]:
            close = body.index("]", index + 2)
            inside = re.sub(r"([\\\[&~|])", r"\\\1", body[index + 1 : close])
            out += "[" + ("^" + inside[1:] if inside.startswith("!") else inside) + "]"
            index = close + 1
        else:
            out += re.escape(mark)
            index += 1
    last = body.rstrip("/").rpartition("/")[2]
    below = "" if set("*?[") & set(last) else "(?:/.*)?"
    try:
        return re.compile(out.removesuffix("/") + below, re.DOTALL)
    except re.error:
        return re.compile(re.escape(body))
