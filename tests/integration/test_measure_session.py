"""Real programs, started, timed, sampled and reaped by the starter process."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from perforch.measure import pairs, process
from perforch.measure.model import Decision
from perforch.measure.session import Session
from perforch.measure.verdict import Rule
from perforch.sandbox import open_sandbox
from perforch.sandbox.spec import Command, Launch, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024

SPIKE = """
#include <sys/mman.h>
#include <string.h>
#include <time.h>
int main(void) {
  struct timespec pause = {0, 30000000}, spike = {0, 2000000};
  nanosleep(&pause, 0);
  size_t size = 200u << 20;
  char *block = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  nanosleep(&spike, 0);
  munmap(block, size);
  nanosleep(&pause, 0);
  return 0;
}
"""

FLASH = """
#include <sys/mman.h>
#include <time.h>
int main(void) {
  struct timespec pause = {0, 30000000}, gap = {0, 700000};
  nanosleep(&pause, 0);
  for (int i = 0; i < 50; i++) {
    munmap(mmap(0, 200u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 200u << 20);
    nanosleep(&gap, 0);
  }
  nanosleep(&pause, 0);
  return 0;
}
"""

DYING = """
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  pid_t child = fork();
  if (child == 0) { char *b = malloc(100 << 20); memset(b, 1, 100 << 20); usleep(60000); kill(getpid(), SIGKILL); }
  usleep(400000);
  waitpid(child, 0, 0);
  return 0;
}
"""

TREE = """
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  for (int i = 0; i < 4; i++)
    if (fork() == 0) { char *b = malloc(50 << 20); memset(b, 1, 50 << 20); usleep(200000); _exit(b[7] - 1); }
  while (wait(0) > 0) {}
  return 0;
}
"""

EXEC = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  int big = argc == 1;
  char *b = malloc((big ? 120 : 40) << 20);
  memset(b, 1, (big ? 120 : 40) << 20);
  usleep(40000);
  if (big) execl(argv[0], argv[0], "again", (char *)0);
  return 0;
}
"""


@pytest.fixture(params=[True, False], ids=["perf", "wait4"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    with Session(use_perf=request.param) as opened:
        yield opened


def launch(*argv: str, seconds: float = 30) -> Launch:
    return Launch(argv=argv, env=dict(os.environ), limits=Limits(wall_seconds=seconds))


def python(code: str) -> Launch:
    return launch(sys.executable, "-I", "-S", "-c", code)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    compiler = shutil.which("gcc") or shutil.which("cc") or "g++"
    for name, text in (
        ("spike", SPIKE),
        ("flash", FLASH),
        ("dying", DYING),
        ("tree", TREE),
        ("exec", EXEC),
        ("nothing", "int main(void) { return 0; }"),
    ):
        (folder / f"{name}.c").write_text(text)
        subprocess.run((compiler, "-O0", "-w", "-o", folder / name, folder / f"{name}.c"), check=True)
    return folder


def test_task_clock_is_the_programs_own_and_agrees_with_its_own_clock(session: Session) -> None:
    timed = session.time(python("import time\nwhile time.process_time() < 0.2: pass"))
    assert timed.sample.failure == ""
    assert 195 < timed.sample.task_clock_ms < 260
    assert timed.sample.cpus == pytest.approx(timed.sample.task_clock_ms / timed.sample.wall_ms)


def test_waiting_is_no_cpu_time(session: Session) -> None:
    sample = session.time(python("import time; time.sleep(0.3)")).sample
    assert sample.wall_ms > 295
    assert sample.cpus < 0.5


def test_children_count(session: Session) -> None:
    code = "import os, time\nif os.fork() == 0:\n  while time.process_time() < 0.2: pass\n  os._exit(0)\nos.wait()"
    assert session.time(python(code)).sample.task_clock_ms > 195


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (("sh", "-c", "exit 3"), "exit status 3"),
        (("sh", "-c", "kill -SEGV $$"), ""),
        (("/nonexistent/program",), ""),
    ],
    ids=["status", "signal", "missing"],
)
def test_failures_are_named(session: Session, argv: tuple[str, ...], named: str) -> None:
    failure = session.time(launch(*argv)).sample.failure
    assert failure
    assert named in failure


