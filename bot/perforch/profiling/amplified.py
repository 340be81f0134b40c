"""A problem's test repeated inside one process, so that starting up stops being most of what is measured.

Whole runs of these tests are 89 to 97 % start-up. Here the test runs as often as the first argument says, and the
process ends with `sources.DONE` when the second argument is "check", with 0 otherwise. Pure text work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perforch.profiling import builds, sources
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from perforch.profiling.suite import Program

# Tests that draw random inputs or build their own generators: repeated, they drift away or measure the generator.
RANDOM = frozenset({32, 38, 50, 53})
_LOOP = """
import os as _hx_os, sys as _hx_sys
def _hx_loop():
    sys_out = _hx_sys.stdout
    _hx_sys.stdout = open(_hx_os.devnull, "w")
    for _ in range(int(_hx_sys.argv[1])):
{body}
    _hx_os._exit({done} if _hx_sys.argv[2:] == ["check"] else 0)
_hx_loop()
"""


@dataclass(frozen=True, slots=True)
class Loop:
    """How to build and start an amplified program.

    Attributes:
        builds: for `driver.py`; all must succeed.
        argv: the command; the number of repetitions and the mode are added to it.
        threads: CPUs that it is expected to use.
    """

    builds: tuple[dict[str, Any], ...]
    argv: tuple[str, ...]
    threads: int = 1


def impossible(program: Program) -> str:
    """Why a problem's test cannot be repeated, "" when it can."""
    if program.problem.number in RANDOM:
        return "its test draws random inputs, so repeating it does not repeat the work"
    if program.repeats > 1:
        return "its outcome differs from run to run"
    if program.problem.language is Language.PYTHON and not _checks(program.problem.test):
        return "its test has no call that could be repeated"
    return ""


def write(program: Program, folder: Path, harness: Path) -> Loop:
    """Write the amplified program into `folder` (seen as `/src` inside) and say how to build and start it."""
    writer = {
        Language.PYTHON: _python,
        Language.JAVA: _java,
        Language.CPP: _cpp,
        Language.GO: _go,
        Language.RUST: _rust,
    }[program.problem.language]
    return writer(program, folder, harness)


def _checks(test: str) -> list[str]:
    return re.findall(r"^check\(.*\)[ \t]*$", test, re.MULTILINE)


def _python(program: Program, folder: Path, harness: Path) -> Loop:
    calls = _checks(program.problem.test)
    test = re.sub(r"^check\(.*\)[ \t]*$", "", program.problem.test, flags=re.MULTILINE)
    loop = _LOOP.format(body="\n".join(f"        {call}" for call in calls), done=sources.DONE)
    (folder / "loop.py").write_text(f"{program.code}\n{test}\n{loop}", encoding="utf-8")
    return Loop((), ("python3", "-I", "-S", f"{SOURCE}/loop.py"))


def _java(program: Program, folder: Path, harness: Path) -> Loop:
    (folder / "Main.java").write_text(sources.plain(program), encoding="utf-8")
    argv = [*builds.JAVAC, "-d", f"{OUTPUT}/c"]
    build = {"id": "loop", "argv": [*argv, f"{SOURCE}/Main.java", "/harness/java/Loop.java"]}
    flags = ("-Xshare:auto", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx512m")
    return Loop((build,), ("java", *flags, "-cp", f"{OUTPUT}/c", "Loop"), threads=2)


def _cpp(program: Program, folder: Path, harness: Path) -> Loop:
    found, text = sources.cpp_includes(sources.plain(program))
    # `auto`: a main without a return statement is fine, any other function without one is undefined behaviour.
    text = re.sub(r"\bint\s+main\s*\([^)]*\)", "__attribute__((noipa)) auto hx_main()", text)
    place = text.rfind(program.problem.signature)
    if place >= 0:
        place = text.rfind("\n", 0, place) + 1
        text = f"{text[:place]}__attribute__((noipa)) {text[place:]}"
    includes = "".join(
        f"#include {name}\n" for name in dict.fromkeys([*found, "<cstdlib>", "<cstring>", "<unistd.h>"])
    )
    main = (
        "int main(int argc, char** argv) {\n    for (long left = std::atol(argv[1]); left > 0; --left) {\n        std::srand(1);\n"
        f'        hx::hx_main();\n    }}\n    _exit(argc > 2 && !std::strcmp(argv[2], "check") ? {sources.DONE} : 0);\n}}\n'
    )
    (folder / "loop.cpp").write_text(f"{includes}namespace hx {{\n{text}\n}}\n{main}", encoding="utf-8")
    crypto = builds.crypto(text + includes)
    argv = [
        "g++",
        "-std=c++17",
        "-O2",
        "-w",
        "-idirafter",
        "/harness/cpp",
        f"{SOURCE}/loop.cpp",
        "-o",
        f"{OUTPUT}/loop",
        *crypto,
    ]
    return Loop(({"id": "loop", "argv": argv},), (f"{OUTPUT}/loop",))


def _go(program: Program, folder: Path, harness: Path) -> Loop:
    builds.write_go([program], folder, harness)
    (folder / "loop").mkdir(exist_ok=True)
    (folder / "loop" / "main.go").write_text(
        f'package main\n\nimport (\n\t"hx/{program.key}"\n\t"os"\n\t"runtime/debug"\n\t"strconv"\n)\n\nfunc main() {{\n'
        "\tdebug.SetMaxStack(64 << 20)\n\tcount, _ := strconv.Atoi(os.Args[1])\n"
        f"\tfor ; count > 0; count-- {{\n\t\t{program.key}.HxRun()\n\t}}\n"
        f'\tif len(os.Args) > 2 && os.Args[2] == "check" {{\n\t\tos.Exit({sources.DONE})\n\t}}\n\tos.Exit(0)\n}}\n'
    )
    argv = ["go", "build", "-ldflags=-s -w", "-o", f"{OUTPUT}/loop", "./loop"]
    return Loop(({"id": "loop", "argv": argv, "cwd": SOURCE},), (f"{OUTPUT}/loop",), threads=2)


def _rust(program: Program, folder: Path, harness: Path) -> Loop:
    text, names = sources.rust_module(program)
    (folder / f"{program.key}.rs").write_text(text, encoding="utf-8")
    pointers = ", ".join(f"{program.key}::{name}" for name in names)
    (folder / "main.rs").write_text(
        f"#![allow(warnings)]\nmod {program.key};\nfn main() {{\n    let arguments: Vec<String> = std::env::args().collect();\n"
        f"    let tests: [fn(); {len(names)}] = [{pointers}];\n    for _ in 0..arguments[1].parse::<u64>().unwrap() {{\n"
        # Read through a volatile pointer, so that the compiler cannot see which function is called.
        "        for test in tests.iter() {\n            unsafe { std::ptr::read_volatile(test)() };\n        }\n    }\n"
        f'    std::process::exit(if arguments.get(2).map_or(false, |mode| mode == "check") {{ {sources.DONE} }} else {{ 0 }})\n}}\n',
        encoding="utf-8",
    )
    return Loop(
        (builds.rust_build("loop", f"{SOURCE}/main.rs", f"{OUTPUT}/loop", optimised=True),),
        (f"{OUTPUT}/loop",),
    )
