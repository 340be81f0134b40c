"""Real cargo and rustc in the real sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.measure.instructions import VALGRIND, parse_valgrind
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.workloads.model import REPORTING, Tree
from perforch.workloads.options import Options
from perforch.workloads.rust import RustRunner, discover

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.sandbox.spec import Sandbox

MANIFEST = '[package]\nname = "stock-room"\nversion = "0.1.0"\nedition = "2021"\n'
SLOW = """
    let mut n = 0;
    for (i, a) in values.iter().enumerate() { for b in &values[i + 1..] { if a == b { n += 1; break; } } }
    n
"""
FAST = """
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).filter(|pair| pair[0] == pair[1]).count()
"""
LIB = """
#![forbid(unsafe_code)]
pub fn repeats(values: &[u32]) -> usize {BODY}
pub fn other() -> u32 { 7 }

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn small() -> Result<(), String> { assert_eq!(repeats(&[1, 2, 1]), 1); Ok(()) }
    #[test]
    fn large() {
        let values: Vec<u32> = (0..3000).map(|n| n * 7919 % 10007).collect();
        assert_eq!(repeats(&values), 0);
    }
    #[test]
    #[should_panic(expected = "7")]
    fn panics() { assert_ne!(other(), 7); }
    #[test]
    #[ignore]
    fn later() { other(); }
}
"""
OUTSIDE = "#[test]\nfn from_outside() { assert_eq!(stock_room::repeats(&[5, 5]), 1); }\n"
UNIT = {f"stock_room::tests::{name}" for name in ("small", "large", "panics", "later")}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox("required")


def tree(place: Path, body: str) -> Tree:
    files = {"Cargo.toml": MANIFEST, "src/lib.rs": LIB.replace("BODY", body), "tests/it.rs": OUTSIDE}
    return planted(place, files)


def planted(place: Path, files: dict[str, str]) -> Tree:
    for name, text in files.items():
        target = place / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (place / "out").mkdir()
    return Tree(place / "src", place / "out", place.name)


def function(name: str, path: str = "src/lib.rs") -> Function:
    return Function(
        path=path, name=name, language=Language.RUST, start_line=1, end_line=1, start_byte=0, end_byte=1,
        signature="", change="modified", source="",
    )  # fmt: skip


def found(sandbox: Sandbox, of: Tree, path: str = "src/lib.rs", options: Options | None = None) -> RustRunner:
    runner = discover(sandbox, None, of, path, options or Options())
    assert runner is not None
    return runner


def test_a_package_passes_and_names_its_tests(sandbox: Sandbox, tmp_path: Path) -> None:
    head = tree(tmp_path / "head", SLOW)
    runner = found(sandbox, head)
    assert runner.name == "cargo"
    report = runner.test(head)
    assert set(report.outcomes) == UNIT | {"tests/it::from_outside"}
    assert report.outcomes["stock_room::tests::later"] == "skipped"
    assert not report.failed
    named = runner.tests_naming(head, function("repeats"))
    assert set(named) == {"stock_room::tests::small", "stock_room::tests::large", "tests/it::from_outside"}
    assert set(runner.test(head, named).outcomes) == set(named)


def test_a_failure_and_a_compiler_error_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = tree(tmp_path / "wrong", " values.len() ")
    runner = found(sandbox, wrong)
    report = runner.test(wrong)
    told = next(one for one in report.failures if one.test == "stock_room::tests::small")
    assert "left" in told.message
    assert "3" in told.message
    assert report.outcomes["stock_room::tests::panics"] == "passed"
    broken = tree(tmp_path / "broken", " values.missing() ")
    report = runner.test(broken)
    assert not report.built
    assert "E0599" in report.failures[0].message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{ std::process::abort() }", "signal 6"),
        ("{ std::process::exit(0) }", "exit status 0"),
        ("{ loop { std::hint::spin_loop() } }", "did not finish"),
    ],
)
def test_tests_that_do_not_end_keep_their_ids(
    sandbox: Sandbox, tmp_path: Path, body: str, words: str
) -> None:
    bad = tree(tmp_path / "bad", body)
    runner = found(sandbox, bad, options=Options(test_seconds=1.0))
    report = runner.test(bad)
    assert set(report.outcomes) == UNIT | {"tests/it::from_outside"}
    assert report.outcomes["stock_room::tests::small"] == "failed"
    assert any(words in failure.message for failure in report.failures)
    assert runner.timed(bad, ["stock_room::tests::small"]) is None


def test_a_vanished_test_is_a_failure(sandbox: Sandbox, tmp_path: Path) -> None:
    head = tree(tmp_path / "head", SLOW)
    report = found(sandbox, head).test(head, ["stock_room::tests::gone"])
    assert report.outcomes == {"stock_room::tests::gone": "failed"}


def test_time_tells_a_quadratic_from_a_sorting_body(sandbox: Sandbox, tmp_path: Path) -> None:
    slow, fast = tree(tmp_path / "slow", SLOW), tree(tmp_path / "fast", FAST)
    runner = found(sandbox, slow)
    tests = runner.tests_naming(slow, function("repeats"))
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


def test_one_file_without_a_package(sandbox: Sandbox, tmp_path: Path) -> None:
    only = planted(tmp_path / "one", {"algo/sums.rs": LIB.replace("BODY", SLOW)})
    runner = found(sandbox, only, "algo/sums.rs")
    assert runner.name == "rustc"
    named = runner.tests_naming(only, function("repeats", "algo/sums.rs"))
    assert set(named) == {"sums::tests::small", "sums::tests::large"}
    assert runner.test(only, named).passed == set(named)
    assert runner.timed(only, named, min_ms=20) is not None


def test_an_uncallable_test_is_repeated_by_processes(sandbox: Sandbox, tmp_path: Path) -> None:
    only = planted(tmp_path / "one", {"sums.rs": LIB.replace("BODY", SLOW)})
    runner = found(sandbox, only, "sums.rs")
    timed = runner.timed(only, ["sums::tests::panics"], min_ms=5)
    assert timed is not None
    assert sandbox.run(timed.command).ok


def test_a_wrapper_sees_the_program_and_not_the_shell_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    slow, fast = tree(tmp_path / "slow", SLOW), tree(tmp_path / "fast", FAST)
    runner = found(sandbox, slow)
    counts = []
    for side in (slow, fast):
        timed = runner.timed(side, ["stock_room::tests::large"], repeat=1)
        assert timed is not None
        env = {**timed.command.env, REPORTING: "1"}
        done = sandbox.run(replace(timed.command, argv=(*VALGRIND, *timed.command.argv), env=env))
        assert done.ok
        counts.append(parse_valgrind(done.stderr.decode()))
    before, after = counts
    assert before is not None
    assert after is not None
    assert before > 2 * after
