"""Tests that cannot run on this machine whatever the code does, because something they need is not installed.

Such a test is nothing a model could repair, and proves nothing of a candidate.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from perforch.workloads.model import Exercise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from perforch.changes.function import Function
    from perforch.workloads.model import TestReport

_MODULE = re.compile(r"(?:ModuleNotFoundError|Error importing plugin \"[\w.]+\"): No module named '([\w.]+)'")
_FIXTURE = re.compile(r"fixture '(\w+)' not found")
_LIBRARY = re.compile(
    r"ImportError: (\S+\.so[\w.]*): cannot open shared object file|cannot load library '([^']+)'"
)
_METADATA = re.compile(r"PackageNotFoundError: (?:No package metadata was found for )?'?([\w.-]+)'?")
_DJANGO = re.compile(
    r"ImproperlyConfigured: Requested settings?\b|AppRegistryNotReady|DJANGO_SETTINGS_MODULE"
)
_VERSION = re.compile(r"requires (pytest-\S+), actual")
_PLUGINS = re.compile(r"Missing required plugins: ([^\n]+)")
_CONFTEST = re.compile(r"PluginValidationError: (?:Plugin|unknown hook) '([^']+)'")
_ASYNC = re.compile(r"async def functions are not natively supported")
_INSTALL = "install what the tests need into a .venv of the checkout"

_GO_MODULE = re.compile(
    r"wanted: (\S+)|no required module provides package (\S+?);|cannot find (?:module providing )?package \"?([^\s\":]+)"
    r"|missing go\.sum entry for module providing package (\S+)"
    r"|(?:^|\s)(?:go: )?(\S+@v[^\s:]+): (?:module lookup disabled|missing go\.sum entry|.*GOPROXY list is not the empty string)"
    r"|missing go\.sum entry for (go\.mod file)|(?:^|\s)([\w.-]+\.[\w./-]+): cannot query module due to"
    r"|(updates to go\.mod needed)|(module lookup disabled)",
    re.MULTILINE,
)
_GO_REPLACED = re.compile(r"(\S+): replacement directory (\S+) does not exist")
_GO_STANDARD = re.compile(r"package (\S+) is not in (?:GOROOT|std)\b")
_GO_RACE = re.compile(r"(-race|-msan|-asan) (?:requires cgo|is not supported)")
_GO_NEWER = re.compile(
    r"requires go >= ?(\S+) \(running go (\S+?)[;)]|invalid go version '([^']+)'|note: module requires Go (\S+)"
)
_GO_FILES = re.compile(r"build constraints exclude all Go files|no non-test Go files in|no Go files in")
_GO_CGO = re.compile(r'cgo: C compiler "([^"]+)" not found|exec: "(\w+)": executable file not found')
_GO_VENDOR = re.compile(r"inconsistent vendoring|go: inconsistent vendoring")

_CRATE = re.compile(
    r"no matching package named `([\w-]+)` found|failed to (?:get|download) `([\w-]+)|unable to update registry|you're using offline mode"
    r"|attempting to make an HTTP request, but --offline was specified|can't checkout from '([^']+)'"
    r"|no matching package found\nsearched package name: `([\w-]+)`"
)
_RUSTC = re.compile(
    r"(?:requires rustc|package requires|rustc) (\d[\w.-]*)(?: or newer)?,? (?:which is newer|or newer|while)"
    r"|feature `(edition\d+)` is required"
    r"|this version of Cargo is older than the `(\d+)` edition"
    r"|is not supported by the following packages|requires rustc (\d\S*)"
    r"|cannot be built because it requires rustc (\d[\w.]*)|lock file version `?(\d)`? was found|lock file version (\d) requires"
)
_RUST_TOOL = re.compile(
    r"error: linker `([\w.+-]+)` not found|failed to run custom build command for `([\w-]+)|rust-toolchain|toolchain '([^']+)' is not installed"
)


def python_reason(text: str, ours: Callable[[str], bool]) -> str:
    """What a Python test lacks, from its error; "" when its failure is about the code.

    Args:
        ours: does a top-level module of this name belong to the project?
    """
    found = _MODULE.search(text)
    if found and not ours(found[1].partition(".")[0]):
        return f"the module {found[1]} is not installed; {_INSTALL}"
    if found and "." in found[1]:
        return (
            f"the module {found[1]} is not in the repository and seems to be made when the project is built;"
            " install the project into a .venv of the checkout"
        )
    if found := _FIXTURE.search(text):
        return f"the pytest fixture {found[1]} is of a plugin that is not installed; {_INSTALL}"
    if found := _LIBRARY.search(text):
        return f"the shared library {found[1] or found[2]} is not installed"
    if found := _METADATA.search(text):
        return f"the distribution {found[1]} is not installed; {_INSTALL}"
    if found := _VERSION.search(text) or _PLUGINS.search(text):
        return f"the tests need {found[1]}, which is not installed; {_INSTALL}"
    if found := _CONFTEST.search(text):
        return f"{found[1]} was written for another version of pytest than the one at hand; {_INSTALL}"
    if _ASYNC.search(text):
        return f"the tests are coroutines, and no plugin that runs them is installed; {_INSTALL}"
    if _DJANGO.search(text):
        return (
            "Django has no settings; set DJANGO_SETTINGS_MODULE in pytest's configuration"
            " (pytest-django) or in the project's conftest.py"
        )
    return ""


def go_reason(text: str) -> str:
    """What a Go build lacks, from the go command's error; "" when the error is about the code."""
    if found := _GO_NEWER.search(text):
        wanted = found[1] or found[3] or found[4]
        return f"the module needs Go {wanted}, which is newer than the Go on this machine; install it"
    if _GO_VENDOR.search(text):
        return "the vendor folder does not agree with go.mod; run `go mod vendor`"
    if found := _GO_REPLACED.search(text):
        return f"go.mod replaces {found[1]} by the folder {found[2]}, which is not in the repository"
    if found := _GO_STANDARD.search(text):
        return f"the package {found[1]} is not in the standard library of the Go on this machine"
    if found := _GO_RACE.search(text):
        return f"`go test {found[1]}` needs cgo and a C compiler, which are not on this machine"
    if found := _GO_MODULE.search(text):
        name = next((part for part in found.groups() if part), "")
        missing = name if "." in name and " " not in name else "a module that go.mod needs"
        return (
            f"{missing} is not on this machine (or not in go.mod and go.sum), and builds have no network; run `go mod tidy` and"
            " `go mod download` before perforch, or `go mod vendor` and commit the result"
        )
    if found := _GO_CGO.search(text):
        return f"the C compiler {found[1] or found[2]} that cgo needs is not installed"
    if _GO_FILES.search(text):
        return "build constraints leave no Go file of the package on this machine"
    return ""


