"""C++ macros that stand where the grammar expects none: blanked, so that what is around them is understood.

`EXPORT std::string f() NOEXCEPT {`, `class EXPORT Name : Base {`, `BEGIN_NAMESPACE` alone on a line. A macro is what is written
in capitals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import blank, parse, wrong
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 2 * 1024 * 1024
_NAME = rb"_*[A-Z][A-Z0-9_]{2,}"
_CALL = _NAME + rb"(?:\([^()\n]{0,200}\))?"
_TEMPLATE = rb"^[ \t]*(?:template[ \t]*<[^\n;{}]{0,300}>[ \t]*)?"
_WORDS = rb"(?:(?:static|inline|virtual|explicit|constexpr|friend|extern)[ \t]+){0,4}"
_ALONE = re.compile(rb"^[ \t]*()(" + _NAME + rb"(?:\([\w, \t\"<>:*&.]{0,200}\))?)[ \t]*\r?$", re.MULTILINE)
_CLASS = re.compile(
    rb"("
    + _TEMPLATE
    + rb"(?:typedef[ \t]+)?(?:class|struct|union|enum(?:[ \t]+class)?)[ \t]+)("
    + _CALL
    + rb")(?=[ \t]+(?!final\b)[\w:]+(?:[ \t]+final)?\s*(?::[^:]|\{))",
    re.MULTILINE,
)
# Behind the macro there must be left a type and a name, a destructor, an operator, or a constructor with its initialisers.
_FRONT = re.compile(
    rb"(" + _TEMPLATE + _WORDS + rb")((?:" + _CALL + rb"[ \t]+){1,3})"
    rb"(?=~|operator\b|\w+[ \t]*\([^;{}\n]{0,300}\)[^;{}\n:]{0,50}:[^:]"
    rb"|[\w:]+(?:[ \t]*<[^\n;{}]{0,300}>)?[\w:\s*&<>,]{0,200}[\s*&>](?:[\w:]+::~?)?\w+[ \t]*\()",
    re.MULTILINE,
)
_BEHIND = re.compile(
    rb"(\)(?:\s|const\b|noexcept\b|override\b|final\b|&){0,8}\s)("
    + _CALL
    + rb"(?:[ \t]+"
    + _CALL
    + rb"){0,2})"
    rb"(?=\s*(?:\{|override\b|final\b|const\b|noexcept\b|->|:[^:]))"
)
_SURELY = re.compile(rb"BEGIN|END\b|END_|_END|NAMESPACE|OBJECT|GADGET|DECL")
_NAMED = re.compile(rb"\r?\n[ \t]*(?:\{|(?:[A-Z_][A-Z0-9_]*[ \t]+){0,3}[*&]*[\w:~]+[ \t]*\()")
_SILENT = (_ALONE, _CLASS)
_KINDS = (*_SILENT, _FRONT, _BEHIND)


def without_macros(source: bytes) -> bytes:
    """The source with those macros blanked that stand in the way; lengths and line ends stay."""
    if len(source) > MAX_BYTES:
        return source
    # These mislead without an error, too: `END_NAMESPACE` and the next `namespace {` make a function.
    candidate = source
    for pattern in _SILENT:
        candidate = pattern.sub(_blanking(candidate), candidate)
    worst = _errors(source)
    if candidate != source and (errors := _errors(candidate)) <= worst:
        source, worst = candidate, errors
    # All at once, for a class is lost as long as one of its members is; else one kind at a time.
    for patterns in (_KINDS, *((kind,) for kind in _KINDS)):
        if not worst:
            break
        candidate = source
        for pattern in patterns:
            candidate = pattern.sub(_blanking(candidate), candidate)
        errors = _errors(candidate) if candidate != source else worst
        if errors < worst:
            source, worst = candidate, errors
            if patterns is _KINDS:
                break
    return source


def without_any(source: bytes) -> bytes:
    """The source with all such macros blanked, for a file that is broken anyhow."""
    for pattern in _KINDS if len(source) <= MAX_BYTES else ():
        source = pattern.sub(_blanking(source), source)
    return source


def _blanking(source: bytes) -> Callable[[re.Match[bytes]], bytes]:
    def replace(found: re.Match[bytes]) -> bytes:
        start = found.start(2)
        line = source[source.rfind(b"\n", 0, start) + 1 : start].lstrip()
        if line.startswith((b"//", b"*", b"/*", b"#")) or (found.re is _ALONE and _belongs(source, found)):
            return found[0]
        begin, end = found.start(2) - found.start(), found.end(2) - found.start()
        return found[0][:begin] + blank(found[2]) + found[0][end:]

    return replace


def _belongs(source: bytes, found: re.Match[bytes]) -> bool:
    """A macro under documentation or `template <...>` is a part of the function below, one above `name(` its type."""
    end = max(0, found.start() - 1)
    above = source[source.rfind(b"\n", 0, end) + 1 : end].strip()
    if above.startswith(b"//") or above.endswith((b"*/", b">")):
        return True
    return not _SURELY.search(found[2]) and _NAMED.match(source, found.end()) is not None


def _errors(source: bytes) -> int:
    """Bytes that are not understood, and tokens that are missing."""
    root = parse(Language.CPP, source).root_node
    return sum(max(1, node.end_byte - node.start_byte) for node in wrong(root))
