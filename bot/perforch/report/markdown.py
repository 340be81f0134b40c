"""The summary comment, also written as `review.md`: verdict first, then evidence while the budget lasts.

GitHub refuses a body above 65,536 characters; the budget is 60,000 UTF-8 bytes, which is below that however
it is counted. Each block is complete in itself (fences and `<details>` closed), and taken whole or left out.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from perforch.report import blocks, escape, table, words
from perforch.report.links import Links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.result import Result

BUDGET = 60_000
MARKER = "<!-- perforch:summary v=1 id=default -->"
_OMITTED = "\n\n*{count} more {noun} not shown here; the complete report is in the artifact of the run.*"


def data_line(*, head: str, run: str = "", extra: dict[str, object] | None = None) -> str:
    """A hidden line that a later run reads back from our own comment: head revision, run id, schema."""
    document = {"head": head, "run": run, "schema": 1, **(extra or {})}
    # `--` and `>` would end the HTML comment.
    text = json.dumps(document, sort_keys=True).replace("-", "\\u002d").replace(">", "\\u003e")
    return f"<!-- perforch:data {text} -->"


def read_data_line(body: str) -> dict[str, object]:
    """The document of `data_line` in one of our comments; {} if there is none."""
    found = re.search(r"^<!-- perforch:data (\{.*\}) -->$", body, re.MULTILINE)
    try:
        document = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def review(
    result: Result,
    *,
    links: Links | None = None,
    remarks: Sequence[str] = (),
    data: str = "",
    budget: int = BUDGET,
) -> str:
    """The whole comment: marker, verdict, table, proposals, what was rejected, environment, how to repeat it.

    Args:
        result: an untrusted record; everything in it is escaped.
        links: what to point to.
        remarks: our own Markdown sentences that stand above the table, such as "the head moved".
        data: a line of `data_line` to carry; built from the result if empty.
        budget: bytes of UTF-8.
    """
    links = links or Links()
    head = "\n".join(
        [MARKER, data or data_line(head=result.head_sha), f"### perforch: {words.headline(result)}"]
    )
    foot = blocks.footer(result, links)
    parts = [head, *(part for part in (blocks.lead(result), *remarks) if part), table.table(result, links)]
    room = budget - len(foot.encode()) - len(_OMITTED) - 16
    body = "\n\n".join(parts)
    if len(body.encode()) > room:
        body = "\n\n".join([head, table.table(result, links, rows=3)])
    if len(body.encode()) > room:
        body = head
    omitted = 0
    for variants in blocks.details(result, links):
        for block in variants:
            if len(body.encode()) + len(block.encode()) + 2 <= room:
                body += f"\n\n{block}"
                break
        else:
            omitted += 1
    if omitted:
        body += _OMITTED.format(count=omitted, noun="section" if omitted == 1 else "sections")
    return f"{body}\n\n{foot}\n"


def summary_line(result: Result) -> str:
    """The verdict as plain text, for logs and check titles."""
    return escape.plain(words.headline(result))
