"""Real cargo and rustc in the real sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from perforch.changes.function import Function
from perforch.measure.instructions import VALGRIND, parse_valgrind
from perforch.result import Language
from perforch.sandbox import open_sandbox
from perforch.settings import LanguageSettings
from perforch.workloads.model import REPORTING, Exercise, Tree
from perforch.workloads.options import Options
from perforch.workloads.rust import RustRunner, discover
from perforch.workloads.unavailable import available

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


def test_what_is_not_on_this_machine_is_said_in_one_sentence(sandbox: Sandbox, tmp_path: Path) -> None:
    head = tree(tmp_path / "head", SLOW)
    with (head.source / "Cargo.toml").open("a") as file:
        file.write('\n[dev-dependencies]\nno-such-crate-anywhere = "1"\n')
    runner = found(sandbox, head)
    named = runner.tests_naming(head, function("repeats"))
    gone = available(Exercise(runner, named), runner.test(head), function("repeats"))
    assert gone.runner is None
    assert "no-such-crate-anywhere is not on this machine" in gone.reason
    assert "cargo fetch" in gone.reason
    newer = tree(tmp_path / "newer", SLOW)
    manifest = (newer.source / "Cargo.toml").read_text()
    (newer.source / "Cargo.toml").write_text(manifest + 'rust-version = "1.999"\n')
    assert "newer Rust" in found(sandbox, newer).test(newer).unavailable[""]


def test_workspaces_path_dependencies_and_vendored_crates(sandbox: Sandbox, tmp_path: Path) -> None:
    head = planted(
        tmp_path / "head",
        {
            "Cargo.toml": '[workspace]\nmembers = ["core", "app"]\n',
            "core/Cargo.toml": MANIFEST,
            "core/src/lib.rs": LIB.replace("BODY", SLOW),
            "app/Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n'
            'stock-room = { path = "../core" }\nsmall = "1"\n',
            "app/src/main.rs": "mod twice;\nfn main() { println!(\"{}\", twice::twice(&[1, 1])); }\n",
            "app/src/lib.rs": "pub fn one() -> usize { small::one() }\n",
            "app/src/twice.rs": "pub fn twice(v: &[u32]) -> usize { 2 * stock_room::repeats(v) }\n"
            "#[cfg(test)]\nmod tests {\n    #[test]\n    fn doubled() { assert_eq!(super::twice(&[1, 1]), 2); }\n}\n",
            "app/tests/one.rs": "#[test]\nfn is_one() { assert_eq!(app::one(), 1); }\n",
            ".cargo/config.toml": '[source.crates-io]\nreplace-with = "vendored"\n\n[source.vendored]\ndirectory = "vendor"\n',
            "vendor/small/Cargo.toml": '[package]\nname = "small"\nversion = "1.0.0"\nedition = "2021"\n',
            "vendor/small/src/lib.rs": "pub fn one() -> usize { 1 }\n",
            "vendor/small/.cargo-checksum.json": '{"files":{},"package":null}',
        },
    )  # fmt: skip
    for path, name, tests in (
        ("core/src/lib.rs", "repeats", {"stock_room::tests::small", "stock_room::tests::large"}),
        ("app/src/twice.rs", "twice", {"bin/app::twice::tests::doubled"}),
        ("app/src/lib.rs", "one", {"tests/one::is_one"}),
    ):
        runner = found(sandbox, head, path)
        named = runner.tests_naming(head, function(name, path))
        assert set(named) == tests
        assert runner.test(head, named).passed == tests
        assert not runner.test(head).failed


def test_an_integration_test_that_never_compiled_keeps_no_other_from_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    head = tree(tmp_path / "head", SLOW)
    (head.source / "tests/broken.rs").write_text("#[test]\nfn broken() { stock_room::missing(); }\n")
    runner = found(sandbox, head)
    named = runner.tests_naming(head, function("repeats"))
    report = runner.test(head)
    assert set(named) <= report.passed
    assert runner.timed(head, named, min_ms=5) is not None
    worse = tree(tmp_path / "worse", SLOW)
    (worse.source / "tests/it.rs").write_text(OUTSIDE.replace("repeats", "absent"))
    assert not runner.test(worse).built


def test_a_configured_command_chooses_features_programs_and_tests(sandbox: Sandbox, tmp_path: Path) -> None:
    head = tree(tmp_path / "head", SLOW)
    with (head.source / "Cargo.toml").open("a") as file:
        file.write("\n[features]\nextra = []\n")
    with (head.source / "src/lib.rs").open("a") as file:
        file.write('#[cfg(all(test, feature = "extra"))]\nmod more {\n    #[test]\n    fn extra() '
                   '{ assert_eq!(super::repeats(&[1, 1]), include_str!("made.txt").len()); }\n}\n')  # fmt: skip
    build = ("sh", "-c", "printf x > src/made.txt")
    plain = found(sandbox, head)
    named = plain.tests_naming(head, function("repeats"))
    assert "stock_room::more::extra" in named
    kept = available(Exercise(plain, named), plain.test(head), function("repeats"))
    assert set(kept.tests) == {*named} - {"stock_room::more::extra"}
    settings = LanguageSettings(
        test=("cargo", "test", "--features", "extra", "--lib", "--", "--skip", "large"), build=build
    )
    runner = discover(sandbox, settings, head, "src/lib.rs")
    assert runner is not None
    chosen = {"stock_room::more::extra", "stock_room::tests::small"}
    assert set(runner.tests_naming(head, function("repeats"))) == chosen
    assert runner.test(head).passed == chosen | {"stock_room::tests::panics"}
    timed = runner.timed(head, sorted(chosen), min_ms=5)
    assert timed is not None
    assert "--features extra" in timed.description


def test_tests_may_write_beside_their_sources(sandbox: Sandbox, tmp_path: Path) -> None:
    head = tree(tmp_path / "head", SLOW)
    (head.source / "tests/it.rs").write_text(
        '#[test]\nfn writes() { std::fs::write("written.txt", "x").unwrap(); stock_room::repeats(&[]); }\n'
    )
    assert found(sandbox, head).test(head).outcomes["tests/it::writes"] == "passed"
    assert not (head.source / "written.txt").exists()


def test_hot_lines_are_counted(sandbox: Sandbox, tmp_path: Path) -> None:
    head = tree(tmp_path / "head", SLOW)
    runner = found(sandbox, head)
    of = replace(function("repeats"), start_line=3, end_line=7)
    told = runner.profile(head, ["stock_room::tests::large"], of).splitlines()
    assert told[0] == "called 1 times or more by the tests; line: executions, source"
    assert told[1].startswith("5: 4498500x, for (i, a) in values")
    assert runner.profile(head, ["stock_room::tests::panics"], of) == ""
    fixed = tree(tmp_path / "fixed", "{ 0 }")
    text = (fixed.source / "src/lib.rs").read_text().replace("pub fn repeats", "pub const fn repeats")
    (fixed.source / "src/lib.rs").write_text(text)
    assert runner.profile(fixed, ["stock_room::tests::large"], of) == ""


CASES = """#![no_std]
pub fn repeats(values: &[u32]) -> usize {BODY}

#[cfg(test)]
mod tests {
    use super::repeats;
    macro_rules! check {
        ($name:ident: $values:expr => $wanted:expr) => {
            #[test]
            fn $name() { assert_eq!(repeats($values), $wanted); }
        };
    }
    check!(none: &[] => 0);
    check!(one: &[1, 2, 1] => 1);
    #[test]
    fn unrelated() {}
}
"""


def test_tests_that_a_macro_makes_are_found_and_repeated_without_std(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    head = planted(tmp_path / "head", {"Cargo.toml": MANIFEST, "src/lib.rs": CASES.replace("BODY", SLOW)})
    runner = found(sandbox, head)
    of = replace(function("repeats"), start_line=2, end_line=6)
    named = runner.tests_naming(head, of)
    assert set(named) == {"stock_room::tests::none", "stock_room::tests::one"}
    assert runner.test(head, named).passed == set(named)
    timed = runner.timed(head, named, min_ms=5)
    assert timed is not None
    assert timed.repeat > 1000  # calls in one process, not processes
    assert "called 2 times or more" in runner.profile(head, named, of)
