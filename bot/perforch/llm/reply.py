"""From what a model said to the new text of one function, or a refusal with its own outcome.

Only the span of the function is ever taken from a reply. What a reply adds elsewhere is refused, not dropped in silence: code that needs
it would be another program than the one that was proposed.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.llm.blocks import Block, blocks
from perforch.result import Language, Outcome, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perforch.changes.function import Function
    from perforch.languages.syntax import Definition

MAX_BYTES = 200_000
# Standard modules without state, files, clocks or processes; Python may import them inside the function.
_PYTHON_INSIDE = {
    "array", "bisect", "collections", "dataclasses", "decimal", "fractions", "functools", "heapq", "itertools", "math", "operator",
    "re", "statistics", "string", "struct", "typing",
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the reply is no candidate."""

    outcome: Outcome
    detail: str


class _RefusedError(Exception):
    def __init__(self, detail: str, outcome: Outcome = Outcome.INVALID_REPLY) -> None:
        super().__init__(detail)
        self.refusal = Refusal(outcome, detail)


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
    except _RefusedError as error:
        return error.refusal


def splice(head_source: bytes, function: Function, candidate: Candidate) -> bytes:
    """The file with the candidate in the function's place."""
    return head_source[: function.start_byte] + candidate.text.encode() + head_source[function.end_byte :]


def _parse(
    text: str, function: Function, language: Language, head_source: bytes, *, helpers_allowed: bool
) -> Candidate:
    if not text.strip():
        raise _RefusedError("the reply is empty")
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise _RefusedError(f"the reply is longer than {MAX_BYTES} bytes")
    if "\0" in text:
        raise _RefusedError("the reply holds NUL characters")
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head = _in_file(function, language, head_source)
    block, target, parsed_code, others = _choose(blocks(plain), function, language)
    if not block.closed and target.has_error:
        raise _RefusedError("the reply was cut off inside the function")
    if _folded(target.signature) != _folded(head.signature):
        raise _RefusedError(f"the signature changed: {target.signature[:200]}")
    _check_others(others, language, head_source, helpers_allowed=helpers_allowed)
    _check_outside(parsed_code, (target, *others), head_source)
    _check_imports(parsed_code, target, language, head_source)
    new = _fit(parsed_code, target, function, head, language, head_source)
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
                raise _RefusedError(f"the function shares a line with {shared[0].name}")
            return definition
    raise _RefusedError("the function is not where it was")


def _choose(
    found: Iterable[Block], function: Function, language: Language
) -> tuple[Block, Definition, bytes, tuple[Definition, ...]]:
    """The last block that defines the target, complete ones first."""
    best: tuple[Block, Definition, bytes, tuple[Definition, ...]] | None = None
    names: set[str] = set()
    for block in found:
        for code in _readings(block.code, language):
            definitions = syntax.definitions(language, code).definitions
            names |= {definition.name for definition in definitions}
            matching = [definition for definition in definitions if _is_target(definition, function)]
            if not matching:
                continue
            exact = [one for one in matching if _folded(one.signature) == _folded(function.signature)]
            if len(exact or matching) > 1:
                raise _RefusedError("the reply defines the function twice")
            target = (exact or matching)[0]
            others = tuple(one for one in definitions if one is not target)
            if best is None or not target.has_error or best[1].has_error:
                best = (block, target, code, others)
            break
    if best is None:
        if names:
            raise _RefusedError(
                f"the reply defines {', '.join(sorted(names)[:3])} instead of {function.name}"
            )
        raise _RefusedError("the reply holds no code for the function")
    return best


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
    others: Iterable[Definition], language: Language, head_source: bytes, *, helpers_allowed: bool
) -> None:
    known = {definition.simple_name for definition in syntax.definitions(language, head_source).definitions}
    declared = {
        definition.simple_name for definition in syntax.definitions(language, head_source).declarations
    }
    for other in others:
        if other.simple_name in known | declared:
            continue  # compared below: its text is not taken
        if not helpers_allowed:
            raise _RefusedError(f"the reply adds a function beside the target: {other.name}")


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
        raise _RefusedError(f"the reply adds code outside the function: {stripped[:100]}")


def _check_imports(code: bytes, target: Definition, language: Language, head_source: bytes) -> None:
    present = syntax.imports(language, head_source)
    span = code[target.start_byte : target.end_byte]
    inside = syntax.imports(language, textwrap.dedent(span.decode(errors="replace")).encode())
    for name in sorted(syntax.imports(language, code) - present):
        if name not in inside:
            raise _RefusedError(f"the reply adds the import {name}, which the file does not have")
        root = re.split(r"[.:/]", name)[0]
        allowed = {
            Language.PYTHON: root in _PYTHON_INSIDE,
            Language.RUST: root in {"std", "core", "alloc", "self", "super", "crate"},
        }
        if not allowed.get(language, False):
            raise _RefusedError(f"the reply imports {name} inside the function")


