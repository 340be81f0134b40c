"""What a model sees beside the function: the file's imports and signatures, and the tests that name it. Never anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.sandbox import reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perforch.changes.function import Function

MAX_CONTEXT = 8_000
MAX_TESTS = 12_000


def outline(function: Function, file: bytes) -> str:
    """The imports of the file and the signatures of its other functions, in the language's own words."""
    imports = sorted(syntax.imports(function.language, file))
    others = [
        definition.signature
        for definition in syntax.definitions(function.language, file).definitions
        if definition.start_byte != function.start_byte and not definition.is_test
    ]
    parts = []
    if imports:
        parts.append("Imports of the file: " + ", ".join(imports))
    if others:
        parts.append("Other functions of the file:\n" + "\n".join(others))
    return "\n".join(parts)[:MAX_CONTEXT]


def tests_text(root: Path, tests: Sequence[str], function: Function) -> str:
    """The source of the tests, found by name in the tree's test files."""
    names = {_last(test) for test in tests}
    found: list[str] = []
    size = 0
    for path in sorted(root.rglob("*")):
        if size > MAX_TESTS:
            break
        relative = path.relative_to(root)
        if any(part.startswith(".") or part in _LEFT_OUT for part in relative.parts):
            continue
        if syntax.language_of(relative.as_posix()) != function.language:
            continue
        data = reader.read(root, relative) or b""
        if function.simple_name.encode() not in data:
            continue
        for test in syntax.test_functions(function.language, data):
            if test.simple_name in names:
                text = data[test.start_byte : test.end_byte].decode(errors="replace")
                found.append(text)
                size += len(text)
    return "\n".join(found)[:MAX_TESTS]


_LEFT_OUT = {"node_modules", "vendor", "third_party", "target", "build", "venv"}


def _last(test: str) -> str:
    for separator in ("::", "#", ".", "/"):
        test = test.rsplit(separator, 1)[-1]
    return test.split("[", 1)[0]
