"""Real g++, CMake and make in the real sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.workloads.cpp import CppRunner, discover
from perforch.workloads.model import Tree
from perforch.workloads.options import Options

if TYPE_CHECKING:
    from perforch.sandbox.spec import Sandbox

SLOW = """
    std::size_t n = 0;
    for (std::size_t i = 0; i < v.size(); ++i)
        for (std::size_t j = i + 1; j < v.size(); ++j)
            if (v[i] == v[j]) { ++n; break; }
    return n;
"""
FAST = """
    std::vector<int> s(v);
    std::sort(s.begin(), s.end());
    std::size_t n = 0;
    for (std::size_t i = 1; i < s.size(); ++i) n += s[i] == s[i - 1];
    return n;
"""
HEADER = "#pragma once\n#include <vector>\n#include <cstddef>\nnamespace stock { std::size_t repeats(const std::vector<int>& v); }\n"
SOURCE = '#include "repeats.hpp"\n#include <algorithm>\n#include <cstdlib>\n' + (
    "namespace stock {\nstd::size_t repeats(const std::vector<int>& v) {BODY}\n}\n"
)
MAIN = """
#include <cassert>
#include "repeats.hpp"
int main() {
    assert(stock::repeats({1, 2, 1}) == 1);
    std::vector<int> v;
    for (int i = 0; i < 3000; ++i) v.push_back(i * 7919 % 10007);
    assert(stock::repeats(v) == 0);
}
"""
CMAKE = """cmake_minimum_required(VERSION 3.16)
project(stock CXX)
enable_testing()
add_library(stock src/repeats.cpp)
target_include_directories(stock PUBLIC include)
add_executable(checks tests/repeats_test.cpp)
target_link_libraries(checks stock)
add_test(NAME repeats COMMAND checks)
add_executable(other tests/other_test.cpp)
add_test(NAME other COMMAND other)
"""
MAKE = """CXXFLAGS = -std=c++17 -O2 -Iinclude
test: repeats_test
\t./repeats_test
repeats_test: tests/repeats_test.cpp src/repeats.cpp
\t$(CXX) $(CXXFLAGS) -o $@ $^
"""
GTEST = """
#include <gtest/gtest.h>
#include "repeats.hpp"
TEST(Repeats, Small) { EXPECT_EQ(stock::repeats({1, 2, 1}), 1u); }
TEST(Repeats, Large) {
    std::vector<int> v;
    for (int i = 0; i < 3000; ++i) v.push_back(i * 7919 % 10007);
    EXPECT_EQ(stock::repeats(v), 0u);
}
TEST(Other, Nothing) { EXPECT_TRUE(true); }
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


def planted(place: Path, body: str, files: dict[str, str]) -> Tree:
    library = {"include/repeats.hpp": HEADER, "src/repeats.cpp": SOURCE.replace("BODY", body)}
    for name, text in (library | files).items():
        target = place / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (place / "out").mkdir()
    return Tree(place / "src", place / "out", place.name)


def cmake(place: Path, body: str) -> Tree:
    files = {
        "CMakeLists.txt": CMAKE,
        "tests/repeats_test.cpp": MAIN,
        "tests/other_test.cpp": "int main() { return 0; }\n",
    }
    return planted(place, body, files)


def function() -> Function:
    return Function(
        path="src/repeats.cpp", name="stock::repeats", language=Language.CPP, start_line=1, end_line=1, start_byte=0,
        end_byte=1, signature="", change="modified", source="",
    )  # fmt: skip


def found(sandbox: Sandbox, of: Tree, options: Options | None = None) -> CppRunner:
    runner = discover(sandbox, None, of, "src/repeats.cpp", options or Options())
    assert runner is not None
    return runner


def compared(sandbox: Sandbox, slow: Tree, fast: Tree) -> None:
    runner = found(sandbox, slow)
    tests = runner.tests_naming(slow, function())
    before = runner.timed(slow, tests, min_ms=60)
    assert before is not None
    assert before.repeat > 1
    after = runner.timed(fast, tests, repeat=before.repeat)
    assert after is not None
    first, second = sandbox.run(before.command), sandbox.run(after.command)
    assert first.ok
    assert second.ok
    assert first.cpu_seconds > 2 * second.cpu_seconds
    cold = runner.cold_check(slow, tests, 20)
    assert cold is not None
    assert cold.first_ns < 5 * cold.rest_ns


