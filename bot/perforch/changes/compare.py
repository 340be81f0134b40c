"""The functions of one file before and after: which are new, which are changed, which only look so."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.changes import origin
from perforch.changes.function import Function, Skip
from perforch.languages import syntax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.languages.syntax import Definition
    from perforch.result import Language


@dataclass(frozen=True, slots=True)
class File:
    """One changed file; `base` is None when it is new."""

    path: str
    base_path: str
    language: Language
    head: bytes
    base: bytes | None
    is_test: bool = False
    is_written: bool = False  # .gitattributes say that it is not generated, whatever it says itself


@dataclass(frozen=True, slots=True)
class Compared:
    """What changed in one file."""

    functions: tuple[Function, ...]
    skipped: tuple[Skip, ...]
    warnings: tuple[str, ...]


def compare(file: File) -> Compared:
    """Find added and modified functions; why a file is left alone as a whole. Comments, layout, moves and mere renames are no change."""
    reason = origin.by_content(file.language, file.head, signatures=not file.is_written)
    if reason:
        return Compared((), (Skip(file.path, "", reason),), ())
    head = syntax.definitions(file.language, file.head)
    base = syntax.definitions(file.language, file.base) if file.base is not None else None
    functions: list[Function] = []
    skipped: list[Skip] = []
    for before, after in _changed(file, base.definitions if base is not None else (), head.definitions):
        reason = ""
        if file.is_test or after.is_test:
            reason = "test code"
        elif after.has_error:
            reason = "cannot be parsed"
        if reason:
            skipped.append(Skip(file.path, after.name, reason))
        else:
            functions.append(_function(file, before, after))
    for _, after in _changed(file, base.declarations if base is not None else (), head.declarations):
        skipped.append(Skip(file.path, after.name, "declaration without a body"))
    if file.is_test and not skipped:
        skipped.append(Skip(file.path, "", "test code"))
    warnings = (f"{file.path}: parts of it cannot be parsed and were left out",) if head.has_errors else ()
    return Compared(tuple(functions), tuple(skipped), warnings)


def _function(file: File, before: Definition | None, after: Definition) -> Function:
    return Function(
        path=file.path,
        name=after.name,
        language=file.language,
        start_line=after.start_line,
        end_line=after.end_line,
        start_byte=after.start_byte,
        end_byte=after.end_byte,
        signature=after.signature,
        change="added" if before is None else "modified",
        source=file.head[after.start_byte : after.end_byte].decode("utf-8"),
        base_path=file.base_path if before is not None else None,
        base_source=_text(file.base, before) if before is not None and file.base is not None else None,
        docstring=after.docstring,
        is_stub=after.is_stub,
    )


def _text(source: bytes, definition: Definition) -> str:
    return source[definition.start_byte : definition.end_byte].decode("utf-8", "replace")


def _changed(
    file: File, old: Sequence[Definition], new: Sequence[Definition]
) -> list[tuple[Definition | None, Definition]]:
    if file.base is None:
        return [(None, after) for after in new]
    pairs, lost, gained = _pair(old, new)
    suspects = [
        (before, after) for before, after in pairs if _span(file.base, before) != _span(file.head, after)
    ]
    if not suspects and not gained:
        return []
    found: list[tuple[Definition | None, Definition]] = [
        (before, after)
        for before, after in suspects
        if not syntax.same_text(file.language, file.base, _range(before), file.head, _range(after))
    ]
    shapes: dict[bytes, int] = defaultdict(int)
    if lost and gained:
        gone = syntax.normalised_spans(file.language, file.base, map(_range, lost))
        for before, tokens in zip(lost, gone, strict=True):
            shapes[_shape(before, tokens)] += 1
        come = syntax.normalised_spans(file.language, file.head, map(_range, gained))
    else:
        come = (b"",) * len(gained)
    for after, tokens in zip(gained, come, strict=True):
        shape = _shape(after, tokens) if shapes else b""
        if shapes.get(shape):
            shapes[shape] -= 1  # the same function under another name
        else:
            found.append((None, after))
    found.sort(key=lambda pair: pair[1].declaration_start)
    return found


def _pair(
    old: Sequence[Definition], new: Sequence[Definition]
) -> tuple[list[tuple[Definition, Definition]], list[Definition], list[Definition]]:
    """Match by name and signature, then by name alone; duplicates in order."""
    pairs: list[tuple[Definition, Definition]] = []
    for by_signature in (True, False):
        waiting: dict[object, list[Definition]] = defaultdict(list)
        for one in reversed(old):
            waiting[one.key if by_signature else one.name].append(one)
        unmatched: list[Definition] = []
        for one in new:
            candidates = waiting[one.key if by_signature else one.name]
            if candidates:
                pairs.append((candidates.pop(), one))
            else:
                unmatched.append(one)
        taken = {id(before) for before, _ in pairs}
        old = [one for one in old if id(one) not in taken]
        new = unmatched
    return pairs, list(old), list(new)


def _range(definition: Definition) -> tuple[int, int]:
    return definition.first_byte, definition.last_byte


def _span(source: bytes, definition: Definition) -> bytes:
    return source[definition.first_byte : definition.last_byte]


def _shape(definition: Definition, tokens: bytes) -> bytes:
    """The tokens with the names of the function and of what it stands in blanked, so that a rename can be told."""
    words = re.findall(r"\w+", definition.owner)
    if re.fullmatch(r"~?\w+", definition.simple_name):
        words.append(definition.simple_name.lstrip("~"))
    marks = {word.encode(): b"\x05%d\x05" % place for place, word in reversed(list(enumerate(words)))}
    return b" ".join([marks.get(token, token) for token in tokens.split(b" ")]) if marks else tokens
