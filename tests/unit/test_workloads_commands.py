"""Configured `go test` and `cargo test` commands, read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perforch.workloads import go_command, rust_command


def test_go_flags_are_sorted_by_what_they_change() -> None:
    words = "go test -v -race -tags integration,unit -count=1 -short -timeout 30s -parallel=2 -run Test[^L] ./api/... . -args -x 1"
    command = go_command.parse(words.split())
    assert command.build == ("-tags=integration,unit",)
    assert command.checks == ("-race",)
    assert command.run == ("-test.short", "-test.parallel=2")
    assert command.arguments == ("-x", "1")
    assert command.patterns == ("./api/...", ".")


@pytest.mark.parametrize(
    ("pattern", "folder", "wanted"),
    [
        ("./...", ".", True), ("./...", "./a/b", True), ("./a/...", "./a", True), ("./a/...", "./a/b/c", True),
        ("./a/...", "./ab", False), ("./a", "./a", True), ("./a/", "./a", True), ("./a", "./a/b", False), (".", ".", True),
        (".", "./a", False), ("example.com/m/...", "./a", True), ("./a+b", "./a+b", True),
    ],
)  # fmt: skip
def test_go_patterns(pattern: str, folder: str, wanted: bool) -> None:
    assert go_command.parse(["go", "test", pattern]).takes(folder, "TestX") is wanted


def test_go_names() -> None:
    command = go_command.parse("go test -run ^TestFast -skip Slow$ ./...".split())
    assert command.takes(".", "TestFastSum")
    assert not command.takes(".", "TestFastSlow")
    assert not command.takes(".", "TestOther")
    assert go_command.parse(["go", "test", "-run", "("]).takes(".", "TestX")


def test_cargo_flags_are_sorted_by_what_they_change() -> None:
    words = "cargo test --release --features=fast -F more --no-default-features -p core --lib sums -- --skip slow --test-threads 1"
    command = rust_command.parse(words.split())
    assert command.build == ("--features", "fast", "-F", "more", "--no-default-features")
    assert command.targets == ("--lib",)
    assert command.takes("tests::sums_up")
    assert not command.takes("tests::sums_slow")
    assert not command.takes("tests::other")
    assert rust_command.builds(command, "core")
    assert not rust_command.builds(command, "tests/it")
    chosen = rust_command.parse(["cargo", "test", "--test", "it", "--bin", "tool"])
    assert [rust_command.builds(chosen, one) for one in ("core", "tests/it", "tests/no", "bin/tool", "bin/no")] == [
        False, True, False, True, False,
    ]  # fmt: skip
    exact = rust_command.parse("cargo test -- --exact tests::one --include-ignored".split())
    assert exact.takes("tests::one")
    assert not exact.takes("tests::one_more")
    assert exact.ignored


@given(st.lists(st.text("-=abcrun./0", max_size=8), max_size=8))
def test_any_words_are_read(words: list[str]) -> None:
    assert go_command.parse(["go", "test", *words]).takes(".", "TestX") in {True, False}
    assert rust_command.parse(["cargo", "test", *words]).takes("tests::x") in {True, False}
