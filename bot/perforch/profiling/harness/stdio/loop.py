"""Runs a program on every file of a folder, as often as asked, in one process: loop.py PROGRAM INPUTS COUNT [check].

Every run starts from fresh globals. With `check` the output of every later run must be that of the first. Standard library only.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

DONE = 86


def main() -> None:
    program, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    checked = sys.argv[4:] == ["check"]
    code = compile(Path(program).read_text(encoding="utf-8"), "main.py", "exec")
    inputs = [os.open(path, os.O_RDONLY) for path in sorted(folder.iterdir())]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    first: dict[int, bytes] = {}
    sys.argv = ["main.py"]
    for _ in range(count):
        for number, given in enumerate(inputs):
            out = os.memfd_create("out") if checked else nowhere
            run(code, given, out)
            if checked:
                written = os.pread(out, os.fstat(out).st_size, 0)
                os.close(out)
                if first.setdefault(number, written) != written:
                    os.write(2, b"its output changes when it is repeated in one process")
                    os._exit(1)
    os._exit(DONE if checked else 0)


def run(code: object, given: int, out: int) -> None:
    os.lseek(given, 0, os.SEEK_SET)
    os.dup2(given, 0)
    os.dup2(out, 1)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "rb", closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "wb", closefd=False), encoding="utf-8")
    try:
        exec(code, {"__name__": "__main__", "__builtins__": __builtins__})  # type: ignore[call-overload]
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()


main()
