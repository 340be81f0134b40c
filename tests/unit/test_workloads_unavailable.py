"""What compilers and pytest say when something is not installed, in the words of the versions named beside it."""

from __future__ import annotations

import pytest

from perforch.workloads.unavailable import go_reason, python_reason, rust_reason

GO = [
    ("go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)", "needs Go 1.99"),  # 1.26
    ("go.mod:3: invalid go version '1.21.3': must match format 1.23", "needs Go 1.21.3"),  # 1.19
    ("a/c.go:3: cannot find module providing package example.org/x: import lookup disabled by -mod=readonly", "example.org/x"),
    ("a/c.go:3: no required module provides package example.org/x; to add it:", "example.org/x is not on"),
    (
        "e/b.go:3: missing go.sum entry for module providing package example.org/y (imported by example.com/m/e); to add:",
        "example.org/y is not on",
    ),
    ("b/b.go:3: example.org/y@v1.0.0: missing go.sum entry for go.mod file; to add it:", "example.org/y@v1.0.0 is not on"),
    ("b/b.go:3: example.org/y@v1.0.0: missing go.sum entry; to add it:", "example.org/y@v1.0.0 is not on"),
    ("a/c.go:3: (wanted: example.org/x ) module lookup disabled by GOPROXY=off", "example.org/x is not on"),
    ("a/c.go:3: module lookup disabled by GOPROXY=off", "a module that go.mod needs is not on"),
    ("a/c.go:4: example.org/x@v1.3.0: module lookup disabled by GOPROXY=off", "example.org/x@v1.3.0 is not on"),
    ("go: updates to go.mod needed; to update it:\n\tgo mod tidy", "go mod tidy"),
    ("a/c.go:3: example.com/x@v1.0.0: replacement directory ../nowhere does not exist", "the folder ../nowhere"),
    ("a/c.go:3: package slices is not in GOROOT (/usr/lib/go-1.19/src/slices)", "slices is not in the standard library"),
    ("a/c.go:3: package nosuch is not in std (/usr/local/go/src/nosuch)", "nosuch is not in the standard library"),
    ("go: -race requires cgo; enable cgo by setting CGO_ENABLED=1", "-race` needs cgo"),
    ('cgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH', "the C compiler gcc that cgo needs"),
    ("package example.com/m/d: build constraints exclude all Go files in /src/d", "build constraints"),
    ("go: inconsistent vendoring in /src:", "go mod vendor"),
]  # fmt: skip
RUST = [
    ("error: no matching package named `serde` found\nlocation searched: crates.io index", "serde is not on this machine"),
    ("error: failed to download `libc v0.2.150`\n\nCaused by:\n  attempting to make an HTTP request", "libc is not on"),
    (
        "error: failed to get `rand` as a dependency of package `x`\nUnable to update registry `crates-io`",
        "rand is not on this machine",
    ),
    ("error: package `x v0.1.0 (/src)` cannot be built because it requires rustc 1.80 or newer", "newer Rust (1.80)"),
    ("error: rustc 1.63.0 is not supported by the following package:\n x@0.1.0 requires rustc 1.80", "newer Rust"),
    ("error: lock file version 4 requires `-Znext-lockfile-bump`", "newer Rust"),
    ("error: feature `edition2024` is required", "newer Rust (edition2024)"),
    ("error: linker `cc` not found", "the linker cc is not installed"),
    ("error: toolchain 'nightly-x86_64-unknown-linux-gnu' is not installed", "toolchain"),
]  # fmt: skip
CODE = {
    "go": "stock.go:7: undefined: missing",
    "rust": "error[E0599]: no method named `missing` found for reference `&[u32]`",
    "python": "ModuleNotFoundError: No module named 'ours.gone'",
}


@pytest.mark.parametrize(("words", "wanted"), GO)
def test_go(words: str, wanted: str) -> None:
    assert wanted in go_reason(words)


@pytest.mark.parametrize(("words", "wanted"), RUST)
def test_rust(words: str, wanted: str) -> None:
    assert wanted in rust_reason(words)


def test_errors_of_the_code_are_none_of_these() -> None:
    assert go_reason(CODE["go"]) == ""
    assert rust_reason(CODE["rust"]) == ""
    assert python_reason("AssertionError: assert 1 == 2", lambda _: False) == ""
    assert "made when the project is built" in python_reason(CODE["python"], lambda name: name == "ours")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("ModuleNotFoundError: No module named 'numpy'", "the module numpy is not installed"),
        ("Error importing plugin \"xprocess\": No module named 'xprocess'", "the module xprocess"),
        ("ERROR: Missing required plugins: pytest-django", "need pytest-django"),
        ("pytest.ini: 'minversion' requires pytest-99.0, actual pytest-9.0.1", "need pytest-99.0"),
        (
            "pluggy._manager.PluginValidationError: Plugin 'tests/conftest.py' for hook 'pytest_ignore_collect'",
            "tests/conftest.py was written for another version of pytest",
        ),
        ("async def functions are not natively supported.", "coroutines"),
        ("fixture 'mocker' not found", "the pytest fixture mocker"),
    ],
)
def test_python(words: str, wanted: str) -> None:
    assert wanted in python_reason(words, lambda _: False)
