"""Real javac and java in the real sandbox; Maven's reports are recorded ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.workloads.java import JavaRunner, discover
from perforch.workloads.model import Tree
from perforch.workloads.options import Options

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.sandbox.spec import Sandbox

SLOW = """
        int n = 0;
        for (int i = 0; i < v.length; i++)
            for (int j = i + 1; j < v.length; j++)
                if (v[i] == v[j]) { n++; break; }
        return n;
"""
FAST = """
        int[] s = v.clone();
        java.util.Arrays.sort(s);
        int n = 0;
        for (int i = 1; i < s.length; i++) if (s[i] == s[i - 1]) n++;
        return n;
"""
CLASS = "package shop;\npublic final class Stock {\n    public static int repeats(int[] v) {BODY}\n}\n"
MAIN = """package shop;
public final class StockTest {
    public static void main(String[] args) {
        assert Stock.repeats(new int[] {1, 2, 1}) == 1 : "one of three";
        int[] v = new int[4000];
        for (int i = 0; i < v.length; i++) v[i] = i * 7919 % 10007;
        if (Stock.repeats(v) != 0) throw new AssertionError("none expected");
        System.exit(0);
    }
}
"""
# JUnit's annotations are known by name, so a project's own will do.
ANNOTATION = "package org.junit.jupiter.api;\nimport java.lang.annotation.*;\n@Retention(RetentionPolicy.RUNTIME)\npublic @interface NAME {}\n"
METHODS = """package shop;
import org.junit.jupiter.api.*;
class CasesTest {
    private int[] v;
    @BeforeEach void fill() { v = new int[] {5, 5}; }
    @Test void two() { if (Stock.repeats(v) != 1) throw new IllegalStateException("expected 1 but was " + Stock.repeats(v)); }
    @Test void large() { Stock.repeats(new int[500]); }
    @Test @Disabled void later() { }
    @Test void unrelated() { }
}
"""
MAIN_FILES = {"test/shop/StockTest.java": MAIN}
METHOD_FILES = {
    "src/test/java/shop/CasesTest.java": METHODS,
    **{
        f"src/test/java/org/junit/jupiter/api/{name}.java": ANNOTATION.replace("NAME", name)
        for name in ("Test", "BeforeEach", "Disabled")
    },
}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


def planted(place: Path, body: str, files: dict[str, str], path: str = "src/shop/Stock.java") -> Tree:
    for name, text in ({path: CLASS.replace("BODY", body)} | files).items():
        target = place / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (place / "out").mkdir()
    return Tree(place / "src", place / "out", place.name)


def function(path: str = "src/shop/Stock.java") -> Function:
    return Function(
        path=path, name="Stock.repeats", language=Language.JAVA, start_line=1, end_line=1, start_byte=0, end_byte=1,
        signature="", change="modified", source="",
    )  # fmt: skip


def found(
    sandbox: Sandbox, of: Tree, path: str = "src/shop/Stock.java", options: Options | None = None
) -> JavaRunner:
    runner = discover(sandbox, None, of, path, options or Options())
    assert runner is not None
    return runner


def test_main_methods_pass_and_compare(sandbox: Sandbox, tmp_path: Path) -> None:
    slow, fast = planted(tmp_path / "slow", SLOW, MAIN_FILES), planted(tmp_path / "fast", FAST, MAIN_FILES)
    runner = found(sandbox, slow)
    assert runner.name == "javac"
    assert runner.test(slow).outcomes == {"shop.StockTest": "passed"}
    tests = runner.tests_naming(slow, function())
    assert tests == ("shop.StockTest",)
    before = runner.timed(slow, tests)
    assert before is not None
    assert before.repeat > 1
    assert before.threads == 2
    after = runner.timed(fast, tests, repeat=before.repeat)
    assert after is not None
    first, second = sandbox.run(before.command), sandbox.run(after.command)
    assert first.ok
    assert second.ok
    assert first.cpu_seconds > 2 * second.cpu_seconds
    assert runner.cold_check(slow, tests, 20) is not None


def test_failures_and_compiler_errors_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = planted(tmp_path / "wrong", "return v.length;", MAIN_FILES)
    runner = found(sandbox, wrong)
    report = runner.test(wrong)
    assert report.outcomes == {"shop.StockTest": "failed"}
    assert "one of three" in report.failures[0].message
    assert "StockTest.java:4" in report.failures[0].trace
    broken = planted(tmp_path / "broken", "return v.missing;", MAIN_FILES)
    report = runner.test(broken)
    assert not report.built
    assert report.failures[0].message.startswith("src/shop/Stock.java:3: error: cannot find symbol")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("System.exit(0); return 0;", "exit status 0"),
        ("while (v != null) { } return 0;", "did not finish"),
        ("return repeats(v);", "StackOverflowError"),
    ],
)
def test_tests_that_do_not_end_keep_their_ids(
    sandbox: Sandbox, tmp_path: Path, body: str, words: str
) -> None:
    bad = planted(tmp_path / "bad", body, METHOD_FILES, "src/main/java/shop/Stock.java")
    runner = found(sandbox, bad, "src/main/java/shop/Stock.java", Options(test_seconds=3.0))
    report = runner.test(bad)
    assert set(report.outcomes) == {
        f"shop.CasesTest#{name}" for name in ("two", "large", "later", "unrelated")
    }
    assert report.outcomes["shop.CasesTest#large"] == "failed"
    assert any(words in failure.message for failure in report.failures)
    assert runner.timed(bad, ["shop.CasesTest#large"]) is None


def test_annotated_methods(sandbox: Sandbox, tmp_path: Path) -> None:
    path = "src/main/java/shop/Stock.java"
    head = planted(tmp_path / "head", SLOW, METHOD_FILES, path)
    runner = found(sandbox, head, path)
    named = runner.tests_naming(head, function(path))
    assert set(named) == {"shop.CasesTest#two", "shop.CasesTest#large"}
    assert runner.test(head).outcomes == {
        "shop.CasesTest#two": "passed", "shop.CasesTest#large": "passed", "shop.CasesTest#later": "skipped",
        "shop.CasesTest#unrelated": "passed",
    }  # fmt: skip
    assert runner.test(head, ["shop.CasesTest#gone"]).outcomes == {"shop.CasesTest#gone": "failed"}
    wrong = planted(tmp_path / "wrong", "return 9;", METHOD_FILES, path)
    report = runner.test(wrong, named)
    assert report.outcomes["shop.CasesTest#two"] == "failed"
    assert "expected 1 but was 9" in report.failures[0].message
