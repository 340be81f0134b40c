"""Comment blocks of the C family as plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

_LINE = re.compile(r"^\s*//[/!]?<? ?")
_OPEN = re.compile(r"^\s*/\*[*!]*<? ?")
_STAR = re.compile(r"^\s*\*+ ?")


def plain(nodes: Sequence[Node]) -> str:
    """The text of these comments without their marks; attributes between them are left out."""
    lines: list[str] = []
    for node in nodes:
        content = text(node)
        if content.startswith("/*"):
            content = _OPEN.sub("", content).rstrip().removesuffix("/").rstrip("*").rstrip()
            inner = content.split("\n")
            starred = all(not line.strip() or line.lstrip().startswith("*") for line in inner[1:])
            lines += [inner[0], *(_STAR.sub("", line) if starred else line.strip() for line in inner[1:])]
        elif content.startswith("//"):
            lines.append(_LINE.sub("", content.rstrip("\n")))
    return "\n".join(line.rstrip() for line in lines).strip()
