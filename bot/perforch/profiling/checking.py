"""Runs programs: compiles many at once, runs every one in a process of its own, inside the sandbox.

`batch` is for a suite's own solutions, which compile: many programs share a compilation, and a program that
breaks it is compiled alone. `isolated` is for candidates: each is compiled alone, against what was compiled
before.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perforch.errors import ToolMissingError
from perforch.profiling import builds, stdio
from perforch.profiling.suite import Checked
from perforch.result import Language
from perforch.sandbox import cleaning
from perforch.sandbox.spec import OUTPUT, SOURCE, Command, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perforch.profiling.builds import Plan
    from perforch.profiling.stdio import Built
    from perforch.profiling.suite import Cases, Program
    from perforch.sandbox.spec import Sandbox

HARNESS = Path(__file__).resolve().parent / "harness"
CPU_SECONDS = 2  # the slowest canonical solution takes 0.15 s; a hang should not cost more than this
WALL_SECONDS = 20
MEMORY = 1 << 30  # address space of a task; some broken solutions eat gigabytes
_DRIVER = ("python3", "-I", "-S", "/harness/driver.py")
_BUILD_LIMITS = {"wall": 300, "cpu": 0, "memory": 0}
_LIMITS = Limits(
    wall_seconds=1800,
    memory_bytes=8 << 30,
    processes=4096,
    file_bytes=2 << 30,
    output_bytes=64 << 20,
    temp_bytes=2 << 30,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """One run of one task."""

    outcome: str  # passed, failed, timeout, compile
    detail: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class _Runs:
    found: dict[str, list[Ended]] = field(default_factory=lambda: defaultdict(list))


class Checker:
    """Checks programs in one sandbox.

    Args:
        jobs: programs that are compiled or run at the same time.
        isolated: compile each program alone (candidates) instead of many together (own solutions).
        cache: directory that keeps compiled standard libraries between runs; never writable for tasks.
    """

    def __init__(self, sandbox: Sandbox, *, jobs: int, isolated: bool, cache: Path | None = None) -> None:
        self._sandbox = sandbox
        self._jobs = max(1, jobs)
        self._isolated = isolated
        self._cache = cache or default_cache()
        self._cache.mkdir(parents=True, exist_ok=True)
        self._driver_works = False

    def check(self, programs: Sequence[Program]) -> Mapping[str, Checked]:
        """What the tests said, by the program's key.

        Raises:
            ToolMissingError: a compiler that is needed is not installed.
            SandboxUnavailableError: the sandbox does not start.
        """
        by_language: dict[Language, list[Program]] = defaultdict(list)
        for program in programs:
            by_language[program.problem.language].append(program)
        runs: dict[str, list[Ended]] = {}
        for language, group in by_language.items():
            own = [program for program in group if program.problem.cases is None]
            if own:
                runs.update(self._language(language, own, alone=self._alone(language)))
            runs.update(self._cases([program for program in group if program.problem.cases is not None]))
        return {program.key: _judge(runs.get(program.key, [])) for program in programs}

    def _alone(self, language: Language) -> bool:
        """Whether programs are compiled alone from the start.

        Rust and C++ candidates share a compilation too: modules and namespaces cannot reach each other, nothing runs
        before `main` (a C++ program that could is compiled alone, see `sources.needs_own_unit`), and a program that breaks
        the compilation is compiled alone. Go candidates share one call of the compiler, but each is linked into a binary
        of its own. Every program runs in a process of its own.
        """
        return self._isolated and language not in (Language.RUST, Language.GO, Language.CPP)

    def _language(
        self, language: Language, programs: Sequence[Program], *, alone: bool
    ) -> dict[str, list[Ended]]:
        with cleaning.temporary("perforch-suite-") as work:
            (work / "src").mkdir()
            (work / "out").mkdir()
            if language is Language.JAVA:
                return self._java(programs, work)
            runs: dict[str, list[Ended]] = defaultdict(list)
            left = list(programs)
            if alone and language is Language.CPP:
                self._driver({"builds": [builds.cpp_prelude(work / "src")]}, work, building=True)
            while left:
                plan = builds.plan(
                    language,
                    left,
                    work / "src",
                    jobs=self._jobs,
                    alone=alone,
                    apart=self._isolated,
                    harness=HARNESS,
                )
                broken = self._build(plan, work)
                for key, ended in self._run(plan, work, broken):
                    runs[key].append(ended)
                if alone:
                    for program in left:
                        if program.key in broken:
                            runs[program.key].append(Ended("compile", broken[program.key]))
                    break
                # What broke a shared compilation is compiled alone; what merely shared it is tried again
                # without.
                left = [program for program in left if program.key in broken]
                blamed = [program for program in left if broken[program.key]]
                alone = len(blamed) == len(left) or not blamed
                if not alone:
                    runs.update(self._language(language, blamed, alone=True))
                    left = [program for program in left if not broken[program.key]]
            return runs

    def _cases(self, programs: Sequence[Program]) -> dict[str, list[Ended]]:
        """Programs with tests on standard input and output: built together, run one after the other, their cases in parallel."""
        runs: dict[str, list[Ended]] = {}
        if not programs:
            return runs
        with cleaning.temporary("perforch-suite-") as work:
            (work / "src").mkdir()
            (work / "out").mkdir()
            built = [stdio.write(program, work / "src") for program in programs]
            wanted = [one.build for one in built if one.build]
            broken = {
                document["build"]: document["detail"] or "the compiler failed"
                for document in (self._driver({"builds": wanted}, work, building=True) if wanted else ())
                if document.get("ok") is False
            }
            for program, one in zip(programs, built, strict=True):
                if one.key in broken:
                    runs[one.key] = [Ended("compile", broken[one.key])]
                elif program.problem.cases is not None:
                    runs[one.key] = [self._case(one, program.problem.cases, work)]
        return runs

    def _case(self, built: Built, cases: Cases, work: Path) -> Ended:
        documents = self._driver(
            {"tasks": stdio.tasks(built, cases), "until_failure": True}, work, building=False
        )
        outputs: dict[int, str] = {}
        seconds = 0.0
        for document in documents:
            number = int(document["task"])
            seconds += document["seconds"]
            if document["outcome"] != "passed":
                words = f"case {number + 1} of {len(cases.pairs)}: {document['detail']}"
                return Ended(document["outcome"], words, seconds)
            outputs[number] = document["output"]
        if len(outputs) != len(cases.pairs):
            return Ended("failed", "some of its cases did not report an outcome", seconds)
        said = self._sandboxed(
            ("python3", "-I", "/harness/compare.py"),
            work,
            building=False,
            stdin=stdio.questions(cases, outputs),
        )
        try:
            answers = json.loads(said)
        except ValueError:
            answers = []
        wrong = stdio.first_wrong(answers, len(cases.pairs))
        return Ended("failed" if wrong else "passed", wrong, seconds)

    def build(self, wanted: Sequence[dict[str, Any]], work: Path) -> str:
        """Run compilers on `work/src` for `work/out`; the words of the first that fails, "" when none does."""
        documents = self._driver({"builds": list(wanted)}, work, building=True) if wanted else []
        failed = next((document for document in documents if not document.get("ok")), None)
        return "" if failed is None else failed["detail"] or "the compiler failed"

    def _build(self, plan: Plan, work: Path) -> dict[str, str]:
        """Compile; what is broken, by key, with the compiler's words ("" when only its neighbours are to blame)."""
        broken: dict[str, str] = {}
        if not plan.builds:
            return broken
        for document in self._driver({"builds": plan.builds}, work, building=True):
            if document.get("ok") is False:
                broken.update(plan.blame(document["build"], document["detail"]))
        return broken

    def _run(self, plan: Plan, work: Path, broken: Mapping[str, str]) -> Iterable[tuple[str, Ended]]:
        failed = {task["needs"] for task in plan.tasks if task["id"] in broken}
        tasks = [{**task, "needs": ""} for task in plan.tasks if task["needs"] not in failed]
        if tasks:
            for document in self._driver({"tasks": tasks}, work, building=False):
                yield document["task"], Ended(document["outcome"], document["detail"], document["seconds"])

    def _driver(self, plan: dict[str, Any], work: Path, *, building: bool) -> list[dict[str, Any]]:
        limits = {"wall": WALL_SECONDS, "cpu": CPU_SECONDS, "memory": MEMORY}
        document = {"jobs": self._jobs, "build_limits": _BUILD_LIMITS, "task_limits": limits, **plan}
        completed = self._sandboxed(
            _DRIVER,
            work,
            building=building,
            stdin=json.dumps(document).encode(),
        )
        found = []
        for line in completed.decode("utf-8", "replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        if not found and (plan.get("builds") or plan.get("tasks")):
            self._prove_driver()
        return found

    def _prove_driver(self) -> None:
        """Nothing was reported: the programs' fault only where the driver works without them.

        Raises:
            ToolMissingError: it does not.
        """
        if self._driver_works:
            return
        limits = {"wall": 5, "cpu": 0, "memory": 0}
        trial = {
            "jobs": 1,
            "build_limits": limits,
            "task_limits": limits,
            "builds": [{"id": "trial", "argv": ["true"]}],
        }
        command = Command(
            argv=_DRIVER,
            cwd="/",
            mounts=(Mount(HARNESS, "/harness"),),
            limits=_LIMITS,
            stdin=json.dumps(trial).encode(),
        )
        completed = self._sandbox.run(command)
        if b'"trial"' not in completed.stdout:
            words = completed.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            message = f"python3 does not run in the sandbox, so no program can be checked: {words or completed.returncode}"
            raise ToolMissingError(message, hint="Which python3 is the first on PATH, and does it start?")
        self._driver_works = True

    def _sandboxed(self, argv: tuple[str, ...], work: Path, *, building: bool, stdin: bytes = b"") -> bytes:
        mounts = [
            Mount(work / "src", SOURCE),
            Mount(work / "out", OUTPUT, writable=building),
            Mount(HARNESS, "/harness"),
        ]
        if building:
            mounts.append(Mount(self._cache, "/cache", writable=True))
        env = {"GOCACHE": "/cache/go", "GO111MODULE": "on", "HX_SEED": builds.SEED, "PYTHONHASHSEED": "0"}
        completed = self._sandbox.run(
            Command(argv=argv, cwd="/", env=env, mounts=tuple(mounts), limits=_LIMITS, stdin=stdin)
        )
        return completed.stdout

    # --- Java: a resident compiler
    # ------------------------------------------------------------------------------

    def _java(self, programs: Sequence[Program], work: Path) -> dict[str, list[Ended]]:
        runs: dict[str, list[Ended]] = defaultdict(list)
        builds.write_java(programs, work / "src")
        tools = {"builds": [builds.java_harness()]}
        if not all(document.get("ok") for document in self._driver(tools, work, building=True)):
            message = "the Java harness does not compile"
            raise ToolMissingError(
                message, hint="Install a JDK of version 11 or newer (javac and java on the PATH)."
            )
        for _ in range(
            max((program.repeats for program in programs), default=1) if not self._isolated else 1
        ):
            left = [program.key for program in programs]
            while left:
                seen = self._resident(left, work)
                for key, ended in seen:
                    runs[key].append(ended)
                done = {key for key, _ in seen}
                if not done:
                    break
                left = [key for key in left if key not in done]
        if self._isolated:
            compiled = [program for program in programs if runs[program.key][-1:] == [Ended("compiled")]]
            for program in compiled:
                runs[program.key].clear()
            tasks = builds.java_tasks(compiled)
            for document in self._driver({"tasks": tasks}, work, building=False) if tasks else []:
                runs[document["task"]].append(
                    Ended(document["outcome"], document["detail"], document["seconds"])
                )
        return runs

    def _resident(self, keys: Sequence[str], work: Path) -> list[tuple[str, Ended]]:
        argv = builds.java_resident(keys, jobs=self._jobs, cpu_seconds=CPU_SECONDS, isolated=self._isolated)
        found = []
        output = self._sandboxed(argv, work, building=self._isolated)
        for line in output.decode("utf-8", "replace").splitlines():
            key, _, rest = line.partition("\t")
            outcome, _, detail = rest.partition("\t")
            if key in keys and outcome in {"passed", "failed", "timeout", "compile", "compiled"}:
                found.append((key, Ended(outcome, detail)))
        return found


def _judge(runs: Sequence[Ended]) -> Checked:
    if not runs:
        return Checked("failed", "failed", "it did not report an outcome")
    passes = sum(run.outcome == "passed" for run in runs)
    seconds = max(run.seconds for run in runs)
    last = next((run for run in runs if run.outcome != "passed"), runs[0])
    base = Checked("passed", runs=len(runs), passes=passes, cpu_seconds=seconds)
    if passes == len(runs):
        return base
    state = replace(base, kind=last.outcome, detail=last.detail[-500:])
    return replace(state, state="flaky" if passes else "failed")


def default_cache() -> Path:
    """Where compiled standard libraries are kept: `$XDG_CACHE_HOME/perforch/suites`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "perforch" / "suites"
