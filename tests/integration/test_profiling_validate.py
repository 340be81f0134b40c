"""Own solutions of the suite through the real compilers in the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perforch.cli import run
from perforch.profiling.checking import Checker
from perforch.profiling.suite import Problem, Program
from perforch.result import Language
from perforch.sandbox import open_sandbox

DATA = Path(__file__).parents[3] / "shared" / "data" / "humanevalpack"


def validated(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    if not DATA.is_dir():
        pytest.skip(f"HumanEvalPack is not at {DATA}")
    code = run(["validate", "--suite", "humanevalpack", "--data", str(DATA), "--jobs", "2", "--json", *more])
    document = json.loads(capsys.readouterr().out)
    assert code == (0 if document["as_expected"] else 1)
    return dict(document["languages"])


@pytest.mark.parametrize("solutions", ["canonical", "buggy"])
@pytest.mark.parametrize("isolated", [False, True], ids=["batch", "isolated"])
def test_first_problems_of_every_language(
    capsys: pytest.CaptureFixture[str], solutions: str, isolated: bool
) -> None:
    more = ["--isolated"] if isolated else []
    languages = validated(capsys, "--solutions", solutions, "--limit", "4", *more)
    assert set(languages) == {"python", "java", "cpp", "go", "rust"}
    wanted = "passed" if solutions == "canonical" else "failed"
    for counts in languages.values():
        assert counts[wanted] == counts["total"] == len(counts["tasks"]) == 4


def check(language: Language, codes: dict[str, str], test: str, *, isolated: bool) -> dict[str, str]:
    problem = Problem("X/1", 1, language, "", "", "", "f", "", "", "", test)
    checker = Checker(open_sandbox("required"), jobs=2, isolated=isolated)
    found = checker.check([Program(f"k{place}", problem, code) for place, code in enumerate(codes.values())])
    return {name: found[f"k{place}"].kind or found[f"k{place}"].state for place, name in enumerate(codes)}


@pytest.mark.parametrize("isolated", [False, True], ids=["batch", "isolated"])
@pytest.mark.parametrize(
    ("language", "good", "wrong", "broken", "early", "test"),
    [
        (
            Language.PYTHON,
            "def f(): return 1\n",
            "def f(): return 2\n",
            "def f(: return 1\n",
            "import os\ndef f(): os._exit(0)\n",
            "assert f() == 1\n",
        ),
        (
            Language.CPP,
            "#include<assert.h>\n#include<stdlib.h>\nint f() { return 1; }\n",
            "#include<assert.h>\nint f() { return 2; }\n",
            "#include<assert.h>\nint f() { return one; }\n",
            "#include<assert.h>\n#include<stdlib.h>\nint f() { exit(0); }\n",
            "int main() { assert(f() == 1); }\n",
        ),
        (
            Language.RUST,
            "fn f() -> i32 { 1 }\n",
            "fn f() -> i32 { 2 }\n",
            "fn f() -> i32 { one }\n",
            "fn f() -> i32 { std::process::exit(0) }\n",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn t() { assert_eq!(f(), 1); }\n}\n",
        ),
        (
            Language.GO,
            "func f() int { return 1 }\n",
            "func f() int { return 2 }\n",
            "func f() int { return one }\n",
            'import "os"\nfunc f() int { os.Exit(0); return 1 }\n',
            "func TestF(t *testing.T) {\n\tassert := assert.New(t)\n\tassert.Equal(1, f())\n}\n",
        ),
    ],
)
def test_one_broken_program_does_not_touch_its_neighbours(
    language: Language, good: str, wrong: str, broken: str, early: str, test: str, isolated: bool
) -> None:
    codes = {"good": good, "wrong": wrong, "broken": broken, "early": early, "again": good}
    found = check(language, codes, test, isolated=isolated)
    compiled = "failed" if language is Language.PYTHON else "compile"
    assert found == {
        "good": "passed",
        "wrong": "failed",
        "broken": compiled,
        "early": "failed",
        "again": "passed",
    }


def test_java_candidates_run_in_their_own_jvm() -> None:
    codes = {
        "good": "class S { int f() { return 1; } }",
        "wrong": "class S { int f() { return 2; } }",
        "broken": "class S { int f() { return one; } }",
        "early": "class S { int f() { System.exit(0); return 1; } }",
    }
    test = "public class Main { public static void main(String[] a) { if (new S().f() != 1) throw new AssertionError(); } }"
    found = check(Language.JAVA, codes, test, isolated=True)
    assert found == {"good": "passed", "wrong": "failed", "broken": "compile", "early": "failed"}


def test_an_interpreter_that_does_not_start_fails_nobody(tmp_path: Path) -> None:
    """A broken python3 on PATH is an error of the machine, not 164 failures of a model."""
    if not DATA.is_dir():
        pytest.skip(f"HumanEvalPack is not at {DATA}")
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "python3").write_text("#!/bin/sh\necho this shim is broken >&2\nexit 3\n")
    (broken / "python3").chmod(0o755)
    command = [sys.executable, "-m", "perforch", "validate", "--suite", "humanevalpack", "--data", str(DATA)]
    done = subprocess.run(
        [*command, "--language", "python", "--limit", "2"],
        env={**os.environ, "PATH": f"{broken}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "python3 does not run in the sandbox" in done.stderr
