"""What compilers and test frameworks print, read without running them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from perforch.languages import syntax
from perforch.result import Language
from perforch.sandbox.spec import Completed
from perforch.settings import LanguageSettings
from perforch.workloads import (
    cpp_project,
    cpp_record,
    cpp_report,
    java_project,
    java_report,
    rust_repeat,
    rust_report,
)
from perforch.workloads.model import Failure, TestReport, Tree

if TYPE_CHECKING:
    from pathlib import Path

SUREFIRE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="shop.StockTest" tests="4" errors="0" skipped="1" failures="1">
  <testcase name="works" classname="shop.StockTest" time="0.01"/>
  <testcase name="counts(int)[1]" classname="shop.StockTest" time="0.01"/>
  <testcase name="counts(int)[2]" classname="shop.StockTest" time="0.01">
    <failure message="expected: &lt;1&gt; but was: &lt;3&gt;" type="AssertionError"><![CDATA[at shop.StockTest.counts(StockTest.java:9)]]></failure>
  </testcase>
  <testcase name="later" classname="shop.StockTest"><skipped/></testcase>
</testsuite>"""


def ended(stdout: str = "", stderr: str = "", code: int = 0, stopped: str = "") -> Completed:
    return Completed(code, stdout.encode(), stderr.encode(), 1.0, 1.0, stopped)


def test_surefire_reports() -> None:
    outcomes, failures = java_report.surefire([SUREFIRE, b"not xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"])
    assert outcomes == {
        "shop.StockTest#works": "passed", "shop.StockTest#counts": "failed", "shop.StockTest#later": "skipped"
    }  # fmt: skip
    assert failures[0].message == "expected: <1> but was: <3>"


def test_javac_and_maven_errors() -> None:
    plain = b"/src/a/B.java:3: error: cannot find symbol\n        return x;\n               ^\n1 error\n"
    assert java_report.compiler_errors(plain)[0].message.startswith("a/B.java:3: error: cannot find symbol\n")
    maven = b"[ERROR] /src/a/B.java:[3,16] cannot find symbol\n[ERROR]   symbol: x\n"
    assert "B.java:3: error: cannot find symbol" in java_report.compiler_errors(maven)[0].message


def test_a_record_without_the_mark_is_nobodys() -> None:
    words = " ".join(
        base64.b64encode(word.encode()).decode() + "." for word in ("test", "A#b", "passed", "", "")
    )
    assert java_report.read(f"mark {words}".encode(), "mark").outcomes == {"A#b": "passed"}
    assert java_report.read(f"other {words}".encode(), "mark").outcomes == {}


@given(st.binary(max_size=300))
def test_nothing_in_an_output_breaks_the_readers(data: bytes) -> None:
    done = Completed(1, data, data, 1.0, 1.0)
    java_report.read(b"mark " + data, "mark")
    java_report.compiler_errors(data)
    rust_report.executables(data, "/src")
    rust_report.outcomes(done, ["a"])
    cpp_report.gtest(done, ["A.b"])
    assert cpp_report.compiler_errors(done)


def test_libtest_lines_and_sections() -> None:
    text = (
        "running 3 tests\ntest tests::good ... ok\ntest tests::bad ... FAILED\ntest tests::boom - should panic ... ok\n\n"
        "failures:\n\n---- tests::bad stdout ----\n"
        "thread 'tests::bad' panicked at src/lib.rs:9:5:\nassertion failed\n  left: 1\n right: 2\n"
        "note: run with `RUST_BACKTRACE=1`\n\n\nfailures:\n    tests::bad\n"
    )
    found, failures = rust_report.outcomes(
        ended(text, code=101), ["tests::good", "tests::bad", "tests::boom", "tests::gone"]
    )
    assert found == {
        "tests::good": "passed", "tests::bad": "failed", "tests::boom": "passed", "tests::gone": "failed"
    }  # fmt: skip
    assert failures[0].message.endswith("right: 2")
    assert "exit status 101" in failures[1].message


