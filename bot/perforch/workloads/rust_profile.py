"""How often the lines of one Rust function run under its tests: counters of ours at the head of its blocks, in a private copy.

No tool beside the compiler is needed: LLVM's own coverage asks for an `llvm-profdata` of the compiler's version. Code in which
the counters do not compile (`const fn`) has no profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perforch.languages.syntax.tree import parse, text, walk
from perforch.result import Language
from perforch.workloads.text import trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from perforch.changes.function import Function

WRITTEN = "/tmp/perforch-hot"
_SHOWN = 5
_MOST = 200  # blocks of one function
# Written when the number of calls is a power of two: the last count is at least half of the truth, at next to no cost.
_HEAD = """
#[allow(warnings)] mod perforch_hot {
    extern crate std as perforch_std;
    use self::perforch_std::prelude::v1::*;
    use self::perforch_std::sync::atomic::{AtomicU64, Ordering};
    pub const NONE: AtomicU64 = AtomicU64::new(0);
    pub static COUNTS: [AtomicU64; SIZE] = [NONE; SIZE];
    pub fn hit(index: usize) { COUNTS[index].fetch_add(1, Ordering::Relaxed); }
    pub struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            if !COUNTS[0].load(Ordering::Relaxed).is_power_of_two() { return; }
            let mut told = String::new();
            for count in COUNTS.iter() {
                told.push_str(&self::perforch_std::format!("{} ", count.load(Ordering::Relaxed)));
            }
            let _ = self::perforch_std::fs::write("PLACE", told);
        }
    }
}
#[allow(warnings)] let perforch_guard = perforch_hot::Guard;
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """A file with counters, and the first and last lines of the blocks they count, in the order of the counters."""

    source: bytes
    blocks: tuple[tuple[int, int], ...]


def insert(source: bytes, function: Function) -> Counted | None:
    """Counters at the head of every block of the function; None when it is not found."""
    body = _body(source, function)
    if body is None:
        return None
    blocks = [node for node in walk(body) if node.type == "block" and node.children[0].type == "{"][:_MOST]
    head = _HEAD.replace("SIZE", str(len(blocks))).replace("PLACE", WRITTEN).replace("\n", " ")
    edited = source
    for index, block in sorted(enumerate(blocks), key=lambda entry: -entry[1].start_byte):
        place = block.start_byte + 1
        hit = f" perforch_hot::hit({index}); "
        edited = edited[:place] + ((head if index == 0 else "") + hit).encode() + edited[place:]
    lines = tuple((block.start_point.row + 1, block.end_point.row + 1) for block in blocks)
    return Counted(edited, lines)


def _body(source: bytes, function: Function) -> Node | None:
    for node in walk(parse(Language.RUST, source).root_node):
        if node.type != "function_item":
            continue
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        inside = function.start_line <= node.start_point.row + 1 <= function.end_line
        if inside and name is not None and body is not None and text(name) == function.simple_name:
            return body
    return None


def told(written: str, blocks: Sequence[tuple[int, int]], source: bytes) -> str:
    """The lines that run most often, for the refine prompt; "" when the function did not run."""
    counts = [int(word) for word in re.findall(r"\d+", written)]
    if len(counts) != len(blocks) or not counts[0]:
        return ""
    lines = source.decode("utf-8", "replace").split("\n")
    executed: dict[int, int] = {}
    for count, (first, last) in zip(counts, blocks, strict=True):
        for number in range(first, last + 1):
            # The line with the brace belongs to the block around as well: the condition of a branch, the head of a loop.
            executed[number] = max(count, executed.get(number, 0)) if number == first else count
    hot = sorted(
        ((number, count) for number, count in executed.items() if _says_something(lines, number)),
        key=lambda entry: (-entry[1], entry[0]),
    )[:_SHOWN]
    shown = [f"called {counts[0]} times or more by the tests; line: executions, source"]
    shown += [f"{number}: {count}x, {lines[number - 1].strip()[:120]}" for number, count in hot if count]
    return trimmed("\n".join(shown))


def _says_something(lines: Sequence[str], number: int) -> bool:
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return bool(line.strip("{}(); ")) and not line.startswith("//")