def test_cmake_passes_names_and_compares(sandbox: Sandbox, tmp_path: Path) -> None:
    slow, fast = cmake(tmp_path / "slow", SLOW), cmake(tmp_path / "fast", FAST)
    runner = found(sandbox, slow)
    assert runner.name == "cmake"
    assert runner.test(slow).outcomes == {"repeats": "passed", "other": "passed"}
    assert runner.tests_naming(slow, function()) == ("repeats",)
    compared(sandbox, slow, fast)


def test_cmake_keeps_assertions_and_tells_what_failed(sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = cmake(tmp_path / "wrong", "return v.size();")
    report = found(sandbox, wrong).test(wrong)
    assert report.outcomes == {"repeats": "failed", "other": "passed"}
    assert "Assertion" in report.failures[0].message
    assert "repeats_test.cpp:5" in report.failures[0].message
    broken = cmake(tmp_path / "broken", "return v.missing();")
    report = found(sandbox, broken).test(broken)
    assert not report.built
    assert "has no member named" in report.failures[0].message
    assert str(tmp_path) not in report.failures[0].message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("volatile int* p = nullptr; return *p;", "signal 11"),
        ("std::exit(0);", "before main returned"),
        ("for (volatile bool on = true; on;) {} return 0;", "did not finish"),
    ],
)
def test_programs_that_do_not_return(sandbox: Sandbox, tmp_path: Path, body: str, words: str) -> None:
    bad = planted(tmp_path / "bad", body, {"tests/repeats_test.cpp": MAIN})
    runner = found(sandbox, bad, Options(test_seconds=1.0))
    assert runner.name == "g++"
    report = runner.test(bad)
    assert report.outcomes == {"tests/repeats_test.cpp": "failed"}
    assert words in report.failures[0].message
    assert runner.timed(bad, ["tests/repeats_test.cpp"]) is None


def test_single_files_compare(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {"tests/repeats_test.cpp": MAIN}
    compared(sandbox, planted(tmp_path / "slow", SLOW, files), planted(tmp_path / "fast", FAST, files))


def test_make_finds_the_program_that_its_target_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {"Makefile": MAKE, "tests/repeats_test.cpp": MAIN}
    head = planted(tmp_path / "head", SLOW, files)
    runner = found(sandbox, head)
    assert runner.name == "make"
    assert runner.test(head).outcomes == {"repeats_test": "passed"}
    named = runner.tests_naming(head, function())
    assert named == ("repeats_test",)
    timed = runner.timed(head, named, min_ms=20)
    assert timed is not None
    assert sandbox.run(timed.command).ok


def test_a_main_that_cannot_be_called_twice_is_repeated_by_processes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    once = MAIN.replace("int main() {", "static int calls; int main() { if (calls++) return 3;")
    head = planted(tmp_path / "head", SLOW, {"tests/repeats_test.cpp": once})
    timed = found(sandbox, head).timed(head, ["tests/repeats_test.cpp"], min_ms=20)
    assert timed is not None
    assert timed.repeat > 1
    assert sandbox.run(timed.command).ok


@pytest.mark.skipif(not Path("/usr/include/gtest/gtest.h").is_file(), reason="libgtest-dev is not installed")
def test_cases_of_googletest(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {"tests/repeats_test.cpp": GTEST}
    slow = planted(tmp_path / "slow", SLOW, files)
    runner = found(sandbox, slow)
    assert set(runner.test(slow).passed) == {"Repeats.Small", "Repeats.Large", "Other.Nothing"}
    assert runner.tests_naming(slow, function()) == ("Repeats.Small", "Repeats.Large")
    compared(sandbox, slow, planted(tmp_path / "fast", FAST, files))
    crash = planted(tmp_path / "crash", "if (v.size() > 9) std::abort(); return v.size();", files)
    report = runner.test(crash)
    assert report.outcomes == {
        "Repeats.Small": "failed",
        "Repeats.Large": "failed",
        "Other.Nothing": "passed",
    }
    told = {failure.test: failure.message for failure in report.failures}
    assert "Which is: 3" in told["Repeats.Small"] or "3" in told["Repeats.Small"]
    assert "signal 6" in told["Repeats.Large"]
