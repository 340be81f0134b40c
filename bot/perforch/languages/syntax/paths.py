"""What a path alone tells: the language, and whether it is test code."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from perforch.result import Language

_SUFFIXES = {
    ".py": Language.PYTHON,
    ".java": Language.JAVA,
    **dict.fromkeys(
        (".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h", ".ipp", ".tpp"), Language.CPP
    ),
    ".go": Language.GO,
    ".rs": Language.RUST,
}
_TEST_NAMES = {
    Language.PYTHON: re.compile(r"(test_.*|.*_test|conftest|tests)\.py"),
    Language.JAVA: re.compile(r"(.*(Test|Tests|TestCase|IT|ITCase)|Test[A-Z].*)\.java"),
    Language.CPP: re.compile(r"((.*[_.-])?(test|tests|unittest|unittests|gtest)|test[_-].*|.*Tests?)\.[^.]+"),
    Language.GO: re.compile(r".*_test\.go"),
    Language.RUST: re.compile(r"(tests?|.*_tests?)\.rs"),
}
_TEST_FOLDERS = {
    Language.PYTHON: frozenset({"tests", "test", "testing"}),
    Language.JAVA: frozenset(),
    Language.CPP: frozenset({"tests", "test", "unittest", "unittests", "gtest"}),
    Language.GO: frozenset({"testdata"}),
    Language.RUST: frozenset({"tests", "benches"}),
}
_JAVA_TESTS = re.compile(r"(^|/)(src/(test|integrationTest|testFixtures|it|jmh)|tests?)/")


def language_of(path: str) -> Language | None:
    """The language of a file by its extension, None for all others."""
    return _SUFFIXES.get(PurePosixPath(path).suffix.lower())


def is_test_path(path: str) -> bool:
    """Is the file test code by its place or name?"""
    language = language_of(path)
    if language is None:
        return False
    parts = PurePosixPath(path).parts
    if _TEST_NAMES[language].fullmatch(parts[-1]):
        return True
    if language is Language.JAVA and _JAVA_TESTS.search(path):
        return True
    return not _TEST_FOLDERS[language].isdisjoint(parts[:-1])
