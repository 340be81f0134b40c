"""Programs as source text: how a solution and its tests become something to compile, alone or among others.

Pure text work. In a batch every program gets a name space of its own: a C++ namespace, a Go package, a Rust
module, a Java class loader, a Python process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perforch.profiling.suite import Program

# Packages of the Go standard library that solutions and tests name, by the name they are used under.
GO_PACKAGES = {
    name.rpartition("/")[2]: name
    for name in (
        "bytes",
        "container/heap",
        "container/list",
        "crypto/md5",
        "encoding/hex",
        "errors",
        "fmt",
        "io",
        "math",
        "math/big",
        "math/bits",
        "math/rand",
        "os",
        "reflect",
        "regexp",
        "slices",
        "sort",
        "strconv",
        "strings",
        "testing",
        "time",
        "unicode",
        "unicode/utf8",
    )
}
ASSERT_PACKAGE = "github.com/stretchr/testify/assert"
_NO_TESTS = "std::process::exit(1)"  # nothing was tested, so nothing has passed
DONE = 86  # exit status of a program whose tests ran to their end and passed


def plain(program: Program) -> str:
    """Solution and tests one after the other: the whole program in Python and Java."""
    return f"{program.code}\n{program.problem.test}\n"


def cpp_includes(text: str) -> tuple[list[str], str]:
    """The `#include` lines of a text, and the text without them."""
    pattern = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"][^>\"\n]+[>\"]).*$", re.MULTILINE)
    return pattern.findall(text), pattern.sub("", text)


def cpp_unit(programs: Sequence[Program]) -> str:
    """One translation unit for several programs; `main` runs the one whose key is the first argument."""
    includes: dict[str, None] = dict.fromkeys(["<cstdlib>"])
    parts, calls = [], []
    for program in programs:
        found, text = cpp_includes(plain(program))
        includes.update(dict.fromkeys(found))
        text = re.sub(r"\bint\s+main\s*\([^)]*\)", "auto hx_main()", text)
        parts.append(f'namespace hx_{program.key} {{\n#line 1 "{program.key}.cpp"\n{text}\n}}\n')
        calls.append(f'    if (key == "{program.key}") hx_{program.key}::hx_main();\n')
    head = "".join(f"#include {name}\n" for name in [*includes, "<string>", "<unistd.h>"])
    main = (
        f'#line 1 "main.cpp"\nint main(int, char** argv) {{\n    std::string key = argv[1];\n{"".join(calls)}'
    )
    return f"{head}{''.join(parts)}{main}    _exit({DONE});\n}}\n"


def needs_own_unit(program: Program) -> bool:
    """A C++ program that could reach others in its translation unit: directives, assembler, attributes.

    Everything else of a candidate is one function in a namespace of its own, and nothing of it runs before `main`.
    """
    return (
        re.search(
            r"^[ \t]*#[ \t]*(?!include\b)\w|\?\?=|%:|\b(?:asm|__asm|__asm__|__attribute__|_Pragma)\b|\[\[",
            program.code,
            re.MULTILINE,
        )
        is not None
    )


def go_file(program: Program, package: str) -> str:
    """One Go file: package, the imports that it uses, solution, tests."""
    own, code = _without_go_imports(program.code)
    tests, test = _without_go_imports(program.problem.test)
    extra, _ = _without_go_imports(program.problem.setup)
    body = f"{code}\n{test}\n"
    bare = _go_bare(body)
    wanted = {*own, *tests, *extra, *GO_PACKAGES.values()}
    used = _go_used(sorted(wanted - {ASSERT_PACKAGE}), bare)
    if re.search(r"\bassert\.\w", bare):
        used.append("hx/assert")
    return _go_source(package, used, body)


def go_tests(program: Program) -> list[str]:
    """Names of the test functions."""
    return re.findall(r"^func\s+(Test\w*)\s*\(", program.problem.test, re.MULTILINE)


def go_run(program: Program, package: str) -> str:
    """What a package offers to `main`: one function that runs its tests."""
    calls = "".join(
        f'\tt = &testing.T{{}}\n\t{name}(t)\n\tif t.Failed() {{\n\t\tpanic("{name} failed")\n\t}}\n'
        for name in go_tests(program)
    )
    calls = calls or '\tpanic("no tests")\n'
    return f'package {package}\n\nimport "testing"\n\nfunc HxRun() {{\n\tvar t *testing.T\n{calls}}}\n'


def go_main(packages: Sequence[str]) -> str:
    """`main` of a binary of several packages; the first argument names the one to run."""
    imports = "".join(f'\t"hx/{package}"\n' for package in packages)
    cases = "".join(f'\tcase "{package}":\n\t\t{package}.HxRun()\n' for package in packages)
    return (
        f'package main\n\nimport (\n\t"os"\n\t"runtime/debug"\n{imports})\n\nfunc main() {{\n'
        f"\tdebug.SetMaxStack(64 << 20)\n\tswitch os.Args[1] {{\n{cases}\tdefault:\n\t\tos.Exit(1)\n\t}}\n\tos.Exit({DONE})\n}}\n"
    )


def go_pruned(text: str, package: str) -> str:
    """A Go file with only those of its imports that it uses."""
    own, body = _without_go_imports(text)
    return _go_source(package, _go_used(dict.fromkeys(own), _go_bare(body)), body)


def _go_used(names: Iterable[str], bare: str) -> list[str]:
    """The packages that code without comments and literals names; the last part of a path is a package's name unless it is a version."""
    shorts = {name: re.sub(r"^v\d+$", "", name.rpartition("/")[2]) or name for name in names}
    return [name for name, short in shorts.items() if re.search(rf"\b{re.escape(short)}\.\w", bare)]


