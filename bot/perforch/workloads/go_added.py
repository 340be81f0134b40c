"""A test of ours beside the chosen ones, in a private copy: repeats examples, and times first calls against later ones."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from perforch.workloads import go_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.workloads.go_project import Module
    from perforch.workloads.model import Tree

NAME = "TestPerforchAdded"
_FILE = "perforch_added_test.go"
# A test that runs in parallel with others lets its parent go on; a group around it waits until it is done.
_CODE = """package {package}

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

func {name}(t *testing.T) {{
	rounds, _ := strconv.Atoi(os.Getenv("PERFORCH_REPEAT"))
	var first, rest int64
	for i := 0; i < rounds; i++ {{
		var spent int64
{calls}
		if i == 0 {{
			first = spent
		}} else {{
			rest += spent
		}}
	}}
	if rounds > 1 {{
		rest /= int64(rounds - 1)
	}}
	fmt.Fprintln(os.Stdout, "\\n"+os.Getenv("PERFORCH_MARK"), first, rest)
}}

func perforchGroup(t *testing.T, test func(*testing.T)) func() {{
	return func() {{ t.Run("r", func(group *testing.T) {{ group.Run("t", test) }}) }}
}}

func perforchClock(call func()) int64 {{
	start := time.Now()
	call()
	return time.Since(start).Nanoseconds()
}}

func perforchBench(t *testing.T, call func(*testing.B)) int64 {{
	result := testing.Benchmark(call)
	if result.N == 0 {{
		t.Fatal("the benchmark failed")
	}}
	return result.T.Nanoseconds()
}}
"""


def edit(tree: Tree, module: Module, package: str, names: Sequence[str]) -> dict[str, bytes] | None:
    """The file to add to the package; None when the tests are not all in one package clause."""
    clauses: dict[str, str] = {}
    folder = ""
    for path, text in go_project.test_files(tree, module).items():
        parent = str(PurePosixPath(path).parent)
        if module.package(parent) != package:
            continue
        folder = parent
        for name in names:
            if b"func " + name.encode() + b"(" in text:
                clauses[name] = go_project.package_clause(text)
    if len(set(clauses.values())) != 1 or set(clauses) != set(names):
        return None
    code = _CODE.format(
        package=next(iter(clauses.values())),
        name=NAME,
        calls="\n".join(_call(name) for name in names),
    )
    return {str(PurePosixPath(folder) / _FILE): code.encode()}


def _call(name: str) -> str:
    if go_project.is_benchmark(name):
        return f"\t\tspent += perforchBench(t, {name})"
    call = f"perforchGroup(t, {name})" if name.startswith("Test") else name
    return f"\t\tspent += perforchClock({call})"
