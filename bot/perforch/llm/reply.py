"""From what a model said to the new text of one function, or a refusal with its own outcome.

Only the span of the function is ever taken from a reply. What a reply adds elsewhere is refused, not dropped in silence: code that needs
it would be another program than the one that was proposed.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.llm.blocks import Block, blocks
from perforch.llm.fitting import fit
from perforch.llm.refusal import Refusal, RefusedError, refuse
from perforch.result import Language, Stage

__all__ = ["Candidate", "Refusal", "parse", "splice"]

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perforch.changes.function import Function
    from perforch.languages.syntax import Definition

MAX_BYTES = 200_000
# Standard modules without state, files, clocks or processes; Python may import them inside the function.
_PYTHON_INSIDE = {
    "array", "base64", "binascii", "bisect", "cmath", "collections", "copy", "dataclasses", "decimal", "enum", "fractions",
    "functools", "hashlib", "heapq", "html", "itertools", "json", "math", "numbers", "operator", "re", "statistics", "string",
    "struct", "textwrap", "typing", "unicodedata", "zlib",
}  # fmt: skip
_WRAPPERS = {
    Language.PYTHON: ("class _Wrapper:\n", "", "    "),
    Language.JAVA: ("class Wrapper {\n", "}\n", ""),
    Language.CPP: ("struct Wrapper {\n", "};\n", ""),
    Language.GO: ("package wrapper\n\n", "", ""),
    Language.RUST: ("impl Wrapper {\n", "}\n", ""),
}
# Lines outside any function that change nothing: comments, imports (compared apart), headers and ends of enclosing scopes.
_HARMLESS = re.compile(
    r"^(//|/\*|\*|#(?!\s*(define|pragma\s+(?!once)|undef))|@file|package\b|import\b|from\b.*\bimport\b|use\b|using\s+namespace\b|"
    r"(pub(\(\w+\))?\s+)?(class|struct|impl|namespace|mod|trait|interface|enum|record)\b|(public|private|protected)?\s*(abstract\s+|final\s+|static\s+|sealed\s+)*"
    r"(class|interface|enum|record)\b|(public|private|protected)\s*:|template\b|extern\s+\"C\"|[{}();]+,?$|\.\.\.$|pass$|\")"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The new text of the span, in the file's own newline style.

    Attributes:
        digest: sha256 of its tokens; equal digests are the same program text.
        changed_lines: lines added or removed.
    """

    text: str
    digest: str
    changed_lines: int


def parse(
    text: str,
    function: Function,
    language: Language,
    *,
    head_source: bytes,
    stage: Stage,
    helpers_allowed: bool = False,
) -> Candidate | Refusal:
    """Take the function out of a reply.

    Args:
        function: the one that was asked about, as it stands in `head_source`.
        head_source: the whole file.
        stage: only for the wording of refusals.
        helpers_allowed: new functions beside the target are accepted (none of today's prompts allows them).
    """
    try:
        return _parse(text, function, language, head_source, helpers_allowed=helpers_allowed)
    except RefusedError as error:
        return error.refusal


def splice(head_source: bytes, function: Function, candidate: Candidate) -> bytes:
    """The file with the candidate in the function's place."""
    return head_source[: function.start_byte] + candidate.text.encode() + head_source[function.end_byte :]


def _parse(
    text: str, function: Function, language: Language, head_source: bytes, *, helpers_allowed: bool
) -> Candidate:
    if not text.strip():
        refuse("the reply is empty")
    if len(text.encode(errors="replace")) > MAX_BYTES:
        refuse(f"the reply is longer than {MAX_BYTES} bytes")
    if "\0" in text:
        refuse("the reply holds NUL characters")
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head = _in_file(function, language, head_source)
    found = _choose(blocks(plain), function, language)
    target, parsed_code, others = found.target, found.code, found.others
    if not found.block.closed and target.has_error:
        refuse("the reply was cut off inside the function")
    if _folded(target.signature) != _folded(head.signature):
        refuse(f"the signature changed: {target.signature[:200]}")
    _check_others(others, parsed_code, language, head_source, helpers_allowed=helpers_allowed)
    _check_outside(parsed_code, (target, *others), head_source)
    _check_imports(parsed_code, target, language, head_source)
    new = fit(parsed_code, target, function, head, language, head_source)
    return _checked(new, function, language, head_source)


