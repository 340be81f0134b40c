"""Runs inside the sandbox: a suite's own `evaluate(output, expected)` on pairs of texts.

Reads {source, pairs, seconds} (JSON) from standard input and writes a JSON list: true, false, or words about what went wrong. Stops
at the first pair that is not right. Standard library only; started with `python3 -I`.
"""

from __future__ import annotations

import json
import os
import signal
import sys


def main() -> None:
    plan = json.load(sys.stdin)
    results = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    space: dict[str, object] = {"__name__": "evaluator"}
    exec(compile(plan["source"], "evaluator.py", "exec"), space)
    evaluate = space["evaluate"]
    answers: list[object] = []
    try:
        for output, expected in plan["pairs"]:
            signal.alarm(plan["seconds"])
            answers.append(bool(evaluate(output, expected)))  # type: ignore[operator]
            if answers[-1] is not True:
                break
    finally:
        # Whatever the suite's evaluator raises on odd output: it did not find it right.
        signal.alarm(0)
        kind, error, _ = sys.exc_info()
        if kind is not None:
            answers.append(f"its evaluator raised {kind.__name__}: {str(error)[:200]}")
        json.dump(answers, results)
        results.close()
        os._exit(0)


main()
