"""Runs inside the sandbox: builds, then tasks, each in its own process with its own limits.

Reads a plan (JSON) from standard input and writes one JSON object a line for everything that ended. Standard
library only; started with `python3 -I -S`. A task has passed when it exits with `DONE`: exiting early is not
passing.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DONE = 86
PRELOADED = (
    "bisect",
    "collections",
    "copy",
    "datetime",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "typing",
)


def main() -> None:
    plan = json.load(sys.stdin)
    built = set()
    for job, code, stopped, detail, seconds in run_all(
        plan.get("builds", []), plan["jobs"], plan["build_limits"]
    ):
        if code == 0 and not stopped:
            built.add(job["id"])
        report({"build": job["id"], "ok": job["id"] in built, "detail": detail, "seconds": seconds})
    tasks = [task for task in plan.get("tasks", []) if task.get("needs", "") in built | {""}]
    if any("python" in task for task in tasks):
        for name in PRELOADED:
            __import__(name)
    for job, code, stopped, detail, seconds in run_all(tasks, plan["jobs"], plan["task_limits"]):
        wanted = 0 if "capture" in job else DONE
        outcome = "passed" if code == wanted and not stopped else stopped or "failed"
        early = outcome == "failed" and code in (0, DONE)
        words = "ended before the test did" if early else detail
        document = {"task": job["id"], "outcome": outcome, "detail": words, "seconds": seconds}
        if "capture" in job:
            document["output"] = printed(job)
        report(document)
        if plan.get("until_failure") and outcome != "passed":
            break


def printed(job: dict[str, Any]) -> str:
    """What a task has written to standard output."""
    with job.pop("output") as file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def report(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def run_all(
    jobs: Sequence[dict[str, Any]], width: int, limits: dict[str, int]
) -> Iterator[tuple[dict[str, Any], int, str, str, float]]:
    """Yield (job, exit code, "" or "timeout", last words, CPU seconds) as they end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    waiting = list(reversed(jobs))
    running: dict[int, tuple[dict[str, Any], float, IO[bytes]]] = {}
    while waiting or running:
        while waiting and len(running) < width:
            job = waiting.pop()
            words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the job ends)
            if "capture" in job:
                job["output"] = tempfile.TemporaryFile()  # noqa: SIM115 (closed when it has been reported)
            pid = os.fork()
            if pid == 0:
                child(job, limits, words)
            running[pid] = (job, time.monotonic() + limits["wall"], words)
        ended = os.wait4(-1, os.WNOHANG)
        if ended[0] == 0:
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)
            ended = os.wait4(-1, os.WNOHANG)
        now = time.monotonic()
        for pid, (_, deadline, _) in list(running.items()):
            if now > deadline:
                kill(pid)
        if ended[0] in running:
            job, deadline, words = running.pop(ended[0])
            kill(ended[0])
            yield (job, *verdict(ended, words, now > deadline))


def verdict(
    ended: tuple[int, int, resource.struct_rusage], words: IO[bytes], late: bool
) -> tuple[int, str, str, float]:
    _, status, usage = ended
    words.seek(0, os.SEEK_END)
    words.seek(max(0, words.tell() - 4000))
    text = words.read().decode("utf-8", "replace").strip()
    words.close()
    seconds = round(usage.ru_utime + usage.ru_stime, 4)
    if late:
        return -1, "timeout", "wall time", seconds
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return -1, "timeout", "CPU time", seconds
        return -1, "", f"{signal.Signals(number).name} {text}".strip(), seconds
    return os.WEXITSTATUS(status), "", text, seconds


def kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def child(job: dict[str, Any], limits: dict[str, int], words: IO[bytes]) -> NoReturn:
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(given(job["stdin"]) if "stdin" in job else null, 0)
        if "capture" in job:
            os.dup2(job["output"].fileno(), 1)
        else:
            os.dup2(null if "python" in job or job.get("quiet") else words.fileno(), 1)
        os.dup2(words.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = job.get("capture", 1 << 30)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        cpu = job.get("cpu", limits.get("cpu"))
        if cpu:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        memory = job.get("memory", limits.get("memory"))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        if "python" in job:
            run_python(job["python"])
        os.chdir(job.get("cwd", "/"))
        os.execvpe(job["argv"][0], job["argv"], {**os.environ, **job.get("env", {})})
    finally:
        # Whatever a program raises: the parent sees the exit code and these words.
        kind, error, _ = sys.exc_info()
        name = kind.__name__ if kind else ""
        os.write(2, f"{name}: {error}"[:1000].encode("utf-8", "replace"))
        os._exit(1)


def given(text: str) -> int:
    """A descriptor to read a text from."""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        file.seek(0)
        return os.dup(file.fileno())


def run_python(path: str) -> None:
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (the process ends with it)
    sys.setrecursionlimit(1000)
    code = compile(Path(path).read_text(encoding="utf-8"), "solution.py", "exec")
    exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
    os._exit(DONE)


main()