def _in_file(function: Function, language: Language, source: bytes) -> Definition:
    for definition in syntax.definitions(language, source).definitions:
        if definition.start_byte == function.start_byte and definition.name == function.name:
            shared = [
                other
                for other in syntax.definitions(language, source).definitions
                if other is not definition and other.key != definition.key
                and other.start_byte < definition.end_byte and definition.start_byte < other.end_byte
            ]  # fmt: skip
            if shared:
                refuse(f"the function shares a line with {shared[0].name}")
            return definition
    return refuse("the function is not where it was")


@dataclass(frozen=True, slots=True)
class _Found:
    """The target in one block of the reply. `rank`: complete before broken, changed before repeated."""

    block: Block
    target: Definition
    code: bytes
    others: tuple[Definition, ...]
    rank: tuple[bool, bool]


def _choose(found: Iterable[Block], function: Function, language: Language) -> _Found:
    """The last of the best blocks that define the target."""
    best: _Found | None = None
    names: set[str] = set()
    original = _tokens_of(function.source.encode(), language)
    for block in found:
        one: _Found | None = None
        for code in (block.code, *block.longer):
            longer = _look(replace(block, code=code), function, language, original, names)
            if longer is not None and (one is None or longer.rank > one.rank):
                one = longer
            if one is None or one.rank[0]:
                break
        if one is not None and (best is None or one.rank >= best.rank):
            best = one
    if best is None:
        if names:
            refuse(f"the reply defines {', '.join(sorted(names)[:3])} instead of {function.name}")
        refuse("the reply holds no code for the function")
    return best


def _look(
    block: Block, function: Function, language: Language, original: bytes, names: set[str]
) -> _Found | None:
    for code in _readings(block.code, language):
        definitions = syntax.definitions(language, code).definitions
        names |= {definition.name for definition in definitions}
        matching = [definition for definition in definitions if _is_target(definition, function)]
        if not matching:
            continue
        exact = [one for one in matching if _folded(one.signature) == _folded(function.signature)]
        if len(exact or matching) > 1:
            refuse("the reply defines the function twice")
        target = (exact or matching)[0]
        others = tuple(one for one in definitions if one is not target)
        repeated = _tokens_of(code[target.start_byte : target.end_byte], language) == original
        return _Found(block, target, code, others, (not target.has_error, not repeated))
    return None


def _tokens_of(source: bytes, language: Language) -> bytes:
    """A function's tokens wherever it stands: its own lines, without the indentation of what encloses it."""
    return syntax.normalised(language, textwrap.dedent(source.decode(errors="replace")).encode())


def _readings(code: str, language: Language) -> Iterable[bytes]:
    """The block as it is, then as the inside of a class or file of its own."""
    yield code.encode(errors="replace")
    dedented = textwrap.dedent(code)
    if dedented != code:
        yield dedented.encode(errors="replace")
    before, after, indent = _WRAPPERS[language]
    yield (before + textwrap.indent(dedented, indent) + after).encode(errors="replace")


def _is_target(definition: Definition, function: Function) -> bool:
    if definition.simple_name != function.simple_name or definition.body_start < 0:
        return False
    owner = _parts(definition.owner)
    wanted = _parts(function.name)[:-1]
    if not owner or owner[-1].strip("_") == "Wrapper":
        return True
    # A reply may leave out outer scopes, but must not name others.
    return wanted[-len(owner) :] == owner


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("::", ".").split(".") if part]


def _folded(signature: str) -> str:
    return re.sub(r",(?=[)\]>])", "", "".join(signature.split()))


