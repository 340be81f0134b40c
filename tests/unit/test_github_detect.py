from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.github import detect
from perforch.github.workflow import files
from perforch.result import Language
from perforch.settings import PATH, parse


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        ([], ()),
        (["README.md", "a.PY"], ("python",)),
        (["a.go", "b.go", "c.rs"], ("go", "rust")),
        (["a.cc", "b.hpp", "c.java"], ("cpp", "java")),
        (["vendor/a.go", "third_party/x/b.rs", "node_modules/c.py", "main.rs"], ("rust",)),
    ],
)
def test_languages(paths: list[str], found: tuple[str, ...]) -> None:
    assert detect.languages(paths) == found


@pytest.mark.parametrize(
    ("language", "paths", "command"),
    [
        ("python", ["a.py"], "pytest -q"),
        ("java", ["pom.xml"], "mvn -q test"),
        ("java", ["pom.xml", "mvnw"], "./mvnw -q test"),
        ("java", ["app/build.gradle.kts", "gradlew"], "./gradlew test"),
        ("java", ["build.gradle"], "gradle test"),
        ("java", ["A.java"], "mvn -q test"),
        ("cpp", ["CMakeLists.txt", "Makefile"], "ctest --test-dir build --output-on-failure"),
        ("cpp", ["meson.build"], "meson test -C build"),
        ("cpp", ["Makefile"], "make test"),
        ("cpp", ["a.cpp"], "ctest --test-dir build --output-on-failure"),
        ("go", ["go.mod"], "go test ./..."),
        ("rust", ["Cargo.toml"], "cargo test"),
        ("rust", ["Cargo.toml", "one/Cargo.toml"], "cargo test --workspace"),
    ],
)
def test_commands(language: str, paths: list[str], command: str) -> None:
    assert " ".join(detect.tests(language, paths)) == command


def test_every_language_has_a_command() -> None:
    assert set(detect.SUFFIXES.values()) == {language.value for language in Language}


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1)))
def test_any_names_of_files_give_a_valid_configuration(paths: list[str]) -> None:
    tests = {language: detect.tests(language, paths) for language in detect.languages(paths)}
    assert parse(files(tests, sha="0" * 40, version="1.0.0")[PATH].encode()).version == 1
