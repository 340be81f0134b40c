"""Which functions a run works on: those that changed and, by name, any other of the head revision."""

from __future__ import annotations

import difflib
import posixpath
from typing import TYPE_CHECKING

from perforch.changes.function import Function
from perforch.errors import UsageError
from perforch.languages import syntax
from perforch.result import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.changes.function import Changes
    from perforch.changes.git import Git
    from perforch.settings import Settings


def select(
    git: Git, changes: Changes, settings: Settings, keys: Sequence[str]
) -> tuple[tuple[Function, ...], tuple[Skipped, ...]]:
    """Choose functions; what is left out by configuration or by the cap comes back with its reason.

    Args:
        keys: `path::name`; a name may be given without its outer parts where that is unambiguous.

    Raises:
        UsageError: a key names nothing, or more than one function.
    """
    if keys:
        found: dict[tuple[str, int], Function] = {}
        for key in keys:
            for function in _named(git, changes, key):
                found[function.path, function.start_byte] = function
        return tuple(found.values()), ()
    enabled: list[Function] = []
    skipped: list[Skipped] = []
    for function in changes.functions:
        language = settings.languages.get(function.language)
        if printable(function.path) != function.path:
            skipped.append(_skip(function, "the name of the file is not UTF-8"))
        elif language is not None and not language.enabled:
            skipped.append(_skip(function, f"languages.{function.language}.enabled is false"))
        elif len(enabled) >= settings.max_functions:
            skipped.append(_skip(function, f"more than max_functions: {settings.max_functions} changed"))
        else:
            enabled.append(function)
    return tuple(enabled), tuple(skipped)


def printable(text: str) -> str:
    """Names of files and outputs of programs are bytes; what is not UTF-8 in them cannot be in JSON."""
    return text.encode("utf-8", "replace").decode()


def _skip(function: Function, reason: str) -> Skipped:
    return Skipped(path=printable(function.path), name=function.name, reason=reason)


def _named(git: Git, changes: Changes, key: str) -> tuple[Function, ...]:
    path, separator, name = key.partition("::")
    while separator and not syntax.language_of(path) and "::" in name:  # the path itself may hold colons
        more, _, name = name.partition("::")
        path = f"{path}::{more}"
    if not separator or not path or not name:
        message = f"--function {key!r} is not PATH::NAME"
        raise UsageError(message, hint="For example: --function src/a.py::Parser.parse")
    path = posixpath.normpath(path)
    changed = [function for function in changes.functions if function.path == path]
    chosen = _match(changed, name)
    if chosen:
        return chosen
    everything = _functions_of(git, changes, path)
    chosen = _match(everything, name)
    if chosen:
        return chosen
    near = difflib.get_close_matches(name, [function.name for function in everything], n=1, cutoff=0.4)
    hint = f"Did you mean {path}::{near[0]}?" if near else "perforch functions lists what changed."
    message = f"{path}::{name} names no function at the head revision"
    raise UsageError(message, hint=hint)


def _match(functions: Sequence[Function], name: str) -> tuple[Function, ...]:
    exact = tuple(function for function in functions if function.name == name)
    if exact:
        return exact
    tails = tuple(function for function in functions if function.name.endswith((f".{name}", f"::{name}")))
    return tails if len({function.name for function in tails}) == 1 else ()


def _nearest_path(git: Git, changes: Changes, path: str) -> str:
    known = [
        place for place in git.tree(changes.head) if syntax.language_of(place) and printable(place) == place
    ]
    same_name = [place for place in known if posixpath.basename(place) == posixpath.basename(path)]
    near = same_name or difflib.get_close_matches(path, known, n=1)
    return f"Did you mean {near[0]}?" if near else "Paths start at the root of the repository."


def _functions_of(git: Git, changes: Changes, path: str) -> tuple[Function, ...]:
    language = syntax.language_of(path)
    source = git.read(changes.head, [path]).get(path)
    if language is None or source is None or printable(path) != path:
        message = f"{printable(path)} is not a source file of a known language at the head revision"
        raise UsageError(message, hint=_nearest_path(git, changes, path))
    return tuple(
        Function(
            path=path,
            name=definition.name,
            language=language,
            start_line=definition.start_line,
            end_line=definition.end_line,
            start_byte=definition.start_byte,
            end_byte=definition.end_byte,
            signature=definition.signature,
            change="modified",
            source=source[definition.start_byte : definition.end_byte].decode(errors="replace"),
            docstring=definition.docstring,
            is_stub=definition.is_stub,
        )
        for definition in syntax.definitions(language, source).definitions
        if not definition.is_test
    )
