"""Foreign text in GitHub-flavoured Markdown: shown as it is, without any effect.

Everything that comes from a repository, a model or an artifact passes through here. GitHub looks for
mentions and references in the rendered text, so character references alone do not silence them: a zero-width
space does (Renovate and Dependabot do the same).
"""

from __future__ import annotations

import re
import unicodedata

_ZERO_WIDTH_SPACE = "&#8203;"
# Bidirectional controls ("Trojan Source"), zero-width and other invisible formatting characters.
_INVISIBLE = re.compile(
    "[\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DECEPTIVE = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REFERENCES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": f"@{_ZERO_WIDTH_SPACE}",
    "#": f"\\#{_ZERO_WIDTH_SPACE}",
    "$": f"${_ZERO_WIDTH_SPACE}",
}
_ACTIVE = re.compile(
    r"""
    ^/                                          # a command at the start of a line
    | ^\d+[.)](?=\s|$)                          # a numbered list
    | ://                                       # an address with a scheme
    | (?:www|ftp)\.                             # an address without one
    | GH-(?=\d)                                 # an issue
    | [0-9a-f]{6}(?=[0-9a-f])                   # a commit: seven hexadecimal digits are enough
    | [&<>@\#$]
    | [\\`*_{}\[\]()!|~^+=-]
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SAFE_CODE = re.compile(r"[^`|\n]+")


def plain(text: str) -> str:
    """One line without control, bidirectional and invisible characters; white space is folded."""
    text = "".join(character if not "\ud800" <= character <= "\udfff" else "\ufffd" for character in text)
    text = re.sub(r"\s+", " ", text)
    return _CONTROL.sub("", _INVISIBLE.sub("", text)).strip()


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word where one is near; the cut is shown."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ")
    # A combining mark must not lose its base character, nor start the text that follows the cut.
    head = head[:space] if space > limit * 2 // 3 else head
    while head and unicodedata.combining(head[-1]):
        head = head[:-1]
    return head.rstrip() + "…"


def prose(text: str, limit: int = 600) -> str:
    """Foreign prose as inline Markdown without mentions, references, links, images, HTML, emphasis or math.

    The result is one line of at most `limit` visible characters, and never starts with `/`.
    """
    return _ACTIVE.sub(_silence, shorten(plain(text), limit))


def _silence(found: re.Match[str]) -> str:
    """The inert form of one active place of the text."""
    text = found[0]
    if text in _REFERENCES:
        return _REFERENCES[text]
    if text == "/":
        return "&#47;"
    if text[0].isdigit() and text[-1] in ".)":
        return f"{text[:-1]}\\{text[-1]}"
    if text == "://" or text[-1] == ".":
        return f"{text[:-1]}{_ZERO_WIDTH_SPACE}{text[-1]}"
    if len(text) > 1:
        # `GH-` before a number, or the first six digits of what would be a commit hash.
        return text.replace("-", "\\-") + _ZERO_WIDTH_SPACE
    return f"\\{text}"


def code(text: str, limit: int = 200) -> str:
    """Foreign text as inline code, safe in a table cell; an en dash for nothing."""
    text = shorten(plain(text), limit)
    if not text:
        return "–"
    if _SAFE_CODE.fullmatch(text) and not text.endswith("\\"):
        return f"`{text}`"
    return _html(text)  # a back-tick or a bar


def _html(text: str) -> str:
    """Inline HTML around text that Markdown still reads: references to characters cannot be structure (CommonMark 6.2).

    GitHub links an address without looking at the tags around it, and an e-mail address even if it is spelt in references.
    """
    inner = "".join(c if c.isalnum() or c == " " or ord(c) > 127 else f"&#{ord(c)};" for c in text)
    return f"<code>{inner.replace('&#64;', f'&#64;{_ZERO_WIDTH_SPACE}')}</code>"


def fence(text: str, info: str = "") -> str:
    """A fenced block around `text`, one newline before the closing fence; empty text gives an empty block.

    The fence is one longer than the longest run of back-ticks anywhere in the text, and at least three long.
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    body = f"{text}\n" if text else ""
    return f"{ticks}{info}\n{body}{ticks}"


def block(text: str) -> str:
    """Foreign lines fit for a fence: control and invisible characters are made visible."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    visible = _CONTROL.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)
    return _INVISIBLE.sub(lambda found: f"<U+{ord(found[0]):04X}>", visible)


def deceptive(text: str) -> bool:
    """Whether `text` holds bidirectional controls, which make source look like other source."""
    return _DECEPTIVE.search(text) is not None


def html(text: str, limit: int = 200) -> str:
    """Foreign text as code inside an HTML block such as `<summary>`, where Markdown does not reach."""
    return _html(shorten(plain(text), limit))
