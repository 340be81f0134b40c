"""Likely secrets in a text that is about to leave the machine. The value itself is never part of an answer."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

_KINDS = (
    (
        "private key",
        re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d"),
    ),
    ("GitHub token", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}\b")),
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b")),
    ("Anthropic key", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}")),
    ("OpenAI key", re.compile(r"\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{32,}")),
    ("Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])")),
    ("Google OAuth secret", re.compile(r"\bGOCSPX-[0-9A-Za-z_-]{20,}|\bya29\.[0-9A-Za-z_-]{20,}")),
    ("Azure key", re.compile(r"AccountKey=[A-Za-z0-9+/]{40,}|SharedAccessKey=[A-Za-z0-9+/]{20,}")),
    (
        "Slack token",
        re.compile(r"\bxox[abeposr]-[0-9A-Za-z-]{10,}|\bhooks\.slack\.com/services/T\w+/B\w+/\w+"),
    ),
    ("Stripe key", re.compile(r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}|\bwhsec_[0-9A-Za-z]{20,}")),
    ("GitLab token", re.compile(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas)-[0-9A-Za-z_-]{20,}")),
    ("npm token", re.compile(r"\bnpm_[0-9A-Za-z]{36}\b")),
    ("PyPI token", re.compile(r"\bpypi-[0-9A-Za-z_-]{50,}")),
    ("Hugging Face token", re.compile(r"\bhf_[0-9A-Za-z]{30,}\b")),
    ("SendGrid key", re.compile(r"\bSG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}")),
    ("Twilio key", re.compile(r"\bSK[0-9a-f]{32}\b")),
    ("bot token", re.compile(r"\b\d{8,10}:AA[0-9A-Za-z_-]{33}\b")),
    ("JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    ("authorization header", re.compile(r"(?i)\b(?:bearer|basic) (?=[\w+/.=-]*\d)[A-Za-z0-9+/_.=-]{20,}")),
    (
        "URL with a password",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,64}:[^\s/:@\"'{}$<>]{4,64}@"),
    ),
)
# A name that says so, then at most a type, then a string: `API_KEY: &str = "..."`, `{"password": "..."}`, `setToken("...")`.
_NAMED = re.compile(
    r"""(?ix)
    (?: password | passwd | passphrase | pwd | secret | token | credential | api[_-]?key | access[_-]?key | private[_-]?key
      | signing[_-]?key | encryption[_-]?key | auth[_-]?key | hmac[_-]?key | account[_-]?key )
    [\w-]{0,40} ["'\])]{0,3} \s{0,9} (?: : [^=\n"'`]{0,40} | (?:\[\])? \s{0,9} )
    (?: = | := | => | : | \( | , )? \s{0,9} [a-z]{0,2} ["'`] ([^"'`\s\\]{12,200}) ["'`]
    """
)
_WORDS = re.compile(r"[A-Za-z]+(?:[_./:-][A-Za-z]+)*")  # an identifier, a path: no value that was drawn
_CLASS = re.compile(r"\[[^\]]{0,50}\w-\w")  # a regular expression
_QUOTED = re.compile(r"""["'`]([A-Za-z0-9+/_=-]{32,200})["'`]""")
_NAMED_BITS, _HEX_BITS, _DRAWN_BITS = 3.0, 2.7, 4.2  # a character; English and identifiers stay below
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")


def find_secret(text: str) -> str | None:
    """The kind of the first likely secret in `text`; None when there is none."""
    for kind, pattern in _KINDS:
        if pattern.search(text):
            return kind
    for match in _NAMED.finditer(text):
        value = match.group(1)
        bits = _HEX_BITS if _HEX.fullmatch(value) else _NAMED_BITS
        if not _WORDS.fullmatch(value) and not _CLASS.search(value) and _entropy(value) >= bits:
            return "named password or key"
    for match in _QUOTED.finditer(text):
        if _drawn(match.group(1)):
            return "random text that looks like a key"
    return None


def _drawn(text: str) -> bool:
    """Does it look drawn at random from letters of both cases and digits? Alphabets, paths, identifiers and digests do not."""
    if not (any(map(str.isdigit, text)) and any(map(str.isupper, text)) and any(map(str.islower, text))):
        return False
    follows = sum(ord(right) - ord(left) in {0, 1} for left, right in pairwise(text))
    return follows < len(text) / 4 and _entropy(text) >= min(_DRAWN_BITS, 0.9 * math.log2(len(text)))


def _entropy(text: str) -> float:
    """Bits a character, from how often each occurs in the text itself."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
