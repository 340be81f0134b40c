"""A changed function: the unit perforch works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from perforch.result import Language


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method that the change touches, as it stands at the head revision.

    Attributes:
        path: posix path from the repository root, at head.
        name: qualified: `Class.method` (Python, Java), `ns::Class::method` (C++), `Type.Method` (Go),
            `Type::method` (Rust).
        start_line, end_line: 1-based, inclusive; doc comments, decorators, annotations and attributes are
            inside.
        start_byte, end_byte: the same span as offsets into the file's bytes (whole lines, end exclusive).
        signature: declaration without body, whitespace folded to single spaces; tells overloads apart.
        source: exact text of the span.
        base_path, base_source: where and what it was at the merge base; None for an added function.
        docstring: its documentation as plain text, "" if none.
        is_stub: the body only says that it is not written yet (pass, ..., NotImplementedError, todo!(),
            unimplemented!(), panic("not implemented"), UnsupportedOperationException, TODO comment and a
            bare default return).
    """

    path: str
    name: str
    language: Language
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    signature: str
    change: Literal["added", "modified"]
    source: str
    base_path: str | None = None
    base_source: str | None = None
    docstring: str = ""
    is_stub: bool = False

    @property
    def simple_name(self) -> str:
        """The last part of the qualified name, as callers write it."""
        return self.name.replace("::", ".").rsplit(".", 1)[-1]

    @property
    def key(self) -> str:
        """`path::name`, as `--function` takes it."""
        return f"{self.path}::{self.name}"


@dataclass(frozen=True, slots=True)
class Skip:
    """Something changed that is left alone, and why."""

    path: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What `changes` found between the merge base and head."""

    merge_base: str
    head: str
    functions: tuple[Function, ...]
    skipped: tuple[Skip, ...]
    warnings: tuple[str, ...] = ()
