"""Which tests name a function: static reading of test files, nothing is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.languages import syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perforch.languages.syntax import Definition
    from perforch.result import Language

MOST_CALLERS = 50  # a function that so many lead to is named by everything
MAX_FILE = 2 * 1024**2  # bytes; a larger test file is data
GENERIC = frozenset(
    [
        "add",
        "append",
        "apply",
        "build",
        "call",
        "check",
        "clear",
        "close",
        "contains",
        "convert",
        "copy",
        "count",
        "create",
        "delete",
        "do",
        "encode",
        "decode",
        "execute",
        "exists",
        "filter",
        "find",
        "format",
        "from_str",
        "get",
        "handle",
        "init",
        "insert",
        "items",
        "iter",
        "join",
        "keys",
        "len",
        "list",
        "load",
        "main",
        "make",
        "map",
        "match",
        "max",
        "merge",
        "min",
        "new",
        "next",
        "open",
        "parse",
        "pop",
        "print",
        "process",
        "push",
        "put",
        "read",
        "remove",
        "render",
        "replace",
        "reset",
        "reverse",
        "run",
        "save",
        "search",
        "set",
        "size",
        "sort",
        "split",
        "start",
        "stop",
        "sum",
        "swap",
        "test",
        "to_string",
        "transform",
        "update",
        "validate",
        "value",
        "values",
        "write",
        "equals",
        "string",
        "less",
        "compare",
    ]
)
_ALIAS = re.compile(rb"\b(\w+)\s+as\s+(\w+)")
_TABLE = re.compile(rb"^(\w+)\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Named:
    """A test case that names the function."""

    path: str
    definition: Definition


def naming(
    language: Language,
    sources: Mapping[str, bytes],
    names: Iterable[str],
    *,
    context: Iterable[str] = (),
    shared: Mapping[str, bytes] | None = None,
) -> tuple[Named, ...]:
    """The test cases whose body, or a helper, fixture or table they use in the same file, mentions one of the names.

    Args:
        sources: test files by path.
        names: what callers write.
        context: one of these must be mentioned in the file as well (class or module) when a name says little by itself.
        shared: files whose helpers every test file may use (conftest.py, another test file of the same Go package).
    """
    wanted = set(names)
    around = set(context)
    helpers: set[str] = set()
    for path, source in (shared or {}).items():
        helpers |= {one.definition.simple_name for one in _closure(language, path, source, wanted) if one}
    found: list[Named] = []
    for path, source in sources.items():
        if len(source) > MAX_FILE:
            continue
        if not any(name.encode() in source for name in wanted | helpers):
            continue
        mentioned = syntax.identifiers(language, source)
        if around and not mentioned & around and not _imported(language, source) & around:
            continue
        here = wanted | helpers | _aliases(source, wanted)
        found += [one for one in _closure(language, path, source, here) if one.definition.is_test_case]
    return tuple(found)


def _closure(language: Language, path: str, source: bytes, names: set[str]) -> list[Named]:
    """Definitions that mention a name, themselves or through another definition or table of the file."""
    definitions = syntax.definitions(language, source).definitions
    uses = {
        index: syntax.identifiers(language, source[one.start_byte : one.end_byte]) - _own(one)
        for index, one in enumerate(definitions)
    }
    names = names | _tables(source, definitions, names)
    reached: set[int] = set()
    grown = True
    while grown:
        grown = False
        for index, one in enumerate(definitions):
            if index not in reached and uses[index] & names:
                reached.add(index)
                grown = True
                if not one.is_test_case and one.simple_name not in {"__init__"}:
                    names = names | {one.simple_name}
                    if one.simple_name in {
                        "setUp",
                        "setUpClass",
                        "setup_method",
                        "setup_class",
                        "asyncSetUp",
                    }:
                        names -= {one.simple_name}
                        reached |= {
                            other
                            for other, case in enumerate(definitions)
                            if case.owner == one.owner and case.is_test_case
                        }
    return [Named(path, definitions[index]) for index in sorted(reached)]


def _own(definition: Definition) -> frozenset[str]:
    return frozenset({definition.simple_name})


def _aliases(source: bytes, names: set[str]) -> set[str]:
    return {new.decode() for old, new in _ALIAS.findall(source) if old.decode("utf-8", "replace") in names}


def _tables(source: bytes, definitions: Iterable[Definition], names: set[str]) -> set[str]:
    """Names bound at the top of the file to something that mentions a name, such as a list of functions to try."""
    outside = bytearray(source)
    for one in definitions:
        for index in range(one.start_byte, one.end_byte):
            if outside[index] != 0x0A:
                outside[index] = 0x20
    text = bytes(outside)
    starts = list(_TABLE.finditer(text))
    found = set()
    for index, match in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(text)
        if any(
            re.search(rb"\b" + re.escape(name.encode()) + rb"\b", text[match.end() : end]) for name in names
        ):
            found.add(match[1].decode("utf-8", "replace"))
    return found


def _imported(language: Language, source: bytes) -> set[str]:
    return {part for name in syntax.imports(language, source) for part in re.split(r"[./:]+", name) if part}


def is_generic(name: str) -> bool:
    """Does the name say too little to tell one function from another?"""
    return name.lower() in GENERIC or len(name) <= 2


def callers(language: Language, source: bytes, name: str) -> frozenset[str]:
    """Simple names of the functions in the same file that lead to `name`, at most three calls away."""
    definitions = [one for one in syntax.definitions(language, source).definitions if not one.is_test]
    uses = [
        (one.simple_name, syntax.calls(language, source[one.start_byte : one.end_byte]))
        for one in definitions
    ]
    found: set[str] = set()
    for _ in range(3):
        wanted = found | {name}
        found |= {caller for caller, called in uses if called & wanted and caller != name}
    return frozenset(found)


def far_callers(language: Language, sources: Mapping[str, bytes], name: str) -> frozenset[str]:
    """Simple names of the functions in these files that lead to `name`, at most three calls away.

    Names that say too little are not followed: across files nothing tells what they call.

    Args:
        sources: files where a call of that name means this function, by path.
    """
    if is_generic(name):
        return frozenset()
    found: set[str] = set()
    wanted = {name}
    for _ in range(3):
        new: set[str] = set()
        for source in sources.values():
            if len(source) > MAX_FILE or not any(one.encode() in source for one in wanted):
                continue
            for one in syntax.definitions(language, source).definitions:
                caller = one.simple_name
                if one.is_test or caller in found or caller == name or is_generic(caller):
                    continue
                if wanted & syntax.calls(language, source[one.start_byte : one.end_byte]):
                    new.add(caller)
        wanted = new
        found |= new
        if not new or len(found) > MOST_CALLERS:
            break
    return frozenset(found)


def stem(path: str) -> str:
    """The module's name as importers write it: the package for `__init__.py`."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.stem == "__init__" else pure.stem
