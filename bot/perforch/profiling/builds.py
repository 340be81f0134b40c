"""Build plans: which files to write, which compilers to call, and which program a compiler's words are about."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perforch.profiling import sources
from perforch.result import Language
from perforch.sandbox.spec import OUTPUT, SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perforch.profiling.suite import Program

SEED = "1"  # of the random numbers in Rust programs
_CXX = ("g++", "-std=c++17", "-O0", "-w", "-fmax-errors=200")
_RUSTC = ("rustc", "--edition", "2021", "--cap-lints", "allow", "-C", "debuginfo=0")
_RUST_CRATES = ("rand", "regex", "md5")
_PRELUDE = "/cache/cpp/prelude.hpp"
# Without <cstring>: a broken solution that calls its own strlen would be saved by the library's.
_PRELUDE_HEADERS = (
    "algorithm",
    "assert.h",
    "cmath",
    "cstdlib",
    "deque",
    "list",
    "map",
    "math.h",
    "numeric",
    "queue",
    "set",
    "sstream",
    "stack",
    "stdio.h",
    "string",
    "unistd.h",
    "unordered_map",
    "unordered_set",
    "vector",
)
GO_MODULE = "module hx\n\ngo 1.19\n"
GO_MEMORY = 4 << 30  # address space; the Go runtime reserves much more than it uses
JAVAC = ("javac", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-nowarn", "-proc:none")
JAVA_FLAGS = ("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")


@dataclass(slots=True)
class Plan:
    """Builds and tasks for the driver, and which programs share a build."""

    builds: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)

    def add(self, build: str, argv: Sequence[str], programs: Sequence[Program], **more: Any) -> None:
        """One build and the programs in it."""
        self.builds.append({"id": build, "argv": list(argv), **more})
        self.members[build] = [program.key for program in programs]

    def task(self, program: Program, argv: Sequence[str], *, needs: str, **more: Any) -> None:
        """All runs of one program."""
        document = {"id": program.key, "argv": list(argv), "needs": needs, "quiet": True, **more}
        self.tasks.extend([document] * program.repeats)

    def blame(self, build: str, words: str) -> dict[str, str]:
        """Every program of a broken build, with the words that are about it; "" for those that are not named."""
        keys = self.members[build]
        if len(keys) == 1:
            return {keys[0]: words[:2000] or "the compiler failed"}
        named: dict[str, str] = dict.fromkeys(keys, "")
        for line in words.splitlines():
            for key in re.findall(r"\b(k\d+)(?=\.cpp:|\.rs:|/|$)", line):
                if (
                    key in named
                    and not named[key]
                    and ("error" in line or "-->" in line or line.startswith(("#", "k")))
                ):
                    named[key] = line[:500]
        return named


def plan(
    language: Language,
    programs: Sequence[Program],
    folder: Path,
    *,
    jobs: int,
    alone: bool,
    apart: bool,
    harness: Path,
) -> Plan:
    """Write the sources of a batch into `folder` (seen as `/src` inside) and say how to build and run them."""
    if language is Language.GO and apart and not alone:
        return _go_apart(programs, folder, jobs, harness)
    writer = {Language.PYTHON: _python, Language.CPP: _cpp, Language.GO: _go, Language.RUST: _rust}[language]
    return writer(programs, folder, jobs, alone, harness)


def _chunks(programs: Sequence[Program], jobs: int, *, alone: bool) -> list[list[Program]]:
    if alone:
        return [[program] for program in programs]
    count = min(len(programs), jobs)
    return [list(programs[start::count]) for start in range(count)]


def _python(programs: Sequence[Program], folder: Path, jobs: int, alone: bool, harness: Path) -> Plan:
    result = Plan()
    for program in programs:
        (folder / f"{program.key}.py").write_text(sources.plain(program), encoding="utf-8")
        task = {"id": program.key, "python": f"{SOURCE}/{program.key}.py", "needs": ""}
        result.tasks.extend([task] * program.repeats)
    return result


def _cpp(programs: Sequence[Program], folder: Path, jobs: int, alone: bool, harness: Path) -> Plan:
    result = Plan()
    single = [program for program in programs if sources.needs_own_unit(program)]
    shared = [program for program in programs if program not in single]
    chunks = _chunks(shared, jobs, alone=alone) + [[program] for program in single]
    options = list(_CXX)
    # The stand-ins come after the system's own headers, so a real Boost or OpenSSL goes first where it is
    # complete.
    options += ["-idirafter", "/harness/cpp"]
    if alone:
        options += ["-include", _PRELUDE]
    for number, chunk in enumerate(chunk for chunk in chunks if chunk):
        name = f"u{number}"
        text = sources.cpp_unit(chunk)
        (folder / f"{name}.cpp").write_text(text, encoding="utf-8")
        binary = f"{OUTPUT}/{name}"
        result.add(name, [*options, f"{SOURCE}/{name}.cpp", "-o", binary, *crypto(text)], chunk)
        for program in chunk:
            result.task(program, [binary, program.key], needs=name)
    return result


def crypto(text: str) -> list[str]:
    """Linker options of a program that includes OpenSSL where that is installed; elsewhere a stand-in is header-only."""
    return ["-lcrypto"] if "openssl/" in text and Path("/usr/include/openssl/md5.h").exists() else []


def cpp_prelude(folder: Path) -> dict[str, Any]:
    """The build of a precompiled header, kept in the cache; a compiler that did not write it reads the text instead."""
    headers = "".join(f"#include <{name}>\n" for name in _PRELUDE_HEADERS)
    (folder / "prelude.hpp").write_text(headers)
    build = f"mkdir -p /cache/cpp && cp {SOURCE}/prelude.hpp {_PRELUDE}.tmp && mv {_PRELUDE}.tmp {_PRELUDE}"
    compile_ = f"{' '.join(_CXX)} -x c++-header {_PRELUDE} -o {_PRELUDE}.gch.tmp"
    fresh = f"cmp -s {SOURCE}/prelude.hpp {_PRELUDE} && test -e {_PRELUDE}.gch"
    command = f"{fresh} || {{ {build} && {compile_} && mv {_PRELUDE}.gch.tmp {_PRELUDE}.gch; }}"
    return {"id": "prelude", "argv": ["sh", "-c", command]}


def write_go(programs: Sequence[Program], folder: Path, harness: Path) -> None:
    """One package a program in the module `hx`."""
    (folder / "go.mod").write_text(GO_MODULE)
    (folder / "assert").mkdir(exist_ok=True)
    (folder / "assert" / "assert.go").write_bytes((harness / "go" / "assert.go.txt").read_bytes())
    for program in programs:
        package = folder / program.key
        package.mkdir(exist_ok=True)
        (package / "solution.go").write_text(sources.go_file(program, program.key), encoding="utf-8")
        (package / "run.go").write_text(sources.go_run(program, program.key), encoding="utf-8")


def _go_apart(programs: Sequence[Program], folder: Path, jobs: int, harness: Path) -> Plan:
    """One call of the compiler, a binary a program."""
    result = Plan()
    write_go(programs, folder, harness)
    for program in programs:
        (folder / f"main_{program.key}").mkdir(exist_ok=True)
        (folder / f"main_{program.key}" / "main.go").write_text(sources.go_main([program.key]))
        result.task(program, [f"{OUTPUT}/main_{program.key}", program.key], needs="mains", memory=GO_MEMORY)
    mains = [f"./main_{program.key}" for program in programs]
    argv = ["go", "build", "-p", str(jobs), "-ldflags=-s -w", "-o", f"{OUTPUT}/", *mains]
    result.add("mains", argv, programs, cwd=SOURCE)
    return result


def _go(programs: Sequence[Program], folder: Path, jobs: int, alone: bool, harness: Path) -> Plan:
    result = Plan()
    write_go(programs, folder, harness)
    for number, chunk in enumerate(_chunks(programs, 1, alone=alone)):
        name = f"main{number}"
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "main.go").write_text(sources.go_main([program.key for program in chunk]))
        binary = f"{OUTPUT}/{name}"
        argv = [
            "go",
            "build",
            "-p",
            str(jobs if not alone else 1),
            "-ldflags=-s -w",
            "-o",
            binary,
            f"./{name}",
        ]
        result.add(name, argv, chunk, cwd=SOURCE)
        for program in chunk:
            result.task(program, [binary, program.key], needs=name, memory=GO_MEMORY)
    return result


def _rust(programs: Sequence[Program], folder: Path, jobs: int, alone: bool, harness: Path) -> Plan:
    result = Plan()
    for number, chunk in enumerate(_chunks(programs, jobs, alone=alone)):
        name = f"u{number}"
        (folder / name).mkdir(exist_ok=True)
        tests = {}
        for program in chunk:
            text, tests[program.key] = sources.rust_module(program)
            (folder / name / f"{program.key}.rs").write_text(text, encoding="utf-8")
        (folder / name / "main.rs").write_text(sources.rust_main(tests), encoding="utf-8")
        binary = f"{OUTPUT}/{name}"
        result.add(name, rust_build(name, f"{SOURCE}/{name}/main.rs", binary)["argv"], chunk)
        for program in chunk:
            result.task(program, [binary, program.key], needs=name)
    return result


def rust_build(name: str, source: str, binary: str, *, optimised: bool = False) -> dict[str, Any]:
    """The build of one crate, with the stand-ins for the crates that the suites name."""
    crates = " && ".join(
        f"{{ test -e {OUTPUT}/lib{crate}.rlib || {' '.join(_RUSTC)} --crate-type rlib --crate-name {crate} "
        f"/harness/rust/{crate}.rs -o {OUTPUT}/$$lib{crate}.rlib && mv -n {OUTPUT}/$$lib{crate}.rlib "
        f"{OUTPUT}/lib{crate}.rlib || test -e {OUTPUT}/lib{crate}.rlib; }}"
        for crate in _RUST_CRATES
    )
    externs = " ".join(f"--extern {crate}={OUTPUT}/lib{crate}.rlib" for crate in _RUST_CRATES)
    level = " -C opt-level=3" if optimised else ""
    return {
        "id": name,
        "argv": ["sh", "-c", f"{crates} && {' '.join(_RUSTC)}{level} {externs} {source} -o {binary}"],
    }


def write_java(programs: Sequence[Program], folder: Path) -> None:
    """One file a program; every one has a class Main."""
    for program in programs:
        (folder / f"{program.key}.java").write_text(sources.plain(program), encoding="utf-8")


def java_harness() -> dict[str, Any]:
    """The build of the resident compiler."""
    argv = [*JAVAC, "-d", f"{OUTPUT}/h"]
    files = ["/harness/java/Harness.java", "/harness/java/Launch.java"]
    return {"id": "harness", "argv": [*argv, *files]}


def java_resident(keys: Sequence[str], *, jobs: int, cpu_seconds: int, isolated: bool) -> tuple[str, ...]:
    """The resident compiler on some programs."""
    mode = (
        ("compile", SOURCE, str(jobs), f"{OUTPUT}/classes")
        if isolated
        else ("run", SOURCE, str(jobs), str(cpu_seconds))
    )
    return ("java", *JAVA_FLAGS, "-Xmx1536m", "-cp", f"{OUTPUT}/h", "Harness", *mode, *keys)


def java_tasks(programs: Sequence[Program]) -> list[dict[str, Any]]:
    """Every program in a JVM of its own."""
    tasks = []
    for program in programs:
        classpath = f"{OUTPUT}/h:{OUTPUT}/classes/{program.key}"
        argv = ["java", *JAVA_FLAGS, "-Xmx512m", "-cp", classpath, "Launch"]
        tasks.extend(
            [{"id": program.key, "argv": argv, "needs": "", "quiet": True, "memory": 0}] * program.repeats
        )
    return tasks
