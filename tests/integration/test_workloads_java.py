"""Real javac and java in the real sandbox; Maven's reports are recorded ones."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.errors import ToolMissingError
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.settings import LanguageSettings, Settings
from perforch.workloads import find
from perforch.workloads.java import JavaRunner, discover
from perforch.workloads.model import Exercise, Tree
from perforch.workloads.options import Options
from perforch.workloads.unavailable import available

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
    sandbox: Sandbox,
    of: Tree,
    path: str = "src/shop/Stock.java",
    options: Options | None = None,
    settings: LanguageSettings | None = None,
) -> JavaRunner:
    runner = discover(sandbox, settings, of, path, options or Options())
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


POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>shop</groupId><artifactId>stock</artifactId><version>1</version>
  <properties><junit.version>5.9.3</junit.version></properties>
  <dependencies><dependency>
    <groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>${junit.version}</version>
  </dependency></dependencies>
</project>
"""
BROUGHT = """<project><dependencies>
  <dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter-api</artifactId><version>5.9.3</version></dependency>
</dependencies></project>
"""
GRADLE = """plugins { id 'java' }
dependencies { testImplementation 'org.junit.jupiter:junit-jupiter:5.9.3' }
"""
CASES = {"src/test/java/shop/CasesTest.java": METHODS}
MAVEN_PATH = "src/main/java/shop/Stock.java"


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A jar with annotations of the names that JUnit's have."""
    place = tmp_path_factory.mktemp("annotations")
    files = [place / f"{name}.java" for name in ("Test", "BeforeEach", "Disabled")]
    for file in files:
        file.write_text(ANNOTATION.replace("NAME", file.stem))
    subprocess.run(["javac", "-d", place / "classes", *files], check=True)
    with zipfile.ZipFile(place / "api.jar", "w") as jar:
        for file in (place / "classes").rglob("*.class"):
            jar.write(file, file.relative_to(place / "classes"))
    return place / "api.jar"


def store(home: Path, kind: str, jar: Path) -> None:
    """What Maven or Gradle has downloaded: an aggregate of which the jar is a part."""
    for name, text in (("junit-jupiter", BROUGHT), ("junit-jupiter-api", "<project/>")):
        if kind == "maven":
            poms = jars = home / ".m2/repository/org/junit/jupiter" / name / "5.9.3"
        else:
            base = home / ".gradle/caches/modules-2/files-2.1/org.junit.jupiter" / name / "5.9.3"
            poms, jars = base / "1a", base / "2b"
        poms.mkdir(parents=True)
        jars.mkdir(exist_ok=True)
        (poms / f"{name}-5.9.3.pom").write_text(text)
        if name == "junit-jupiter-api":
            shutil.copy(jar, jars / f"{name}-5.9.3.jar")


@pytest.mark.parametrize(
    ("kind", "file", "text"), [("maven", "pom.xml", POM), ("gradle", "build.gradle", GRADLE)]
)
def test_projects_whose_build_system_cannot_run_offline_are_compiled_with_their_stored_jars(
    sandbox: Sandbox,
    tmp_path: Path,
    annotations: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    file: str,
    text: str,
) -> None:
    store(tmp_path / "home", kind, annotations)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    head = planted(tmp_path / "head", SLOW, {file: text} | CASES, MAVEN_PATH)
    runner = found(sandbox, head, MAVEN_PATH)
    assert runner.name == kind
    named = runner.tests_naming(head, function(MAVEN_PATH))
    assert named == ("shop.CasesTest#two", "shop.CasesTest#large")
    assert set(runner.test(head).passed) == {*named, "shop.CasesTest#unrelated"}
    timed = runner.timed(head, named)
    assert timed is not None
    assert sandbox.run(timed.command).ok


def test_a_library_that_is_nowhere_is_not_a_failing_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    files = {"pom.xml": POM, "src/test/java/shop/StockTest.java": MAIN} | CASES
    other = {"src/test/java/shop/CasesTest.java": METHODS.replace("org.junit.jupiter", "com.example.checks")}
    head = planted(tmp_path / "head", SLOW, files | other, MAVEN_PATH)
    sandbox = open_sandbox("required")
    exercise = find.exercise(sandbox, Settings(), head, function(MAVEN_PATH))
    assert exercise.runner is not None
    report = exercise.runner.test(head)
    assert report.built
    assert report.passed == {"shop.StockTest"}
    left = available(exercise, report, function(MAVEN_PATH))
    assert left.tests == ("shop.StockTest",)
    only = available(replace(exercise, tests=("shop.CasesTest#two",)), report, function(MAVEN_PATH))
    assert only.runner is None
    assert "com.example.checks.api is in no jar on this machine" in only.reason
    assert "run `mvn test` once" in only.reason