def _check_others(
    others: Iterable[Definition],
    code: bytes,
    language: Language,
    head_source: bytes,
    *,
    helpers_allowed: bool,
) -> None:
    """Other functions of the reply must be those of the file, word for word: only the target is taken."""
    known: dict[str, set[bytes]] = {}
    for one in syntax.definitions(language, head_source).definitions:
        known.setdefault(one.simple_name, set()).add(
            _tokens_of(head_source[one.start_byte : one.end_byte], language)
        )
    for other in others:
        if _tokens_of(code[other.start_byte : other.end_byte], language) in known.get(other.simple_name, ()):
            continue
        if other.simple_name in known:
            refuse(f"the reply changes other functions of the file: {other.name}")
        if not helpers_allowed:
            refuse(f"the reply adds a function beside the target: {other.name}")


def _check_outside(code: bytes, inside: Iterable[Definition], head_source: bytes) -> None:
    """Lines outside functions must be in the file already, or change nothing."""
    covered: set[int] = set()
    for definition in inside:
        covered.update(range(definition.start_line, definition.end_line + 1))
    known = {line.strip() for line in head_source.decode(errors="replace").splitlines()}
    for number, line in enumerate(code.decode(errors="replace").split("\n"), 1):
        stripped = line.strip()
        if number in covered or not stripped or stripped in known or _HARMLESS.match(stripped):
            continue
        refuse(f"the reply adds code outside the function: {stripped[:100]}")


def _check_imports(code: bytes, target: Definition, language: Language, head_source: bytes) -> None:
    present = syntax.imports(language, head_source)
    span = code[target.start_byte : target.end_byte]
    inside = syntax.imports(language, textwrap.dedent(span.decode(errors="replace")).encode())
    for name in sorted(syntax.imports(language, code) - present):
        if name not in inside:
            refuse(f"the reply adds the import {name}, which the file does not have")
        root = re.split(r"[.:/]", name)[0]
        allowed = {
            Language.PYTHON: root in _PYTHON_INSIDE,
            Language.RUST: root in {"std", "core", "alloc", "self", "super", "crate"},
        }
        if not allowed.get(language, False):
            refuse(f"the reply imports {name} inside the function")


def _checked(new: str, function: Function, language: Language, head_source: bytes) -> Candidate:
    candidate_bytes = new.encode()
    file = head_source[: function.start_byte] + candidate_bytes + head_source[function.end_byte :]
    before, after = syntax.definitions(language, head_source), syntax.definitions(language, file)
    old_rest = _rest(before.definitions, function.start_byte, language, head_source)
    new_rest = _rest(after.definitions, function.start_byte, language, file)
    if old_rest != new_rest:
        refuse("the reply changes other functions of the file")
    mine = next((one for one in after.definitions if one.start_byte == function.start_byte), None)
    if mine is None or mine.name != function.name:
        refuse("the reply does not fit into the place of the function")
    start, end = function.start_byte, function.start_byte + len(candidate_bytes)
    tokens = syntax.normalised_spans(language, file, [(start, end)])[0]
    old_tokens = syntax.normalised_spans(language, head_source, [(start, function.end_byte)])[0]
    if tokens == old_tokens:
        refuse("no change: the reply repeats the original")
    return Candidate(new, hashlib.sha256(tokens).hexdigest(), _changed_lines(function.source, new))


def _rest(
    definitions: Iterable[Definition], own: int, language: Language, source: bytes
) -> list[tuple[str, bytes]]:
    others = [one for one in definitions if one.start_byte != own]
    texts = syntax.normalised_spans(language, source, [(one.first_byte, one.last_byte) for one in others])
    return [(one.name, text) for one, text in zip(others, texts, strict=True)]


def _changed_lines(old: str, new: str) -> int:
    matcher = difflib.SequenceMatcher(a=old.splitlines(), b=new.splitlines(), autojunk=False)
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")
