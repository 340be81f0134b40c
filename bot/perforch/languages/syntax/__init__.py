"""What is in a source file: functions, imports, names, and a form of it that ignores comments and layout.

Grammars are those of tree-sitter, one module a language. Nothing here raises on any bytes and nothing here
runs anything;
what the grammar does not understand is left out and said so by `has_errors`.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from perforch.languages.syntax import cpp, go, java, python, repair, rust
from perforch.languages.syntax.banner import banner as banner_of
from perforch.languages.syntax.cpp_macros import without_any, without_macros
from perforch.languages.syntax.definition import build, line_starts
from perforch.languages.syntax.features import features_of
from perforch.languages.syntax.model import Definition, Features, Parsed
from perforch.languages.syntax.paths import is_test_path, language_of
from perforch.languages.syntax.tokens import stream, tokens
from perforch.languages.syntax.tree import parse, text, walk
from perforch.result import Language

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from perforch.languages.syntax.tree import Grammar

__all__ = [
    "Definition",
    "Features",
    "Parsed",
    "banner",
    "calls",
    "definitions",
    "features",
    "identifiers",
    "imports",
    "is_test_path",
    "language_of",
    "normalised",
    "normalised_spans",
    "same_text",
    "test_functions",
]

GRAMMARS: dict[Language, Grammar] = {
    Language.PYTHON: python.GRAMMAR,
    Language.JAVA: java.GRAMMAR,
    Language.CPP: cpp.GRAMMAR,
    Language.GO: go.GRAMMAR,
    Language.RUST: rust.GRAMMAR,
}


def definitions(language: Language, source: bytes) -> Parsed:
    """The functions of a file in source order. Never raises; time grows linearly with the size.

    Where the file does not parse, the functions beside the broken place are still found.
    """
    shown, cut = _understood(language, source)
    found, declared = _find(language, shown, source)
    root = parse(language, shown).root_node
    if not root.has_error and not cut:
        return Parsed(tuple(found), tuple(declared), has_errors=False)
    if cut:
        # What was taken out is still named, as far as it can be.
        was, _ = _find(language, source, source)
        blanked = [one for one in was if not shown[one.body_start : one.body_end].strip()]
        found = [*found, *(replace(one, has_error=True) for one in blanked)]
        found.sort(key=_place)
    sound = [(one.first_byte, one.last_byte) for one in found if not one.has_error]
    lost = cut or len(sound) < len(found) or repair.loses(language, root, sound)
    return Parsed(tuple(found), tuple(declared), has_errors=lost)


def _find(language: Language, shown: bytes, source: bytes) -> tuple[list[Definition], list[Definition]]:
    """Functions with and without a body by the tree of `shown`, with texts of `source`."""
    grammar = GRAMMARS[language]
    starts = line_starts(source)
    found: list[Definition] = []
    declared: list[Definition] = []
    for one in grammar.find(parse(language, shown).root_node):
        made = build(one, grammar, source, starts)
        if made.is_stub and shown[made.body_start : made.body_end] != source[made.body_start : made.body_end]:
            made = replace(made, is_stub=False)
        (found if one.body is not None else declared).append(made)
    found.sort(key=_place)
    declared.sort(key=_place)
    return found, declared


@functools.lru_cache(maxsize=4)
def _understood(language: Language, source: bytes) -> tuple[bytes, bool]:
    """The source, with what the grammar stumbles over blanked where that helps, and whether functions are lost by that."""
    shown = without_macros(source) if language is Language.CPP else source
    if not parse(language, shown).root_node.has_error:
        return shown, False

    def sound(candidate: bytes) -> frozenset[tuple[str, int]]:
        found = GRAMMARS[language].find(parse(language, candidate).root_node)
        return frozenset(
            (f"{one.owner}.{one.simple_name}", one.first.start_byte) for one in found if not one.has_error
        )

    variants = [shown]
    if language is Language.CPP:
        variants.append(without_any(source))
    elif language is Language.PYTHON:
        variants.append(repair.without_stars(source))
    tried = [repair.mended(language, variant, sound, outline=source) for variant in dict.fromkeys(variants)]
    return max(tried, key=lambda candidate: len(sound(candidate[0])))


def _place(definition: Definition) -> int:
    return definition.declaration_start


def banner(language: Language, source: bytes) -> bytes:
    """What the file says about itself: comments above its first function or type, annotations of its classes."""
    return banner_of(parse(language, source).root_node, GRAMMARS[language])


def test_functions(language: Language, source: bytes) -> tuple[Definition, ...]:
    """What a test runner would run; macro cases of gtest, Catch2 and doctest included (`Suite.Name`)."""
    return tuple(one for one in definitions(language, source).definitions if one.is_test_case)


test_functions.__test__ = False  # type: ignore[attr-defined]


def imports(language: Language, source: bytes) -> frozenset[str]:
    """Modules, classes or headers that the file imports, by the name in the source.

    `from a import b` and Rust use lists give every full path (`a.b`, and `a`); C++ gives header paths, Go
    package paths.
    """
    return frozenset(name for name in GRAMMARS[language].imports(parse(language, source).root_node) if name)


def identifiers(language: Language, source: bytes) -> frozenset[str]:
    """Every name that the source mentions, outside comments and strings."""
    wanted = GRAMMARS[language].identifiers
    return frozenset(text(node) for node in walk(parse(language, source).root_node) if node.type in wanted)


def features(language: Language, source: bytes) -> Features:
    """What a piece of source is made of: names, calls, operators, loops."""
    return features_of(parse(language, source).root_node, GRAMMARS[language])


def calls(language: Language, source: bytes) -> frozenset[str]:
    """Last names of everything that the source calls."""
    return features(language, source).calls


def normalised(language: Language, source: bytes) -> bytes:
    """The tokens without comments, documentation and layout; equal bytes mean the same program text.

    Python keeps its statement and block structure, Go its statement ends.
    """
    return tokens(parse(language, source).root_node, GRAMMARS[language])


def normalised_spans(
    language: Language, source: bytes, spans: Iterable[tuple[int, int]]
) -> tuple[bytes, ...]:
    """`normalised` of parts of one file, parsed once; a part is a span of bytes that holds whole nodes."""
    return tuple(b" ".join(_stream(language, source, span)) for span in spans)


def same_text(
    language: Language, before: bytes, old: tuple[int, int], after: bytes, new: tuple[int, int]
) -> bool:
    """Are two parts of two files the same program text? Reads on only to the first difference."""
    pairs = zip_longest(_stream(language, before, old), _stream(language, after, new))
    return all(one == other for one, other in pairs)


def _stream(language: Language, source: bytes, span: tuple[int, int]) -> Iterator[bytes]:
    shown, _ = _understood(language, source)
    # Where something was taken out of the part itself, it still counts.
    read = shown if shown[span[0] : span[1]] == source[span[0] : span[1]] else source
    return stream(parse(language, read).root_node, GRAMMARS[language], span=span)
