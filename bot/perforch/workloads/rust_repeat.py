"""Repetition of Rust tests inside one process: a test of ours beside the chosen ones, in a private copy."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from perforch.languages import syntax
from perforch.result import Language
from perforch.workloads import rust_tests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perforch.languages.syntax import Definition

NAME = "perforch_repeat"
_RESULT = re.compile(r"^(?:::)?(?:[\w:]+::)?Result\b")
_KEPT_OUT = re.compile(
    r"#\s*\[\s*(should_panic|ignore|rstest|case|test_case|quickcheck|cfg)\b|#\s*\[\s*\w+::test\b"
)

# The index into the table is known only at run time, so no call can be moved out of the loop or folded away; no `unsafe` and no
# `black_box` (stable since 1.66) are needed.
_CODE = """

#[test]
#[allow(warnings)]
fn perforch_repeat() {
    extern crate std as perforch_std; // the crate may do without
    fn perforch_nothing() {}
    fn perforch_number(name: &str) -> usize {
        perforch_std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0)
    }
    let tests: [fn(); COUNT] = [TESTS, perforch_nothing];
    let times = perforch_number("PERFORCH_REPEAT");
    let offset = perforch_number("PERFORCH_OFFSET");
    let cold = perforch_number("PERFORCH_COLD") == 1;
    let mut first: u128 = 0;
    let mut rest: u128 = 0;
    for round in 0..times {
        let started = if cold { Some(perforch_std::time::Instant::now()) } else { None };
        for index in 0..tests.len() - 1 {
            tests[(index + offset) % tests.len()]();
        }
        if let Some(started) = started {
            let spent = started.elapsed().as_nanos();
            if round == 0 { first = spent } else { rest += spent }
        }
    }
    let rest = if times > 1 { rest / (times as u128 - 1) } else { 0 };
    let mark = perforch_std::env::var("PERFORCH_MARK").unwrap_or_default();
    let line = perforch_std::format!("{} {} {}\\n", mark, first, rest);
    let path = perforch_std::env::var("PERFORCH_END").unwrap();
    let mut file = perforch_std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    perforch_std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
}
"""


def repeatable(source: bytes, one: Definition) -> bool:
    """Can a plain function call run this test?"""
    head = source[one.start_byte : one.body_start].decode("utf-8", "replace")
    plain = one.returns in {"", "()"} or _RESULT.match(one.returns) is not None
    asynchronous = re.search(r"\basync\b", one.signature) is not None
    return (
        one.is_test_case
        and plain
        and not asynchronous
        and not _KEPT_OUT.search(head)
        and one.parameters in {"", "()"}
    )


def insert(source: bytes, names: Sequence[str]) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    """The file with one repeating test in every module that holds chosen ones.

    Args:
        names: qualified names (`tests::works`) as the syntax room gives them.

    Returns:
        The new text, the qualified names of the inserted tests, and the chosen tests that they run.
    """
    chosen = [
        one
        for one in syntax.definitions(Language.RUST, source).definitions
        if one.name in names and repeatable(source, one)
    ]
    groups: dict[str, list[Definition]] = {}
    for one in chosen:
        groups.setdefault(one.owner, []).append(one)
    edits = []
    for members in groups.values():
        calls = [
            f"|| assert!({one.simple_name}().is_ok())" if one.returns not in {"", "()"} else one.simple_name
            for one in members
        ]
        edits.append((members[-1].body_end, _code(calls)))
    made = {
        name: rust_tests.module_end(source, name) for name in names if name in rust_tests.by_macros(source)
    }
    for owner in dict.fromkeys(name.rpartition("::")[0] for name in made):
        members_made = [name for name in made if name.rpartition("::")[0] == owner]
        if owner in groups:
            continue  # a second test of ours there would bear the same name
        edits.append((made[members_made[0]], _code([name.rpartition("::")[2] for name in members_made])))
        groups[owner] = []
    text = source
    for place, inserted_code in sorted(edits, reverse=True):
        text = text[:place] + inserted_code.encode() + text[place:]
    inserted = tuple(f"{owner}::{NAME}" if owner else NAME for owner in groups)
    return text, inserted, (*(one.name for one in chosen), *made)


def _code(calls: Sequence[str]) -> str:
    return _CODE.replace("COUNT", str(len(calls) + 1)).replace("TESTS", ", ".join(calls))


def names(source: bytes) -> tuple[str, ...]:
    """Qualified names of the tests in a file."""
    if b"test" not in source:
        return ()
    plain = tuple(one.name for one in syntax.test_functions(Language.RUST, source))
    return (*plain, *rust_tests.by_macros(source)) if b"macro_rules!" in source else plain


def loop(chosen: Mapping[str, tuple[str, ...]], times: int) -> str:
    """Whole processes, as often as wanted; each must say that all of its tests passed."""
    lines = ["i=0", f"while [ $i -lt {times} ]; do"]
    for path, names in chosen.items():
        command = shlex.join((path, "--exact", *names, "--test-threads=1"))
        lines.append(
            f'case "$({command} 2>&1)" in *"test result: ok. {len(names)} passed"*) ;; *) exit 97;; esac'
        )
    lines += ["i=$((i+1))", "done"]
    return "\n".join(lines)