def rust_reason(text: str) -> str:
    """What a Rust build lacks, from cargo's error; "" when the error is about the code."""
    if found := _CRATE.search(text):
        name = next((part for part in found.groups() if part), "a crate")
        return (
            f"{name} is not on this machine, and builds have no network; run `cargo fetch` before perforch,"
            " or `cargo vendor` and commit the result"
        )
    if found := _RUSTC.search(text):
        wanted = next((part for part in found.groups() if part), "")
        return f"the package needs a newer Rust{f' ({wanted})' if wanted else ''} than the one on this machine; install it"
    if found := _RUST_TOOL.search(text):
        if found[1]:
            return f"the linker {found[1]} is not installed"
        if found[2]:
            return f"the build script of {found[2]} fails on this machine"
        return "the toolchain that rust-toolchain names is not installed"
    return ""


def available(exercise: Exercise, report: TestReport, function: Function) -> Exercise:
    """The exercise without tests that cannot run here; without a runner, and with the reason, when none is left.

    Args:
        report: all tests of the head revision.
    """
    if not report.unavailable or exercise.runner is None:
        return exercise
    reasons = {test: reason_of(report, test) for test in exercise.tests}
    kept = tuple(test for test in exercise.tests if not reasons[test])
    if exercise.configured or kept == exercise.tests:
        return exercise if kept == exercise.tests else replace(exercise, tests=kept or exercise.tests)
    if kept:
        return replace(exercise, tests=kept)
    reason = _most(reasons.values())
    return Exercise(None, reason=f"the tests that name `{function.simple_name}` cannot run here: {reason}")


def reason_of(report: TestReport, test: str) -> str:
    """Why this test cannot run; "" when it can."""
    known = report.unavailable
    return known.get(test) or known.get(test.partition("::")[0]) or known.get("", "")


def _most(reasons: Iterable[str]) -> str:
    found = list(reasons)
    return max(found, key=found.count)
