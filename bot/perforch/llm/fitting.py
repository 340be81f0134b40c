"""Puts the text of a reply into the place of the function: indentation, newlines, documentation and decorators of the file."""

from __future__ import annotations

import ast
import re
import textwrap
from typing import TYPE_CHECKING

from perforch.llm.refusal import refuse
from perforch.result import Language, Outcome

if TYPE_CHECKING:
    from perforch.changes.function import Function
    from perforch.languages.syntax import Definition


def fit(
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
    if language is Language.PYTHON and "\t" not in function.source:
        lines = [re.sub(r"^[ \t]+", lambda match: match[0].expandtabs(4), line) for line in lines]
        old_indent = old_indent.expandtabs(4)
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
        refuse(f"keeps results between calls: {added[0]}", Outcome.UNSAFE)
    if any(mark.startswith(("#[", "@", "//go:", "__attribute__", "[[")) for mark in added):
        refuse(f"the reply adds {added[0][:100]} to the function")


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
