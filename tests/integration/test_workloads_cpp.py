"""Real g++, CMake and make in the real sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.errors import ToolMissingError
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.settings import LanguageSettings, Settings
from perforch.workloads import find
from perforch.workloads.cpp import CppRunner, discover
from perforch.workloads.model import Exercise, Tree
from perforch.workloads.options import Options
from perforch.workloads.unavailable import available

if TYPE_CHECKING:
    from pathlib import Path

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


def found(
    sandbox: Sandbox, of: Tree, options: Options | None = None, settings: LanguageSettings | None = None
) -> CppRunner:
    runner = discover(sandbox, settings, of, "src/repeats.cpp", options or Options())
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
    assert cold.first_ns < 20 * cold.rest_ns


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
    assert found(sandbox, broken).tests_naming(broken, function()) == ("repeats",)
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
    assert runner.test(head).outcomes == {"repeats_test": "passed", "make test": "passed"}
    named = runner.tests_naming(head, function())
    assert named == ("repeats_test",)
    timed = runner.timed(head, named, min_ms=20)
    assert timed is not None
    assert sandbox.run(timed.command).ok


MIXED = """all: repeats_test
gen: tests/gen.cpp
\t$(CXX) -o $@ $<
sizes.h: gen
\t./gen > $@
repeats_test: tests/repeats_test.cpp src/repeats.cpp sizes.h
\t$(CXX) -std=c++17 -O2 -I. -Iinclude -o $@ tests/repeats_test.cpp src/repeats.cpp
check: repeats_test
\tLIMIT=3000 ./repeats_test --quick < tests/in.txt > out.txt
\tdiff out.txt tests/expected.txt
"""
READS = """
#include "repeats.hpp"
#include "sizes.h"
#include <cstdlib>
#include <iostream>
int main(int argc, char** argv) {
    std::vector<int> v;
    for (int i; std::cin >> i;) v.push_back(i);
    if (argc != 2 || v.size() != SIZE || !getenv("LIMIT")) return 4;
    for (int i = 0; i < atoi(getenv("LIMIT")); ++i) v.push_back(100 + i);
    std::cout << stock::repeats(v) << std::endl;
}
"""
MIXED_FILES = {
    "Makefile": MIXED, "tests/repeats_test.cpp": READS, "tests/in.txt": "1 2 1\n", "tests/expected.txt": "1\n",
    "tests/gen.cpp": '#include <cstdio>\nint main() { puts("#define SIZE 3"); }\n',
}  # fmt: skip


def test_make_with_arguments_input_and_expected_output(sandbox: Sandbox, tmp_path: Path) -> None:
    slow = planted(tmp_path / "slow", SLOW, MIXED_FILES)
    runner = found(sandbox, slow)
    name = "repeats_test --quick < in.txt"
    assert runner.test(slow).outcomes == {name: "passed", "make check": "passed"}
    assert runner.tests_naming(slow, function()) == (name,)
    timed = runner.timed(slow, [name], min_ms=20)
    assert timed is not None
    assert timed.repeat > 1
    assert sandbox.run(timed.command).ok
    assert "in one process" not in timed.description
    # Only the comparison with the expected output sees this one.
    wrong = planted(tmp_path / "wrong", "return v.size();", MIXED_FILES)
    report = runner.test(wrong)
    assert report.outcomes == {name: "passed", "make check": "failed"}
    assert "1c1" in report.failures[0].trace + report.failures[0].message


def test_configured_build_and_test_commands(sandbox: Sandbox, tmp_path: Path) -> None:
    script = "#!/bin/sh\nset -e\n./o/checks fast\n./o/checks\n"
    build = "mkdir -p o && g++ -O2 -Iinclude -o o/checks tests/repeats_test.cpp src/repeats.cpp"
    settings = LanguageSettings(build=["sh", "-c", build], test=["sh", "./run.sh"])
    head = planted(tmp_path / "head", SLOW, {"run.sh": script, "tests/repeats_test.cpp": MAIN})
    runner = found(sandbox, head, settings=settings)
    assert runner.name == "configured"
    whole = "sh ./run.sh"
    assert runner.test(head).outcomes == {"o/checks fast": "passed", "o/checks": "passed", whole: "passed"}
    named = runner.tests_naming(head, function())
    assert named == ("o/checks fast", "o/checks")
    timed = runner.timed(head, named, min_ms=20)
    assert timed is not None
    assert sandbox.run(timed.command).ok
    assert timed.description.startswith(f"sh -c '{build}' && {whole}")
    wrong = planted(
        tmp_path / "wrong", "return v.size();", {"run.sh": script, "tests/repeats_test.cpp": MAIN}
    )
    assert set(runner.test(wrong).failed) == {"o/checks fast", "o/checks", whole}
    broken = planted(
        tmp_path / "broken", "return v.none;", {"run.sh": script, "tests/repeats_test.cpp": MAIN}
    )
    report = runner.test(broken)
    assert not report.built
    assert "no member named" in report.failures[0].message


def test_a_configured_command_that_is_not_there_names_its_key(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(tmp_path / "head", SLOW, {"tests/repeats_test.cpp": MAIN})
    for settings, key in (
        (LanguageSettings(build=["no-such-tool"]), "build"),
        (LanguageSettings(test=["no-such-tool"]), "test"),
    ):
        with pytest.raises(ToolMissingError, match=f"languages.cpp.{key} in .*no-such-tool is not installed"):
            found(sandbox, head, settings=settings).test(head)


def test_a_main_that_cannot_be_called_twice_is_repeated_by_processes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    once = MAIN.replace("int main() {", "static int calls; int main() { if (calls++) return 3;")
    head = planted(tmp_path / "head", SLOW, {"tests/repeats_test.cpp": once})
    timed = found(sandbox, head).timed(head, ["tests/repeats_test.cpp"], min_ms=20)
    assert timed is not None
    assert timed.repeat > 1
    assert sandbox.run(timed.command).ok
    left = planted(tmp_path / "left", "std::exit(0);", {"tests/repeats_test.cpp": once})
    runner = found(sandbox, head)
    again = runner.timed(head, ["tests/repeats_test.cpp"], min_ms=20)
    assert again is not None
    assert runner.timed(left, ["tests/repeats_test.cpp"], repeat=again.repeat) is None


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


FETCHED = """cmake_minimum_required(VERSION 3.14)
project(stock CXX)
include(FetchContent)
FetchContent_Declare(checking GIT_REPOSITORY https://example.com/checking.git GIT_TAG v1)
FetchContent_MakeAvailable(checking)
enable_testing()
add_subdirectory(third_party/more)
add_executable(checks tests/repeats_test.cpp src/repeats.cpp)
target_include_directories(checks PRIVATE include)
target_link_libraries(checks checking more)
add_test(NAME repeats COMMAND checks)
"""
LIBRARY = (
    "add_library(NAME INTERFACE)\ntarget_include_directories(NAME INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})\n"
)


def test_dependencies_of_the_checkout_stand_in_for_downloads(sandbox: Sandbox, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for place, name in (("build/_deps/checking-src", "checking"), ("third_party/more", "more")):
        (checkout / place).mkdir(parents=True)
        (checkout / place / "CMakeLists.txt").write_text(LIBRARY.replace("NAME", name))
        (checkout / place / f"{name}.h").write_text("#pragma once\n")
    (checkout / "third_party/more/.git").write_text("gitdir: elsewhere\n")
    files = {
        "CMakeLists.txt": FETCHED,
        "tests/repeats_test.cpp": '#include "checking.h"\n#include "more.h"\n' + MAIN,
        ".gitmodules": '[submodule "more"]\n\tpath = third_party/more\n\turl = https://example.com/more\n'
        '[submodule "out"]\n\tpath = ../../etc\n',
    }
    slow, fast = planted(tmp_path / "slow", SLOW, files), planted(tmp_path / "fast", FAST, files)
    for tree in (slow, fast):
        (tree.source / "third_party/more").mkdir(parents=True)
    runner = found(sandbox, slow, Options(environment_root=checkout))
    assert runner.test(slow).outcomes == {"repeats": "passed"}
    assert runner.test(fast).outcomes == {"repeats": "passed"}
    lonely = planted(tmp_path / "alone", SLOW, files)
    (lonely.source / "third_party/more").mkdir(parents=True)
    alone = found(sandbox, lonely).test(lonely)
    assert not alone.built
    assert "checking" in alone.unavailable[""]
    assert "builds have no network" in alone.unavailable[""]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"CMakeLists.txt": "project(a CXX)\nfind_package(Missing REQUIRED)\n"}, "CMake cannot find Missing"),
        ({"CMakeLists.txt": "cmake_minimum_required(VERSION 99.1)\nproject(a CXX)\n"}, "needs CMake 99.1"),
        (
            {
                "CMakeLists.txt": CMAKE.replace("checks stock", "checks stock nothere"),
                "tests/other_test.cpp": "int main() {}",
            },
            "library nothere",
        ),
        (
            {"CMakeLists.txt": CMAKE, "tests/other_test.cpp": "#include <nothere/nothere.h>\n"},
            "header nothere/nothere.h",
        ),
        ({"Makefile": "test:\n\tnot-a-compiler tests/repeats_test.cpp\n"}, "needs not-a-compiler"),
    ],
)
def test_what_the_machine_lacks_is_not_a_failing_test(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    head = planted(tmp_path / "head", SLOW, {"tests/repeats_test.cpp": MAIN} | files)
    exercise = find.exercise(open_sandbox("required"), Settings(), head, function())
    assert exercise.runner is None
    assert words in exercise.reason


def test_one_file_that_lacks_something_does_not_stop_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {"tests/repeats_test.cpp": MAIN, "tests/more_test.cpp": "#include <nothere.h>\n" + MAIN}
    head = planted(tmp_path / "head", SLOW, files)
    runner = found(sandbox, head)
    report = runner.test(head)
    assert report.built
    assert report.outcomes == {"tests/repeats_test.cpp": "passed", "tests/more_test.cpp": "failed"}
    exercise = Exercise(runner, runner.tests_naming(head, function()))
    assert available(exercise, report, function()).tests == ("tests/repeats_test.cpp",)


@pytest.mark.parametrize("kind", ["cmake", "make", "g++"])
def test_the_hot_lines_of_a_function_are_counted(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    files = {
        "cmake": {"CMakeLists.txt": CMAKE, "tests/other_test.cpp": "int main() { return 0; }\n"},
        "make": {"Makefile": MAKE},
    }.get(kind, {})
    head = planted(tmp_path / "head", SLOW, {"tests/repeats_test.cpp": MAIN} | files)
    runner = found(sandbox, head)
    assert runner.name == kind
    named = runner.tests_naming(head, function())
    asked = replace(function(), start_line=5, end_line=11)
    first, *hot = runner.profile(head, named, asked).split("\n")
    assert first == "called 2 times by the tests; line: executions, source"
    assert len(hot) == 5
    assert "++j" in hot[0]
    assert int(hot[0].split(": ")[1].partition("x")[0]) > 4_000_000
    assert runner.profile(head, ["gone"], asked) == ""


LEAVES = 'std::puts("[ RUN      ] Repeats.Small\\n[       OK ] Repeats.Small (0 ms)"); std::fflush(stdout); _exit(0);'
KNOWS = """
    const char* mark = std::getenv("PERFORCH_MARK");
    FILE* end = std::fopen("/tmp/perforch-end", "a");
    std::fprintf(end, "%s 0 0\\n", mark ? mark : "0");
    std::fclose(end);
    std::exit(0);
"""
REPLACES = 'FILE* file = std::fopen("/out/build/checks", "w"); std::exit(file ? 0 : 3);'
TOGETHER = CMAKE.replace("add_executable(checks ", "add_executable(checks src/repeats.cpp ").replace(
    "target_link_libraries(checks stock)", "target_include_directories(checks PRIVATE include)"
)


@pytest.mark.parametrize("kind", ["cmake", "make", "g++"])
def test_candidates_that_leave_early_are_not_believed(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    files = {
        "cmake": {"CMakeLists.txt": TOGETHER, "tests/other_test.cpp": "int main() { return 0; }\n"},
        "make": {"Makefile": MAKE},
    }.get(kind, {})
    files = {"tests/repeats_test.cpp": MAIN} | files
    head = planted(tmp_path / "head", SLOW, files)
    runner = found(sandbox, head)
    (test,) = runner.tests_naming(head, function())
    timed = runner.timed(head, [test], min_ms=5)
    assert timed is not None
    for number, body in enumerate((LEAVES, KNOWS, REPLACES)):
        lines = SOURCE.replace(
            "#include <cstdlib>\n", "#include <cstdlib>\n#include <cstdio>\n#include <unistd.h>\n"
        )
        candidate = planted(tmp_path / str(number), body, files)
        (candidate.source / "src/repeats.cpp").write_text(lines.replace("BODY", body))
        assert test not in runner.test(candidate).passed
        assert runner.timed(candidate, [test], repeat=timed.repeat) is None


DOCTEST = """#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include "repeats.hpp"
TEST_SUITE("all") {
TEST_CASE("small, with comma [x]") { CHECK(stock::repeats({1, 2, 1}) == 1); }
TEST_CASE("large") {
    std::vector<int> v;
    for (int i = 0; i < 3000; ++i) v.push_back(i * 7919 % 10007);
    SUBCASE("all different") { CHECK(stock::repeats(v) == 0); }
}
}
TEST_CASE("other") { CHECK(true); }
"""
CATCH = (
    DOCTEST.replace("DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN", "CATCH_CONFIG_MAIN")
    .replace("doctest/doctest.h", "catch2/catch.hpp")
    .replace('TEST_SUITE("all") {', 'SCENARIO("given nothing") { CHECK(stock::repeats({}) == 0); }')
    .replace("}\n}\nTEST", "}\nTEST")
    .replace("SUBCASE", "SECTION")
)


@pytest.mark.parametrize(
    ("text", "more"), [(DOCTEST, ()), (CATCH, ("Scenario: given nothing",))], ids=["doctest", "catch2"]
)
def test_cases_of_other_frameworks(
    sandbox: Sandbox, tmp_path: Path, text: str, more: tuple[str, ...]
) -> None:
    files = {"tests/repeats_test.cpp": text}
    head = planted(tmp_path / "head", SLOW, files)
    runner = found(sandbox, head)
    named = {"small, with comma [x]", "large", *more}
    assert runner.test(head).passed == {*named, "other"}
    assert set(runner.tests_naming(head, function())) == named
    timed = runner.timed(head, sorted(named), min_ms=20)
    assert timed is not None
    assert timed.repeat > 1
    left = planted(tmp_path / "left", "std::exit(0);", files)
    assert runner.test(left).outcomes["large"] == "failed"
    assert runner.timed(left, sorted(named), repeat=timed.repeat) is None