def test_modules_are_compiled_with_the_sources_of_their_siblings(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    files = {
        "pom.xml": POM.replace(
            "<dependencies>",
            "<packaging>pom</packaging><modules><module>a</module><module>b</module></modules><dependencies>",
        ),
        "a/pom.xml": POM.replace(">stock<", ">a<"),
        "b/pom.xml": POM.replace(">stock<", ">b<"),
        "b/src/main/java/shop/Twice.java": "package shop; class Twice { static int of(int n) { return 2 * n; } }",
        "a/src/test/java/shop/StockTest.java": MAIN.replace("repeats(v) != 0", "repeats(v) != Twice.of(0)"),
    }
    path = "a/src/main/java/shop/Stock.java"
    head = planted(tmp_path / "head", SLOW, files, path)
    runner = found(sandbox, head, path)
    assert runner.test(head).outcomes == {"shop.StockTest": "passed"}
    assert runner.timed(head, ["shop.StockTest"]) is not None


def test_configured_commands_and_the_classes_they_leave(sandbox: Sandbox, tmp_path: Path) -> None:
    build = "mkdir -p made/m made/t && javac -d made/m src/shop/*.java && javac -cp made/m -d made/t test/shop/*.java"
    test = ["sh", "-c", "java -ea -Dlimit=4000 -cp made/m:made/t shop.StockTest && cat data.txt"]
    settings = LanguageSettings(build=["sh", "-c", build], test=test)
    files = MAIN_FILES | {"data.txt": "data"}
    head = planted(tmp_path / "head", SLOW, files)
    runner = found(sandbox, head, settings=settings)
    assert runner.name == "configured"
    whole = shlex.join(test)
    assert runner.test(head).outcomes == {"shop.StockTest": "passed", whole: "passed"}
    assert runner.tests_naming(head, function()) == ("shop.StockTest",)
    timed = runner.timed(head, ["shop.StockTest"])
    assert timed is not None
    assert sandbox.run(timed.command).ok
    assert whole in timed.description
    wrong = planted(tmp_path / "wrong", "return v.length;", files)
    assert set(runner.test(wrong).failed) == {"shop.StockTest", whole}
    # What only the whole command checks counts too.
    short = planted(tmp_path / "short", SLOW, MAIN_FILES)
    assert runner.test(short).outcomes == {"shop.StockTest": "passed", whole: "failed"}
    broken = planted(tmp_path / "broken", "return v.missing;", files)
    assert not runner.test(broken).built


def test_a_configured_test_command_without_a_build(sandbox: Sandbox, tmp_path: Path) -> None:
    test = [
        "sh",
        "-c",
        "mkdir made && javac -d made src/shop/*.java test/shop/*.java && java -ea -cp made shop.StockTest",
    ]
    settings = LanguageSettings(test=test)
    head = planted(tmp_path / "head", SLOW, MAIN_FILES)
    runner = found(sandbox, head, settings=settings)
    whole = shlex.join(test)
    assert runner.test(head).outcomes == {"shop.StockTest": "passed", whole: "passed"}
    assert runner.timed(head, ["shop.StockTest"]) is not None


def test_a_configured_command_that_wants_the_network_is_not_a_failing_test(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # As Gradle's wrapper ends where it cannot fetch Gradle.
    script = (
        "echo 'Exception in thread \"main\" java.net.UnknownHostException: services.gradle.org' >&2; exit 1\n"
    )
    settings = LanguageSettings(test=["sh", "gradlew", "test"])
    other = {"src/test/java/shop/CasesTest.java": METHODS.replace("org.junit.jupiter", "com.example.checks")}
    head = planted(tmp_path / "head", SLOW, {"build.gradle": "", "gradlew": script} | other, MAVEN_PATH)
    runner = found(sandbox, head, MAVEN_PATH, settings=settings)
    tests = runner.tests_naming(head, function(MAVEN_PATH))
    assert tests == ("sh gradlew test",)
    left = available(Exercise(runner, tests), runner.test(head), function(MAVEN_PATH))
    assert left.runner is None
    assert "`sh gradlew test` needs the network" in left.reason


def test_a_configured_command_that_is_not_there_names_its_key(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(tmp_path / "head", SLOW, MAIN_FILES)
    for settings, key in (
        (LanguageSettings(build=["no-such-tool"]), "build"),
        (LanguageSettings(test=["./gradlew", "test"]), "test"),
    ):
        with pytest.raises(ToolMissingError, match=f"languages.java.{key} in .* cannot be run"):
            found(sandbox, head, settings=settings).test(head)


def test_the_hot_lines_of_a_function_are_sampled(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(tmp_path / "head", SLOW, MAIN_FILES)
    runner = found(sandbox, head)
    asked = replace(function(), start_line=3, end_line=8)
    first, *hot = runner.profile(head, ["shop.StockTest"], asked).split("\n")
    assert "of the tests' time is spent here" in first
    assert "v[i] == v[j]" in "".join(hot) or "++" in "".join(hot)
    assert all(3 <= int(line.partition(":")[0]) <= 8 for line in hot)
    assert runner.profile(head, ["gone"], asked) == ""


ENGINE = {
    "Test": "", "BeforeAll": "", "ParameterizedTest": "", "TestFactory": "", "TempDir": "",
    "RepeatedTest": "int value();", "ExtendWith": "Class<?>[] value();",
    "ValueSource": "int[] ints() default {}; String[] strings() default {};",
    "CsvSource": "String[] value() default {}; char delimiter() default ',';",
    "MethodSource": 'String[] value() default "";', "NullAndEmptySource": "", "CsvFileSource": "String resources();",
    "TestInstance": "Lifecycle value(); enum Lifecycle { PER_CLASS, PER_METHOD }",
}  # fmt: skip
PARAMETERS = """package shop;
import org.junit.jupiter.api.*;
import java.util.*;
import java.util.stream.*;
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CasesTest {
    private int calls;
    private int[] prepared;
    @BeforeAll void prepare() { prepared = new int[] {7, 7}; }
    private static void same(int expected, int[] v) {
        if (Stock.repeats(v) != expected) throw new AssertionError(expected + " is not " + Stock.repeats(v));
    }
    @Test void once() { same(1, prepared); }
    @ParameterizedTest @ValueSource(ints = {1, 5}) void sizes(long n) { same((int) n - 1, new int[(int) n]); }
    @ParameterizedTest @CsvSource({"1, '1,2,1'", "0,'1,2'"}) void texts(int expected, String values) {
        same(expected, Stream.of(values.split(",")).mapToInt(Integer::parseInt).toArray());
    }
    @ParameterizedTest @MethodSource void made(int expected, int[] v) { same(expected, v); }
    static Stream<Object[]> made() { return Stream.<Object[]>of(new Object[] {2, new int[] {3, 3, 3}}); }
    @ParameterizedTest @NullAndEmptySource void nothing(List<String> v) { same(0, new int[v == null ? 0 : v.size()]); }
    @RepeatedTest(3) void again() { calls++; same(0, new int[1]); }
    @ParameterizedTest @CsvFileSource(resources = "/x.csv") void filed(int n) { same(n - 1, new int[n]); }
    @TestFactory Stream<Object> dynamic() { return Stream.of(Stock.repeats(new int[2])); }
    @Test void given(String injected) { same(0, new int[injected.length()]); }
    @ExtendWith(Object.class) static class Extended {
        @Test void wants() { throw new IllegalStateException("not injected " + Stock.repeats(new int[0])); }
    }
}
"""
ENGINE_FILES = {
    "src/test/java/shop/CasesTest.java": PARAMETERS,
    **{
        f"src/test/java/org/junit/jupiter/api/{name}.java": ANNOTATION.replace(
            "NAME {", f"{name} {{ {members} "
        )
        for name, members in ENGINE.items()
    },
}


def test_parameters_run_and_what_needs_an_engine_is_skipped(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(tmp_path / "head", SLOW, ENGINE_FILES, MAVEN_PATH)
    runner = found(sandbox, head, MAVEN_PATH)
    named = runner.tests_naming(head, function(MAVEN_PATH))
    report = runner.test(head)
    ours = {f"shop.CasesTest#{name}" for name in ("once", "sizes", "texts", "made", "nothing", "again")}
    others = {f"shop.CasesTest#{name}" for name in ("filed", "dynamic", "given")} | {
        "shop.CasesTest$Extended#wants"
    }
    assert report.passed == ours
    assert report.failed == frozenset()
    assert set(report.outcomes) == ours | others
    assert set(named) <= ours | others
    assert ours <= set(named)
    timed = runner.timed(head, named)
    assert timed is not None
    assert sandbox.run(timed.command).ok
    wrong = planted(tmp_path / "wrong", "return v.length - 1;", ENGINE_FILES, MAVEN_PATH)
    assert runner.test(wrong).outcomes["shop.CasesTest#texts"] == "failed"
    assert runner.timed(wrong, named, repeat=timed.repeat) is None