def test_a_program_that_leaves_work_behind_fails(session: Session) -> None:
    code = "import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(60)\nos._exit(0)"
    assert "left 1 process" in session.time(python(code)).sample.failure


def test_a_program_that_does_not_end_is_ended(session: Session) -> None:
    assert "did not end within" in session.time(launch("sleep", "60", seconds=0.5)).sample.failure
    assert session.time(launch("true")).sample.failure == ""


def test_a_program_cannot_write_counts_of_its_own(session: Session) -> None:
    code = (
        "import os\nfor fd in range(1, 300):\n  try: os.write(fd, b'0.01;msec;task-clock;10000;100.00;;\\n')\n"
        "  except OSError: pass\nfor i in range(3000000): pass"
    )
    assert session.time(python(code)).sample.task_clock_ms > 10


def test_a_changed_locale_changes_nothing(session: Session) -> None:
    german = Launch(
        argv=("true",), env={**os.environ, "LC_ALL": "de_DE.UTF-8"}, limits=Limits(wall_seconds=30)
    )
    assert session.time(german).sample.failure == ""


@pytest.mark.timing
def test_a_spike_of_two_milliseconds_is_always_seen(built: Path) -> None:
    with Session() as opened:
        runs = [opened.weigh(launch(str(built / "spike"))).memory for _ in range(30)]
    assert [memory is not None and memory.max_kib > 200 * MIB for memory in runs] == [True] * 30


def test_a_spike_between_two_samples_is_named(session: Session, built: Path) -> None:
    """Fifty spikes without a pause: the kernel's high-water mark tells of those that no sample saw."""
    memory = session.weigh(launch(str(built / "flash"))).memory
    assert memory is not None
    assert max(memory.max_kib, memory.unseen_kib) > 199 * MIB


def test_a_dying_child_takes_its_memory_along(session: Session, built: Path) -> None:
    memory = session.weigh(launch(str(built / "dying"))).memory
    assert memory is not None
    assert 100 * MIB < memory.max_kib < 104 * MIB
    assert memory.mean_kib < 0.8 * memory.max_kib  # half of the time it is a zombie


def test_four_children_are_added_up(session: Session, built: Path) -> None:
    memory = session.weigh(launch(str(built / "tree"))).memory
    assert memory is not None
    assert 200 * MIB < memory.max_kib < 206 * MIB
    assert 200 * MIB < memory.peak_rss_kib < 215 * MIB


def test_exec_keeps_the_earlier_peak(session: Session, built: Path) -> None:
    memory = session.weigh(launch(str(built / "exec"))).memory
    assert memory is not None
    assert 120 * MIB < memory.max_kib < 124 * MIB
    assert 120 * MIB < memory.peak_rss_kib < 126 * MIB
    assert 40 * MIB < memory.mean_kib < 120 * MIB


def test_threads_of_one_program_share_their_memory(session: Session) -> None:
    code = "import threading, time\nb = bytearray(50 << 20)\n"
    code += "t = [threading.Thread(target=time.sleep, args=(.1,)) for _ in range(4)]\n[x.start() for x in t]"
    memory = session.weigh(python(code)).memory
    assert memory is not None
    assert 50 * MIB < memory.peak_rss_kib < 75 * MIB


def test_a_program_too_short_to_sample_is_sampled_once_and_says_so(session: Session, built: Path) -> None:
    for _ in range(10):
        memory = session.weigh(launch(str(built / "nothing"))).memory
        assert memory is not None
        assert memory.samples >= 1
        assert 0 < memory.max_kib < 2 * MIB
        assert "too short" in memory.shortfall


def test_a_launcher_image_never_counts(session: Session) -> None:
    """The starter is tens of megabytes; the program is not."""
    memory = session.weigh(launch("sleep", "0.05")).memory
    assert memory is not None
    assert memory.peak_rss_kib < 6 * MIB


@pytest.mark.timing
def test_the_sampler_keeps_its_milliseconds_with_little_of_a_cpu() -> None:
    """Where its CPU is free for it: one of five runs on a machine that others use as well."""
    seen = []
    for _ in range(5):
        with Session() as opened:
            memory = opened.weigh(python("import time\nwhile time.process_time() < 2: pass")).memory
        assert memory is not None
        seen.append((memory.coverage, memory.p99_ms, memory.sampler_share))
        if memory.coverage >= 0.99 and memory.p99_ms < 1.5 and memory.sampler_share <= 0.05:
            return
    pytest.fail(f"coverage, 99 % of intervals in ms, share of a CPU: {seen}")


