"""What makes benchmarks lie does not change a verdict here: real processes, with and without a true difference."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from perforch.measure.compare import compare
from perforch.measure.model import Comparison, Decision
from perforch.measure.pairs import seed_env
from perforch.result import Metric
from perforch.sandbox.spec import Launch, Limits
from perforch.settings import Acceptance

CLAIMS = {Decision.FASTER, Decision.SLOWER}
WORK = 800_000


@dataclass(frozen=True)
class Side:
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)

    def launch(self, seed: int) -> Launch:
        return Launch(self.argv, {**os.environ, **self.env, **seed_env(seed)}, limits=Limits(wall_seconds=30))


def python(code: str, *, env: dict[str, str] | None = None) -> Side:
    return Side((sys.executable, "-I", "-S", "-c", code), env or {})


def loop(count: int, before: str = "", after: str = "") -> str:
    return f"{before}\nx = 0\nfor i in range({count}): x += i\n{after}"


def decide(before: Side, after: Side, *, use_perf: bool = True) -> Comparison:
    return compare(
        before, after, metric=Metric.TIME, acceptance=Acceptance(), seconds=60, weigh=False, use_perf=use_perf
    )


def bench(*arguments: str, env: dict[str, str], cwd: Path) -> dict[str, object]:
    command = (str(Path(sys.executable).with_name("perforch")), "bench", "--json", "--no-canary", *arguments)
    done = subprocess.run(
        command, env={**os.environ, **env}, cwd=cwd, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


FORK = "import os\nif os.fork() == 0:\n  {escape}for i in range(3000000): pass\n  os._exit(0)\n"


@pytest.mark.parametrize(
    ("cheat", "outcome"),
    [
        (f"{FORK.format(escape='')}os._exit(0)", {Decision.INCONCLUSIVE}),
        (f"{FORK.format(escape='os.setsid(); ')}os._exit(0)", {Decision.INCONCLUSIVE}),
        (f"{FORK.format(escape='')}os.wait()", {Decision.SLOWER}),
        (f"{FORK.format(escape='')}import time; time.sleep(.3); os._exit(0)", {Decision.SLOWER}),
    ],
    ids=["left behind", "left behind in a session of its own", "waited for", "slept out, not waited for"],
)
@pytest.mark.parametrize("use_perf", [True, False], ids=["perf", "wait4"])
def test_work_in_a_forked_child_is_no_saving(cheat: str, outcome: set[Decision], use_perf: bool) -> None:
    found = decide(python(loop(WORK)), python(cheat), use_perf=use_perf)
    assert found.decision in outcome, found.reason


@pytest.mark.parametrize(("count", "outcome"), [(WORK, None), (WORK // 2, Decision.FASTER)])
def test_an_environment_of_another_size_changes_nothing(count: int, outcome: Decision | None) -> None:
    found = decide(python(loop(WORK)), python(loop(count), env={"PADDING": "x" * 4096}))
    assert found.decision not in CLAIMS if outcome is None else found.decision is outcome, found.reason


@pytest.mark.parametrize("slow", ["before", "after"])
@pytest.mark.parametrize(("count", "outcome"), [(WORK, None), (WORK // 2, Decision.FASTER)])
def test_a_slow_first_run_changes_nothing(
    tmp_path: Path, slow: str, count: int, outcome: Decision | None
) -> None:
    """The first run of one side takes ten times as long, as with cold caches."""
    warm, never = str(tmp_path / "warm"), str(tmp_path / "never")
    mark = f"import os\nif not os.path.exists({warm!r}):\n  for i in range({10 * WORK}): pass\n  open({warm!r}, 'w')"
    looked = f"import os\nos.path.exists({never!r})"
    before = python(loop(WORK, mark if slow == "before" else looked))
    after = python(loop(count, mark if slow == "after" else looked))
    found = decide(before, after)
    assert found.decision not in CLAIMS if outcome is None else found.decision is outcome, found.reason
    assert (tmp_path / "warm").exists()


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Two copies of a program with many functions; the byte code of one is current, that of the other stale."""
    for side in ("current", "stale"):
        folder = tmp_path / side
        folder.mkdir()
        functions = "".join(
            f"def f{i}(a, b=1):\n  return [a + b * {i} for _ in range(a)]\n" for i in range(1500)
        )
        (folder / "many.py").write_text(functions)
        (folder / "main.py").write_text("import many\nx = 0\nfor i in range(100000): x += i\n")
        py_compile.compile(str(folder / "many.py"), doraise=True)
    changed = (tmp_path / "stale" / "many.py").stat().st_mtime + 10
    os.utime(tmp_path / "stale" / "many.py", (changed, changed))
    return tmp_path