def _fit(
    code: bytes,
    target: Definition,
    function: Function,
    head: Definition,
    language: Language,
    head_source: bytes,
) -> str:
    """The target's text in the file's indentation and newlines, with the documentation and decorators of the file."""
    if target.declaration_start > target.first_byte:
        _check_prefix(code, target, head, language, head_source)
    body = code[_line_start(code, target.declaration_start) : target.last_byte].decode(errors="replace")
    if target.first_byte < target.declaration_start and _same_line(code, target):
        body = code[_line_start(code, target.first_byte) : target.last_byte].decode(errors="replace")
    old_indent = re.match(r"[ \t]*", body)[0]  # type: ignore[index]
    prefix = head_source[function.start_byte : _line_start(head_source, head.declaration_start)].decode(
        errors="replace"
    )
    first_line = head_source[
        _line_start(head_source, head.declaration_start) : head.declaration_start
    ].decode(errors="replace")
    new_indent = re.match(r"[ \t]*", first_line)[0]  # type: ignore[index]
    lines = body.split("\n")
    if old_indent != new_indent:
        lines = [new_indent + line.removeprefix(old_indent) if line.strip() else line for line in lines]
    if language is Language.PYTHON:
        lines = _keep_docstring(lines, function, new_indent)
    text = prefix.replace("\r\n", "\n") + "\n".join(
        line.rstrip() if not line.strip() else line for line in lines
    )
    tail = head_source[head.last_byte : function.end_byte].decode(errors="replace").replace("\r\n", "\n")
    text += tail if tail.strip(" \t;") in {"", "\n"} or tail.strip().startswith(("//", "#")) else "\n"
    crlf = head_source.count(b"\r\n") * 2 > head_source.count(b"\n")
    return text.replace("\n", "\r\n") if crlf else text


def _same_line(code: bytes, target: Definition) -> bool:
    return _line_start(code, target.first_byte) == _line_start(code, target.declaration_start)


def _line_start(code: bytes, place: int) -> int:
    return code.rfind(b"\n", 0, place) + 1


def _check_prefix(
    code: bytes, target: Definition, head: Definition, language: Language, head_source: bytes
) -> None:
    """Decorators, annotations and attributes are part of what the function is; documentation is not looked at."""
    new = _marks(code[target.first_byte : target.declaration_start])
    old = _marks(head_source[head.first_byte : head.declaration_start])
    added = sorted(new - old)
    if not added:
        return
    if any("cache" in mark.lower() or "memo" in mark.lower() for mark in added):
        raise _RefusedError(f"keeps results between calls: {added[0]}", Outcome.UNSAFE)
    if any(mark.startswith(("#[", "@", "//go:", "__attribute__", "[[")) for mark in added):
        raise _RefusedError(f"the reply adds {added[0][:100]} to the function")


def _marks(prefix: bytes) -> set[str]:
    lines = (line.strip() for line in prefix.decode(errors="replace").splitlines())
    return {line for line in lines if line.startswith(("@", "#[", "//go:", "__attribute__", "[["))}


def _keep_docstring(lines: list[str], function: Function, indent: str) -> list[str]:
    """Put the original docstring back where a reply left it out; a smaller diff is easier to review."""
    try:
        old = ast.parse(textwrap.dedent(function.source)).body[0]
        new = ast.parse(textwrap.dedent("\n".join(lines))).body[0]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return lines
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    if not isinstance(old, kinds) or not isinstance(new, kinds):
        return lines
    if (
        ast.get_docstring(old) is None
        or ast.get_docstring(new) is not None
        or new.body[0].lineno == new.lineno
    ):
        return lines
    text = function.source.splitlines()[old.body[0].lineno - 1 : old.body[0].end_lineno]
    place = new.body[0].lineno - 1
    inner = re.match(r"[ \t]*", lines[place])[0]  # type: ignore[index]
    if re.match(r"[ \t]*", text[0])[0] != inner:  # type: ignore[index]
        return lines
    return [*lines[:place], *text, *lines[place:]]


def _checked(new: str, function: Function, language: Language, head_source: bytes) -> Candidate:
    candidate_bytes = new.encode()
    file = head_source[: function.start_byte] + candidate_bytes + head_source[function.end_byte :]
    before, after = syntax.definitions(language, head_source), syntax.definitions(language, file)
    old_rest = _rest(before.definitions, function.start_byte, language, head_source)
    new_rest = _rest(after.definitions, function.start_byte, language, file)
    if old_rest != new_rest:
        raise _RefusedError("the reply changes other functions of the file")
    mine = next((one for one in after.definitions if one.start_byte == function.start_byte), None)
    if mine is None or mine.name != function.name:
        raise _RefusedError("the reply does not fit into the place of the function")
    start, end = function.start_byte, function.start_byte + len(candidate_bytes)
    tokens = syntax.normalised_spans(language, file, [(start, end)])[0]
    old_tokens = syntax.normalised_spans(language, head_source, [(start, function.end_byte)])[0]
    if tokens == old_tokens:
        raise _RefusedError("no change: the reply repeats the original")
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
