from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from perforch.report import escape

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
WILD = st.text() | st.lists(
    st.sampled_from(
        ["@octocat", "#12", "GH-3", "fixes o/r#4", "<img src=x>", "[a](http://b)", "![i](u)", "http://x.y", "www.a.b", "`", "```",
         "|", "\n", "\u202e", "/perforch", "**", "<!--", "&lt;", "1. ", "- ", "> ", "deadbeef01", "~~", "$x$", "\\", "a"]
    )
).map("".join)  # fmt: skip


@given(WILD)
def test_prose_has_no_effect(text: str) -> None:
    written = escape.prose(text)
    tokens = [child for token in MARKDOWN.parse(written) for child in (token.children or [token])]
    kinds = {token.type for token in tokens} - {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
    }
    assert not kinds
    shown = "".join(token.content for token in tokens if token.type in {"text", "text_special"})
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w", shown, re.IGNORECASE)
    assert not re.search(r"\b[0-9a-f]{7,64}\b", shown, re.IGNORECASE)
    assert not written.startswith("/")
    assert "\n" not in written
    assert shown.replace("\u200b", "") == escape.shorten(escape.plain(text), 600)


@given(WILD)
def test_code_is_one_code_span_and_keeps_a_table_row_whole(text: str) -> None:
    rows = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {escape.code(text)} | end |\n")
    cells = [token for token in rows if token.type == "inline"]
    assert len(cells) == 4
    assert cells[3].content == "end"


@given(WILD)
def test_a_fence_holds_its_text(text: str) -> None:
    text = escape.block(text)
    tokens = MARKDOWN.parse(escape.fence(text, "diff"))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content == (f"{text}\n" if text else "")


def test_the_length_is_capped() -> None:
    assert len(escape.shorten("word " * 1000, 600)) <= 600
    assert escape.shorten("word " * 1000, 600).endswith("…")
