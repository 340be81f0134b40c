"""The real go command in the real sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.settings import LanguageSettings
from perforch.workloads.go import GoRunner, discover
from perforch.workloads.model import Exercise, Tree
from perforch.workloads.options import Options
from perforch.workloads.unavailable import available

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.sandbox.spec import Sandbox

MODULE = "module example.com/stock\n\ngo 1.18\n"
SLOW = """
	n := 0
	for i, a := range values {
		for _, b := range values[i+1:] {
			if a == b {
				n++
				break
			}
		}
	}
	return n
"""
FAST = """
	seen, n := map[int]int{}, 0
	for _, value := range values {
		if seen[value] > 0 {
			n++
		}
		seen[value]++
	}
	return n
"""
CODE = "package stock\n\nfunc Repeats(values []int) int {BODY}\n\nfunc Other() int { return 7 }\n"
TEST = """package stock

import (
	"fmt"
	"testing"
)

func numbers() []int {
	values := make([]int, 2000)
	for i := range values {
		values[i] = i * 7919 % 10007
	}
	return values
}

func TestTable(t *testing.T) {
	cases := map[string]struct {
		values []int
		wanted int
	}{"none": {nil, 0}, "one": {[]int{1, 2, 1}, 1}}
	for name, one := range cases {
		name, one := name, one
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Repeats(one.values); got != one.wanted {
				t.Errorf("%s: got %d, wanted %d", name, got, one.wanted)
			}
		})
	}
}

func TestLarge(t *testing.T) {
	fmt.Print("no newline at the end")
	if Repeats(numbers()) != 0 {
		t.Fatal("too many")
	}
}

func TestOther(t *testing.T) {
	if Other() != 7 {
		t.Fatal(Other())
	}
}

func TestLater(t *testing.T) { t.Skip("not now") }

func FuzzRepeats(f *testing.F) {
	f.Add(3)
	f.Fuzz(func(t *testing.T, n int) {
		if Repeats([]int{n, n}) != 1 {
			t.Fatal(n)
		}
	})
}

func ExampleRepeats() {
	fmt.Println(Repeats([]int{5, 5}))
	// Output: 1
}

func ExampleOther() { Other() }

func BenchmarkRepeats(b *testing.B) {
	values := numbers()
	for i := 0; i < b.N; i++ {
		Repeats(values)
	}
}
"""
OUTSIDE = """package stock_test

import (
	"testing"

	"example.com/stock"
)

