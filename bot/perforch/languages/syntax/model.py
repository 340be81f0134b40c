"""What the syntax room says about a file: its functions and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """One function, method or constructor of a file, with byte offsets into that file.

    Attributes:
        name: qualified (`Class.method`, `ns::Class::method`, `Type.Method`, `Type::method`), without
            generics.
        simple_name: its last part; owner: the part before it, "" at the top level.
        signature: the declaration without annotations, comments and body, whitespace folded to single spaces.
        start_line, end_line: 1-based, inclusive, with documentation, decorators, annotations and attributes.
        start_byte, end_byte: the same as whole lines; the end is exclusive and after the newline.
        declaration_start: first byte of the declaration proper, after documentation, decorators,
            annotations that precede
            it and attributes; C++ `template <...>` lines belong to the declaration.
        body_start, body_end: the body, braces included; both are -1 when there is none. C++ member
            initialisers belong to it.
        first_byte, last_byte: from its documentation, first decorator or declaration to its end, without the
            rest of the lines; the end is exclusive.
        parameters, returns: as written, "" if absent.
        docstring: documentation as plain text.
        is_stub: the body only says that it is not written yet.
        is_test: test code, as far as the file itself tells (see also `is_test_path`).
        is_test_case: something a test runner runs.
        has_error: the parser did not understand all of it.
    """

    name: str
    simple_name: str
    owner: str
    signature: str
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    declaration_start: int
    body_start: int
    body_end: int
    first_byte: int = 0
    last_byte: int = 0
    parameters: str = ""
    returns: str = ""
    docstring: str = ""
    is_stub: bool = False
    is_test: bool = False
    is_test_case: bool = False
    has_error: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Name and signature with all whitespace removed: tells overloads apart, survives reformatting."""
        return self.name, "".join(self.signature.split())


@dataclass(frozen=True, slots=True)
class Parsed:
    """The functions of one file in source order.

    Attributes:
        definitions: functions with a body.
        declarations: functions without one (abstract, interface, pure virtual, `= default`, extern,
            prototypes,
            Python overloads and abstract methods).
        has_errors: some part of the file was not understood.
    """

    definitions: tuple[Definition, ...]
    declarations: tuple[Definition, ...]
    has_errors: bool


@dataclass(frozen=True, slots=True)
class Features:
    """What a piece of source is made of, for classifying it.

    Attributes:
        identifiers: every name, members and types included.
        calls: last names of what is called (`sort`); qualified_calls: as written (`std::sort`,
            `heapq.heappush`).
        types: names of types that are written out.
        operators: operator tokens (`+`, `<<`, `%=`, `and`).
        literals: kinds among integer, float, string, char, boolean, null, list, dict, set, tuple,
            comprehension, lambda.
        strings: contents of string literals, at most 200 characters each.
        loops, branches, returns, subscripts: how many there are; loop_depth: deepest nesting of loops.
    """

    identifiers: frozenset[str]
    calls: frozenset[str]
    qualified_calls: frozenset[str]
    types: frozenset[str]
    operators: frozenset[str]
    literals: frozenset[str]
    strings: frozenset[str]
    loops: int
    loop_depth: int
    branches: int
    returns: int
    subscripts: int