def test_a_rust_test_that_is_reported_twice_failed() -> None:
    found, _ = rust_report.outcomes(ended("test a ... ok\ntest a ... ok\n"), ["a"])
    assert found == {"a": "failed"}


def test_insertion_stays_in_the_module_of_its_tests() -> None:
    source = (
        b"mod tests { #[test] fn a() {} #[test] #[should_panic] fn b() { panic!() } }\n#[test] fn c() {}\n"
    )
    text, inserted, chosen = rust_repeat.insert(source, ["tests::a", "tests::b", "c"])
    assert set(inserted) == {"tests::perforch_repeat", "perforch_repeat"}
    assert set(chosen) == {"tests::a", "c"}
    names = {one.name for one in syntax.test_functions(Language.RUST, text)}
    assert {"tests::perforch_repeat", "perforch_repeat"} <= names


def test_cases_of_googletest() -> None:
    listing = (
        b"Running main() from gtest_main.cc\nSuite.\n  One\n  Two\nAll/Param.\n  Each/0  # GetParam() = 1\n"
    )
    assert cpp_report.gtest_listed(listing) == ("Suite.One", "Suite.Two", "All/Param.Each/0")
    text = "[ RUN      ] Suite.One\n[       OK ] Suite.One (0 ms)\n[ RUN      ] Suite.Two\n"
    outcomes, failures, left = cpp_report.gtest(
        ended(text, code=139), ["Suite.One", "Suite.Two", "All/Param.Each/0"]
    )
    assert outcomes == {"Suite.One": "passed", "Suite.Two": "failed"}
    assert "signal 11" in failures[0].message
    assert left == ("All/Param.Each/0",)


def test_exit_in_a_test_file() -> None:
    assert cpp_project.may_exit([b"int main() { exit(bad ? 1 : 0); }"])
    assert cpp_project.may_exit([b"int main() { std::exit(0); }"])
    assert not cpp_project.may_exit([b"void fail() { std::exit(1); } int main() { exit(EXIT_FAILURE); }"])


def test_leaving_a_java_test_by_exit() -> None:
    source = (
        b"class A { public static void main(String[] a) { System.exit(0); } void f() { System.exit(0); } }"
    )
    text = java_project.without_exit(source)
    assert text.count(b"perforch.Harness.exit(0)") == 1
    assert text.count(b"System.exit(0)") == 1


def test_records_of_started_programs_end_where_they_are_malformed() -> None:
    one = b"\0".join([b"perforch", b"/src/a", b"/src", b"/src/in", b"1", b"-q", b"1", b"A=b c", b""])
    assert cpp_record.noted(one + one[:-9]) == [("/src/a", "/src", "/src/in", ["-q"], ["A=b c"])]
    assert cpp_record.noted(b"perforch\0/src/a\0/src\0\0many\0") == []


def test_a_program_that_only_runs_inside_its_command_is_skipped() -> None:
    alone = TestReport(True, {"a": "failed", "b": "passed"}, (Failure("a", "why"),))
    report = cpp_report.beside(alone, "make test", ended())
    assert report.outcomes == {"a": "skipped", "b": "passed", "make test": "passed"}
    assert report.failures == ()
    report = cpp_report.beside(alone, "make test", ended("no", code=2))
    assert set(report.failed) == {"a", "make test"}
    assert [failure.test for failure in report.failures] == ["a", "make test"]


def test_configured_commands_of_cpp(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text("project(a)\n")
    tree = Tree(tmp_path, tmp_path, "a")

    def project(**commands: list[str]) -> cpp_project.Project | None:
        return cpp_project.find(tree, "src/a.cpp", LanguageSettings(**commands))

    found = project(test=["ctest", "--test-dir", "out", "-R", "unit"])
    assert found == cpp_project.Project("", "cmake", options=("-R", "unit"))
    found = project(build=["cmake", "--build", "out"])
    assert found is not None
    assert found.test == ("ctest", "--test-dir", "out")
    found = project(build=["x"], test=["y", "a b"])
    assert found is not None
    assert (found.configured, found.whole) == (True, "y 'a b'")
    assert project() == cpp_project.Project("", "cmake")