func TestFromOutside(t *testing.T) {
	if stock.Repeats([]int{4, 4}) != 1 {
		t.Fatal()
	}
}
"""
CHECKED = {"TestTable", "TestLarge", "TestFromOutside", "FuzzRepeats", "ExampleRepeats"}


def simple(name: str, call: str) -> str:
    return f'package {name}\n\nimport "testing"\n\nfunc Test{name.title()}(t *testing.T) {{ {call} }}\n'


def ids(*names: str, package: str = "example.com/stock") -> set[str]:
    return {f"{package}.{name}" for name in names}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if base.name.startswith("popen-") else base) / "go-cache"
    shared.mkdir(exist_ok=True)  # the go command lets many use one cache at once
    return Options(cache=shared)


def planted(place: Path, files: dict[str, str]) -> Tree:
    for name, text in files.items():
        target = place / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (place / "out").mkdir()
    return Tree(place / "src", place / "out", place.name)


def stock(place: Path, body: str, **more: str) -> Tree:
    files = {
        "go.mod": MODULE,
        "stock.go": CODE.replace("BODY", body),
        "stock_test.go": TEST,
        "outside_test.go": OUTSIDE,
    }
    return planted(place, {**files, **{name.replace("__", "/"): text for name, text in more.items()}})


def function(name: str, path: str = "stock.go", start: int = 3, end: int = 14) -> Function:
    return Function(
        path=path, name=name, language=Language.GO, start_line=start, end_line=end, start_byte=0, end_byte=1,
        signature="", change="modified", source="",
    )  # fmt: skip


def found(
    sandbox: Sandbox,
    of: Tree,
    options: Options,
    path: str = "stock.go",
    settings: LanguageSettings | None = None,
) -> GoRunner:
    runner = discover(sandbox, settings, of, path, options)
    assert runner is not None
    return runner


def test_a_module_passes_and_names_its_tests(sandbox: Sandbox, tmp_path: Path, options: Options) -> None:
    head = stock(tmp_path / "head", SLOW)
    runner = found(sandbox, head, options)
    report = runner.test(head)
    assert set(report.outcomes) == ids(*CHECKED, "TestOther", "TestLater")
    assert report.outcomes["example.com/stock.TestLater"] == "skipped"
    assert not report.failed
    named = runner.tests_naming(head, function("Repeats"))
    assert set(named) == ids(*CHECKED, "BenchmarkRepeats")
    assert runner.test(head, named).passed == set(named)
    assert set(named) <= runner.test(head).passed  # nobody runs benchmarks that nobody asked about


def test_failures_panics_and_early_exits_are_told_test_by_test(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    wrong = stock(tmp_path / "wrong", "\n\treturn len(values)\n")
    runner = found(sandbox, wrong, options)
    assert runner.tests_naming(wrong, function("Repeats"))
    report = runner.test(wrong)
    assert report.failed == ids(*CHECKED)
    assert report.passed == ids("TestOther", "BenchmarkRepeats")
    told = {failure.test.rpartition(".")[2]: failure.message for failure in report.failures}
    assert "got 3, wanted 1" in told["TestTable"]
    panics = stock(tmp_path / "panics", '\n\tif len(values) > 9 {\n\t\tpanic("too long")\n\t}\n' + SLOW)
    report = runner.test(panics)
    assert report.failed == ids("TestLarge", "BenchmarkRepeats")
    assert report.unavailable == dict.fromkeys(ids("BenchmarkRepeats"), "this benchmark fails")
    assert "panic: too long" in next(one.message for one in report.failures if one.test.endswith("TestLarge"))
    exits = stock(tmp_path / "exits", "\n\tos.Exit(0)\n\treturn 0\n")
    (exits.source / "stock.go").write_text(
        (exits.source / "stock.go").read_text().replace("package stock", 'package stock\n\nimport "os"')
    )
    report = runner.test(exits)
    assert report.failed >= ids(*CHECKED)
    assert report.passed == ids("TestOther")


def test_code_that_does_not_end_is_stopped(sandbox: Sandbox, tmp_path: Path, options: Options) -> None:
    endless = stock(tmp_path / "endless", "\n\tfor {\n\t}\n")
    runner = found(sandbox, endless, Options(cache=options.cache, test_seconds=2.0))
    report = runner.test(endless, sorted(ids("TestLarge", "TestOther")))
    assert report.stopped == "timeout"
    assert report.failed == ids("TestLarge", "TestOther")
    assert runner.timed(endless, sorted(ids("TestLarge"))) is None
    report = runner.test(endless, sorted(ids("BenchmarkRepeats", "TestOther")))
    assert report.passed == ids("TestOther")
    assert "too long" in report.unavailable["example.com/stock.BenchmarkRepeats"]
    assert not report.stopped


def test_a_failing_test_main_fails_its_package(sandbox: Sandbox, tmp_path: Path, options: Options) -> None:
    main = "func TestMain(m *testing.M) { code := m.Run(); _ = code; os.Exit(CODE) }\n"
    text = 'package stock\n\nimport (\n\t"os"\n\t"testing"\n)\n\n' + main
    good = stock(tmp_path / "good", SLOW, main_test__go="")
    (good.source / "main_test/go").unlink()
    (good.source / "main_test.go").write_text(text.replace("CODE", "code"))
    runner = found(sandbox, good, options)
    assert not runner.test(good).failed
    bad = stock(tmp_path / "bad", SLOW)
    (bad.source / "main_test.go").write_text(text.replace("CODE", "code + 3"))
    report = runner.test(bad)
    assert not report.passed
    assert any("exit status 3" in failure.message for failure in report.failures)


def test_only_what_is_built_here_counts(sandbox: Sandbox, tmp_path: Path, options: Options) -> None:
    """Build tags, other systems, packages that do not compile and dependencies that are not there keep nothing else from it."""
    head = planted(
        tmp_path / "head",
        {
            "go.mod": MODULE + "\nrequire example.com/missing v1.0.0\n",
            "stock.go": CODE.replace("BODY", SLOW),
            "stock_test.go": TEST,
            "tagged_test.go": "//go:build special\n\n" + simple("stock", "Repeats(nil)").replace("TestStock", "TestTagged"),
            "other_windows_test.go": simple("stock", "Repeats(nil)").replace("TestStock", "TestWindows"),
            "broken/broken.go": "package broken\n\nfunc Broken() int { return \"x\" }\n",
            "broken/broken_test.go": simple("broken", "Broken()"),
            "far/far.go": 'package far\n\nimport "example.com/missing"\n\nfunc Far() int { return missing.Far() }\n',
            "far/far_test.go": simple("far", "Far()"),
            "away/away.go": "//go:build plan9\n\npackage away\n\nfunc Away() int { return 1 }\n",
            "away/away_test.go": "//go:build plan9\n\n" + simple("away", "Away()"),
            "internal/deep/deep.go": "package deep\n\nfunc Deep() int { return 1 }\n",
            "internal/deep/deep_test.go": simple("deep", "Deep()"),
            "testdata/no_test.go": "not Go at all",
            "_old/old_test.go": "neither is this",
        },
    )  # fmt: skip
    runner = found(sandbox, head, options)
    named = runner.tests_naming(head, function("Repeats"))
    report = runner.test(head)
    assert report.built
    assert ids(*CHECKED - {"TestFromOutside"}, "TestOther") <= report.passed
    assert ids("TestDeep", package="example.com/stock/internal/deep") <= report.passed
    lacking = {test.rpartition(".")[2]: reason for test, reason in report.unavailable.items()}
    assert set(lacking) == {"TestTagged", "TestWindows", "TestFar", "TestAway"}
    assert "build constraints" in lacking["TestTagged"]
    kept = available(Exercise(runner, named), report, function("Repeats"))
    assert ids("TestLarge", "TestTable") <= set(kept.tests)
    assert not ids("TestTagged", "TestWindows") & set(kept.tests)
    far = function("Far", "far/far.go")
    gone = available(Exercise(runner, runner.tests_naming(head, far)), runner.test(head), far)
    assert gone.runner is None
    assert "example.com/missing" in gone.reason
    assert "go mod" in gone.reason
    # A package of interest that does not compile is a failure, with the compiler's words.
    assert runner.tests_naming(head, function("Broken", "broken/broken.go"))
    report = runner.test(head)
    assert not report.built
    assert "broken/broken.go:3" in report.failures[0].message


def test_a_candidate_that_breaks_another_package_is_not_built(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    files = {
        "go.mod": MODULE,
        "stock.go": CODE.replace("BODY", SLOW),
        "stock_test.go": TEST,
        "shop/shop.go": 'package shop\n\nimport "example.com/stock"\n\nvar Shop = stock.Other()\n',
        "shop/shop_test.go": simple("shop", "if Shop != 7 { t.Fatal() }"),
    }
    head = planted(tmp_path / "head", files)
    runner = found(sandbox, head, options)
    assert runner.tests_naming(head, function("Repeats"))
    assert not runner.test(head).failed
    broken = planted(
        tmp_path / "broken", {**files, "stock.go": files["stock.go"].replace("func Other", "func other")}
    )
    report = runner.test(broken)
    assert not report.built
    assert any("Other" in failure.message for failure in report.failures)
    text = files["stock.go"].replace("package stock", 'package stock\n\nimport _ "example.com/invented"')
    report = runner.test(planted(tmp_path / "invented", {**files, "stock.go": text}))
    assert not report.built  # the candidate's fault, not the machine's
    assert "example.com/invented" in report.failures[0].message


def test_workspaces_vendored_code_and_modules_in_sub_directories(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    head = planted(
        tmp_path / "head",
        {
            "go.work": "go 1.18\n\nuse (\n\t./lib\n\t./app\n)\n",
            "lib/go.mod": "module example.com/lib\n\ngo 1.18\n",
            "lib/lib.go": "package lib\n\nfunc Twice(n int) int { return 2 * n }\n",
            "lib/lib_test.go": simple("lib", "if Twice(2) != 4 { t.Fatal() }"),
            "app/go.mod": "module example.com/app\n\ngo 1.18\n\nrequire example.com/lib v0.0.0\n",
            "app/app.go": 'package app\n\nimport "example.com/lib"\n\nfunc Four(n int) int { return lib.Twice(lib.Twice(n)) }\n',
            "app/app_test.go": simple("app", "if Four(1) != 4 { t.Fatal() }"),
            "own/go.mod": "module example.com/own\n\ngo 1.18\n\nrequire example.com/dep v1.0.0\n",
            "own/own.go": 'package own\n\nimport "example.com/dep"\n\nfunc Own() int { return dep.One() }\n',
            "own/own_test.go": simple("own", "if Own() != 1 { t.Fatal() }"),
            "own/vendor/modules.txt": "# example.com/dep v1.0.0\n## explicit\nexample.com/dep\n",
            "own/vendor/example.com/dep/dep.go": "package dep\n\nfunc One() int { return 1 }\n",
            "own/vendor/example.com/dep/dep_test.go": "package dep\n\nthis does not compile\n",
        },
    )
    for path, name, test in (
        ("app/app.go", "Four", "example.com/app.TestApp"),
        ("lib/lib.go", "Twice", "example.com/lib.TestLib"),
        ("own/own.go", "Own", "example.com/own.TestOwn"),
    ):
        runner = found(sandbox, head, options, path)
        assert runner.tests_naming(head, function(name, path)) == (test,)
        assert runner.test(head).outcomes == {test: "passed"}
        timed = runner.timed(head, [test], min_ms=1)
        assert timed is not None
        assert timed.description.startswith(f"cd {path.partition('/')[0]} && go test -run ")


def test_a_configured_command_chooses_tags_packages_and_tests(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    head = stock(tmp_path / "head", SLOW)
    (head.source / "tagged_test.go").write_text(
        "//go:build special\n\n"
        + simple("stock", "if Made != 3 || !testing.Short() { t.Fatal() }; Repeats(nil)")
    )
    (head.source / "other").mkdir()
    (head.source / "other/other_test.go").write_text(simple("other", "t.Fatal()"))
    settings = LanguageSettings(
        test=("go", "test", "-tags", "special", "-short", "-run", "Test[^L]", "."),
        build=("sh", "-c", "printf 'package stock\\n\\nconst Made = 3\\n' > made.go"),
    )
    runner = found(sandbox, head, options, settings=settings)
    assert set(runner.tests_naming(head, function("Repeats"))) == ids(
        "TestStock", "TestTable", "TestFromOutside"
    )
    report = runner.test(head)
    assert report.outcomes == dict.fromkeys(
        ids("TestStock", "TestTable", "TestFromOutside", "TestOther"), "passed"
    )
    timed = runner.timed(head, sorted(ids("TestStock")), min_ms=1)
    assert timed is not None
    assert "-tags=special" in timed.description
    failing = LanguageSettings(build=("sh", "-c", "echo no luck >&2; exit 3"))
    report = found(sandbox, head, options, settings=failing).test(head)
    assert not report.built
    assert "no luck" in report.failures[0].message


def test_tests_may_write_beside_their_sources_and_find_them(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    text = """package stock

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFiles(t *testing.T) {
	_, file, _, _ := runtime.Caller(0)
	if _, err := os.ReadFile(filepath.Join(filepath.Dir(file), "stock.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("written.txt", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}
"""
    head = stock(tmp_path / "head", SLOW)
    (head.source / "files_test.go").write_text(text)
    report = found(sandbox, head, options).test(head)
    assert not report.failed
    assert not (head.source / "written.txt").exists()


@pytest.mark.parametrize("name", ["BenchmarkRepeats", "TestLarge", "ExampleRepeats"])
def test_time_tells_a_quadratic_from_a_linear_body(
    sandbox: Sandbox, tmp_path: Path, options: Options, name: str
) -> None:
    slow, fast = stock(tmp_path / "slow", SLOW), stock(tmp_path / "fast", FAST)
    if name.startswith("Example"):
        for side in (slow, fast):
            text = (side.source / "stock_test.go").read_text()
            text = text.replace("Println(Repeats([]int{5, 5}))", "Println(1 + Repeats(numbers()))")
            (side.source / "stock_test.go").write_text(text)
    runner = found(sandbox, slow, options)
    tests = sorted(ids(name))
    found_out = runner.timed(slow, tests, min_ms=60)
    assert found_out is not None
    assert found_out.repeat > 1
    times = 5 * found_out.repeat  # so that start-up and a busy machine do not matter
    before, after = runner.timed(slow, tests, repeat=times), runner.timed(fast, tests, repeat=times)
    assert before is not None
    assert after is not None
    first, second = sandbox.run(before.command), sandbox.run(after.command)
    assert first.ok
    assert second.ok
    assert first.cpu_seconds > 1.4 * second.cpu_seconds
    colds = [cold for cold in (runner.cold_check(slow, tests, 20) for _ in range(3)) if cold is not None]
    assert min(cold.first_ns / cold.rest_ns for cold in colds) < 5


def test_a_memory_of_results_is_seen_through_parallel_tests(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    kept = stock(
        tmp_path / "kept",
        "\n\tif known > 0 {\n\t\treturn known - 1\n\t}\n\tknown = 1 + count(values)\n\treturn known - 1\n",
    )
    with (kept.source / "stock.go").open("a") as file:
        file.write(f"\nvar known int\n\nfunc count(values []int) int {{{SLOW}}}\n")
    (kept.source / "stock_test.go").write_text(
        TEST.replace('fmt.Print("no newline at the end")', "t.Parallel()").replace("%d, wanted", "%d; wanted")
    )
    cold = found(sandbox, kept, options).cold_check(kept, sorted(ids("TestLarge")), 20)
    assert cold is not None
    assert cold.first_ns > 5 * cold.rest_ns


def test_hot_lines_are_counted(sandbox: Sandbox, tmp_path: Path, options: Options) -> None:
    head = stock(tmp_path / "head", SLOW)
    runner = found(sandbox, head, options)
    told = runner.profile(head, sorted(ids("TestLarge")), function("Repeats"))
    lines = told.splitlines()
    assert lines[0] == "called 1 times by the tests; line: executions, source"
    assert lines[1] == "6: 1999000x, for _, b := range values[i+1:] {"
    assert len(lines) <= 6
    assert runner.profile(head, sorted(ids("TestOther")), function("Repeats")) == ""
    broken = stock(tmp_path / "broken", "\n\treturn nothing\n")
    assert runner.profile(broken, sorted(ids("TestLarge")), function("Repeats")) == ""


def test_races_are_found_when_the_configured_command_looks_for_them(
    sandbox: Sandbox, tmp_path: Path, options: Options
) -> None:
    racing = """package stock

import (
	"sync"
	"testing"
)

func TestRace(t *testing.T) {
	var group sync.WaitGroup
	sum := 0
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() { defer group.Done(); sum += Other() }()
	}
	group.Wait()
}
"""
    head = stock(tmp_path / "head", SLOW)
    (head.source / "race_test.go").write_text(racing)
    settings = LanguageSettings(test=("go", "test", "-race", "./..."))
    report = found(sandbox, head, options, settings=settings).test(head, sorted(ids("TestRace", "TestOther")))
    told = {test.rpartition(".")[2]: outcome for test, outcome in report.outcomes.items()}
    if report.unavailable:  # no C compiler for cgo
        assert "cgo" in next(iter(report.unavailable.values()))
    else:
        assert told == {"TestRace": "failed", "TestOther": "passed"}
        assert "race" in report.failures[0].message
