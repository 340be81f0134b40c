from __future__ import annotations

import html
import re

import cmarkgfm
from cmarkgfm.cmark import Options
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


def github(text: str) -> str:
    """As GitHub's own parser renders it, with its extensions; raw HTML is let through."""
    return cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)


@given(WILD)
def test_prose_is_text_to_githubs_parser(text: str) -> None:
    rendered = github(f"x {escape.prose(text)}")
    assert re.fullmatch(r"<p>[^<>]*</p>\n", rendered)
    seen = html.unescape(rendered)[3:-5]
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w", seen, re.IGNORECASE)
    assert seen.replace("\u200b", "").rstrip() == f"x {escape.shorten(escape.plain(text), 600)}".rstrip()


@given(WILD)
def test_code_is_code_to_githubs_parser(text: str) -> None:
    rendered = github(f"| a | b |\n|---|---|\n| {escape.code(text)} | end |\n")
    cell = re.search(r"<tbody>\n<tr>\n<td>(.*)</td>\n<td>end</td>\n</tr>\n</tbody>", rendered)
    assert cell
    inner = re.fullmatch(r"<code>([^<>]*)</code>|–", cell[1])
    assert inner
    assert html.unescape(inner[1] or "–").replace("\u200b", "") == (
        escape.shorten(escape.plain(text), 200) or "–"
    )


@given(WILD)
def test_a_summary_line_is_one_line_of_code(text: str) -> None:
    rendered = github(f"<details><summary>{escape.html(text)}: x</summary>\n\nbody\n\n</details>")
    assert re.fullmatch(
        r"<details><summary><code>[^<>\n]*</code>: x</summary>\n<p>body</p>\n</details>\n", rendered
    )


@given(WILD)
def test_a_fence_is_one_block_to_githubs_parser(text: str) -> None:
    rendered = github(f"{escape.fence(escape.block(text), 'diff')}\n\nend")
    assert re.fullmatch(r'<pre lang="diff"><code>[^<>]*</code></pre>\n<p>end</p>\n', rendered)


def test_the_length_is_capped() -> None:
    assert len(escape.shorten("word " * 1000, 600)) <= 600
    assert escape.shorten("word " * 1000, 600).endswith("…")