def _go_source(package: str, imports: Iterable[str], body: str) -> str:
    listed = "".join(f'\t"{name}"\n' for name in imports)
    return f"package {package}\n\nimport (\n{listed})\n\n{body}"


def _without_go_imports(text: str) -> tuple[list[str], str]:
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        found.extend(re.findall(r'"([^"]+)"', match.group(0)))
        return ""

    text = re.sub(r"^package\s+\w+[ \t]*$", "", text, flags=re.MULTILINE)
    text = re.sub(r'^import\s*(\([^)]*\)|(?:\w+\s+)?"[^"]+")', take, text, flags=re.MULTILINE)
    return found, text


def _go_bare(text: str) -> str:
    """Go code without comments and literals."""
    return re.sub(r"//[^\n]*|/\*[\s\S]*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", " ", text)


def rust_module(program: Program) -> tuple[str, list[str]]:
    """A Rust module of one program, and the paths of its test functions inside the module."""
    text = re.sub(r"^\s*fn\s+main\s*\(\s*\)\s*\{\s*\}", "", plain(program), flags=re.MULTILINE)
    text = re.sub(r"^[ \t]*#!\[[^\]]*\][ \t]*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"#\[cfg\(test\)\]\s*mod\s+(\w+)", r"pub mod \1", text)
    module = re.search(r"\bpub mod (\w+)\s*\{", text)
    prefix = f"{module.group(1)}::" if module else ""
    names: list[str] = []

    def take(match: re.Match[str]) -> str:
        names.append(prefix + match.group(1))
        return f"pub fn {match.group(1)}"

    text = re.sub(r"#\[test\](?:\s|//[^\n]*\n)*(?:pub\s+)?fn\s+(\w+)", take, text)
    return text, names


def rust_main(tests: dict[str, list[str]]) -> str:
    """`main` of a crate of several modules; the first argument names the one to run."""
    modules = "".join(f"mod {key};\n" for key in tests)
    cases = "".join(
        f'        "{key}" => {{ {"".join(f"{key}::{name}(); " for name in names) or _NO_TESTS}}}\n'
        for key, names in tests.items()
    )
    return (
        f"#![allow(warnings)]\n{modules}fn main() {{\n    match std::env::args().nth(1).unwrap().as_str() {{\n{cases}"
        f"        _ => std::process::exit(1),\n    }}\n    std::process::exit({DONE})\n}}\n"
    )