@pytest.mark.parametrize("sandbox", ["none", "required"])
def test_stale_byte_code_on_one_side_changes_nothing(modules: Path, sandbox: str) -> None:
    program = "/usr/bin/python3" if sandbox == "required" else sys.executable
    if sandbox == "none":
        # What happens without care: this switch keeps the stale file stale.
        plain = [
            Side((program, str(modules / side / "main.py")), {"PYTHONDONTWRITEBYTECODE": "1"})
            for side in ("stale", "current")
        ]
        assert decide(*plain).estimates[Metric.TIME].ratio > 2
    found = bench(
        "--before", f"{program} stale/main.py", "--after", f"{program} current/main.py", "--sandbox", sandbox,
        env={"PYTHONDONTWRITEBYTECODE": "1"}, cwd=modules,
    )  # fmt: skip
    assert found["verdict"] in {"no_change", "inconclusive"}, found["reason"]


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long step(void) {
  struct timespec now;
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  real(CLOCK_MONOTONIC, &now);
  return now.tv_nsec / 50000000 % 2 ? 3600 : -3600;
}
int clock_gettime(clockid_t id, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(id, at);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += step();
  return code;
}
int gettimeofday(struct timeval *at, void *zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
  int code = real(at, zone);
  at->tv_sec += step();
  return code;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
"""


@pytest.mark.parametrize(
    ("count", "verdicts"), [(3_000_000, {"no_change", "inconclusive"}), (1_000_000, {"faster"})]
)
def test_steps_of_the_clock_change_nothing(tmp_path: Path, count: int, verdicts: set[str]) -> None:
    """The time of day jumps by two hours twenty times a second, for perforch, perf and the programs alike."""
    (tmp_path / "steps.c").write_text(CLOCK)
    compiler = shutil.which("gcc") or shutil.which("cc") or "g++"
    library = tmp_path / "steps.so"
    subprocess.run(
        (compiler, "-shared", "-fPIC", "-w", "-o", library, tmp_path / "steps.c", "-ldl"), check=True
    )
    env = {"LD_PRELOAD": str(library)}
    watch = "import time\nt = time\nend, seen = t.monotonic() + .3, []\nwhile t.monotonic() < end: seen += [t.time()]\nprint(max(seen) - min(seen))"
    seen = subprocess.run(
        (sys.executable, "-I", "-S", "-c", watch),
        env={**os.environ, **env},
        check=True,
        capture_output=True,
        text=True,
    )
    assert float(seen.stdout) > 7000  # the clock does step
    command = f"{sys.executable} -I -S -c 'for i in range({{}}): pass'"
    found = bench(
        "--before", command.format(3_000_000), "--after", command.format(count), env=env, cwd=tmp_path
    )
    assert found["verdict"] in verdicts, found["reason"]
    samples = found["samples"]
    assert isinstance(samples, list)
    for pair in samples:
        for side in ("before", "after"):
            assert 0 < pair[side]["wall_ms"] < 60_000
            assert pair[side]["cpus"] < 1.5
    assert 0 < float(str(found["seconds"])) < 120