@pytest.mark.timing
def test_the_sampler_does_not_slow_the_program() -> None:
    """The program times itself; half of the runs are sampled, in coin-tossed order."""
    code = "import time\nx = 0\nfor i in range(700000): x += i\nopen({!r}, 'w').write(str(time.process_time_ns()))"
    rule, tosses = Rule(min_effect=0.03), pairs.schedule(7)
    with Session(use_perf=False) as opened, tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "ns"

        def plain() -> int:
            assert opened.time(python(code.format(str(mark)))).sample.failure == ""
            return int(mark.read_text())

        def sampled() -> int:
            assert opened.weigh(python(code.format(str(mark)))).memory is not None
            return int(mark.read_text())

        while rule.decision is None:
            if next(tosses)[0]:
                one, other = plain(), sampled()
            else:
                other, one = sampled(), plain()
            rule.update(math.log(one / other))
    assert rule.decision in {Decision.NO_CHANGE, Decision.INCONCLUSIVE}, rule.ratio


def test_the_control_group_knows_the_peak_of_the_tree() -> None:
    """Pages that were touched for less than a millisecond, in a child: no sample need see them."""
    sandbox = open_sandbox("required")
    code = (
        "import mmap, os, time\ntime.sleep(.02)\nif os.fork() == 0:\n"
        "  m = mmap.mmap(-1, 60 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "  for i in range(0, 60 << 20, 4096): m[i] = 1\n  os._exit(0)\nos.wait()"
    )
    prepared = sandbox.launch(Command(("/usr/bin/python3", "-I", "-S", "-c", code), cwd="/"))
    if prepared.memory_group is None:
        assert not any(os.access(f"/sys/fs/cgroup/{name}", os.W_OK) for name in ("memory", "cgroup.procs"))
    with Session() as opened:
        memory = opened.weigh(prepared).memory
    assert memory is not None
    assert 60 * MIB < memory.peak_rss_kib < 90 * MIB


def test_programs_that_were_started_before_leave_the_measuring_cpus() -> None:
    """Also grandchildren, and what a session of its own: builds that go on while a benchmark runs."""
    code = "import subprocess, sys\nsubprocess.Popen(['sleep', '30'])\nprint('started', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", code),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    ) as build:  # fmt: skip
        assert build.stdout is not None
        assert build.stdout.readline() == b"started\n"
        (sleeper,) = process.children(build.pid)
        mine = os.sched_getaffinity(0)
        with Session() as opened:
            if opened.plan.pinned:
                for pid in (build.pid, sleeper):
                    assert not os.sched_getaffinity(pid) & set(opened.plan.measuring)
        assert os.sched_getaffinity(0) == mine
        os.kill(sleeper, signal.SIGKILL)


def test_an_interrupted_measurement_leaves_nothing_behind_and_says_nothing_odd(tmp_path: Path) -> None:
    mark, script = tmp_path / "pid", tmp_path / "program.py"
    script.write_text(f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(30)\n")
    program = f"{sys.executable} -I -S {script}"
    command = (
        str(Path(sys.executable).with_name("perforch")),
        "bench",
        "--before",
        program,
        "--after",
        program,
    )
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bench:
        deadline = time.monotonic() + 60
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        started = int(mark.read_text())
        bench.send_signal(signal.SIGINT)
        _, words = bench.communicate(timeout=60)  # the starter holds standard error too: this waits for it
    assert "Traceback" not in words
    assert "interrupted" in words
    assert not Path(f"/proc/{started}").exists()


def test_a_run_that_is_taken_again_is_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch can be started once, so every try has one of its own."""
    monkeypatch.setattr("perforch.measure.session._AGREEMENT_NS", -(10**12))  # they never agree
    sandbox = open_sandbox("required")
    made = []

    def prepare() -> Launch:
        made.append(sandbox.launch(Command(("/bin/true",), cwd="/tmp")))
        return made[-1]

    with Session() as session:
        assert session.source == "perf", session.reason
        failure = session.time(prepare(), again=prepare).sample.failure
    assert failure == "perf counted more CPU time than wait4 saw"
    assert len(made) == 3
