"""Programs as source text, for batches and alone."""

from __future__ import annotations

import pytest

from perforch.profiling import sources
from perforch.profiling.suite import Problem, Program
from perforch.result import Language


def program(language: Language, code: str, test: str, *, setup: str = "") -> Program:
    problem = Problem("X/1", 1, language, "", "", "", "f", "", "", "", test, setup)
    return Program("k1", problem, code)


def test_go_gets_exactly_the_imports_that_it_uses() -> None:
    code = 'import (\n\t"math"\n\t"strings"\n)\n\n// sort.Ints is not used\nfunc F(x float64) float64 {\n\treturn math.Abs(x)\n}\n'
    test = 'func TestF(t *testing.T) {\n\tassert := assert.New(t)\n\tassert.Equal("sort.x", fmt.Sprint(F(1)))\n}\n'
    setup = 'package main\n\nimport (\n\t"testing"\n\t"github.com/stretchr/testify/assert"\n)\n'
    text = sources.go_file(program(Language.GO, code, test, setup=setup), "k1")
    head = text[: text.index(")")]
    assert [line.strip() for line in head.splitlines() if '"' in line] == [
        '"fmt"',
        '"math"',
        '"testing"',
        '"hx/assert"',
    ]
    assert text.count("import") == 1


def test_rust_tests_are_found_behind_comments_and_become_plain_functions() -> None:
    test = "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    // why\n    fn a() {}\n    #[test]\n    fn b() {}\n}\n"
    text, names = sources.rust_module(program(Language.RUST, "fn main(){}\nfn f() {}\n", test))
    assert names == ["tests::a", "tests::b"]
    assert "fn main" not in text
    assert "pub mod tests" in text
    assert "k1::tests::a();" in sources.rust_main({"k1": names})


def test_a_program_without_tests_does_not_pass() -> None:
    text, names = sources.rust_module(program(Language.RUST, "fn f() {}", ""))
    assert names == []
    assert "exit(1)" in sources.rust_main({"k1": names}).splitlines()[4]
    assert "panic" in sources.go_run(program(Language.GO, "func F() {}", ""), "k1")
    assert "f" in text


def test_cpp_programs_share_includes_and_keep_names_apart() -> None:
    one = program(Language.CPP, "#include<vector>\nint f() { return 1; }", "int main() { f(); }")
    unit = sources.cpp_unit([one])
    assert unit.index("#include <vector>") < unit.index("namespace hx_k1")
    assert "auto hx_main()" in unit
    assert unit.count("int main(") == 1


@pytest.mark.parametrize(
    "code",
    [
        "  # define X 1",
        "#undef X",
        "%:define X 1",
        'int f() { asm("nop"); }',
        "[[gnu::constructor]] int f();",
    ],
)
def test_what_could_reach_other_programs_is_compiled_alone(code: str) -> None:
    assert sources.needs_own_unit(program(Language.CPP, code, ""))


def test_an_include_needs_no_unit_of_its_own() -> None:
    assert not sources.needs_own_unit(
        program(Language.CPP, "#include <map>\nint f(int a[]) { return a[0]; }", "")
    )
