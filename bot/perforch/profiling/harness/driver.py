"""Runs inside the sandbox: builds, then tasks, each in its own process with its own limits.

Reads a plan (JSON) from standard input and writes one JSON object a line for everything that ended. Standard library
only; started with `python3 -I -S`. A task has passed when it exits with `DONE`: exiting early is not passing.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import time

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


def main():
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
        outcome = "passed" if code == DONE and not stopped else stopped or "failed"
        if outcome == "failed" and code in (0, DONE):
            detail = "ended before the test did"
        report({"task": job["id"], "outcome": outcome, "detail": detail, "seconds": seconds})


def report(document):
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def run_all(jobs, width, limits):
    """Yield (job, exit code, "" or "timeout", last words, CPU seconds) as they end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    waiting, running = list(reversed(jobs)), {}
    while waiting or running:
        while waiting and len(running) < width:
            job = waiting.pop()
            words = tempfile.TemporaryFile()
            pid = os.fork()
            if pid == 0:
                child(job, limits, words)
            running[pid] = (job, time.monotonic() + limits["wall"], words)
        ended = os.wait4(-1, os.WNOHANG)
        if ended[0] == 0:
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)
            ended = os.wait4(-1, os.WNOHANG)
        now = time.monotonic()
        for pid, (job, deadline, words) in list(running.items()):
            if now > deadline:
                kill(pid)
        if ended[0] in running:
            job, deadline, words = running.pop(ended[0])
            kill(ended[0])
            yield (job, *verdict(ended, words, now > deadline))


def verdict(ended, words, late):
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


def kill(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass


def child(job, limits, words):
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null if "python" in job or job.get("quiet") else words.fileno(), 1)
        os.dup2(words.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        cpu = limits.get("cpu")
        if cpu:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        memory = job.get("memory", limits.get("memory"))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        if "python" in job:
            run_python(job["python"])
        os.chdir(job.get("cwd", "/"))
        os.execvpe(job["argv"][0], job["argv"], {**os.environ, **job.get("env", {})})
    except BaseException as error:  # the parent sees nothing but the exit code and these words
        os.write(2, f"{type(error).__name__}: {error}"[:1000].encode("utf-8", "replace"))
        os._exit(1)


def run_python(path):
    sys.stdout = open(os.devnull, "w")
    sys.setrecursionlimit(1000)
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), "solution.py", "exec")
    exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
    os._exit(DONE)


main()
